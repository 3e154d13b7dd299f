"""Rows 48 to 54: formulas that are wrong but plausible are seen."""

import numpy as np

from analytic import GaussianMixture
from dfbench.grids import uniform_t
from dfbench.levels import Level
from dfbench.literature import c48_noise_that_varies as c48
from dfbench.literature import c49_step_and_back as c49
from dfbench.literature import c50_start_alone as c50
from dfbench.literature import c51_churn_shifts_weight as c51
from dfbench.literature import c52_likelihood_of_an_energy as c52
from dfbench.literature import c53_coupled_flow_matching as c53
from dfbench.literature import c54_weight_of_the_states as c54
from dfbench.literature.limits import limit
from dfbench.testing import Field

LINE = GaussianMixture.isotropic([0.4, 0.6], [[-1.0], [1.0]], [0.1, 0.3])


def test_the_limit_of_a_polynomial_is_exact():
    steps = (2, 3, 5, 8)
    assert abs(limit(steps, [3 + 2 / n - 5 / n**2 + 7 / n**3 for n in steps]) - 3) < 1e-12


def test_a_drift_that_pays_for_the_average_noise_is_seen():
    """Right for every constant η."""
    schedule, eta = c48.SCHEDULES["cosine"][0], c48.NOISES["sin² πt"]
    mean_square = np.mean([eta(t) ** 2 for t in np.linspace(0.2, 0.8, 1001)])

    def gap(drift):
        step = c48.reverse(eta, drift, schedule)
        return c48.law_gap(step, c48.LINE, lambda n: uniform_t(schedule, n, 0.8, 0.2))

    assert gap(eta) < c48.BOUND
    assert gap(lambda t: mean_square**0.5) > 1e3 * c48.BOUND


def test_noise_that_is_right_on_one_scale_is_seen():
    """σ_t² − σ_s² instead of σ_t² − (α_t/α_s)² σ_s²."""
    right = c49.step_and_back()

    def wrong(target, t, s, z):
        return right(target, t, s, z)[0], np.sqrt(t.sigma**2 - s.sigma**2)

    case = {"target": LINE, "t": Level(0.8, 0.6)}
    assert c49.rates(wrong, scale=1.0, **case) < c49.rates.bound
    assert c49.rates(wrong, scale=0.9, **case) > 1e3 * c49.rates.bound


def test_a_sampler_whose_eta_is_a_variance_is_seen():
    class Variance(c50.Sampler):
        def table(self, grid, eta):
            return super().table(grid, eta**0.5)

    run = c50.RUNS["cosine"]
    off = c50.remembered(Variance(), run, 0.3) - c50.stated(run(1), 0.3)
    assert np.abs(off).max() > 0.1


def test_churn_that_goes_the_other_way_is_seen():
    right = c51.weights()
    found = c51.check(lambda churn, grid, m: right(0.9 - churn, grid, m))
    assert found.quantities["weight that moves to early outputs"] > 0.01


def test_other_phases_of_an_energy_are_seen():
    well = (np.array([0.3, -0.2]), np.array([[-1.0], [0.7]]), np.array([0.5, 0.8]))
    assert c52.gap(c52.two_phases(), well) < c52.gap.bound
    for wrong in (
        lambda at_data, of_model: at_data - of_model,
        lambda at_data, of_model: -at_data,
        lambda at_data, of_model: -at_data + at_data.mean(axis=0),
    ):
        assert c52.gap(wrong, well) > 0.01


def test_a_target_that_is_right_on_straight_paths_only_is_seen():
    finding = c53.in_the_plane(lambda x, y, level, rates: y - x)
    assert (finding.verdict, finding.where) != ("fail", "linear")
    assert finding.measured > 1e-3


def test_a_target_without_its_scale_is_seen_whatever_the_weight():
    field = Field((0.3, -0.5, 0.2, 0.1))
    for kept in c54.KEPT.values():
        wrong = c54.excess(
            lambda s, eps, sigma: (s + eps) ** 2 / 2, LINE, Level(0.8, 0.6), field, kept
        )
        assert wrong > 1e-3
