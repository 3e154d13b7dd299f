"""The series against the embedded pair of SciPy, the monotone rearrangement, and without guards."""

import numpy as np
import pytest

from analytic import GaussianMixture, _taylor, flow_map, quantile_flow
from analytic._taylor import Series
from analytic.flow import _Circle

SPREADS = {"equal": [0.01] * 5, "mixed": [0.01, 1e-4, 0.3, 2.0, 0.05], "points": [0.0] * 5}
SPREADS["a point among bells"] = [0.0, *SPREADS["mixed"][1:]]
LEGS = [(np.inf, 0.02), (10.0, 0.02), (0.05, np.inf), (0.3, 0.3)]


def law(name, dim):
    rng = np.random.default_rng(7)
    return GaussianMixture.isotropic(np.full(5, 0.2), rng.normal(size=(5, dim)), SPREADS[name])


def level(r):
    return (0.0, 1.0) if np.isinf(r) else (1 / np.hypot(1, r), r / np.hypot(1, r))


@pytest.mark.parametrize("leg", LEGS, ids=str)
@pytest.mark.parametrize("name", SPREADS)
@pytest.mark.parametrize("dim", [1, 3])
def test_every_point_arrives_where_the_embedded_pair_takes_it(name, dim, leg, rng):
    mixture = law(name, dim)
    z = mixture.sample_diffused(6, *level(leg[0]), rng)
    circle = _Circle(mixture._components, level(leg[0]), level(leg[1]))
    begin, end = circle.clock(leg[0]), circle.clock(leg[1])
    pair = circle.advance(z, begin, end, 5e-14) if begin != end else z
    series = Series(mixture._components, *leg)
    found, arrived = series.run(z, 1e-14, circle.scale, 22)
    assert arrived.all()
    assert np.abs(found - pair).max() < 1e-11
    # The control: a tolerance of a thousandth shows.
    if begin != end:
        assert np.abs(series.run(z, 1e-3, circle.scale, 5)[0] - pair).max() > 1e-10


def test_a_component_that_comes_up_within_a_step_is_not_overlooked(monkeypatch):
    """Far from the second component at the start, with it at the end."""
    mixture = GaussianMixture.isotropic([0.5, 0.5], [[0.0], [6.0]], [0.0001, 4.0])
    z = mixture.sample_diffused(200, 1.0, 0.05, np.random.default_rng(0))
    legs = (1.0, 0.05), (0.0, 1.0)
    truth = quantile_flow(mixture, z, *legs)
    assert np.abs(flow_map(mixture, z, *legs).z - truth).max() < 1e-11
    monkeypatch.setattr(_taylor, "_REACH", 1e9)
    monkeypatch.setattr(_taylor, "_SLOPE", 1e9)
    unguarded = flow_map(mixture, z, *legs).z
    assert np.abs(unguarded - truth).max() > 1e-8


def test_the_second_run_is_made_when_its_error_is_asked_for(rng, monkeypatch):
    runs, run = [], Series.run

    def counted(self, z, tolerance, scale, order):
        runs.append(order)
        return run(self, z, tolerance, scale, order)

    monkeypatch.setattr(Series, "run", counted)
    mixture, z = law("mixed", 2), rng.normal(size=(5, 2))
    result = flow_map(mixture, z, (0, 1), (1, 0.1))
    assert runs == [22]
    before = flow_map(mixture, z, (0, 1), (1, 0.1)).error
    z += 1.0  # the caller's own array: what was asked stays asked
    np.testing.assert_array_equal(result.error, before)
    assert result.error is result.error  # kept
    assert sorted(runs) == [18, 18, 22, 22]
    assert 0 < before.max() < 1e-11


def test_more_points_than_are_taken_together(rng, monkeypatch):
    mixture = law("mixed", 2)
    z = rng.normal(size=(40, 2))
    whole = flow_map(mixture, z, (0, 1), (1, 0.1)).z
    monkeypatch.setattr(_taylor, "_ROWS", 7)
    parts = flow_map(mixture, z, (0, 1), (1, 0.1)).z
    np.testing.assert_allclose(parts, whole, atol=1e-13)
    assert np.abs(whole[1:] - whole[:-1]).max() > 1e-3


def test_components_without_weight_do_not_count(rng):
    one = GaussianMixture.isotropic([1.0], [[1.0, 2.0]], 0.2)
    two = GaussianMixture.isotropic([1.0, 0.0], [[1.0, 2.0], [5.0, 5.0]], [0.2, 0.0])
    z, leg = rng.normal(size=(4, 2)), ((0, 1), (1, 0.1))
    np.testing.assert_allclose(flow_map(two, z, *leg).z, flow_map(one, z, *leg).z, atol=1e-14)
    heavy = GaussianMixture.isotropic([0.9, 0.1], [[1.0, 2.0], [5.0, 5.0]], [0.2, 0.0])
    assert np.abs(flow_map(heavy, z, *leg).z - flow_map(one, z, *leg).z).max() > 1e-3
