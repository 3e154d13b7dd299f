"""What the time that a network is told may mean: formulas that people use, both ways."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from dfbench.levels import Level
from dfbench.schedules import DiscreteSchedule, LinearVP, Schedule


@dataclass(frozen=True)
class TimeMap:
    """A time, told to a network trained on T steps, and the level that it means.

    Attributes:
        level: (time, T) → (α, σ).
        time: (σ/α, T) → the time; None: only its own times have levels.
        clean, noisy: the times of a run's ends, where T is 1; None: of the σ/α that `ends` has.
        schedule: what has these levels and their rates; None: nobody knows.
    """

    level: Callable[[float, float], tuple[float, float]]
    time: Callable[[float, float], float] | None = None
    clean: float | None = None
    noisy: float | None = None
    schedule: Schedule | None = None

    def at(self, time: float, T: float = 1000.0) -> Level:
        """The level of a time.

        Raises:
            ValueError: it has none.
        """
        return Level(*self.level(time, T))


def _exp(value: float) -> float:
    return math.exp(min(value, 300.0))


def _log(ratio: float) -> float:
    return math.log(ratio) if ratio > 0 else -math.inf


def _flow(ratio: float) -> float:
    return 1.0 if math.isinf(ratio) else ratio / (1 + ratio)


_vp = LinearVP(0.1, 20.0)


def _vp_level(t: float, T: float) -> tuple[float, float]:
    return _vp.level(t)


def _vp_time(ratio: float, T: float) -> float:
    return float(_vp.t_of_log_snr(-2 * math.log(ratio)))


@cache
def _table(kind: str, T: int) -> DiscreteSchedule:
    made: DiscreteSchedule = getattr(DiscreteSchedule, kind)(T)
    return made


def _trained(kind: str) -> TimeMap:
    """A table of T training steps."""

    def level(t: float, T: float) -> tuple[float, float]:
        if not 0 <= t <= T - 1:
            raise ValueError("not a training step")
        return _table(kind, int(T)).level(t)

    return TimeMap(level)


TIMES: dict[str, TimeMap] = {
    "flow-down": TimeMap(lambda t, T: (1 - t, t), lambda r, T: _flow(r), 0.0, 1.0),
    "flow-up": TimeMap(lambda t, T: (t, 1 - t), lambda r, T: 1 - _flow(r), 1.0, 0.0),
    "flow-down × T": TimeMap(lambda t, T: (1 - t / T, t / T), lambda r, T: T * _flow(r), 0.0, 1.0),
    "flow-up × T": TimeMap(
        lambda t, T: (t / T, 1 - t / T), lambda r, T: T * (1 - _flow(r)), 1.0, 0.0
    ),
    "log-sigma/4": TimeMap(lambda t, T: (1.0, _exp(4 * t)), lambda r, T: _log(r) / 4),
    "log-sigma": TimeMap(lambda t, T: (1.0, _exp(t)), lambda r, T: _log(r)),
    "sigma": TimeMap(lambda t, T: (1.0, t), lambda r, T: r),
    "cosine": TimeMap(
        lambda t, T: (math.cos(t * math.pi / 2), math.sin(t * math.pi / 2)),
        lambda r, T: math.atan(r) * 2 / math.pi,
        *(0.0, 1.0),
    ),
    "cosine-up": TimeMap(
        lambda t, T: (math.sin(t * math.pi / 2), math.cos(t * math.pi / 2)),
        lambda r, T: 1 - math.atan(r) * 2 / math.pi,
        *(1.0, 0.0),
    ),
    "angle": TimeMap(
        lambda t, T: (math.cos(t), math.sin(t)), lambda r, T: math.atan(r), 0.0, math.pi / 2
    ),
    "log-snr": TimeMap(
        lambda t, T: (1 / math.sqrt(1 + _exp(-t)), 1 / math.sqrt(1 + _exp(t))),
        lambda r, T: -2 * _log(r),
    ),
    "vp": TimeMap(_vp_level, _vp_time, 1e-3, 1.0, _vp),
    "ddpm-linear": _trained("linear"),
    "ddpm-scaled-linear": _trained("scaled_linear"),
    "ddpm-cosine": _trained("cosine"),
}
"""By the names that certificates and declarations have for them: flow's time may run up or down, or
be a number of training steps; β is linear in "vp" (0.1 to 20, over [0, 1]) and over training steps
in "ddpm-linear" (DDPM), its root in "ddpm-scaled-linear" (Stable Diffusion). "log-snr" is
λ = log(α²/σ²) of variance-preserving levels (Kingma et al. 2021, arXiv 2107.00630, eq. 4)."""
