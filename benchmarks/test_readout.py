"""Reading a table: one batched run against a run of its own for every input.

The floor is one plain run of the scheduler on one number: its own bookkeeping.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmarks.timing import report, seconds
from dfbench.readout import read_out
from dfbench.subjects import resolve


@pytest.mark.parametrize("n", [10, 30, 100, 300])
@pytest.mark.parametrize("name", ["DDIMScheduler", "DDPMScheduler", "DPMSolverMultistepScheduler"])
def test_steps(benchmark: Any, name: str, n: int) -> None:
    pytest.importorskip("diffusers")
    (subject,) = resolve(f"diffusers:{name}")
    zero = torch.zeros(1, 1, 1, 1, dtype=torch.float64)

    def plain() -> torch.Tensor:
        return subject.session(n)(lambda z, call: zero, zero, torch.Generator())

    def read() -> Any:
        return read_out(lambda: subject.session(n))

    table = read().table
    inputs = 1 + table.nfe + table.n_draws
    best = seconds({"read": read, "plain": plain}, budget=1.0)
    report(
        benchmark,
        read,
        milliseconds=1e3 * best["read"],
        microseconds_per_step=1e6 * best["read"] / n,
        read_over_one_run=best["read"] / best["plain"],
        separate_runs_over_read=inputs * best["plain"] / best["read"],
    )
