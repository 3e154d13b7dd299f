"""30. DDIM is exact when the network's output is constant; Euler on the probability flow is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from dfbench.grids import uniform_t
from dfbench.levels import Array, Grid
from dfbench.literature.parts import within
from dfbench.literature.statement import row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import Cosine, Schedule
from dfbench.table import Table
from dfbench.testing import floats, schedules

TableOf = Callable[[Grid, str], Table]
SYMBOLS = {"x": "x̂", "eps": "ε̂", "u": "û"}
OUTPUTS = {"x": (1.0, 0.0), "eps": (0.0, 1.0), "u": (-1.0, 1.0)}  # output = p x + q ε


def ddim_towards_euler(share: float = 0.0) -> TableOf:
    """DDIM's table, mixed with a share of that of Euler's method in t."""

    def table(grid: Grid, output: str) -> Table:
        ddim = METHODS["ddim"].table(grid, output)
        if not share:
            return ddim
        euler = METHODS["velocity"].table(grid, output)
        return replace(ddim, rows=(1 - share) * ddim.rows + share * euler.rows)

    return table


def exact(schedule: Schedule, output: str, t: float, s: float) -> Array:
    """Weights of (z_t, output) in z_s by numerical integration of dz/dt = α̇ x̂ + σ̇ ε̂.

    From z = α x̂ + σ ε̂ and m = p x̂ + q ε̂: dz/dt = ((α̇ q − σ̇ p) z + (α σ̇ − σ α̇) m)/(α q − σ p).
    """
    p, q = OUTPUTS[output]

    def rate(time: float, y: Array) -> Array:
        (a, b), (a_dot, b_dot) = schedule.level(time), schedule.rates(time)
        driven = (a_dot * q - b_dot * p) * y + np.array([0.0, a * b_dot - b * a_dot])
        return np.asarray(driven / (a * q - b * p))

    solved = solve_ivp(rate, (t, s), [1.0, 0.0], method="DOP853", rtol=1e-13, atol=1e-14)
    return np.asarray(solved.y[:, -1])


def response(table: Table) -> Array:
    """Weights of (z_T, m) in the sample when every output is the same m."""
    return np.array([table.a[-1], table.B[-1].sum()])


@row(
    "30",
    r"\hat m_t\equiv m\;\Rightarrow\;z_s^{\mathrm{DDIM}}=z_s\text{ for any number of steps}",
    title="Exact for a constant output",
    source="GAO",
    condition="the output is x̂, ε̂ or û (p x̂ + q ε̂ with constant p, q); a constant v̂ is another "
    "matter, and so is the Euler sampler of the probability flow",
    subject=ddim_towards_euler,
    control=ddim_towards_euler,
    control_size=1e-7,
)
def check(sampler: TableOf) -> Finding:
    """The table's response to a constant output against the integrated ODE."""

    @within(1e-10, "of the weight", "the reference integration, relative tolerance 1e-13 a step")
    def gap(schedule: Schedule, output: str, t: float, length: float, n: int) -> float:
        grid = uniform_t(schedule, n, t, t - length)
        found, truth = response(sampler(grid, output)), exact(schedule, output, t, t - length)
        return float((np.abs(found - truth) / (1 + np.abs(truth))).max())

    finding = gap.for_all(
        examples=60,
        schedule=schedules(),
        output=st.sampled_from(sorted(OUTPUTS)),
        t=floats(0.5, 0.9),
        length=floats(0.1, 0.4),
        n=st.integers(1, 6),
    )
    return replace(finding, quantities=_sizes())


def _sizes() -> dict[str, float]:
    """How far from exact others are: cosine schedule, t from 0.9 to 0.1 in 8 steps."""
    schedule, t, s = Cosine(), 0.9, 0.1
    grid = uniform_t(schedule, 8, t, s)
    found = {}
    for output in OUTPUTS:
        euler = response(METHODS["velocity"].table(grid, output))
        size = np.abs(euler - exact(schedule, output, t, s)).max()
        found[f"Euler on the probability flow, constant {SYMBOLS[output]}, 8 steps: error"] = float(
            size
        )
    # A constant v̂ turns z at a constant rate: z_s = z_t − φ v̂ exactly, φ the angle between.
    angle = 0.5 * np.pi * (t - s)
    for name, method in (("DDIM", "ddim"), ("Euler", "velocity")):
        weights = response(METHODS[method].table(grid, "v"))
        found[f"{name}, constant v̂, 8 steps: error"] = float(np.abs(weights - [1.0, -angle]).max())
    return found
