"""44. The likelihood that a trained network gives: a density, and how far from the exact one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dfbench.charts.drawing import curves, frame, guide
from dfbench.literature import ROWS
from dfbench.literature.statement import worst_of
from dfbench.literature.trained import Lab, planar, trained
from dfbench.outcome import Finding, judge
from dfbench.schedules import at_log_snr
from dfbench.training.measure.likelihood import log_likelihood

if TYPE_CHECKING:
    from matplotlib.figure import Figure

START, STOP, STEPS = 2.0, -9.0, 44
NODES, POINTS, SIGNS = 41, 200, 64


def draw(finding: Finding) -> Figure:
    """The network's log-density against the exact one."""
    series = finding.series or {}
    fig, (axis,) = frame("exact log p(z), nats", "log p̂(z) through the network's flow, nats")
    curves(axis, series, "exact", {"network": "data at λ = 2"}, ["."])
    ends = [min(series["exact"]), max(series["exact"])]
    guide(axis, ends, ends, "equal")
    return fig


@trained(
    ROWS[44],
    r"\log\hat p(z_0)=\log p_1(z_1)+\int\operatorname{div}\hat u\,dt,\quad\int\hat p\,dz=1,\quad"
    r"\operatorname{div}\hat u=\mathbb E_v\,v^{\mathsf T}\nabla\hat u\,v",
    title="Likelihood through the flow",
    source="HE, SDE",
    condition="any smooth field gives a density, right or wrong; the signs v are kept on the way",
    subject=lambda: 1.0,
    control=lambda size: 1.0 + size,
    control_size=0.1,
    figure=draw,
)
def check(factor: float, lab: Lab) -> Finding:
    """The integral of p̂ over the plane; Hutchinson against the trace; the gap to the truth."""
    truth, network, level = planar(lab), lab.network(), at_log_snr(START)
    given = partial(log_likelihood, network, start=START, stop=STOP, steps=STEPS)
    line = np.linspace(-5.0, 5.0, NODES)
    plane = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    density = np.exp(given(plane, of_divergence=factor).log_density)
    mass = float(density.sum() * (line[1] - line[0]) ** 2)
    whole = judge(
        abs(mass - 1),
        1e-3,
        unit="|∫ p̂ dz − 1|",
        derivation=f"trapezoidal rule on {NODES}² nodes and {STEPS} steps of RK4",
    )
    rng = np.random.default_rng(44)
    z = truth.sample_diffused(POINTS, *level, rng)
    found = given(z, of_divergence=factor).log_density
    exact = truth.log_density(z, *level)
    one = np.repeat(z[:1], SIGNS, axis=0)
    draws = given(one, divergence="hutchinson", rng=rng).log_density
    error = float(draws.std(ddof=1) / SIGNS**0.5)
    unbiased = judge(
        abs(draws.mean() - found[0]) / max(error, 1e-9),
        5.5,
        unit="standard errors",
        where="one point",
        derivation=f"{SIGNS} draws of signs, false alarm 4e-8",
    )
    gap = exact - found
    quantities = {
        "∫ p̂ dz": mass,
        "E[log p − log p̂] over data, nats (KL)": float(gap.mean()),
        "its standard error": float(gap.std(ddof=1) / POINTS**0.5),
        "rms of log p − log p̂, nats": float(np.sqrt((gap**2).mean())),
        "standard deviation of Hutchinson's estimate, nats": float(draws.std(ddof=1)),
    }
    series = {"exact": exact.tolist(), "network": found.tolist()}
    return worst_of(whole, unbiased, quantities=quantities, series=series)
