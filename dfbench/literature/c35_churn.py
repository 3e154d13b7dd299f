"""35. Churn: undoing a part of a DDIM step by forward noising keeps the marginals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from analytic import GaussianMixture
from dfbench.charts.drawing import curves, frame
from dfbench.charts.look import COLOURS
from dfbench.grids import regular
from dfbench.levels import Array, Grid, Level, grid_of
from dfbench.literature.limits import (
    BOUND,
    DERIVATION,
    WAVES,
    characteristic,
    law_gap,
    limit,
    of_table,
)
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import largest_of, row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.table import Table
from dfbench.testing import floats, levels_pairs
from dfbench.trajectories import trajectory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHURNS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
ENDS = (-6.0, 6.0)  # λ of the runs
VARIANCES = np.geomspace(0.05, 20.0, 13)  # of the data
STEPS = (64, 96, 128, 192, 256, 384)
WIDTHS = 0.1 / np.array([1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
LINE = GaussianMixture.isotropic([0.6, 0.4], [[-1.0], [1.5]], [0.09, 0.16])  # off centre
PLANE = GaussianMixture.isotropic([0.4, 0.35, 0.25], [[-1.2, 0], [1, 0.9], [0.8, -1]], 0.02)

Churn = Callable[[Grid, float], Table]  # levels and the fraction undone → the table


def churn(noise: float = 1.0) -> Churn:
    """`exponential_sde` with η² = c/(1 − c): DDIM at c = 0, DDPM at ½; its noise times a factor."""

    def table(grid: Grid, fraction: float) -> Table:
        right = METHODS["exponential_sde"].table(grid, "x", eta=(fraction / (1 - fraction)) ** 0.5)
        rows = right.rows.copy()
        rows[:, 1 + right.nfe :] *= noise
        return replace(right, rows=rows)

    return table


def ddim_and_undo(step: Grid, fraction: float) -> Array:
    """Weights of (z, x̂, ξ): DDIM over Δλ/(1 − c), then forward noising back by that part c."""
    now, to = step[0], step[1]
    # σ/α there, with λ_far − λ_to = Δλ c/(1 − c)
    far = to.ratio * (to.ratio / now.ratio) ** (fraction / (1 - fraction))
    ddim = METHODS["ddim"].table(grid_of([now, Level(to.alpha, to.alpha * far)]), "x")
    fresh = to.alpha * np.sqrt((to.ratio - far) * (to.ratio + far))
    return np.append(ddim.rows[-1], fresh)


def law_error(table: Table) -> float:
    """Largest relative error of the sample's standard deviation, over Gaussian data."""
    return float(np.abs(table.response(VARIANCES)).max())


def start_left(table: Table) -> float:
    """Of an excess in the variance of z_T, the part left in the sample; data of variance 1."""
    first, last = table.levels[0], table.levels[-1]
    v, v_end = (at.alpha**2 + at.sigma**2 for at in (first, last))
    laws = [table.law(1.0, start_variance=k * v).variance[0] for k in (1.0, 2.0)]
    return float((laws[1] - laws[0]) / v_end)


def reversed_and_noised(now: float, width: float) -> Array:
    """A DDIM step from λ towards noise, by Δλ, less forward noising, over Δλ.

    Of the law E e^{iωz}, by the trapezoidal rule in z; and of the samples, the mean square of
    their distance.
    """
    to, at = regular(now - width, now, 1)
    law = LINE.diffused(*at)
    z = np.linspace(-1, 1, 1201) * float(np.max(np.abs(law.means) + 8 * np.sqrt(law.spectra)))
    mass = np.exp(law.log_density(z[:, None])) * (z[1] - z[0])
    back = trajectory("ddim", LINE, grid_of([at, to]), z=z[:, None]).samples[:, 0]
    found = mass @ np.exp(1j * np.outer(back, WAVES)) - characteristic(LINE.diffused(*to))
    scale = to.alpha / at.alpha
    fresh2 = (to.sigma - scale * at.sigma) * (to.sigma + scale * at.sigma)
    apart = mass @ (back - scale * z) ** 2 + fresh2
    return np.append(found, apart / to.sigma**2) / width


def draw(finding: Finding) -> Figure:
    """The two ways to more noise from the same points; what churn costs, and what it buys."""
    series = finding.series or {}
    figure, (left, middle, right) = frame("z₁", "z₂", panels=3, size=(9.0, 3.8))
    for axis, name, colour in (
        (left, "reversed DDIM", COLOURS[0]),
        (middle, "forward noising", COLOURS[1]),
    ):
        x, y = series[f"{name}, x"], series[f"{name}, y"]
        axis.scatter(x, y, s=6, color=colour, alpha=0.6, lw=0)
        for i in range(8):  # the same eight runs in both panels
            axis.text(x[i], y[i], str(i + 1), fontsize=11, weight="bold", ha="center", va="center")
        axis.set(title=name, xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal")
    names = {
        "error, 24 steps": "error of the law, 24 steps",
        "error, 96 steps": "error of the law, 96 steps",
        "start left": "left of an error at the start",
    }
    curves(right, series, "churn", names, ("o-", "s-", "D--"))
    right.set(yscale="log", ylim=(1e-4, 3), title="cost and benefit", box_aspect=1)
    right.set(xlabel="churn: part of the step undone", ylabel="relative error of the spread")
    return figure


@row(
    "35",
    r"\text{noising}_{\lambda+\frac{\Delta}{1-c}\to\lambda+\Delta}\circ"
    r"\text{DDIM}_{\lambda\to\lambda+\frac{\Delta}{1-c}}:\quad p_{\lambda+\Delta}+O(\Delta^2)\ "
    r"\text{a step, for every }c;\quad c=\tfrac12\text{ is DDPM};\quad\eta^2=\tfrac c{1-c}",
    title="Churn",
    source="GAO, EDM",
    condition="the noise put back is what forward noising would add; the reverse variance is β̃; "
    "the fraction is one of log-SNR",
    subject=churn,
    control=lambda size: churn(1.0 + size),
    control_size=5e-11,
    figure=draw,
)
def check(churned: Churn) -> Finding:
    """Coefficients of the composition, the law as the steps vanish, and the reversed step."""

    @within(1e-12, "of the state's size", "round-off in float64 over √c")
    def gap(step: Grid, fraction: float) -> float:
        found = churned(step, fraction).rows[-1]
        off = [np.append(found, [0.0] * (3 - len(found))) - ddim_and_undo(step, fraction)]
        off.append(churned(step, 0.5).rows[-1] - METHODS["ddpm"].table(step, "x").rows[-1])
        return float(np.abs(off).max() / np.hypot(*step[1]))

    composed = gap.for_all(step=levels_pairs(), fraction=floats(0.01, 0.95) | st.just(0.0))
    gaussian, modes = {}, {}
    for c in (0.0, 0.3, 0.5, 0.8):
        errors = [churned(regular(*ENDS, n), c).response(VARIANCES) for n in STEPS]
        gaussian[f"churn {c:g}"] = float(np.abs(limit(STEPS, errors)).max())
        for low, high in ((-2.5, -1.0), (0.0, 1.2)):
            step = of_table(lambda grid, c=c: churned(grid, c))  # type: ignore[misc]
            name = f"churn {c:g}, λ from {low:g} to {high:g}"
            modes[name] = law_gap(step, LINE, partial(regular, low, high))
    back = {}
    for now in (-2.0, 0.0, 2.0):
        found = limit([1 / w for w in WIDTHS], [reversed_and_noised(now, w) for w in WIDTHS])
        back[f"law, λ = {now:g}"] = float(np.abs(found[:-1]).max())
        back[f"samples, λ = {now:g}"] = float(abs(found[-1] - 1))
    series = _costs(churned) | _pictures()
    left = dict(zip(CHURNS, series["start left"], strict=True))
    quantities = {f"share left of an error at the start, churn {c:g}": left[c] for c in (0, 0.5)}
    for c, error in zip(CHURNS, series["error, 24 steps"], strict=True):
        if c in (0.0, 0.5, 0.8):
            quantities[f"relative error of the spread in 24 steps, churn {c:g}"] = error
    parts = {
        "coefficients of the composition": composed,
        "law of Gaussian data": largest_of(
            gaussian,
            2e-5,
            unit="of the deviation, as the steps vanish",
            derivation="the limit of six step counts: the last two extrapolations differ by less",
        ),
        "law of two modes": largest_of(modes, BOUND, unit="of E e^{iωz}", derivation=DERIVATION),
        "the reversed step": largest_of(
            back,
            1e-6,
            unit="of the change per unit of λ",
            derivation="the limit of six widths Δ ≤ 0.1, (Δ/2)⁶ of derivatives up to 10; the laws "
            "agree to O(Δ²), the samples are √Δ σ apart",
        ),
    }
    return decided(parts, quantities, series)


def _costs(churned: Churn) -> dict[str, list[float]]:
    """Error of the law and memory of the start, for every churn."""
    few, many = ([churned(regular(*ENDS, n), c) for c in CHURNS] for n in (24, 96))
    return {
        "churn": list(CHURNS),
        "error, 24 steps": [law_error(table) for table in few],
        "error, 96 steps": [law_error(table) for table in many],
        "start left": [start_left(table) for table in few],
    }


def _pictures() -> dict[str, list[float]]:
    """300 points at λ = 2, carried to λ = 1 in both ways."""
    rng = np.random.default_rng(35)
    to, now = regular(1.0, 2.0, 1)
    z = PLANE.sample_diffused(300, *now, rng)
    back = trajectory("ddim", PLANE, grid_of([now, to]), z=z).samples
    scale = to.alpha / now.alpha
    std = np.sqrt((to.sigma - scale * now.sigma) * (to.sigma + scale * now.sigma))
    noised = scale * z + std * rng.standard_normal(z.shape)
    return {
        f"{name}, {axis}": points[:, i].tolist()
        for name, points in (("reversed DDIM", back), ("forward noising", noised))
        for i, axis in enumerate("xy")
    }
