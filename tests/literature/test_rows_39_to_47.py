"""Rows 39 to 47: formulas that are wrong but plausible are seen."""

import pytest

from dfbench.literature import c39_weak_orders as c39
from dfbench.literature import c45_round_trip as c45
from dfbench.literature import c47_four_errors as c47


def test_a_method_that_is_declared_an_order_too_high_is_seen():
    ddpm, options, order = c39.samplers()["ancestral (DDPM)"]
    assert c39.check({"DDPM": (ddpm, options, order)}).verdict == "pass"
    assert c39.check({"DDPM": (ddpm, options, order + 1)}).verdict == "fail"


def test_levels_that_start_without_noise_are_seen():
    """Right wherever σ_0 = 0: everywhere but for the variance exploding."""
    right = c45.from_sde()
    finding = c45.check(lambda f, g2, **start: right(f, g2, **start | {"sigma0": 0.0}))
    assert finding.verdict == "fail"


@pytest.mark.slow
def test_a_start_of_unit_variance_on_every_scale_is_seen():
    """Right on variance-preserving levels."""
    right = c47.measured()

    def wrong(sampler, grid, **options):
        return right(sampler, grid, start=1.0, **options)

    finding = c47.check(wrong)
    assert finding.verdict == "fail"
    assert "initialisation" in finding.counterexample["on"]
