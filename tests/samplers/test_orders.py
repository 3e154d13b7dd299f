"""Measured orders against those the methods claim."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dfbench.levels import Grid
from dfbench.samplers import METHODS
from dfbench.samplers.method import Model, Noise
from dfbench.samplers.ode import exploding, in_sigma
from dfbench.schedules import Cosine, LinearVP, Schedule
from tests.samplers.convergence import STARTS, truth
from tests.samplers.convergence import model as mixture
from tests.samplers.laws import grid, order, slope, weak_errors, weak_orders

T = LinearVP()
SOLVERS = ("euler", "midpoint", "heun", "rk4")
STRONG: list[tuple[str, dict[str, Any], Schedule | None]] = [
    ("ddim", {}, None),
    ("euler", {}, None),
    ("heun", {}, None),
    ("rk4", {}, None),
    ("dpm2", {}, None),
    ("dpm2", {"rho": 3.0}, None),
    *(("flow_matching", {"solver": s}, None) for s in SOLVERS),
    *(("velocity", {"solver": s}, Cosine()) for s in SOLVERS),
    *(("probability_flow", {"solver": s}, T) for s in SOLVERS),
    ("edm", {}, None),
    ("edm", {"second_order": False}, None),
    ("euler_ancestral", {"eta": 0.0}, None),
    ("dpm2_ancestral", {"eta": 0.0}, None),
    ("dpmpp_2s_ancestral", {"eta": 0.0}, None),
    ("dpmpp_sde", {"eta": 0.0, "r": 0.3}, None),
    ("flow_ancestral", {"eta": 0.0}, None),
    ("tcd", {"gamma": 0.0}, None),
    ("reverse_sde", {"eta": 0.0}, T),
    ("interpolant_sde", {"epsilon": 0.0}, T),
    *(("exponential_sde", {"eta": 0.0, "hold": h}, T) for h in ("x", "eps", "score")),
]
CHURN = {"s_churn": 2.0}
WEAK: list[tuple[str, dict[str, Any], Schedule | None]] = [
    ("ddim", {"eta": 0.5}, None),
    ("ddim", {"eta": 1.0}, None),
    ("ddpm", {}, None),
    ("ddpm", {"variance": "beta"}, None),
    ("ddpm", {"variance": 0.5}, None),
    ("euler_ancestral", {}, None),
    ("dpm2_ancestral", {}, None),
    ("dpm2_ancestral", {"rho": 3.0}, None),
    ("dpm2_ancestral", {"eta": 0.5}, None),
    ("dpmpp_2s_ancestral", {}, None),
    ("dpmpp_sde", {}, None),
    ("dpmpp_sde", {"eta": 0.5}, None),
    ("dpmpp_sde", {"r": 0.3}, None),
    ("dpmpp_sde", {"brownian": False}, None),
    ("flow_ancestral", {}, None),
    ("edm", CHURN, None),
    ("edm", {**CHURN, "second_order": False}, None),
    ("edm", {**CHURN, "stale": "x"}, None),
    ("edm", {**CHURN, "stale": "eps"}, None),
    ("reverse_sde", {"eta": 0.5}, T),
    ("reverse_sde", {"eta": 1.0}, T),
    ("interpolant_sde", {"epsilon": 1.0}, T),
    ("exponential_sde", {}, T),
    ("exponential_sde", {"eta": 0.5}, T),
    ("exponential_sde", {"hold": "eps", "eta": 0.5}, T),
    ("exponential_sde", {"hold": "score"}, T),
    ("predictor_corrector", {"n_corrector": 0}, None),
    ("predictor_corrector", {"n_corrector": 0, "denoise": False}, None),
    ("predictor_corrector", {"predictor": "ancestral", "n_corrector": 0}, None),
]
# Elsewhere two errors cancel in passing, and a fit says nothing about the order.
VARIANCES = {"exponential_sde-eps": (0.04, 4.0), "reverse_sde": (0.04, 0.25)}


def name(case: Any) -> str:
    return case[0] + "-" + ",".join(f"{k}={v}" for k, v in case[1].items())


@pytest.mark.parametrize("case", STRONG, ids=name)
def test_order_on_the_flow_of_a_mixture(case: Any) -> None:
    method, options, schedule = case
    claimed = METHODS[method].traits_of(**options).order
    assert order(method, schedule, **options) == pytest.approx(claimed, abs=0.3)


@pytest.mark.slow(quick=12)
@pytest.mark.parametrize("case", WEAK, ids=name)
def test_weak_order_from_the_exact_law(case: Any) -> None:
    method, options, schedule = case
    claimed = METHODS[method].traits_of(**options).order
    key = "-".join([method, *([options["hold"]] if "hold" in options else [])])
    variances = VARIANCES.get(key, (0.04, 0.25, 4.0))
    measured = weak_orders(method, variances, schedule, **options)
    assert measured == pytest.approx(np.full(len(variances), claimed), abs=0.3)


def _silent(start: float | None = None, stop: float | None = None) -> Any:
    return 0.0


def test_a_wrong_level_is_seen_in_the_order() -> None:
    """Control: Heun's method whose second slope is told the level of the first."""

    def wrong(model: Model, z: Any, levels: Grid, noise: Noise) -> Any:
        for t, s in levels.steps():
            x, h = exploding(z, t)[0], s.ratio - t.ratio
            d = in_sigma(model, t, s)(x, t.ratio)
            z = s.alpha * (x + 0.5 * h * (d + in_sigma(model, t, t)(x + h * d, t.ratio)))
        return z

    counts, errors = (16, 32, 64, 128), []
    for n in counts:
        levels = grid(n)
        z = wrong(mixture, levels.alpha[0] * STARTS * np.hypot(1, 10.0), levels, _silent)
        errors.append(np.abs(z / levels.alpha[-1] - truth(10.0, 0.1)).max())
    assert slope(counts, errors) < 1.5


def test_wrong_noise_is_seen_in_the_weak_order() -> None:
    """Control: noise of another size than was removed leaves an error that does not shrink."""
    for method in ("euler_ancestral", "dpm2_ancestral", "dpmpp_sde"):
        assert (weak_orders(method, s_noise=1.05) < 0.5).all()
    assert (weak_orders("edm", s_churn=2.0, s_noise=1.05) < 0.5).all()


def test_one_brownian_path_is_what_makes_dpmpp_sde_second_order() -> None:
    good, bad = (weak_errors("dpmpp_sde", 256, [0.25, 4.0], brownian=b) for b in (True, False))
    assert (bad > 100 * good).all()


def test_the_beta_variance_is_exact_for_unit_gaussian_data() -> None:
    """CLAIMS 23, with the other variance as control."""
    levels = grid(7)
    exact = METHODS["ddpm"].table(levels, "x", variance="beta").law(1.0)
    off = METHODS["ddpm"].table(levels, "x").law(1.0)
    assert exact.variance[0] == pytest.approx(1.0, abs=1e-13)
    assert abs(off.variance[0] - 1.0) > 1e-2


def test_a_langevin_corrector_keeps_its_bias() -> None:
    """On one level that is never left it settles at variance 1/(1 − snr²) of the exact (40)."""
    still = Grid.from_ratios([1.0, 1.0])
    for snr in (0.15, 0.3):
        table = METHODS["predictor_corrector"].table(still, "eps", n_corrector=400, snr=snr)
        assert table.law(0.0).variance[0] == pytest.approx(1 / (1 - snr**2), abs=1e-12)
    few = METHODS["predictor_corrector"].table(still, "eps", n_corrector=1, snr=0.15).law(0.0)
    assert abs(few.variance[0] - 1 / (1 - 0.15**2)) > 1e-3


def test_annealed_langevin_mixes_slowly() -> None:
    """NCSN's steps: the law comes closer with more of them at each level, down to a bias (41)."""
    levels = Grid.from_ratios(np.geomspace(10.0, 0.1, 10))
    tables = [METHODS["annealed_langevin"].table(levels, step=2e-3, n_steps=n) for n in (1, 20)]
    few, many = (t.law(0.25, start_variance=100.0).wasserstein(0.0, 0.26)[0] for t in tables)
    assert few > 10 * many
    assert many > 1e-4
