"""What a wrong coefficient does to the law of the samples, beside its size."""

from __future__ import annotations

import pytest

from dfbench.certification import examine
from dfbench.checks import CLAIMS
from dfbench.checks.effect import effect
from dfbench.outcome import Certificate, SubjectReport
from dfbench.outcome.finding import AT_ANY_SCALE, AT_ONE
from dfbench.report import labels
from dfbench.samplers import METHODS
from dfbench.subjects.reference import Defect, MethodSampler, default_grid


def halved(size: float = 0.5) -> MethodSampler:
    return MethodSampler("ddim", defect=Defect(final=lambda z: z * size))


@pytest.mark.slow(quick=2)
@pytest.mark.parametrize("size", [0.5, 0.99, 1.3])
def test_a_sample_of_another_size_is_that_much_off(size: float) -> None:
    """Mean and deviation alike, at every scale of the data, but for what DDIM itself loses."""
    report = examine(halved(size), ["bookkeeping", "identity"])
    wanted = 100 * abs(size - 1) * 2**0.5
    for finding in report.findings:
        assert finding.verdict == "fail"
        assert finding.quantities is not None
        assert finding.quantities[AT_ONE] == pytest.approx(wanted, rel=0.3)
        assert wanted * 0.7 < finding.quantities[AT_ANY_SCALE]
        assert finding.quantities[AT_ONE] <= finding.quantities[AT_ANY_SCALE]
        assert "moves the law of the samples by" in finding.effect
        assert finding.effect in labels.text(finding)
    assert report.findings[0].effect in str(Certificate((report,)))


def test_equal_tables_have_no_effect_and_a_pass_says_none() -> None:
    table = METHODS["heun"].table(default_grid(8))
    assert effect(table, table) == {AT_ONE: 0.0, AT_ANY_SCALE: 0.0}
    report: SubjectReport = examine(MethodSampler("ddim"), ["bookkeeping", "identity"])
    assert [(f.quantities, f.effect) for f in report.findings] == [(None, "")] * 2


def test_the_effect_of_a_time_that_is_told_wrong() -> None:
    """In proportion: ε̂ of the wrong level is taken off over six decades of σ²."""
    wrong = CLAIMS["told-level"].control
    found = [examine(wrong(size), ["told-level"]).findings[0].quantities for size in (1e-3, 1e-4)]
    one, tenth = (quantities[AT_ONE] for quantities in found if quantities)
    assert 0.1 < one < 3.0
    assert one == pytest.approx(10 * tenth, rel=0.05)
