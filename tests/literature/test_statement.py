"""What claims of the literature are made of."""

import math

import pytest
from hypothesis import strategies as st

from dfbench.literature.statement import for_all, largest


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
