"""The losses: one gradient whatever the prediction, and the expectation that is claimed."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from analytic import GaussianMixture
from dfbench.losses import weighted_loss
from dfbench.schedules import SCHEDULES, Cosine, FlowMatching
from dfbench.training import noise_levels
from dfbench.training.models import MLP
from dfbench.training.objectives import Objective, signs
from dfbench.weightings import WEIGHTINGS, FlowMatchingWeighting, Sigmoid

KINDS = ("eps", "x", "v", "u", "velocity", "score", "denoised", "edm")
LOW, HIGH = -6.0, 6.0


def batch(n, d=2, seed=0):
    rng = np.random.default_rng(seed)
    x, eps = (torch.as_tensor(rng.standard_normal((n, d))) for _ in range(2))
    lam = rng.uniform(LOW, HIGH, n)
    return x, eps, lam, np.full(n, 1 / (HIGH - LOW))


def network(d=2, seed=1):
    torch.manual_seed(seed)
    net = MLP(d, 16, 2, 4).double()
    nn.init.normal_(net.stop.weight)
    return net


def gradient(net, loss):
    parts = torch.autograd.grad(loss.mean(), list(net.parameters()))
    return torch.cat([part.flatten() for part in parts])


@pytest.mark.slow(quick=4)
@pytest.mark.parametrize("weighting", sorted(WEIGHTINGS))
@pytest.mark.parametrize("prediction", KINDS)
def test_one_weighting_one_gradient(prediction, weighting):
    """To rounding: the worst conversion multiplies it by |z|/σ · c ~ e^(λ/2) on both sides."""
    net, given = network(), batch(64)
    schedule, weight = Cosine(), WEIGHTINGS[weighting]()
    found = [
        gradient(net, Objective(prediction, loss, weight, schedule, 0.7)(net, *given))
        for loss in KINDS
    ]
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-9, atol=1e-11 * found[0].norm())


def test_another_weighting_is_another_gradient():
    """The control: x-MSE taken as it is weighs λ differently from v-MSE."""
    net, given = network(), batch(64)
    one, other = (
        gradient(net, Objective("v", "v", WEIGHTINGS[name](), Cosine(), 0.7)(net, *given))
        for name in ("v_cosine", "eps_cosine")
    )
    cosine = torch.nn.functional.cosine_similarity(one, other, dim=0)
    assert cosine < 0.999


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_the_value_is_the_weighted_error_of_eps(schedule):
    """On every schedule: for a network that returns 0 for ε, w/q |ε|²."""
    x, eps, lam, density = batch(32)
    made = SCHEDULES[schedule]()
    inside = np.clip(lam, made.log_snr(1.0) + 0.1, made.log_snr(0.0) - 0.1)
    objective = Objective("eps", "v", Sigmoid(), made, 1.0)
    each = objective(lambda z, told: 0 * z, x, eps, inside, density)
    expected = Sigmoid()(inside) / density * (eps**2).sum(1).numpy()
    np.testing.assert_allclose(each.numpy(), expected, rtol=1e-9)


TARGET = GaussianMixture.isotropic([0.3, 0.7], [[-1.0], [0.5]], [0.1, 0.3])


def draws(n, levels, seed=3):
    rng = np.random.default_rng(seed)
    x = torch.as_tensor(TARGET.sample(n, rng))
    return x, torch.as_tensor(rng.standard_normal((n, 1))), *levels.draw(rng.random(n))


def made(kind, **options):
    setting = noise_levels.Setting(FlowMatching(), FlowMatchingWeighting(), 1.0)
    return noise_levels.KINDS[kind](setting, low=LOW, high=HIGH, **options)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["schedule", "uniform", "importance", "adaptive"])
def test_the_estimate_is_unbiased(kind):
    """Against quadrature, within five standard errors; without w/q it is not."""
    levels = made(kind)
    x, eps, lam, density = draws(100_000, levels)
    objective = Objective("eps", "u", FlowMatchingWeighting(), Cosine(), 1.0, normalise=False)
    each = objective(lambda z, told: 0.6 * z, x, eps, lam, density).numpy()
    node, weight = np.polynomial.legendre.leggauss(60)
    nodes = (LOW + HIGH) / 2 + (HIGH - LOW) / 2 * node, (HIGH - LOW) / 2 * weight
    exact = weighted_loss(lambda z, level: 0.6 * z, TARGET, FlowMatchingWeighting(), nodes)
    error = 5 * each.std() / len(each) ** 0.5
    assert abs(each.mean() - exact) < error
    assert error < 0.1 * exact
    other = each * density / density.mean()
    if kind != "uniform":
        assert abs(other.mean() - exact) > 5 * other.std() / len(each) ** 0.5


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("loss", ["implicit", "hutchinson"])
def test_implicit_score_matching_needs_no_target(loss):
    """It differs from the denoising loss by −w/q |ε|² in expectation, within five errors."""
    x, eps, lam, density = draws(40_000, made("uniform"))
    net = network(1)
    probe = torch.as_tensor(np.random.default_rng(9).choice([-1.0, 1.0], x.shape))
    without, with_target = (
        Objective("eps", each, Sigmoid(), Cosine(), 1.0)(net, x, eps, lam, density, probe)
        for each in (loss, "score")
    )
    constant = torch.as_tensor(Sigmoid()(lam) / density) * (eps**2).sum(1)
    gap = (without - with_target + constant).detach().numpy()
    error = gap.std() / len(gap) ** 0.5
    assert abs(gap.mean()) < 5 * error
    # the control: without the trace there is nothing to hold the score's size
    level = Cosine().sigma(Cosine().t_of_log_snr(lam))
    score = Objective("eps", "score", Sigmoid(), Cosine(), 1.0).output(net, *states(x, eps, lam))
    square = torch.as_tensor(2 * Sigmoid()(lam) / density * level**2) * (score**2).sum(1) / 2
    gap = (square - with_target + constant).detach().numpy()
    assert abs(gap.mean()) > 5 * gap.std() / len(gap) ** 0.5


def test_directions_are_independent_signs():
    """Entries of {−1, 0, 1}, whose v vᵀ is ⅔ I in the mean, would pass no line of this."""
    like = torch.zeros(4000, 3, dtype=torch.float32)
    v = signs(like, torch.Generator().manual_seed(5))
    assert (v.shape, v.dtype) == (like.shape, like.dtype)
    assert (v.abs() == 1).all()
    second = (v.T @ v / len(v) - torch.eye(3)).abs().max()
    assert float(second) < 5 / len(v) ** 0.5
    assert float(v.mean(0).abs().max()) < 5 / len(v) ** 0.5


def states(x, eps, lam):
    from dfbench.training.objectives import Levels, as_column

    level = Levels.at(Cosine(), lam)
    return as_column(level.alpha, x) * x + as_column(level.sigma, x) * eps, level


def test_the_trace_is_the_mean_over_directions():
    """In two dimensions all four sign vectors average to the exact trace, row by row."""
    x, eps, lam, density = batch(16)
    net = network()
    exact = Objective("v", "implicit", Sigmoid(), Cosine(), 1.0)(net, x, eps, lam, density)
    found = []
    for each in itertools.product([-1.0, 1.0], repeat=2):
        probe = torch.tensor(each, dtype=torch.float64).expand_as(x)
        objective = Objective("v", "hutchinson", Sigmoid(), Cosine(), 1.0)
        found.append(objective(net, x, eps, lam, density, probe))
    torch.testing.assert_close(torch.stack(found).mean(0), exact)
    assert (found[0] - exact).abs().max() > 1e-3  # one direction is not enough


def test_images_are_points_like_others():
    """The loss of (n, c, h, w) is that of the flattened points."""
    rng = np.random.default_rng(2)
    x, eps = (torch.as_tensor(rng.standard_normal((5, 3, 2, 2))) for _ in range(2))
    lam, density = rng.uniform(LOW, HIGH, 5), np.full(5, 0.1)
    objective = Objective("x", "u", Sigmoid(), FlowMatching(), 0.5)
    one = objective(lambda z, told: z.sin(), x, eps, lam, density)
    flat = objective(lambda z, told: z.sin(), x.flatten(1), eps.flatten(1), lam, density)
    torch.testing.assert_close(one, flat)
