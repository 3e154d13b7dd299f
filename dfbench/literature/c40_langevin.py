"""40. Langevin dynamics: its bias for Gaussians, and slow mixing between modes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from analytic import GaussianMixture
from dfbench.charts.drawing import curves, frame
from dfbench.levels import Grid
from dfbench.literature.mixing import SIGMA, barrier_rate, spectral_gap, two_modes
from dfbench.literature.parts import within
from dfbench.literature.statement import largest, row, worst_of
from dfbench.outcome import Finding, judge
from dfbench.samplers import METHODS
from dfbench.samplers.method import Method, Traits
from dfbench.testing import floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPSILON = 0.02
SEPARATIONS = (2.0, 2.5, 3.0, 3.5, 4.0)  # half the distance of two modes of deviation 1


def langevin(noise: float = 1.0) -> Method:
    """x + ε s + √(2ε) ξ as the package has it (one level, step 2ε); defect: a factor on ξ."""
    function = METHODS["annealed_langevin"].function

    def run(model: Any, z: Any, grid: Grid, draw: Any, **options: Any) -> Any:
        return function(model, z, grid, lambda: noise * draw(), **options)

    return Method("langevin", run, "", lambda **_: Traits(), METHODS["annealed_langevin"].defaults)


def draw(finding: Finding) -> Figure:
    """Bias against step size, and steps to mix against separation."""
    series = finding.series or {}
    figure, (left, right) = frame(
        "step ε / variance", "excess stationary variance", panels=2, yscale="log"
    )
    names = {"excess variance": "ε/2v / (1 − ε/2v)", "excess variance of the chain": "chain"}
    curves(left, series, "step", names, ("-", "o"), ms=3)
    names = {"mixing steps": "1 / spectral gap", "barrier": "barrier, 1/(4ε) ∫ dx/p"}
    curves(right, series, "separation", names, ("o-", "--"))
    left.set(xscale="log")
    right.set(xlabel="distance of the modes / deviation", ylabel="steps to mix")
    return figure


@row(
    "40",
    r"x\leftarrow x+\epsilon\,s(x)+\sqrt{2\epsilon}\,\xi:\quad\operatorname{Var}_\infty="
    r"\frac{v}{1-\epsilon/2v}\ \text{for }p=\mathcal N(0,v),\qquad"
    r"\text{gap}\simeq\frac{4\epsilon}{\int_{-m}^{m}dx/p(x)}\propto e^{-\Delta V}",
    title="Langevin dynamics",
    source="NCSN",
    condition="0 < ε < 2v; modes at least five deviations apart for the second formula",
    subject=langevin,
    control=lambda size: langevin(1 + size),
    control_size=3e-10,
    figure=draw,
)
def check(chain: Method) -> Finding:
    """The law after n steps in closed form; the spectral gap by quadrature: exactly ε/v for a
    Gaussian, and the rate across the barrier between modes."""

    @within(1e-11, "relative, of the variance", "round-off, 2n steps")
    def bias(variance: float, step: float, start: float, n: int) -> float:
        eps = step * variance
        table = chain.table(Grid.from_ratios([SIGMA, SIGMA]), "eps", step=2 * eps, n_steps=n)
        found = table.law(variance - SIGMA**2, start_variance=start).variance[0]
        limit, kept = variance / (1 - step / 2), (1 - step) ** (4 * n)  # 2n steps, squared
        return float(abs(found / (limit + kept * (start - limit)) - 1))

    exact = bias.for_all(
        variance=floats(0.1, 10.0),
        step=floats(0.01, 1.8),
        start=floats(0.0, 10.0),
        n=st.integers(1, 60),
    )
    one = GaussianMixture.isotropic([1.0], [[0.0]], 1 - SIGMA**2)
    gap = spectral_gap(chain, one, EPSILON)
    gaussian = judge(
        abs(gap / EPSILON - 1),
        1e-9,
        unit="relative, of the gap",
        derivation="trapezoidal rule, error e^{−2π² 4}, and rounding over the gap",
    )
    gaps = [spectral_gap(chain, two_modes(m), EPSILON) for m in SEPARATIONS]
    ratio = [g / barrier_rate(m, EPSILON) for g, m in zip(gaps, SEPARATIONS, strict=True)]
    mixing = judge(
        largest(abs(r - 1) for r in ratio[1:]),
        0.05,
        unit="of the gap",
        derivation="the committor's rate is exact as ΔV → ∞ and ε → 0; ε = 0.02 and e^{−ΔV} < 0.1",
    )
    above = judge(
        largest(ratio) - 1,
        0.0,
        unit="of the rate",
        derivation="a Rayleigh quotient is an upper bound of the gap, at any distance of the modes",
    )
    return worst_of(exact, gaussian, mixing, above, **_report(chain, gaps))


def _report(chain: Method, gaps: list[float]) -> dict[str, Any]:
    """Quantities and series."""
    steps = np.geomspace(0.01, 1.8, 25)
    found = []
    for step in steps:
        table = chain.table(Grid.from_ratios([SIGMA, SIGMA]), "eps", step=2 * step, n_steps=1)
        # the fixed point of V → a² V + b, from two values of the map
        zero, unit = (table.law(1 - SIGMA**2, start_variance=v).variance[0] for v in (0.0, 1.0))
        found.append(float(zero / (1 - (unit - zero)) - 1))
    times = [1 / g for g in gaps]
    return {
        "quantities": {
            f"steps to mix, modes {2 * m:g} deviations apart": t
            for m, t in zip(SEPARATIONS, times, strict=True)
        },
        "series": {
            "step": [float(s) for s in steps],
            "excess variance": [float(s / 2 / (1 - s / 2)) for s in steps],
            "excess variance of the chain": found,
            "separation": [2 * m for m in SEPARATIONS],
            "mixing steps": times,
            "barrier": [1 / barrier_rate(m, EPSILON) for m in SEPARATIONS],
        },
    }
