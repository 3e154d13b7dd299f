"""A nonlinear field with its exact flow, and what every method is held to on it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from dfbench.levels import Grid, Level
from dfbench.samplers import METHODS
from dfbench.samplers.method import Output
from dfbench.table import Table

WEIGHTS, MEANS, VARIANCES = np.array([[0.3, 0.5, 0.2], [-1.4, 0.3, 1.7], [0.09, 0.25, 0.16]])
STARTS = np.array([-1.7, -0.8, -0.1, 0.4, 1.1, 2.0])  # z/α in units of √(1 + ρ²)

NOISE_TO_DATA = np.array([[0.0, 0.2, 0.5, 0.7, 0.9, 1.0], [1.0, 0.8, 0.5, 0.3, 0.1, 0.0]])
FROM_NOISE = Grid(*NOISE_TO_DATA)


def denoise(y: Any, rho: float) -> Any:
    """E[x | x + ρ ε = y] for the mixture of three Gaussians on the line."""
    v = VARIANCES + rho**2
    gap = np.asarray(y)[:, None] - MEANS
    log = np.log(WEIGHTS) - 0.5 * np.log(v) - 0.5 * gap**2 / v
    r = np.exp(log - log.max(axis=1, keepdims=True))
    r /= r.sum(axis=1, keepdims=True)
    return (r * (MEANS + VARIANCES / v * gap)).sum(axis=1)


def model(z: Any, level: Level) -> Output:
    return Output(denoise(z / level.alpha, level.ratio), z, level, "x")


@lru_cache
def truth(start: float, stop: float) -> Any:
    """y = z/α at ρ = stop, from STARTS at ρ = start, along the probability-flow ODE."""
    flow = solve_ivp(
        lambda u, y: y - denoise(y, np.exp(u)),  # dy/d log ρ = ρ ε
        (np.log(start), np.log(stop)),
        STARTS * np.hypot(1, start),
        method="DOP853",
        rtol=1e-12,
        atol=1e-13,
    )
    return flow.y[:, -1]


def regular_grid(
    n: int, start: float = 10.0, stop: float = 0.1, scale: str = "ve", power: float = 1.0
) -> Grid:
    """λ as a power of i/n: equal steps, or for power > 1 steps that grow from nothing."""
    fraction = np.linspace(0, 1, n + 1) ** power
    rho = start * (stop / start) ** fraction
    grid = Grid.from_ratios(rho)
    return grid.scaled({"ve": 1, "vp": 1 / np.hypot(1, rho), "flow": 1 / (1 + rho)}[scale])


def awkward_grid(n: int = 7, scale: str = "vp", clean: bool = False, seed: int = 0) -> Grid:
    """Steps of random size in λ, from σ/α = 10 to 0.1, and on to σ = 0 if `clean`."""
    step = np.random.default_rng(seed).uniform(0.4, 1.6, n)
    rho = np.exp(np.log(10.0) - np.log(100.0) * np.append(0, np.cumsum(step)) / step.sum())
    if clean:
        rho[-1] = 0.0
    grid = Grid.from_ratios(rho)
    return grid.scaled({"ve": 1, "vp": 1 / np.hypot(1, rho), "flow": 1 / (1 + rho)}[scale])


def no_noise(*_: Any) -> Any:
    raise AssertionError("a deterministic method drew noise")


def error(name: str, grid: Grid, **options: Any) -> float:
    """Largest deviation of z/α from the flow between the grid's first and last level."""
    start, stop = float(grid.ratio[0]), float(grid.ratio[-1])
    z = grid.alpha[0] * STARTS * np.hypot(1, start)
    final = METHODS[name](model, z, grid, no_noise, **options)
    return float(np.abs(final / grid.alpha[-1] - truth(start, stop)).max())


def order(
    name: str,
    counts: tuple[int, ...] = (32, 64, 128, 256),
    power: float = 1.0,
    scale: str = "vp",
    **options: Any,
) -> float:
    """Slope of log error against log N."""
    grids = [regular_grid(n, scale=scale, power=power) for n in counts]
    errors = [error(name, grid, **options) for grid in grids]
    return float(-np.polyfit(np.log(counts), np.log(errors), 1)[0])


def start_free_order(name: str, counts: tuple[int, ...] = (64, 128, 256), **options: Any) -> float:
    """The order on a grid whose first steps are of size 1/N².

    A multistep method starts with steps of lower order, each with an error of h², so that on
    equal steps none is of order 3 unless its start lies where the field is nearly linear.
    """
    return order(name, counts, power=2.0, **options)


def weak_errors(name: str, counts: tuple[int, ...], variance: float, **options: Any) -> Any:
    """|relative error| of the output's variance for Gaussian data, from the exact law."""
    errors = []
    for n in counts:
        table = METHODS[name].table(regular_grid(n), "x", **options)
        errors.append(abs(float(table.law(variance).variance[0]) / (variance + 0.01) - 1))
    return np.array(errors)


def weak_order(
    name: str,
    counts: tuple[int, ...] = (32, 64, 128, 256),
    variance: float = 0.5,
    **options: Any,
) -> float:
    errors = weak_errors(name, counts, variance, **options)
    return float(-np.polyfit(np.log(counts), np.log(errors), 1)[0])


def point_gap(table: Table) -> float:
    """How far mean and variance are from α and σ² when all data sits at one point."""
    mean, variance = table.point_response()
    alpha, sigma = table.levels.alpha, table.levels.sigma
    size = np.hypot(alpha, sigma)
    return float(
        max(
            np.abs((mean - alpha) / size).max(),
            np.abs((variance - sigma**2) / size**2).max(),
        )
    )


def gap(one: Table, two: Table) -> float:
    """The largest disagreement of two tables."""
    difference = one.compare(two)
    assert difference is not None
    return difference.size


def same(one: str, options: dict[str, Any], two: str, others: dict[str, Any], grid: Grid) -> float:
    """The largest disagreement of two methods on a grid."""
    tables = [
        METHODS[n].table(grid, "x", **o).canonical() for n, o in ((one, options), (two, others))
    ]
    return gap(*tables)
