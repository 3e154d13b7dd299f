"""At which λ = log(α²/σ²) a network is trained: draws with their density.

The loss is ∫ w(λ) E|ε̂ − ε|² dλ from `low` to `high`, estimated at λ drawn from a density q with the
factor w/q: its expectation does not depend on q, its variance does (KG, section 2.1; VDM,
arXiv 2107.00630, section 5.1).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dfbench.levels import Array, Function
from dfbench.schedules import Schedule
from dfbench.weightings import log_snr_density


class Setting(NamedTuple):
    """What a study has chosen besides: its schedule, w(λ), and the data's standard deviation."""

    schedule: Schedule
    weight: Function
    std: float


class NoiseLevels(ABC):
    """λ in [low, high] from uniform numbers, with its density."""

    def __init__(self, setting: Setting, *, low: float = -10.0, high: float = 10.0) -> None:
        if not low < high:
            raise ValueError(f"need low < high, got {low} and {high}")
        self.setting, self.low, self.high = setting, low, high

    @abstractmethod
    def draw(self, u: Array) -> tuple[Array, Array]:
        """λ and its density q(λ), for u uniform in (0, 1)."""

    def state(self) -> dict[str, Any]:
        """What was learnt on the way, for a checkpoint."""
        return {}


class ScheduleLevels(NoiseLevels):
    """λ_t of t uniform in time on the study's schedule, between the times of `high` and `low`."""

    def __init__(self, setting: Setting, *, low: float = -10.0, high: float = 10.0) -> None:
        super().__init__(setting, low=low, high=high)
        self.schedule = setting.schedule
        self.start = float(self.schedule.t_of_log_snr(high))
        self.span = float(self.schedule.t_of_log_snr(low)) - self.start

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

    def __init__(
        self, setting: Setting, *, low: float = -10.0, high: float = 10.0, count: int = 10
    ) -> None:
        if count < 1 or low > high or (count == 1) != (low == high):
            raise ValueError(
                f"need low < high and count > 1, or low = high and count = 1, "
                f"got {low}, {high} and {count}"
            )
        self.setting, self.low, self.high = setting, low, high
        self.levels = np.linspace(low, high, count)

    def draw(self, u: Array) -> tuple[Array, Array]:
        index = np.minimum((u * len(self.levels)).astype(int), len(self.levels) - 1)
        width = self.high - self.low
        return self.levels[index], np.full_like(u, 1 / width if width else 1.0)


class ImportanceLevels(NoiseLevels):
    """q ∝ w(λ) E|ε̂ − ε|² of the exact model of Gaussian data as wide as the data, in bins.

    What a network cannot get below by much, for data N(0, s²) and per dimension: the posterior
    variance, E|ε̂ − ε|² = 1/(1 + e^(−λ)/s²).
    """

    def __init__(
        self, setting: Setting, *, low: float = -10.0, high: float = 10.0, bins: int = 400
    ) -> None:
        super().__init__(setting, low=low, high=high)
        self.edges = np.linspace(low, high, bins + 1)
        middle = (self.edges[1:] + self.edges[:-1]) / 2
        variance = 1 / (1 + np.exp(-middle) / setting.std**2)
        self.set_mass(np.asarray(setting.weight(middle) * variance))

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


class AdaptiveLevels(ImportanceLevels):
    """q follows the loss: w E|ε̂ − ε|² of each bin as it comes in, by an exponential average.

    At its fixed point the estimate w|ε̂ − ε|²/q has one expectation at all λ, so that what varies
    with λ adds nothing to its variance. (KG, section 3.2 and appendix F)

    Args:
        decay: of the average, for each update in which a bin has draws.
        uniform: fraction of draws that stays uniform, which bounds w/q.
    """

    def __init__(
        self,
        setting: Setting,
        *,
        low: float = -10.0,
        high: float = 10.0,
        bins: int = 100,
        decay: float = 0.99,
        uniform: float = 0.1,
    ) -> None:
        if not (0 < decay < 1 and 0 < uniform < 1):
            raise ValueError(
                f"decay and uniform must be between 0 and 1, got {decay} and {uniform}"
            )
        super().__init__(setting, low=low, high=high, bins=bins)
        self.decay, self.uniform, self.scaled = decay, uniform, False
        self.average = self.mass * bins
        self.set_mass(self._mixed())

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
        return {"average": self.average.tolist(), "scaled": self.scaled}

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self.average = np.array(state["average"])
        self.scaled = bool(state["scaled"])
        self.set_mass(self._mixed())


KINDS: dict[str, type[NoiseLevels]] = {
    "schedule": ScheduleLevels,
    "uniform": UniformLevels,
    "importance": ImportanceLevels,
    "adaptive": AdaptiveLevels,
    "geometric": GeometricLevels,
}
"""Kind → class, made of the setting and its options."""
