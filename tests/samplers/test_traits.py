"""What the methods claim of themselves: kept where claimed, and not kept where not claimed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dfbench.levels import Grid
from dfbench.samplers import METHODS
from dfbench.schedules import LinearVP, Scaled, Schedule
from tests.samplers.laws import books, grid, same

T = LinearVP()
CASES: list[tuple[str, dict[str, Any], Schedule | None]] = [
    ("ddim", {}, None),
    ("ddim", {"eta": 0.6}, None),
    ("ddim", {"eta": 1.0}, None),
    ("ddpm", {}, None),
    ("ddpm", {"variance": "fixed_small"}, None),
    ("ddpm", {"variance": "beta"}, None),
    ("ddpm", {"variance": 0.5}, None),
    ("euler", {}, None),
    ("heun", {}, None),
    ("rk4", {}, None),
    ("dpm2", {}, None),
    ("dpm2", {"rho": 3.0}, None),
    *(("flow_matching", {"solver": s}, None) for s in ("euler", "midpoint", "heun", "rk4")),
    *(("velocity", {"solver": s}, T) for s in ("euler", "midpoint", "heun", "rk4")),
    *(("probability_flow", {"solver": s}, T) for s in ("euler", "midpoint", "heun", "rk4")),
    ("edm", {}, None),
    ("edm", {"second_order": False}, None),
    # No churn on the first step: a table takes the first evaluation's level for that of z_T.
    ("edm", {"s_churn": 3.0, "s_tmax": 9.0}, None),
    ("edm", {"s_churn": 3.0, "s_tmax": 9.0, "second_order": False}, None),
    ("edm", {"s_churn": 3.0, "s_tmax": 9.0, "s_noise": 1.1}, None),
    ("edm", {"s_churn": 3.0, "s_tmax": 9.0, "stale": "x"}, None),
    ("edm", {"s_churn": 3.0, "s_tmax": 9.0, "stale": "eps"}, None),
    *(
        (name, options, None)
        for name in (
            "euler_ancestral",
            "dpm2_ancestral",
            "dpmpp_2s_ancestral",
            "dpmpp_sde",
            "flow_ancestral",
        )
        for options in ({}, {"eta": 0.0}, {"eta": 0.5}, {"s_noise": 1.1})
    ),
    ("dpmpp_sde", {"brownian": False}, None),
    ("dpmpp_sde", {"r": 0.3}, None),
    ("lcm", {}, None),
    ("lcm", {"c_skip": 0.1}, None),
    ("lcm", {"sigma_min": 0.05}, None),
    ("scm", {}, None),
    ("tcd", {"gamma": 0.0}, None),
    ("tcd", {"down": [0.05] * 6}, None),
    ("tcd", {}, T),
    ("reverse_sde", {}, T),
    ("reverse_sde", {"eta": 0.0}, T),
    ("interpolant_sde", {}, T),
    *(("exponential_sde", {"hold": h}, T) for h in ("x", "eps", "score")),
    *(("exponential_sde", {"hold": h, "eta": 0.0}, T) for h in ("x", "eps", "score")),
    ("predictor_corrector", {}, None),
    ("predictor_corrector", {"corrector_first": True}, None),
    *(
        ("predictor_corrector", {"predictor": p, "n_corrector": 0, "denoise": d}, None)
        for p in ("reverse_diffusion", "ancestral")
        for d in (True, False)
    ),
    ("annealed_langevin", {"step": 1e-3, "n_steps": 3}, None),
]


def name(case: Any) -> str:
    return case[0] + "-" + ",".join(f"{k}={v}" for k, v in case[1].items())


@pytest.mark.parametrize("case", CASES, ids=name)
def test_books_for_point_data(case: Any) -> None:
    method, options, schedule = case
    error = books(METHODS[method].table(grid(6, schedule), "x", **options))
    assert (error < 1e-12) == METHODS[method].traits_of(**options).exact_on_points
    assert error < 1e-12 or error > 1e-4, "neither exact nor clearly off"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_evaluations_and_draws(case: Any) -> None:
    method, options, schedule = case
    traits = METHODS[method].traits_of(**options)
    table = METHODS[method].table(grid(6, schedule), "x", **options)
    if traits.evaluations is not None:
        assert table.nfe == 6 * traits.evaluations
    assert (table.n_draws > 0) == traits.stochastic


@pytest.mark.parametrize("case", CASES, ids=name)
def test_scale_invariance(case: Any) -> None:
    """The levels c_i (α_i, σ_i), and for methods in t the schedule c(t) (α, σ) with its rates."""
    method, options, schedule = case
    levels, scales = grid(6, schedule), 1 + 0.8 * np.sin(3 * np.arange(7.0))
    if schedule is None:
        scaled = levels.scaled(scales)
    else:
        other = Scaled(schedule, lambda t: np.exp(0.7 * t), lambda t: 0.7 * np.exp(0.7 * t))
        assert levels.t is not None
        alpha, sigma = other.alpha(levels.t), other.sigma(levels.t)
        scaled = Grid(alpha, sigma, levels.t, other)
    one, two = (METHODS[method].table(g, "x", **options) for g in (levels, scaled))
    error = same(two, one)
    assert (error < 1e-11) == METHODS[method].traits_of(**options).scale_invariant
    assert error < 1e-11 or error > 1e-4, "neither invariant nor clearly dependent"


def test_final_zero_and_first_pure_noise() -> None:
    """From (0, 1) to (1, 0), where the method and the prediction allow it."""
    ends = Grid(np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.5, 0.0]))
    names = ("ddim", "ddpm", "flow_matching", "euler_ancestral", "flow_ancestral", "lcm", "scm")
    for method in (*names, "exponential_sde"):
        for prediction in ("u", "v", "x"):
            table = METHODS[method].table(ends, prediction)
            assert np.isfinite(table.rows).all()
            assert books(table) < 1e-12
    with pytest.raises(ValueError, match="eps → x does not exist at α = 0"):
        METHODS["ddim"].table(ends, "eps")
    for method in ("euler", "heun", "dpm2", "edm", "dpmpp_2s_ancestral", "dpmpp_sde"):
        with pytest.raises(ValueError, match="does not exist at α = 0"):
            METHODS[method].table(ends, "u")
        table = METHODS[method].table(Grid.from_ratios([4.0, 1.0, 0.0]), "eps")
        assert table.nfe == METHODS[method].traits_of().evaluations * 2 - (
            METHODS[method].traits_of().evaluations == 2
        )
        assert books(table) < 1e-12


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("velocity", {"solver": "rk5"}),
        ("exponential_sde", {"hold": "v"}),
        ("ddpm", {"variance": 2}),
        ("edm", {"stale": "v", "s_churn": 1.0}),
        ("predictor_corrector", {"predictor": "none"}),
        ("tcd", {"down": [0.1]}),
        ("ddim", {"eta": 3.0}),
        ("ddim", {"order": 2}),
    ],
)
def test_options_are_checked(method: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|values for|room for|no option"):
        METHODS[method].table(grid(6, T), **options)


def test_a_stochastic_sampler_runs_towards_data() -> None:
    up = Grid.from_ratios([0.1, 1.0, 10.0])
    for method in ("ddpm", "euler_ancestral", "dpmpp_sde", "exponential_sde"):
        with pytest.raises(ValueError, match="must not rise"):
            METHODS[method].table(up)
    with pytest.raises(ValueError, match="needs a grid with t and schedule"):
        METHODS["reverse_sde"].table(Grid.from_ratios([10.0, 1.0]))
