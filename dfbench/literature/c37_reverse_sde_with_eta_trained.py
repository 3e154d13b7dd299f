"""37. The reverse SDE through a trained network: one law for every η."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dfbench.charts import MARKS, curves, frame, level
from dfbench.grids import uniform_t
from dfbench.literature import ROWS
from dfbench.literature.c37_reverse_sde_with_eta import Reverse, euler_maruyama
from dfbench.literature.one_law import Laws
from dfbench.literature.trained import Lab, trained
from dfbench.literature.trained_samplers import Converted, drawn
from dfbench.outcome import Finding
from dfbench.schedules import Cosine

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ETAS = (0.0, 0.5, 1.0, 1.5)
STEPS = (25, 50, 100, 200)
ENDS = (0.99, 0.03)


def draw(finding: Finding) -> Figure:
    """Distance to the exact law against steps, for every η."""
    series = finding.series or {}
    fig, (axis,) = frame("steps", "sliced W₂ to the exact law", xscale="log", yscale="log")
    curves(axis, series, "steps", [f"η = {eta:g}" for eta in ETAS], [f"{mark}-" for mark in MARKS])
    level(axis, series["floor"][0], "exact samples")
    return fig


@trained(
    ROWS[37],
    r"dz=\big(fz-\tfrac12(1+\eta^2)g^2\hat s\big)dt+\eta g\,dw:\quad\text{one law for every }\eta",
    condition="small steps, and a network whose error is small: an SDE forgets old errors and "
    "makes new ones, so that laws of a wrong score differ",
    subject=euler_maruyama,
    control=lambda size: euler_maruyama(-size),
    control_size=1.0,
    figure=draw,
)
def check(reverse: Reverse, lab: Lab) -> Finding:
    """Sliced W₂ between samples and the exact law at the last level, cosine schedule."""
    end_level = uniform_t(Cosine(), 1, *ENDS)[1]
    laws, network = Laws(lab, end_level, 37), Converted(lab.network(), "eps")
    series: dict[str, list[float]] = {"steps": [float(n) for n in STEPS]}
    for eta in ETAS:
        for n in STEPS:
            grid, rng = uniform_t(Cosine(), n, *ENDS), np.random.default_rng(370)
            z = rng.standard_normal((laws.n, lab.dim))
            end = reverse(grid, eta).run(network, z, drawn(rng, z.shape))
            series.setdefault(f"η = {eta:g}", []).append(laws.distance(end))
    last = {f"η = {eta:g}": series[f"η = {eta:g}"][-1] for eta in ETAS}
    series["floor"] = [laws.law.floor]
    quantities = {f"sliced W₂, {STEPS[-1]} steps, {k}": v for k, v in last.items()}
    quantities["sliced W₂ of exact samples"] = laws.law.floor
    return replace(laws.one_law(last), series=series, quantities=quantities)
