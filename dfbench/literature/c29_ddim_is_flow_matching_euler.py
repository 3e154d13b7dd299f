"""29. With the flow-matching schedule, DDIM is Euler's method on the flow ODE."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from dfbench.grids import uniform_t
from dfbench.levels import Grid, grid_of
from dfbench.literature.parts import within
from dfbench.literature.statement import row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import Cosine, FlowMatching, FunctionSchedule, Schedule
from dfbench.testing import floats


def flow_schedule(bend: float = 0.0) -> Schedule:
    """α = 1 − t, σ = t; or a path that is not straight, σ = t^(1 + bend)."""
    if not bend:
        return FlowMatching()
    return FunctionSchedule(
        lambda t: 1 - t,
        lambda t: t ** (1 + bend),
        lambda t: 0 * t - 1,
        lambda t: (1 + bend) * t**bend,
    )


def gap(schedule: Schedule, times: list[float]) -> float:
    """Between Euler's method for dz/dt = α̇ x̂ + σ̇ ε̂ and DDIM, over the same levels."""
    visited = grid_of([schedule.level(t) for t in times])
    grid = Grid(visited.alpha, visited.sigma, np.array(times), schedule)
    euler = METHODS["velocity"].table(grid, "x", solver="euler")
    return float(euler.gaps(METHODS["ddim"].table(grid, "x")).max())


@row(
    "29",
    r"\alpha_t=1-t,\ \sigma_t=t:\quad z_t+(s-t)(\hat\varepsilon-\hat x)"
    r"=\alpha_s\hat x+\sigma_s\hat\varepsilon",
    title="DDIM is flow-matching Euler",
    source="GAO",
    condition="the levels are those of the flow schedule; under another, Euler's method for its "
    "own velocity is not DDIM",
    subject=flow_schedule,
    control=flow_schedule,
    control_size=5e-11,
)
def check(schedule: Schedule) -> Finding:
    """Equality of the two tables at any times, from pure noise to data."""

    @within(1e-12, "of the state's size", "round-off in float64")
    def measure(inner: list[float]) -> float:
        times = sorted({0.0, 1.0, *(round(t, 3) for t in inner)}, reverse=True)
        return gap(schedule, times)

    finding = measure.for_all(inner=st.lists(floats(0.01, 0.99), max_size=12))
    cosine = uniform_t(Cosine(), 10, 0.99, 0.01)
    assert cosine.t is not None
    elsewhere = gap(Cosine(), [float(t) for t in cosine.t])
    return replace(finding, quantities={"the gap on the cosine schedule, 10 steps": elsewhere})
