"""Closed forms of Gaussians against textbook formulas of dense matrices, and integration."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from analytic.gaussian import (
    gaussian_entropy,
    gaussian_flow_map,
    gaussian_kl,
    gaussian_w2,
    reverse_sde_law,
)
from tests.formulas.dense import close, root, some

BOUND = 1e-10  # absolute, of order one: integration to 1e-12, matrices of condition up to 1e2
EVERY_PAIR = pytest.mark.parametrize("seed", range(4))
WHITE = np.eye(3)


def pair(seed):
    """Means and covariances of two Gaussians in space."""
    law, other = some(seed, 1, 3), some(seed + 1, 1, 3)
    return law.means[0], law.covariances[0], other.means[0], other.covariances[0]


@EVERY_PAIR
def test_flow_map(seed):
    mean, a, _, _ = pair(seed)
    start, stop = (0.6, 0.8), (0.9, 0.3)
    z = np.array([[0.3, -1, 2], [1.0, 0.5, -0.2]])
    v, w = (r[0] ** 2 * a + r[1] ** 2 * WHITE for r in (start, stop))
    true = stop[0] * mean + (z - start[0] * mean) @ (root(w) @ np.linalg.inv(root(v))).T
    close(gaussian_flow_map(z, mean, a, start, stop), true, BOUND)
    close(gaussian_flow_map(z[0], mean, a, start, stop), true[0], BOUND)


def test_flow_map_between_clean_levels():
    """x stays; in a direction without variance it is the mean."""
    z, mean = np.array([[0.3, -1], [1.0, 0.5]]), [0.7, -0.4]
    found = gaussian_flow_map(z, mean, [0.5, 0.0], (1.0, 0.0), (0.4, 0.0))
    close(found, [[0.4 * x, 0.4 * mean[1]] for x in z[:, 0]], BOUND)


@EVERY_PAIR
def test_w2(seed):
    mean, a, other, b = pair(seed)
    shift = (other - mean) @ (other - mean)
    inner = root(root(a) @ b @ root(a))
    close(gaussian_w2(mean, a, other, b), np.sqrt(shift + np.trace(a + b - 2 * inner)), BOUND)
    s, v = np.diag(a), np.diag(b)
    flat = np.sqrt(shift + ((np.sqrt(s) - np.sqrt(v)) ** 2).sum())
    close(gaussian_w2(mean, s, other, v), flat, BOUND)


@EVERY_PAIR
def test_kl(seed):
    mean, a, other, b = pair(seed)
    shift, inverse = other - mean, np.linalg.inv(b)
    sizes = np.linalg.slogdet(b)[1] - np.linalg.slogdet(a)[1]
    true = 0.5 * (np.trace(inverse @ a) - 3 + sizes + shift @ inverse @ shift)
    close(gaussian_kl(mean, a, other, b), true, BOUND)
    s, v = np.diag(a), np.diag(b)
    flat = 0.5 * ((s / v - 1 + np.log(v / s)).sum() + shift**2 @ (1 / v))
    close(gaussian_kl(mean, s, other, v), flat, BOUND)


@EVERY_PAIR
def test_kl_of_nearly_equal_laws(seed):
    mean, a, _, _ = pair(seed)
    true = 1.5 * (1e-5 - np.log1p(1e-5))
    close(gaussian_kl(mean, a * (1 + 1e-5), mean, a), true, 1e-9 * BOUND)


def test_kl_on_a_line():
    close(gaussian_kl([0.0], [1.0], [0.0], [2.0]), 0.5 * (np.log(2) - 0.5), BOUND)
    assert gaussian_kl([0.0], [0.0], [0.0], [2.0]) == np.inf


@EVERY_PAIR
def test_entropy(seed):
    _, a, _, _ = pair(seed)
    close(gaussian_entropy(a), 0.5 * np.linalg.slogdet(2 * np.pi * np.e * a)[1], BOUND)
    spectrum = np.diag(a)
    close(gaussian_entropy(spectrum), 0.5 * np.log(2 * np.pi * np.e * spectrum).sum(), BOUND)


def test_entropy_of_a_spectrum():
    close(gaussian_entropy([1.0, 0.5]), np.log(2 * np.pi * np.e) - 0.5 * np.log(2), BOUND)
    assert gaussian_entropy([1.0, 0.0]) == -np.inf


# The law of the reverse SDE, from a start that is not the marginal --------------------------------

HIGH, LOW = 1.4, 0.2  # σ/α at the two ends
A, B = 0.7, 1.3  # and their scales
EVERY_ETA = pytest.mark.parametrize("eta", [0.0, 0.5, 1.0, 1.5])
EVERY_SEED = pytest.mark.parametrize("seed", range(3))


@EVERY_SEED
@EVERY_ETA
def test_reverse_law_solves_its_moments_equation(seed, eta):
    """With α = 1 and ρ = σ/α for clock, dm = (1 + η²) ρ W⁻¹ m dρ, and alike the covariance."""
    mean, s, first, c = pair(seed)

    def rate(rho, y):
        pull = (1 + eta**2) * rho * np.linalg.inv(s + rho**2 * WHITE)
        cov = y[3:].reshape(3, 3)
        spread = pull @ cov + cov @ pull - 2 * eta**2 * rho * WHITE
        return np.append(pull @ (y[:3] - mean), spread)

    begin = np.append(first, c)
    end = solve_ivp(rate, (HIGH, LOW), begin, "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    levels = (A, A * HIGH), (B, B * LOW)
    found = reverse_sde_law(mean, s, *levels, eta, A * first, A**2 * c)
    close(found[0] / B, end[:3], BOUND)
    close(found[1] / B**2, end[3:].reshape(3, 3), BOUND)


@EVERY_SEED
@EVERY_ETA
def test_reverse_law_of_a_spectrum_is_that_of_its_diagonal_matrix(seed, eta):
    mean, s, first, c = pair(seed)
    ends, s, c = ((A, A * HIGH), (B, B * LOW)), np.diag(s), np.diag(c)
    flat = reverse_sde_law(mean, s, *ends, eta, A * first, A**2 * c)
    full = reverse_sde_law(mean, np.diag(s), *ends, eta, A * first, A**2 * np.diag(c))
    close(flat[0], full[0], BOUND)
    close(np.diag(flat[1]), full[1], BOUND)


@EVERY_SEED
@EVERY_ETA
def test_reverse_law_between_levels_of_pure_noise_scales(seed, eta):
    mean, s, first, c = pair(seed)
    noise = reverse_sde_law(mean, s, (0.0, 2.0), (0.0, 3.0), eta, first, c)
    close(noise[0], 1.5 * first, BOUND)
    close(noise[1], 2.25 * c, BOUND)


@EVERY_SEED
@pytest.mark.parametrize("eta", [0.5, 1.0, 1.5])
def test_reverse_law_from_pure_noise_forgets_its_start(seed, eta):
    mean, s, first, c = pair(seed)
    gone = reverse_sde_law(mean, s, (0.0, 1.0), (1.0, LOW), eta, first, c)
    close(gone[0], mean, BOUND)
    close(gone[1], s + LOW**2 * WHITE, BOUND)


@EVERY_SEED
def test_without_noise_the_law_also_goes_the_other_way_onto_pure_noise(seed):
    mean, s, first, c = pair(seed)
    pure = reverse_sde_law(mean, s, (1.0, LOW), (0.0, 2.0), 0.0, first, c)
    white = 2 * np.linalg.inv(root(s + LOW**2 * WHITE))
    close(pure[0], white @ (first - mean), BOUND)
    close(pure[1], white @ c @ white, BOUND)
