"""The formulas as printed, and claim 42's list of methods."""

from __future__ import annotations

from typing import Any

import pytest

from dfbench.literature import PRINTED
from dfbench.literature.c42_orders_of_fast_solvers import options_gap, read
from dfbench.literature.variants import ENDS, VARIANTS, Variant, table
from dfbench.samplers import METHODS


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
