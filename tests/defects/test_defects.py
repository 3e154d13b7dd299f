"""Every defect of the catalogue is real, and shows where it says; what is right is right."""

from __future__ import annotations

import math

import pytest

from tests.defects.catalogue import Defect, defects
from tests.defects.plain import rounding


@pytest.mark.slow(quick=77)
@pytest.mark.parametrize("defect", defects().values(), ids=lambda defect: defect.name)
def test_a_defect_is_real(defect: Defect) -> None:
    """It is far above round-off in its own run, and below it in the plain one if it is hidden."""
    size, where = defect.effect
    assert size > 10 * rounding(defect.when), where
    if defect.hidden:
        size, where = defect.otherwise()
        assert size <= rounding(defect.when), f"in the plain run: {where}"


@pytest.mark.slow
def test_the_catalogue_is_large_and_mixed() -> None:
    """150 defects, at least a dozen where each of the questions of protocol is asked."""
    known = defects()
    assert len(known) >= 150
    assert sum(defect.hidden for defect in known.values()) >= 80
    assert all(defect.says and not math.isnan(defect.effect[0]) for defect in known.values())
