"""35. Churn through a trained network: any fraction of each step undone, one law."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dfbench.charts import MARKS, curves, frame, level
from dfbench.grids import regular
from dfbench.literature import ROWS
from dfbench.literature.c35_churn import Churn, churn
from dfbench.literature.one_law import Laws
from dfbench.literature.trained import Lab, trained
from dfbench.literature.trained_samplers import Converted, drawn
from dfbench.outcome import Finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHURNS = (0.0, 0.3, 0.5, 0.8)
STEPS = (10, 20, 40, 80)
ENDS = (-9.0, 6.0)


def draw(finding: Finding) -> Figure:
    """Distance to the exact law against steps, for every churn."""
    series = finding.series or {}
    fig, (axis,) = frame("steps", "sliced W₂ to the exact law", xscale="log", yscale="log")
    extra = {0.0: " (DDIM)", 0.5: " (DDPM)"}
    names = {f"churn {c:g}": f"churn {c:g}{extra.get(c, '')}" for c in CHURNS}
    curves(axis, series, "steps", names, [f"{mark}-" for mark in MARKS])
    level(axis, series["floor"][0], "exact samples")
    return fig


@trained(
    ROWS[35],
    r"\text{noising}_{\lambda+\frac{\Delta}{1-c}\to\lambda+\Delta}\circ"
    r"\text{DDIM}_{\lambda\to\lambda+\frac{\Delta}{1-c}}:\quad\text{one law for every }c",
    condition="enough steps, and a network whose error is small: what is left of both is in the "
    "bound; the noise put back is what forward noising adds",
    subject=churn,
    control=lambda size: churn(1.0 + size),
    control_size=1.5,
    figure=draw,
)
def check(churned: Churn, lab: Lab) -> Finding:
    """Sliced W₂ between samples and the exact law at the last level."""
    laws, network = Laws(lab, regular(*ENDS, 1)[1], 35), Converted(lab.network(), "x")
    series: dict[str, list[float]] = {"steps": [float(n) for n in STEPS]}
    for c in CHURNS:
        for n in STEPS:
            grid, rng = regular(*ENDS, n), np.random.default_rng(350)
            z = rng.standard_normal((laws.n, lab.dim))
            end = churned(grid, c).run(network, z, drawn(rng, z.shape))
            series.setdefault(f"churn {c:g}", []).append(laws.distance(end))
    last = {f"churn {c:g}": series[f"churn {c:g}"][-1] for c in CHURNS}
    finding = laws.one_law(last)
    quantities = {f"sliced W₂, {STEPS[-1]} steps, {k}": v for k, v in last.items()}
    series["floor"] = [laws.law.floor]
    quantities["sliced W₂ of exact samples"] = laws.law.floor
    return replace(finding, series=series, quantities=quantities)
