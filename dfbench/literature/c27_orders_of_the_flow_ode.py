"""27. Euler, Heun and RK4 on the flow ODE and the probability-flow ODE: orders 1, 2 and 4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from analytic import flow_map
from dfbench.charts.drawing import frame
from dfbench.charts.look import COLOURS, MUTED
from dfbench.convergence import target
from dfbench.exact import exact_model
from dfbench.grids import uniform_t
from dfbench.levels import Array, Grid, grid_of
from dfbench.literature.calculus import rms
from dfbench.literature.limits import limit
from dfbench.literature.statement import largest_of, row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.samplers.ode import ORDERS, times
from dfbench.schedules import FlowMatching, LinearVP
from dfbench.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The ODE, its schedule, and times between which the errors are asymptotic in these steps.
ODES = {
    "flow": ("velocity", FlowMatching(), 0.95, 0.2),
    "probability flow": ("probability_flow", LinearVP(), 0.8, 0.2),
}
STEPS = {
    "euler": (128, 192, 256, 384, 512),
    "heun": (24, 32, 48, 64, 96),
    "rk4": (12, 16, 24, 32, 48),
}
NAMES = {"euler": "Euler", "heun": "Heun", "rk4": "RK4"}

SolverTable = Callable[[str, str, Grid], Table]  # the ODE, the solver and the levels → its table


def runge_kutta(displaced: float = 0.0) -> SolverTable:
    """The tables; with the network told a time that is early by this part of a step."""

    def table(ode: str, solver: str, grid: Grid) -> Table:
        right = METHODS[ODES[ode][0]].table(grid, "x", solver=solver)
        if not displaced:
            return right
        ts, schedule = times(grid)
        step = displaced * (ts[0] - ts[-1]) / grid.n_steps
        told = schedule.t_of_log_snr(right.levels.log_snr) - step
        return replace(right, levels=grid_of([schedule.level(float(t)) for t in told]))

    return table


@cache
def exact(ode: str) -> tuple[Array, Array]:
    """16 starts, drawn from the marginal, and where the exact flow takes them."""
    _, schedule, t, s = ODES[ode]
    start = target().sample_diffused(16, *schedule.level(t), np.random.default_rng(27))
    return start, flow_map(target(), start, schedule.level(t), schedule.level(s)).z


def draw(finding: Finding) -> Figure:
    """Error against cost, with the slopes 1, 2 and 4."""
    series = finding.series or {}
    figure, (axis,) = frame(
        "model evaluations", "RMS error of the sample", xscale="log", yscale="log"
    )
    for name, colour in zip(STEPS, COLOURS, strict=False):
        for ode, style in zip(ODES, ("o-", "s--"), strict=True):
            x, y = (series[f"{name}, {ode}: {what}"] for what in ("evaluations", "error"))
            axis.plot(x, y, style, color=colour, label=f"{NAMES[name]}, {ode}")
        slope = [y[-1] * 0.4 * (x[-1] / n) ** ORDERS[name] for n in x]
        axis.plot(x, slope, ":", color=MUTED)
        axis.text(x[2], 0.8 * slope[2], f"order {ORDERS[name]}", va="top", ha="right", fontsize=8)
    return figure


@row(
    "27",
    r"|z_0^{(N)}-z_0|=O(N^{-p})\quad p=1\text{ (Euler)},\ 2\text{ (Heun)},\ 4\text{ (RK4)}",
    title="Orders of Runge–Kutta",
    source="HE, SDE",
    condition="smooth fields: between two noise levels; the network is told the time of the stage",
    subject=runge_kutta,
    control=runge_kutta,  # the network is told a time that is off by this part of a step
    control_size=3e-8,
    figure=draw,
)
def check(solver: SolverTable) -> Finding:
    """Distance to the exact flow of a mixture, z − z*: N^(p−1) times it vanishes as N grows, and
    N^p times it does not."""
    series: dict[str, list[float]] = {}
    quantities: dict[str, float] = {}
    gaps: dict[str, float] = {}
    for ode, (_, schedule, t, s) in ODES.items():
        start, end = exact(ode)
        for name, steps in STEPS.items():
            tables = [solver(ode, name, uniform_t(schedule, n, t, s)) for n in steps]
            off = [table.run(exact_model(target(), "x"), start) - end for table in tables]
            scaled = [n ** (ORDERS[name] - 1) * each for n, each in zip(steps, off, strict=True)]
            gaps[f"{NAMES[name]} on the {ode} ODE"] = float(np.abs(limit(steps, scaled)).max())
            ahead = limit(steps, [n * each for n, each in zip(steps, scaled, strict=True)])
            quantities[f"N^{ORDERS[name]:g} · rms error, {NAMES[name]} on the {ode} ODE"] = rms(
                ahead
            )
            series[f"{name}, {ode}: evaluations"] = [float(table.nfe) for table in tables]
            series[f"{name}, {ode}: error"] = [rms(each) for each in off]
    return largest_of(
        gaps,
        1e-5,
        unit="of the sample, times N^(p−1)",
        derivation="the limit of five step counts: the last two extrapolations differ by less",
        quantities=quantities,
        series=series,
    )
