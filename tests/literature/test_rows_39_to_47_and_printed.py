"""Claims 39 to 47, and the formulas as printed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dfbench.literature import PRINTED, ROWS
from dfbench.literature.c42_orders_of_fast_solvers import options_gap, read
from dfbench.literature.variants import ENDS, VARIANTS, Variant, table
from dfbench.samplers import METHODS

MINE = [ROWS[n] for n in range(39, 48)] + [PRINTED[n] for n in range(1, 12)]


@pytest.mark.parametrize("claim", MINE, ids=lambda claim: claim.id)
def test_the_claim_holds_its_control_fails_and_its_figure_draws(claim: Any) -> None:
    finding = claim(claim.subject())
    assert finding.verdict == "pass", finding.why
    assert finding.measured < finding.bound
    assert claim(claim.control(claim.control_size)).verdict == "fail"
    assert all(np.isfinite(list((finding.quantities or {}).values())))
    if claim.figure is not None:
        assert all(np.isfinite(values).all() for values in finding.series.values())
        claim.figure(finding).draw_without_rendering()


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


def test_row_42_knows_every_method_without_options_and_every_option() -> None:
    given = {name: set() for name in METHODS}
    for each in VARIANTS + ENDS:
        given[each.method] |= set(each.options)
    assert {each.method for each in VARIANTS if not each.options} == set(METHODS)
    assert given == {name: set(method.defaults) for name, method in METHODS.items()}


@pytest.mark.parametrize("variant", ["tcd", "unipc", "pndm", "lcm"])
def test_row_42_notices_an_option_that_is_ignored(variant: str) -> None:
    def deaf(one: Any, grid: Any) -> Any:
        ignores = isinstance(one, Variant) and one.method == variant
        return table(one._replace(options={}), grid) if ignores else read()(one, grid)

    worst, where = options_gap(deaf)
    assert worst > 1e-3
    assert where.startswith(variant)
