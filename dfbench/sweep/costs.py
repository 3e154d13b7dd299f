"""What a sampler costs beside the model: its own code, run with a model that is free."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from dfbench.errors import Undefined
from dfbench.levels import Level
from dfbench.samplers import Method
from dfbench.samplers.method import Output
from dfbench.steps import Step
from dfbench.sweep.samplers import Run
from dfbench.table import CONVERTED, Table

NUMBERS = 1 << 14  # of the state that is timed
REPEATS = 3


def outside(run: Run) -> dict[str, float | None]:
    """Time and memory outside the model, on a state of 1e6 float64 numbers.

    Returns:
        overhead_seconds: of the sampler's own code per evaluation, the best of three runs at
            16,384 numbers, scaled; the noise that it draws is counted in.
        memory_bytes: of the arrays that have to be held beside the state, counted from the table
            in the prediction that needs the fewest; None where there is no table.
    """
    clock = _reference(run) if isinstance(run.sampler, Method) else run.clock
    seconds = None if clock is None else min(clock(NUMBERS) for _ in range(REPEATS))
    each = None if seconds is None or not run.nfe else 1e6 / NUMBERS * seconds / run.nfe
    held = arrays_held(run.table) if run.affine else None
    return {"overhead_seconds": each, "memory_bytes": None if held is None else 8_000_000 * held}


def arrays_held(table: Table) -> int:
    """The most arrays of the state's size that a run has to hold beside the state.

    Earlier outputs and draws that are still needed, the initial state where it is, and the state
    that is being made; a multistep method in x̂ needs its last few x̂, in ε̂ all ε̂ so far, so the
    prediction with the fewest counts.
    """
    counts = []
    for prediction in dict.fromkeys((table.prediction, "x", "eps")):
        with suppress(Undefined):
            counts.append(_held(table.convert(prediction).steps(CONVERTED)))
    return min(counts)


def _held(steps: list[Step]) -> int:
    last = {i: j for j, step in enumerate(steps) for i in step.outputs}
    drawn: dict[int, list[int]] = {}
    for j, step in enumerate(steps):
        for k in step.draws:
            drawn.setdefault(k, []).append(j)
    begun = max((j for j, step in enumerate(steps) if step.start), default=-1)
    return 1 + max(
        sum(i < j <= end for i, end in last.items())
        + sum(uses[0] <= j <= uses[-1] for uses in drawn.values())
        + (j <= begun)
        for j in range(len(steps))
    )


def _reference(run: Run) -> Callable[[int], float]:
    """Times the method itself on arrays; the model hands back the state."""
    method, rng = run.sampler, np.random.default_rng(0)
    assert isinstance(method, Method)

    def model(state: Any, level: Level) -> Output:
        return Output(state, state, level, run.prediction, run.sigma_data)

    def clock(numbers: int) -> float:
        def noise(start: float | None = None, stop: float | None = None) -> Any:
            return rng.standard_normal(numbers)

        z, start = np.ones(numbers), time.perf_counter()
        method(model, z, run.grid, noise, **run.options)
        return time.perf_counter() - start

    return clock
