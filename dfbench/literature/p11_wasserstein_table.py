"""P11. A table of Wasserstein errors, and the evaluations behind its columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from dfbench.charts.drawing import frame
from dfbench.charts.look import COLOURS, INK
from dfbench.grids import uniform_t
from dfbench.levels import Array, Grid
from dfbench.literature.forms import on_both
from dfbench.literature.parts import within
from dfbench.literature.statement import largest_of, printed
from dfbench.outcome import Finding
from dfbench.schedules import LinearVP
from dfbench.wasserstein import SCHEMES, errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Step = tuple[Array, float]  # what is kept of z, and the variance that is added
Spent = Callable[[str, int], float]  # (scheme, label of the column) → evaluations
LABELS = (50, 250, 500, 1000)
STOP = 1e-3
SPECTRUM = 4.0 * np.arange(1, 33) ** -1.5  # a stand-in: images have power laws


def points(scheme: str, label: int) -> int:
    """Grid points of a column, as the released code runs it: Heun is meant to have label/2, but
    an `if` where `elif` was meant runs it again with `label`."""
    return label // 4 if scheme == "RK4" else label


def column(scheme: str, label: int) -> Grid:
    """`points` points from T = 1 to ε for dx = −β x dt + √(2β) dw, β from 0.05 to 10: that is
    the usual dx = −½ β' x dt + √β' dw with β' from 0.1 to 20."""
    return uniform_t(LinearVP(0.1, 20.0), points(scheme, label) - 1, 1.0, STOP)


def per_interval(size: float = 0.0) -> Spent:
    """Stages times intervals, one fewer than points."""
    stages = {"Heun": 2, "RK4": 4}
    return lambda scheme, label: stages.get(scheme, 1) * (points(scheme, label) - 1) * (1 + size)


def draw(finding: Finding) -> Figure:
    """W2 against the evaluations really spent, and where the label says they are."""
    series = finding.series or {}
    figure, (axis,) = frame("model evaluations", "W₂ to the data", xscale="log", yscale="log")
    for name, colour in zip(SCHEMES, COLOURS, strict=False):
        axis.plot(
            series[f"{name}: evaluations"], series[f"{name}: W2"], "o-", color=colour, label=name
        )
        axis.plot(series["label"], series[f"{name}: W2"], "x:", color=colour, alpha=0.6)
    axis.plot([], [], "x:", color=INK, label="at its label")
    axis.legend(ncols=2)
    return figure


@printed(
    "P11",
    r"\text{NFE}=50,250,500,1000\text{ for EM, EI, DDPM, Euler, Heun, RK4 on a grid of }N"
    r"\text{ points from }T=1\text{ to }\varepsilon",
    title="A table of Wasserstein errors against NFE",
    source="PG, table and released code",
    holds=False,
    corrected=r"\text{NFE}=N-1\text{ (EM, EI, DDPM, Euler)},\ 2(N-1)\text{ (Heun)},\ 4(N/4-1)"
    r"\text{ (RK4, run on }\lfloor N/4\rfloor\text{ points)}",
    where="up to one evaluation for the schemes with one a step and up to four to six for RK4; "
    "not for Heun, which the released code runs on N points: nearly twice its label",
    subject=lambda: (lambda scheme, label: float(label), per_interval()),
    control=lambda size: (lambda scheme, label: float(label), per_interval(size)),
    control_size=1e-9,
    figure=draw,
)
def check(pair: tuple[Spent, Spent]) -> Finding:
    """Evaluations counted while each scheme runs; every error against its recursion written out."""

    @within(1e-9, "evaluations", "a count")
    def off(form: Spent, scheme: str, label: int) -> float:
        return abs(form(scheme, label) - measured(scheme, label)[0])

    quantities, series = {}, {"label": [float(n) for n in LABELS]}
    for name in SCHEMES:
        spent, w2 = zip(*(measured(name, n) for n in LABELS), strict=True)
        series |= {f"{name}: evaluations": list(spent), f"{name}: W2": list(w2)}
        quantities[f"{name}: evaluations for “50”"] = spent[0]
        quantities[f"{name}: evaluations for “1000”"] = spent[-1]
    finding = on_both(
        off,
        pair,
        holds=False,
        examples=24,
        quantities=quantities,
        scheme=st.sampled_from(list(SCHEMES)),
        label=st.sampled_from(LABELS),
    )
    table = largest_of(
        {
            f"{scheme}, {label}": abs(measured(scheme, label)[1] / recursed(scheme, label) - 1)
            for scheme in SCHEMES
            for label in LABELS
        },
        1e-10,
        unit="of W₂",
        derivation="round-off in float64 of 1000 steps, 10³ ε, and W₂ ≥ 10⁻³ of the data's size",
    )
    return replace(finding if table.verdict == "pass" else table, series=series)


def recursed(scheme: str, label: int) -> float:
    """W₂ of the column: z ← c z + √n ξ in every direction, with the score −z/V, from N(0, 1)."""
    t = np.linspace(1.0, STOP, points(scheme, label))
    variance = np.ones_like(SPECTRUM)
    for now, then in pairwise(t):
        kept, noise = STEP[scheme](now, now - then)
        variance = kept**2 * variance + noise
    return float(np.linalg.norm(np.sqrt(variance) - np.sqrt(SPECTRUM)))


def beta(t: float) -> float:
    """β' from 0.1 to 20."""
    return 0.1 + 19.9 * t


def grown(t: float) -> float:
    """∫_0^t β'."""
    return 0.1 * t + 19.9 * t * t / 2


def marginal(t: float) -> Array:
    """V_t = α² s + σ² of every direction."""
    return np.asarray(1 + (SPECTRUM - 1) * np.exp(-grown(t)))


def flow(t: float) -> Array:
    """The probability flow's rate: dz/dt = a z."""
    return np.asarray(beta(t) / 2 * (1 / marginal(t) - 1))


def maruyama(t: float, h: float) -> Step:
    """dz = −½ β' z dt − β' s dt + √β' dw backwards by h."""
    return 1 + h * beta(t) * (0.5 - 1 / marginal(t)), h * beta(t)


def held(t: float, h: float) -> Step:
    """The same solved exactly with the score held."""
    grows = grown(t) - grown(t - h)
    return np.exp(grows / 2) - 2 * np.expm1(grows / 2) / marginal(t), float(np.expm1(grows))


def chain(t: float, h: float) -> Step:
    """(1 − b)^(−½) (z + b s) + √b ξ, b = β' h."""
    b = h * beta(t)
    return (1 - b / marginal(t)) / np.sqrt(1 - b), b


def euler(t: float, h: float) -> Step:
    """1 − h a."""
    return 1 - h * flow(t), 0.0


def heun(t: float, h: float) -> Step:
    """The mean of the rates at both ends."""
    return 1 - h / 2 * (flow(t) + flow(t - h) * (1 - h * flow(t))), 0.0


def rk4(t: float, h: float) -> Step:
    """The classical four stages."""
    first, middle, last = flow(t), flow(t - h / 2), flow(t - h)
    second = middle * (1 - h / 2 * first)
    third = middle * (1 - h / 2 * second)
    return 1 - h / 6 * (first + 2 * second + 2 * third + last * (1 - h * third)), 0.0


STEP: dict[str, Callable[[float, float], Step]] = {
    "EM": maruyama,
    "EI": held,
    "DDPM": chain,
    "Euler": euler,
    "Heun": heun,
    "RK4": rk4,
}


@cache
def measured(scheme: str, label: int) -> tuple[float, float]:
    """Evaluations spent, and W2 to the data."""
    row = errors({scheme: SCHEMES[scheme]}, {label: column(scheme, label)}, SPECTRUM).iloc[0]
    return float(row.nfe), float(row.w2)
