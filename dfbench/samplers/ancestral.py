"""Samplers that step below the next level and renoise up to it, and consistency sampling."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

from dfbench.levels import Grid, Level
from dfbench.samplers.ddim import kept_fraction, posterior_std, towards_data
from dfbench.samplers.flow import flow_time
from dfbench.samplers.method import Model, Noise, Traits, method
from dfbench.samplers.ode import at_ratio, exploding, in_sigma, middle, times


def ancestral_step(now: Level, to: Level, eta: float) -> tuple[float, float]:
    """(σ_down, σ_up) of σ/α with σ_down² + σ_up² = σ_s²: σ_up = min(σ_s, η √β̃).

    The same split as `ddim.split`, but an η that asks for too much is cut off instead of refused.
    """
    sigma = to.ratio
    up = min(sigma, eta * posterior_std(now, to) / to.alpha)
    left = 1 - eta**2 + (eta * kept_fraction(now, to)) ** 2 if eta else 1.0
    return sigma * sqrt(max(0.0, left)), up


def noisier(s_noise: float, stochastic: bool) -> str:
    """Why a method with this s_noise does not converge."""
    return "s_noise ≠ 1: noise of another size than removed" if stochastic and s_noise != 1 else ""


def renoised(order: int, evaluations: int, eta: float, s_noise: float) -> Traits:
    """The traits of a method that draws s_noise times the noise that it removed to the part η."""
    biased = noisier(s_noise, eta > 0)
    return Traits(
        order=order,
        stochastic=eta > 0 and s_noise > 0,
        exact_on_points=not biased,
        evaluations=evaluations,
        biased=biased,
    )


def _traits(order: int, evaluations: int) -> Any:
    return lambda eta, s_noise, **_: renoised(order, evaluations, eta, s_noise)


@method("k-diffusion sample_euler_ancestral; at η ≤ 1 arXiv 2010.02502, eq. 16", _traits(1, 1))
def euler_ancestral(
    model: Model, z: Any, grid: Grid, noise: Noise, *, eta: float = 1.0, s_noise: float = 1.0
) -> Any:
    """x/α: Euler from σ_t to σ_down, then noise of size σ_up. DDIM with the same η ≤ 1.

    Euler's step is written x̂ + σ_down ε̂, which exists at α_t = 0.
    """
    for t, s in towards_data(grid):
        down, up = ancestral_step(t, s, eta)
        out = model(z, t)
        z = s.alpha * (out.x + down * out.eps)
        if up * s_noise:
            z = z + s.alpha * up * s_noise * noise()
    return z


@method("k-diffusion sample_dpm_2_ancestral", _traits(2, 2))
def dpm2_ancestral(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    rho: float | None = None,
) -> Any:
    """`dpm2` from σ_t to σ_down, then noise of size σ_up; Euler's, one evaluation, onto 0.

    Second order in law: forward noising is exact, so only the step's own error is left.

    Args:
        rho: as in `dpm2` (3 in the first releases of k-diffusion).
    """
    for t, s in towards_data(grid):
        x, sigma = exploding(z, t)
        down, up = ancestral_step(t, s, eta)
        slope, mid = in_sigma(model, t, at_ratio(t, down)), middle(sigma, down, rho)
        d = slope(x, sigma)
        if down:
            d = slope(x + (mid - sigma) * d, mid)
        z = s.alpha * (x + (down - sigma) * d)
        if up * s_noise:
            z = z + s.alpha * up * s_noise * noise()
    return z


@method("k-diffusion sample_dpmpp_2s_ancestral, after arXiv 2211.01095, Algorithm 1", _traits(2, 2))
def dpmpp_2s_ancestral(
    model: Model, z: Any, grid: Grid, noise: Noise, *, eta: float = 1.0, s_noise: float = 1.0
) -> Any:
    """DPM-Solver++(2S) with r = ½ from σ_t to σ_down, then noise of size σ_up.

    Both exponential steps start at x_t: x ← (σ'/σ) x + (1 − σ'/σ) x̂. Euler's, one evaluation,
    onto 0.
    """
    for t, s in towards_data(grid):
        x, sigma = exploding(z, t)
        down, up = ancestral_step(t, s, eta)
        denoised = model(z, t).x
        if down:
            mid = at_ratio(t, sqrt(sigma * down))
            keep = mid.ratio / sigma
            middle_x = keep * x + (1 - keep) * denoised
            denoised = model(mid.alpha * middle_x, mid).x
        keep = down / sigma
        z = s.alpha * (keep * x + (1 - keep) * denoised)
        if up * s_noise:
            z = z + s.alpha * up * s_noise * noise()
    return z


@method(
    "k-diffusion sample_dpmpp_sde, after arXiv 2211.01095, section 5",
    lambda eta, s_noise, r, brownian: renoised(2 if brownian or eta == 0 else 1, 2, eta, s_noise),
)
def dpmpp_sde(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 0.5,
    brownian: bool = True,
) -> Any:
    """Two ancestral exponential steps from x_t: to the middle, λ + r h, and to the end.

    The noise of both is that of one Brownian path with time σ/α. Their covariance is what makes
    the method second order in law: it has to be r h to leading order, which any smooth clock
    gives and independent draws do not. (The clock with no error in covariance is (α/σ)².)

    Args:
        r: place of the middle in λ.
        brownian: False draws the two noises independently: first order.
    """
    for t, s in towards_data(grid):
        x, sigma = exploding(z, t)
        denoised = model(z, t).x
        if s.sigma:
            mid = at_ratio(t, sigma ** (1 - r) * s.ratio**r)
            down, up = ancestral_step(t, mid, eta)
            keep = down / sigma
            y = keep * x + (1 - keep) * denoised
            if up * s_noise:
                y = y + up * s_noise * (noise(sigma, mid.ratio) if brownian else noise())
            second = model(mid.alpha * y, mid).x
            denoised = (1 - 0.5 / r) * denoised + 0.5 / r * second
        down, up = ancestral_step(t, s, eta)
        keep = down / sigma
        z = s.alpha * (keep * x + (1 - keep) * denoised)
        if up * s_noise:
            z = z + s.alpha * up * s_noise * (noise(sigma, s.ratio) if brownian else noise())
    return z


@method("ComfyUI sample_euler_ancestral_RF, the form LTX uses", _traits(1, 1))
def flow_ancestral(
    model: Model, z: Any, grid: Grid, noise: Noise, *, eta: float = 1.0, s_noise: float = 1.0
) -> Any:
    """Flow matching: Euler to τ_down = τ_s (1 + η (τ_s/τ_t − 1)), then forward noising to τ_s.

    τ = σ/(α+σ). y_s = (1−τ_s)/(1−τ_down) y_down + √(τ_s² − τ_down² ((1−τ_s)/(1−τ_down))²) ξ.
    At η = 1 this is DDPM to first order in the step, and not beyond.
    """
    for t, s in towards_data(grid):
        now, to = flow_time(t), flow_time(s)
        down = to * (1 + eta * (to / now - 1))
        out = model(z, t)
        shrink = (1 - to) / (1 - down)
        y = shrink * ((1 - down) * out.x + down * out.eps)
        up = sqrt(max(0.0, (to - shrink * down) * (to + shrink * down)))
        if up * s_noise:
            y = y + up * s_noise * noise()
        z = (s.alpha + s.sigma) * y
    return z


_JUMPS = "a consistency model lands on data in one evaluation; a denoiser lands on its mean"


def _each(value: float | Sequence[float], n: int, name: str) -> list[float]:
    values = [float(value)] * n if isinstance(value, (int, float)) else [float(v) for v in value]
    if len(values) != n:
        raise ValueError(f"{name} has {len(values)} values for {n} steps")
    return values


@method(
    "Song et al. 2023, arXiv 2303.01469, Algorithm 1; Luo et al. 2023, arXiv 2310.04378",
    lambda c_skip, c_out, sigma_min: Traits(
        stochastic=True,
        scale_invariant=c_skip == 0,
        exact_on_points=c_skip == 0 and c_out == 1 and sigma_min == 0,
        biased=_JUMPS,
    ),
)
def lcm(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    c_skip: float | Sequence[float] = 0.0,
    c_out: float | Sequence[float] = 1.0,
    sigma_min: float = 0.0,
) -> Any:
    """Multistep consistency sampling: f = c_skip z + c_out x̂, z_s = α_s f + σ_s ξ.

    Args:
        c_skip, c_out: the boundary condition, one number or one per step, on the state z as it
            is and on x̂ (`lcm_scalings`, `consistency_scalings`).
        sigma_min: the σ/α on which f lands: the noise added is √((σ_s/α_s)² − sigma_min²).
    """
    skip, weight = _each(c_skip, grid.n_steps, "c_skip"), _each(c_out, grid.n_steps, "c_out")
    for i, (t, s) in enumerate(grid.steps()):
        f = weight[i] * model(z, t).x
        if skip[i]:
            f = f + skip[i] * z
        z = s.alpha * f
        std = sqrt(max(0.0, s.sigma**2 - (s.alpha * sigma_min) ** 2))
        if std:
            z = z + std * noise()
    return z


def lcm_scalings(
    timestep: float, timestep_scaling: float = 10.0, sigma_data: float = 0.5
) -> tuple[float, float]:
    """(c_skip, c_out) of the released LCM, for x̂ and an integer time step.

    The c_out of consistency models has another factor σ_data and acts on the raw network; on x̂
    it would shrink every sample by half.
    """
    scaled = timestep * timestep_scaling
    norm = scaled**2 + sigma_data**2
    return sigma_data**2 / norm, scaled / sqrt(norm)


def consistency_scalings(
    sigma: float, sigma_min: float = 0.002, sigma_data: float = 0.5
) -> tuple[float, float]:
    """(c_skip, c_out) of arXiv 2303.01469, appendix C, turned to act on x̂ = D(z; σ) with α = 1.

    There f = c_skip z + c_out F with F the raw network of EDM; F = (D − c_skip⁰ z)/c_out⁰ where
    ⁰ marks EDM's own, the case sigma_min = 0.
    """
    skip = sigma_data**2 / ((sigma - sigma_min) ** 2 + sigma_data**2)
    weight = (sigma - sigma_min) / sigma
    return skip - weight * sigma_data**2 / (sigma**2 + sigma_data**2), weight


@method(
    "Lu and Song 2024, arXiv 2410.11081, section 2 (TrigFlow)",
    Traits(stochastic=True, biased=_JUMPS),
)
def scm(model: Model, z: Any, grid: Grid, noise: Noise) -> Any:
    """z_s = cos(s) f + sin(s) σ_d ξ with f = cos(t) z − sin(t) σ_d F, which is x̂.

    In levels α = cos, σ = σ_d sin: consistency sampling with no boundary scaling of its own.
    """
    for t, s in grid.steps():
        z = s.alpha * model(z, t).x
        if s.sigma:
            z = z + s.sigma * noise()
    return z


@method(
    "Zheng et al. 2024, arXiv 2402.19159, strategic stochastic sampling",
    lambda gamma, down: Traits(
        order=1 if gamma == 0 and down is None else None,
        stochastic=gamma > 0 or down is not None,
        biased=_JUMPS if gamma > 0 or down is not None else "",
    ),
)
def tcd(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    gamma: float = 0.3,
    down: Sequence[float] | None = None,
) -> Any:
    """Jump to time (1 − γ) t_s, there by DDIM, then noise forward to t_s.

    Args:
        gamma: 0 is DDIM, 1 multistep consistency sampling.
        down: the σ/α of the levels jumped to, one per step, instead of those at (1 − γ) t_s on
            the grid's schedule (for released code that rounds time steps).
    """
    if down is None and gamma:
        ts, schedule = times(grid)
        below = [Level(*schedule.level((1 - gamma) * t)).ratio for t in ts[1:]]
    else:
        below = [s.ratio for _, s in grid.steps()]
        below = below if down is None else _each(down, grid.n_steps, "down")
    for (t, s), ratio in zip(towards_data(grid), below, strict=True):
        out = model(z, t)
        z = s.alpha * (out.x + ratio * out.eps)
        fresh = s.alpha * sqrt(max(0.0, (s.ratio - ratio) * (s.ratio + ratio)))
        if fresh:
            z = z + fresh * noise()
    return z
