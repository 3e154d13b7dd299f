"""Reference trajectories against closed forms, the monotone rearrangement and another solver."""

import importlib
import time

import mpmath as mp
import numpy as np
import pytest

from analytic import (
    GaussianMixture,
    flow_map,
    gaussian_flow_map,
    log_likelihood,
    quantile_flow,
)

LEGS = [((0, 1), (1, 0)), ((0, 1), (1, 1e-3)), ((0.5, 0.5), (1e-3, 2.0)), ((0.1, 40.0), (3.0, 0.2))]
LINES = {
    "two": GaussianMixture.isotropic([0.3, 0.7], [[-3.0], [2.0]], [0.5, 0.01]),
    "points": GaussianMixture.points([[-3.0], [2.0], [2.1]]),
    "point and bell": GaussianMixture.isotropic([0.5, 0.5], [[-1.0], [1.0]], [0.0, 1.0]),
    "scales": GaussianMixture.isotropic([0.3, 0.7], [[-3.0], [2.0]], [1e-12, 1e12]),
    "far": GaussianMixture.isotropic([0.5, 0.5], [[-1e8], [1e8]], [1.0, 2.0]),
    "small": GaussianMixture.isotropic([0.5, 0.5], [[-1e-3], [1e-3]], [1e-8, 4e-8]),
}


@pytest.fixture(scope="module")
def plane():
    means = [[-3.0, 0.0], [2.0, 2.0], [0.0, -4.0], [3.0, -1.0]]
    covariances = [np.diag([0.3, 1.0]), [[1.0, 0.5], [0.5, 1.0]], 0.01 * np.eye(2), np.eye(2)]
    return GaussianMixture.full([0.1, 0.2, 0.3, 0.4], means, covariances)


@pytest.mark.slow(quick=6)
@pytest.mark.parametrize("leg", LEGS, ids=str)
@pytest.mark.parametrize("name", LINES)
def test_flow_is_the_monotone_rearrangement(name, leg, rng):
    mixture = LINES[name]
    z = mixture.sample_diffused(24, *leg[0], rng)
    reference, result = quantile_flow(mixture, z, *leg), flow_map(mixture, z, *leg)
    actual = np.abs(result.z - reference).max(1)
    # Rounding at either end: the points come as floats, and leave as floats.
    bound = 1e-12 * np.abs(reference).max() + 2e-14 * np.abs(z).max()
    assert actual.max() < bound
    # The estimate covers the error, which includes that of the other path, and is not idle.
    assert (actual < 3 * result.error + 0.01 * bound).all()
    assert result.error.max() < 20 * bound
    # The control: the same ray, one part in a billion longer.
    off = quantile_flow(mixture, z, leg[0], (leg[1][0] * (1 + 1e-9), leg[1][1] * (1 + 1e-9)))
    assert np.abs(off - result.z).max() > 10 * bound


@pytest.mark.parametrize("leg", [*LEGS, ((1, 0), (0, 1)), ((0.3, 0.3), (2.0, 2.0))], ids=str)
def test_flow_of_one_gaussian_is_its_closed_form(leg, rng):
    mean, covariance = np.array([4.0, -1.0]), np.array([[5.0, 0.01], [0.01, 1e-4]])
    mixture = GaussianMixture.full([1.0], mean[None], covariance[None])
    z = mixture.sample_diffused(10, *leg[0], rng)
    result = flow_map(mixture, z, *leg)
    truth = gaussian_flow_map(z, mean, covariance, *leg)
    assert np.abs(result.z - truth).max() < 1e-12 * np.abs(truth).max()
    wrong = gaussian_flow_map(z, mean, 1.0001 * covariance, *leg)
    if leg != ((0.3, 0.3), (2.0, 2.0)):  # there r does not change: nothing but a scaling is left
        assert np.abs(result.z - wrong).max() > 1e-9 * np.abs(truth).max()


def test_flow_in_two_dimensions_against_extrapolation_in_25_digits(plane):
    """Another method on dy/dr = E[eps|z], y = z/alpha, with a density written out here."""
    parts = [
        (w, mp.matrix(m.tolist()), mp.matrix(((v * s) @ v.T).tolist()))
        for w, m, s, v in zip(plane.weights, plane.means, plane.spectra, plane.bases, strict=True)
    ]

    def eps(r, y):
        total, pull = mp.mpf(0), mp.matrix([0, 0])
        for w, m, c in parts:
            v = c + r**2 * mp.eye(2)
            force = v**-1 * (mp.matrix(y) - m)
            bell = w / mp.sqrt(mp.det(v)) * mp.exp(-((mp.matrix(y) - m).T * force)[0] / 2)
            total, pull = total + bell, pull + bell * force
        return [r * x / total for x in pull]

    z = np.array([0.4, -1.1])
    start, stop = (1.0, 3.0), (1.0, 2.0)
    with mp.workdps(25):
        truth = _march(eps, z, 3, 2, 20)
    result = flow_map(plane, z, start, stop)
    assert np.abs(result.z - truth).max() < 1e-12
    assert np.abs(_march(eps, z, 3, 2, 1) - truth).max() > 1e-12  # the control: a coarse march


def _march(field, z, begin, end, steps):
    """Gragg-Bulirsch-Stoer in mpmath: extrapolated midpoint rule, order 10, fixed steps."""
    y, h = mp.matrix([mp.mpf(float(x)) for x in z]), (mp.mpf(end) - begin) / steps
    for i in range(steps):
        r, columns = begin + i * h, []
        for j in range(1, 6):
            n = 2 * j
            small, old, new = h / n, y, y + h / n * mp.matrix(field(r, list(y)))
            for k in range(1, n):
                old, new = new, old + 2 * small * mp.matrix(field(r + k * small, list(new)))
            columns.append((old + new + small * mp.matrix(field(r + h, list(new)))) / 2)
        for level in range(1, 5):
            columns = [
                columns[j + 1]
                + (columns[j + 1] - columns[j]) / ((mp.mpf(j + 1 + level) / (j + 1)) ** 2 - 1)
                for j in range(len(columns) - 1)
            ]
        y = columns[0]
    return np.array([float(x) for x in y])


def test_round_trip_and_composition(plane, rng):
    z = rng.normal(size=(16, 2))
    data = flow_map(plane, z, (0, 1), (1, 0))
    back = flow_map(plane, data.z, (1, 0), (0, 1))
    assert np.abs(back.z - z).max() < 1e-10
    middle = flow_map(plane, z, (0, 1), (0.4, 0.8))
    assert np.abs(flow_map(plane, middle.z, (0.4, 0.8), (1, 0)).z - data.z).max() < 1e-10
    moved = flow_map(plane, z + 1e-8, (0, 1), (1, 0))  # the control: the map is not constant
    assert np.abs(moved.z - data.z).max() > 1e-9


def test_only_the_ray_matters(plane, rng):
    z = rng.normal(size=(8, 2))
    one = flow_map(plane, z, (0.1, 0.9), (0.9, 0.1)).z
    scaled = flow_map(plane, 7 * z, (0.7, 6.3), (0.009, 0.001)).z
    np.testing.assert_allclose(scaled * 100, one, rtol=1e-10)
    other = flow_map(plane, z, (0.11, 0.9), (0.9, 0.1)).z
    assert np.abs(other - one).max() > 1e-3


@pytest.mark.parametrize(
    "leg", [((1, 0), (0, 1)), ((0.9, 0.2), (0.1, 2.0)), ((0.2, 3.0), (2.0, 0.0))]
)
def test_likelihood_through_the_flow_is_the_density(plane, rng, leg):
    z = plane.sample_diffused(12, *leg[0], rng)
    result = log_likelihood(plane, z, *leg)
    truth = plane.log_density(z, *leg[0])
    actual = np.abs(result.log_density - truth)
    assert actual.max() < 1e-10
    assert (actual < 5 * result.error + 1e-12).all()
    np.testing.assert_allclose(result.z, flow_map(plane, z, *leg).z, atol=1e-9)
    # The control: without the change of volume, the density of the end point is not it.
    assert np.abs(plane.log_density(result.z, *leg[1]) - truth).max() > 1e-2


def test_likelihood_with_points_away_from_the_data(rng):
    mixture = GaussianMixture.points([[-1.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    z = mixture.sample_diffused(8, 1.0, 0.05, rng)
    result = log_likelihood(mixture, z, (1.0, 0.05))
    np.testing.assert_allclose(result.log_density, mixture.log_density(z, 1.0, 0.05), atol=1e-10)
    for start, stop in (((1.0, 0.0), (0.0, 1.0)), ((1.0, 0.1), (1.0, 0.0))):
        with pytest.raises(ValueError, match="singular"):
            log_likelihood(mixture, z, start, stop)


def test_chunks_single_points_and_nothing(plane, rng):
    z = rng.normal(size=(300, 2))
    many = flow_map(plane, z, (0, 1), (0.8, 0.6))
    one = flow_map(plane, z[299], (0, 1), (0.8, 0.6))
    assert one.z.shape == (2,)
    assert one.error.shape == ()
    np.testing.assert_allclose(one.z, many.z[299], atol=1e-11)
    assert np.abs(one.z - many.z[298]).max() > 1e-6
    assert flow_map(plane, np.zeros((0, 2)), (0, 1), (1, 0)).z.shape == (0, 2)
    still = flow_map(plane, z[:3], (0.8, 0.6), (0.8, 0.6)).z
    np.testing.assert_allclose(still, z[:3], rtol=1e-14)


@pytest.mark.parametrize(
    ("start", "stop", "match"),
    [
        ((1, 0), (0.5, 0.5), "singular"),
        ((0, 0), (1, 0), "both zero"),
        ((0, 1), (1, -1), "sigma must be"),
        (1.0, (1, 0), "pair"),
        ((0, np.nan), (1, 0), "finite"),
    ],
)
def test_bad_levels_are_refused(start, stop, match):
    with pytest.raises(ValueError, match=match):
        flow_map(LINES["points"], [[0.0]], start, stop)


def test_64_points_in_well_under_a_second(plane, rng):
    z = rng.normal(size=(64, 2))
    flow_map(plane, z[:1], (0, 1), (1, 0))  # imports
    start = time.process_time()
    flow_map(plane, z, (0, 1), (1, 0))
    assert time.process_time() - start < 2  # measured 0.1 s; generous, for loaded machines


def test_data_far_smaller_than_the_noise_keeps_relative_digits():
    mixture = GaussianMixture.isotropic([1.0], [[0.0]], 1e-12)
    result = flow_map(mixture, [[0.5]], (0, 1), (1, 0))
    assert result.z[0, 0] == pytest.approx(5e-7, rel=1e-12, abs=0)
    assert result.error[0] < 1e-12 * 5e-7  # held to the scale of the data, not to that of the noise


@pytest.mark.slow
def test_points_that_no_draw_would_give_are_carried_although_stiff():
    """Between narrow components, towards noise: it contracts 1e5 times faster than it moves."""
    mixture = GaussianMixture.isotropic([0.5, 0.5], [[-1.0], [1.0]], 1e-8)
    leg = (1, 1e-3), (0, 1)
    z = np.array([[0.02], [0.999]])
    result = flow_map(mixture, z, *leg)
    actual = np.abs(result.z - quantile_flow(mixture, z, *leg)).max(1)
    assert (actual < 3 * result.error + 1e-14).all()
    assert result.error.max() < 1e-9
    assert np.abs(result.z[1] - result.z[0]) > 1e-3


@pytest.mark.slow
def test_when_the_budget_is_spent_an_implicit_method_gives_the_same_points(plane, rng, monkeypatch):
    z = rng.normal(size=(2, 2))
    explicit = flow_map(plane, z, (0, 1), (1, 0.1))
    flow = importlib.import_module("analytic.flow")
    monkeypatch.setattr(flow, "_BUDGET", 400)
    implicit = flow_map(plane, z, (0, 1), (1, 0.1))
    assert 0 < np.abs(implicit.z - explicit.z).max() < 1e-10  # not the same run, the same points
    monkeypatch.setattr(flow, "_BUDGET", 0)
    with pytest.raises(RuntimeError, match="too stiff"):
        flow_map(plane, z, (0, 1), (1, 0.1))
