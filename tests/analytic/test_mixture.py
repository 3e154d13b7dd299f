"""The fields of a diffused mixture against its density in 60 digits and the equations."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from analytic import GaussianMixture

LEVELS = [(1.0, 1e-3), (0.9, 0.4), (0.5, 0.5), (0.02, 1.0), (1e-6, 1.0), (1.0, 80.0), (1e-8, 3e-9)]
FIELDS = [
    "log_density",
    "score",
    "score_jacobian",
    "score_divergence",
    "posterior_mean",
    "posterior_eps",
    "posterior_covariance",
]
POSTERIOR = {"posterior_mean", "posterior_covariance"}


@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_every_field_agrees_with_the_density_in_60_digits(mixture, exact, relative, rng, level):
    oracle = exact(mixture, *level)
    for z in mixture.sample_diffused(2, *level, rng):
        truth = oracle.fields(z)
        for name in FIELDS:
            assert relative(getattr(mixture, name)(z, *level), truth[name]) < 2e-10, name
        # The control: a level one per cent off is seen, at every level, by all but the posterior
        # of x, which may not depend on it to the last digit.
        wrong = (level[0] * 1.01, level[1] * 0.98)
        for name in FIELDS if level == (0.5, 0.5) else set(FIELDS) - POSTERIOR:
            assert relative(getattr(mixture, name)(z, *wrong), truth[name]) > 2e-10, name


@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_posterior_mean_at_high_noise_keeps_digits_that_tweedie_loses(relative, exact, level):
    mixture = GaussianMixture.points([[-1.0, 0.0], [1.0, 0.5]])
    z = np.array([0.3, -0.2]) * max(level)
    truth = exact(mixture, *level).fields(z)["posterior_mean"]
    assert relative(mixture.posterior_mean(z, *level), truth) < 1e-12
    if level == (1e-6, 1.0):  # the control: the textbook formula at the same level
        tweedie = (z + level[1] ** 2 * mixture.score(z, *level)) / level[0]
        assert relative(tweedie, truth) > 1e-12


def test_posterior_eps_at_low_noise_keeps_digits_that_the_difference_loses(relative, exact):
    mixture, level = GaussianMixture.isotropic([0.5, 0.5], [[-1.0], [1.0]], [1.0, 0.5]), (1.0, 1e-9)
    z = np.array([0.4])
    truth = exact(mixture, *level).fields(z)["posterior_eps"]
    assert relative(mixture.posterior_eps(z, *level), truth) < 1e-12
    difference = (z - level[0] * mixture.posterior_mean(z, *level)) / level[1]
    assert relative(difference, truth) > 1e-3


@given(st.data())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_fields_of_random_mixtures(exact, relative, data):
    numbers = st.floats(-5, 5, allow_subnormal=False)
    size, dim = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))
    table = st.lists(st.lists(numbers, min_size=dim, max_size=dim), min_size=size, max_size=size)
    means, log_s = np.array(data.draw(table)), np.array(data.draw(table))
    weights = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=size, max_size=size)))
    mixture = GaussianMixture.diagonal(weights / weights.sum(), means, 10.0**log_s)
    alpha, sigma = 10.0 ** data.draw(st.floats(-2, 1)), 10.0 ** data.draw(st.floats(-2, 1))
    pick = data.draw(st.integers(0, size - 1))
    u = np.array(data.draw(table))[0] / 2
    z = alpha * means[pick] + np.sqrt(alpha**2 * 10.0 ** log_s[pick] + sigma**2) * u
    truth = exact(mixture, alpha, sigma).fields(z)
    for name in FIELDS:
        value = getattr(mixture, name)(z, alpha, sigma)
        scale = np.abs(truth[name]).max() + 1 / sigma**2 * (name.startswith("score"))
        assume(scale > 1e-12)
        assert np.abs(value - truth[name]).max() < 1e-9 * scale, name


def test_density_and_posterior_against_quadrature(mixtures):
    mixture, (alpha, sigma) = mixtures["line"], (0.7, 0.4)
    parts = list(zip(mixture.weights, mixture.means[:, 0], mixture.spectra[:, 0], strict=True))

    def joint(x, z, power):
        prior = sum(w * np.exp(-((x - m) ** 2) / (2 * s)) / np.sqrt(s) for w, m, s in parts)
        noise = np.exp(-((z - alpha * x) ** 2) / (2 * sigma**2)) / sigma
        return x**power * prior * noise / (2 * np.pi)

    for z in (-1.5, 0.2, 2.0):
        mass, first, second = (
            quad(joint, -15, 15, args=(z, p), epsabs=1e-13, limit=200)[0] for p in range(3)
        )
        mean = mixture.posterior_mean([z], alpha, sigma)[0]
        assert mixture.log_density([z], alpha, sigma) == pytest.approx(np.log(mass), abs=1e-10)
        assert mean == pytest.approx(first / mass, abs=1e-10)
        variance = second / mass - (first / mass) ** 2
        assert mixture.posterior_covariance([z], alpha, sigma)[0, 0] == pytest.approx(variance)
        # The control: the prior mean of the likeliest component alone is not the posterior mean.
        best = mixture.responsibilities([z], alpha, sigma).argmax()
        assert abs(mixture.means[best, 0] - first / mass) > 1e-2


def test_the_training_set_minimiser_is_the_softmax_mean_over_all_points(rng):
    points = rng.normal(size=(50, 3))
    mixture, alpha, sigma = GaussianMixture.points(points), 0.8, 0.6
    z = mixture.sample_diffused(20, alpha, sigma, rng)
    logits = -((z[:, None] - alpha * points) ** 2).sum(-1) / (2 * sigma**2)
    weights = np.exp(logits - logits.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    value = mixture.posterior_mean(z, alpha, sigma)
    np.testing.assert_allclose(value, weights @ points, atol=1e-13)
    np.testing.assert_allclose(mixture.responsibilities(z, alpha, sigma), weights, atol=1e-13)
    assert np.abs(value - points[weights.argmax(1)]).max() > 0.1  # the nearest point alone is not


def _path(t):
    """A schedule that is neither VP nor straight, with its derivatives."""
    return np.cos(1.3 * t), 0.1 + t**2, -1.3 * np.sin(1.3 * t), 2 * t


def _continuity_residual(mixture, z, t, velocity, divergence):
    """`d log p/dt + div u + u . score`, which is the continuity equation divided by p."""
    h = 1e-4

    def log_p(shift):
        return mixture.log_density(z, *_path(t + shift)[:2])

    dt = (8 * (log_p(h) - log_p(-h)) - (log_p(2 * h) - log_p(-2 * h))) / (12 * h)
    return dt + divergence + (velocity * mixture.score(z, *_path(t)[:2])).sum(-1)


def test_continuity_equation(mixture, rng):
    for t in (0.2, 0.6, 0.9):
        path = _path(t)
        z = mixture.sample_diffused(30, *path[:2], rng)
        velocity, divergence = mixture.velocity(z, *path), mixture.velocity_divergence(z, *path)
        residual = _continuity_residual(mixture, z, t, velocity, divergence)
        assert np.abs(residual).max() < 1e-7 * max(1, np.abs(divergence).max())
        # The controls: a rate one per cent wrong, and the sign of the noise.
        for a, b in ((1.01, 1.0), (1.0, 1.01), (1.0, -1.0)):
            bad = (*path[:2], a * path[2], b * path[3])
            wrong = mixture.velocity(z, *bad), mixture.velocity_divergence(z, *bad)
            residual = _continuity_residual(mixture, z, t, *wrong)
            assert np.abs(residual).max() > 1e-3 * max(1, np.abs(divergence).max())


def test_fokker_planck_equation(mixture, rng):
    t = 0.6
    alpha, sigma, alpha_dot, sigma_dot = _path(t)
    f = alpha_dot / alpha
    g2 = 2 * sigma * (sigma_dot - f * sigma)
    z = mixture.sample_diffused(30, alpha, sigma, rng)
    score, laplacian = mixture.score(z, alpha, sigma), mixture.score_divergence(z, alpha, sigma)

    def residual(f, g2):  # -div(p f z) + g2/2 laplacian(p), over p, as a drift f z - g2/2 score
        drift = f * z - 0.5 * g2 * score
        return _continuity_residual(mixture, z, t, drift, f * mixture.dim - 0.5 * g2 * laplacian)

    size = max(1, np.abs(g2 * laplacian).max())
    assert np.abs(residual(f, g2)).max() < 1e-7 * size
    assert np.abs(residual(f, 1.01 * g2)).max() > 1e-3 * size
    assert np.abs(residual(1.01 * f, g2)).max() > 1e-4 * size


def test_jacobians_against_differences_of_the_fields(mixture, rng):
    level, h = (0.8, 0.5), 1e-4
    z = mixture.sample_diffused(10, *level, rng)

    def difference(field):
        def shifted(c):
            steps = c * h * np.eye(mixture.dim)
            return np.stack([field(z + step) for step in steps], axis=-1)

        return (8 * (shifted(1) - shifted(-1)) - (shifted(2) - shifted(-2))) / (12 * h)

    jacobian = mixture.score_jacobian(z, *level)
    numeric = difference(lambda x: mixture.score(x, *level))
    size = np.abs(numeric).max()
    assert np.abs(jacobian - numeric).max() < 1e-9 * size
    assert np.abs(0.999 * jacobian - numeric).max() > 1e-5 * size
    assert (jacobian == np.swapaxes(jacobian, 1, 2)).all()
    rates = (-0.7, 1.3)
    numeric = np.trace(difference(lambda x: mixture.velocity(x, *level, *rates)), axis1=1, axis2=2)
    divergence = mixture.velocity_divergence(z, *level, *rates)
    assert np.abs(divergence - numeric).max() < 1e-9 * max(1, np.abs(numeric).max())
    swapped = mixture.velocity_divergence(z, *level, *rates[::-1])
    assert np.abs(swapped - numeric).max() > 1e-3


def test_diffused_law_and_fields_agree_about_the_same_law(mixture, rng):
    level = (0.6, 0.3)
    law, z = mixture.diffused(*level), mixture.sample_diffused(20, *level, rng)
    np.testing.assert_allclose(law.log_density(z), mixture.log_density(z, *level), rtol=1e-12)
    np.testing.assert_allclose(law.score(z), mixture.score(z, *level), rtol=1e-9)
    shrunk = law.covariance - 0.6**2 * mixture.covariance
    np.testing.assert_allclose(shrunk, 0.3**2 * np.eye(mixture.dim), atol=1e-13)
    assert np.abs(mixture.diffused(0.6, 0.31).log_density(z) - law.log_density(z)).max() > 1e-3


def test_marginal_is_the_law_of_the_projection(mixtures):
    mixture, u = mixtures["full"], np.array([0.3, -2.0])
    line = mixture.marginal(u)
    # Along a line in Fourier space both characteristic functions must agree.
    for t in (0.1, 0.7, 1.9):
        value = np.sum(
            line.weights * np.exp(1j * t * line.means[:, 0] - t**2 / 2 * line.spectra[:, 0])
        )
        truth = 0
        for w, m, s, v in zip(
            *(mixture.weights, mixture.means), mixture.spectra, mixture.bases, strict=True
        ):
            truth += w * np.exp(1j * t * (u @ m) - t**2 / 2 * (u @ (v * s) @ v.T @ u))
        assert abs(value - truth) < 1e-13
        assert abs(np.conj(value) - truth) > 1e-3


def test_one_level_for_all_or_one_per_row(mixture, rng):
    z = rng.normal(size=(5, mixture.dim))
    alpha, sigma = np.array([1.0, 0.5, 0.0, 0.3, 1.0]), np.array([0.1, 0.5, 1.0, 0.7, 2.0])
    rates = (np.arange(5.0), -np.arange(5.0))
    for name in [*FIELDS, "responsibilities"]:
        rows = getattr(mixture, name)(z, alpha, sigma)
        for i in range(5):
            one = getattr(mixture, name)(z[i], alpha[i], sigma[i])
            np.testing.assert_allclose(rows[i], one, rtol=1e-13, atol=1e-15, err_msg=name)
    for name in ("velocity", "velocity_divergence"):
        rows = getattr(mixture, name)(z, alpha, sigma, *rates)
        one = [
            getattr(mixture, name)(z[i], alpha[i], sigma[i], rates[0][i], rates[1][i])
            for i in range(5)
        ]
        np.testing.assert_allclose(rows, one, rtol=1e-12, atol=1e-14)
        assert np.abs(rows[1:] - rows[:-1]).max() > 1e-3  # rows do differ


def test_sampling_has_the_law_it_claims(mixture, rng):
    n, u = 100_000, np.ones(mixture.dim)
    # Dvoretzky-Kiefer-Wolfowitz, one false alarm in 1e9.
    bound = np.sqrt(np.log(2 / 1e-9) / (2 * n))

    def distance(sample, law):
        x = np.sort(sample @ u)
        line = law.marginal(u)
        values, first = np.unique(x, return_index=True)
        last = np.append(first[1:], n) / n
        below = line.cdf(np.nextafter(values, -np.inf))
        return max(np.abs(line.cdf(values) - last).max(), np.abs(below - first / n).max())

    law = mixture.diffused(0.8, 0.5)
    z = mixture.sample_diffused(n, 0.8, 0.5, rng)
    assert distance(z, law) < bound
    assert distance(z, mixture.diffused(0.8, 0.7)) > bound
    assert distance(z, mixture.diffused(0.65, 0.5)) > bound
    if not mixture.singular:
        assert distance(mixture.sample(n, rng), mixture) < bound
    again = mixture.sample_diffused(100, 0.8, 0.5, np.random.default_rng(1))
    np.testing.assert_array_equal(
        again, mixture.sample_diffused(100, 0.8, 0.5, np.random.default_rng(1))
    )


def test_divergence_of_the_posterior_mean_at_high_noise_keeps_its_digits(mixture, rng):
    """`div E[x|z] = (alpha/sigma^2) tr Cov[x|z]`, however small (row 4)."""
    z = rng.normal(size=(5, mixture.dim))
    for alpha in (0.5, 1e-3, 1e-9):
        trace = np.trace(mixture.posterior_covariance(z, alpha, 1.1), axis1=1, axis2=2)
        value = mixture.velocity_divergence(z, alpha, 1.1, 1.0, 0.0)
        np.testing.assert_allclose(value, alpha / 1.1**2 * trace, rtol=1e-11)
        wrong = mixture.velocity_divergence(z, alpha, 1.1, 1.0, 1e-6 * alpha)  # a little noise
        assert np.abs(wrong / (alpha / 1.1**2 * trace) - 1).max() > 1e-8


def test_isotropic_components_take_a_way_of_their_own_to_the_same_fields(rng):
    """One level, K + d numbers a point: against the same law written as diagonal, K d numbers."""
    means, weights = 3 * rng.standard_normal((40, 6)), rng.dirichlet(np.ones(40))
    variances = rng.uniform(0.0, 0.3, 40) * (rng.uniform(size=40) > 0.3)
    light = GaussianMixture.isotropic(weights, means, variances)
    full = GaussianMixture.diagonal(weights, means, np.repeat(variances[:, None], 6, 1))
    for alpha, sigma in ((0.6, 0.8), (1.0, 0.05), (0.999, 1e-3), (0.0, 1.0), (1.0, 30.0)):
        z = light.sample_diffused(50, alpha, sigma, rng)
        z[0] = alpha * means[3]  # where what is to be told is small beside z
        z[1] = alpha * means[4] + 1e-7
        apart = ((z[:, None] - alpha * means) ** 2).sum(-1)
        exponent = (0.5 * apart / (alpha**2 * variances + sigma**2)).max()
        for name in ("posterior_mean", "posterior_eps", "responsibilities"):
            one, two = (getattr(m, name)(z, alpha, sigma) for m in (light, full))
            # Exponents are rounded by eps times their size, differences by eps |z|.
            bound = (1e-12 + 4e-16 * exponent) * np.abs(two).max(-1, keepdims=True)
            if name == "posterior_eps":
                bound = bound + 1e-15 * np.abs(z).max() / sigma
            assert (np.abs(one - two) <= bound).all(), (name, alpha, sigma)
        assert light.log_density(z, alpha, sigma) == pytest.approx(
            full.log_density(z, alpha, sigma), rel=1e-11
        )
        rates = light.velocity(z, alpha, sigma, -0.7, 1.3)
        assert rates == pytest.approx(full.velocity(z, alpha, sigma, -0.7, 1.3), rel=1e-8, abs=1e-9)
        assert rates != pytest.approx(full.velocity(z, alpha, sigma, -0.7, 1.3001), rel=1e-8)
