"""Some of the catalogue under certification; `reports/defects/` has all of it."""

from __future__ import annotations

import pytest

from tests.defects.catalogue import defects, subjects
from tests.defects.table import findings, newly

#: a defect → the question that notices it
NOTICED = {
    "steps/OnlyDivisors": "bookkeeping",
    "steps/LcmNoiseAtTheEnd": "identity",
    "history/OutputsKept": "state",
    "shapes/MeanOverTheBatch": "row-independence",
    "noise/GlobalInstead": "noise",
    "noise/UniformInstead": "affine",
    "dtypes/NoDowncast": "dtype",
    "times/ToldTheIndex": "told-level",
    "grids/FinalSigmaOfTheGrid": "landing",
    "predictions/VHalfDone": "prediction-types",
    "options/OrderIgnored": "options",
    "companions/VelocitySign": "companions",
    "formulas/HalfForgotten": "identity",
    "steps/LastStepTwice": "bookkeeping",
    "history/SharedByTheClass": "protocol",
    "shapes/LargeImagesTiled": "protocol",
    "noise/DrawnInHalf": "fresh-noise",
    "noise/GeneratorsBackwards": "fresh-noise",
    "dtypes/HistoryInHalf": "dtype",
    "explicit/StepsOfAnEvenGrid": "bookkeeping",
    "explicit/GivenSigmasUnshifted": "levels",
    "clipping/NotDivided": "clipping",
    "companions/BeginIndexForgotten": "noising",
    "returns/PreviewIsEpsilon": "preview",
}


@pytest.mark.slow(quick=3)
@pytest.mark.parametrize(("name", "question"), NOTICED.items())
def test_it_is_noticed(name: str, question: str) -> None:
    """The question fails for the defect, and not for the right thing beside it."""
    defect = defects()[name]
    call = {**getattr(defect.when, "call", {}), **getattr(defect.when, "grid", {})}
    mine, other = (
        findings(m, defect.config, call, [question]) for m in (defect.wrong, defect.right)
    )
    assert isinstance(mine, dict)
    assert isinstance(other, dict)
    assert newly(mine[question], other[question]).startswith("fails")


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("name", ["real/sd15-ddim", "real/sd3", "variant/RowByRow"])
def test_nothing_is_said_against_what_is_right(name: str) -> None:
    """Of the questions about the run."""
    subject = subjects()[name]
    asked = ["bookkeeping", "identity", "state", "row-independence"]
    found = findings(subject.make, subject.config, subject.call, asked)
    assert isinstance(found, dict)
    assert all(finding.verdict == "pass" for finding in found.values())
