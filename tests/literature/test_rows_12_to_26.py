"""Learning targets and losses: parts of checks whose control is not the claim's own."""

import numpy as np
import pytest

from analytic import GaussianMixture
from analytic.information import elbo_gap_rate, mmse, point_information
from dfbench.levels import Level
from dfbench.literature import c14_denoising_score_matching as c14
from dfbench.literature import c15_conditional_flow_matching as c15
from dfbench.literature import c17_every_loss_is_a_weighting as c17
from dfbench.literature import c18_training_schedule as c18
from dfbench.literature import c22_elbo_gap as c22
from dfbench.literature import c25_reflow as c25
from dfbench.literature import reflow_in_the_plane as plane
from dfbench.literature.calculus import gauss_legendre
from dfbench.losses import denoising_score_matching
from dfbench.predictions import mse_factor
from dfbench.schedules import Cosine, FlowMatching
from dfbench.testing import Field
from dfbench.training.noise_levels import AdaptiveLevels
from dfbench.weightings import EDMWeighting, effective_weighting

IMAGE = 1 / np.arange(1, 65) ** 2.0


class LearnsFromTheEstimate(AdaptiveLevels):
    """Its average is of w|ε̂ − ε|²/q, what the loss adds up, and not of w|ε̂ − ε|²."""

    def update(self, lam, loss):
        width = (self.high - self.low) / len(self.mass)
        super().update(lam, loss * width / self.mass[self.bin(lam)])


class LearnsNothing(AdaptiveLevels):
    """It stays what it was."""

    def update(self, lam, loss):
        pass


def test_a_density_that_adapts_to_something_else_is_seen(monkeypatch):
    weight = EDMWeighting(sigma_data=float(np.sqrt(IMAGE.mean())))
    assert c18.adapts(IMAGE, weight, -10.0, 10.0).verdict == "pass"
    for wrong in (LearnsFromTheEstimate, LearnsNothing):
        monkeypatch.setattr(c18, "AdaptiveLevels", wrong)
        assert c18.adapts(IMAGE, weight, -10.0, 10.0).verdict == "fail"


PAIR = GaussianMixture.points([[-1.0, 0.5], [0.8, 1.2]], [0.4, 0.6])
FIELDS = Field((0.3, -0.5, 0.2, 0.1)), Field((-0.2, 0.4, 0.6, -0.3))


def test_a_score_matching_target_of_the_first_coordinate_alone_is_seen():
    """On the line it is all there is."""

    def wrong(score, eps, sigma):
        return denoising_score_matching(score, np.repeat(eps[:, :1], eps.shape[1], 1), sigma)

    line = GaussianMixture.isotropic([0.4, 0.6], [[-1.0], [0.8]], [0.2, 0.5])
    case = Level(0.8, 0.6), *FIELDS
    assert c14.gradients(wrong, line, *case) < c14.gradients.bound
    assert c14.gradients(wrong, PAIR, *case) > 1e-3
    assert c14.minimum(wrong, PAIR, case[0], FIELDS[1]) > 1e-3


def test_a_velocity_of_the_first_row_for_all_is_seen():
    def wrong(x, eps, level, rates):
        return c15.velocity(x, eps[:1], level, rates)

    assert c15.gap(wrong, PAIR, Cosine(), 0.5, *FIELDS) > 1e-3


def test_rates_that_are_wrong_at_the_end_only_are_seen():
    def wrong(x, eps, level, rates):
        return c15.velocity(x, eps, level, (0.0 if level.alpha < 0.05 else rates[0], rates[1]))

    assert c15.rates_gap(wrong, FlowMatching(), 2.0, 0.8) < c15.rates_gap.bound
    assert c15.rates_gap(wrong, FlowMatching(), 2.0, 1.0) > 0.1


def test_a_weight_of_v_that_is_right_on_variance_preserving_scales_only_is_seen():
    """c² = e^{-λ} + 1 instead of α² (e^{-λ} + 1)²: the same where α² + σ² = 1."""

    def wrong(kind, schedule, factor):
        right = effective_weighting(kind, schedule, factor)

        def of(lam):
            t = schedule.t_of_log_snr(lam)
            scale = mse_factor("eps", "v", schedule.alpha(t), schedule.sigma(t))
            return right(lam) * (np.exp(-lam) + 1) / scale

        return of

    def gap(name):
        return c17.loss(wrong, c17.LINE, c17.SCHEDULES[name], "v", FIELDS[0])

    assert gap("cosine") < c17.BOUND
    assert min(gap("variance exploding"), gap("flow matching"), gap("sub-VP")) > 1e-3


def test_a_rate_of_the_gap_that_is_right_for_one_component_only_is_seen(monkeypatch):
    """Of the square of the mean of the posterior's variance, which one Gaussian has everywhere."""

    def wrong(target, low, high):
        lam, weight = gauss_legendre(8, low, high, panels=6)
        return (high - low) / 4 * weight @ (np.exp(lam) * mmse(target, lam)) ** 2

    one = GaussianMixture.isotropic([1.0], [[0.5]], 0.4)
    two = GaussianMixture.isotropic([0.4, 0.6], [[-1.0], [1.0]], [0.2, 0.4])
    assert wrong(one, -3, 3) == pytest.approx(elbo_gap_rate(one, -3, 3), rel=1e-9)
    monkeypatch.setattr(c22, "elbo_gap_rate", wrong)
    assert c22.rate(c22.ddpm(), one) < c22.rate.bound
    assert c22.rate(c22.ddpm(), two) > 1e3 * c22.rate.bound


def test_a_divergence_that_forgets_where_the_point_is_is_seen(monkeypatch):
    """That of the mean of the data for all: right where there is one point."""

    def wrong(target, x, log_snr):
        return point_information(target, target.mean, log_snr)

    monkeypatch.setattr(c22, "point_information", wrong)
    assert c22.divergence_of_points(GaussianMixture.points([[0.3, 0.1]]), 0.5) < 1e-10
    assert c22.divergence_of_points(PAIR, 0.5) > 0.01
    assert c22.pointwise(c22.PLANE, -1.0, 0.4) > 0.01


def test_pairs_with_the_right_marginals_that_are_not_the_flows_are_seen():
    """Noise that is turned before it is carried: the marginals hold, the balance does not."""
    right, quarter = c25.sampler(), np.array([[0.0, -1.0], [1.0, 0.0]])
    target = plane.LAWS["two modes"]
    assert plane.balance(target, right(target, plane.Z)) < 1e-5
    turned = right(target, plane.Z @ quarter)
    assert plane.marginal(target, turned) < 1e-5
    assert plane.balance(target, turned) > 0.1
    assert plane.dearer(target, turned) > 0
