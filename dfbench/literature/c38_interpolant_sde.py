"""38. The stochastic-interpolant SDE has the same marginals for every ε_t."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from analytic import GaussianMixture
from dfbench.charts.drawing import curves, frame, guide
from dfbench.charts.look import MARKS
from dfbench.grids import uniform_t
from dfbench.levels import Grid
from dfbench.literature.c37_reverse_sde_with_eta import LIMIT, marginal_error
from dfbench.literature.limits import BOUND, DERIVATION, law_gap, limit, of_table
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import largest_of, row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import Cosine, FlowMatching, Schedule
from dfbench.table import Table
from dfbench.testing import floats, schedules

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = (48, 64, 96, 128, 192, 256)
ENDS = (0.95, 0.1)
SCHEDULES: dict[str, Schedule] = {"flow matching": FlowMatching(), "cosine": Cosine()}
LINE = GaussianMixture.isotropic([0.3, 0.7], [[-1.0], [0.8]], [0.1, 0.3])
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


def noised(sde: Interpolant, noise: Callable[[float], float], grid: Grid) -> Table:
    """The arguments the other way round."""
    return sde(grid, noise)


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
    control_size=5e-5,
    figure=draw,
)
def check(sde: Interpolant) -> Finding:
    """Limits of the law's error for Gaussian data and for two modes, and equality with
    `reverse_sde`."""
    series: dict[str, list[float]] = {"steps": [float(n) for n in STEPS]}
    quantities: dict[str, float] = {}
    gaps: dict[str, float] = {}
    modes: dict[str, float] = {}
    for (of, schedule), (name, noise) in product(SCHEDULES.items(), NOISES.items()):
        errors = [marginal_error(sde(uniform_t(schedule, n, *ENDS), noise)) for n in STEPS]
        gaps[f"{of}, ε = {name}"] = float(np.abs(limit(STEPS, errors)).max())
        if of == "flow matching":
            sizes = [float(np.abs(error).max()) for error in errors]
            series[f"ε = {name}"] = sizes
            quantities[f"ε = {name}, 64 steps: relative error of the spread"] = sizes[1]
            run = partial(uniform_t, schedule, t_start=0.8, t_stop=0.2)
            step = of_table(partial(noised, sde, noise))
            modes[f"{of}, ε = {name}"] = law_gap(step, LINE, run)

    @within(1e-12, "of the state's size", "round-off in float64")
    def gap(schedule: Schedule, eta: float, n: int) -> float:
        grid = uniform_t(schedule, n, 0.9, 0.1)
        reverse = METHODS["reverse_sde"].table(grid, "eps", eta=eta)
        noise = sde(grid, lambda t: eta * float(schedule.g2(t)) ** 0.5)
        return float(noise.gaps(reverse).max())

    parts = {
        "law of Gaussian data": largest_of(
            gaps,
            LIMIT,
            unit="of the deviation, as the steps vanish",
            derivation="the limit of six step counts: the last two extrapolations differ by less",
        ),
        "law of two modes": largest_of(modes, BOUND, unit="of E e^{iωz}", derivation=DERIVATION),
        "off the reverse SDE": gap.for_all(
            examples=20, schedule=schedules(), eta=floats(0.1, 1.5), n=st.integers(1, 6)
        ),
    }
    return decided(parts, quantities, series)
