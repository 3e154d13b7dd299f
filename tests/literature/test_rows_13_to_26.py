"""Rows 13 to 26: every check passes, its control fails, and its figure draws finite series."""

from __future__ import annotations

import math

import pytest

from dfbench.literature import ROWS

NUMBERS = range(13, 27)
FIGURES = (18, 20, 21, 22, 24, 25, 26)


@pytest.mark.parametrize("number", NUMBERS)
def test_holds_and_draws(number: int) -> None:
    claim = ROWS[number]
    finding = claim(claim.subject())
    assert finding.verdict == "pass", finding
    assert finding.derivation
    assert all(math.isfinite(v) for v in (finding.quantities or {}).values())
    assert (claim.figure is not None) == (number in FIGURES)
    if claim.figure is not None:
        assert finding.series
        assert all(math.isfinite(v) for values in finding.series.values() for v in values)
        axes = claim.figure(finding).axes
        assert all(axis.get_xlabel() or axis.get_ylabel() for axis in axes)
        assert axes[0].has_data()


@pytest.mark.parametrize("number", NUMBERS)
def test_control_fails(number: int) -> None:
    claim = ROWS[number]
    assert claim(claim.control(claim.control_size)).verdict == "fail"
