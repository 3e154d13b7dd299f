"""37. The reverse SDE with η: the same marginals for all, DDIM at η = 0 and DDPM at η = 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from analytic import reverse_sde_law
from dfbench.charts.drawing import curves, frame, guide
from dfbench.charts.look import MARKS
from dfbench.grids import uniform_t
from dfbench.levels import Array, Grid
from dfbench.literature.limits import limit
from dfbench.literature.parts import decided
from dfbench.literature.statement import largest_of, row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import VE, Cosine, FlowMatching, LinearVP, Schedule
from dfbench.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ETAS = (0.0, 0.5, 1.0, 2.0)
STEPS = (48, 64, 96, 128, 192, 256)
SCHEDULES: dict[str, Schedule] = {
    "cosine": Cosine(),
    "flow matching": FlowMatching(),
    "linear β": LinearVP(),
    "variance exploding": VE(0.02, 5.0),
}
ENDS = (0.9, 0.1)
TIMES = (0.15, 0.3, 0.5, 0.7, 0.85)
WIDTHS = 0.01 / np.array([1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
VARIANCES = np.geomspace(0.05, 20.0, 9)  # of the data
LIMIT = 2e-6

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


def marginal_error(table: Table) -> Array:
    """Relative error of the sample's standard deviation over Gaussian data, (D,)."""
    return table.response(VARIANCES)


def law_error(table: Table, eta: float) -> Array:
    """Of the mean and the deviation, from a start that is not the marginal: against the exact
    SDE, relative to the deviation, (2 D,)."""
    mean, var = np.ones_like(VARIANCES), np.full_like(VARIANCES, 2.0)
    first, last = table.levels[0], table.levels[-1]
    truth = reverse_sde_law(0 * mean, VARIANCES, first, last, eta, mean, var)
    law = table.law(VARIANCES, start_mean=mean, start_variance=var)
    size = np.sqrt(truth[1])
    return np.append((law.mean - truth[0]) / size, np.sqrt(law.variance) / size - 1)


def of_a_step(reverse: Reverse, schedule: Schedule, eta: float, t: float, h: float) -> Array:
    """Weights and noise variance of a step, less those of DDIM (η = 0) or DDPM (η = 1), over h."""
    step = uniform_t(schedule, 1, t, t - h)
    ours = reverse(step, eta).rows[-1]
    theirs = METHODS["ddpm" if eta else "ddim"].table(step, "eps").rows[-1]
    gap = np.append(ours[:2] - theirs[:2], (ours[2:] ** 2 - theirs[2:] ** 2).sum())
    return np.asarray(gap / (h * np.hypot(*step[0])))


def first_order(reverse: Reverse) -> Finding:
    """The limit of `of_a_step` at many times of every schedule: zero, if they agree to O(h²)."""
    gaps = {}
    for (name, schedule), eta in product(SCHEDULES.items(), (0.0, 1.0)):
        for t in TIMES:
            found = limit(1 / WIDTHS, [of_a_step(reverse, schedule, eta, t, h) for h in WIDTHS])
            pace = float(abs(schedule.log_snr_dot(t)))
            gaps[f"{name}, t = {t:g}, {'DDPM' if eta else 'DDIM'}"] = (
                float(np.abs(found).max()) / pace
            )
    return largest_of(
        gaps,
        1e-7,
        unit="of the state, per unit of λ",
        derivation="the limit of six widths h ≤ 0.01: (h/t)⁶ at t ≥ 0.15, and rounding ε/h",
    )


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
    control_size=5e-5,
    figure=draw,
)
def check(reverse: Reverse) -> Finding:
    """Limits of the law's error for Gaussian data, and of the distance to DDIM and DDPM."""
    gaps: dict[str, float] = {}
    series: dict[str, list[float]] = {"steps": [float(n) for n in STEPS]}
    quantities: dict[str, float] = {}
    for (name, schedule), eta in product(SCHEDULES.items(), ETAS):
        if name == "variance exploding" and eta in (0.0, 2.0):
            continue  # what the others hold
        tables = [reverse(uniform_t(schedule, n, *ENDS), eta) for n in STEPS]
        marginal = [marginal_error(table) for table in tables]
        other = [law_error(table, eta) for table in tables]
        for what, errors in (("marginal", marginal), ("from a wrong start", other)):
            gaps[f"{name}, η = {eta:g}: {what}"] = float(np.abs(limit(STEPS, errors)).max())
        if name == "cosine":
            sizes = [float(np.abs(error).max()) for error in marginal]
            series[f"η = {eta:g}"] = sizes
            quantities[f"cosine, η = {eta:g}, 64 steps: relative error of the spread"] = sizes[1]
    law = largest_of(
        gaps,
        LIMIT,
        unit="of the deviation, as the steps vanish",
        derivation="the limit of six step counts: the last two extrapolations differ by less",
    )
    parts = {"law of Gaussian data": law, "a step against DDIM and DDPM": first_order(reverse)}
    return decided(parts, quantities, series)
