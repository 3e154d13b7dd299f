"""The arithmetic of one block of points: what every public method of the mixture is a sum of.

Arrays are component-first: K components, n points, d dimensions. In the eigenbasis V of a component
everything is a product per direction, with `y = V'(z - alpha mu)` and `v = alpha^2 s + sigma^2`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from analytic import _checks
from analytic._checks import SMALLEST, Array

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Components:
    """Weights (K,), means (K, d), covariances diagonalised once: `V_k diag(spectra_k) V_k'`."""

    weights: Array
    means: Array
    spectra: Array  # (K, d), or (K, 1) where isotropic
    bases: Array | None  # (K, d, d), eigenvectors in columns; None where axis-aligned

    @classmethod
    def checked(
        cls, weights: ArrayLike, means: ArrayLike, spectra: ArrayLike, bases: ArrayLike | None
    ) -> Self:
        """Refuses what is not a mixture, with one clear line."""
        mu = _checks.finite("means", means)
        if mu.ndim != 2 or not mu.size:
            raise ValueError(f"means must have shape (K, d), got {mu.shape}")
        size, dim = mu.shape
        w = _checks.finite("weights", weights)
        if w.shape != (size,):
            raise ValueError(f"weights must have shape ({size},), got {w.shape}")
        if (w < 0).any() or abs(w.sum() - 1) > 1e-6:
            raise ValueError("weights must be non-negative and sum to 1")
        s = _checks.finite("variances", spectra)
        if s.shape not in ((size, dim), (size, 1)):
            raise ValueError(f"variances must have shape ({size}, {dim}), got {s.shape}")
        if (s < 0).any() or ((s > 0) & (s < SMALLEST**2)).any():
            raise ValueError(f"variances must be non-negative, and zero or at least {SMALLEST**2}")
        v = None if bases is None else _checks.finite("bases", bases)
        if v is not None:
            if v.shape != (size, dim, dim):
                raise ValueError(f"bases must have shape {(size, dim, dim)}, got {v.shape}")
            for basis in v:
                if np.abs(basis.T @ basis - np.eye(dim)).max() > 1e-10:
                    raise ValueError("bases must have orthonormal columns")
            s = np.broadcast_to(s, (size, dim))
        return cls(w / w.sum(), mu, s, v)

    @property
    def dim(self) -> int:
        return int(self.means.shape[1])

    @cached_property
    def log_weights(self) -> Array:
        with np.errstate(divide="ignore"):
            return np.log(self.weights)

    @cached_property
    def rotated_means(self) -> Array:
        rotated: Array = self.into_basis(self.means[:, None])
        return rotated

    @cached_property
    def round(self) -> bool:
        """Whether every component is isotropic."""
        return self.bases is None and self.spectra.shape[1] == 1

    @cached_property
    def singular(self) -> bool:
        """Whether a component that has weight has a direction without variance."""
        return bool((self.spectra[self.weights > 0] == 0).any())

    def into_basis(self, vectors: Array) -> Array:
        if self.bases is None:
            return vectors
        coordinates: Array = np.matmul(vectors, self.bases)
        return coordinates

    def out_of_basis(self, coordinates: Array) -> Array:
        if self.bases is None:
            return coordinates
        vectors: Array = np.matmul(coordinates, np.swapaxes(self.bases, 1, 2))
        return vectors

    def trace(self, diagonal: Array) -> Array:
        """Sum over the d directions of what may be given once for all of them."""
        total: Array = diagonal.sum(-1) * (self.dim / diagonal.shape[-1])
        return total


class State:
    """A block of points z (n, d) at levels alpha, sigma, each (1,) or (n,)."""

    def __init__(self, components: Components, z: Array, alpha: Array, sigma: Array) -> None:
        self.components = c = components
        self.z, self.alpha, self.sigma = z, alpha[:, None], sigma[:, None]
        variance = self.alpha**2 * c.spectra[:, None] + self.sigma**2
        self.flat = (sigma == 0).any() and variance.min() == 0  # a direction without variance
        # Where v = 0 every use is multiplied by zero or replaced by its limit.
        self.v = np.where(variance > 0, variance, 1.0) if self.flat else variance
        null = variance == 0 if self.flat else None
        self.light = null is None and len(alpha) == len(sigma) == 1 and c.round
        log_joint = c.log_weights[:, None] - 0.5 * (
            self._mahalanobis(null) + c.trace(np.log(self.v)) + c.dim * np.log(2 * np.pi)
        )
        limit = None
        if null is not None:
            log_joint, limit = self._limit(log_joint, null)
        top = log_joint.max(0)
        relative = np.exp(log_joint - top)
        total = relative.sum(0)
        self.responsibilities = relative / total
        self.log_density = top + np.log(total) if limit is None else limit + top + np.log(total)

    @cached_property
    def y(self) -> Array:
        """V'(z - alpha mu), (K, n, d)."""
        c = self.components
        return c.into_basis(self.z - self.alpha * c.means[:, None])

    def _mahalanobis(self, null: Array | None) -> Array:
        """The sum of y^2/v over the directions with variance, (K, n)."""
        if self.light:
            from scipy.spatial.distance import cdist

            square = cdist(self.alpha * self.components.means, self.z, "sqeuclidean")
            return np.asarray(square / self.v[..., 0])
        square = self.y**2 if null is None else np.where(null, 0.0, self.y**2)
        return np.asarray((square / self.v).sum(-1))

    def _limit(self, log_joint: Array, null: Array) -> tuple[Array, Array]:
        """The limit sigma -> 0 with singular components.

        There `log N = -distance^2/(2 sigma^2) - nulls log sigma + ...`, so the nearest support
        wins, then the thinnest, then the finite part. Returns the finite part of the winners and
        what the log-density diverges to (0 where it does not).
        """
        c = self.components
        distance = np.sqrt(np.where(null, self.y**2, 0.0).sum(-1))
        reach = np.linalg.norm(self.z, axis=-1) + self.alpha[:, 0] * np.linalg.norm(
            c.means, axis=-1, keepdims=True
        )
        rounding = 8 * _EPS * np.sqrt(c.dim) * reach
        distance = np.where(distance <= rounding, 0.0, distance)
        distance[c.weights == 0] = np.inf
        nearest = distance == distance.min(0)
        thin = np.where(nearest, c.trace(null.astype(np.float64)), -1.0)
        wins = thin == thin.max(0)
        diverges = np.where(thin.max(0) > 0, np.inf, 0.0)
        diverges = np.where(distance.min(0) > 0, -np.inf, diverges)
        return np.where(wins, log_joint, -np.inf), diverges

    @cached_property
    def shrink(self) -> Array:
        """alpha s / v, the gain from z to E[x|z,k]; 1/alpha where sigma = 0."""
        spectra = self.components.spectra[:, None]
        gain = self.alpha * spectra / self.v
        if not self.flat:
            return gain
        with np.errstate(divide="ignore"):
            return np.where((spectra == 0) & (self.sigma == 0), 1 / self.alpha, gain)

    def component_means(self) -> Array:
        """E[x|z,k] as a convex combination of z/alpha and mu_k: nothing large is subtracted."""
        c = self.components
        z = c.into_basis(np.broadcast_to(self.z, self.y.shape)) if c.bases is not None else self.z
        return self.shrink * z + self.sigma**2 / self.v * c.rotated_means  # in the basis

    def combine(self, a: Array, b: Array) -> Array:
        """a E[x|z] + b E[eps|z], (n, d)."""
        if self.light:
            return self._combine_round(a, b)
        coordinates: Array = (b * self.sigma / self.v) * self.y
        if np.any(a):
            coordinates = coordinates + a * self.component_means()
        return self.average(self.components.out_of_basis(coordinates))

    def _combine_round(self, a: Array, b: Array) -> Array:
        """`combine` for isotropic components, without anything of size K n d."""
        mu, total = self.components.means, np.zeros_like(self.z)
        r = self.responsibilities
        if np.any(a):
            total += a * ((r * self.shrink[..., 0]).sum(0)[:, None] * self.z)
            total += a * ((r * (self.sigma**2 / self.v)[..., 0]).T @ mu)
        return total + b * self._apart(self.sigma / self.v) if np.any(b) else total

    def _apart(self, gain: Array) -> Array:
        """`sum_k r_k gain_k (z - alpha mu_k)` for isotropic components, gain (K, 1 or n, 1).

        The heaviest component is taken out before the rest is summed as a matrix product, so that
        nothing large is subtracted where it is alone.
        """
        mu, weight = self.components.means, self.responsibilities * gain[..., 0]
        heaviest = np.abs(weight).argmax(0)
        near = self.z - self.alpha * mu[heaviest]
        total: Array = weight.sum(0)[:, None] * near
        weight[heaviest, np.arange(weight.shape[1])] = 0.0
        rest = weight.T @ mu - weight.sum(0)[:, None] * mu[heaviest]
        total -= self.alpha * rest
        return total

    def score(self) -> Array:
        if self.light:
            return self._apart(-1 / self.v)
        return self.average(self.components.out_of_basis(-self.y / self.v))

    def average(self, vectors: Array) -> Array:
        """Responsibility-weighted mean over components: (K, n, ...) -> (n, ...)."""
        mean: Array = np.einsum("kn,knd->nd", self.responsibilities, vectors)
        return mean

    @cached_property
    def spreads(self) -> tuple[Array, Array]:
        """Deviations over components of E[x|z,k] and of the component scores, each (K, n, d).

        They are tied by `alpha dm = sigma^2 ds`; at high noise the scores are nearly equal and lose
        their digits to subtraction, so there they are had from the means.
        """
        c = self.components
        means = c.out_of_basis(self.component_means())
        scores = c.out_of_basis(-self.y / self.v)
        mean, score = self.average(means), self.average(scores)
        variance = self.sigma**2
        weight = self.responsibilities
        size_m = (weight * np.linalg.norm(means, axis=-1)).sum(0)[:, None]
        size_s = (weight * np.linalg.norm(scores, axis=-1)).sum(0)[:, None]
        by_mean = (self.alpha * size_m <= variance * size_s) & (variance > 0)
        means -= mean
        scores -= score
        gain = self.alpha / np.where(variance > 0, variance, 1.0)
        return means, np.where(by_mean, gain * means, scores)

    def divergence(self, a: Array, b: Array) -> Array:
        """Divergence of `combine(a, b)` in z, (n,)."""
        within = self.components.trace(a * self.shrink + b * self.sigma / self.v)
        d_mean, d_score = self.spreads
        between = ((a * d_mean - b * self.sigma * d_score) * d_score).sum(-1)
        total: Array = (self.responsibilities * (within + between)).sum(0)
        return total

    def score_divergence(self) -> Array:
        within = -self.components.trace(1 / self.v)
        between = (self.spreads[1] ** 2).sum(-1)
        total: Array = (self.responsibilities * (within + between)).sum(0)
        return total

    def quadratic(self, diagonal: Array, spread: Array) -> Array:
        """sum_k r_k (V_k diag V_k' + spread_k spread_k'), (n, d, d)."""
        c = self.components
        weight = self.responsibilities[..., None]
        factor = np.swapaxes(np.sqrt(weight) * spread, 0, 1)
        total: Array = np.matmul(np.swapaxes(factor, 1, 2), factor)
        inner = weight * diagonal
        if c.bases is None:
            axis = np.arange(c.dim)
            total[:, axis, axis] += inner.sum(0)
        else:
            for basis, values in zip(c.bases, inner, strict=True):
                total += np.matmul(basis * values[:, None], basis.T)
        return 0.5 * (total + np.swapaxes(total, 1, 2))
