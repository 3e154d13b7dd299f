"""Fields and laws of mixtures with any covariances, against dense linear algebra."""

from functools import cache

import numpy as np
import pytest
from scipy.special import log_ndtr, logsumexp, ndtr

from analytic import GaussianMixture, flow_map
from tests.formulas.dense import (
    ALLOWED,
    DRAWS,
    FORMS,
    Dense,
    close,
    distance,
    fields,
    some,
)

FIELDS = (
    "log_density",
    "responsibilities",
    "score",
    "score_jacobian",
    "score_divergence",
    "posterior_mean",
    "posterior_eps",
    "posterior_covariance",
    "velocity",
    "velocity_divergence",
)
RATES = (-0.7, 1.3)
LEVELS = ((0.6, 0.8), (0.999, 0.05), (0.02, 0.999))
BOUND = 1e-10  # relative: dense inverses, of condition (α/σ)² up to 400
EVERY_FIELD = pytest.mark.parametrize("name", FIELDS)
EVERY_FORM = pytest.mark.parametrize("form", FORMS)
EVERY_LAW = pytest.mark.parametrize(
    ("form", "seed", "dim"),
    [(form, seed, dim) for form in FORMS for seed in range(3) for dim in (1, 2, 3)],
)


@cache
def cases(form):
    """(mixture, points, level, a level for each point, fields at the level, at each point's own,
    and of the data at the points) for three laws in one to three dimensions at three levels."""
    found = []
    for seed in range(3):
        for dim in (1, 2, 3):
            dense, mixture = FORMS[form](seed, dim)
            for alpha, sigma in LEVELS:
                z = alpha * dense.means + sigma * np.linspace(-1.2, 1, dim)
                own = alpha * np.linspace(0.8, 1.2, len(z)), sigma * np.linspace(1.1, 0.9, len(z))
                each = [
                    fields(dense, z[i : i + 1], own[0][i], own[1][i], RATES) for i in range(len(z))
                ]
                single = {name: np.concatenate([one[name] for one in each]) for name in FIELDS}
                whole = fields(dense, z, alpha, sigma, RATES)
                data = fields(dense, z, 1.0, 1e-12)
                found.append((mixture, z, (alpha, sigma), own, whole, single, data))
    return found


def agrees(found, true):
    close(found, true, BOUND * (np.abs(true).max() + 1))


@EVERY_FORM
@EVERY_FIELD
def test_of_many_points_at_one_level(name, form):
    more = RATES if name.startswith("velocity") else ()
    for mixture, z, level, _, true, _, _ in cases(form):
        agrees(getattr(mixture, name)(z, *level, *more), true[name])


@EVERY_FORM
@EVERY_FIELD
def test_of_each_point_at_a_level_of_its_own(name, form):
    for mixture, z, _, own, _, true, _ in cases(form):
        more = [np.full(len(z), rate) for rate in RATES] if name.startswith("velocity") else ()
        agrees(getattr(mixture, name)(z, *own, *more), true[name])


@EVERY_FORM
@EVERY_FIELD
def test_of_one_point(name, form):
    more = RATES if name.startswith("velocity") else ()
    for mixture, z, level, _, true, _, _ in cases(form):
        agrees(getattr(mixture, name)(z[1], *level, *more), true[name][1])


@EVERY_FORM
@pytest.mark.parametrize("name", FIELDS[:5])
def test_of_the_data_where_no_level_is_given(name, form):
    for mixture, z, _, _, _, _, true in cases(form):
        agrees(getattr(mixture, name)(z), true[name])


# So many points that they are taken in parts ------------------------------------------------------

MANY = 40_000
AT = [0, 1, 16_383, 16_384, 20_000, 32_767, 32_768, MANY - 1]  # both sides of where parts meet
Z = np.linspace(-3, 3, 2 * MANY).reshape(MANY, 2)
ALPHA, SIGMA = np.linspace(0.2, 1, MANY), np.linspace(1, 0.3, MANY)


@pytest.mark.parametrize(
    "name", ["posterior_mean", "posterior_covariance", "log_density", "score", "velocity"]
)
def test_many_points_are_as_one_by_one(name):
    method = getattr(some(1).mixture(), name)
    columns = (ALPHA, SIGMA, SIGMA, ALPHA) if name == "velocity" else (ALPHA, SIGMA)
    whole = method(Z, *columns)
    close(whole[AT], [method(Z[i], *(c[i] for c in columns)) for i in AT], BOUND)


@pytest.mark.parametrize(
    ("alpha", "sigma"), [(ALPHA, 0.5), (0.5, SIGMA)], ids=["one sigma", "one alpha"]
)
def test_many_points_of_isotropic_components_are_as_one_by_one(alpha, sigma):
    law = GaussianMixture.isotropic(some(1).weights, some(1).means, 0.3)
    rows = np.broadcast_to(alpha, MANY), np.broadcast_to(sigma, MANY)
    one = [law.posterior_mean(Z[i], rows[0][i], rows[1][i]) for i in AT]
    close(law.posterior_mean(Z, alpha, sigma)[AT], one, BOUND)


def test_two_points_of_isotropic_components_at_levels_of_their_own():
    law = GaussianMixture.isotropic(some(1).weights, some(1).means, 0.3)
    pair = law.posterior_mean(Z[:2], ALPHA[:2], SIGMA[:2])
    close(pair, [law.posterior_mean(Z[i], ALPHA[i], SIGMA[i]) for i in (0, 1)], BOUND)


def test_flows_of_more_points_than_are_integrated_together():
    law, ends = some(1).mixture(), ((0.6, 0.8), (1.0, 0.1))
    at = [0, 127, 128, 199]
    whole = flow_map(law, Z[::200], *ends).z
    close(whole[at], [flow_map(law, Z[200 * i], *ends).z for i in at], BOUND)


# Laws ---------------------------------------------------------------------------------------------

EXACT = 1e-12  # of probability and moments of order one: round-off of exponents up to 10³


@EVERY_LAW
def test_mean_and_covariance(form, seed, dim):
    dense, mixture = FORMS[form](seed, dim)
    close(mixture.mean, dense.mean(), EXACT)
    close(mixture.covariance, dense.covariance(), EXACT)


@EVERY_LAW
def test_law_at_a_level(form, seed, dim):
    dense, mixture = FORMS[form](seed, dim)
    found, true = mixture.diffused(0.6, 0.8), dense.diffused(0.6, 0.8)
    close(found.covariance, true.covariance(), EXACT)


@EVERY_LAW
def test_law_of_a_projection(form, seed, dim):
    dense, mixture = FORMS[form](seed, dim)
    x, direction = np.linspace(-6, 6, 25), np.linspace(-1.0, 1.5, dim)
    line = mixture.marginal(direction)
    assert line.dim == 1
    close(line.cdf(x), dense.cdf(direction, x), EXACT)


@EVERY_LAW
def test_variances_are_told_by_their_shape(form, seed, dim):
    dense, mixture = FORMS[form](seed, dim)
    given = dense.covariances if mixture.bases is not None else mixture.spectra
    close(GaussianMixture(*dense[:2], given).covariance, dense.covariance(), EXACT)


@pytest.mark.parametrize("seed", range(3))
def test_one_variance_for_each_component_or_for_all(seed):
    law = some(seed, dim=3)
    each = np.trace(law.covariances, axis1=1, axis2=2)
    for given in (each, np.asarray(each[0])):
        found = GaussianMixture(law.weights, law.means, given).spectra
        close(found, np.broadcast_to(given, 4)[:, None] * np.ones(3), EXACT)


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("seed", range(2))
@EVERY_FORM
def test_draws(form, seed, dim):
    """Along axes and diagonals: of the data, and of points at two levels."""
    (dense, mixture), rng = FORMS[form](seed, dim), np.random.default_rng(seed)
    halves = np.repeat([0.6, 0.3], DRAWS // 2), np.repeat([0.8, 1.5], DRAWS // 2)
    x, z = mixture.sample(DRAWS, rng), mixture.sample_diffused(DRAWS, *halves, rng)
    pair = dense.diffused(0.6, 0.8), dense.diffused(0.3, 1.5)
    for u in np.vstack([np.eye(dim), np.ones(dim), (-1.0) ** np.arange(dim)]):
        assert distance(lambda at, u=u: dense.cdf(u, at), x @ u) < ALLOWED
        assert distance(lambda at, u=u: sum(one.cdf(u, at) for one in pair) / 2, z @ u) < ALLOWED


# Distribution functions in one dimension, to the ends of float64 ----------------------------------


def line(seed):
    """A mixture on a line, and the logarithms of its distribution function's two tails."""
    law = some(seed, dim=1)
    w, m, s = law.weights[:3], law.means[:3, 0], np.sqrt(law.covariances[:3, 0, 0])

    def tails(x):
        u = (x[:, None] - m) / s
        return [logsumexp(np.log(w) + log_ndtr(side * u), axis=1) for side in (1, -1)]

    return GaussianMixture.isotropic(law.weights, law.means, law.covariances[:, 0, 0]), tails


@pytest.mark.parametrize("seed", range(3))
def test_distribution_function(seed):
    mixture, tails = line(seed)
    x = np.linspace(-40, 40, 161)
    with np.errstate(under="ignore"):
        close(mixture.cdf(x), np.exp(tails(x)[0]), EXACT)


@pytest.mark.parametrize("seed", range(3))
def test_quantiles_of_the_lower_tail_to_1e_minus_300(seed):
    mixture, tails = line(seed)
    p = np.concatenate([10.0 ** -np.linspace(300, 0.31, 40), np.linspace(0.49, 0.9999, 9)])
    q = mixture.quantile(p)
    close((tails(q)[0] / np.log(p))[p < 0.5], 1, EXACT)


@pytest.mark.parametrize("seed", range(3))
def test_quantiles_of_the_upper_tail(seed):
    mixture, tails = line(seed)
    below = 1 - 10.0 ** -np.linspace(15, 0.31, 20)
    close(np.exp(tails(mixture.quantile(below))[1]) / (1 - below), 1, EXACT)


@pytest.mark.parametrize("seed", range(3))
def test_many_quantiles(seed):
    mixture, _ = line(seed)
    p = np.linspace(0.001, 0.999, 60_000)
    close(mixture.cdf(mixture.quantile(p)), p, EXACT)


def test_points_with_weights():
    """The distribution function jumps, the quantile is where it does."""
    points = GaussianMixture.points(np.array([[-1.0], [0.5], [2.0]]), [0.2, 0.5, 0.3])
    x = [-1.1, -1.0, 0.4, 0.5, 1.9, 2.0, 3.0]
    close(points.cdf(x), [0, 0.2, 0.2, 0.7, 0.7, 1, 1], EXACT)
    close(points.quantile([0.1, 0.19, 0.21, 0.5, 0.69, 0.71, 0.99]), [-1, -1, *[0.5] * 3, 2, 2], 0)


def test_a_point_and_a_bell():
    mixed = GaussianMixture.isotropic([0.5, 0.5], [[0.0], [1.0]], [0.0, 0.04])
    x = np.array([-1.1, -1.0, 0.4, 0.5, 1.9, 2.0, 3.0])
    close(mixed.cdf(x), 0.5 * ndtr((x - 1) / 0.2) + 0.5 * (x >= 0), EXACT)
    close(mixed.quantile([0.2, 0.4, 0.75]), [0, 0, 1], EXACT)


# σ = 0 and α = 0, where singular components have no density: the limits of small σ and α ----------

FLAT, ALONG = np.zeros((2, 2)), np.diag([0.5, 0.0])
SINGULAR = {
    "points": Dense(
        np.array([0.3, 0.5, 0.2]), np.array([[0.0, 0], [1, 0], [0, 2]]), np.zeros((3, 2, 2))
    ),
    "a line": Dense(
        np.array([0.3, 0.5, 0.2, 0.0]),
        np.array([[0.2, 0], [1, 0], [0, 2], [3, 3]]),
        np.stack([FLAT, ALONG, FLAT, FLAT]),
    ),
    "a plane": Dense(
        np.array([0.4, 0.35, 0.25]),
        np.array([[0.0, 0], [1, 0], [0, 1]]),
        np.stack([FLAT, np.eye(2), 0.5 * np.eye(2)]),
    ),
}
PLACES = np.array([[0.2, 0], [0.7, 0], [0, 2], [0.4, 0.3], [3, 3], [0, 0], [1.0, 1.0]])
NEAR = 1e-5  # limits taken at σ = 1e-6
EVERY_LIMIT = pytest.mark.parametrize("law", SINGULAR.values(), ids=SINGULAR)


@EVERY_LIMIT
def test_responsibilities_without_noise(law):
    mixture, at = law.mixture(), 0.7 * PLACES
    found = mixture.responsibilities(at, 0.7, 0.0)
    close(found, mixture.responsibilities(at, 0.7, 1e-6), NEAR)


@EVERY_LIMIT
def test_density_without_noise(law):
    """Infinite where it rises as σ falls, −∞ where it drops, and its limit elsewhere."""
    mixture, at = law.mixture(), 0.7 * PLACES
    before, after = (mixture.log_density(at, 0.7, small) for small in (1e-5, 1e-6))
    change, found = np.round(after - before, 1), mixture.log_density(at, 0.7, 0.0)
    moves = change != 0
    np.testing.assert_array_equal(found[moves], np.copysign(np.inf, change[moves]))
    close(found[~moves], after[~moves], NEAR)


@EVERY_LIMIT
def test_posterior_without_noise(law):
    mixture, at = law.mixture(), 0.7 * PLACES
    close(mixture.posterior_mean(at, 0.7, 0.0), PLACES, NEAR)
    close(mixture.posterior_eps(at, 0.7, 0.0), 0, NEAR)
    close(mixture.posterior_covariance(at, 0.7, 0.0), 0, NEAR)
    close(mixture.velocity(at, 0.7, 0.0, 0.3, 0.4), 0.3 * PLACES, NEAR)


@EVERY_LIMIT
def test_posterior_of_pure_noise(law):
    mixture = law.mixture()
    mean, covariance = law.mean(), law.covariance()
    close(mixture.posterior_mean(PLACES, 0.0, 0.5), mean * np.ones_like(PLACES), NEAR)
    close(mixture.posterior_eps(PLACES, 0.0, 0.5), PLACES / 0.5, NEAR)
    found = mixture.posterior_covariance(PLACES, 0.0, 0.5)
    close(found, np.broadcast_to(covariance, found.shape), NEAR)
