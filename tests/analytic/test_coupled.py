"""Paths between mixtures against convolution by quadrature, transport, draws and diffusion."""

import numpy as np
import pytest

from analytic import CoupledMixtures, GaussianMixture

X = GaussianMixture.isotropic([0.3, 0.7], [[-1.5], [1.0]], [0.2, 0.5])
Y = GaussianMixture.isotropic([0.6, 0.1, 0.3], [[-3.0], [0.5], [2.0]], [0.4, 0.3, 1.0])
PI = np.array([[0.3, 0.0, 0.0], [0.3, 0.1, 0.3]])


def plane(rng, coupled=True):
    """Two mixtures in the plane with full covariances, and a cross-covariance for each pair."""
    (a, b, c, d), turn = rng.normal(size=(4, 2, 2)) + np.eye(2), np.array([[0.0, -1.0], [1.0, 0.0]])
    x = GaussianMixture.full([0.4, 0.6], rng.normal(size=(2, 2)), [a @ a.T, b @ b.T])
    y = GaussianMixture.full([0.5, 0.5], rng.normal(size=(2, 2)), [c @ c.T, d @ d.T])
    cross = [[0.5 * a @ c.T, 0.8 * a @ turn @ d.T], [np.zeros((2, 2)), -0.3 * b @ d.T]]
    pi = np.array([[0.1, 0.3], [0.4, 0.2]])
    return CoupledMixtures(x, y, pi, cross) if coupled else CoupledMixtures(x, y)


@pytest.mark.parametrize("pi", [None, PI])
@pytest.mark.parametrize("level", [(0.7, 0.4), (0.2, -0.9), (1.5, 0.6)])
def test_density_velocity_and_score_by_quadrature(pi, level):
    alpha, beta = level
    rates = (-1.3, 0.8)
    weight = np.outer(X.weights, Y.weights) if pi is None else pi
    z = np.linspace(-4, 4, 9)
    x = np.arange(-8, 8, 0.02)
    y = (z[:, None] - alpha * x) / beta
    joint = sum(
        weight[k, m] * _normal(x, X, k) * _normal(y, Y, m) / abs(beta)
        for k in range(2)
        for m in range(3)
    )
    p = joint.sum(1) * 0.02
    flow = (joint * (rates[0] * x + rates[1] * y)).sum(1) * 0.02 / p
    law = CoupledMixtures(X, Y, pi)
    np.testing.assert_allclose(np.exp(law.log_density(z[:, None], *level)), p, rtol=1e-11)
    value = law.velocity(z[:, None], *level, *rates)[:, 0]
    np.testing.assert_allclose(value, flow, rtol=1e-10, atol=1e-10)
    h = 1e-3
    up, down = (law.log_density(z[:, None] + s, *level) for s in (h, -h))
    score = law.score(z[:, None], *level)[:, 0]
    np.testing.assert_allclose(score, (up - down) / (2 * h), rtol=1e-5, atol=1e-5)


def _normal(x, mixture, k):
    v = mixture.spectra[k, 0]
    return np.exp(-0.5 * (x - mixture.means[k, 0]) ** 2 / v) / np.sqrt(2 * np.pi * v)


def test_against_a_standard_normal_it_is_diffusion(rng, mixtures):
    for mixture in mixtures.values():
        d = mixture.dim
        noise = GaussianMixture.isotropic([1.0], np.zeros((1, d)), 1.0)
        law, z = CoupledMixtures(mixture, noise), rng.normal(size=(6, d))
        for name, extra in (("log_density", ()), ("score", ()), ("velocity", (-0.4, 1.2))):
            value = getattr(law, name)(z, 0.6, 0.5, *extra)
            truth = getattr(mixture, name)(z, 0.6, 0.5, *extra)
            np.testing.assert_allclose(value, truth, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(
            law.posterior_means(z[0], 0.6, 0.5)[1],
            mixture.posterior_eps(z[0], 0.6, 0.5),
            rtol=1e-11,
            atol=1e-11,
        )


def test_continuity_in_the_plane_with_cross_covariances(rng):
    law, z, h, t = plane(rng), rng.normal(size=(7, 2)), 1e-3, 0.37

    def path(t):
        return np.cos(t), np.sin(2 * t)

    rates = (-np.sin(t), 2 * np.cos(2 * t))

    def log_p(t):
        return law.log_density(z, *path(t))

    def flux(shift, axis):
        w = z + shift * np.eye(2)[axis]
        return law.velocity(w, *path(t), *rates)[:, axis]

    change = (8 * (log_p(t + h) - log_p(t - h)) - log_p(t + 2 * h) + log_p(t - 2 * h)) / (12 * h)
    div = sum(
        (8 * (flux(h, i) - flux(-h, i)) - flux(2 * h, i) + flux(-2 * h, i)) / (12 * h)
        for i in range(2)
    )
    along = (law.velocity(z, *path(t), *rates) * law.score(z, *path(t))).sum(1)
    np.testing.assert_allclose(change + div + along, 0, atol=1e-9)
    other = plane(np.random.default_rng(1), coupled=False).velocity(z, *path(t), *rates)
    assert np.abs((other * law.score(z, *path(t))).sum(1) - along).max() > 1e-2


def test_a_straight_line_between_equal_draws_stays(rng):
    """y = x: z = (alpha + beta) x, and the velocity is its own."""
    x = GaussianMixture.full([1.0], [[0.5, -1.0]], [[[2.0, 0.6], [0.6, 0.5]]])
    cross = np.array([[[2.0, 0.6], [0.6, 0.5]]])[None]
    law, z = CoupledMixtures(x, x, None, cross), rng.normal(size=(4, 2))
    np.testing.assert_allclose(law.log_density(z, 0.3, 0.7), x.log_density(z), rtol=1e-12)
    np.testing.assert_allclose(law.velocity(z, 0.3, 0.7, -1.0, 1.0), 0, atol=1e-12)
    np.testing.assert_allclose(law.velocity(z, 0.6, 0.4, 2.0, 1.0), 3 * z, atol=1e-12)


def test_what_is_refused():
    for arguments, message in (
        ((X, GaussianMixture.points([[0.0, 0.0]])), "one dimension"),
        ((X, Y, np.ones((2, 3)) / 6), "the weights of x and y"),
        ((X, Y, -PI), "non-negative"),
        ((X, Y, None, np.zeros((2, 3))), "cross must have shape"),
        ((X, Y, None, np.ones((2, 3, 1, 1))), "positive semi-definite"),
    ):
        with pytest.raises(ValueError, match=message):
            CoupledMixtures(*arguments)
    points = CoupledMixtures(GaussianMixture.points([[0.0]]), GaussianMixture.points([[1.0]]))
    with pytest.raises(ValueError, match="singular"):
        points.velocity([[0.5]], 0.5, 0.5, -1.0, 1.0)
    assert points.marginal(0.5, 0.5).means[0, 0] == 0.5
    with pytest.raises(ValueError, match="Generator"):
        points.sample(3, 0)
