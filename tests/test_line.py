"""Laws on the line by quadrature: against exact Gaussians, known maps, and large simulations."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import chi2

from analytic import GaussianMixture
from dfbench.exact import exact_model
from dfbench.grids import karras, uniform_t
from dfbench.line import LineLaw, Transition, output_law, transitions
from dfbench.samplers import METHODS
from dfbench.schedules import Cosine

GAUSS = GaussianMixture.isotropic([1.0], [[0.3]], 0.25)
MIX = GaussianMixture.isotropic([0.3, 0.7], [[-1.0], [1.0]], [0.01, 0.04])
VP = uniform_t(Cosine(), 12, 0.99, 0.01)
VE = karras(20.0, 0.02, 9)
CASES = {
    "ddim": ("ddim", {}, VP),
    "ddpm": ("ddpm", {}, VP),
    "half": ("ddim", {"eta": 0.5}, VP),
    "heun": ("heun", {}, VE),
    "churn": ("edm", {"s_churn": 4.0, "s_noise": 1.01}, VE),
    "ancestral": ("dpm2_ancestral", {}, VE),
    "multistep": ("dpm_solver_pp_multistep", {}, VP),
    "reverse_sde": ("reverse_sde", {}, VP),
}


def read(case):
    name, options, grid = CASES[case]
    start = 1.0 if grid is VP else grid[0].sigma ** 2
    return METHODS[name].table(grid, "x", **options), start


@pytest.mark.parametrize("case", CASES)
def test_gaussian_data_as_the_table_has_it(case):
    """The error of the quadrature is second order: 3e-7 of the value with 2¹³ cells."""
    table, start = read(case)
    found = output_law(transitions(table, exact_model(GAUSS, "x")), start)
    law = table.law([0.25], [0.3], start_variance=start, start_mean=0.0)
    mean, scale = float(law.mean[0]), float(law.variance[0]) ** 0.5
    assert np.abs(found.cdf - ndtr((found.x - mean) / scale)).max() < 5e-10
    truth = np.hypot(mean - 0.3, scale - 0.5)
    assert found.wasserstein(GAUSS) == pytest.approx(truth, rel=1e-6)
    own = GaussianMixture.isotropic([1.0], [[mean]], scale**2)
    assert found.wasserstein(own) < 2e-8
    assert found.total_variation(own) < 1e-8
    broken = replace(table, rows=table.rows * (1 + 1e-3))
    other = output_law(transitions(broken, exact_model(GAUSS, "x")), start)
    assert other.wasserstein(own) > 1e-4


@pytest.mark.parametrize("case", CASES)
def test_mixtures_as_a_large_simulation_has_them(case):
    table, start = read(case)
    model = exact_model(MIX, "x")
    law = output_law(transitions(table, model), start)
    rng = np.random.default_rng(1)
    n = 20_000
    x = table.run(
        model,
        start**0.5 * rng.standard_normal((n, 1)),
        lambda k: rng.standard_normal((n, 1)) if table.n_draws else None,
    )
    apart = np.abs(np.interp(np.sort(x[:, 0]), law.x, law.cdf) - (np.arange(n) + 0.5) / n).max()
    assert apart < 2.6 / np.sqrt(n)  # false alarms: 3e-6 each
    assert law.total_variation(MIX) > 2.6 / np.sqrt(n)  # the control: not simply the data's law
    exact = np.abs(
        np.interp(np.sort(MIX.sample(n, rng)[:, 0]), law.x, law.cdf) - (np.arange(n) + 0.5) / n
    ).max()
    assert exact > 2.6 / np.sqrt(n)


@pytest.mark.parametrize("case", ["ddpm", "heun", "churn"])
def test_the_quadrature_converges(case):
    table, start = read(case)
    chain = transitions(table, exact_model(MIX, "x"))
    w2 = [output_law(chain, start, n).wasserstein(MIX) for n in (1 << 10, 1 << 12, 1 << 14)]
    assert abs(w2[1] - w2[2]) < 1e-4 * w2[2]
    assert abs(w2[1] - w2[2]) < 0.5 * abs(w2[0] - w2[2])


def test_maps_that_fold_are_carried_branch_by_branch():
    """The square of a normal is χ²; folded and spread, its law is an integral over the normal."""
    square = Transition(lambda z: z**2, 0.0)
    law = output_law([square], 1.0)
    assert np.abs(law.cdf - chi2(1).cdf(law.x)).max() < 1e-3
    wave = [Transition(lambda z: np.sin(3 * z), 0.1)]
    spread = output_law(wave, 1.0)
    v = np.linspace(-9, 9, 200_001)
    weight = np.exp(-0.5 * v**2)
    for x in (-0.9, 0.1, 1.05):
        truth = (ndtr((x - np.sin(3 * v)) / 0.1) * weight).sum() / weight.sum()
        assert np.interp(x, spread.x, spread.cdf) == pytest.approx(truth, abs=1e-6)
        assert np.interp(x + 0.01, spread.x, spread.cdf) != pytest.approx(truth, abs=1e-4)
    twice = output_law([*wave, Transition(lambda z: -2 * z, 0.0)], 1.0)
    assert np.interp(-2 * spread.x[::-1], twice.x, twice.cdf) == pytest.approx(
        1 - spread.cdf[::-1], abs=1e-9
    )


def test_weights_of_far_modes_are_seen_to_the_last_digit():
    """W2² of weights ½ ± δ at modes 2 apart is that of the mass which has to go over: 4 δ."""
    far = GaussianMixture.isotropic([0.5, 0.5], [[-1.0], [1.0]], 1e-4)
    for delta in (1e-2, 1e-5):
        x = np.sort(np.concatenate([m + 0.01 * np.linspace(-8, 8, 4001) for m in (-1, 1)]))
        wrong = GaussianMixture.isotropic([0.5 - delta, 0.5 + delta], [[-1.0], [1.0]], 1e-4)
        found = LineLaw(x, wrong.cdf(x)).wasserstein(far)
        u = np.concatenate([[0.5 - delta], 0.5 + delta * np.linspace(-1, 1, 20_001)])
        middle = 0.5 * (u[1:] + u[:-1])
        gap = far.quantile(middle) - wrong.quantile(middle)
        assert found**2 == pytest.approx((np.diff(u) * gap**2).sum(), rel=0.02)
        assert found**2 == pytest.approx(4 * delta, rel=0.1)
        assert LineLaw(x, far.cdf(x)).wasserstein(far) < 1e-9


def test_total_variation_of_two_mixtures():
    shifted = GaussianMixture.isotropic([0.3, 0.7], [[-0.95], [1.02]], [0.01, 0.04])
    x = np.linspace(-4, 4, 20_001)
    truth = 0.5 * np.trapezoid(
        np.abs(np.exp(MIX.log_density(x[:, None])) - np.exp(shifted.log_density(x[:, None]))), x
    )
    assert LineLaw(x, shifted.cdf(x)).total_variation(MIX) == pytest.approx(truth, rel=1e-5)
    assert LineLaw(x, MIX.cdf(x)).total_variation(MIX) < 1e-12


def test_what_is_no_chain_on_the_line_is_refused():
    sde = METHODS["sde_dpm_solver_pp"].table(VP, "x", order=2)
    with pytest.raises(ValueError, match="more than one dimension"):
        transitions(sde, exact_model(GAUSS, "x"))
    path = METHODS["dpmpp_sde"].table(VE, "x")
    if path.noise_cov is not None and not np.allclose(path.covariance, np.eye(path.n_draws)):
        with pytest.raises(ValueError, match="Markov"):
            transitions(path, exact_model(GAUSS, "x"))
    points = GaussianMixture.points([[0.0], [1.0]])
    with pytest.raises(ValueError, match="variance"):
        LineLaw(np.linspace(0, 1, 5), np.linspace(0, 1, 5)).wasserstein(points)
