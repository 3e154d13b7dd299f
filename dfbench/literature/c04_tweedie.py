"""4. The marginal score is a posterior mean; Tweedie's formulas for mean and covariance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from analytic import GaussianMixture
from dfbench.levels import Array, Level
from dfbench.literature.calculus import derivative
from dfbench.literature.parts import decided, within
from dfbench.literature.posterior import moments, states
from dfbench.literature.statement import row
from dfbench.outcome import Finding
from dfbench.predictions import convert
from dfbench.testing import levels, mixtures

FromScore = Callable[[Array, Array, Level], Array]  # (s, z, level) → E[x|z]


def tweedie(of_variance: float = 1.0) -> FromScore:
    """The conversion of a score to x̂, with σ² taken `of_variance` times."""

    def x_from_score(score: Array, z: Array, level: Level) -> Array:
        alpha, sigma = level.alpha, level.sigma * of_variance**0.5
        return np.asarray(convert(score, z, "score", "x", alpha, sigma))

    return x_from_score


def by_quadrature(formula: FromScore, target: GaussianMixture, level: Level) -> tuple[float, float]:
    """The score, and E[x|z] and Var[x|z] from it, against integrals over the posterior.

    s = ∂p/p with p(z) the integral, differentiated; the posterior mean of the conditional
    score −(z − αx)/σ² is the analytic layer's opponent. In units of 1/σ, σ/α and (σ/α)².
    """
    z, (alpha, sigma) = states(target, level)[:, 0], level
    h = 0.03 * float(np.sqrt(alpha**2 * target.spectra.min() + sigma**2))

    def density(shift: float) -> Array:
        return moments(target, level, z + shift)[0]

    def weighted(shift: float) -> Array:
        """p E[x|z + shift] with the mean by Tweedie: smooth where E[x|z] alone need not be."""
        score = target.score((z + shift)[:, None], alpha, sigma)[:, 0]
        return density(shift) * formula(score, z + shift, level)

    p, mean, variance = moments(target, level, z)
    p_slope = derivative(density, 0.0, h)
    score = target.score(z[:, None], alpha, sigma)[:, 0]
    gaps = [
        sigma * (score - p_slope / p),
        sigma * (score + (z - alpha * mean) / sigma**2),
        alpha / sigma * (formula(score, z, level) - mean),
    ]
    # Cov[x|z] = (σ²/α²)(1 + σ² ∂s) = (σ²/α) ∂E[x|z]
    slope = (derivative(weighted, 0.0, h) - formula(score, z, level) * p_slope) / p
    size = (alpha / sigma) ** 2 / (1 + sigma / h)
    second = size * np.abs(sigma**2 / alpha * slope - variance).max()
    scale = 1 + np.abs(z).max() / sigma
    return float(max(np.abs(g).max() for g in gaps) / scale), float(second / scale)


by_differences = within(
    1e-11,
    "of the noise",
    "differences of order 8, h = 0.03 of the length: error 1e-13, rounding ε/h · 10² for exponents "
    "up to 10²",
)


@by_differences
def first(formula: FromScore, target: GaussianMixture, level: Level) -> float:
    """The score and E[x|z]."""
    return by_quadrature(formula, target, level)[0]


@by_differences
def second(formula: FromScore, target: GaussianMixture, level: Level) -> float:
    """Var[x|z]."""
    return by_quadrature(formula, target, level)[1]


@within(
    1e-12,
    "of the noise",
    "rounding of the terms that cancel, ε (1 + |z|/σ)², and of exponents up to 10²",
)
def in_space(formula: FromScore, target: GaussianMixture, level: Level) -> float:
    """E[x|z] and Cov[x|z] = (σ²/α²)(I + σ² ∇² log p), each by its own formula, in any dimension."""
    z, (alpha, sigma) = states(target, level), level
    mean = formula(target.score(z, alpha, sigma), z, level)
    gap = np.abs(mean - target.posterior_mean(z, alpha, sigma)).max() * alpha / sigma
    inner = np.eye(target.dim) + sigma**2 * target.score_jacobian(z, alpha, sigma)
    cov = target.posterior_covariance(z, alpha, sigma) * (alpha / sigma) ** 2
    scale = 1 + np.abs(z).max() / sigma
    return float(max(gap / scale, np.abs(inner - cov).max() / scale**2))


@row(
    "4",
    r"s_t(z)=\mathbb E\Big[-\tfrac{z-\alpha_t x}{\sigma_t^2}\,\Big|\,z\Big],\quad "
    r"\mathbb E[x|z]=\frac{z+\sigma_t^2 s_t}{\alpha_t},\quad "
    r"\operatorname{Cov}[x|z]=\frac{\sigma_t^2}{\alpha_t^2}\big(I+\sigma_t^2\nabla^2\log p_t\big)",
    title="Tweedie",
    source="HE, SU",
    condition="α_t, σ_t > 0 and Gaussian noise; the control takes another variance of the noise",
    subject=tweedie,
    control=lambda size: tweedie(1 + size),
    control_size=1.5e-9,
)
def check(formula: FromScore) -> Finding:
    """By quadrature over the posterior in one dimension; the closed forms in up to three."""
    cases: dict[str, Any] = {"target": mixtures(dim=1), "level": levels(-6.0, 6.0)}
    parts = {
        "score and mean against differences, 1D": first.for_all(formula, examples=25, **cases),
        "covariance against differences, 1D": second.for_all(formula, examples=25, **cases),
        "all three against closed forms in space": in_space.for_all(
            formula, target=mixtures(), level=levels(-6.0, 6.0)
        ),
    }
    return decided(parts)
