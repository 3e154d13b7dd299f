"""41. Annealed Langevin dynamics as the number of levels grows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import exp, log
from typing import TYPE_CHECKING

import numpy as np

from dfbench.charts.drawing import lines
from dfbench.grids import exponential
from dfbench.literature.parts import within
from dfbench.literature.statement import row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.table import Table
from dfbench.testing import floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LangevinChain = Callable[[int, float], Table]  # (levels L, Langevin time k) → table
HIGH, LOW = 20.0, 0.5
LEVELS = (51, 101, 201, 401)
TIME = 5.0  # the longest Langevin time k


def annealed(size: float = 0.0) -> LangevinChain:
    """L levels, one step each of size 2 k σ² Δlog σ: time 2 k an e-fold of noise, whatever L."""

    def table(levels: int, k: float) -> Table:
        spacing = log(HIGH / LOW) / (levels - 1)
        step = 2 * k * (1 + size) * spacing * LOW**2
        grid = exponential(HIGH, LOW, levels - 1, final_zero=False)
        return METHODS["annealed_langevin"].table(grid, "eps", step=step, n_steps=1)

    return table


def limit(variance: float, k: float, start: float) -> float:
    """V at σ_L for L → ∞: dV/du = k (V/u − 1) with u = s + σ², so V = k/(k−1) u + A u^k."""
    first, last = variance + HIGH**2, variance + LOW**2
    b = k / (k - 1)
    return b * last + (start - b * first) * exp(k * log(last / first))


def excess(chain: LangevinChain, levels: int, k: float, variance: float = 1.0) -> float:
    """Relative excess of the output's variance over the SDE's marginal."""
    found = chain(levels, k).law(variance).variance[0]
    return float(found / (variance + LOW**2) - 1)


def draw(finding: Finding) -> Figure:
    """Excess variance against levels, for several Langevin times."""
    x, y = "levels L", "excess variance / variance"
    figure = lines(finding, x, y, over="L", styles=["o-"], xscale="log", yscale="log")
    figure.axes[0].legend(title="Langevin time k per e-fold of noise", ncols=2)
    return figure


@row(
    "41",
    r"x\leftarrow x+\tfrac12\delta_is_{\sigma_i}(x)+\sqrt{\delta_i}\,\xi,\ \delta_i\propto"
    r"\sigma_i^2:\quad L\to\infty\ \Rightarrow\ dx=\tfrac12\dot\delta\,s\,d\tau+\sqrt{\dot\delta}"
    r"\,dw,\quad\text{the SDE's marginals as }\dot\delta/\sigma^2\to\infty",
    title="Annealed Langevin dynamics",
    source="NCSN, SDE",
    condition="the Langevin time spent must grow with L: at a fixed time 2k per e-fold of noise "
    "the limit L → ∞ has k/(k−1) times the SDE's variance (the drift of the flow is missing)",
    subject=annealed,
    control=annealed,
    control_size=1e-2,
    figure=draw,
)
def check(chain: LangevinChain) -> Finding:
    """Extrapolated from L = 51 … 401, against the closed form of the limit for Gaussians."""
    spacing = log(HIGH / LOW) / (LEVELS[0] - 1)

    @within(
        (TIME * spacing) ** 4 / 64,
        "relative, of the variance for L → ∞",
        "extrapolated from four L: the fourth power of the Langevin time a level, of which "
        "doubling L three times leaves 1/(2·4·8)",
    )
    def off(variance: float, k: float) -> float:
        exact = limit(variance, k, variance + HIGH**2)
        found = [chain(n, k).law(variance).variance[0] for n in LEVELS]
        for power in (2, 4, 8):  # no 1/L, no 1/L², no 1/L³
            found = [(power * more - few) / (power - 1) for few, more in pairwise(found)]
        return float(abs(found[0] / exact - 1))

    finding = off.for_all(examples=15, variance=floats(0.5, 4.0), k=floats(1.5, TIME))
    counts = np.unique(np.geomspace(25, 400, 7).astype(int))
    series = {f"k = {k:g}": [excess(chain, int(n), k) for n in counts] for k in (2.0, 4.0, 8.0)}
    growing = [excess(chain, int(n), n**0.5 / 2) for n in counts]
    return replace(
        finding,
        series={"L": [float(n) for n in counts], **series, "k = ½√L": growing},
        quantities={
            **{
                f"excess variance, k = {k:g}, L = {counts[-1]}": excess(chain, int(counts[-1]), k)
                for k in (2.0, 4.0, 8.0)
            },
            **{
                f"predicted, k = {k:g}": limit(1.0, k, 1 + HIGH**2) / (1 + LOW**2) - 1
                for k in (2.0, 4.0, 8.0)
            },
            "excess variance, k = ½√L, L = 25": growing[0],
            f"excess variance, k = ½√L, L = {counts[-1]}": growing[-1],
        },
    )
