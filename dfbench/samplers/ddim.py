"""DDIM and DDPM: ancestral sampling between any two levels."""

from __future__ import annotations

from typing import Any

from dfbench.levels import Grid, Level
from dfbench.samplers.base import Model, Noise, Traits, method


def posterior_std(now: Level, to: Level) -> float:
    """√β̃: the noise of q(z_s | z_t, x), (σ_s/σ_t) √(σ_t² − (α_t/α_s)² σ_s²), s after t.

    Written so that it is exact at σ_s = 0 and at α_t = 0. (HO eq. 7 between any two levels)
    """
    kept = now.alpha * to.sigma / (to.alpha * now.sigma)  # ratio of the ratios, < 1
    return float(to.sigma * max(0.0, (1 - kept) * (1 + kept)) ** 0.5)


@method(
    "Song et al. 2021, arXiv 2010.02502, eq. 12 and 16",
    lambda eta: Traits(order=1, stochastic=eta != 0),
)
def ddim(model: Model, z: Any, grid: Grid, noise: Noise, *, eta: float = 0.0) -> Any:
    """z_s = α_s x̂ + √(σ_s² − η² β̃) ε̂ + η √β̃ ξ."""
    for t, s in grid.steps():
        out = model(z, t)
        std = eta * posterior_std(t, s)
        z = s.alpha * out.x + (s.sigma**2 - std**2) ** 0.5 * out.eps
        if eta:
            z = z + std * noise()
    return z
