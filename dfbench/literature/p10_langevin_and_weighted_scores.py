"""P10. Noise-weighted score matching, and Langevin sampling with its step."""

from __future__ import annotations

from collections.abc import Callable

from dfbench.levels import Grid
from dfbench.literature.forms import on_both
from dfbench.literature.parts import within
from dfbench.literature.statement import printed
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.testing import floats

Stationary = Callable[[float, float], float]  # variance of p, ε → variance of the chain's law
SIGMA = 0.1


def biased(size: float = 0.0) -> Stationary:
    """v/(1 − ε/2v), for 0 < ε < 2v."""
    return lambda v, eps: v / (1 - (1 + size) * eps / (2 * v))


@printed(
    "P10",
    r"\sum_i\lambda(i)\,\mathbb E_{p_{\sigma_i}}\lVert\nabla\log p_{\sigma_i}(x)-s(x,i)\rVert^2,"
    r"\qquad x\leftarrow x+\epsilon\nabla\log p+\sqrt{2\epsilon}\,z\text{ samples }p,\quad "
    r"x_0\sim\mathcal N(0,I)",
    title="Noise-weighted score matching and Langevin sampling",
    source="NCSN, in lecture form",
    holds=False,
    corrected=r"\text{the chain samples a law of variance }v/(1-\epsilon/2v)\text{ where }p\text{ "
    r"has }v,\ 0<\epsilon<2v;\ p\text{ itself as }k\to\infty\text{, then }\epsilon\to0",
    where="in the limit ε → 0, ε k → ∞. The start N(0, I) is forgotten like (1 − ε/v)^k, so any "
    "will do if ε < 2v in the narrowest direction. The objective has the score as its minimiser "
    "for any λ(i) > 0, but needs ∇log p: rows 13 and 14 replace it",
    subject=lambda: (lambda v, eps: v, biased()),
    control=lambda size: (lambda v, eps: v, biased(size)),
    control_size=6e-11,
)
def check(pair: tuple[Stationary, Stationary]) -> Finding:
    """A stationary variance is one that a step does not change: the table of two steps."""

    @within(1e-12, "relative change of the variance", "round-off in float64")
    def moved(form: Stationary, variance: float, step: float) -> float:
        grid = Grid.from_ratios([SIGMA, SIGMA])  # the score of N(0, v − σ²) noised by σ
        eps = step * variance
        table = METHODS["annealed_langevin"].table(grid, "eps", step=2 * eps, n_steps=1)
        before = form(variance, eps)
        after = table.law(variance - SIGMA**2, start_variance=before).variance[0]
        return float(abs(after / before - 1))

    excess = {f"excess variance at ε = {r:g} v": 1 / (1 - r / 2) - 1 for r in (0.01, 0.1, 1.0)}
    return on_both(
        moved,
        pair,
        holds=False,
        quantities=excess,
        variance=floats(0.1, 10.0),
        step=floats(0.01, 1.8),
    )
