"""At which λ = log(α²/σ²) a network is trained: draws with their density.

The loss is ∫ w(λ) E|ε̂ − ε|² dλ from `low` to `high`, estimated at λ drawn from a density q with the
factor w/q: its expectation does not depend on q, its variance does (KG, section 2.1; VDM,
arXiv 2107.00630, section 5.1).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfbench.levels import Array, Function
from dfbench.schedules import Schedule
from dfbench.weightings import log_snr_density


class NoiseLevels(ABC):
    """λ in [low, high] from uniform numbers, with its density."""

    def __init__(self, low: float, high: float) -> None:
        if not low < high:
            raise ValueError(f"need low < high, got {low} and {high}")
        self.low, self.high = low, high

    @abstractmethod
    def draw(self, u: Array) -> tuple[Array, Array]:
        """λ and its density q(λ), for u uniform in (0, 1)."""


class ScheduleLevels(NoiseLevels):
    """λ_t of t uniform in time, between the times of `high` and `low`."""

    def __init__(self, schedule: Schedule, low: float, high: float) -> None:
        super().__init__(low, high)
        self.schedule = schedule
        self.start = float(schedule.t_of_log_snr(high))
        self.span = float(schedule.t_of_log_snr(low)) - self.start

    def draw(self, u: Array) -> tuple[Array, Array]:
        lam = self.schedule.log_snr(self.start + self.span * u)
        return lam, log_snr_density(self.schedule, lam) / self.span


class UniformLevels(NoiseLevels):
    """λ uniform between the ends."""

    def draw(self, u: Array) -> tuple[Array, Array]:
        width = self.high - self.low
        return self.low + width * u, np.full_like(u, 1 / width)


class GeometricLevels(NoiseLevels):
    """`count` levels, σ/α falling geometrically from the first to the last (NCSN, section 3.1).

    They stand for the integral over λ as a rule of equal weights: q = 1/(high − low), or 1 for
    the one level of low = high.
    """

    def __init__(self, low: float, high: float, count: int) -> None:
        if count < 1 or low > high or (count == 1) != (low == high):
            raise ValueError(
                f"need low < high and count > 1, or low = high and count = 1, "
                f"got {low}, {high} and {count}"
            )
        self.low, self.high = low, high
        self.levels = np.linspace(low, high, count)

    def draw(self, u: Array) -> tuple[Array, Array]:
        index = np.minimum((u * len(self.levels)).astype(int), len(self.levels) - 1)
        width = self.high - self.low
        return self.levels[index], np.full_like(u, 1 / width if width else 1.0)


class BinnedLevels(NoiseLevels):
    """A density that is constant on each of many bins."""

    def __init__(self, low: float, high: float, mass: Array) -> None:
        super().__init__(low, high)
        self.edges = np.linspace(low, high, len(mass) + 1)
        self.set_mass(mass)

    def set_mass(self, mass: Array) -> None:
        """Probabilities of the bins, up to a factor."""
        self.mass = mass / mass.sum()
        self.cdf = np.append(0.0, np.cumsum(self.mass))
        self.cdf[-1] = 1.0

    def bin(self, lam: Array) -> NDArray[np.intp]:
        """In which bin each λ lies."""
        place = (lam - self.low) / (self.high - self.low) * len(self.mass)
        return np.asarray(np.clip(place.astype(int), 0, len(self.mass) - 1))

    def draw(self, u: Array) -> tuple[Array, Array]:
        lam = np.interp(u, self.cdf, self.edges)
        width = self.edges[1] - self.edges[0]
        return lam, self.mass[self.bin(lam)] / width


class AdaptiveLevels(BinnedLevels):
    """q follows the loss: w E|ε̂ − ε|² of each bin as it comes in, by an exponential average.

    At its fixed point the estimate w|ε̂ − ε|²/q has one expectation at all λ, so that what varies
    with λ adds nothing to its variance. (KG, section 3.2 and appendix F)

    Args:
        decay: of the average, for each update in which a bin has draws.
        uniform: fraction of draws that stays uniform, which bounds w/q.
    """

    def __init__(self, low: float, high: float, start: Array, decay: float, uniform: float) -> None:
        if not (0 < decay < 1 and 0 < uniform < 1):
            raise ValueError(
                f"decay and uniform must be between 0 and 1, got {decay} and {uniform}"
            )
        self.decay, self.uniform = decay, uniform
        self.average = start / start.sum() * len(start)
        self.scaled = False
        super().__init__(low, high, self._mixed())

    def _mixed(self) -> Array:
        share = self.average / self.average.sum()
        return np.asarray((1 - self.uniform) * share + self.uniform / len(share))

    def update(self, lam: Array, loss: Array) -> None:
        """Learn from w(λ)|ε̂ − ε|² at λ."""
        index = self.bin(lam)
        count = np.bincount(index, minlength=len(self.average))
        total = np.bincount(index, weights=loss, minlength=len(self.average))
        seen = count > 0
        mean = total[seen] / count[seen]
        if not np.isfinite(mean).all():
            return  # the loop stops at what is not finite; the density stays one
        if not self.scaled:  # the start has a shape; its size is that of the first losses
            self.average *= max(float(mean.mean() / self.average[seen].mean()), 1e-300)
            self.scaled = True
        self.average[seen] += (1 - self.decay) * (mean - self.average[seen])
        self.set_mass(self._mixed())

    def state(self) -> dict[str, Any]:
        """What `update` has learnt, for a checkpoint."""
        return {"average": self.average.tolist(), "scaled": self.scaled}

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self.average = np.array(state["average"])
        self.scaled = bool(state["scaled"])
        self.set_mass(self._mixed())


def gaussian_loss(weight: Function, std: float, low: float, high: float, bins: int) -> Array:
    """w(λ) E|ε̂ − ε|² per dimension at the middle of bins, for the exact model of N(0, std²).

    What a network cannot get below by much: E|ε̂ − ε|² = σ⁻²-scaled posterior variance,
    snr s²/(1 + snr s²).
    """
    edges = np.linspace(low, high, bins + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    eps_error = 1 / (1 + np.exp(-middle) / std**2)
    return np.asarray(weight(middle) * eps_error)


def schedule(
    given: Schedule, weight: Function, std: float, *, low: float = -10.0, high: float = 10.0
) -> NoiseLevels:
    """t uniform in time on the study's schedule."""
    return ScheduleLevels(given, low, high)


def uniform(
    given: Schedule, weight: Function, std: float, *, low: float = -10.0, high: float = 10.0
) -> NoiseLevels:
    """λ uniform."""
    return UniformLevels(low, high)


def geometric(
    given: Schedule,
    weight: Function,
    std: float,
    *,
    low: float = -10.0,
    high: float = 10.0,
    count: int = 10,
) -> NoiseLevels:
    """A few levels, as NCSN has them."""
    return GeometricLevels(low, high, count)


def importance(
    given: Schedule,
    weight: Function,
    std: float,
    *,
    low: float = -10.0,
    high: float = 10.0,
    bins: int = 400,
) -> NoiseLevels:
    """q ∝ w(λ) E|ε̂ − ε|² of the exact model of Gaussian data as wide as the data."""
    return BinnedLevels(low, high, gaussian_loss(weight, std, low, high, bins))


def adaptive(
    given: Schedule,
    weight: Function,
    std: float,
    *,
    low: float = -10.0,
    high: float = 10.0,
    bins: int = 100,
    decay: float = 0.99,
    uniform: float = 0.1,
) -> NoiseLevels:
    """q ∝ the loss per λ, measured on the way; begins as `importance`."""
    start = gaussian_loss(weight, std, low, high, bins)
    return AdaptiveLevels(low, high, start, decay, uniform)


KINDS: dict[str, Callable[..., NoiseLevels]] = {
    "schedule": schedule,
    "uniform": uniform,
    "importance": importance,
    "adaptive": adaptive,
    "geometric": geometric,
}
"""Kind → function of the schedule, the weighting, the data's standard deviation and its options."""
