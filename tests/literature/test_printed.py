"""The formulas as printed."""

from __future__ import annotations

import pytest

from dfbench.literature import PRINTED


@pytest.mark.parametrize("number", [n for n in PRINTED if not PRINTED[n].holds])
def test_a_misprint_comes_with_a_counterexample(number: int) -> None:
    claim = PRINTED[number]
    finding = claim(claim.subject())
    assert finding.counterexample
    assert finding.quantities["printed"] > finding.bound >= finding.quantities["corrected"]
    assert claim.corrected != claim.statement


@pytest.mark.parametrize("number", sorted(PRINTED))
def test_a_corrected_form_that_is_the_printed_one_again_is_seen(number: int) -> None:
    claim = PRINTED[number]
    printed, _ = claim.subject()
    assert (claim((printed, printed)).verdict == "pass") == claim.holds
