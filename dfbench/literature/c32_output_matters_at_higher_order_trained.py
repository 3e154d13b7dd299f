"""32. With a solver of order two the choice of output changes the samples of one network."""

from __future__ import annotations

import numpy as np

from dfbench.convergence import fit
from dfbench.grids import regular
from dfbench.levels import Array
from dfbench.literature import ROWS
from dfbench.literature.c32_output_matters_at_higher_order import (
    OUTPUTS,
    SLACK,
    STEPS,
    HeunTable,
    draw,
    heun,
)
from dfbench.literature.calculus import rms
from dfbench.literature.statement import largest, worst_of
from dfbench.literature.trained import Lab, trained
from dfbench.outcome import Finding, judge

ENDS = (-4.0, 2.0)


def samples(solver: HeunTable, lab: Lab, output: str, steps: int) -> Array:
    """Samples from 64 fixed starts."""
    z = lab.truth.sample_diffused(64, *regular(*ENDS, 1)[0], np.random.default_rng(32))
    table = solver(output, regular(*ENDS, steps))
    return np.asarray(table.run(lab.network().as_prediction(output), z))


@trained(
    ROWS[32],
    condition="Heun's method in the variable of the output; at order one (the control) the three "
    "forms are DDIM",
    subject=heun,
    control=lambda size: heun(1.0 - size),
    control_size=1.0,
    figure=draw,
)
def check(solver: HeunTable, lab: Lab) -> Finding:
    """One trained network used as x, ε and u; errors against 768 steps of the same network."""
    best = samples(heun(), lab, "u", 768)
    series: dict[str, list[float]] = {"steps": [float(n) for n in STEPS], "apart": []}
    for n in STEPS:
        ends = {output: samples(solver, lab, output, n) for output in OUTPUTS}
        for output, end in ends.items():
            series.setdefault(f"error, {output}", []).append(rms(end - best))
        series["apart"].append(
            largest(rms(ends[a] - ends[b]) for i, a in enumerate(OUTPUTS) for b in OUTPUTS[:i])
        )
    errors = np.array([series[f"error, {output}"] for output in OUTPUTS])
    order = fit(STEPS, series["apart"], 1e-14).order
    differ = judge(
        errors[:, -1].min() / max(series["apart"][-1], 1e-300),
        10.0,
        unit="smallest error / distance of the forms",
        derivation="by the size of its error a solver is known to a tenth",
    )
    quadratic = judge(
        abs(order - 2),
        2 * SLACK,
        unit="order",
        derivation="both are of second order, and so is "
        "what is left of their errors; a network bends more than a posterior",
    )
    quantities = {
        f"RMS error in {o}, {STEPS[-1]} steps": float(e[-1])
        for o, e in zip(OUTPUTS, errors, strict=True)
    }
    quantities["order of the difference"] = order
    quantities[f"largest distance of two forms, {STEPS[-1]} steps"] = series["apart"][-1]
    return worst_of(differ, quadratic, series=series, quantities=quantities)
