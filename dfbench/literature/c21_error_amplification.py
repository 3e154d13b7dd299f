"""21. ε-prediction amplifies errors at high noise, x-prediction at low noise; v and u neither."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from dfbench.charts.drawing import lines
from dfbench.grids import regular
from dfbench.levels import Level
from dfbench.literature.parts import within
from dfbench.literature.statement import largest, row, worst_of
from dfbench.outcome import Finding
from dfbench.predictions import affine
from dfbench.samplers import METHODS
from dfbench.schedules import at_log_snr
from dfbench.testing import floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Affine = Callable[..., tuple[float, float]]
KINDS = {"eps": "ε̂", "x": "x̂", "v": "v̂", "u": "û"}


def broken(size: float) -> Affine:
    """The network's output counts for more than it should."""
    return lambda *case: (affine(*case)[0], (1 + size) * affine(*case)[1])


def amplification(convert: Affine, kind: str, level: Level) -> float:
    """The larger of the errors of x̂ and ε̂ per unit of error in the output."""
    return largest(abs(convert(kind, target, *level)[1]) for target in ("x", "eps"))


def stated(kind: str, lam: float) -> float:
    """e^(−λ/2) and e^(λ/2) beyond λ = 0; 1 at most for v and u (variance preserving)."""
    half = lam / 2
    return {
        "eps": math.exp(max(-half, 0.0)),
        "x": math.exp(max(half, 0.0)),
        "v": 1 / math.sqrt(1 + math.exp(-abs(lam))),
        "u": 1 / (1 + math.exp(-abs(half))),
    }[kind]


def figure(finding: Finding) -> Figure:
    """Amplification over λ."""
    y = "error of x̂ or ε̂ / error of the output"
    styles = ("-", "-", "-", "--")
    fig = lines(finding, "log-SNR λ", y, over="log-SNR", names=KINDS, styles=styles, yscale="log")
    fig.axes[0].legend(title="prediction")
    return fig


@row(
    "21",
    r"\max\!\left(\frac{|\delta\hat x|}{|\delta\hat m|},\frac{|\delta\hat\epsilon|}"
    r"{|\delta\hat m|}\right)=\begin{cases}e^{\max(0,-\lambda/2)}&m=\epsilon\\"
    r"e^{\max(0,\lambda/2)}&m=x\\\le1&m=v,u\end{cases}",
    title="Error amplification",
    source="GAO",
    condition="variance preserving, data of unit variance, so that outputs are of comparable size; "
    "what x-prediction amplifies at low noise is ε̂, not the sample x̂",
    subject=lambda: affine,
    control=broken,
    control_size=5e-12,
    figure=figure,
)
def check(convert: Affine) -> Finding:
    """The size of each at any level, and that v and u never exceed 1."""

    @within(1e-13, "relative", "round-off in float64")
    def off(kind: str, lam: float) -> float:
        level = Level(*at_log_snr(lam))
        return float(abs(amplification(convert, kind, level) / stated(kind, lam) - 1))

    @within(1e-13, "above 1", "round-off in float64")
    def beyond(kind: str, lam: float) -> float:
        return amplification(convert, kind, Level(*at_log_snr(lam))) - 1

    found = worst_of(
        off.for_all(examples=100, kind=st.sampled_from(list(KINDS)), lam=floats(-20, 20)),
        beyond.for_all(kind=st.sampled_from(["v", "u"]), lam=floats(-40, 40)),
    )
    lam = np.linspace(-12, 12, 49)
    levels = [Level(*at_log_snr(float(at))) for at in lam]
    table = METHODS["ddim"].table(regular(-12.0, 12.0, 50))
    quantities = {
        f"{KINDS[kind]}: error of x̂ or ε̂ / error of the output, λ = {at:+d}": amplification(
            convert, kind, Level(*at_log_snr(float(at)))
        )
        for kind in KINDS
        for at in (-10, 10)
    } | {
        f"{KINDS[kind]}: √Σw² of 50 DDIM outputs in the sample": float(
            np.sqrt((table.weights(kind) ** 2).sum())
        )
        for kind in KINDS
    }
    series = {"log-SNR": lam.tolist()} | {
        kind: [amplification(convert, kind, level) for level in levels] for kind in KINDS
    }
    return replace(found, quantities=quantities, series=series)
