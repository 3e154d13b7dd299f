"""Adams–Bashforth methods: LMS, DEIS, PNDM, iPNDM."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dfbench.levels import Grid
from dfbench.samplers import METHODS, adams
from dfbench.schedules import LinearVP
from tests.samplers import convergence as c
from tests.samplers import released

CASES: list[tuple[str, dict[str, Any]]] = [
    *(("lms", {"order": k}) for k in (1, 2, 3, 4)),
    *(("deis", {"order": k, "variable": "log_rho"}) for k in (1, 2, 3, 4)),
    ("deis", {"order": 3, "variable": "rho"}),
    ("deis", {"order": 3, "variable": "log_rho", "lower_order_final": True}),
    *(("ipndm", {"order": k}) for k in (1, 2, 3, 4)),
    *(("pndm", {"order": k, "start": s}) for k in (1, 2, 4) for s in ("prk", "plms")),
]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_order(name: str, options: dict[str, Any]) -> None:
    claimed = METHODS[name].traits_of(**options).order
    measured = (
        c.start_free_order(name, (128, 256, 512), **options)
        if claimed > 2
        else c.order(name, **options)
    )
    assert abs(measured - claimed) < 0.3


@pytest.mark.parametrize("order", [2, 3])
def test_order_in_t(order: int) -> None:
    """tAB-DEIS, on equal steps of λ of the schedule."""
    schedule, errors, counts = LinearVP(), [], (128, 256, 512)
    for n in counts:
        rho = c.regular_grid(n, power=2.0 if order > 2 else 1.0).ratio
        t = schedule.t_of_log_snr(-2 * np.log(rho))
        grid = Grid(schedule.alpha(t), schedule.sigma(t), t, schedule)
        z = grid.alpha[0] * c.STARTS * np.hypot(1, 10.0)
        final = METHODS["deis"](c.model, z, grid, c.no_noise, order=order, variable="t")
        errors.append(np.abs(final / grid.alpha[-1] - c.truth(10.0, 0.1)).max())
    assert abs(-np.polyfit(np.log(counts), np.log(errors), 1)[0] - order) < 0.3


def test_pndm_is_of_order_four_in_equal_steps_of_its_own() -> None:
    """The classical weights are exact where the steps in σ/α are equal."""

    def error(n: int) -> float:
        grid = Grid.from_ratios(np.linspace(10.0, 0.1, n + 1))
        return c.error("pndm", grid, halfway=[grid_middle(grid, i) for i in range(3)])

    def grid_middle(grid: Grid, i: int) -> Any:
        return Grid.from_ratios([(grid.sigma[i] + grid.sigma[i + 1]) / 2, 1.0])[0]

    errors = [error(n) for n in (256, 512, 1024)]
    slope = -np.polyfit(np.log([256, 512, 1024]), np.log(errors), 1)[0]
    assert slope > 3.5


def test_control_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that do not belong to the method: 16/12 for 15/12, and a wrong node."""
    monkeypatch.setitem(adams.ADAMS_BASHFORTH, 3, (23 / 12, -15 / 12, 4 / 12))
    assert abs(c.order("ipndm", order=3) - 2) > 0.3
    exact = adams.lagrange_integrals
    monkeypatch.setattr(adams, "lagrange_integrals", lambda x, a, b: exact(1.01 * x, a, b))
    assert c.start_free_order("lms", order=3) < 2.3


def test_from_pure_noise() -> None:
    """With a prediction that knows x̂ at α = 0 the first step is DDIM's; the limit of α → 0."""
    alpha = c.FROM_NOISE.alpha.copy()
    alpha[0] = 1e-12
    for name in ("lms", "deis", "ipndm"):
        table = METHODS[name].table(c.FROM_NOISE, "v", order=3)
        assert c.point_gap(table) < 1e-12
        near = METHODS[name].table(Grid(alpha, c.FROM_NOISE.sigma), "v", order=3)
        np.testing.assert_allclose(near.rows, table.rows, atol=1e-3)
    table = METHODS["deis"].table(c.FROM_NOISE, "v", order=3, variable="log_rho")
    assert c.point_gap(table) < 1e-12


def test_into_clean_data() -> None:
    """∫ log ρ dρ exists at 0: the last step in log ρ to σ = 0, by hand."""
    table = METHODS["deis"].table(Grid.from_ratios([2.0, 1.0, 0.0]), order=2, variable="log_rho")
    # l(ρ) = −log ρ/log 2 of the older node, and ∫_1^0 log ρ dρ = 1
    older = (table.B[2] - table.B[1])[0]
    assert older == pytest.approx(1 / math.log(2), rel=1e-14)


def test_same_methods() -> None:
    grid = c.awkward_grid()
    for k in (1, 2, 3, 4):
        assert c.same("lms", {"order": k}, "deis", {"order": k, "variable": "rho"}, grid) < 1e-13
    for k in (1, 2, 3):
        exact = {"order": k, "solver_type": "heun"}
        deis = {"order": k, "variable": "log_rho"}
        assert c.same("deis", deis, "dpm_solver_multistep", exact, grid) < 1e-12
    control = {"order": 3, "halved": True}
    assert c.same("deis", deis, "dpm_solver_multistep", control, grid) > 1e-3
    assert c.same("ipndm", {"order": 1}, "ddim", {}, grid) < 1e-14


def test_pndm_by_hand() -> None:
    """The start of latent diffusion's PLMS, on levels (1, σ): Heun, then weights 3/2 and −1/2."""
    table = METHODS["pndm"].table(Grid.from_ratios([4.0, 2.0, 1.0]), start="plms")
    expected = [
        [1, 0, 0, 0],
        [1, -2, 0, 0],
        [1, -1, -1, 0],
        [1, -1 + 1 / 2, -1, -3 / 2],
    ]
    np.testing.assert_allclose(table.rows, expected, atol=1e-14)
    assert list(table.levels.sigma) == [4, 2, 2, 1]


def test_pseudo_runge_kutta_by_hand() -> None:
    table = METHODS["pndm"].table(Grid.from_ratios([4.0, 1.0]))
    expected = [
        [1, 0, 0, 0, 0],
        [1, -2, 0, 0, 0],
        [1, 0, -2, 0, 0],
        [1, 0, 0, -3, 0],
        [1, -0.5, -1, -1, -0.5],
    ]
    np.testing.assert_allclose(table.rows, expected, atol=1e-13)
    np.testing.assert_allclose(table.levels.sigma, [4, 2, 2, 1, 1])


def test_refusals() -> None:
    grid = c.awkward_grid()
    for name in ("lms", "deis", "pndm", "ipndm"):
        with pytest.raises(ValueError, match="order"):
            METHODS[name].table(grid, order=5)
        with pytest.raises(ValueError, match="0"):  # ε̂ = z says nothing of x̂ at α = 0
            METHODS[name].table(c.FROM_NOISE, "eps")
    with pytest.raises(ValueError, match="α = 0"):
        METHODS["pndm"].table(c.FROM_NOISE, "v")
    with pytest.raises(ValueError, match="times and a schedule"):
        METHODS["deis"].table(grid, variable="t")
    with pytest.raises(ValueError, match="variable"):
        METHODS["deis"].table(grid, variable="lambda")
    with pytest.raises(ValueError, match="start"):
        METHODS["pndm"].table(grid, start="euler")


@pytest.mark.parametrize("order", [1, 2, 3])
def test_released_deis(order: int) -> None:
    options = {"order": order, "variable": "log_rho", "lower_order_final": True}
    args = ("DEISMultistepScheduler", {"solver_order": order}, "deis", options)
    assert released.gap(*args, c.awkward_grid(8), "eps") < 1e-11


def test_released_lms() -> None:
    """The released quadrature has a tolerance of 1e-4 and is exact on polynomials all the same."""
    rho = c.awkward_grid(8).ratio
    args = ("LMSDiscreteScheduler", {}, "lms", {"order": 4}, Grid.from_ratios(rho))
    assert released.gap(*args, "eps") < 1e-11


@pytest.mark.parametrize("start", ["plms", "prk"])
def test_released_pndm(start: str) -> None:
    diffusers = pytest.importorskip("diffusers")
    import torch

    n, rng = 8, np.random.default_rng(0)
    levels = c.awkward_grid(2 * n)  # every other one is half-way
    alphas = torch.tensor(levels.alpha[::-1] ** 2)
    grid = Grid(levels.alpha[::2], levels.sigma[::2])
    total = n if start == "plms" else 2 * n
    scheduler = diffusers.PNDMScheduler(
        total, trained_betas=[0.1] * total, skip_prk_steps=start == "plms"
    )
    scheduler.set_timesteps(n)
    scheduler.alphas_cumprod = alphas[2::2] if start == "plms" else alphas[2:]
    scheduler.final_alpha_cumprod = alphas[0]
    table = METHODS["pndm"].table(grid, start=start, halfway=[levels[i] for i in (1, 3, 5)])
    outputs = rng.standard_normal((table.nfe, 4))
    z = state = rng.standard_normal(4)
    assert len(scheduler.timesteps) == table.nfe
    for m, t in zip(outputs, scheduler.timesteps, strict=True):
        state = scheduler.step(torch.tensor(m), t, torch.tensor(state)).prev_sample.numpy()
    np.testing.assert_allclose(table.a[-1] * z + table.weights() @ outputs, state, atol=1e-12)


def test_released_ipndm() -> None:
    diffusers = pytest.importorskip("diffusers")
    import torch

    grid, rng = c.awkward_grid(clean=True), np.random.default_rng(0)
    scheduler = diffusers.IPNDMScheduler()
    scheduler.set_timesteps(grid.n_steps)
    scheduler.alphas, scheduler.betas = torch.tensor(grid.alpha), torch.tensor(grid.sigma)
    table = METHODS["ipndm"].table(grid, "v")
    outputs = rng.standard_normal((table.nfe, 4))
    z = state = rng.standard_normal(4)
    for m, t in zip(outputs, scheduler.timesteps, strict=True):
        state = scheduler.step(torch.tensor(m), t, torch.tensor(state)).prev_sample.numpy()
    np.testing.assert_allclose(table.a[-1] * z + table.weights() @ outputs, state, atol=1e-12)
