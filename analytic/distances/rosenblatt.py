"""Rosenblatt's transform: uniforms, if and only if the samples are of the exact law."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analytic import _checks
from analytic._checks import Array
from analytic.distances.estimate import LEVEL, Distance, Estimate, Floor, Tally
from analytic.distances.projections import Projected, random_directions
from analytic.mixture import GaussianMixture

_MOST = 8


class Rosenblatt(Distance):
    """Largest Kolmogorov distance from uniform of `u_j = F_j(x_j | x_1, ..., x_(j-1))`.

    x_j are coordinates of the samples in at most eight orthonormal directions: first those that
    tell the modes apart (half of them, where there are modes), then random ones. With the Cholesky
    factor of each component's covariance there, v = L^-1 (x - mu), the conditional laws are
    mixtures of normals of v_j whose weights carry the densities of v_1 ... v_(j-1). Exact samples
    give independent uniforms, so the floor has a closed form: the largest of m independent
    Kolmogorov-Smirnov statistics. No unit, from 0 to 1: the error of a probability.

    The interval is normal with the variance F(1 - F)/n at the point of the largest difference
    (Raghavachari 1973).

    Args:
        mixture: the exact law.
        directions: orthonormal rows (m, d), in the order of the conditioning.
        rng: draws the random directions, where `directions` is not given.

    Raises:
        ValueError: a covariance is singular in these directions: the conditional laws have atoms.

    Source: Rosenblatt, Remarks on a multivariate transformation (1952).
    """

    unit = "1"

    def __init__(
        self,
        mixture: GaussianMixture,
        directions: ArrayLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__(mixture)
        if directions is None:
            vectors = _directions(mixture, rng)
        else:
            vectors = _checks.finite("directions", directions)
        self.projected = Projected(mixture, vectors)
        try:
            lower = np.linalg.cholesky(self.projected.covariances())
        except np.linalg.LinAlgError:
            lower = np.zeros((1, 1, 1))
        diagonal = np.diagonal(lower, axis1=1, axis2=2)
        if (diagonal <= 1e-7 * self.projected.scales).any():
            raise ValueError(
                "Rosenblatt's transform needs conditional densities, and a covariance is singular"
            )
        self._whiten = np.linalg.inv(lower)
        self._log_scales = np.log(diagonal)

    def uniforms(self, x: ArrayLike) -> Array:
        """u, shape (n, m) for x (n, d)."""
        from scipy.special import ndtr

        p = self.projected
        y = self.samples(x) @ p.directions.T
        v = np.einsum("kji,nki->knj", self._whiten, y[:, None] - p.means)
        with np.errstate(divide="ignore"):
            log_weight = np.log(p.weights)[:, None] + np.zeros(len(y))
        u = np.empty((len(y), p.number))
        for j in range(p.number):
            weight = np.exp(log_weight - log_weight.max(0))
            u[:, j] = (weight * ndtr(v[:, :, j])).sum(0) / weight.sum(0)
            log_weight += -0.5 * v[:, :, j] ** 2 - self._log_scales[:, j, None]
        return u

    def tally(self) -> RosenblattTally:
        return RosenblattTally(self)

    def floor(self, n: int, rng: np.random.Generator | None = None) -> Floor:
        from scipy.stats import kstwo

        n, m = self.enough(_checks.count("n", n)), self.projected.number
        # E max = int_0^1 of the quantile of the largest of m
        p = (np.arange(200) + 0.5) / 200
        return Floor(
            float(kstwo.ppf(p ** (1 / m), n).mean()), float(kstwo.ppf(LEVEL ** (1 / m), n))
        )


class RosenblattTally(Tally):
    """The uniforms of all samples."""

    def __init__(self, distance: Rosenblatt) -> None:
        self.distance = distance
        self.chunks: list[Array] = []

    def add(self, x: ArrayLike) -> None:
        self.chunks.append(self.distance.uniforms(x))

    def estimate(self) -> Estimate:
        n = self.distance.enough(sum(len(chunk) for chunk in self.chunks))
        u = np.sort(np.concatenate(self.chunks), axis=0)
        after, before = np.arange(1, n + 1)[:, None] / n, np.arange(n)[:, None] / n
        over, under = after - u, u - before
        gap = np.maximum(over, under)
        i, j = np.unravel_index(int(np.argmax(gap)), gap.shape)
        value = float(gap[i, j])
        share = float(after[i, 0] if over[i, j] >= under[i, j] else before[i, 0])
        reach = 1.959963984540054 * (share * (1 - share) / n) ** 0.5
        return Estimate(value, max(value - reach, 0.0), min(value + reach, 1.0), n)


def _directions(mixture: GaussianMixture, rng: np.random.Generator | None) -> Array:
    """Orthonormal rows (m, d), m at most eight."""
    d = mixture.dim
    m = min(_MOST, d)
    apart = np.sqrt(mixture.weights)[:, None] * (mixture.means - mixture.mean)
    _, size, rows = np.linalg.svd(apart, full_matrices=False)
    leading = rows[: max(m // 2, 1)][size[: max(m // 2, 1)] > 1e-9 * max(size[0], 1e-300)]
    if rng is None:
        raise ValueError("rng must draw the directions, or give them")
    vectors = np.concatenate([leading, random_directions(m, d, rng)])
    q, _ = np.linalg.qr(vectors[:m].T)
    return np.asarray(q.T)
