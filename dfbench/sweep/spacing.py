"""Grids on a schedule by name: the same ends and any spacing, on the schedule's own levels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dfbench import grids
from dfbench.levels import Grid
from dfbench.schedules import Schedule

#: λ where a grid starts and stops unless it says otherwise: σ/α from 80 to 0.002 (EDM).
ENDS = (-2 * math.log(80.0), -2 * math.log(0.002))


class Ends(NamedTuple):
    """Where a grid starts and stops on its schedule, noise first."""

    lam: tuple[float, float]
    t: tuple[float, float]


def uniform_t(schedule: Schedule, n: int, ends: Ends) -> Grid:
    """Equal steps in t."""
    return grids.uniform_t(schedule, n, *ends.t)


def quadratic(schedule: Schedule, n: int, ends: Ends) -> Grid:
    """Equal steps in √t: short near data (DDIM)."""
    return grids.quadratic(schedule, n, *ends.t)


def uniform_log_snr(schedule: Schedule, n: int, ends: Ends) -> Grid:
    """Equal steps in λ (DPM-Solver)."""
    return grids.uniform_log_snr(schedule, n, *_finite("uniform_log_snr", ends))


def karras(schedule: Schedule, n: int, ends: Ends, *, rho: float = 7.0) -> Grid:
    """Equal steps in (σ/α)^(1/ρ) (EDM)."""
    lam = _finite("karras", ends)
    high, low = (math.exp(-x / 2) for x in lam)
    ratios = grids.karras(high, low, n, rho, final_zero=False).sigma
    return grids.at_times(schedule, schedule.t_of_log_snr(np.clip(-2 * np.log(ratios), *lam)))


def beta(schedule: Schedule, n: int, ends: Ends, *, a: float = 0.6, b: float = 0.6) -> Grid:
    """Times at the quantiles of a Beta(a, b) law (arXiv:2407.12173)."""
    return grids.beta(schedule, n, a, b, *ends.t)


#: The spacings by name, with options of their own.
GRIDS: dict[str, Callable[..., Grid]] = {
    each.__name__: each for each in (uniform_t, quadratic, uniform_log_snr, karras, beta)
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
    ends = _ends(schedule, log_snr, t)
    if not final_zero:
        return GRIDS[name](schedule, n, ends, **options)
    if math.isfinite(schedule.log_snr(0.0)):
        raise ValueError("final_zero needs a schedule that reaches σ = 0 at t = 0")
    before = GRIDS[name](schedule, max(n - 1, 1), ends, **options).t
    assert before is not None
    return grids.at_times(schedule, np.append(before[:n], 0.0))


def _ends(schedule: Schedule, log_snr: Any, t: Any) -> Ends:
    if t is not None:
        start, stop = _pair("t", t)
        if not 1 >= start > stop >= 0:
            raise ValueError(f"t must be [start, stop] with 1 ≥ start > stop ≥ 0, got {t}")
        return Ends((float(schedule.log_snr(start)), float(schedule.log_snr(stop))), (start, stop))
    if log_snr is None:
        lam = max(ENDS[0], schedule.log_snr(1.0)), min(ENDS[1], schedule.log_snr(0.0))
    else:
        lam = _pair("log_snr", log_snr)
        if not lam[0] < lam[1]:
            raise ValueError(f"log_snr must be [start, stop], rising (noise first), got {log_snr}")
    start, stop = (float(schedule.t_of_log_snr(x)) for x in lam)
    return Ends((float(lam[0]), float(lam[1])), (start, stop))


def _finite(name: str, ends: Ends) -> tuple[float, float]:
    if not all(map(math.isfinite, ends.lam)):
        low, high = ends.lam
        raise ValueError(f"{name} needs ends with 0 < σ/α < ∞, got log-SNR {low:g} … {high:g}")
    return ends.lam


def _pair(name: str, value: Any) -> tuple[float, float]:
    pair = list(value) if isinstance(value, list | tuple) else []
    if len(pair) != 2 or not all(
        isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in pair
    ):
        raise ValueError(f"{name} must be two finite numbers, got {value!r}")
    return float(pair[0]), float(pair[1])
