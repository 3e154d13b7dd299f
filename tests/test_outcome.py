"""How verdicts are reached, and what a finding and a certificate say of themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from dfbench.checks.cases import judge_entries, largest, last
from dfbench.outcome import (
    Certificate,
    Finding,
    Sense,
    SubjectReport,
    deciding,
    inconclusive,
    judge,
    skip,
    worst,
)

SENSES: list[tuple[Sense, float, str]] = [
    ("at most", 0.5, "pass"),
    ("at most", 1.0, "pass"),
    ("at most", 1.5, "fail"),
    ("at least", 0.5, "fail"),
    ("at least", 1.0, "pass"),
    ("at least", 1.5, "pass"),
]


@pytest.mark.parametrize(("sense", "measured", "verdict"), SENSES)
def test_a_value_is_held_to_its_bound(sense: Sense, measured: float, verdict: str) -> None:
    finding = judge(measured, 1.0, sense=sense, failing={"where": "here"})
    assert (finding.verdict, finding.cause, finding.sense) == (verdict, "measured", sense)
    assert finding.where == ("here" if verdict == "fail" else None)
    assert judge(math.nan, 1.0, sense=sense).verdict == "fail"


def test_what_is_not_a_number_uses_all_of_its_bound() -> None:
    assert judge(math.nan, 1.0).used == math.inf
    assert [judge(m, b).used for m, b in ((0.5, 2.0), (0.0, 0.0), (3.0, 0.0))] == [0.25, 0, 3]
    assert largest([judge(0.5, 1.0), judge(math.nan, 1.0), judge(2.0, 1.0)]).verdict == "fail"


def test_the_first_that_does_not_pass_decides_and_the_rest_is_not_asked() -> None:
    def asked() -> Iterator[Finding]:
        yield judge(0.1, 1.0)
        yield inconclusive("too few steps")
        raise AssertionError

    for decide in (deciding, last):
        assert decide(asked()).why == "too few steps"
    passing = [judge(m, 1.0) for m in (0.2, 0.9, 0.5)]
    assert deciding(passing) is passing[1]
    assert last(passing) is passing[2]
    assert deciding([]).verdict == "skip"
    assert deciding([], skip("no steps")) == last([], skip("no steps")) == skip("no steps")


def test_the_entry_closest_to_its_bound_stands_for_all() -> None:
    error = np.array([[0.3, 0.1], [0.2, 0.0]])
    bound = [[1.0], [0.25]]
    finding = judge_entries(error, bound, lambda i, j: f"row {i}, column {j}")
    assert (finding.measured, finding.bound) == (0.2, 0.25)
    assert finding.where == "row 1, column 0"


def test_nothing_at_all_is_a_skip_and_the_worst_part_is_the_whole() -> None:
    assert worst([]) == "skip"
    assert worst(["skip", "pass", "inconclusive"]) == "inconclusive"


def test_a_certificate_says_which_side_of_its_bound_a_value_is_on() -> None:
    findings = (judge(1.0, 1.7, sense="at least", unit="order"), judge(3, 0, unit="problems"))
    text = str(Certificate((SubjectReport("mine", findings=findings),)))
    assert "1 < 1.7; order" in text
    assert "3 > 0; problems" in text
