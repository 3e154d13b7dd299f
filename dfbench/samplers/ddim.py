"""DDIM and DDPM: ancestral sampling between any two levels."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Any

from dfbench.levels import Grid, Level
from dfbench.samplers.method import Model, Noise, Traits, method


def kept_fraction(now: Level, to: Level) -> float:
    """κ = (σ_s/α_s)/(σ_t/α_t), s after t: 0 at σ_s = 0 and at α_t = 0, below 1 towards data."""
    return now.alpha * to.sigma / (to.alpha * now.sigma)


def posterior_std(now: Level, to: Level) -> float:
    """√β̃: the noise of q(z_s | z_t, x), (σ_s/σ_t) √(σ_t² − (α_t/α_s)² σ_s²), s after t.

    Written so that it is exact at σ_s = 0 and at α_t = 0; zero towards noise, where there is no
    posterior. (HO eq. 7 between any two levels)
    """
    kept = kept_fraction(now, to)
    return to.sigma * sqrt(max(0.0, (1 - kept) * (1 + kept)))


def towards_data(grid: Grid) -> list[tuple[Level, Level]]:
    """The steps of a grid on which σ/α never rises, as every sampler that adds noise needs it.

    Raises:
        ValueError: it rises.
    """
    for t, s in grid.steps():
        if s.ratio > t.ratio:
            raise ValueError(f"σ/α must not rise, and does from {t.ratio:g} to {s.ratio:g}")
    return grid.steps()


@method(
    "Song et al. 2021, arXiv 2010.02502, eq. 12 and 16",
    lambda eta: Traits(order=1, stochastic=eta != 0),
)
def ddim(model: Model, z: Any, grid: Grid, noise: Noise, *, eta: float = 0.0) -> Any:
    """z_s = α_s x̂ + √(σ_s² − η² β̃) ε̂ + η √β̃ ξ.

    With η = 0 it runs towards noise as well (DDIM inversion): from σ = 0 if the model predicts
    the noise there, and to α = 0.
    """
    for t, s in towards_data(grid) if eta else grid.steps():
        out = model(z, t)
        direct, fresh = split(t, s, eta)
        z = s.alpha * out.x + direct * out.eps
        if fresh:
            z = z + fresh * noise()
    return z


def split(now: Level, to: Level, eta: float) -> tuple[float, float]:
    """(√(σ_s² − η² β̃), η √β̃): the noise kept from the state and the noise drawn.

    The first as σ_s √(1 − η² + η² κ²), which keeps its digits at η = 1.

    Raises:
        ValueError: η² β̃ > σ_s².
    """
    if not eta:
        return to.sigma, 0.0
    left = 1 - eta**2 + (eta * kept_fraction(now, to)) ** 2
    if left < 0:
        raise ValueError(f"eta = {eta} draws more noise than σ = {to.sigma:g} has room for")
    return to.sigma * sqrt(left), eta * posterior_std(now, to)


@method(
    "Ho et al. 2020, arXiv 2006.11239, eq. 7 and Algorithm 2; "
    "a number: Nichol and Dhariwal 2021, arXiv 2102.09672, eq. 15",
    lambda variance: Traits(
        order=1,
        stochastic=True,
        scale_invariant=_variance_name(variance) == "beta_tilde",
        exact_on_points=_variance_name(variance) == "beta_tilde",
    ),
)
def ddpm(
    model: Model, z: Any, grid: Grid, noise: Noise, *, variance: str | float = "beta_tilde"
) -> Any:
    """z_s = (α_t/α_s)(σ_s²/σ_t²) z + α_s (β/σ_t²) x̂ + std ξ, β = σ_t² − (α_t/α_s)² σ_s².

    Args:
        variance: "beta_tilde" (released as "fixed_small"), exact for data at a point; "beta"
            (released as "fixed_large"), exact for N(0, I) data and a variance-preserving
            schedule; or v in [0, 1], std² = exp(v log β + (1 − v) log β̃), what a model with a
            learned variance does when it answers v everywhere. No noise on a step to σ = 0.
    """
    variance = _variance_name(variance)
    for t, s in towards_data(grid):
        ratio = t.alpha / s.alpha
        beta = max(0.0, (t.sigma - ratio * s.sigma) * (t.sigma + ratio * s.sigma))
        x = model(z, t).x
        z = ratio * (s.sigma / t.sigma) ** 2 * z + s.alpha * (beta / t.sigma**2) * x
        small = posterior_std(t, s)
        if variance == "beta_tilde":
            std = small
        elif variance == "beta":
            std = sqrt(beta)
        else:
            v = float(variance)
            std = exp(0.5 * v * log(beta) + (1 - v) * log(small)) if small else 0.0
        if s.sigma and std:
            z = z + std * noise()
    return z


def _variance_name(variance: str | float) -> str | float:
    """The paper's name of a variance, checked."""
    name = {"fixed_small": "beta_tilde", "fixed_large": "beta"}.get(str(variance), variance)
    if name not in ("beta", "beta_tilde") and not (
        isinstance(name, (int, float)) and 0 <= name <= 1
    ):
        raise ValueError(f"variance must be 'beta', 'beta_tilde' or in [0, 1], got {variance!r}")
    return name
