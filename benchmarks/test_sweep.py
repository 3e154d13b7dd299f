"""What `dfbench bench` spends on a cell besides the cell: planning, handing out, keeping, tables.

A study of 10,000 cells, each of a millisecond, serial and with two workers; from nothing, and once
more when everything is there. Own time: wall time × workers − the time inside the cells.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from dfbench.sweep.run import bench

STUDY = {
    "name": "overhead",
    "seeds": list(range(25)),
    "metrics": ["w2"],
    "budgets": {"steps": [2, 3, 4, 5]},
    "targets": [{"kind": "isotropic", "vary": {"variance": [0.1 * i for i in range(1, 11)]}}],
    "samplers": ["ddim", "euler"],
    "schedules": ["linear_vp"],
    "grids": [{"name": "karras", "vary": {"rho": [3.0, 5.0, 7.0, 9.0, 11.0]}}],
}
CELLS = 10_000


@pytest.mark.parametrize("workers", [1, 2])
def test_overhead_of_a_cell(benchmark: Any, tmp_path: Path, workers: int) -> None:
    outcome = benchmark.pedantic(
        lambda: bench(STUDY, tmp_path / "out", workers=workers), rounds=1, iterations=1
    )
    assert (outcome.cells, outcome.failed) == (CELLS, 0)
    with (tmp_path / "out" / "costs.csv").open(encoding="utf-8") as file:
        inside = sum(float(row["seconds"]) for row in csv.DictReader(file))
    own = 1e3 * (workers * outcome.seconds - inside) / CELLS
    benchmark.extra_info["own_ms_per_cell"] = own
    print(
        f"\n{workers} worker(s): {own:.2f} ms of its own per cell, {outcome.seconds:.1f} s in all"
    )


def test_a_study_that_is_done(benchmark: Any, tmp_path: Path) -> None:
    bench(STUDY, tmp_path / "out", workers=1)
    outcome = benchmark.pedantic(
        lambda: bench(STUDY, tmp_path / "out", workers=1), rounds=1, iterations=1
    )
    assert outcome.computed == 0
    print(f"\nnothing to compute: {1e3 * outcome.seconds / CELLS:.2f} ms per cell")
