"""DPM-Solver in noise prediction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import expm1

from dfbench.levels import Grid, Level
from dfbench.samplers import METHODS, dpm_solver
from dfbench.schedules import FlowMatching, LinearVP
from tests.samplers import convergence as c
from tests.samplers import released

SINGLESTEP = [
    {"order": 1},
    {"order": 2},
    {"order": 2, "r1": 0.3, "solver_type": "taylor"},
    {"order": 3},
    {"order": 3, "solver_type": "taylor"},
    {"order": 3, "inner": "midpoint"},
    {"order": 3, "r1": 0.2, "r2": 0.4},
    {"order": 3, "r1": 0.2, "r2": 0.4, "solver_type": "taylor"},
]
MULTISTEP = [
    {"order": 1},
    {"order": 2},
    {"order": 2, "solver_type": "heun"},
    {"order": 3},
    {"order": 3, "lower_order_final": True},
    {"order": 3, "halved": True},
]


@pytest.mark.parametrize("options", SINGLESTEP)
@pytest.mark.parametrize("scale", ["ve", "vp"])
def test_order(options: dict[str, Any], scale: str) -> None:
    claimed = METHODS["dpm_solver"].traits_of(**options).order
    assert abs(c.order("dpm_solver", scale=scale, **options) - claimed) < 0.3


@pytest.mark.parametrize("options", MULTISTEP[:4])
def test_multistep_order(options: dict[str, Any]) -> None:
    claimed = METHODS["dpm_solver_multistep"].traits_of(**options).order
    measure = c.start_free_order if claimed > 2 else c.order
    assert abs(measure("dpm_solver_multistep", **options) - claimed) < 0.3


@pytest.mark.parametrize("options", MULTISTEP[4:])
def test_order_lost(options: dict[str, Any]) -> None:
    """A last step of order 1, or half the weight of the second derivative, leave order 2."""
    assert METHODS["dpm_solver_multistep"].traits_of(**options).order == 2
    assert abs(c.order("dpm_solver_multistep", (64, 128, 256), **options) - 2) < 0.3


def test_control_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """With φ_2 one per cent too large no method is of its order."""
    phi = dpm_solver.phi
    monkeypatch.setattr(dpm_solver, "phi", lambda k, x: phi(k, x) * (1.01 if k == 2 else 1))
    assert c.order("dpm_solver", (64, 128, 256), order=3) < 2.3
    assert c.start_free_order("dpm_solver_multistep", order=3) < 2.3


def test_sde_is_not_exact_on_points() -> None:
    """One step leaves σ_t² (1 + 2 (e^h − 1)²) where σ_t² is due."""
    grid = c.regular_grid(4)
    h = math.log(100) / 4
    _, variance = METHODS["sde_dpm_solver"].table(grid, order=1).point_response()
    assert variance[1] == pytest.approx(grid.sigma[1] ** 2 * (1 + 2 * expm1(h) ** 2), rel=1e-12)
    assert not METHODS["sde_dpm_solver"].traits_of().exact_on_points


def test_second_order_by_hand() -> None:
    """DPM-Solver-2 of the paper, one step from α = 0.6 to α = 0.8, r1 = ½."""
    grid = Grid(np.array([0.6, 0.8]), np.array([0.8, 0.6]))
    h = math.log(0.8 / 0.6) - math.log(0.6 / 0.8)
    alpha, sigma = math.sqrt(0.5), math.sqrt(0.5)  # λ = 0 lies half-way
    table = METHODS["dpm_solver"].table(grid, order=2)
    assert table.levels[1] == pytest.approx(Level(alpha, sigma))
    expected = [
        [1, 0, 0],
        [alpha / 0.6, -sigma * math.expm1(h / 2), 0],
        [0.8 / 0.6, 0, -0.6 * math.expm1(h)],  # −σ(e^h − 1) ε + σ(e^h − 1) (ε − ε₁)
    ]
    np.testing.assert_allclose(table.rows, expected, atol=1e-14)


def test_third_order_by_hand() -> None:
    """DPM-Solver-3 of the paper, one step with h = 0.9 in z/α."""
    h, a, b = 0.9, math.exp(-0.3), math.exp(-0.6)  # σ at the inner levels; 1 at the first
    table = METHODS["dpm_solver"].table(Grid.from_ratios([1.0, math.exp(-h)]), order=3)
    second = b * 2 * ((math.exp(0.6) - 1) / 0.6 - 1)
    third = math.exp(-h) * 1.5 * ((math.exp(h) - 1) / h - 1)
    expected = [
        [1, 0, 0, 0],
        [1, -(1 - a), 0, 0],
        [1, -(1 - b) + second, -second, 0],
        [1, -(1 - math.exp(-h)) + third, 0, -third],
    ]
    np.testing.assert_allclose(table.rows, expected, atol=1e-14)


def test_evaluations_on_the_grid() -> None:
    """With every evaluation at a level of the grid, equal steps in λ are the inserted ones."""
    coarse, fine = c.regular_grid(4), c.regular_grid(12)
    one = METHODS["dpm_solver"].table(coarse, order=3)
    two = METHODS["dpm_solver"].table(fine, order=3, orders=[3] * 4, on_grid=True)
    assert c.gap(two, one) < 1e-12


def test_fast_spends_what_it_says() -> None:
    for n in range(3, 20):
        blocks = dpm_solver.fast_orders(n)
        assert sum(blocks) == n
        assert len(blocks) == n // 3 + 1
    table = METHODS["dpm_solver"].table(c.regular_grid(4), orders=dpm_solver.fast_orders(9))
    assert table.nfe == 9


@pytest.mark.parametrize("schedule", [LinearVP(), FlowMatching()])
def test_between_follows_the_schedule(schedule: Any) -> None:
    t = np.array([0.9, 0.4])
    grid = Grid(schedule.alpha(t), schedule.sigma(t), t, schedule)
    for r in (0.2, 0.5):
        with_schedule = dpm_solver.between(grid, grid[0], grid[1], r)
        bare = dpm_solver.between(Grid(grid.alpha, grid.sigma), grid[0], grid[1], r)
        assert bare == pytest.approx(with_schedule, rel=1e-9)


def test_between_keeps_a_common_scale() -> None:
    for scale, size in (("ve", 1.0), ("vp", 1.0), ("flow", 3.0)):
        grid = c.regular_grid(1, stop=0.2, scale=scale).scaled(size)
        level = dpm_solver.between(grid, grid[0], grid[1], 0.3)
        kept = {"ve": level.alpha, "vp": math.hypot(*level), "flow": sum(level)}[scale]
        assert kept == pytest.approx(size)
        assert level.log_snr == pytest.approx(0.7 * grid.log_snr[0] + 0.3 * grid.log_snr[1])


def test_phi() -> None:
    mpmath = pytest.importorskip("mpmath")
    for x in (-40.0, -3.0, -1.0, -0.999, -1e-3, 1e-9, 0.5, 1.0, 4.0):
        for k in (1, 2, 3, 4):
            expected = mpmath.quad(
                lambda s, x=x, k=k: mpmath.exp((1 - s) * x) * s ** (k - 1) / math.factorial(k - 1),
                [0, 1],
            )
            assert dpm_solver.phi(k, x) == pytest.approx(float(expected), rel=2e-14)
    assert dpm_solver.phi(3, -math.inf) == 0


def test_sde_converges_in_law() -> None:
    assert abs(c.weak_order("sde_dpm_solver", variance=0.05, order=1) - 1) < 0.3
    assert abs(c.weak_order("sde_dpm_solver", order=2) - 2) < 0.3


def test_from_pure_noise() -> None:
    """With a prediction that knows x̂ at α = 0 the first step is DDIM's."""
    for name, cases in (("dpm_solver", SINGLESTEP), ("dpm_solver_multistep", MULTISTEP)):
        for options in cases:
            assert c.point_gap(METHODS[name].table(c.FROM_NOISE, "v", **options)) < 1e-12


def test_refusals() -> None:
    grid = Grid(c.FROM_NOISE.alpha[:-1], c.FROM_NOISE.sigma[:-1])
    with pytest.raises(ValueError, match="x"):
        METHODS["dpm_solver"].table(grid, "eps")
    with pytest.raises(ValueError, match="α = 0"):
        METHODS["sde_dpm_solver"].table(grid, "v")
    with pytest.raises(ValueError, match="σ = 0"):
        METHODS["sde_dpm_solver"].table(c.awkward_grid(clean=True))
    with pytest.raises(ValueError, match="sum to 7"):
        METHODS["dpm_solver"].table(c.awkward_grid(), on_grid=True, orders=[3, 3])
    with pytest.raises(ValueError, match="of order 1"):
        METHODS["dpm_solver"].table(c.awkward_grid(6, clean=True), on_grid=True, orders=[3, 3])
    with pytest.raises(ValueError, match="order"):
        METHODS["dpm_solver_multistep"].table(c.awkward_grid(), order=4)


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({"solver_order": 1}, {"order": 1}),
        ({"solver_order": 2}, {"order": 2}),
        ({"solver_order": 2, "solver_type": "heun"}, {"order": 2, "solver_type": "heun"}),
        ({"solver_order": 3}, {"order": 3, "halved": True}),
    ],
)
def test_released_multistep(config: dict[str, Any], options: dict[str, Any]) -> None:
    """The released code casts states to float32."""
    config |= {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"}
    grid = c.awkward_grid(8)
    options = {"lower_order_final": True, **options}
    args = ("DPMSolverMultistepScheduler", config, "dpm_solver_multistep", options, grid, "eps")
    assert released.gap(*args) < 1e-5


def test_control_released_third_order() -> None:
    """The exact third order is not the released one."""
    config = {"solver_order": 3, "algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"}
    options = {"order": 3, "lower_order_final": True}
    args = ("DPMSolverMultistepScheduler", config, "dpm_solver_multistep", options)
    assert released.gap(*args, c.awkward_grid(8), "eps") > 1e-2


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("kind", ["midpoint", "heun"])
def test_released_singlestep(order: int, kind: str) -> None:
    config = {
        "solver_order": order,
        "solver_type": kind,
        "algorithm_type": "dpmsolver",
        "final_sigmas_type": "sigma_min",
    }
    options = {
        "order": order,
        "on_grid": True,
        "orders": [order] * (6 // order),
        "solver_type": {"midpoint": "dpmsolver", "heun": "taylor"}[kind],
        "inner": {"midpoint": "midpoint", "heun": "exact"}[kind],
    }
    args = ("DPMSolverSinglestepScheduler", config, "dpm_solver", options)
    assert released.gap(*args, c.awkward_grid(6), "eps") < 1e-11
