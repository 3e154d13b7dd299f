"""What a scheduler that nobody knows means by its times and takes from the network.

A convention is a map from its times, or from a table of its own, to levels, and what the network
returns. Every convention that people use is tried on the coefficients of one run: with all data at
one point the right one keeps mean and variance of every state to rounding, and a wrong one is off
by as much as the state. What a scheduler says of itself (`add_noise`, the names of its tables) only
decides between conventions that keep the books alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from dfbench.levels import Array, Level, grid_of
from dfbench.schedules import Scale
from dfbench.subjects import times
from dfbench.table import Table

PROBED = (10, 20, 4, 2, 1)  # step counts of the run on which conventions are tried
ALIKE = 0.5  # of a decade in the mean error: conventions that keep the books alike
ASSUMED = "read from what it does: "

Levels = Callable[[Any, float, int], tuple[float, float]]
"""(scheduler, time, which call) → (α, σ) on the scale of the sample."""


def configuration(scheduler: Any) -> dict[str, Any]:
    """What a scheduler says of its configuration: a mapping, an object, or nothing."""
    said = getattr(scheduler, "config", None)
    if isinstance(said, Mapping):
        return dict(said)
    return dict(getattr(said, "__dict__", {}))


def training_steps(scheduler: Any) -> float:
    """T, the number of training steps: 1000 where nobody says."""
    cumprod = getattr(scheduler, "alphas_cumprod", None)
    if isinstance(cumprod, torch.Tensor):
        return float(len(cumprod))
    for where in (configuration(scheduler), vars(scheduler)):
        for name in ("num_train_timesteps", "num_timesteps", "num_train_steps"):
            if isinstance(found := where.get(name), int | float) and found > 0:
                return float(found)
    return 1000.0


def _noised(name: str) -> Levels:
    """What `add_noise` or `scale_noise` makes of data alone, and of noise alone."""

    def levels(scheduler: Any, time: float, i: int) -> tuple[float, float]:
        t = torch.as_tensor(scheduler.timesteps[i]).reshape(1)
        one, none = (torch.full((1, 1, 1, 1), v, dtype=torch.float64) for v in (1.0, 0.0))
        noised = getattr(scheduler, name)

        def of(x: torch.Tensor, eps: torch.Tensor) -> float:
            given = (x, t, eps) if name == "scale_noise" else (x, eps, t)
            return float(noised(*given))

        return of(one, none), of(none, one)

    return levels


def _cumprod(name: str) -> Levels:
    """ᾱ at a whole training step."""

    def levels(scheduler: Any, time: float, i: int) -> tuple[float, float]:
        if time != int(time) or time < 0:
            raise ValueError("not a training step")
        kept = float(getattr(scheduler, name)[int(time)])
        return math.sqrt(kept), math.sqrt(1 - kept)

    return levels


def _entry(name: str, flow: bool) -> Levels:
    """The i-th entry of a table: σ/α, or flow's σ."""

    def levels(scheduler: Any, time: float, i: int) -> tuple[float, float]:
        sigma = float(getattr(scheduler, name)[i])
        return (1 - sigma, sigma) if flow else (1.0, sigma)

    return levels


def _formula(known: times.TimeMap) -> Levels:
    """A function of the time and of T."""
    return lambda scheduler, time, i: known.at(time, training_steps(scheduler))


#: What a time may mean, in the order in which it is believed where several fit.
TIMES: dict[str, Levels] = {
    "add_noise": _noised("add_noise"),
    "scale_noise": _noised("scale_noise"),
    "alphas_cumprod": _cumprod("alphas_cumprod"),
    "alpha_bars": _cumprod("alpha_bars"),
    "alpha_bar": _cumprod("alpha_bar"),
    **{name: _formula(known) for name, known in times.TIMES.items()},
}

#: Tables that say at which level the state is at each call, whatever the network is told.
TABLES: dict[str, Levels] = {
    "sigmas of flow": _entry("sigmas", True),
    "sigmas": _entry("sigmas", False),
}
LEVELS = TIMES | TABLES | {"nothing": lambda scheduler, time, i: (1.0, 1.0)}

#: What a network may return: a kind of `dfbench.predictions`, or its negative.
RETURNS = ("eps", "v", "u", "-u", "x", "score", "-v")


@dataclass(frozen=True)
class Convention:
    """What the times of a scheduler mean, and what its network returns.

    Attributes:
        levels: where the state is: a name of `LEVELS`.
        told: what the network is told: a name of `TIMES`; empty: nobody knows.
        returns: one of `RETURNS`.
        final: where the sample lands: "clean", "final_alpha_cumprod", the "first" training step,
            the last of the "table", or the "end" of the times.
        scaled: the network sees the state at unit variance, although it is x + σ ε.
        rounded: times are those of the levels, rounded to whole training steps.
        scale: of the levels that the network sees.
    """

    levels: str
    told: str
    returns: str
    final: str = "clean"
    scaled: bool = False
    rounded: bool = False
    scale: Scale = "vp"

    @property
    def prediction(self) -> str:
        """The kind, without its sign."""
        return self.returns.lstrip("-")

    def level(self, name: str, scheduler: Any, time: float, i: int) -> Level:
        """The level of a call by one of the maps, as the network sees it."""
        alpha, sigma = LEVELS[name](scheduler, time, i)
        size = math.hypot(alpha, sigma) if self.scaled else 1.0
        return Level(alpha / size, sigma / size)

    def landed(self, scheduler: Any) -> Level:
        """The level of the sample."""
        if self.final == "clean":
            return Level(1.0, 0.0)
        if self.final == "end":
            return replace(self, scaled=False).level(
                self.levels, scheduler, float(scheduler.end), -1
            )
        if self.final == "table":
            sigma = float(scheduler.sigmas[len(scheduler.timesteps)])
            return Level(1 - sigma, sigma) if self.levels == "sigmas of flow" else Level(1.0, sigma)
        first = self.final == "first"
        kept = float(scheduler.alphas_cumprod[0] if first else getattr(scheduler, self.final))
        return Level(math.sqrt(kept), math.sqrt(1 - kept))

    def __str__(self) -> str:
        """In words, like "levels by `add_noise`; the network returns ε"."""
        at = {"add_noise": "`add_noise`", "scale_noise": "`scale_noise`"}.get(
            self.levels, f"{self.levels!r}"
        )
        return f"levels by {at}, the network returns {self.returns}"

    @property
    def declaration(self) -> str:
        """What to declare for it."""
        return f'{{"predicts": "{self.returns}", "level": "{self.levels}"}}'


@dataclass(frozen=True)
class Fit:
    """How well a convention keeps the books of a run.

    Attributes:
        error: of every state, of its size.
        score: mean decimal logarithm of the errors, none below that of float32 tables.
    """

    convention: Convention
    error: Array

    @property
    def score(self) -> float:
        return float(np.mean(np.log10(np.clip(self.error, 1e-6, 10.0))))

    @property
    def keeps(self) -> bool:
        """Every state has the level it should have, to what tables in float32 allow."""
        return bool((self.error < 1e-4).all())

    @property
    def within_half_a_step(self) -> bool:
        """No state is further off than times that are rounded to a thousand steps explain."""
        return not self.keeps and bool((self.error < 1.5 * 0.5e-3 * 2**0.5).all())


def fits(scheduler: Any, table: Table, scaled: bool, wanted: Mapping[str, str]) -> list[Fit]:
    """The conventions that can be tried on a run, the best first.

    Args:
        scheduler: its steps are set as they were for the run.
        table: of the run; its levels and prediction are not looked at.
        scaled: as of a convention.
        wanted: what is declared: "predicts", "level".
    """
    at_times = [float(t) for t in scheduler.timesteps]
    found = []
    for convention in _conventions(scaled, wanted):
        try:
            at = [
                convention.level(convention.levels, scheduler, t, i) for i, t in enumerate(at_times)
            ]
            levels = grid_of([*at, convention.landed(scheduler)])
            rows = np.array(table.rows)
            if convention.returns.startswith("-"):
                rows[:, 1 : 1 + table.nfe] *= -1
            error = _error(
                replace(
                    table, rows=rows, levels=levels, prediction=convention.prediction, start=None
                )
            )
        except Exception:  # this map is not that of its times
            continue
        found.append(Fit(replace(convention, scale=_scale(at)), error))
    return sorted(found, key=lambda fit: round(fit.score / 0.2))  # stable: what is believed first


def _scale(levels: Sequence[Level]) -> Scale:
    """Of some levels: x + σ ε, (1 − σ) x + σ ε, or another, of unit variance."""
    if all(abs(level.alpha - 1) < 1e-9 for level in levels):
        return "ve"
    return "flow" if all(abs(sum(level) - 1) < 1e-6 for level in levels) else "vp"


def _conventions(scaled: bool, wanted: Mapping[str, str]) -> Iterator[Convention]:
    """All of them, by what is declared."""
    names = [wanted["level"]] if "level" in wanted else [*TIMES, *TABLES]
    returns = [wanted["predicts"]] if "predicts" in wanted else list(RETURNS)
    for name in names:
        for returned in returns:
            for final in ("clean", "end", "table", "final_alpha_cumprod", "first"):
                told = name if name in TIMES else ""
                yield Convention(name, told, returned, final, scaled)


def _error(table: Table) -> Array:
    """Of every state of a run, data at one point: deviation of mean and noise, of its size."""
    mean, variance = table.point_response()
    levels = table.levels
    gap = np.maximum(np.abs(mean - levels.alpha), np.abs(np.sqrt(variance) - levels.sigma))
    size = np.hypot(levels.alpha, levels.sigma)
    return np.nan_to_num(gap / size, nan=np.inf, posinf=np.inf)
