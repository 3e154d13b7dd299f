"""Laplace transforms and mean distances of Gaussian mixtures, against quadrature and mpmath."""

from math import exp, pi, sqrt

import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import quad

from analytic import GaussianMixture
from analytic.distances.quadratic import Quadratic, apart, self_apart
from analytic.information import expectation

T = np.array([1e-3, 0.3, 2.0, 40.0])


def laplace(mixture, x):
    return sum(w * np.exp(-q.exponent(T)) for w, q in apart(mixture, x))


def mean_distance(mixture, x):
    return sum(w * q.mean_root() for w, q in apart(mixture, x))


def test_laplace_transform_against_quadrature(mixture):
    x = np.array([[0.3, -1.2], [2.5, 4.0]])[:, : mixture.dim]
    truth = np.stack(
        [
            expectation(mixture, lambda y, p=p: np.exp(-T * ((y - p) ** 2).sum(1)[:, None]))
            for p in x
        ]
    )
    assert np.abs(laplace(mixture, x) - truth).max() < 1e-10
    assert np.abs(laplace(mixture, x + 1e-6) - truth).max() > 1e-8  # the control


@pytest.mark.parametrize("far", [0.0, 0.7, 30.0])
@pytest.mark.parametrize(("spectrum", "dim"), [([0.4], 3), ([0.4], 64), ([2.5], 2)])
def test_mean_distance_of_an_isotropic_gaussian_is_that_of_a_chi(far, spectrum, dim):
    """E|N(y, s I)| = sqrt(2 s) G((d+1)/2)/G(d/2) 1F1(-1/2; d/2; -|y|^2/(2 s))."""
    q = Quadratic(np.array([[far**2]]), np.array(spectrum), dim)
    with mp.workdps(40):
        s = mp.mpf(spectrum[0])
        ratio = mp.gamma(mp.mpf(dim + 1) / 2) / mp.gamma(mp.mpf(dim) / 2)
        bend = mp.hyp1f1(mp.mpf(-1) / 2, mp.mpf(dim) / 2, -(mp.mpf(far) ** 2) / (2 * s))
        truth = float(mp.sqrt(2 * s) * ratio * bend)
    assert q.mean_root()[0] == pytest.approx(truth, rel=2e-11)
    off = Quadratic(q.squares, q.spectrum * (1 + 1e-8), dim)
    assert off.mean_root()[0] != pytest.approx(truth, rel=2e-11) or far == 30.0


@pytest.mark.parametrize("spectrum", [(1.0, 0.0), (4.0, 0.3), (1e-12, 0.0)])
@pytest.mark.parametrize("mean", [(0.1, 0.0), (0.3, -0.02), (0.0, 5.0)])
def test_mean_distance_with_unequal_and_zero_variances(spectrum, mean):
    """The inner integral over the first coordinate is done for every value of the second."""
    (s1, s2), (m1, m2) = spectrum, mean
    q = Quadratic(np.array([[m1**2, m2**2]]), np.array(spectrum), 1)

    def over(f, m, s):  # the mean of f over N(m, s), with a cusp where the coordinate is zero
        v = sqrt(s)
        kink = [-m / v] if abs(m) < 12 * v else []
        bell = lambda u: f(m + v * u) * exp(-0.5 * u * u) / sqrt(2 * pi)  # noqa: E731
        return quad(bell, -12, 12, points=[*kink, 0.1], epsabs=1e-12, epsrel=1e-9, limit=200)[0]

    def inner(b):
        return over(lambda a: sqrt(a * a + b * b), m1, s1)

    truth = inner(m2) if s2 == 0 else over(inner, m2, s2)
    assert q.mean_root()[0] == pytest.approx(truth, rel=1e-9, abs=0)


@pytest.mark.parametrize("thin", [0.5, 1e-3, 1e-8])
def test_mean_length_of_an_ellipse_is_an_elliptic_integral(thin):
    """E sqrt(u^2 + s v^2) = sqrt(2/pi) E(1 - s), radius and angle being independent."""
    q = Quadratic(np.zeros((1, 2)), np.array([1.0, thin]), 1)
    truth = float(mp.sqrt(2 / mp.pi) * mp.ellipe(1 - mp.mpf(thin)))
    assert q.mean_root()[0] == pytest.approx(truth, rel=2e-11, abs=0)
    assert q.mean_root()[0] != pytest.approx(float(mp.sqrt(2 / mp.pi)), rel=1e-8)


def test_point_masses_and_the_line_are_closed():
    points = GaussianMixture.points([[0.0, 0.0], [3.0, 4.0]], [0.25, 0.75])
    assert mean_distance(points, np.zeros((1, 2)))[0] == 0.75 * 5
    line = GaussianMixture.isotropic([1.0], [[2.0]], 9.0)
    assert mean_distance(line, np.array([[2.0]]))[0] == pytest.approx(3 * np.sqrt(2 / np.pi))


def test_two_draws_of_the_law(mixture):
    """E f(|Y - Y'|) is the mean over Y of E f(|y - Y'|)."""
    constant = sum(w @ np.exp(-q.exponent(T)) for w, q in self_apart(mixture))
    truth = expectation(mixture, lambda y: laplace(mixture, y))
    assert np.abs(constant - truth).max() < 1e-9
    # |y - Y| has a cusp at an atom, which spoils the trapezoidal rule there
    reach = sum(w @ q.mean_root() for w, q in self_apart(mixture))
    y = mixture.sample(20_000, np.random.default_rng(3))
    drawn = mean_distance(mixture, y)
    error = drawn.std() / np.sqrt(len(y))
    assert abs(drawn.mean() - reach) < 5 * error + 1e-12
    assert abs(1.1 * drawn.mean() - reach) > 5 * error


def test_two_draws_with_every_kind_of_basis():
    rng = np.random.default_rng(5)
    a = rng.standard_normal((3, 4, 4))
    covariances = a @ np.swapaxes(a, 1, 2)
    means, weights = rng.standard_normal((3, 4)), [0.2, 0.3, 0.5]
    full = GaussianMixture.full(weights, means, covariances)
    common, _ = np.linalg.qr(a[0])
    spectra = rng.uniform(0.1, 2, (3, 4))
    rotated = GaussianMixture.spectral(weights, means, spectra, np.stack([common] * 3))
    plain = GaussianMixture.diagonal(weights, means @ common, spectra)
    alike = GaussianMixture.isotropic(weights, means, 0.7)

    def both(m):
        pairs = list(self_apart(m))
        return (
            sum(w @ np.exp(-q.exponent(T)) for w, q in pairs),
            sum(w @ q.mean_root() for w, q in pairs),
            sum(w.sum() for w, _ in pairs),
        )

    for m in (full, rotated, alike):
        transform, reach, total = both(m)
        y = m.sample(40_000, rng)
        f = laplace(m, y)
        assert total == pytest.approx(1, abs=1e-14)
        assert (np.abs(f.mean(0) - transform) < 5 * f.std(0) / 200).all()
        g = mean_distance(m, y)
        assert abs(g.mean() - reach) < 5 * g.std() / 200
    for one, two in zip(both(rotated), both(plain), strict=True):
        assert one == pytest.approx(two, rel=1e-11)
