"""The ends of a grid, and what methods refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dfbench.levels import Grid
from dfbench.samplers import METHODS
from dfbench.schedules import LinearVP
from tests.samplers.laws import books, grid


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
        METHODS[method].table(grid(6, LinearVP()), **options)


def test_a_stochastic_sampler_runs_towards_data() -> None:
    up = Grid.from_ratios([0.1, 1.0, 10.0])
    for method in ("ddpm", "euler_ancestral", "dpmpp_sde", "exponential_sde"):
        with pytest.raises(ValueError, match="must not rise"):
            METHODS[method].table(up)
    with pytest.raises(ValueError, match="needs a grid with t and schedule"):
        METHODS["reverse_sde"].table(Grid.from_ratios([10.0, 1.0]))
