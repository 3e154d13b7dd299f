"""Closed forms of one Gaussian against ODE integration, long chains, mpmath and each other."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from analytic import (
    GaussianMixture,
    gaussian_entropy,
    gaussian_flow_map,
    gaussian_kl,
    gaussian_w2,
    reverse_sde_law,
)

MEAN = np.array([0.5, -1.0])
COVARIANCE = np.array([[2.0, 0.7], [0.7, 0.5]])
START, STOP = (0.2, 0.9), (0.9, 0.3)


def spd(rng, d, scale=1.0):
    factor = rng.normal(size=(d, d))
    return scale * (factor @ factor.T / d + 0.05 * np.eye(d))


def path(u):
    """A path of levels from START to STOP as u runs from 0 to 1, with its derivatives."""
    rate = [b - a for a, b in zip(START, STOP, strict=True)]
    return START[0] + u * rate[0], START[1] + u * rate[1], rate[0], rate[1]


def test_flow_map_solves_the_probability_flow_ode(rng):
    mixture = GaussianMixture.full([1.0], MEAN[None], COVARIANCE[None])
    z = rng.normal(size=(5, 2))

    def rate(u, flat):
        return mixture.velocity(flat.reshape(5, 2), *path(u)).reshape(-1)

    solved = solve_ivp(rate, (0, 1), z.reshape(-1), method="DOP853", rtol=1e-12, atol=1e-12)
    truth = solved.y[:, -1].reshape(5, 2)
    value = gaussian_flow_map(z, MEAN, COVARIANCE, START, STOP)
    np.testing.assert_allclose(value, truth, atol=1e-10)
    np.testing.assert_allclose(gaussian_flow_map(z[0], MEAN, COVARIANCE, START, STOP), value[0])
    wrong = gaussian_flow_map(z, MEAN, np.diag(np.diag(COVARIANCE)), START, STOP)
    assert np.abs(wrong - truth).max() > 1e-2


def test_flow_map_in_the_eigenbasis_and_back(rng):
    values, vectors = np.linalg.eigh(COVARIANCE)
    z = rng.normal(size=(5, 2))
    value = gaussian_flow_map(z, MEAN, COVARIANCE, (0, 1), (1, 0))
    inner = gaussian_flow_map(z @ vectors, MEAN @ vectors, values, (0, 1), (1, 0))
    np.testing.assert_allclose(inner @ vectors.T, value, atol=1e-14)
    back = gaussian_flow_map(value, MEAN, COVARIANCE, (1, 0), (0, 1))
    np.testing.assert_allclose(back, z, atol=1e-13)
    root = vectors * np.sqrt(values)
    np.testing.assert_allclose(value, MEAN + z @ vectors @ root.T, atol=1e-13)
    assert np.abs(value - MEAN - z).max() > 0.1
    with pytest.raises(ValueError, match="singular"):
        gaussian_flow_map(z, MEAN, [1.0, 0.0], (1, 0), (0.5, 0.5))


def test_reverse_sde_law_against_a_simulated_chain(rng):
    """Euler-Maruyama on the matrix moments of the SDE: first order towards the closed form."""
    eta, m = 1.0, np.array([1.0, -2.0])
    c = np.array([[0.5, -0.2], [-0.2, 1.0]])
    truth = reverse_sde_law(MEAN, COVARIANCE, START, STOP, eta, m, c)
    errors = []
    for steps in (400, 800):
        mean, covariance = m.copy(), c.copy()
        for i in range(steps):
            alpha, sigma, alpha_dot, sigma_dot = path(i / steps)
            f = alpha_dot / alpha
            g2 = 2 * sigma * (sigma_dot - f * sigma)
            inverse = np.linalg.inv(alpha**2 * COVARIANCE + sigma**2 * np.eye(2))
            step = np.eye(2) + (f * np.eye(2) + 0.5 * (1 + eta**2) * g2 * inverse) / steps
            shift = -0.5 * (1 + eta**2) * g2 * inverse @ (alpha * MEAN) / steps
            mean = step @ mean + shift
            covariance = step @ covariance @ step.T - eta**2 * g2 / steps * np.eye(2)
        errors.append((np.abs(mean - truth[0]).max(), np.abs(covariance - truth[1]).max()))
    ratio = np.array(errors[0]) / np.array(errors[1])
    assert (np.array(errors[1]) < 0.01).all()
    assert ((ratio > 1.8) & (ratio < 2.2)).all()
    wrong = reverse_sde_law(MEAN, COVARIANCE, START, STOP, 0.5, m, c)
    assert np.abs(wrong[1] - truth[1]).max() > 0.02


def test_reverse_sde_law_properties(rng):
    c = spd(rng, 2)
    m = np.array([1.0, 2.0])
    # The marginal stays the marginal, for every eta.
    law = GaussianMixture.full([1.0], MEAN[None], COVARIANCE[None])
    start, stop = law.diffused(*START), law.diffused(*STOP)
    for eta in (0.0, 0.7, 2.0):
        mean, covariance = reverse_sde_law(
            MEAN, COVARIANCE, START, STOP, eta, start.mean, start.covariance
        )
        np.testing.assert_allclose(mean, stop.mean, atol=1e-14)
        np.testing.assert_allclose(covariance, stop.covariance, atol=1e-14)
        # Two legs are one.
        half = reverse_sde_law(MEAN, COVARIANCE, START, (0.5, 0.5), eta, m, c)
        two = reverse_sde_law(MEAN, COVARIANCE, (0.5, 0.5), STOP, eta, *half)
        one = reverse_sde_law(MEAN, COVARIANCE, START, STOP, eta, m, c)
        np.testing.assert_allclose(two[0], one[0], rtol=1e-12)
        np.testing.assert_allclose(two[1], one[1], rtol=1e-12)
        assert np.abs(one[1] - stop.covariance).max() > 1e-8
    # eta = 0 is the flow map; pure noise is forgotten at once by any eta > 0.
    flow = reverse_sde_law(MEAN, COVARIANCE, START, STOP, 0, m, np.zeros((2, 2)))
    mapped = gaussian_flow_map(m, MEAN, COVARIANCE, START, STOP)
    np.testing.assert_allclose(flow[0], mapped, rtol=1e-12)
    np.testing.assert_allclose(flow[1], 0, atol=1e-14)
    noise = reverse_sde_law(MEAN, COVARIANCE, (0, 1), STOP, 1, m, c)
    np.testing.assert_allclose(noise[0], stop.mean, atol=1e-14)
    np.testing.assert_allclose(noise[1], stop.covariance, atol=1e-14)
    remembered = reverse_sde_law(MEAN, COVARIANCE, (0, 1), STOP, 0, m, c)
    assert np.abs(remembered[0] - stop.mean).max() > 0.1
    with pytest.raises(ValueError, match="noise to data"):
        reverse_sde_law(MEAN, COVARIANCE, STOP, START, 1.0, m, c)


def test_w2_against_the_trace_formula_and_known_cases(rng):
    for d in (1, 3, 6):
        a, b = spd(rng, d), spd(rng, d, 4.0)
        ma, mb = rng.normal(size=(2, d))
        trace = mp.mpf(float((ma - mb) @ (ma - mb))) + mp.mpf(float(np.trace(a) + np.trace(b)))
        root = mp.sqrtm(
            mp.sqrtm(mp.matrix(a.tolist()))
            * mp.matrix(b.tolist())
            * mp.sqrtm(mp.matrix(a.tolist()))
        )
        trace -= 2 * sum(mp.re(root[i, i]) for i in range(d))
        value = gaussian_w2(ma, a, mb, b)
        assert value == pytest.approx(float(mp.sqrt(trace)), rel=1e-12)
        assert value == pytest.approx(gaussian_w2(mb, b, ma, a), rel=1e-12)
        if d > 1:  # the control: covariances that do not commute are not a matter of spectra
            spectra = (np.linalg.eigvalsh(a), np.linalg.eigvalsh(b))
            assert abs(gaussian_w2(ma, spectra[0], mb, spectra[1]) - value) > 1e-3
    assert gaussian_w2([0.0, 1.0], [4.0, 0.0], [3.0, 1.0], [1.0, 4.0]) == pytest.approx(np.sqrt(14))


def test_w2_of_nearly_equal_laws_keeps_its_digits(rng):
    a = spd(rng, 5)
    values, vectors = np.linalg.eigh(a)
    shift = 1e-9
    b = (vectors * (np.sqrt(values) + shift) ** 2) @ vectors.T
    assert gaussian_w2(np.zeros(5), a, np.zeros(5), b) == pytest.approx(
        np.sqrt(5) * shift, rel=1e-5
    )
    root = (vectors * np.sqrt(values)) @ vectors.T
    inner = np.linalg.eigvalsh(root @ b @ root)
    trace = np.trace(a) + np.trace(b) - 2 * np.sqrt(inner).sum()
    assert abs(np.sqrt(max(trace, 0)) - np.sqrt(5) * shift) > 1e-10  # the trace formula has not


def test_kl_and_entropy_against_quadrature_and_exact_digits(rng):
    (ma, sa), (mb, sb) = (0.3, 0.5), (-0.4, 2.0)

    def p(x, m, s):
        return np.exp(-((x - m) ** 2) / (2 * s)) / np.sqrt(2 * np.pi * s)

    kl = quad(lambda x: p(x, ma, sa) * np.log(p(x, ma, sa) / p(x, mb, sb)), -8, 8)[0]
    entropy = quad(lambda x: -p(x, ma, sa) * np.log(p(x, ma, sa)), -8, 8)[0]
    assert gaussian_kl([ma], [sa], [mb], [sb]) == pytest.approx(kl, rel=1e-10)
    assert gaussian_kl([mb], [sb], [ma], [sa]) != pytest.approx(kl, rel=1e-2)
    assert gaussian_entropy([sa]) == pytest.approx(entropy, rel=1e-10)
    a, b = spd(rng, 4), spd(rng, 4)
    m = rng.normal(size=4)
    textbook = 0.5 * (
        np.trace(np.linalg.solve(b, a))
        - 4
        + m @ np.linalg.solve(b, m)
        + np.linalg.slogdet(b)[1]
        - np.linalg.slogdet(a)[1]
    )
    assert gaussian_kl(m, a, np.zeros(4), b) == pytest.approx(textbook, rel=1e-11)
    assert gaussian_entropy(a) == pytest.approx(0.5 * np.linalg.slogdet(2 * np.pi * np.e * a)[1])
    assert gaussian_kl([0.0], [0.0], [0.0], [1.0]) == np.inf
    assert gaussian_entropy([1.0, 0.0]) == -np.inf


@example(q=0.15)
@example(q=-0.05)
@example(q=0.019)
@given(q=st.floats(-0.9, 5) | st.floats(-1e-3, 1e-3).filter(lambda x: abs(x) > 1e-12))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_kl_of_nearly_equal_laws_keeps_its_digits(q):
    a = 1 + q
    exact_q = mp.mpf(a) - 1
    truth = float((exact_q - mp.log1p(exact_q)) / 2)
    value = gaussian_kl([0.0], [a], [0.0], [1.0])
    assert abs(value - truth) <= 1e-13 * truth
    if 1e-12 < abs(q) < 1e-6:  # the control: the textbook sum has lost them
        assert abs(0.5 * (a - 1 - np.log(a)) - truth) > 1e-13 * truth or truth == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: gaussian_w2([0.0], [1.0], [0.0], [[1.0]]),
        lambda: gaussian_w2([0.0, 0.0], [[1.0, 2.0], [0.0, 1.0]], [0.0, 0.0], np.eye(2)),
        lambda: gaussian_w2([0.0], [-1.0], [0.0], [1.0]),
        lambda: gaussian_kl([0.0], [1.0], [0.0], [0.0]),
        lambda: gaussian_kl([0.0, 1.0], [1.0], [0.0], [1.0]),
        lambda: gaussian_entropy(np.ones((2, 3))),
        lambda: gaussian_flow_map([[np.nan]], [0.0], [1.0], (1, 0), (0, 1)),
        lambda: gaussian_flow_map([[0.0]], [0.0], [1.0], (1, 0, 0), (0, 1)),
        lambda: gaussian_flow_map([[0.0]], [0.0], [1.0], (1, 0), (0, 0)),
        lambda: reverse_sde_law([0.0], [1.0], (0, 1), (1, 0), 1, [0.0], [[1.0]]),
        lambda: reverse_sde_law([0.0], [1.0], (0, 1), (1, 0), np.nan, [0.0], [1.0]),
        lambda: reverse_sde_law([0.0], [1.0], (0, 1), (1, 0), 1, [0.0], [-1.0]),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(ValueError, match=r"must|singular|finite|both"):
        call()
