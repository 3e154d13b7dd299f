"""Every sampler under every option has the coefficients of a formula written a second time."""

from __future__ import annotations

import pytest

from dfbench.samplers import METHODS
from dfbench.samplers.ancestral import consistency_scalings, lcm_scalings
from tests.formulas.variants import ENDS, VARIANTS, Variant, cases, gap, levels, table

ROUNDING = 1e-12  # of quadratures, with a growth of e⁶


ALL = cases() | {each.name: (each, False) for each in ENDS}


@pytest.mark.parametrize(("variant", "pure"), ALL.values(), ids=ALL)
def test_table_is_that_of_the_formula(variant: Variant, pure: bool) -> None:
    grid = levels(variant.steps, pure, variant.clean, variant.bare)
    assert gap(variant, table(variant, grid), grid) < ROUNDING


def test_every_option_of_every_method_has_a_formula() -> None:
    given: dict[str, set[str]] = {name: set() for name in METHODS}
    for each in VARIANTS + ENDS:
        given[each.method] |= set(each.options)
    assert {each.method for each in VARIANTS if not each.options} == set(METHODS)
    assert given == {name: set(method.defaults) for name, method in METHODS.items()}


@pytest.mark.parametrize("method", ["tcd", "unipc", "pndm", "lcm"])
def test_an_option_that_is_ignored_is_seen(method: str) -> None:
    gaps = []
    for each in VARIANTS:
        if each.method == method and not each.clean:
            grid = levels(each.steps, bare=each.bare)
            gaps.append(gap(each, table(each._replace(options={}), grid), grid))
    assert max(gaps) > 1e-3


@pytest.mark.parametrize("sigma", [0.002, 0.3, 2.0, 999.0])
def test_scalings_of_consistency_models_are_those_printed(sigma: float) -> None:
    """2303.01469, appendix C, with σ_data = ½; f = c_skip z + c_out F, where F is the network of
    EDM, x̂ = c_skip' z + c_out' F. And the released scalings of latent consistency models."""
    skip, norm = 0.25 / ((sigma - 0.002) ** 2 + 0.25), 0.25 + sigma**2
    share = 0.5 * (sigma - 0.002) / norm**0.5 / (0.5 * sigma / norm**0.5)  # of x̂
    assert consistency_scalings(sigma) == pytest.approx(
        (skip - share * 0.25 / norm, share), abs=1e-14
    )
    released = 0.25 / (100 * sigma**2 + 0.25), 10 * sigma / (100 * sigma**2 + 0.25) ** 0.5
    assert lcm_scalings(sigma) == pytest.approx(released, abs=1e-14)


def test_scalings_at_the_boundary() -> None:
    assert consistency_scalings(0.002) == pytest.approx((1.0, 0.0), abs=1e-14)
    assert consistency_scalings(3.0, sigma_min=0.0) == pytest.approx((0.0, 1.0), abs=1e-14)
    assert lcm_scalings(0.0) == (1.0, 0.0)
