"""Information against closed forms, high-precision quadrature and derivatives."""

import mpmath as mp
import numpy as np
import pytest

from analytic import GaussianMixture, gaussian_entropy
from analytic.information import (
    diffusion_loss,
    discrete_diffusion_loss,
    elbo_gap,
    elbo_gap_rate,
    entropy,
    eps_mmse,
    expectation,
    joint,
    mmse,
    mmse_slope,
    mutual_information,
    point_error,
    point_information,
)

LINE = GaussianMixture.isotropic([0.3, 0.7], [[-2.0], [1.0]], [0.0025, 0.4])
PLANE = GaussianMixture.full(
    [0.4, 0.6], [[-1.0, 0.5], [1.0, 0.0]], [[[1.0, 0.3], [0.3, 0.5]], [[0.4, 0.0], [0.0, 2.0]]]
)
SIGNS = GaussianMixture.points([[-1.0], [1.0]])


@pytest.mark.parametrize("mixture", [LINE, PLANE])
def test_moments(mixture):
    found = expectation(mixture, lambda x: x[:, :, None] * x[:, None])
    np.testing.assert_allclose(
        found, mixture.covariance + np.outer(mixture.mean, mixture.mean), rtol=1e-12, atol=1e-12
    )


def test_expectation_of_a_narrow_bump():
    """E exp(-x²/2h²) in closed form, for a component that a coarse rule would miss."""
    mixture = GaussianMixture.isotropic([0.5, 0.5], [[0.0], [0.3]], [4.0, 1e-6])
    found = expectation(mixture, lambda x: np.exp(-(x[:, 0] ** 2) / 0.02))
    exact = sum(
        0.5 * np.sqrt(0.01 / (0.01 + s)) * np.exp(-(m**2) / (2 * (0.01 + s)))
        for m, s in ((0.0, 4.0), (0.3, 1e-6))
    )
    assert float(found) == pytest.approx(exact, rel=1e-11)


def test_expectation_refuses():
    with pytest.raises(ValueError, match="one or two dimensions"):
        expectation(GaussianMixture.points([[0.0, 0.0, 0.0]]), lambda x: x)
    with pytest.raises(RuntimeError, match="not smooth"):
        expectation(LINE, lambda x: (x[:, 0] > 0.123).astype(float))


def test_joint():
    pair = joint(LINE)
    np.testing.assert_allclose(pair.covariance[0, 0], LINE.covariance[0, 0])
    np.testing.assert_allclose(pair.covariance[1], [0.0, 1.0], atol=1e-15)
    rotated = joint(PLANE)
    np.testing.assert_allclose(rotated.covariance[:2, :2], PLANE.covariance)


def test_mmse_of_two_points():
    """x = ±1: mmse = 1 − E tanh(snr + sqrt(snr) ε), in 30 digits."""
    for lam in (-3.0, 0.0, 2.0):
        with mp.workdps(30):
            snr = mp.e ** mp.mpf(lam)
            true = 1 - mp.quad(
                lambda e, snr=snr: mp.tanh(snr + mp.sqrt(snr) * e) * mp.npdf(e), [-12, -3, 0, 3, 12]
            )
        assert float(mmse(SIGNS, lam)) == pytest.approx(float(true), rel=1e-11)


def test_gaussian_closed_forms():
    spectrum = np.array([0.01, 1.0, 30.0])
    data = GaussianMixture.spectral([1.0], np.ones((1, 3)), spectrum[None], None)
    lam = np.array([-5.0, 0.0, 4.0])
    snr = np.exp(lam)
    info = 0.5 * np.log1p(snr[:, None] * spectrum).sum(1)
    np.testing.assert_allclose(mutual_information(data, lam), info, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(diffusion_loss(data, -5.0, 4.0), info[2] - info[0], rtol=1e-12)
    np.testing.assert_allclose(eps_mmse(data, lam), snr * mmse(data, lam))
    assert entropy(data) == gaussian_entropy(spectrum)


@pytest.mark.parametrize("mixture", [LINE, PLANE])
def test_derivatives(mixture):
    """dI/dsnr = mmse/2 and -dmmse/dsnr, by central differences in lam."""
    lam, h = 0.4, 1e-3
    both = np.array([lam - h, lam + h])
    info = np.diff(mutual_information(mixture, both))[0] / (2 * h)
    assert info == pytest.approx(0.5 * float(eps_mmse(mixture, lam)), rel=1e-6)
    slope = -np.diff(mmse(mixture, both))[0] / (2 * h * np.exp(lam))
    assert slope == pytest.approx(float(mmse_slope(mixture, lam)), rel=1e-6)


def test_one_point_averages_to_the_mean():
    x, lam = np.array([-1.0]), 0.5
    assert point_information(SIGNS, x, lam) == pytest.approx(
        float(mutual_information(SIGNS, lam)), rel=1e-10
    )
    assert point_error(SIGNS, x, lam) == pytest.approx(float(eps_mmse(SIGNS, lam)), rel=1e-10)
    assert diffusion_loss(SIGNS, -1.0, 1.0, x) == pytest.approx(diffusion_loss(SIGNS, -1.0, 1.0))


def test_where_nothing_is_left():
    """Far modes at high SNR, and one point, whose noise is known exactly."""
    assert float(mmse(SIGNS, 12.0)) < 1e-30
    assert mmse(SIGNS, []).shape == (0,)
    assert point_error(GaussianMixture.points([[0.7]]), [0.7], 1.0) < 1e-28


def test_gap():
    """By hand for N(0, 1), where mmse = 1/(1 + snr)."""
    data = GaussianMixture.isotropic([1.0], [[0.0]], [1.0])
    lam = np.array([-1.0, 0.3, 2.0])
    snr = np.exp(lam)
    by_hand = 0.5 * sum((snr[i + 1] - snr[i]) / (1 + snr[i]) for i in range(2))
    assert discrete_diffusion_loss(data, lam) == pytest.approx(by_hand, rel=1e-14)
    true = 0.5 * np.log((1 + snr[2]) / (1 + snr[0]))
    assert elbo_gap(data, lam) == pytest.approx(by_hand - true, rel=1e-11)
    fine = np.linspace(-1.0, 2.0, 4001)
    assert 4000 * elbo_gap(data, fine) == pytest.approx(elbo_gap_rate(data, -1.0, 2.0), rel=1e-3)


def test_refuses():
    with pytest.raises(ValueError, match="rise"):
        discrete_diffusion_loss(LINE, [1.0, 0.0])
    with pytest.raises(ValueError, match="low < high"):
        diffusion_loss(LINE, 1.0, 1.0)
    with pytest.raises(ValueError, match="singular"):
        entropy(SIGNS)
    with pytest.raises(ValueError, match="300"):
        mmse(LINE, 1000.0)
    with pytest.raises(ValueError, match="one point"):
        point_error(LINE, [[0.0]], 1.0)
