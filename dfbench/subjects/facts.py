"""What has to be known of somebody's sampler beside its code: a few facts, declared or read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from dfbench.errors import Unsupported
from dfbench.grids import exponential, karras
from dfbench.levels import Array, Grid, Level, grid_of
from dfbench.schedules import Schedule
from dfbench.subjects.times import TIMES, TimeMap

Start = Literal["level", "noise", "drawn"]

BENT = 1.7  # of the time: short steps near data
KARRAS = (80.0, 0.002)  # σ of the ends of grids that are given by σ/α: EDM's


@dataclass(frozen=True)
class Facts:
    """The conventions of a sampler.

    Attributes:
        predicts: what the network returns, one of `conventions.RETURNS`.
        level: what the time that it is told means, one of `times.TIMES`, or a function of the
            time, `level` of a schedule for instance; T is the number of training steps.
        scaled: the network sees the state at unit variance, x/√(α² + σ²), although it is on the
            levels' own scale: preconditioned networks outside of their sampler.
        start: what it is given: a state at the first "level", or unit "noise", which it brings to
            the level itself; or the start is "drawn" inside.
        lands: the time at which its sample lands, where it takes no grid; None: at clean data.
        ends: the grid that it is given has the level of the sample as its last.
        output: (c, d): what it returns is c x + d of the sample x.
        bent: a grid that it is given has other levels than people choose.
        least: the fewest steps that it takes.
        shape: of one data point, where the code insists on one; None: any.
        dims: of the states that it takes, rows and all: 4 for images; None: any.
        method: of an object or a class, which makes the samples; empty: the usual ones are tried.
        roles: role → name of the argument, or of the global or the attribute.
    """

    predicts: str = "eps"
    level: str | Callable[[float], tuple[float, float]] = "nothing"
    T: float = 1000.0
    scaled: bool = False
    start: Start = "level"
    lands: float | None = None
    ends: bool = True
    bent: bool = False
    output: tuple[float, float] = (1.0, 0.0)
    least: int = 1
    shape: tuple[int, ...] | None = None
    dims: int | None = None
    method: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)

    @property
    def prediction(self) -> str:
        """The kind, without its sign."""
        return self.predicts.lstrip("-")

    @property
    def map(self) -> TimeMap | None:
        """How times become levels; None: nobody knows."""
        if callable(self.level):
            own, whose = self.level, getattr(self.level, "__self__", None)
            known = whose if isinstance(whose, Schedule) and own == whose.level else None
            return TimeMap(lambda t, T: own(t), lambda r, T: _time_of(own, r), 0.0, 1.0, known)
        return TIMES.get(self.level)

    def at(self, time: float) -> Level:
        """The level of a time, as the network sees it.

        Raises:
            ValueError: it has none.
        """
        level = self.on_its_scale(time)
        size = math.hypot(*level) if self.scaled else 1.0
        return Level(level.alpha / size, level.sigma / size)

    def on_its_scale(self, time: float) -> Level:
        """The level of a time, as the sample has it.

        Raises:
            ValueError: it has none.
        """
        return Level(1.0, 1.0) if self.map is None else self.map.at(time, self.T)

    @property
    def final(self) -> Level:
        """Where the sample lands, if no grid says it."""
        return Level(1.0, 0.0) if self.lands is None else self.on_its_scale(self.lands)

    @property
    def cleanest(self) -> float:
        """σ/α of the cleanest level that a network with such times is trained at.

        Where the map of times has no clean end, nobody knows it, and the level at which the sample
        is declared to land is taken for it.
        """
        known = self.map
        if known is None or callable(self.level):
            return self.final.ratio
        if known.clean is not None:
            whole = self.T if str(self.level).endswith("× T") else 1.0
            return self.on_its_scale(whole * known.clean).ratio
        return self.final.ratio if known.time is not None else self.on_its_scale(0.0).ratio

    def times(self, n: int) -> Array:
        """The times of n steps, ends among them, as people choose them for such a network."""
        known = self.map
        if known is None:
            return np.linspace(1.0, 0.0, n + 1)
        if known.clean is not None and known.noisy is not None:
            whole = self.T if str(self.level).endswith("× T") else 1.0
            at = np.linspace(1.0, 0.0, n + 1) ** (BENT if self.bent else 1.0)
            return whole * (known.clean + (known.noisy - known.clean) * at)
        if known.time is None:
            if callable(self.level):
                return np.linspace(1.0, 0.0, n + 1)
            return np.round(np.linspace(self.T - 1, 0, n + 1))
        spaced = exponential if self.bent else karras
        ratios = spaced(*KARRAS, n, final_zero=self.level == "sigma").ratio
        return np.array([known.time(r, self.T) for r in ratios])

    def times_of(self, grid: Grid) -> Array:
        """The times at which a network is told the σ/α of a grid.

        Raises:
            Unsupported: nobody knows.
        """
        if self.map is None or self.map.time is None:
            raise Unsupported("nobody knows which time means a level of one's own")
        return np.array([self.map.time(r, self.T) for r in grid.ratio])

    def levels(self, times: Array) -> Grid:
        """The levels of a grid's times; with the times, where a schedule is known to have them.

        Raises:
            ValueError: a time has none.
        """
        *before, last = map(float, times)
        made = grid_of([*(self.at(t) for t in before), self.on_its_scale(last)])
        known = None if self.map is None or self.scaled else self.map.schedule
        return made if known is None else Grid(made.alpha, made.sigma, times, known)

    @property
    def scale(self) -> str:
        """Of the levels that the network sees."""
        times = self.times(4)[1:4]
        levels = [self.at(float(t)) for t in times]
        if all(abs(level.alpha - 1) < 1e-9 for level in levels):
            return "ve"
        return "flow" if all(abs(sum(level) - 1) < 1e-6 for level in levels) else "vp"

    def sign(self, output: Any) -> Any:
        """What the code expects of a network that returns the kind itself."""
        return -output if self.predicts.startswith("-") else output


def _time_of(level: Callable[[float], tuple[float, float]], ratio: float) -> float:
    """The time between 0 and 1 at which σ/α has a value, between which it rises or falls.

    Raises:
        Unsupported: it has not.
    """
    from scipy.optimize import brentq

    def off(t: float) -> float:
        alpha, sigma = level(t)
        return math.atan2(sigma, alpha) - math.atan(ratio)

    try:
        return float(brentq(off, 0.0, 1.0, xtol=1e-15, rtol=1e-14))
    except ValueError:
        raise Unsupported(f"no time between 0 and 1 has the level σ/α = {ratio:g}") from None
