"""Coupled mixtures with any covariances and cross-covariances, against dense linear algebra."""

import numpy as np
import pytest
from hypothesis import given

from analytic import CoupledMixtures
from dfbench.testing import couplings
from tests.formulas.dense import (
    ALLOWED,
    DRAWS,
    Dense,
    close,
    coupling,
    distance,
    fields,
    some,
)

BOUND = 1e-11  # absolute, of order one: condition up to 1e2
LEVELS = ((0.6, 0.8), (0.3, -0.9), (1.0, 0.0), (0.0, 1.0))
EVERY_CASE = pytest.mark.parametrize(
    ("seed", "level"), [(seed, level) for seed in range(3) for level in LEVELS]
)


def along(seed, level):
    """The law of z = α x + β y, points, its fields there, and E[(x, y)|z]."""
    _, (x, y), pi, joint = coupling(seed)
    d = x.means.shape[1]
    mix = np.hstack([level[0] * np.eye(d), level[1] * np.eye(d)])
    means = np.concatenate([np.repeat(x.means, 3, axis=0), np.tile(y.means, (3, 1))], axis=1)
    joint = joint.reshape(-1, 2 * d, 2 * d)
    path = Dense(pi.reshape(-1), means @ mix.T, mix @ joint @ mix.T)
    z = path.means[:6] + np.linspace(-1, 1, d)
    true = fields(path, z, 1.0, 1e-9)
    white = np.linalg.solve(path.covariances, (z[:, None] - path.means)[..., None])[..., 0]
    each = means + np.einsum("kij,nkj->nki", joint @ mix.T, white)
    return z, true, np.einsum("nk,nki->ni", true["responsibilities"], each)


@EVERY_CASE
@pytest.mark.parametrize("name", ["log_density", "score"])
def test_density_and_score(name, seed, level):
    z, true, _ = along(seed, level)
    close(getattr(coupling(seed)[0], name)(z, *level), true[name], BOUND)


@EVERY_CASE
def test_posterior_means(seed, level):
    z, _, both = along(seed, level)
    law = coupling(seed)[0]
    close(np.hstack(law.posterior_means(z, *level)), both, BOUND)
    close(np.hstack(law.posterior_means(z[0], *level)), both[0], BOUND)


@EVERY_CASE
def test_velocity(seed, level):
    z, _, both = along(seed, level)
    u = coupling(seed)[0].velocity(z, *level, 0.3, -0.8)
    close(u, 0.3 * both[:, :3] - 0.8 * both[:, 3:], BOUND)


def test_without_a_coupling_probabilities_multiply():
    x, y = some(0, 2, 2), some(1, 1, 2)
    found = CoupledMixtures(x.mixture(), y.mixture()).coupling
    true = x.weights[:, None] * y.weights
    assert found.shape == true.shape
    close(found, true, BOUND)


@given(law=couplings())
def test_the_ends_are_the_two_laws(law):
    """Whatever the coupling: at t = 0 the law of x, at t = 1 that of y."""
    for level, end in (((1.0, 0.0), law.x), ((0.0, 1.0), law.y)):
        z = end.means + np.sqrt(end.spectra) * np.linspace(-1, 1, end.dim)
        close(law.log_density(z, *level), end.log_density(z), 1e-12)  # exponents up to 10²


@pytest.mark.parametrize("level", [(1.0, 0.0), (0.0, 1.0), (0.6, 0.8), (0.6, -0.8)])
@pytest.mark.parametrize("seed", range(2))
def test_draws_of_pairs(seed, level):
    law = coupling(seed)[0]
    x, y = law.sample(DRAWS, np.random.default_rng(seed))
    z, marginal = level[0] * x + level[1] * y, law.marginal(*level)
    for direction in np.vstack([np.eye(law.dim), np.ones(law.dim)]):
        assert distance(marginal.marginal(direction).cdf, z @ direction) < ALLOWED
