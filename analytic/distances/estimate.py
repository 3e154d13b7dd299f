"""What a distance between samples and a known law gives: a value, its interval, its noise floor.

A `Distance` knows the law exactly and is made once; a `Tally` takes samples in chunks of any size
and keeps what the statistic needs of them. Two numbers say what a value is worth: the interval,
within which the statistic lies when the same sampler is run again, and the floor, what exact
samples of the same number would get. A sampler is seen to be wrong where its value is above
`floor.high`, and two samplers differ where their intervals are apart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analytic import _checks
from analytic._checks import Array
from analytic.mixture import GaussianMixture

LEVEL = 0.95  # of every interval, and of the quantile that a floor gives


@dataclass(frozen=True)
class Estimate:
    """A statistic of n samples, with its 95 % interval [low, high]."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Floor:
    """The same statistic of n exact samples: its expectation, and its 95 % quantile."""

    mean: float
    high: float


class Tally(ABC):
    """Samples taken so far, kept as what the statistic needs of them."""

    @abstractmethod
    def add(self, x: ArrayLike) -> None:
        """Take a chunk of samples, shape (m, d).

        Raises:
            ValueError: another shape, or a number that is not finite.
        """

    @abstractmethod
    def estimate(self) -> Estimate:
        """The statistic of all samples so far.

        Raises:
            ValueError: fewer samples than the statistic needs.
        """


class Distance(ABC):
    """A distance from the law of samples to a Gaussian mixture.

    Attributes:
        mixture: the exact law.
        unit: of the value.
        least: the fewest samples that give an estimate.
    """

    unit: str
    least: int = 2

    def __init__(self, mixture: GaussianMixture) -> None:
        _checks.mixture(mixture)
        self.mixture = mixture

    @abstractmethod
    def tally(self) -> Tally:
        """A fresh tally."""

    @abstractmethod
    def floor(self, n: int, rng: np.random.Generator) -> Floor:
        """What n exact samples would get; the generator draws them where no closed form is."""

    def of(self, x: ArrayLike) -> Estimate:
        """The estimate of samples that fit into memory, shape (n, d)."""
        tally = self.tally()
        tally.add(x)
        return tally.estimate()

    def samples(self, x: ArrayLike) -> Array:
        """A checked chunk, (m, d)."""
        return _checks.points(x, self.mixture.dim, "x")[0]

    def enough(self, n: int) -> int:
        """n, unless it is too few."""
        if _checks.count("n", n) < self.least:
            raise ValueError(f"{type(self).__name__} needs at least {self.least} samples, got {n}")
        return n


def jackknife(left_out: Array) -> float:
    """Variance of a statistic from its values with one group left out at a time, shape (g,).

    (g - 1)/g sum (v_i - mean v)^2 over equal groups. On average it is no less than the variance
    of the statistic of g - 1 groups, whatever the statistic (Efron and Stein, 1981): where the
    samples are exact and the statistic is degenerate it is about twice that.
    """
    g = len(left_out)
    return float((g - 1) / g * ((left_out - left_out.mean()) ** 2).sum())


def rooted(square: float, variance: float, n: int, freedom: float = np.inf) -> Estimate:
    """The estimate of a distance whose square was estimated; below zero the root is zero."""
    from scipy.special import stdtrit

    reach = float(stdtrit(freedom, 0.5 + LEVEL / 2)) * variance**0.5
    value, low, high = (max(s, 0.0) ** 0.5 for s in (square, square - reach, square + reach))
    return Estimate(value, low, high, n)


def simulated(values: Array) -> Floor:
    """The floor from values of the statistic on simulated exact samples."""
    return Floor(float(values.mean()), float(np.quantile(values, LEVEL)))
