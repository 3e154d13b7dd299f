"""A Gaussian mixture seen in a few directions: its means, covariances and draws there."""

from __future__ import annotations

import numpy as np

from analytic import _checks
from analytic._checks import Array
from analytic.mixture import GaussianMixture


def random_directions(number: int, dim: int, rng: np.random.Generator) -> Array:
    """Unit vectors (number, dim), uniform on the sphere."""
    vectors = _checks.generator(rng).standard_normal((_checks.count("number", number), dim))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


class Projected:
    """The joint law of `<u_i, x>` for L directions u_i, which may be dependent.

    Attributes:
        directions: unit vectors (L, d).
        number: L.
        weights: (K,).
        means: (K, L).
        scales: standard deviations along each direction, (K, L).

    Raises:
        ValueError: directions are not (L, d), or one of them is zero.
    """

    def __init__(self, mixture: GaussianMixture, directions: Array) -> None:
        if directions.ndim != 2 or directions.shape[1] != mixture.dim or not directions.size:
            raise ValueError(
                f"directions must have shape (L, {mixture.dim}), got {directions.shape}"
            )
        length = np.linalg.norm(directions, axis=1, keepdims=True)
        if (length == 0).any():
            raise ValueError("a direction is the zero vector")
        self.mixture, self.directions = mixture, directions / length
        self.number = len(directions)
        self.weights, self.means = mixture.weights, mixture.means @ self.directions.T
        roots = [self._root(k) for k in range(mixture.size)]
        self.scales = np.array([np.linalg.norm(root, axis=1) for root in roots])

    def _root(self, k: int) -> Array:
        """R (L, d) with R R' the covariance of component k in these directions."""
        c = self.mixture._components
        along = self.directions if c.bases is None else self.directions @ c.bases[k]
        return np.asarray(along * np.sqrt(c.spectra[k]))

    def covariances(self) -> Array:
        """(K, L, L)."""
        roots = (self._root(k) for k in range(self.mixture.size))
        return np.array([root @ root.T for root in roots])

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """n exact draws (n, L), at the cost of L numbers a draw where L < d."""
        if self.number >= self.mixture.dim:
            return np.asarray(self.mixture.sample(n, rng) @ self.directions.T)
        label = rng.choice(self.mixture.size, size=n, p=self.weights)
        x = rng.standard_normal((n, self.number))
        for k in np.unique(label):
            factor = np.asarray(np.linalg.qr(self._root(k).T, mode="r"))  # R R' = factor' factor
            x[label == k] = x[label == k] @ factor
        return np.asarray(x + self.means[label])
