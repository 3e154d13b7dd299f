"""20. Flow matching's weighting is that of v with the cosine schedule; SD3's is close to EDM's."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dfbench.charts.drawing import lines
from dfbench.charts.look import COLOURS
from dfbench.levels import Function
from dfbench.literature.statement import largest, row, worst_of
from dfbench.outcome import Finding, judge
from dfbench.schedules import Cosine, FlowMatching
from dfbench.weightings import (
    WEIGHTINGS,
    EDMWeighting,
    LogitNormal,
    effective_weighting,
    normalised,
    total_variation,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAM = np.linspace(-20.0, 20.0, 401)
RANGE = (-30.0, 30.0)


def derived() -> dict[str, Function]:
    """Weightings of the losses in û on the flow path, and in v̂ on the cosine one, t uniform."""
    return {
        "flow_matching": effective_weighting("u", FlowMatching()),
        "v_cosine": effective_weighting("v", Cosine()),
    }


def broken(size: float) -> dict[str, Function]:
    """v's weighting tilted by e^(size λ)."""
    good = derived()
    return good | {"v_cosine": lambda lam: good["v_cosine"](lam) * np.exp(size * lam)}


def figure(finding: Finding) -> Figure:
    """All named weightings over λ, each divided by its largest value in sight."""
    styles = [dash for dash in ["-", "--", ":", "-."] for _ in COLOURS]
    names = {name: name.replace("_", " ") for name in list(finding.series or {})[1:]}
    x, y = "log-SNR λ", "w(λ) / value at λ = 0"
    return lines(finding, x, y, names=names, styles=styles, yscale="log", ylim=(1e-3, 1e2))


@row(
    "20",
    r"w_{\mathrm{FM}}(\lambda)=\tfrac12e^{-\lambda/2}=\tfrac\pi2\,w_{v,\cos}(\lambda),\qquad"
    r"\tfrac12\int|w_{\mathrm{SD3}}-w_{\mathrm{EDM}}|\,d\lambda\le0.1\text{ (normalised)}",
    title="Weightings",
    source="KG, GAO",
    condition="SD3 with location 0, scale 1 and no shift, EDM with σ_data = 0.5, at the same λ; "
    "with λ counted from the variance of the data they are further apart",
    subject=derived,
    control=broken,
    control_size=3e-10,
    figure=figure,
)
def check(weights: dict[str, Function]) -> Finding:
    """The two weightings, each from its loss, against their formulas and each other; SD3, EDM."""
    derivation = "round-off: at |λ| = 20 a time keeps 1e-16/e^(−10) = 5e-12 of its distance to 1"
    named = {name: make() for name, make in WEIGHTINGS.items()}
    gaps = [np.abs(weight(LAM) / named[name](LAM) - 1).max() for name, weight in weights.items()]
    ratio = weights["flow_matching"](LAM) / weights["v_cosine"](LAM)
    constant = float(np.abs(ratio / (math.pi / 2) - 1).max())
    sd3, edm = named["sd3"], named["edm"]
    apart = total_variation(sd3, edm, *RANGE)
    # λ of data with unit variance: EDM's data has the standard deviation 0.5
    unit = EDMWeighting(p_mean=-1.2 - math.log(0.5), sigma_data=1.0)
    both = [normalised(each, *RANGE)(LAM) for each in (sd3, edm)]
    bulk = np.minimum(*both) > 0.1 * max(map(np.max, both))
    found = worst_of(
        judge(largest(gaps), 1e-10, derivation=derivation),
        judge(constant, 1e-10, derivation=derivation),
        judge(
            apart,
            0.1,
            unit="total variation",
            derivation="'close': one draw of λ tells the two apart with probability at most 0.55",
        ),
    )
    at = np.linspace(-12.0, 12.0, 97)
    return replace(
        found,
        quantities={
            "flow matching / v-cosine": float(ratio.mean()),
            "largest relative error of flow matching / v-cosine = π/2": constant,
            "largest relative error of the two formulas": largest(gaps),
            "total variation SD3, EDM": apart,
            "total variation SD3, EDM, λ of unit-variance data": total_variation(sd3, unit, *RANGE),
            "total variation SD3 shifted by 3, EDM": total_variation(
                LogitNormal(shift=3.0), edm, *RANGE
            ),
            "largest ratio SD3 / EDM where both exceed 10% of the peak": float(
                np.exp(np.abs(np.log(both[0] / both[1]))[bulk].max())
            ),
            "correlation SD3, EDM": float(np.corrcoef(both[0], both[1])[0, 1]),
            "λ of SD3's peak": round(float(LAM[both[0].argmax()]), 1),
            "λ of EDM's peak": round(float(LAM[both[1].argmax()]), 1),
        },
        series={"log-SNR": at.tolist()}
        | {name: (w(at) / float(w(0.0))).tolist() for name, w in named.items()},
    )
