"""Grids on a schedule by name: the same ends and any spacing, on the schedule's own levels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dfbench import grids
from dfbench.levels import Array, Grid
from dfbench.schedules import Schedule

#: λ where a grid starts and stops unless it says otherwise: σ/α from 80 to 0.002 (EDM).
ENDS = (-2 * math.log(80.0), -2 * math.log(0.002))

Spacing = Callable[..., Array]


def uniform_t(schedule: Schedule, points: int, lam: tuple[float, float]) -> Array:
    """Equal steps in t."""
    return np.linspace(*_times(schedule, lam), points)


def quadratic(schedule: Schedule, points: int, lam: tuple[float, float]) -> Array:
    """Equal steps in √t: short near data (DDIM)."""
    start, stop = _times(schedule, lam)
    return np.asarray(np.linspace(math.sqrt(start), math.sqrt(stop), points) ** 2)


def uniform_log_snr(schedule: Schedule, points: int, lam: tuple[float, float]) -> Array:
    """Equal steps in λ (DPM-Solver)."""
    return np.asarray(schedule.t_of_log_snr(np.linspace(*lam, points)))


def karras(schedule: Schedule, points: int, lam: tuple[float, float], *, rho: float = 7.0) -> Array:
    """Equal steps in (σ/α)^(1/ρ) (EDM)."""
    if points == 1:
        return np.asarray(schedule.t_of_log_snr(np.array(lam[:1])))
    high, low = (math.exp(-x / 2) for x in lam)
    ratios = grids.karras(high, low, points - 1, rho, final_zero=False).sigma
    return np.asarray(schedule.t_of_log_snr(np.clip(-2 * np.log(ratios), *lam)))


def beta(
    schedule: Schedule, points: int, lam: tuple[float, float], *, a: float = 0.6, b: float = 0.6
) -> Array:
    """Times at the quantiles of a Beta(a, b) law (arXiv:2407.12173)."""
    if points == 1:
        return np.asarray(_times(schedule, lam)[:1])
    start, stop = _times(schedule, lam)
    t = grids.beta(schedule, points - 1, a, b, start, stop).t
    assert t is not None
    return t


#: The spacings by name, with options of their own.
GRIDS: dict[str, Spacing] = {
    "uniform_t": uniform_t,
    "quadratic": quadratic,
    "uniform_log_snr": uniform_log_snr,
    "karras": karras,
    "beta": beta,
}


def make(
    name: str,
    schedule: Schedule,
    n: int,
    *,
    log_snr: Any = None,
    t: Any = None,
    final_zero: bool = False,
    **options: float,
) -> Grid:
    """n steps on a schedule.

    Args:
        name: of a spacing in `GRIDS`.
        log_snr: [start, stop] in λ, noise first; by default `ENDS` as far as the schedule goes.
        t: [start, stop] in the schedule's time instead, 1 ≥ start > stop ≥ 0.
        final_zero: the last of the n steps goes from `stop` to clean data, σ = 0.
        options: of the spacing.

    Raises:
        ValueError: the schedule does not reach these ends, or the levels are not finite.
    """
    if log_snr is not None and t is not None:
        raise ValueError("give the ends as log_snr or as t, not both")
    lam = _ends(schedule, log_snr, t)
    if t is not None and name in ("uniform_t", "quadratic", "beta"):
        times = _in_time(name, schedule, n + 1 - final_zero, t, options)
    elif not all(map(math.isfinite, lam)):
        raise ValueError(f"{name} needs ends with 0 < σ/α < ∞, got log-SNR {lam[0]:g} … {lam[1]:g}")
    else:
        times = GRIDS[name](schedule, n + 1 - final_zero, lam, **options)
    if final_zero:
        if math.isfinite(schedule.log_snr(0.0)):
            raise ValueError("final_zero needs a schedule that reaches σ = 0 at t = 0")
        times = np.append(times, 0.0)
    levels = [schedule.level(float(time)) for time in times]
    alpha, sigma = zip(*levels, strict=True)
    return Grid(np.array(alpha), np.array(sigma), times, schedule)


def _in_time(name: str, schedule: Schedule, points: int, t: Any, options: Any) -> Array:
    """The spacings in t between given times, which may have σ = 0 or α = 0."""
    functions: dict[str, Callable[..., Grid]] = {
        "uniform_t": grids.uniform_t,
        "quadratic": grids.quadratic,
        "beta": grids.beta,
    }
    if points == 1:
        return np.array([float(t[0])])
    grid = functions[name](schedule, points - 1, t_start=t[0], t_stop=t[1], **options)
    assert grid.t is not None
    return grid.t


def _ends(schedule: Schedule, log_snr: Any, t: Any) -> tuple[float, float]:
    if t is not None:
        start, stop = _pair("t", t)
        if not 1 >= start > stop >= 0:
            raise ValueError(f"t must be [start, stop] with 1 ≥ start > stop ≥ 0, got {t}")
        return float(schedule.log_snr(start)), float(schedule.log_snr(stop))
    if log_snr is not None:
        start, stop = _pair("log_snr", log_snr)
        if not start < stop:
            raise ValueError(f"log_snr must be [start, stop], rising (noise first), got {log_snr}")
        return start, stop
    return max(ENDS[0], float(schedule.log_snr(1.0))), min(ENDS[1], float(schedule.log_snr(0.0)))


def _pair(name: str, value: Any) -> tuple[float, float]:
    pair = list(value) if isinstance(value, list | tuple) else []
    if len(pair) != 2 or not all(
        isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in pair
    ):
        raise ValueError(f"{name} must be two finite numbers, got {value!r}")
    return float(pair[0]), float(pair[1])


def _times(schedule: Schedule, lam: tuple[float, float]) -> tuple[float, float]:
    return float(schedule.t_of_log_snr(lam[0])), float(schedule.t_of_log_snr(lam[1]))
