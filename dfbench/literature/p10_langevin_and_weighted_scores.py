"""P10. Noise-weighted score matching, and Langevin sampling with its step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from analytic import GaussianMixture
from analytic.information import expectation
from dfbench.levels import Array, Grid
from dfbench.literature.forms import on_both
from dfbench.literature.parts import within
from dfbench.literature.statement import printed
from dfbench.losses import explicit_score_matching
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.testing import Field, fields, floats, mixtures

Stationary = Callable[[float, float], float]  # variance of p, ε → variance of the chain's law
SIGMA = 0.1
SIGMAS = (0.1, 0.5, 2.0)  # of the objective


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
    """A stationary variance is one that a step does not change: the table of two steps; and the
    objective is least at the score, whatever λ(i) > 0 are."""

    @within(1e-12, "relative change of the variance", "round-off in float64")
    def moved(form: Stationary, variance: float, step: float) -> float:
        grid = Grid.from_ratios([SIGMA, SIGMA])  # the score of N(0, v − σ²) noised by σ
        eps = step * variance
        table = METHODS["annealed_langevin"].table(grid, "eps", step=2 * eps, n_steps=1)
        before = form(variance, eps)
        after = table.law(variance - SIGMA**2, start_variance=before).variance[0]
        return float(abs(after / before - 1))

    @within(1e-10, "of the objective", "quadrature to 1e-11 of the integral")
    def objective(target: GaussianMixture, of: tuple[float, ...], field: Field) -> float:
        """Σ λ(i) E|∇log p − (∇log p + φ)|² against Σ λ(i) E|φ|², and its slope along φ at φ = 0."""
        total, truth, slope = 0.0, 0.0, 0.0
        for weight, sigma in zip(of, SIGMAS, strict=True):

            def terms(z: Array, sigma: float = sigma) -> Array:
                true, step = target.score(z, 1.0, sigma), field(z)
                both = [2 * explicit_score_matching(true + k * step, true) for k in (1, -1)]
                return np.stack([*both, (step**2).sum(-1)], -1)

            up, down, size = expectation(target.diffused(1.0, sigma), terms)
            total, truth = total + weight * up, truth + weight * size
            slope += weight * (up - down)
        return float(max(abs(total - truth), abs(slope)) / (1e-9 + truth))

    excess = {f"excess variance at ε = {r:g} v": 1 / (1 - r / 2) - 1 for r in (0.01, 0.1, 1.0)}
    weights = st.tuples(*(floats(0.1, 10.0) for _ in SIGMAS))
    least = objective.for_all(
        examples=8, target=mixtures(dim=1, smallest=0.3), of=weights, field=fields()
    )
    chain = on_both(
        moved,
        pair,
        holds=False,
        quantities=excess,
        variance=floats(0.1, 10.0),
        step=floats(0.01, 1.8),
    )
    return chain if least.verdict == "pass" else replace(least, quantities=chain.quantities)
