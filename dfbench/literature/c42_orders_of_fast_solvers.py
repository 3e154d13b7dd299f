"""42. EDM's sampler, the DPM-Solver family, UniPC, DEIS and PNDM: orders and coefficients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dfbench.charts.drawing import curves, frame
from dfbench.convergence import exact_flow, fit, grid, target
from dfbench.exact import exact_model
from dfbench.grids import regular
from dfbench.levels import Grid
from dfbench.literature import papers
from dfbench.literature.statement import row, worst_of
from dfbench.outcome import Finding, judge
from dfbench.samplers import METHODS
from dfbench.samplers.method import Method, Traits
from dfbench.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = (12, 16, 24, 32, 48, 64, 96, 128)
VARIANCES = np.geomspace(0.05, 20.0, 13)


@dataclass(frozen=True)
class Solver:
    """A method under its options, its order in the literature, and the formula as printed."""

    method: str
    options: dict[str, Any]
    order: int
    formula: Callable[..., Any] | None = None


EXACT = {"order": 3, "solver_type": "heun"}  # of the start too
SOLVERS = {
    "EDM Heun": Solver("edm", {}, 2, papers.edm_heun),
    "EDM Heun, churn": Solver("edm", {"s_churn": 4.0}, 2),
    "DPM-Solver-1": Solver("dpm_solver", {"order": 1}, 1),
    "DPM-Solver-2": Solver("dpm_solver", {"order": 2}, 2, papers.dpm_solver_2),
    "DPM-Solver-3": Solver("dpm_solver", {"order": 3}, 3, papers.dpm_solver_3),
    "DPM-Solver++ 2S": Solver("dpm_solver_pp", {"order": 2}, 2, papers.dpm_solver_pp_2s),
    "DPM-Solver++ 2M": Solver("dpm_solver_pp_multistep", {"order": 2}, 2, papers.dpm_solver_pp_2m),
    "DPM-Solver++ 3M": Solver("dpm_solver_pp_multistep", EXACT, 3),
    "3M as released": Solver("dpm_solver_pp_multistep", {**EXACT, "halved": True}, 2),
    "SDE-DPM-Solver++ 2M": Solver(
        "sde_dpm_solver_pp", {"order": 2}, 2, papers.sde_dpm_solver_pp_2m
    ),
    "UniPC-2": Solver("unipc", {"order": 2, "lower_order_final": False}, 3),
    "DEIS-3": Solver("deis", {"order": 3}, 3),
    "PNDM": Solver("pndm", {"order": 4}, 2),
    "PLMS": Solver("pndm", {"order": 4, "start": "plms"}, 2, papers.plms),
}
Read = Callable[[Solver, Grid], Table]


def read(size: float = 0.0) -> Read:
    """The tables; the defect is a factor on the weight of the newest output of every row."""

    def table(solver: Solver, levels: Grid) -> Table:
        found = METHODS[solver.method].table(levels, "x", **solver.options)
        rows = found.rows.copy()
        for j in range(1, found.nfe + 1):
            rows[j, j] *= 1 + size
        return replace(found, rows=rows)

    return table


def error(table: Table, levels: Grid) -> float:
    """RMS distance to the exact flow of a mixture, in z/α; with noise, the largest relative error
    of the standard deviation over Gaussian data."""
    if table.normal_draws(1e-12).n_draws:
        return float(np.abs(table.response(VARIANCES)).max())
    start, stop = exact_flow()
    out = table.run(exact_model(target(), "x"), start * levels[0].alpha)
    return float(np.sqrt(np.mean((out / levels[-1].alpha - stop) ** 2)))


def coefficients(table_of: Read) -> tuple[float, str]:
    """Largest difference between a method's table and that of its paper's formula, and whose."""
    grid, worst = regular(-4.0, 4.0, 6), (0.0, "")
    for name, solver in SOLVERS.items():
        if solver.formula is None:
            continue
        paper = Method(name, solver.formula, "", lambda: Traits()).table(grid, "x")
        found = table_of(solver, grid)
        told = np.abs(found.levels.log_snr - paper.levels.log_snr).max()
        worst = max(worst, (float(max(found.gaps(paper).max(), told)), name))
    return worst


def draw(finding: Finding) -> Figure:
    """Error against model evaluations."""
    series = finding.series or {}
    figure, (axis,) = frame(
        "model evaluations", "error of the sample", size=(6.8, 4.8), xscale="log", yscale="log"
    )
    for i, name in enumerate(SOLVERS):
        style = ("o-", "s--", "^:")[i % 3]
        curves(axis, series, f"{name}: evaluations", {f"{name}: error": name}, [style], ms=3)
    axis.set_xticks([16, 32, 64, 128, 256])
    return figure


@row(
    "42",
    r"\text{error}\sim C h^q:\ q=1,2,3\text{ (DPM-Solver)},\ 2\text{ (EDM Heun, ++2S, ++2M, SDE "
    r"++2M, PNDM)},\ 3\text{ (++3M, UniPC-2, DEIS-3)}",
    title="Orders and coefficients of fast solvers",
    source="EDM and the papers of each",
    condition="smooth field, between noise levels with σ > 0, no lower order at the end; churn "
    "with S_churn fixed, so that γ ∝ h; the released 3M halves its second derivative, hence "
    "2; PNDM's weights are those of equal steps, hence 2 and not 4",
    subject=read,
    control=read,
    control_size=5e-11,
    figure=draw,
)
def check(table_of: Read) -> Finding:
    """Tables against the papers' formulas, and fitted orders on a mixture and on Gaussians."""
    off, whose = coefficients(table_of)
    quantities = {"largest difference of a coefficient from the papers'": off}
    short, series = 0.0, {}
    for name, solver in SOLVERS.items():
        grids = [grid(n, "vp") for n in STEPS]
        tables = [table_of(solver, each) for each in grids]
        errors = np.array([error(*pair) for pair in zip(tables, grids, strict=True)])
        order, half, _ = fit(STEPS, errors, 1e-14)
        short = max(short, solver.order - order) if np.isfinite(order) else np.inf
        quantities[f"order: {name}"] = order
        quantities[f"95 % half-width of the order: {name}"] = half
        series[f"{name}: evaluations"] = [float(table.nfe) for table in tables]
        series[f"{name}: error"] = [float(e) for e in errors]
    decided = worst_of(
        judge(
            off,
            1e-12,
            unit="of the state's size",
            where=whose,
            derivation="round-off in float64",
        ),
        judge(
            short,
            0.15,
            unit="missing in the order",
            derivation="a method that misses its order misses it by one",
        ),
    )
    return replace(decided, series=series, quantities=quantities)
