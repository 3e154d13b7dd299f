"""The formulas as printed."""

from __future__ import annotations

import pytest

from dfbench.literature import PRINTED
from dfbench.literature import p11_wasserstein_table as p11
from dfbench.samplers.method import Method


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


def test_a_table_of_wrong_errors_is_seen(monkeypatch):
    """Noise too large by a millionth, in the published table's DDPM."""
    chain, options = p11.SCHEMES["DDPM"]

    def noisy(model, z, grid, noise):
        return chain.function(model, z, grid, lambda *at: (1 + 1e-6) * noise(*at))

    broken = Method("noisy", noisy, "", chain.traits)
    monkeypatch.setitem(p11.SCHEMES, "DDPM", (broken, options))
    monkeypatch.setattr(p11, "LABELS", (50,))
    p11.measured.cache_clear()
    try:
        found = p11.check(p11.check.subject())
    finally:
        p11.measured.cache_clear()
    assert (found.verdict, found.where) == ("fail", "DDPM, 50")
