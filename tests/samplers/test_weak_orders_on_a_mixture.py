"""Weak orders on a nonlinear field, without Monte Carlo: Gaussian data can flatter a method.

u(z) = E[φ(final state) | state z] goes backwards through the steps: Gauss–Hermite over the draws
of one step, a cubic spline over z between steps. Compared with E φ under the exact marginal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from dfbench.levels import Grid, Level
from dfbench.samplers import METHODS
from tests.samplers.convergence import MEANS, VARIANCES, WEIGHTS, model, regular_grid
from tests.samplers.laws import slope

POINTS = np.linspace(-7, 7, 701)  # of z in units of √(α² + σ²)
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(10)


def size(level: Level) -> float:
    return float(np.hypot(level.alpha, level.sigma))


def phi(z: Any) -> Any:
    return np.cos(1.7 * z + 0.4) + np.tanh(z)


def under_marginal(f: Any, level: Level) -> float:
    """E f(α x + σ ε) for the mixture."""
    std = np.sqrt(level.alpha**2 * VARIANCES + level.sigma**2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    z = level.alpha * MEANS[:, None] + std[:, None] * nodes
    return float((WEIGHTS[:, None] * weights * f(z)).sum() / weights.sum())


def back(name: str, t: Level, s: Level, u: Any, options: dict[str, Any]) -> Any:
    """z ↦ E[u(state after the step) | z], as a spline."""
    one = Grid(np.array([t.alpha, s.alpha]), np.array([t.sigma, s.sigma]))
    table = METHODS[name].table(one, "x", **options)
    root = np.linalg.cholesky(np.eye(table.n_draws) if table.noise_cov is None else table.noise_cov)
    axes = np.meshgrid(*[NODES] * table.n_draws, indexing="ij")
    weight = np.prod(np.meshgrid(*[NODE_WEIGHTS] * table.n_draws, indexing="ij"), axis=0).ravel()
    correlated = iter(root @ np.array([a.ravel() for a in axes]))
    z = POINTS * size(t)
    shape = (len(z), len(weight))
    state = np.broadcast_to(z[:, None], shape).ravel()

    def noise(start: float | None = None, stop: float | None = None) -> Any:
        return np.broadcast_to(next(correlated), shape).ravel()

    end = METHODS[name](model, state, one, noise, **options).reshape(shape)
    return CubicSpline(z, u(end) @ weight / weight.sum())


def weak_error(name: str, n: int, options: dict[str, Any]) -> float:
    grid = regular_grid(n)
    per_step = {**options, **({"s_churn": options["s_churn"] / n} if "s_churn" in options else {})}
    u: Any = phi
    for t, s in reversed(grid.steps()):
        u = back(name, t, s, u, per_step)
    return abs(under_marginal(u, grid[0]) - under_marginal(phi, grid[-1]))


@pytest.mark.slow(quick=4)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ddpm", {}),
        ("ddim", {"eta": 0.5}),
        ("flow_ancestral", {}),
        ("dpm2_ancestral", {}),
        ("dpmpp_2s_ancestral", {}),
        ("dpmpp_sde", {"eta": 0.7}),
        ("dpmpp_sde", {"brownian": False}),
        ("edm", {"s_churn": 2.0}),
        ("edm", {"s_churn": 2.0, "stale": "x"}),
        ("edm", {"s_churn": 2.0, "stale": "eps"}),
    ],
)
def test_weak_order(name: str, options: dict[str, Any]) -> None:
    counts = (12, 24, 48)
    errors = [weak_error(name, n, options) for n in counts]
    claimed = METHODS[name].traits_of(**options).order
    assert slope(counts, errors) == pytest.approx(claimed, abs=0.3)


@pytest.mark.slow
def test_dpmpp_sde_needs_one_path() -> None:
    """Its terms of orders 2 and 3 are of one size here: 2.4 at these counts, 2.3 at 200 steps."""
    counts = (12, 24, 48)
    one, independent = (
        [weak_error("dpmpp_sde", n, {"brownian": b}) for n in counts] for b in (True, False)
    )
    assert 1.7 < slope(counts, one) < 2.7
    assert independent[-1] > 50 * one[-1]


def test_noise_of_the_wrong_size_is_seen() -> None:
    """Control."""
    errors = [weak_error("dpm2_ancestral", n, {"s_noise": 1.2}) for n in (12, 24)]
    assert errors[1] > 0.8 * errors[0]
