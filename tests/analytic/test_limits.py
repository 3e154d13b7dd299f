"""Both ends of a path, singular laws, extreme scales, large inputs and bad input."""

import subprocess
import sys
import tracemalloc

import mpmath as mp
import numpy as np
import pytest

import analytic.mixture
from analytic import GaussianMixture

ALL = [
    "log_density",
    "score",
    "score_jacobian",
    "score_divergence",
    "responsibilities",
    "posterior_mean",
    "posterior_eps",
    "posterior_covariance",
]


def test_alpha_zero_is_pure_noise(mixture, rng):
    z, sigma = rng.normal(size=(7, mixture.dim)), 1.7
    np.testing.assert_allclose(
        mixture.posterior_mean(z, 0, sigma), np.tile(mixture.mean, (7, 1)), rtol=1e-13
    )
    np.testing.assert_allclose(mixture.posterior_eps(z, 0, sigma), z / sigma, rtol=1e-13)
    np.testing.assert_allclose(mixture.score(z, 0, sigma), -z / sigma**2, rtol=1e-13)
    covariance = mixture.posterior_covariance(z, 0, sigma)
    np.testing.assert_allclose(covariance, np.tile(mixture.covariance, (7, 1, 1)), atol=1e-12)
    # The limit is approached, and at a small alpha it is not yet there (the control).
    for name in ALL:
        near = getattr(mixture, name)(z, 1e-9, sigma)
        np.testing.assert_allclose(near, getattr(mixture, name)(z, 0, sigma), atol=1e-6)
        far = getattr(mixture, name)(z, 0.5, sigma)
        if not (mixture.size == 1 and name == "responsibilities"):
            assert np.abs(far - getattr(mixture, name)(z, 0, sigma)).max() > 1e-3


def test_velocity_divergence_at_alpha_zero(mixture, rng):
    z = rng.normal(size=(7, mixture.dim))
    # E[x|z] does not depend on z, E[eps|z] = z/sigma: the divergence is sigma_dot d/sigma.
    value = mixture.velocity_divergence(z, 0.0, 2.0, 3.0, -1.0)
    np.testing.assert_allclose(value, -mixture.dim / 2.0, rtol=1e-13)
    near = mixture.velocity_divergence(z, 0.3, 2.0, 3.0, -1.0)
    assert np.abs(near - value).max() > 1e-3


def test_sigma_zero_is_data(mixture, rng):
    z, alpha = mixture.sample_diffused(7, 0.4, 0.0, rng), 0.4
    np.testing.assert_allclose(mixture.posterior_mean(z, alpha, 0), z / alpha, rtol=1e-12)
    assert (mixture.posterior_eps(z, alpha, 0) == 0).all()
    assert (mixture.posterior_covariance(z, alpha, 0) == 0).all()
    np.testing.assert_allclose(mixture.velocity(z, alpha, 0, 2.0, 9.0), 2 * z / alpha, rtol=1e-12)
    noisy = mixture.posterior_mean(z + 0.1, alpha, 0.2)
    assert np.abs(noisy - (z + 0.1) / alpha).max() > 1e-3  # the control: with noise it is another
    if mixture.singular:
        for name in ("score", "score_jacobian", "score_divergence"):
            with pytest.raises(ValueError, match="singular"):
                getattr(mixture, name)(z, alpha, 0)
        with pytest.raises(ValueError, match="singular"):
            mixture.velocity_divergence(z, alpha, 0, 1, 1)
    else:
        for name in ALL[:5]:
            at, near = (getattr(mixture, name)(z, alpha, s) for s in (0, 1e-9))
            np.testing.assert_allclose(near, at, rtol=1e-6, atol=1e-9)


def test_singular_laws_at_sigma_zero_are_the_limit():
    mixture = GaussianMixture.diagonal(
        [0.2, 0.3, 0.1, 0.4, 0.0],
        [[0.0, 0.0], [0.0, 0.0], [3.0, 0.0], [3.0, 1.0], [9.0, 9.0]],
        [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]],
    )
    z = np.array([[0.0, 0.0], [0.5, 0.0], [3.0, 0.0], [3.0, 0.9], [9.0, 9.0]])
    expected = np.zeros((5, 5))
    expected[range(5), [0, 1, 2, 3, 1]] = (
        1  # a point, the line, a point, the nearest; last has no weight
    )
    np.testing.assert_array_equal(mixture.responsibilities(z, 1, 0), expected)
    np.testing.assert_allclose(mixture.responsibilities(z, 1, 1e-5), expected, atol=1e-4)
    np.testing.assert_array_equal(mixture.log_density(z), [np.inf] * 3 + [-np.inf] * 2)
    # A component of full dimension has density where the points have none.
    wide = GaussianMixture.isotropic([0.5, 0.5], [[0.0], [1.0]], [0.0, 1.0])
    assert wide.log_density([[0.5]])[0] == pytest.approx(
        np.log(0.5) - 0.125 - np.log(2 * np.pi) / 2
    )
    assert (wide.responsibilities([[0.5], [0.0]], 1, 0) == [[0, 1], [1, 0]]).all()


def test_rotated_singular_support_is_met_up_to_rounding():
    u = np.array([3.0, 4.0]) / 5
    mixture = GaussianMixture.full([1.0], [[1e3, -7.0]], [np.outer(u, u)])
    on, off = mixture.means + 0.3 * u, mixture.means + np.array([1e-6, 0.0])
    assert mixture.log_density(on)[0] == np.inf
    assert mixture.log_density(off)[0] == -np.inf


def test_components_1e8_apart(exact, relative, rng):
    mixture = GaussianMixture.isotropic([0.5, 0.5], [[-5e7, 1.0], [5e7, -1.0]], [1.0, 4.0])
    for level in ((1.0, 0.1), (0.3, 2.0), (1e-8, 1.0)):
        oracle = exact(mixture, *level)
        for z in mixture.sample_diffused(2, *level, rng):
            truth = oracle.fields(z)
            for name in (
                "log_density",
                "score",
                "score_jacobian",
                "posterior_mean",
                "posterior_eps",
            ):
                assert relative(getattr(mixture, name)(z, *level), truth[name]) < 1e-7, name
    z = np.array([5e7 + 0.5, 0.0])  # the control: the expanded square has lost the distance
    expanded = z @ z - 2 * z @ mixture.means[1] + mixture.means[1] @ mixture.means[1]
    assert abs(expanded - 1.25) > 0.1
    value = mixture.log_density(z, 1, 0)
    assert value == pytest.approx(np.log(0.5) - 1.25 / 8 - np.log(2 * np.pi * 4), rel=1e-12)


@pytest.mark.parametrize("angle", [0.0, 0.4])
def test_variances_from_1e_minus_12_to_1e12(exact, relative, rng, angle):
    c, s = np.cos(angle), np.sin(angle)
    basis = np.array([[c, -s], [s, c]])
    mixture = GaussianMixture.spectral(
        [0.5, 0.5], [[0.0, 0.0], [1.0, 1.0]], [[1e-12, 1e12], [1e12, 1e-12]], [basis, basis]
    )
    for level in ((1.0, 1e-3), (1.0, 1.0), (1e-6, 1.0), (1e6, 1e-6)):
        oracle = exact(mixture, *level)
        for z in mixture.sample_diffused(2, *level, rng):
            truth = oracle.fields(z)
            # z itself is rounded: on a direction of width w that costs eps |z| / w of a digit.
            rounding = 2e-16 * np.abs(z).max() / np.sqrt(level[0] ** 2 * 1e-12 + level[1] ** 2)
            for name in ("score", "score_jacobian", "posterior_mean", "log_density"):
                bound = 1e-10 + 100 * rounding
                assert relative(getattr(mixture, name)(z, *level), truth[name]) < bound, name
            assert relative(1.5 * mixture.score(z, *level), truth["score"]) > 1e-10


@pytest.mark.slow
def test_784_dimensions_and_1000_components(rng):
    points = rng.normal(size=(1000, 784))
    mixture, alpha, sigma = GaussianMixture.isotropic(np.full(1000, 1e-3), points, 0.01), 0.05, 0.99
    z = mixture.sample_diffused(3, alpha, sigma, rng)
    value = mixture.posterior_mean(z, alpha, sigma)
    v = alpha**2 * mp.mpf(0.01) + mp.mpf(sigma) ** 2
    for row in range(2):
        squares = [((z[row] - alpha * p) ** 2) for p in points]
        logs = [-mp.fsum(q.tolist()) / (2 * v) for q in squares]
        top = max(logs)
        r = np.array([float(mp.exp(x - top)) for x in logs])
        r /= r.sum()
        assert 1 / (r**2).sum() > 1.5  # several components matter, so the test can fail
        gain = float(alpha * mp.mpf(0.01) / v)
        truth = r @ (points + gain * (z[row] - alpha * points))
        np.testing.assert_allclose(value[row], truth, atol=1e-11)
        assert np.abs(points[r.argmax()] - truth).max() > 1e-2
    for name in ALL:
        assert np.isfinite(getattr(mixture, name)(z[:1], alpha, sigma)).all()
    trace = np.trace(mixture.score_jacobian(z[:1], alpha, sigma), axis1=1, axis2=2)
    np.testing.assert_allclose(mixture.score_divergence(z[:1], alpha, sigma), trace, rtol=1e-12)


def test_full_covariances_in_784_dimensions(rng):
    factor = rng.normal(size=(784, 784)) / 28
    covariance = factor @ factor.T + 0.1 * np.eye(784)
    mixture = GaussianMixture.full([1.0], np.zeros((1, 784)), covariance[None])
    z = rng.normal(size=(4, 784))
    law = 0.25 * covariance + 0.49 * np.eye(784)
    score = -np.linalg.solve(law, z.T).T
    np.testing.assert_allclose(mixture.score(z, 0.5, 0.7), score, atol=1e-11)
    log_p = 0.5 * (z * score).sum(1) - 0.5 * np.linalg.slogdet(2 * np.pi * law)[1]
    np.testing.assert_allclose(mixture.log_density(z, 0.5, 0.7), log_p, rtol=1e-12)
    assert np.abs(mixture.score(z, 0.5, 0.71) - score).max() > 1e-3


def test_blocks_do_not_change_the_answer(mixture, rng, monkeypatch):
    z = rng.normal(size=(41, mixture.dim))
    alpha, sigma = rng.uniform(0.1, 1, 41), rng.uniform(0.1, 1, 41)
    rates = rng.normal(size=(2, 41))

    def everything():
        fields = [getattr(mixture, name)(z, alpha, sigma) for name in ALL]
        fields.append(mixture.velocity(z, alpha, sigma, *rates))
        fields.append(mixture.velocity_divergence(z, alpha, sigma, *rates))
        return [*fields, mixture.sample(41, np.random.default_rng(3))]

    whole = everything()
    monkeypatch.setattr(analytic.mixture, "_BLOCK", 30)
    blocks = list(analytic.mixture._blocks(41, 4))
    assert len(blocks) > 3  # the control: there are several blocks, and they cover every row once
    assert sorted(i for rows in blocks for i in range(*rows.indices(41))) == list(range(41))
    for one, other in zip(whole, everything(), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-11, atol=1e-13)


@pytest.mark.slow
def test_a_million_points_in_bounded_memory(rng):
    mixture = GaussianMixture.full(
        [0.1, 0.2, 0.3, 0.4], rng.normal(size=(4, 2)), [[[1, 0.3], [0.3, 0.5]]] * 4
    )
    sigma = rng.uniform(0.1, 1, 1_000_000)
    z = mixture.sample_diffused(1_000_000, 0.5, sigma, rng)
    for name in ("log_density", "score_jacobian", "posterior_mean"):
        tracemalloc.start()
        value = getattr(mixture, name)(z, 0.5, sigma)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(value) == len(z)
        assert np.isfinite(value).all()
        assert peak < 150e6, name
    # The control: the measure sees what one unblocked temporary would take.
    tracemalloc.start()
    temporary = z - mixture.means[:, None, :] + sigma[:, None] * np.ones((4, 1, 2))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert temporary.nbytes == 64_000_000
    assert peak > 100e6


GOOD = ([0.5, 0.5], [[0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: GaussianMixture([0.5, -0.5], GOOD[1], 1.0), "non-negative"),
        (lambda: GaussianMixture([0.5, 0.6], GOOD[1], 1.0), "sum to 1"),
        (lambda: GaussianMixture([0.5], GOOD[1], 1.0), "weights must have shape"),
        (lambda: GaussianMixture([0.5, np.nan], GOOD[1], 1.0), "weights must be finite"),
        (lambda: GaussianMixture([0.5, 0.5], [0.0, 1.0], 1.0), "means must have shape"),
        (lambda: GaussianMixture([], np.zeros((0, 2)), 1.0), "means must have shape"),
        (lambda: GaussianMixture(*GOOD, np.inf), "variances must be finite"),
        (lambda: GaussianMixture(*GOOD, -1.0), "non-negative"),
        (lambda: GaussianMixture(*GOOD, [1.0, 1.0, 1.0]), "isotropic variances"),
        (lambda: GaussianMixture(*GOOD, np.ones((3, 2))), "diagonal variances"),
        (lambda: GaussianMixture(*GOOD, np.ones((2, 2, 2))), "variances must have shape"),
        (lambda: GaussianMixture(*GOOD, np.ones((1, 2, 3, 3))), "0 to 3 dimensions"),
        (lambda: GaussianMixture([0.5, 0.5], np.eye(2), [1.0, 2.0]), "ambiguous"),
        (lambda: GaussianMixture([0.5, 0.5], np.eye(2), np.eye(2)), "ambiguous"),
        (lambda: GaussianMixture.full(*GOOD, np.triu(np.ones((2, 3, 3)))), "symmetric"),
        (lambda: GaussianMixture.full(*GOOD, -np.tile(np.eye(3), (2, 1, 1))), "semi-definite"),
        (lambda: GaussianMixture.full(*GOOD, np.eye(3)), "full covariances"),
        (
            lambda: GaussianMixture.spectral(*GOOD, np.ones((2, 3)), np.ones((2, 3, 3))),
            "orthonormal",
        ),
        (lambda: GaussianMixture(*GOOD, 1e-200), "at least"),
        (lambda: GaussianMixture.points([[1e200]]), "at most"),
        (lambda: GaussianMixture.points([["a"]]), "real numbers"),
        (lambda: GaussianMixture.points([[1j]]), "real numbers"),
    ],
)
def test_bad_mixtures_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda m: m.score([[0.0, 1.0]], 1, 1), "z must have shape"),
        (lambda m: m.score([[0.0, 1.0, np.nan]], 1, 1), "z must be finite"),
        (lambda m: m.score(np.zeros((2, 2, 3)), 1, 1), "z must have shape"),
        (lambda m: m.log_density(np.zeros(3), -0.1, 1), "alpha must be zero or within"),
        (lambda m: m.log_density(np.zeros(3), 1, 1e-200), "sigma must be zero or within"),
        (lambda m: m.log_density(np.zeros((2, 3)), [1, 1, 1], 1), "one number per row"),
        (lambda m: m.posterior_mean(np.zeros((2, 3)), [0, 1], [0, 1]), "both zero"),
        (lambda m: m.velocity(np.zeros(3), 1, 1, np.nan, 1), "alpha_dot must be finite"),
        (lambda m: m.velocity(np.zeros((2, 3)), 1, 1, 1, [1, 2, 3]), "sigma_dot"),
        (lambda m: m.diffused(0, 0), "both zero"),
        (lambda m: m.marginal([1.0, 0.0]), "direction"),
        (lambda m: m.marginal(np.zeros(3)), "non-zero"),
        (lambda m: m.cdf(0.0), "one-dimensional"),
        (lambda m: m.marginal([1, 0, 0]).quantile([0.5, 1.0]), "strictly between"),
        (lambda m: m.sample(-1, np.random.default_rng()), "integer >= 0"),
        (lambda m: m.sample(2.5, np.random.default_rng()), "integer >= 0"),
        (lambda m: m.sample(2, 0), "Generator"),
    ],
)
def test_bad_calls_are_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call(GaussianMixture(*GOOD, 1.0))


def test_constructors_agree_on_the_same_law(rng):
    means, z = rng.normal(size=(2, 3)), rng.normal(size=(4, 3))
    laws = [
        GaussianMixture([0.5, 0.5], means, 0.7),
        GaussianMixture([0.5, 0.5], means, [0.7, 0.7]),
        GaussianMixture([0.5, 0.5], means, np.full((2, 3), 0.7)),
        GaussianMixture([0.5, 0.5], means, 0.7 * np.tile(np.eye(3), (2, 1, 1))),
    ]
    for law in laws[1:]:
        np.testing.assert_allclose(law.score(z, 0.6, 0.2), laws[0].score(z, 0.6, 0.2), rtol=1e-12)
    other = GaussianMixture([0.5, 0.5], means, [0.7, 0.8])
    assert np.abs(other.score(z, 0.6, 0.2) - laws[0].score(z, 0.6, 0.2)).max() > 1e-3


def test_empty_input_and_read_only_attributes():
    mixture = GaussianMixture(*GOOD, 1.0)
    assert mixture.score_jacobian(np.zeros((0, 3)), 1, 1).shape == (0, 3, 3)
    assert mixture.sample(0, np.random.default_rng(0)).shape == (0, 3)
    mixture.means[:] = 7  # a copy
    np.testing.assert_array_equal(mixture.means, GOOD[1])


def test_import_is_cheap_and_brings_no_torch():
    code = (
        "import sys, analytic; heavy = {'torch', 'dfbench', 'scipy.integrate', 'scipy.spatial'};"
        "print(sorted(heavy & set(sys.modules)), 'numpy' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["[]", "True"]
