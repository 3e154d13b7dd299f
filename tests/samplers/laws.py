"""Orders of methods that need a schedule, and weak orders from the exact law of the output."""

from __future__ import annotations

from typing import Any

import numpy as np

from dfbench import grids
from dfbench.levels import Grid
from dfbench.samplers import METHODS
from dfbench.schedules import Schedule
from dfbench.table import Table
from tests.samplers.convergence import error

START, STOP = -2 * np.log(10), 2 * np.log(10)  # λ at σ/α = 10 and 0.1


def grid(n: int, schedule: Schedule | None = None, scale: str = "vp") -> Grid:
    """n equal steps in λ between σ/α = 10 and 0.1."""
    if schedule is not None:
        return grids.uniform_log_snr(schedule, n, START, STOP)
    return grids.regular(START, STOP, n, scale)  # type: ignore[arg-type]


def slope(counts: tuple[int, ...], errors: Any) -> Any:
    return -np.polyfit(np.log(counts), np.log(errors), 1)[0]


def order(
    name: str,
    schedule: Schedule | None = None,
    counts: tuple[int, ...] = (16, 32, 64, 128, 256),
    **options: Any,
) -> float:
    """Slope of log error against log N on a nonlinear field, noise left out."""
    return float(slope(counts, [error(name, grid(n, schedule), **options) for n in counts]))


def weak_errors(
    name: str, n: int, variances: Any, schedule: Schedule | None = None, **options: Any
) -> Any:
    """W2 between the law of the output and the marginal at the last level, in its own units."""
    levels = grid(n, schedule)
    alpha, sigma = levels[-1]
    first = levels[0]
    mean, variance = 0.7, np.asarray(variances)
    law = (
        METHODS[name]
        .table(levels, "x", **options)
        .law(
            variance,
            mean,
            start_mean=first.alpha * mean,
            start_variance=first.alpha**2 * variance + first.sigma**2,
        )
    )
    size = alpha**2 * variance + sigma**2
    return law.wasserstein(alpha * mean, size) / np.sqrt(size)


def weak_orders(
    name: str,
    variances: Any = (0.04, 0.25, 4.0),
    schedule: Schedule | None = None,
    counts: tuple[int, ...] = (32, 64, 128, 256),
    **options: Any,
) -> Any:
    """Weak order for Gaussian data of each variance, shape (D,)."""
    errors = [weak_errors(name, n, variances, schedule, **options) for n in counts]
    return slope(counts, np.array(errors))


def same(one: Table, other: Table) -> float:
    """Largest disagreement of two tables in canonical form, in units of the states; x̂ form."""
    return float(one.canonical().gaps(other.canonical()).max())


def books(table: Table) -> float:
    """How far states are from mean α_j and variance σ_j² for data at a point, relative."""
    mean, variance = table.point_response()
    size = np.hypot(table.levels.alpha, table.levels.sigma)
    off_mean = np.abs(mean - table.levels.alpha) / size
    off_variance = np.abs(variance - table.levels.sigma**2) / size**2
    return float(np.maximum(off_mean, off_variance).max())
