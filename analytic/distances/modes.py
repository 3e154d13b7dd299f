"""Weights of the modes, by the posterior probability of each component given a sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analytic import _checks
from analytic._checks import Array
from analytic.distances.estimate import Distance, Estimate, Floor, Tally, jackknife, simulated
from analytic.mixture import GaussianMixture

_GROUPS = 16
_NULL = 4096  # exact samples for the covariance of the responsibilities
_DRAWS = 2000


class ModeWeights(Distance):
    """Total variation between mean responsibilities and weights, `1/2 sum_k |mean r_k - w_k|`.

    r_k(x) is the posterior probability of component k given x, and E r_k(Y) = w_k exactly,
    however much components overlap: counting the nearest mode would be biased there. Where they
    do not, this is the probability mass on the wrong modes. No unit, from 0 to 1.

    The interval is a jackknife over groups of samples; the floor, that of the normal law with the
    covariance of r over n, which is estimated from exact samples.
    """

    unit = "1"
    least = 2 * _GROUPS

    def __init__(self, mixture: GaussianMixture) -> None:
        super().__init__(mixture)
        if mixture.size < 2:
            raise ValueError("a single component has no mode weights")

    def tally(self) -> ModeTally:
        return ModeTally(self)

    def floor(self, n: int, rng: np.random.Generator) -> Floor:
        n = self.enough(_checks.count("n", n))
        r = self.mixture.responsibilities(self.mixture.sample(_NULL, rng)) - self.mixture.weights
        draws = rng.standard_normal((_DRAWS, _NULL)) @ r / np.sqrt(_NULL * n)
        return simulated(0.5 * np.abs(draws).sum(1))


class ModeTally(Tally):
    """Sums of the responsibilities in every group."""

    def __init__(self, distance: ModeWeights) -> None:
        self.distance, self.n = distance, 0
        self.sums = np.zeros((_GROUPS, distance.mixture.size))

    def add(self, x: ArrayLike) -> None:
        r = self.distance.mixture.responsibilities(self.distance.samples(x))
        np.add.at(self.sums, (self.n + np.arange(len(r))) % _GROUPS, r)
        self.n += len(r)

    def shares(self) -> Array:
        """Mean responsibility of every component, (K,)."""
        return np.asarray(self.sums.sum(0) / self.n)

    def estimate(self) -> Estimate:
        from scipy.special import stdtrit

        n = self.distance.enough(self.n)
        sizes = np.array([len(range(g, n, _GROUPS)) for g in range(_GROUPS)])
        rest = (self.sums.sum(0) - self.sums) / (n - sizes)[:, None]
        weights = self.distance.mixture.weights
        value = 0.5 * float(np.abs(self.shares() - weights).sum())
        left_out = 0.5 * np.abs(rest - weights).sum(1)
        reach = float(stdtrit(_GROUPS - 1, 0.975)) * jackknife(left_out) ** 0.5
        return Estimate(value, max(value - reach, 0.0), min(value + reach, 1.0), n)
