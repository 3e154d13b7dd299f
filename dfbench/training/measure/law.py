"""The law of samples against the exact law: sliced Wasserstein distance, and weights of modes.

A projection of a mixture is a mixture on a line, whose quantiles are known; so the distance is to
the law itself and not to other samples. What exact samples of the same number get is its floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytic import GaussianMixture
from dfbench.levels import Array
from dfbench.training.measure.network import Estimate


@dataclass(frozen=True)
class Distance:
    """A distance from samples, what exact samples get (mean), and what 19 in 20 of them stay below.

    The interval of `value` is that over the directions.
    """

    value: Estimate
    floor: float
    floor_high: float


class ExactLaw:
    """A mixture, prepared to be compared with sets of n samples.

    Args:
        truth: the law.
        n: samples in a set.
        rng: draws the directions, and the exact samples that make the floor.
        directions: projections averaged over; the axes of the plane are not among them.
        replicas: sets of exact samples for the floor.
    """

    def __init__(
        self,
        truth: GaussianMixture,
        n: int,
        rng: np.random.Generator,
        *,
        directions: int = 32,
        replicas: int = 40,
    ) -> None:
        self.truth, self.n = truth, n
        u = rng.standard_normal((directions, truth.dim))
        self.directions: Array = u / np.linalg.norm(u, axis=1, keepdims=True)
        p = (np.arange(n) + 0.5) / n
        self.quantiles = np.stack([truth.marginal(u).quantile(p) for u in self.directions])
        exact = [np.mean(self._squares(truth.sample(n, rng))) ** 0.5 for _ in range(replicas)]
        self.floor, self.floor_high = float(np.mean(exact)), float(np.quantile(exact, 0.95))

    def _squares(self, samples: Array) -> Array:
        """Squared W₂ along every direction."""
        if samples.shape != (self.n, self.truth.dim):
            raise ValueError(
                f"expected samples of shape {(self.n, self.truth.dim)}, got {samples.shape}"
            )
        lines = np.sort(samples @ self.directions.T, axis=0).T
        return np.asarray(((lines - self.quantiles) ** 2).mean(1))

    def sliced_w2(self, samples: Array) -> Distance:
        """√ of the mean over directions of W₂² between samples (n, d) and the law."""
        squares = self._squares(samples)
        mean, error = squares.mean(), squares.std(ddof=1) / len(squares) ** 0.5
        ends = np.sqrt(np.maximum([mean, mean - 1.96 * error, mean + 1.96 * error], 0.0))
        return Distance(Estimate(*map(float, ends)), self.floor, self.floor_high)

    def mode_weights(self, samples: Array) -> Array:
        """Mean posterior probability of every component, (K,): `truth.weights` for exact ones."""
        return np.asarray(self.truth.responsibilities(samples, 1.0, 0.0).mean(0))


def mode_error(weights: Array, expected: Array) -> float:
    """Total variation of two sets of weights."""
    return float(0.5 * np.abs(weights - expected).sum())
