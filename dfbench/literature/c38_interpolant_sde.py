"""38. The stochastic-interpolant SDE has the same marginals for every ε_t."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from dfbench.charts.drawing import curves, frame, guide
from dfbench.charts.look import MARKS
from dfbench.convergence import fit
from dfbench.grids import uniform_t
from dfbench.levels import Grid
from dfbench.literature.c37_reverse_sde_with_eta import SLACK, marginal_error
from dfbench.literature.parts import within
from dfbench.literature.statement import largest, row, worst_of
from dfbench.outcome import Finding, judge
from dfbench.samplers import METHODS
from dfbench.schedules import FlowMatching, Schedule
from dfbench.table import Table
from dfbench.testing import floats, schedules

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = (64, 96, 128, 192, 256)
ENDS = (0.95, 0.1)
# ε_t, by name: constant, as √t, as √(t(1 − t)), and none
NOISES: dict[str, Callable[[float], float]] = {
    "0": lambda t: 0.0,
    "1": lambda t: 1.0,
    "√t": lambda t: t**0.5,
    "2√(t(1−t))": lambda t: 2 * (t * (1 - t)) ** 0.5,
}

Interpolant = Callable[[Grid, Callable[[float], float]], Table]  # levels and ε_t → the table


def euler_maruyama(score: float = 1.0) -> Interpolant:
    """dz = (u − ½ ε² s) dt + ε dw; with only a part of the score term."""

    def table(grid: Grid, noise: Callable[[float], float]) -> Table:
        sde = METHODS["interpolant_sde"]
        right = sde.table(grid, "eps", epsilon=noise)
        drift = sde.table(grid, "eps", epsilon=lambda t: np.sqrt(score) * noise(t))
        # of ε̂ the noise's weights do not depend on those of ε̂
        rows = np.concatenate([drift.rows[:, : 1 + right.nfe], right.C], axis=1)
        return replace(right, rows=rows)

    return table


def draw(finding: Finding) -> Figure:
    """Error of the marginal against steps, for every ε_t."""
    series = finding.series or {}
    figure, (axis,) = frame("steps", "relative error of the spread", xscale="log", yscale="log")
    names = [f"ε = {name}" for name in NOISES]
    curves(axis, series, "steps", names, [f"{mark}-" for mark in MARKS])
    first = min(series[name][0] for name in names)
    guide(axis, STEPS, [0.7 * first * STEPS[0] / n for n in STEPS], "order 1")
    return figure


@row(
    "38",
    r"dz=\big(u-\tfrac12\varepsilon_t^2s\big)dt+\varepsilon_t\,dw\ \text{(reverse time)}:\quad "
    r"z_t\sim p_t\text{ for every }\varepsilon_t\ge0;\qquad"
    r"\varepsilon_t=\eta_tg_t\text{ is the reverse SDE}",
    title="The interpolant SDE",
    source="ALB, GAO",
    condition="the exact score and velocity, and the score term with the noise that goes with it; "
    "the paper's ε is ½ ε_t² here",
    subject=euler_maruyama,
    control=lambda size: euler_maruyama(1.0 - size),
    control_size=0.1,
    figure=draw,
)
def check(sde: Interpolant) -> Finding:
    """Orders of the law's error for Gaussian data, and equality with `reverse_sde`."""
    series: dict[str, list[float]] = {"steps": [float(n) for n in STEPS]}
    quantities: dict[str, float] = {}
    off = 0.0
    for name, noise in NOISES.items():
        errors = [marginal_error(sde(uniform_t(FlowMatching(), n, *ENDS), noise)) for n in STEPS]
        order = fit(STEPS, errors, 1e-13).order
        off = largest(off, abs(order - 1))
        series[f"ε = {name}"] = errors
        quantities |= {
            f"ε = {name}: order": order,
            f"ε = {name}, 64 steps: relative error of the spread": errors[0],
        }
    first = judge(
        off,
        SLACK,
        unit="order",
        derivation="Euler–Maruyama on a linear SDE has weak order 1; the next term is fitted too",
    )

    @within(1e-12, "of the state's size", "round-off in float64")
    def gap(schedule: Schedule, eta: float, n: int) -> float:
        grid = uniform_t(schedule, n, 0.9, 0.1)
        reverse = METHODS["reverse_sde"].table(grid, "eps", eta=eta)
        noise = sde(grid, lambda t: eta * float(schedule.g2(t)) ** 0.5)
        return float(noise.gaps(reverse).max())

    same = gap.for_all(examples=20, schedule=schedules(), eta=floats(0.1, 1.5), n=st.integers(1, 6))
    return worst_of(first, same, series=series, quantities=quantities)
