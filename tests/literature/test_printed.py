"""The formulas as printed."""

from __future__ import annotations

import pytest

from dfbench.literature import PRINTED
from dfbench.literature import p10_langevin_and_weighted_scores as p10
from dfbench.literature import p11_wasserstein_table as p11
from dfbench.samplers.method import Method


@pytest.mark.slow(quick=3)
@pytest.mark.parametrize("number", [n for n in PRINTED if not PRINTED[n].holds])
def test_a_misprint_comes_with_a_counterexample(number: int) -> None:
    claim = PRINTED[number]
    finding = claim(claim.subject())
    assert finding.counterexample
    assert finding.quantities["printed"] > finding.bound >= finding.quantities["corrected"]
    assert claim.corrected != claim.statement


@pytest.mark.slow(quick=3)
@pytest.mark.parametrize("number", sorted(PRINTED))
def test_a_corrected_form_that_is_the_printed_one_again_is_seen(number: int) -> None:
    claim = PRINTED[number]
    printed, _ = claim.subject()
    assert (claim((printed, printed)).verdict == "pass") == claim.holds


def test_an_interpolant_whose_noise_is_a_variance_is_seen():
    """ε_t = η_t g_t², of the corrected form of P3."""
    printed, right = PRINTED[3].subject()

    class Variance(type(right)):
        def epsilon(self, eta, g2):
            return super().epsilon(eta, g2**2)

    assert PRINTED[3]((printed, Variance(right.power))).verdict == "fail"


def test_an_objective_that_does_not_ask_for_the_score_is_seen(monkeypatch):
    """P10, of |s|² alone."""
    monkeypatch.setattr(p10, "explicit_score_matching", lambda s, true: (s**2).sum(-1) / 2)
    assert PRINTED[10](PRINTED[10].subject()).verdict == "fail"


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
