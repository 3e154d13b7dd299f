"""32. With a solver of higher order the choice of network output does change the result."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from analytic import flow_map
from dfbench.charts.drawing import lines
from dfbench.convergence import fit, target
from dfbench.exact import exact_model
from dfbench.grids import regular
from dfbench.levels import Array, Grid, Level
from dfbench.literature.c28_ddim_reparametrised import FRAMES
from dfbench.literature.calculus import rms
from dfbench.literature.statement import largest, largest_of, row, worst_of
from dfbench.outcome import Finding, judge
from dfbench.samplers.method import Method, Model, Noise, Traits
from dfbench.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = (16, 24, 32, 48, 64)
ENDS = (-4.0, 4.0)  # λ
SLACK = 0.2
OUTPUTS = tuple(FRAMES)
SYMBOLS = {"x": "x̂", "eps": "ε̂", "u": "û"}

HeunTable = Callable[[str, Grid], Table]  # the output and the levels → the table


def heun(correction: float = 1.0) -> HeunTable:
    """Heun's method for dz̃/dη = output; with a share of its correction, Euler's with none."""

    def table(output: str, grid: Grid) -> Table:
        def run(model: Model, z: Any, grid: Grid, noise: Noise) -> Any:
            for t, s in grid.steps():
                (scale_t, eta_t), (scale_s, eta_s) = FRAMES[output](t), FRAMES[output](s)
                h, out = eta_s - eta_t, getattr(model(z, t), output)
                there = getattr(model(scale_s * (1 / scale_t * z + h * out), s), output)
                mean = (1 - 0.5 * correction) * out + 0.5 * correction * there
                z = scale_s * (1 / scale_t * z + h * mean)
            return z

        return Method("heun", run, "", lambda: Traits()).table(grid, output)

    return table


@cache
def exact() -> tuple[Array, Array]:
    """64 starts, and where the exact flow takes them."""
    first, last = regular(*ENDS, 1)
    start = target().sample_diffused(64, *first, np.random.default_rng(32))
    return start, flow_map(target(), start, first, last).z


def samples(solver: HeunTable, output: str, steps: int) -> Array:
    """The samples from the fixed starts."""
    return np.asarray(
        solver(output, regular(*ENDS, steps)).run(exact_model(target(), output), exact()[0])
    )


def by_hand(output: str, steps: int) -> Array:
    """Heun's method for dz̃/dη = output, with the exact output, written out with λ alone."""
    state, model = exact()[0], exact_model(target(), output)
    lam = np.linspace(*ENDS, steps + 1)
    alpha, sigma = np.sqrt(expit(lam)), np.sqrt(expit(-lam))
    scale = {"x": sigma, "eps": alpha, "u": alpha + sigma}[output]
    clock = {"x": alpha / sigma, "eps": sigma / alpha, "u": sigma / (alpha + sigma)}[output]
    for i in range(steps):
        now, then = (Level(float(alpha[j]), float(sigma[j])) for j in (i, i + 1))
        start, h = state / scale[i], clock[i + 1] - clock[i]
        first = model(state, now)
        second = model(scale[i + 1] * (start + h * first), then)
        state = scale[i + 1] * (start + h / 2 * (first + second))
    return np.asarray(state)


def draw(finding: Finding) -> Figure:
    """Error of each form, and how far the forms are apart."""
    names = {f"error, {name}": f"Heun in {SYMBOLS[name]}: error" for name in OUTPUTS}
    names |= {"apart": "largest distance between the three"}
    styles = [*["o-"] * len(OUTPUTS), "--"]
    return lines(
        finding, "steps", "RMS distance", names=names, styles=styles, xscale="log", yscale="log"
    )


@row(
    "32",
    r"\tilde z_s=\tilde z_t+\tfrac12(\eta_s-\eta_t)(\hat m_t+\hat m_s):\quad"
    r"|z^{(\hat x)}-z^{(\hat\varepsilon)}|=\Theta(N^{-2})",
    title="The output matters at order 2",
    source="GAO",
    condition="a solver of order two or more, data that is not a point; the differences are of "
    "the size of the error itself",
    subject=heun,
    control=lambda size: heun(1.0 - size),
    control_size=1e-10,
    figure=draw,
)
def check(solver: HeunTable) -> Finding:
    """The forms written out; each of order 2 on a mixture, and as far apart as their errors."""
    series: dict[str, list[float]] = {"steps": [float(n) for n in STEPS], "apart": []}
    for n in STEPS:
        ends = {output: samples(solver, output, n) for output in OUTPUTS}
        for output, end in ends.items():
            series.setdefault(f"error, {output}", []).append(rms(end - exact()[1]))
        pairs = [(a, b) for i, a in enumerate(OUTPUTS) for b in OUTPUTS[:i]]
        series["apart"].append(largest(rms(ends[a] - ends[b]) for a, b in pairs))
    errors = np.array([series[f"error, {output}"] for output in OUTPUTS])
    order = fit(STEPS, series["apart"], 1e-14).order
    apart = series["apart"][-1] / errors[:, -1].min()
    same = judge(  # the same as: apart ≥ 0.1
        1 / max(apart, 1e-300),
        10.0,
        unit="smallest error / distance of the forms",
        derivation="by the size of its error a solver is known to a tenth",
    )
    quadratic = judge(
        abs(order - 2),
        SLACK,
        unit="order",
        derivation="both are of second order, and so is what is left of their errors",
    )
    orders = {
        f"order, Heun in {SYMBOLS[o]}": fit(STEPS, series[f"error, {o}"], 1e-14).order
        for o in OUTPUTS
    }
    each = largest_of(
        {name: abs(found - 2) for name, found in orders.items()},
        SLACK,
        unit="order",
        derivation="Heun's method is of second order, and with a part of its correction of first",
    )
    written = largest_of(
        {
            o: float(np.abs(samples(solver, o, STEPS[0]) - by_hand(o, STEPS[0])).max())
            for o in OUTPUTS
        },
        1e-12,
        unit="of the samples, of order one",
        derivation="round-off in float64 of 16 steps, amplified by σ/α ≤ e² at the ends",
    )
    quantities = orders | {
        "order of the difference": order,
        **{
            f"RMS error in {SYMBOLS[o]}, 16 steps": float(e[0])
            for o, e in zip(OUTPUTS, errors, strict=True)
        },
        "largest RMS distance of two forms, 16 steps": series["apart"][0],
    }
    return worst_of(same, quadratic, each, written, series=series, quantities=quantities)
