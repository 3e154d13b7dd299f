"""14. Denoising score matching has the gradient of explicit score matching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from analytic import GaussianMixture
from dfbench.levels import Array, Level
from dfbench.literature.parts import within
from dfbench.literature.points import mean, points
from dfbench.literature.statement import row, worst_of
from dfbench.losses import denoising_score_matching, explicit_score_matching
from dfbench.outcome import Finding
from dfbench.testing import Field, fields, levels, mixtures

DenoisingLoss = Callable[[Any, Any, Any], Any]  # (s, ε, σ) → a number per row


def broken(size: float) -> DenoisingLoss:
    """The noise level in the target is wrong."""
    return lambda score, eps, sigma: denoising_score_matching(score, eps, (1 + size) * sigma)


DERIVATION = "quadrature to 1e-11 of the integral of the size of the integrand"


@within(1e-9, "of the gradient's size", DERIVATION)
def gradients(
    loss: DenoisingLoss, target: GaussianMixture, level: Level, s: Field, along: Field
) -> float:
    """The derivatives of both losses at s along φ."""

    def terms(x: Array, eps: Array) -> Array:
        z = level.alpha * x + level.sigma * eps
        true, near = target.score(z, *level), z / max(1.0, level.sigma)
        value, step = s(near), along(near)
        denoising = loss(value + step, eps, level.sigma) - loss(value - step, eps, level.sigma)
        explicit = explicit_score_matching(value + step, true)
        explicit = explicit - explicit_score_matching(value - step, true)
        size = ((step**2).sum(-1), (value**2).sum(-1), (true**2).sum(-1))
        return np.stack([denoising - explicit, *size], -1)

    gap, of_step, of_value, of_true = mean(target, terms)
    size = np.sqrt(of_step * (of_value + of_true)) * max(1, 1 / level.sigma)
    return float(abs(gap) / (1e-6 + size))


@within(1e-9, "of the least loss's slope", DERIVATION)
def minimum(loss: DenoisingLoss, target: GaussianMixture, level: Level, along: Field) -> float:
    """J(s* + φ) − J(s* − φ) vanishes for every φ."""

    def terms(x: Array, eps: Array) -> Array:
        z = level.alpha * x + level.sigma * eps
        true, step = target.score(z, *level), along(z / max(1.0, level.sigma))
        slope = loss(true + step, eps, level.sigma) - loss(true - step, eps, level.sigma)
        return np.stack([slope, (step**2).sum(-1), (true**2).sum(-1)], -1)

    gap, of_step, of_true = mean(target, terms)
    return float(abs(gap) / (1e-6 + np.sqrt(of_step * of_true) * max(1, 1 / level.sigma)))


@row(
    "14",
    r"\nabla_\theta\tfrac12\mathbb E|s_\theta(z)+\epsilon/\sigma|^2"
    r"=\nabla_\theta\tfrac12\mathbb E|s_\theta(z)-\nabla\log p(z)|^2,\qquad "
    r"\operatorname{argmin}=\nabla\log p",
    title="Denoising score matching",
    source="VIN, SU",
    condition="σ > 0, and the score is that of the noised law",
    subject=lambda: denoising_score_matching,
    control=broken,
    control_size=5e-8,
)
def check(loss: DenoisingLoss) -> Finding:
    """Both losses are quadratic, so J(s + φ) − J(s − φ) is twice the derivative along φ.

    Mixtures on the line, points in the plane; any field, and the score itself, where it vanishes.
    """
    line: dict[str, Any] = {"target": mixtures(dim=1, smallest=0.3), "level": levels(-3, 3)}
    plane: dict[str, Any] = {"target": points(), "level": levels(-3, 1)}
    return worst_of(
        gradients.for_all(loss, examples=12, s=fields(), along=fields(), **line),
        gradients.for_all(loss, examples=4, s=fields(), along=fields(), **plane),
        minimum.for_all(loss, examples=8, along=fields(), **line),
        minimum.for_all(loss, examples=3, along=fields(), **plane),
    )
