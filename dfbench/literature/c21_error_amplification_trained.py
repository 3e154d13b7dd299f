"""21. Networks trained to predict ε, x, v and u: whose errors are amplified, and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from dfbench.charts.drawing import curves, frame
from dfbench.exact import exact_model
from dfbench.levels import Level
from dfbench.literature import ROWS
from dfbench.literature.calculus import rms
from dfbench.literature.statement import worst_of
from dfbench.literature.trained import Lab, trained
from dfbench.outcome import Finding, judge
from dfbench.schedules import at_log_snr

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = {"eps": "ε̂", "x": "x̂", "v": "v̂", "u": "û"}
LAM = np.linspace(-9.0, 9.0, 19)
AT = 9.0
LEAST = 1.5
Choice = Callable[[str], str]  # the prediction that is meant → the one that is trained


def draw(finding: Finding) -> Figure:
    """Errors of x̂ and ε̂ over λ, by what the network was trained to predict."""
    series = finding.series or {}
    fig, axes = frame("log-SNR λ", "", panels=2, yscale="log")
    for axis, what, label in zip(axes, ("x", "eps"), ("x̂", "ε̂"), strict=True):
        names = {f"{name}, error of {what}": KINDS[name] for name in KINDS}
        curves(axis, series, "log-SNR", names, ("-", "-", "-", "--"))
        axis.set(ylabel=f"rms error of {label}")
        axis.legend(title="trained to predict")
    return fig


@trained(
    ROWS[21],
    r"|\hat x-x|=e^{-\lambda/2}|\hat\epsilon-\epsilon|:\quad\epsilon\text{-networks err in }\hat x"
    r"\text{ at high noise},\ x\text{-networks in }\hat\epsilon\text{ at low noise},\ "
    r"v\text{ in neither}",
    title="Whose errors are amplified",
    condition="networks of one size, trained equally long under one weighting; by how much depends "
    "on how well each learns its output (of u, the larger one, a network may learn less)",
    subject=lambda: lambda kind: kind,
    control=lambda size: lambda kind: "v",
    control_size=1.0,
    figure=draw,
)
def check(choice: Choice, lab: Lab) -> Finding:
    """Four networks, alike but for the prediction; errors against the exact posterior."""
    series: dict[str, list[float]] = {"log-SNR": LAM.tolist()}
    at: dict[tuple[str, str, float], float] = {}
    for kind in KINDS:
        network = lab.network(prediction=choice(kind))
        rng = np.random.default_rng(21)
        for lam in (*LAM, -AT, AT):
            level = Level(*at_log_snr(float(lam)))
            z = lab.truth.sample_diffused(1024, *level, rng)
            for what in ("x", "eps"):
                exact = exact_model(lab.truth, what)(z, level)
                error = rms(network.as_prediction(what)(z, level) - exact)
                series.setdefault(f"{kind}, error of {what}", []).append(error)
                at[kind, what, lam] = error
    for name in series:
        series[name] = series[name][: len(LAM)]
    ratios = {
        "error of x̂ at high noise, ε-network / v-network": at["eps", "x", -AT] / at["v", "x", -AT],
        "error of ε̂ at low noise, x-network / v-network": at["x", "eps", AT] / at["v", "eps", AT],
    }
    findings = [
        judge(
            LEAST / value,
            1.0,
            unit=f"{LEAST:g} / ({name})",
            derivation=f"e^{AT / 2:g} = {np.exp(AT / 2):.0f} if the outputs erred alike, but a "
            "network errs less where its output is easy; half as much again is beyond chance",
        )
        for name, value in ratios.items()
    ]
    for what, end in (("x", -AT), ("eps", AT)):
        best = min(at[k, what, end] for k in KINDS)
        for kind in ("v", "u"):
            name = f"error of {KINDS[what]} at λ = {end:+g}: {KINDS[kind]}-network / best of four"
            ratios[name] = at[kind, what, end] / best
    for (kind, what, lam), value in at.items():
        if abs(lam) == AT:
            ratios[f"{KINDS[kind]}-network: rms error of {KINDS[what]}, λ = {lam:+g}"] = value
    return worst_of(*findings, quantities=ratios, series=series)
