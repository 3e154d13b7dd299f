"""A nonlinear field with a reference solution, and the order that a method shows on it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from dfbench.levels import Grid, Level
from dfbench.samplers import METHODS
from dfbench.samplers.base import Output

WEIGHTS, MEANS, VARIANCES = np.array([[0.3, 0.5, 0.2], [-1.4, 0.3, 1.7], [0.09, 0.25, 0.16]])
STARTS = np.array([-1.7, -0.8, -0.1, 0.4, 1.1, 2.0])  # z/α in units of √(1 + ρ²)


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
    y0 = STARTS * np.hypot(1, start)
    flow = solve_ivp(
        lambda u, y: y - denoise(y, np.exp(u)),  # dy/d log ρ = ρ ε
        (np.log(start), np.log(stop)),
        y0,
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
    rho = np.exp(np.log(start) + fraction * np.log(stop / start))
    grid = Grid.from_ratios(rho)
    return grid.scaled({"ve": 1, "vp": 1 / np.hypot(1, rho), "flow": 1 / (1 + rho)}[scale])


def _no_noise(*_: Any) -> Any:
    raise AssertionError("a deterministic method drew noise")


def error(name: str, grid: Grid, **options: Any) -> float:
    """Largest deviation of z/α from the flow between the grid's first and last level."""
    start, stop = float(grid.ratio[0]), float(grid.ratio[-1])
    z = grid.alpha[0] * STARTS * np.hypot(1, start)
    method = METHODS[name]
    final = method(model, z, grid, _no_noise, **options)
    return float(np.abs(final / grid.alpha[-1] - truth(start, stop)).max())


def order(
    name: str,
    counts: tuple[int, ...] = (32, 64, 128, 256),
    power: float = 1.0,
    scale: str = "ve",
    start: float = 10.0,
    **options: Any,
) -> float:
    """Slope of log error against log N."""
    errors = [
        error(name, regular_grid(n, start=start, scale=scale, power=power), **options)
        for n in counts
    ]
    return float(-np.polyfit(np.log(counts), np.log(errors), 1)[0])
