"""The exact law over the directions of a 32 × 32 colour image and the steps of a long run.

The floor: 2 flops for every coefficient below the diagonal and every direction, for outputs and
for draws, at the rate of a large product of matrices in the same run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.timing import report, seconds, variance_preserving
from dfbench.samplers import METHODS
from dfbench.table import Table

DIRECTIONS = 3072
SIDE = 1536


def one_by_one(table: Table, variance: Any) -> Any:
    """The adjoint recursion, an evaluation at a time."""
    slope = table.slopes(variance)
    weight = np.repeat(table.B[-1][:, None], len(variance), axis=1)
    for i in range(table.nfe - 1, 0, -1):
        weight[:i] += table.B[i, :i, None] * (weight[i] * slope[i])
    return weight


@pytest.mark.parametrize("n", [100, 1000])
@pytest.mark.parametrize("name", ["ddim", "ddpm", "dpm_solver_pp_multistep"])
def test_law(benchmark: Any, name: str, n: int) -> None:
    table = METHODS[name].table(variance_preserving(n), "eps")
    variance = np.geomspace(1e-4, 10.0, DIRECTIONS)
    square = np.random.default_rng(0).standard_normal((SIDE, SIDE))

    def law() -> Any:
        return table.law(variance)

    best = seconds(
        {
            "law": law,
            "product": lambda: square @ square,
            "one by one": lambda: one_by_one(table, variance),
        },
        budget=1.0,
    )
    rate = 2 * SIDE**3 / best["product"]
    flops = 2 * DIRECTIONS * (np.count_nonzero(table.B) + np.count_nonzero(table.C))
    report(
        benchmark,
        law,
        seconds=best["law"],
        gigaflops_of_product=rate / 1e9,
        law_over_floor=best["law"] * rate / flops,
        one_by_one_over_law=best["one by one"] / best["law"],
    )
