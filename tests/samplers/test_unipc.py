"""UniPC: predictor and corrector."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from dfbench.levels import Grid
from dfbench.samplers import METHODS, unipc
from tests.samplers import convergence as c
from tests.samplers import released

CASES: list[dict[str, Any]] = [
    {"order": k, "variant": b, "predict_x0": x, "corrector": corrector}
    for k, b, x, corrector in itertools.product(
        (1, 2, 3), ("bh1", "bh2"), (True, False), (True, False)
    )
]


@pytest.mark.parametrize("options", CASES)
def test_order(options: dict[str, Any]) -> None:
    """p for the predictor alone, p + 1 with the corrector."""
    claimed = METHODS["unipc"].traits_of(**options).order
    assert claimed == options["order"] + options["corrector"]
    counts = (128, 256, 512) if claimed < 4 else (64, 128, 256)
    measure = c.start_free_order if claimed > 2 else c.order
    assert abs(measure("unipc", counts, **options) - claimed) < 0.3


@pytest.mark.parametrize(
    "options", [{"order": 3, "lower_order_final": True}, {"disable_corrector": range(1000)}]
)
def test_order_lost(options: dict[str, Any]) -> None:
    assert METHODS["unipc"].traits_of(**options).order == 2
    assert abs(c.order("unipc", (64, 128, 256), **options) - 2) < 0.3


def test_control_order(monkeypatch: pytest.MonkeyPatch) -> None:
    phi = unipc.phi
    monkeypatch.setattr(unipc, "phi", lambda k, x: phi(k, x) * (1.01 if k == 2 else 1))
    assert c.start_free_order("unipc", order=2) < 2.5
    assert c.start_free_order("unipc", order=3) < 2.5


def test_from_pure_noise() -> None:
    for k in (1, 2, 3):
        for options in (
            {"variant": "bh2"},
            {"variant": "bh1", "disable_corrector": [0]},
            {"corrector": False},
        ):
            table = METHODS["unipc"].table(c.FROM_NOISE, "x", order=k, **options)
            assert c.point_gap(table) < 1e-12
            assert np.isfinite(table.rows).all()
        noise = {"predict_x0": False, "disable_corrector": [0]}
        assert c.point_gap(METHODS["unipc"].table(c.FROM_NOISE, "v", order=k, **noise)) < 1e-12
    for options in ({"variant": "bh1"}, {"predict_x0": False}):
        with pytest.raises(ValueError, match="disable_corrector"):
            METHODS["unipc"].table(c.FROM_NOISE, "v", **options)


def test_limit_of_pure_noise() -> None:
    """What happens at α = 0 is the limit α → 0."""
    alpha = c.FROM_NOISE.alpha.copy()
    alpha[0] = 1e-60
    near = METHODS["unipc"].table(Grid(alpha, c.FROM_NOISE.sigma), "x", order=3)
    table = METHODS["unipc"].table(c.FROM_NOISE, "x", order=3)
    np.testing.assert_allclose(near.rows, table.rows, atol=0.05)  # as 1/log α


def test_first_two_steps_by_hand() -> None:
    """UniPC-1 with B = e^h − 1 in data prediction, on levels (1, e^{−λ})."""
    a, b = 0.7, 0.4
    rho = np.exp([0.0, -a, -a - b])
    rows = METHODS["unipc"].table(Grid.from_ratios(rho), "x", order=1).rows
    predicted = np.array([math.exp(-a), 1 - math.exp(-a), 0.0])
    corrected = predicted + (1 - math.exp(-a)) / 2 * np.array([0.0, -1.0, 1.0])
    final = math.exp(-b) * corrected + np.array([0.0, 0.0, 1 - math.exp(-b)])
    np.testing.assert_allclose(rows, [[1, 0, 0], predicted, final], atol=1e-14)


def test_same_methods() -> None:
    grid = c.awkward_grid(clean=True)
    for k in (1, 2, 3):
        predictor = {"order": k, "corrector": False}
        assert c.same("unipc", predictor, "dpm_solver_pp_multistep", {"order": k}, grid) < 1e-12
        noise = {"predict_x0": False, **predictor}
        other = {"order": k}
        assert c.same("unipc", noise, "dpm_solver_multistep", other, c.awkward_grid()) < 1e-12
    released_3m = {"order": 3, "halved": True}
    assert c.same("unipc", predictor, "dpm_solver_pp_multistep", released_3m, grid) > 1e-3


def test_refusals() -> None:
    with pytest.raises(ValueError, match="variant"):
        METHODS["unipc"].table(c.awkward_grid(), variant="bh3")


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("variant", ["bh1", "bh2"])
@pytest.mark.parametrize("predict_x0", [True, False])
def test_released(order: int, variant: str, predict_x0: bool) -> None:
    """Into σ = 0 the released bh1 gives NaN, as ∞ · 0."""
    clean = predict_x0 and variant == "bh2"
    config = {
        "solver_order": order,
        "solver_type": variant,
        "predict_x0": predict_x0,
        "disable_corrector": [2],
        "final_sigmas_type": "zero" if clean else "sigma_min",
    }
    options = {
        "order": order,
        "variant": variant,
        "predict_x0": predict_x0,
        "disable_corrector": [2],
        "lower_order_final": True,
    }
    grid = c.awkward_grid(8, clean=clean)
    args = ("UniPCMultistepScheduler", config, "unipc", options, grid)
    assert released.gap(*args, "x" if predict_x0 else "eps") < 1e-9


def test_start_at_pure_noise_is_the_limit():
    """From α = 0 the coefficients are those of α → 0: the oldest output drops out, not its row."""
    sigma = np.array([1.0, 0.75, 0.5, 0.25])
    alpha = 1 - sigma
    exact = METHODS["unipc"].table(Grid(alpha, sigma), "x", order=2).rows
    gaps = []
    for small in (1e-30, 1e-300):  # the limit is approached like 1/log α
        near = np.concatenate([[small], alpha[1:]])
        rows = METHODS["unipc"].table(Grid(near, sigma), "x", order=2).rows
        gaps.append(np.abs(rows - exact).max())
    assert gaps[1] < 5e-4
    assert gaps[1] < 0.15 * gaps[0]
