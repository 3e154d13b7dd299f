"""What claims of the literature are made of."""

import math

import pytest
from hypothesis import strategies as st

from dfbench.literature.parts import decided, within
from dfbench.literature.statement import for_all, largest, largest_of, worst_of
from dfbench.outcome import judge


@pytest.mark.parametrize("values", [(1.0, math.nan, 2.0), (math.nan, 1.0), (1.0, math.nan)])
def test_a_deviation_that_is_not_a_number_is_the_largest(values):
    assert math.isnan(largest(*values))
    assert math.isnan(largest(v for v in values))


def test_the_largest_of_values_and_of_an_iterable():
    assert largest(1.0, 3.0, 2.0) == largest([1.0, 3.0, 2.0]) == 3.0
    assert largest(4.0) == 4.0


def test_a_case_that_is_not_a_number_is_a_counterexample():
    finding = for_all(lambda n: math.nan if n > 3 else 0.0, 1.0, n=st.integers(0, 100))
    assert finding.verdict == "fail"
    assert finding.counterexample == {"n": 4}


@within(3.0, "steps", "counting")
def far(start, n):
    return abs(n - start)


def test_a_deviation_is_its_measure_and_is_held_to_its_bound():
    assert far(2, n=7) == 5
    finding = far.for_all(2, n=st.integers(0, 5))
    assert (finding.verdict, finding.measured, finding.bound) == ("pass", 3.0, 3.0)
    assert (finding.unit, finding.derivation) == ("steps", "counting")
    assert far.for_all(2, n=st.integers(0, 100)).counterexample == {"n": 6}


def test_the_part_closest_to_its_bound_decides_and_each_says_what_it_measured():
    close, apart = (far.for_all(0, n=st.integers(0, most)) for most in (1, 2))
    finding = decided({"close": close, "apart": apart}, {"more": 7.0}, {"x": [0.0]})
    assert finding.measured == 2.0
    assert finding.quantities == {"close": 1.0, "apart": 2.0, "more": 7.0}
    assert finding.series == {"x": [0.0]}
    broken = far.for_all(0, n=st.integers(0, 9))
    assert decided({"close": close, "broken": broken}).verdict == "fail"


def test_the_largest_of_named_deviations_decides_and_is_named():
    finding = largest_of({"a": 0.5, "b": 3.0, "c": 2.0}, 1.0, quantities={"n": 3.0})
    assert (finding.verdict, finding.measured, finding.where) == ("fail", 3.0, "b")
    assert finding.quantities == {"n": 3.0}
    assert largest_of({"a": 0.5, "b": math.nan, "c": 2.0}, 1.0).where == "b"


def test_what_decides_reports_what_all_found():
    parts = judge(0.1, 1.0), judge(0.9, 1.0, where="here")
    assert worst_of(*parts) is parts[1]
    finding = worst_of(*parts, series={"x": [1.0]})
    assert (finding.verdict, finding.where, finding.series) == ("pass", "here", {"x": [1.0]})
