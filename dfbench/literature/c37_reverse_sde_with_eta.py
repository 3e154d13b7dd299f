"""37. The reverse SDE with η: the same marginals for all, DDIM at η = 0 and DDPM at η = 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from analytic import reverse_sde_law
from dfbench.charts.drawing import curves, frame, guide
from dfbench.charts.look import MARKS
from dfbench.convergence import fit
from dfbench.grids import uniform_t
from dfbench.levels import Grid
from dfbench.literature.statement import largest, largest_of, row, worst_of
from dfbench.outcome import Finding, judge
from dfbench.samplers import METHODS
from dfbench.schedules import Cosine, FlowMatching
from dfbench.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ETAS = (0.0, 0.5, 1.0, 2.0)
STEPS = (64, 96, 128, 192, 256)
SCHEDULES = {"cosine": Cosine(), "flow matching": FlowMatching()}
ENDS = (0.9, 0.1)
VARIANCES = np.geomspace(0.05, 20.0, 9)  # of the data
SLACK = 0.2

Reverse = Callable[[Grid, float], Table]  # levels and η → the table


def euler_maruyama(score: float = 0.0) -> Reverse:
    """dz = (f z − ½ (1 + η²) g² s) dt + η g dw; with η² too large by a part, in the drift only."""

    def table(grid: Grid, eta: float) -> Table:
        right = METHODS["reverse_sde"].table(grid, "eps", eta=eta)
        drift = METHODS["reverse_sde"].table(grid, "eps", eta=eta * np.sqrt(1 + score))
        # of ε̂ the noise's weights do not depend on those of ε̂
        rows = np.concatenate([drift.rows[:, : 1 + right.nfe], right.C], axis=1)
        return replace(right, rows=rows)

    return table


def marginal_error(table: Table) -> float:
    """Largest relative error of the sample's standard deviation over Gaussian data."""
    return float(np.abs(table.response(VARIANCES)).max())


def law_error(table: Table, eta: float) -> float:
    """The same, and of the mean, from a start that is not the marginal: against the exact SDE."""
    mean, var = np.ones_like(VARIANCES), np.full_like(VARIANCES, 2.0)
    first, last = table.levels[0], table.levels[-1]
    truth = reverse_sde_law(0 * mean, VARIANCES, first, last, eta, mean, var)
    law = table.law(VARIANCES, start_mean=mean, start_variance=var)
    size = np.sqrt(truth[1])
    return float(np.hypot((law.mean - truth[0]) / size, np.sqrt(law.variance) / size - 1).max())


def one_step_gap(reverse: Reverse, eta: float, h: float) -> float:
    """Of one step from t = ½: from DDIM (η = 0) or DDPM (η = 1) in weights and noise variance."""
    step = uniform_t(Cosine(), 1, 0.5, 0.5 - h)
    ours = reverse(step, eta).rows[-1]
    theirs = METHODS["ddpm" if eta else "ddim"].table(step, "eps").rows[-1]
    return float(np.abs(np.append(ours[:2] - theirs[:2], ours[2:] ** 2 - theirs[2:] ** 2)).max())


def draw(finding: Finding) -> Figure:
    """Error of the marginal against steps, for every η."""
    series = finding.series or {}
    figure, (axis,) = frame("steps", "relative error of the spread", xscale="log", yscale="log")
    names = [f"η = {eta:g}" for eta in ETAS]
    curves(axis, series, "steps", names, [f"{mark}-" for mark in MARKS])
    first = min(series[name][0] for name in names)
    guide(axis, STEPS, [0.7 * first * STEPS[0] / n for n in STEPS], "order 1")
    axis.set_ylim(top=0.4)
    return figure


@row(
    "37",
    r"dz=\big(f z-\tfrac12(1+\eta^2)g^2s\big)dt+\eta g\,dw:\quad z_t\sim p_t\text{ for every }"
    r"\eta;\quad\eta=0:\text{DDIM}+O(\Delta t^2)\text{ a step},\ \eta=1:\text{DDPM}",
    title="The reverse SDE with η",
    source="GAO, SDE",
    condition="the exact score; a run that starts at the marginal (from another start the law "
    "depends on η)",
    subject=euler_maruyama,
    control=euler_maruyama,
    control_size=0.1,
    figure=draw,
)
def check(reverse: Reverse) -> Finding:
    """Orders of the law's error for Gaussian data, and of the distance to DDIM and DDPM."""
    orders: dict[str, float] = {}
    series: dict[str, list[float]] = {"steps": [float(n) for n in STEPS]}
    quantities: dict[str, float] = {}
    for name, schedule in SCHEDULES.items():
        for eta in ETAS:
            tables = [reverse(uniform_t(schedule, n, *ENDS), eta) for n in STEPS]
            marginal = [marginal_error(table) for table in tables]
            other = [law_error(table, eta) for table in tables]
            for what, errors in (("of the marginal", marginal), ("from a wrong start", other)):
                orders[f"{name}, η = {eta:g}: order {what}"] = fit(STEPS, errors, 1e-13).order
            if name == "cosine":
                series[f"η = {eta:g}"] = marginal
                quantities[f"cosine, η = {eta:g}, 64 steps: relative error of the spread"] = (
                    marginal[0]
                )
    first = largest_of(
        {name: abs(order - 1) for name, order in orders.items()},
        SLACK,
        unit="order",
        derivation="Euler–Maruyama on a linear SDE has weak order 1; the next term is fitted too",
    )
    widths = np.array([0.05, 0.03, 0.02, 0.01, 0.005])
    steps = {
        name: fit(1 / widths, [one_step_gap(reverse, eta, h) for h in widths], 1e-13).order
        for name, eta in (("DDIM", 0.0), ("DDPM", 1.0))
    }
    second = judge(
        largest(abs(order - 2) for order in steps.values()),
        SLACK,
        unit="order",
        derivation="agreement to first order leaves O(Δt²) in weights and noise variance",
    )
    quantities |= {f"order of a step's distance to {name}": p for name, p in steps.items()}
    return worst_of(first, second, series=series, quantities=quantities)
