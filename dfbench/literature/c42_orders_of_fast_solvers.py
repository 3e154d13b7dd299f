"""42. EDM's sampler, the DPM-Solver family, UniPC, DEIS and PNDM: orders and coefficients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dfbench.convergence import exact_flow, fit, grid, target
from dfbench.exact import exact_model
from dfbench.grids import regular
from dfbench.levels import Grid
from dfbench.literature.declared import contradictions, order_gaps
from dfbench.literature.drawing import frame
from dfbench.literature.papers import FORMULAS
from dfbench.literature.statement import largest, row, worst_of
from dfbench.literature.variants import ENDS, VARIANTS, Variant, from_noise, gap, levels
from dfbench.outcome import Finding, judge
from dfbench.samplers import METHODS
from dfbench.samplers.ancestral import consistency_scalings, lcm_scalings
from dfbench.samplers.method import Method, Traits
from dfbench.table import Table
from dfbench.wasserstein import response

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = (12, 16, 24, 32, 48, 64, 96, 128)
VARIANCES = np.geomspace(0.05, 20.0, 13)
ROUNDING = 1e-11  # of quadratures, with a growth of e⁶


@dataclass(frozen=True)
class Solver:
    """A method under its options, and its order in the literature."""

    method: str
    options: dict[str, Any]
    order: int
    prediction: str = "x"


EXACT = {"order": 3, "solver_type": "heun"}  # of the start too
SOLVERS = {
    "EDM Heun": Solver("edm", {}, 2),
    "EDM Heun, churn": Solver("edm", {"s_churn": 4.0}, 2),
    "DPM-Solver-1": Solver("dpm_solver", {"order": 1}, 1),
    "DPM-Solver-2": Solver("dpm_solver", {"order": 2}, 2),
    "DPM-Solver-3": Solver("dpm_solver", {"order": 3}, 3),
    "DPM-Solver++ 2S": Solver("dpm_solver_pp", {"order": 2}, 2),
    "DPM-Solver++ 2M": Solver("dpm_solver_pp_multistep", {"order": 2}, 2),
    "DPM-Solver++ 3M": Solver("dpm_solver_pp_multistep", EXACT, 3),
    "3M as released": Solver("dpm_solver_pp_multistep", {**EXACT, "halved": True}, 2),
    "SDE-DPM-Solver++ 2M": Solver("sde_dpm_solver_pp", {"order": 2}, 2),
    "UniPC-2": Solver("unipc", {"order": 2, "lower_order_final": False}, 3),
    "DEIS-3": Solver("deis", {"order": 3}, 3),
    "PNDM": Solver("pndm", {"order": 4}, 2),
    "PLMS": Solver("pndm", {"order": 4, "start": "plms"}, 2),
}
Read = Callable[[Solver | Variant, Grid], Table]


def read(size: float = 0.0) -> Read:
    """The tables; the defect is a factor on the weight of the newest output of every row."""

    def table(solver: Solver | Variant, levels: Grid) -> Table:
        method = METHODS[solver.method]
        found = method.table(levels, solver.prediction, **solver.options)
        rows = found.rows.copy()
        for j in range(1, found.nfe + 1):
            rows[j, j] *= 1 + size
        return replace(found, rows=rows)

    return table


def error(table: Table, levels: Grid) -> float:
    """RMS distance to the exact flow of a mixture, in z/α; with noise, the largest relative error
    of the standard deviation over Gaussian data."""
    if table.normal_draws(1e-12).n_draws:
        return float(np.abs(response(table, levels, VARIANCES, on=("discretisation",))).max())
    start, stop = exact_flow()
    out = table.run(exact_model(target(), "x"), start * levels[0].alpha)
    return float(np.sqrt(np.mean((out / levels[-1].alpha - stop) ** 2)))


def coefficients(table_of: Read) -> tuple[float, str]:
    """Largest difference between a method's table and that of its paper's formula, and whose."""
    grid, worst = regular(-4.0, 4.0, 6), (0.0, "")
    for name, formula in FORMULAS.items():
        paper = Method(name, formula, "", lambda: Traits()).table(grid, "x")
        found = table_of(SOLVERS[name], grid)
        told = np.abs(found.levels.log_snr - paper.levels.log_snr).max()
        worst = max(worst, (float(max(found.gaps(paper).max(), told)), name))
    return worst


def options_gap(table_of: Read) -> tuple[float, str]:
    """Largest difference of a table from the formula of its method and options, and whose; of the
    first that differs by more than round-off, if one does."""
    worst = (0.0, "")
    for variant in VARIANTS + ENDS:
        for pure in (False, True)[: 1 + from_noise(variant)]:
            one = variant._replace(prediction="x") if pure else variant
            grid = levels(one.steps, pure, one.clean, one.bare)
            name = one.name + " from pure noise" * pure
            worst = max(worst, (gap(one, table_of(one, grid), grid), name))
        if worst[0] > ROUNDING:
            break
    return worst


def boundary_gap() -> float:
    """Consistency models: f(z, σ_min) = z, and the coefficients as printed, σ_data = ½."""
    gaps = [np.abs(np.subtract(consistency_scalings(0.002), (1, 0))).max()]
    for sigma in (0.3, 2.0):
        skip, out = 0.25 / ((sigma - 0.002) ** 2 + 0.25), 0.5 * (sigma - 0.002)
        out /= (0.25 + sigma**2) ** 0.5  # of the network F = (D − c_skip z)/c_out of EDM
        norm = 0.25 + sigma**2
        found = consistency_scalings(sigma)
        gaps.append(abs(found[1] - out / (0.5 * sigma / norm**0.5)))
        gaps.append(abs(found[0] - skip + found[1] * 0.25 / norm))
        released = lcm_scalings(sigma)
        gaps.append(abs(released[0] - 0.25 / (100 * sigma**2 + 0.25)))
        gaps.append(abs(released[1] - 10 * sigma / (100 * sigma**2 + 0.25) ** 0.5))
    return largest(gaps)


def traits_gap() -> tuple[int, float, str]:
    """Traits that tables contradict, how far an order is from the declared one, and whose."""
    wrong = {each.name: said for each in VARIANTS if (said := contradictions(each))}
    gaps = order_gaps()
    worst = max(gaps, key=lambda name: abs(gaps[name]))
    where = "; ".join(f"{name}: {', '.join(said)}" for name, said in wrong.items())
    return sum(map(len, wrong.values())), largest(map(abs, gaps.values())), where or worst


def draw(finding: Finding) -> Figure:
    """Error against model evaluations."""
    assert finding.series is not None
    figure, (axis,) = frame("model evaluations", "error of the sample", xscale="log", yscale="log")
    axis.set_xticks([16, 32, 64, 128, 256], ["16", "32", "64", "128", "256"])
    axis.minorticks_off()
    styles = ["o-", "s--", "^:"]
    for i, name in enumerate(SOLVERS):
        series = finding.series
        axis.plot(
            series[f"{name}: evaluations"],
            series[f"{name}: error"],
            styles[i % 3],
            ms=3,
            label=name,
        )
    figure.set_size_inches(6.8, 4.8)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4)
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
    control_size=1e-3,
    figure=draw,
)
def check(table_of: Read) -> Finding:
    """Tables against formulas, fitted orders on a mixture and on Gaussians, declared traits."""
    off, whose = coefficients(table_of)
    unit = "of the state's size"
    findings = [judge(off, 1e-12, unit=unit, where=whose, derivation="round-off in float64")]
    quantities = {"largest difference of a coefficient from the papers'": off}
    off, whose = options_gap(table_of)
    findings.append(
        judge(
            off,
            ROUNDING,
            unit=unit,
            where=whose,
            derivation="round-off of quadrature with growth e⁶",
        )
    )
    findings.append(judge(boundary_gap(), 1e-14, unit="absolute", derivation="round-off"))
    quantities["methods and options held to a formula"] = float(len(VARIANTS + ENDS))
    quantities["their largest difference of a coefficient"] = off
    if (first := worst_of(*findings)).verdict == "fail":
        return replace(first, quantities=quantities)
    short, series = 0.0, {}
    for name, solver in SOLVERS.items():
        grids = [grid(n, "vp") for n in STEPS]
        tables = [table_of(solver, each) for each in grids]
        errors = np.array([error(*pair) for pair in zip(tables, grids, strict=True)])
        order, half, _ = fit(np.array(STEPS, dtype=float), errors, np.full(len(STEPS), 1e-14))
        short = max(short, solver.order - order) if np.isfinite(order) else np.inf
        quantities[f"order: {name}"] = order
        quantities[f"95 % half-width of the order: {name}"] = half
        series[f"{name}: evaluations"] = [float(table.nfe) for table in tables]
        series[f"{name}: error"] = [float(e) for e in errors]
    derivation = "a method that misses its order misses it by one"
    findings.append(judge(short, 0.15, unit="missing in the order", derivation=derivation))
    wrong, missed, whose = traits_gap()
    findings.append(judge(wrong, 0, unit="traits that tables contradict", where=whose))
    derivation = "between 32 and 64 steps; the next order is one away"
    findings.append(judge(missed, 0.45, unit="of the order", where=whose, derivation=derivation))
    quantities["largest difference of an order from the declared one"] = missed
    return replace(worst_of(*findings), series=series, quantities=quantities)
