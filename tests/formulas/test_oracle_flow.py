"""The reference flow and its likelihood against closed forms, and the errors it says it has."""

import numpy as np
import pytest

from analytic import GaussianMixture
from analytic.flow import flow_map, log_likelihood, quantile_flow
from analytic.gaussian import gaussian_flow_map
from dfbench.literature.calculus import divergence
from tests.formulas.dense import Dense, close, some

BOUND = 1e-11  # absolute, of order one: integration to 5e-14 of every step
CLEAN, NOISE = (1.0, 0.0), (0.0, 1.0)
LINE = Dense(*(part[:3] for part in some(0, 3, 1))).mixture()
POINTS = GaussianMixture.points(np.array([[-1.0], [0.5], [2.0]]), [0.2, 0.5, 0.3])
Z = np.linspace(-3, 3, 60)[:, None]


def agrees(flow, true):
    """What it says of its error is at most 1e-10, and a tenth of the true error at least."""
    wrong = np.abs(flow.z - true).max(-1)
    close(wrong, 0, BOUND)
    assert np.max(flow.error) <= 1e-10
    assert (wrong <= np.maximum(10 * flow.error, 1e-13)).all()


@pytest.mark.parametrize(
    ("start", "stop"), [((0.3, 1.2), (0.9, 0.1)), (CLEAN, NOISE), ((0.0, 2.0), CLEAN)]
)
def test_on_a_line_quantiles_stay(start, stop):
    z = Z if start[1] > 0.5 else 0.3 * Z
    agrees(flow_map(LINE, z, start, stop), quantile_flow(LINE, z, start, stop))


def test_of_one_point():
    ends = (0.3, 1.2), (0.9, 0.1)
    agrees(flow_map(LINE, Z[7], *ends), quantile_flow(LINE, Z[7], *ends))


def test_of_a_gaussian_in_the_plane():
    law, z = some(0, 1, 2), np.array([[0.2, 1.0], [-1.0, 0.4]])
    true = gaussian_flow_map(z, law.means[0], law.covariances[0], (0.2, 1.0), CLEAN)
    agrees(flow_map(law.mixture(), z, (0.2, 1.0), CLEAN), true)


def test_of_points():
    agrees(flow_map(POINTS, Z, (0.1, 1.0), CLEAN), quantile_flow(POINTS, Z, (0.1, 1.0), CLEAN))


def likely(found, z, start, stop):
    """The same of log p: it says at most 1e-9."""
    wrong = np.abs(found.log_density - LINE.log_density(z, *start))
    close(wrong, 0, BOUND)
    close(found.z, quantile_flow(LINE, z, start, stop), BOUND)
    assert np.max(found.error) <= 1e-9
    assert (wrong <= np.maximum(10 * found.error, 1e-13)).all()


@pytest.mark.parametrize(("start", "stop"), [(CLEAN, NOISE), ((0.9, 0.3), (0.2, 1.4))])
def test_likelihood(start, stop):
    likely(log_likelihood(LINE, Z[::6], start, stop), Z[::6], start, stop)


def test_likelihood_of_one_point_of_the_data():
    likely(log_likelihood(LINE, Z[0]), Z[0], CLEAN, NOISE)


# In the plane, two ellipses -----------------------------------------------------------------------

ELLIPSES = GaussianMixture.full(
    [0.3, 0.7],
    [[-1.0, 0.4], [0.8, 0.1]],
    [[[0.5, 0.2], [0.2, 0.3]], [[0.2, -0.1], [-0.1, 0.6]]],
)
PLACES = np.array([[0.3, -0.2], [-1.1, 0.9], [1.6, 0.4]])
RATES = (-0.7, 1.3)


@pytest.mark.parametrize("level", [(1.0, 0.05), (0.8, 0.6), (0.3, 2.0), (0.01, 1.0)])
@pytest.mark.parametrize(("name", "more"), [("velocity", RATES), ("score", ())])
def test_divergences_by_differences(name, more, level):
    field = getattr(ELLIPSES, name)
    true = divergence(lambda z: field(z, *level, *more), PLACES, 0.004)
    found = getattr(ELLIPSES, f"{name}_divergence")(PLACES, *level, *more)
    close((found - true) / (1 + np.abs(true)), 0, 1e-8)  # h⁸ where the narrowest scale is 1/20


@pytest.mark.parametrize(("start", "stop"), [(CLEAN, NOISE), ((1.6, 1.2), (0.0, 3.0))])
def test_likelihood_in_the_plane(start, stop):
    found = log_likelihood(ELLIPSES, PLACES, start, stop).log_density
    close(found, ELLIPSES.log_density(PLACES, *start), 1e-8)


def test_likelihood_of_one_point_in_the_plane():
    found = log_likelihood(ELLIPSES, PLACES[0]).log_density
    close(found, ELLIPSES.log_density(PLACES[:1])[0], 1e-8)
