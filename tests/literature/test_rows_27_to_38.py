"""Samplers: the numbers that claims report beside the verdict."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from dfbench.grids import regular, uniform_t
from dfbench.literature import c33_straightness as c33
from dfbench.literature import c35_churn as c35
from dfbench.literature import c37_reverse_sde_with_eta as c37
from dfbench.literature.limits import limit
from dfbench.samplers import METHODS
from dfbench.schedules import Cosine


def test_euler_on_the_probability_flow_is_exact_for_a_constant_v(findings):
    """And DDIM is not: that it is exact for a constant output holds for x̂, ε̂ and û."""
    sizes = findings("30").quantities
    assert sizes["Euler, constant v̂, 8 steps: error"] < 1e-12
    assert sizes["DDIM, constant v̂, 8 steps: error"] > 0.05


def test_euler_on_two_scales_differs_at_first_order(findings):
    sizes = findings("31").quantities
    few, many = (
        sizes[f"Euler, {n} steps: samples on the two scales differ by (RMS)"] for n in (8, 32)
    )
    assert few / many == pytest.approx(4, rel=0.1)
    assert sizes["DDIM, 8 steps: samples on the two scales differ by (RMS)"] < 1e-13


@pytest.mark.parametrize("variance", [0.02, 0.3, 5.0])
def test_straightness_of_the_flow_path_in_closed_form(variance):
    def rate2(t):
        v = (1 - t) ** 2 * variance + t**2
        return (t - (1 - t) * variance) ** 2 / v

    length, _ = quad(rate2, 0, 1, epsabs=1e-12, limit=200)
    expected = length - (1 - np.sqrt(variance)) ** 2
    assert c33.closed_form("flow", variance) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ["flow", "vp"])
def test_wide_data_is_narrow_noise(name):
    """Data and noise change places under t → 1 − t, so S(s) = s S(1/s)."""
    assert c33.closed_form(name, 9.0) == pytest.approx(9 * c33.closed_form(name, 1 / 9), rel=1e-8)


def test_break_even_variance(findings):
    edge = findings("33").quantities["break-even variance s*, Gaussian data"]
    assert c33.of_gaussians(0.9 * edge) > 0 > c33.of_gaussians(1.1 * edge)


def test_excess_of_beta_is_the_ratio_of_the_sigmas(findings):
    levels = regular(0, 0.2, 1)
    excess = findings("34").quantities["β, 100 steps: noise of a step too large by"]
    assert excess == pytest.approx(levels.sigma[0] / levels.sigma[1] - 1, rel=1e-12)


def test_churn_and_the_eta_of_ddim_agree_at_the_two_ends_only():
    """0 is DDIM, ½ is DDPM; between them DDIM's own η is another family."""
    step = regular(0.0, 0.5, 1)
    for fraction, eta in ((0.0, 0.0), (0.5, 1.0)):
        ddim = METHODS["ddim"].table(step, "x", eta=eta)
        np.testing.assert_allclose(c35.churn()(step, fraction).rows, ddim.rows, atol=1e-14)
    between = METHODS["ddim"].table(step, "x", eta=np.sqrt(0.25 / 0.75))
    assert np.abs(c35.churn()(step, 0.25).rows - between.rows).max() > 1e-3


def test_a_drift_that_is_right_for_eta_0_and_1_only_is_seen():
    """½ (1 + η) g² s instead of ½ (1 + η²) g² s: no ODE, no DDPM and no step of theirs shows it."""
    right = METHODS["reverse_sde"]

    def wrong(grid, eta):
        noisy, drift = (right.table(grid, "eps", eta=e) for e in (eta, eta**0.5))
        rows = np.concatenate([drift.rows[:, : 1 + noisy.nfe], noisy.C], axis=1)
        return replace(noisy, rows=rows)

    def gap(eta):
        tables = [wrong(uniform_t(Cosine(), n, *c37.ENDS), eta) for n in c37.STEPS]
        return np.abs(limit(c37.STEPS, [c37.marginal_error(table) for table in tables])).max()

    assert max(gap(0.0), gap(1.0)) < c37.LIMIT
    assert gap(0.5) > 1e3 * c37.LIMIT
