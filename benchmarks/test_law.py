"""The exact law over the directions of a 32 × 32 colour image and the steps of a long run.

Beside it the dense recursion, which takes E² · D operations where the steps of a table take a
handful times E · D. The floor: one multiply-add over the directions for every term of every step
and two for the model's response, at the rate of NumPy in the same run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.timing import report, seconds, variance_preserving
from dfbench.samplers import METHODS
from dfbench.table import Table

DIRECTIONS = 3072
PASSES = 1000


def dense(table: Table, variance: Any) -> Any:
    """Total weights of the outputs in the sample, an evaluation at a time, from the rows."""
    slope = table.slopes(variance)
    weight = np.repeat(table.B[-1][:, None], len(variance), axis=1)
    for i in range(table.nfe - 1, 0, -1):
        weight[:i] += table.B[i, :i, None] * (weight[i] * slope[i])
    return weight


@pytest.mark.parametrize("n", [100, 1000])
@pytest.mark.parametrize("name", ["ddim", "ddpm", "dpm_solver_pp_multistep"])
def test_law(benchmark: Any, name: str, n: int) -> None:
    table = METHODS[name].table(variance_preserving(n), "x")
    variance = np.geomspace(1e-4, 10.0, DIRECTIONS)
    total, one = np.zeros(DIRECTIONS), np.ones(DIRECTIONS)

    def law() -> Any:
        return table.law(variance)

    def passes() -> None:
        for _ in range(PASSES):
            np.add(total, 0.5 * one, out=total)

    best = seconds(
        {"law": law, "passes": passes, "dense": lambda: dense(table, variance)}, budget=1.0
    )
    terms = sum(1 + len(step.outputs) + len(step.draws) for step in table.steps())
    floor = best["passes"] / PASSES * (terms + 2 * table.nfe)
    report(
        benchmark,
        law,
        seconds=best["law"],
        law_over_floor=best["law"] / floor,
        dense_over_law=best["dense"] / best["law"],
    )
