"""The stochastic sampler of EDM."""

from __future__ import annotations

from math import inf, sqrt
from typing import Any

from dfbench.levels import Grid
from dfbench.samplers.ancestral import noisier
from dfbench.samplers.method import Model, Noise, Traits, method
from dfbench.samplers.ode import at_ratio, exploding, in_sigma


def _traits(
    s_churn: float,
    s_tmin: float,
    s_tmax: float,
    s_noise: float,
    second_order: bool,
    stale: str | None,
) -> Traits:
    churned = s_churn > 0 and s_tmin <= s_tmax
    return Traits(
        order=2 if second_order and not (churned and stale == "eps") else 1,
        stochastic=churned,
        exact_on_points=not churned or (s_noise == 1 and stale != "eps"),
        evaluations=2 if second_order else 1,
        biased=noisier(s_noise, churned),
    )


@method("Karras et al. 2022, arXiv 2206.00364, Algorithm 2", _traits)
def edm(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    s_churn: float = 0.0,
    s_tmin: float = 0.0,
    s_tmax: float = inf,
    s_noise: float = 1.0,
    second_order: bool = True,
    stale: str | None = None,
) -> Any:
    """Raise the noise from σ to σ̂ = (1 + γ) σ, then one Heun step of dx/dσ = ε̂ down to σ_s.

    γ = min(S_churn/N, √2 − 1) where S_tmin ≤ σ ≤ S_tmax. States are x = z/α, levels σ = σ/α.
    The step onto σ = 0 is Euler's and takes one evaluation.

    Args:
        second_order: False leaves out the correction: `sample_euler` of k-diffusion.
        stale: None, the paper's; "eps" or "x" evaluates the model before the noise is added and
            keeps that output ε̂ or x̂ for the step from σ̂, as schedulers do whose step function
            adds the noise. "eps" loses the second order, and the variance even for data at a
            point; "x" keeps both, because E[x̂(x, σ) | x + noise] is x̂(x + noise, σ̂).
    """
    if stale not in (None, "eps", "x"):
        raise ValueError(f"stale must be None, 'eps' or 'x', got {stale!r}")
    for t, s in grid.steps():
        x, sigma = exploding(z, t)
        gamma = min(s_churn / grid.n_steps, sqrt(2) - 1) if s_tmin <= sigma <= s_tmax else 0.0
        hat, before = t, model(z, t) if gamma > 0 and stale else None
        if gamma > 0:
            hat = at_ratio(t, (1 + gamma) * sigma)
            x = x + s_noise * sqrt(hat.ratio**2 - sigma**2) * noise()
        slope, h = in_sigma(model, hat, s), s.ratio - hat.ratio
        if before is None:
            d = slope(x, hat.ratio)
        else:
            d = before.eps if stale == "eps" else 1 / hat.ratio * (x - before.x)
        if second_order and s.sigma:
            d = 0.5 * (d + slope(x + h * d, s.ratio))
        z = s.alpha * (x + h * d)
    return z
