"""Noise levels: one (`Level`), and the sequence a run visits (`Grid`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfbench.errors import short
from dfbench.reals import finite, shaped

if TYPE_CHECKING:
    from dfbench.schedules import Schedule

Array = NDArray[np.float64]

Function = Callable[[Array], Array]
"""Of numbers of any shape, elementwise."""


class Level(NamedTuple):
    """The level of a state z = α x + σ ε with x ~ data and ε ~ N(0, I).

    α = 0 is pure noise and σ = 0 is clean data; both are legal, both at once are not.
    """

    alpha: float
    sigma: float

    @property
    def ratio(self) -> float:
        """Noise-to-signal ratio σ/α: the σ of the variance-exploding form z/α; ∞ at α = 0."""
        return math.inf if self.alpha == 0 else self.sigma / self.alpha

    @property
    def half_log_snr(self) -> float:
        """log(α/σ), the λ of the DPM-Solver papers; −∞ at α = 0 and +∞ at σ = 0."""
        if self.alpha == 0:
            return -math.inf
        return math.inf if self.sigma == 0 else math.log(self.alpha) - math.log(self.sigma)

    @property
    def log_snr(self) -> float:
        """λ = log(α²/σ²), twice `half_log_snr`."""
        return 2 * self.half_log_snr


@dataclass(frozen=True, eq=False)
class Grid:
    """Levels in the order a run visits them, noise first: N steps have N + 1 levels.

    Attributes:
        alpha, sigma: float64 arrays of shape (N + 1,).
        t: the times of the levels on `schedule`, shape (N + 1,), where there is one.
        schedule: gives methods that integrate in t the levels between, and the rates (α̇, σ̇).

    Raises:
        ValueError: the arrays differ in shape, have fewer than two entries, are not finite,
            are negative, or hold a level with α = σ = 0.
    """

    alpha: Array
    sigma: Array
    t: Array | None = None
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        for name in ("alpha", "sigma") + (("t",) if self.t is not None else ()):
            object.__setattr__(self, name, np.array(finite(name, getattr(self, name))))
        if self.alpha.ndim != 1 or self.alpha.shape != self.sigma.shape or len(self.alpha) < 2:
            raise ValueError(
                f"a grid needs alpha and sigma of one shape (N + 1,) with N ≥ 1, "
                f"got {self.alpha.shape} and {self.sigma.shape}"
            )
        if self.t is not None and self.t.shape != self.alpha.shape:
            raise ValueError(f"t has shape {self.t.shape}, the levels {self.alpha.shape}")
        both = np.stack([self.alpha, self.sigma])
        if (both < 0).any() or (both.max(axis=0) == 0).any():
            raise ValueError("levels must have α ≥ 0, σ ≥ 0, and not both zero")
        # a schedule, by what is asked of it: this module comes before its class
        if self.schedule is not None and not hasattr(self.schedule, "rates"):
            raise TypeError(f"schedule must be a Schedule, got {type(self.schedule).__name__}")

    @classmethod
    def from_ratios(cls, ratios: ArrayLike) -> Grid:
        """Variance-exploding levels (1, σ_i)."""
        sigma = finite("ratios", ratios)
        return cls(np.ones_like(sigma), sigma)

    def __len__(self) -> int:
        return len(self.alpha)

    def __getitem__(self, i: int) -> Level:
        return Level(float(self.alpha[i]), float(self.sigma[i]))

    def __iter__(self) -> Iterator[Level]:
        return (self[i] for i in range(len(self)))

    @property
    def n_steps(self) -> int:
        return len(self.alpha) - 1

    @property
    def ratio(self) -> Array:
        """σ/α of every level, shape (N + 1,)."""
        return np.array([level.ratio for level in self])

    @property
    def log_snr(self) -> Array:
        """λ = log(α²/σ²) of every level, shape (N + 1,)."""
        return np.array([level.log_snr for level in self])

    def steps(self) -> list[tuple[Level, Level]]:
        """The N pairs (level now, level next)."""
        levels = list(self)
        return list(pairwise(levels))

    def scaled(self, factors: Any) -> Grid:
        """The same log-SNRs at scale c_i: (c_i α_i, c_i σ_i). Drops t and the schedule."""
        c = shaped("factors", finite("factors", factors), self.alpha.shape)
        return Grid(c * self.alpha, c * self.sigma)


def grid_of(levels: Sequence[Level]) -> Grid:
    """A grid with exactly these levels."""
    if not isinstance(levels, Sequence) or not all(isinstance(x, Level) for x in levels):
        raise TypeError(f"levels must be a list of Level, got {short(levels)}")
    return Grid(np.array([x.alpha for x in levels]), np.array([x.sigma for x in levels]))


Network = Callable[[Array, Level], Array]
"""A network or what stands for it: states (n, d) and their level → a prediction for each."""
