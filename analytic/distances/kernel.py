"""Maximum mean discrepancy with the exact mean of the kernel over a Gaussian mixture."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analytic import _checks
from analytic._checks import Array
from analytic.distances.pairs import PairDistance, squared_distances
from analytic.distances.quadratic import apart, self_apart
from analytic.mixture import GaussianMixture


class MMD(PairDistance):
    """`sqrt(E k(x, x') - 2 E k(x, Y) + E k(Y, Y'))`, no unit, at most sqrt(2).

    k is the mean of the Gaussian kernels exp(-|x - y|^2/(2 l^2)) over the bandwidths. Only the
    first term is estimated from samples; the kernel means are closed forms (`quadratic`), for any
    covariances, zero included. Covariances that share no eigenbasis cost d^3 for each pair of
    components, once.

    Args:
        mixture: the exact law.
        bandwidths: l, in the unit of the data; by default `default_bandwidths(mixture)`.
        block: samples of which all pairs are taken.

    Raises:
        ValueError: a bandwidth that is not positive.

    Source: Gretton et al., A kernel two-sample test (JMLR 13, 2012), eq. 3 and lemma 6.
    """

    unit = "1"

    def __init__(
        self,
        mixture: GaussianMixture,
        bandwidths: ArrayLike | None = None,
        block: int | None = None,
    ) -> None:
        super().__init__(mixture, block)
        given = default_bandwidths(mixture) if bandwidths is None else bandwidths
        self.bandwidths = np.atleast_1d(_checks.finite("bandwidths", given))
        if (
            self.bandwidths.ndim != 1
            or not self.bandwidths.size
            or (self.bandwidths < _checks.SMALLEST).any()
        ):
            raise ValueError(
                f"bandwidths must be positive (from {_checks.SMALLEST} on), one or more"
            )
        self.t = 0.5 / self.bandwidths**2
        self.constant = float(
            sum(weights @ np.exp(-q.exponent(self.t)).mean(1) for weights, q in self_apart(mixture))
        )

    def kernel_mean(self, x: ArrayLike) -> Array:
        """`E k(x, Y)`, shape (m,) for x (m, d)."""
        points = self.samples(x)
        total = np.zeros(len(points))
        for weight, q in apart(self.mixture, points):
            total += weight * np.exp(-q.exponent(self.t)).mean(1)
        return total

    def pairs(self, x: Array) -> Array:
        square = squared_distances(x - self.mixture.mean)
        h = np.zeros_like(square)
        for t in self.t:
            h += np.exp(-t * square)
        h /= len(self.t)
        mean = self.kernel_mean(x)
        h -= mean[:, None]
        h -= mean
        h += self.constant
        return h


def default_bandwidths(mixture: GaussianMixture) -> Array:
    """Half, once and twice the root-mean-square length of the data and of one component.

    `sqrt(tr Cov)` and `sqrt(sum_k w_k tr Sigma_k)`: the first sees whole modes, the second their
    shape. Point masses have the first only; a single point, the length 1.
    """
    _checks.mixture(mixture)
    spread = mixture.weights @ ((mixture.means - mixture.mean) ** 2).sum(1)
    within = mixture.weights @ mixture.spectra.sum(1)
    lengths = np.sqrt(np.array([within + spread, within]))
    lengths = lengths[lengths > 1e-6 * lengths[0]] if lengths[0] > 0 else np.ones(1)
    if len(lengths) == 2 and lengths[1] > 0.75 * lengths[0]:
        lengths = lengths[:1]
    return np.unique(np.outer(lengths, [0.5, 1.0, 2.0]))
