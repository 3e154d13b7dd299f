"""Expectations, entropies and the losses of finitely many steps, by sums on dense grids."""

from functools import cache

import numpy as np
import pytest
from scipy.special import expit

from analytic import GaussianMixture
from analytic.information import (
    discrete_diffusion_loss,
    elbo_gap,
    entropy,
    eps_mmse,
    expectation,
    joint,
    mmse,
    mmse_slope,
    mutual_information,
)
from tests.formulas.dense import close, fields, some

BOUND = 1e-10  # nats, or absolute: sums on 20001 points, quadrature to 1e-11
K = np.array([0.3, -0.2])
PLANE, LINE = some(0, 2, 2), some(0, 2, 1)
# a component on a line, and one that is a point
THIN = PLANE._replace(
    covariances=np.stack([np.outer(K, K), np.zeros((2, 2)), PLANE.covariances[2]])
)
EVERY_PLANE = pytest.mark.parametrize("law", [PLANE, THIN], ids=["full", "singular"])
EVERY_LINE = pytest.mark.parametrize(
    "mixture",
    [LINE.mixture(), GaussianMixture.isotropic(*LINE[:2], LINE.covariances[:, 0, 0])],
    ids=["full", "isotropic"],
)
LAM = np.array([-2.0, -0.5, 0.3, 1.9])
X = np.linspace(-14, 14, 20_001)
STEP = X[1] - X[0]


@EVERY_PLANE
def test_expectation_of_a_wave_and_of_a_square(law):
    mixture = law.mixture()
    wave = law.weights @ np.exp(
        law.means @ K + 0.5 * np.einsum("i,nij,j->n", K, law.covariances, K)
    )
    close(expectation(mixture, lambda x: np.exp(x @ K)) / wave, 1, BOUND)
    second = law.covariance() + np.outer(law.mean(), law.mean())
    close(expectation(mixture, lambda x: x[:, :, None] * x[:, None]), second, BOUND)
    close(mixture.mean, law.mean(), BOUND)


@EVERY_PLANE
def test_joint_law_of_data_and_noise_in_the_plane(law):
    pair, none = joint(law.mixture()), np.zeros((2, 2))
    close(pair.covariance, np.block([[law.covariance(), none], [none, np.eye(2)]]), BOUND)
    close(pair.mean[:2], law.mean(), BOUND)


@EVERY_LINE
def test_joint_law_of_data_and_noise_on_a_line(mixture):
    pair = joint(mixture)
    close(pair.covariance, np.diag([LINE.covariance()[0, 0], 1]), BOUND)
    close(pair.mean, [LINE.mean()[0], 0], BOUND)


@EVERY_LINE
def test_entropy(mixture):
    density = np.exp(fields(LINE, X[:, None], 1.0, 1e-12)["log_density"])
    true = -STEP * (density * np.log(np.maximum(density, 1e-300))).sum()
    close(entropy(mixture), true, BOUND)


@cache
def sums():
    """E Var[x|z] and E Var[x|z]², and the loss of the steps between the levels `LAM`."""
    errors, slopes = [], []
    for lam in LAM:
        at = fields(LINE, X[:, None], expit(lam) ** 0.5, expit(-lam) ** 0.5)
        mass, cov = STEP * np.exp(at["log_density"]), at["posterior_covariance"][:, 0, 0]
        errors.append(mass @ cov)
        slopes.append(mass @ cov**2)
    return np.array(errors), np.array(slopes), 0.5 * (np.diff(np.exp(LAM)) * errors[:-1]).sum()


@EVERY_LINE
def test_mmse_its_slope_and_that_of_the_noise(mixture):
    errors, slopes, _ = sums()
    close(mmse(mixture, LAM), errors, BOUND)
    close(mmse_slope(mixture, LAM), slopes, BOUND)
    close(eps_mmse(mixture, LAM), np.exp(LAM) * errors, BOUND)


@EVERY_LINE
def test_loss_and_gap_of_finitely_many_steps(mixture):
    loss, whole = sums()[2], mutual_information(mixture, LAM)[[0, -1]]
    close(discrete_diffusion_loss(mixture, LAM), loss, BOUND)
    close(elbo_gap(mixture, LAM), loss - (whole[1] - whole[0]), BOUND)
