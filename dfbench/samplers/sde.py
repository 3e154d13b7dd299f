"""The reverse SDE, with and without corrector, and Langevin dynamics."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np

from dfbench.levels import Grid, Level
from dfbench.samplers.additive import STEPS
from dfbench.samplers.ddim import kept_fraction, posterior_std, towards_data
from dfbench.samplers.method import Model, Noise, Output, Traits, method
from dfbench.samplers.ode import times


def score(out: Output) -> Any:
    """∇ log p(z) = −ε̂/σ."""
    return -1 / out.level.sigma * out.eps


#: solver → order on an SDE whose noise does not depend on the state, and evaluations a step.
SOLVERS = {
    "euler": (1, 1),
    "euler_heun": (1, 1),
    "heun": (2, 2),
    "midpoint": (2, 2),
    "sra1": (2, 2),
}


@method(
    "Song et al. 2021, arXiv 2011.13456, eq. 6, by Euler–Maruyama; with η: GAO; the other solvers: "
    "`dfbench.samplers.additive`",
    lambda eta, solver: Traits(
        order=SOLVERS.get(solver, (None, None))[0],
        stochastic=eta > 0,
        scale_invariant=False,
        exact_on_points=False,
        evaluations=SOLVERS.get(solver, (None, None))[1],
    ),
)
def reverse_sde(
    model: Model, z: Any, grid: Grid, noise: Noise, *, eta: float = 1.0, solver: str = "euler"
) -> Any:
    """dz = (f z − ½ (1 + η²) g² s) dt + η g dw in reverse time, by Euler–Maruyama in t.

    Args:
        solver: or another of `SOLVERS`; "heun" looks at the end of a step, and does not exist onto
            clean data.

    Raises:
        ValueError: unknown solver, or a grid without times or on which σ/α rises.
    """
    if solver not in SOLVERS:
        raise ValueError(f"solver must be one of {', '.join(SOLVERS)}, got {solver!r}")
    ts, schedule = times(grid)
    known = dict(zip(ts, grid, strict=True))
    towards_data(grid)

    def drift(z: Any, t: float) -> Any:
        level = known.get(t) or Level(*(float(c) for c in schedule.level(t)))
        pull = -0.5 * (1 + eta**2) * float(schedule.g2(t))
        return float(schedule.f(t)) * z + pull * score(model(z, level))

    def diffusion(t: float) -> float:
        return eta * sqrt(float(schedule.g2(t)))

    fresh = noise if eta else lambda: 0.0
    for a, b in pairwise(ts):
        z = STEPS[solver](drift, diffusion, z, a, b, fresh)
    return z


@method(
    "Albergo et al. 2023, arXiv 2303.08797, the backward SDE; GAO",
    lambda epsilon: Traits(
        order=1, stochastic=epsilon != 0, scale_invariant=False, exact_on_points=False
    ),
)
def interpolant_sde(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    epsilon: float | Callable[[float], float] = 1.0,
) -> Any:
    """dz = (u − ½ ε_t² s) dt + ε_t dw in reverse time with u = α̇ x̂ + σ̇ ε̂, by Euler–Maruyama.

    Args:
        epsilon: ε_t as a number or a function of t. With ε_t = η g it is `reverse_sde`. The paper
            writes ε for what is ½ ε_t² here.
    """
    ts, schedule = times(grid)
    for i, (t, _) in enumerate(towards_data(grid)):
        dt = ts[i + 1] - ts[i]
        eps_t = epsilon(ts[i]) if callable(epsilon) else epsilon
        alpha_dot, sigma_dot = (float(c) for c in schedule.rates(ts[i]))
        out = model(z, t)
        z = z + dt * (alpha_dot * out.x + sigma_dot * out.eps)
        if eps_t:
            z = z - 0.5 * dt * eps_t**2 * score(out) + eps_t * sqrt(abs(dt)) * noise()
    return z


@method(
    "hold 'x': Lu et al. 2022, arXiv 2211.01095, section 5; 'eps': Zhang and Chen 2022, "
    "arXiv 2204.13902; 'score': Pierret and Galerne 2025, arXiv 2405.14250",
    lambda eta, hold: Traits(
        order=1,
        stochastic=eta > 0,
        scale_invariant=hold != "score",
        exact_on_points=hold == "x" or (hold == "eps" and eta == 0),
    ),
)
def exponential_sde(
    model: Model, z: Any, grid: Grid, noise: Noise, *, eta: float = 1.0, hold: str = "x"
) -> Any:
    """The reverse SDE of `reverse_sde` solved exactly over a step with one thing held constant.

    Args:
        hold: "x", x̂: z_s = α_s x̂ + σ_s κ^{η²} ε̂ + σ_s √(1 − κ^{2η²}) ξ, κ = (σ_s/α_s)/(σ_t/α_t):
            DDIM at η = 0, DDPM with β̃ at η = 1.
            "eps", ε̂: z_s/α_s = z_t/α_t + (1 + η²)(ρ_s − ρ_t) ε̂ + η √(ρ_t² − ρ_s²) ξ, ρ = σ/α.
            "score", s: as "eps" with ½ (1 + η²) ∫ (α_s/α_τ) g² dτ s, so it needs t.
    """
    if hold not in ("x", "eps", "score"):
        raise ValueError(f"hold must be 'x', 'eps' or 'score', got {hold!r}")
    for i, (t, s) in enumerate(towards_data(grid)):
        out = model(z, t)
        if hold == "x":
            kept = kept_fraction(t, s) ** eta**2
            z = s.alpha * out.x + s.sigma * kept * out.eps
            fresh = s.sigma * sqrt((1 - kept) * (1 + kept))
        else:
            fresh = eta * s.alpha * sqrt((t.ratio - s.ratio) * (t.ratio + s.ratio))
            if hold == "eps":
                push = s.alpha * (1 + eta**2) * (s.ratio - t.ratio) * out.eps
            else:
                push = 0.5 * (1 + eta**2) * _noise_passed(grid, i) * score(out)
            z = s.alpha / t.alpha * z + push
        if fresh:
            z = z + fresh * noise()
    return z


def _noise_passed(grid: Grid, i: int) -> float:
    """∫ (α_s/α_τ) g²(τ) dτ over step i, by Gauss–Legendre with 24 nodes."""
    ts, schedule = times(grid)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    half = 0.5 * (ts[i] - ts[i + 1])
    tau = ts[i + 1] + half * (nodes + 1)
    values = grid.alpha[i + 1] / schedule.alpha(tau) * schedule.g2(tau)
    return float(half * (weights * values).sum())


@method(
    "Song et al. 2021, arXiv 2011.13456, Algorithms 2 to 5 and appendix F",
    lambda predictor, n_corrector, snr, corrector_first, denoise: Traits(
        order=None if n_corrector and snr else 1,
        stochastic=True,
        scale_invariant=predictor == "ancestral" and not (n_corrector and snr),
        exact_on_points=predictor == "ancestral" and not (n_corrector and snr) and not denoise,
        evaluations=1 + (n_corrector if snr else 0),
        biased=f"a Langevin corrector of fixed size leaves an excess variance of about {snr**2:.2g}"
        if n_corrector and snr
        else "",
    ),
)
def predictor_corrector(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    predictor: str = "reverse_diffusion",
    n_corrector: int = 1,
    snr: float = 0.16,
    corrector_first: bool = False,
    denoise: bool = True,
) -> Any:
    """A predictor step to each level, then n_corrector Langevin steps at it.

    Forward step z_t = a z_s + √G² ξ with a = α_t/α_s, G² = σ_t² − a² σ_s² (a = 1: VE;
    a = √(1−β), G² = β: VP). The Langevin step is ε = 2 a² (snr ‖ξ‖/‖s‖)², in which the norms
    are replaced by those of a score that points at a single image in many dimensions,
    ‖ξ‖/‖s‖ = σ: the published one depends on the sample, and no table could hold it.

    Args:
        predictor: "reverse_diffusion", z_s = (2 − a) z + G² s + G ξ, or "ancestral", DDPM's step
            with β̃ for any a (appendix F, which for VP keeps the variance β instead).
        corrector_first: correct at the level before stepping from it, as the released code does;
            the algorithms as printed correct at the level reached.
        denoise: leave out the noise of the last predictor step.
    """
    if predictor not in ("reverse_diffusion", "ancestral"):
        raise ValueError(f"predictor must be reverse_diffusion or ancestral, got {predictor!r}")
    steps = towards_data(grid)
    for i, (t, s) in enumerate(steps):
        a = t.alpha / s.alpha
        if corrector_first:
            z = _correct(model, z, grid, i, noise, n_corrector, snr)
        gap = (t.sigma - a * s.sigma) * (t.sigma + a * s.sigma)
        s_t = score(model(z, t))
        if predictor == "reverse_diffusion":
            z, std = (2 - a) * z + gap * s_t, sqrt(gap)
        else:
            z, std = 1 / a * (z + gap * s_t), posterior_std(t, s)
        if std and not (denoise and i == len(steps) - 1):
            z = z + std * noise()
        if not corrector_first:
            z = _correct(model, z, grid, i + 1, noise, n_corrector, snr)
    return z


def _correct(model: Model, z: Any, grid: Grid, i: int, noise: Noise, count: int, snr: float) -> Any:
    """Langevin steps at level i; a is that of the step down from it, 1 at the end of the grid."""
    level = grid[i]
    a = level.alpha / grid[i + 1].alpha if i < grid.n_steps else 1.0
    step = 2 * (a * snr * level.sigma) ** 2
    for _ in range(count if step else 0):
        z = z + step * score(model(z, level)) + sqrt(2 * step) * noise()
    return z


@method(
    "Song and Ermon 2019, arXiv 1907.05600, Algorithm 1",
    Traits(
        stochastic=True,
        exact_on_points=False,
        evaluations=None,
        biased="finitely many Langevin steps of fixed size at every level",
    ),
)
def annealed_langevin(
    model: Model, z: Any, grid: Grid, noise: Noise, *, step: float = 2e-5, n_steps: int = 100
) -> Any:
    """At every level σ_1 > … > σ_L: n_steps of x ← x + ½ α s + √α ξ with α = step σ_i²/σ_L².

    x = z/α and σ = σ/α, so that s is −ε̂/σ there.

    Raises:
        ValueError: the last level has σ = 0, from which the sizes are measured.
    """
    levels = list(grid)
    if not levels[-1].sigma:
        raise ValueError("annealed Langevin dynamics needs a last level with σ > 0")
    for i, level in enumerate(levels):
        size = step * (level.ratio / levels[-1].ratio) ** 2
        if i:
            z = level.alpha / levels[i - 1].alpha * z
        for _ in range(n_steps):
            push = -0.5 * size * level.alpha / level.ratio
            z = z + push * model(z, level).eps + level.alpha * sqrt(size) * noise()
    return z
