"""SA-Solver: stochastic Adams predictor and corrector."""

from __future__ import annotations

from typing import Any

import pytest

from dfbench.samplers import METHODS, sa_solver
from tests.samplers import convergence as c
from tests.samplers import released

ORDERS = [(1, 0), (1, 2), (2, 0), (2, 2), (2, 3), (3, 0), (3, 3), (3, 4)]


def options(p: int, corrector: int, **others: Any) -> dict[str, Any]:
    return {"predictor_order": p, "corrector_order": corrector, **others}


@pytest.mark.parametrize(("p", "corrector"), [*ORDERS, (3, 1)])
@pytest.mark.parametrize("predict_x0", [True, False])
def test_order(p: int, corrector: int, predict_x0: bool) -> None:
    """Without noise: p, and with a corrector through c outputs min(c, p + 1)."""
    case = options(p, corrector, tau=0.0, predict_x0=predict_x0)
    claimed = METHODS["sa_solver"].traits_of(**case).order
    measure = c.start_free_order if claimed > 2 else c.order
    # the leading term of (2, 2) and (3, 3) is small: its order shows late
    counts = (256, 512, 1024) if corrector == p > 1 else (64, 128, 256)
    assert abs(measure("sa_solver", counts, **case) - claimed) < 0.3


def test_control_order(monkeypatch: pytest.MonkeyPatch) -> None:
    phi = sa_solver.phi
    monkeypatch.setattr(sa_solver, "phi", lambda k, x: phi(k, x) * (1.01 if k == 2 else 1))
    assert c.start_free_order("sa_solver", **options(3, 0, tau=0.0)) < 2.3
    monkeypatch.setattr(sa_solver, "phi", lambda k, x: phi(k, x) * (1.1 if k == 2 else 1))
    assert c.weak_order("sa_solver", **options(2, 0)) < 1.6


@pytest.mark.parametrize(("p", "corrector"), [(1, 0), (2, 0), (2, 1), (3, 3)])
@pytest.mark.parametrize("tau", [0.5, 1.0])
def test_law(p: int, corrector: int, tau: float) -> None:
    """With noise the error of the output's variance is of order 2 at best."""
    case = options(p, corrector, tau=tau)
    claimed = METHODS["sa_solver"].traits_of(**case).order
    counts = (64, 128, 256, 512)
    assert abs(c.weak_order("sa_solver", counts, **case) - claimed) < 0.3


def test_noise_prediction_is_not_exact_on_points() -> None:
    method, grid = METHODS["sa_solver"], c.awkward_grid()
    assert c.point_gap(method.table(grid, predict_x0=False, tau=0.0)) < 1e-12
    assert c.point_gap(method.table(grid, predict_x0=False)) > 1e-2
    assert not method.traits_of(predict_x0=False).exact_on_points


def test_same_methods() -> None:
    grid = c.awkward_grid(clean=True)
    for k in (1, 2, 3):
        exact = {"order": k, "solver_type": "heun"}
        case = options(k, 0, tau=0.0)
        assert c.same("sa_solver", case, "dpm_solver_pp_multistep", exact, grid) < 1e-12
        case = options(k, 0, tau=1.0)
        assert c.same("sa_solver", case, "sde_dpm_solver_pp", exact, grid) < 1e-12
    few = options(1, 2, tau=0.0, few_steps=True)
    uni = {"order": 1, "variant": "bh1"}
    assert c.same("sa_solver", few, "unipc", uni, grid) < 1e-12
    assert c.same("sa_solver", options(1, 2, tau=0.0), "unipc", uni, grid) > 1e-3
    # τ² is the η of the SDE family
    case = options(2, 0, tau=0.5)
    other = {"solver_type": "heun", "eta": 0.25}
    assert c.same("sa_solver", case, "sde_dpm_solver_pp", other, grid) < 1e-12


def test_tau() -> None:
    """A function of the level at which the step starts, or one number for each step."""
    grid = c.awkward_grid()
    taus = [0.0, 0.0, 1.0, 1.0, 0.5, 0.0, 0.0]
    by_level = {float(s): tau for s, tau in zip(grid.sigma[:-1], taus, strict=True)}
    one = METHODS["sa_solver"].table(grid, "x", tau=taus)
    two = METHODS["sa_solver"].table(grid, "x", tau=lambda level: by_level[level.sigma])
    assert c.gap(one, two) == 0
    assert one.n_draws == 3
    assert c.point_gap(one) < 1e-12


def test_refusals() -> None:
    with pytest.raises(ValueError, match="σ = 0"):
        METHODS["sa_solver"].table(c.awkward_grid(clean=True), predict_x0=False)
    with pytest.raises(ValueError, match="7 entries"):
        METHODS["sa_solver"].table(c.awkward_grid(), tau=[1.0])
    with pytest.raises(ValueError, match="predictor_order"):
        METHODS["sa_solver"].table(c.awkward_grid(), predictor_order=0)


@pytest.mark.parametrize(("p", "corrector"), [(1, 1), (1, 2), (2, 2), (3, 3), (3, 4), (4, 2)])
@pytest.mark.parametrize("kind", ["data_prediction", "noise_prediction"])
@pytest.mark.parametrize("tau", [0.3, 1.0])
def test_released(p: int, corrector: int, kind: str, tau: float) -> None:
    config = {
        "predictor_order": p,
        "corrector_order": corrector,
        "algorithm_type": kind,
        "tau_func": lambda _: tau,
    }
    data = kind == "data_prediction"
    case = options(p, corrector, tau=tau, predict_x0=data, few_steps=True, lower_order_final=True)
    args = ("SASolverScheduler", config, "sa_solver", case, c.awkward_grid(8))
    assert released.gap(*args, "x" if data else "eps") < 1e-9
