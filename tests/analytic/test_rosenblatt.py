"""Conditional distribution functions of a mixture, by quadrature of its density."""

import numpy as np
import pytest

from analytic import GaussianMixture
from analytic.distances import Rosenblatt

LAW = GaussianMixture.full(
    [0.35, 0.65],
    [[-1.0, 0.5], [1.5, -0.3]],
    [[[0.6, 0.4], [0.4, 0.5]], [[0.3, -0.1], [-0.1, 1.2]]],
)


def conditional(law, x, directions):
    """F(second coordinate | first) by the trapezoidal rule along the second direction."""
    one, two = directions
    a, b = x @ one, x @ two
    y = np.linspace(-14, 14, 40_001)
    density = np.exp(law.log_density(a * one + y[:, None] * two))
    below = np.append(y[y < b], b)
    part = np.append(density[y < b], np.exp(law.log_density(a * one + b * two)))
    return np.trapezoid(part, below) / np.trapezoid(density, y)


@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_uniforms_are_the_conditional_distribution_functions(angle):
    c, s = np.cos(angle), np.sin(angle)
    directions = np.array([[c, s], [-s, c]])
    x = LAW.sample(6, np.random.default_rng(0)) * 1.5
    u = Rosenblatt(LAW, directions).uniforms(x)
    assert u[:, 0] == pytest.approx(LAW.marginal(directions[0]).cdf(x @ directions[0]), abs=1e-13)
    for point, value in zip(x, u[:, 1], strict=True):
        assert value == pytest.approx(conditional(LAW, point, directions), abs=1e-7)
    assert np.abs(u[:, 1] - LAW.marginal(directions[1]).cdf(x @ directions[1])).max() > 0.01


def test_far_from_every_mode_the_uniforms_exist():
    u = Rosenblatt(LAW, np.eye(2)).uniforms(np.array([[1e3, -1e3], [-1e3, 0.0]]))
    assert np.isfinite(u).all()
    assert u[:, 0].tolist() == [1.0, 0.0]


def test_uniforms_of_exact_samples_are_independent():
    x = LAW.sample(40_000, np.random.default_rng(1))
    u = Rosenblatt(LAW, rng=np.random.default_rng(2)).uniforms(x)
    counts, _, _ = np.histogram2d(u[:, 0], u[:, 1], bins=8, range=[[0, 1], [0, 1]])
    chi = ((counts - 625) ** 2 / 625).sum()
    assert chi < 63 + 5 * np.sqrt(126)
    apart = np.stack([LAW.marginal(e).cdf(x @ e) for e in np.eye(2)], 1)
    counts, _, _ = np.histogram2d(apart[:, 0], apart[:, 1], bins=8, range=[[0, 1], [0, 1]])
    assert ((counts - 625) ** 2 / 625).sum() > 1000  # the control: marginals are not independent


def test_floor_is_that_of_the_largest_of_m_uniform_samples():
    law = GaussianMixture.diagonal([1.0], np.zeros((1, 6)), np.arange(1.0, 7)[None])
    distance = Rosenblatt(law, rng=np.random.default_rng(3))
    floor = distance.floor(200)
    u = np.sort(np.random.default_rng(4).uniform(size=(2000, 200, 6)), axis=1)
    steps = np.arange(201)[:, None] / 200
    largest = np.maximum(steps[1:] - u, u - steps[:-1]).max((1, 2))
    assert floor.mean == pytest.approx(largest.mean(), abs=5 * largest.std() / np.sqrt(2000))
    assert np.mean(largest > floor.high) == pytest.approx(0.05, abs=5 * np.sqrt(0.0475 / 2000))


def test_many_dimensions_look_along_the_modes_first():
    d = 200
    means = np.zeros((2, d))
    means[1] = 5 / np.sqrt(d)
    law = GaussianMixture.isotropic([0.5, 0.5], means, 1.0)
    distance = Rosenblatt(law, rng=np.random.default_rng(5))
    directions = distance.projected.directions
    assert directions.shape == (8, d)
    assert directions @ directions.T == pytest.approx(np.eye(8), abs=1e-12)
    assert abs(directions[0] @ np.ones(d)) / np.sqrt(d) == pytest.approx(1)
    one = GaussianMixture.isotropic([1.0], means[:1], 1.0)
    x = one.sample(300, np.random.default_rng(6))
    assert distance.of(x).low > 5 * distance.floor(300).high
