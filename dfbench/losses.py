"""Losses: the integrands, and their exact expectations under a mixture with its exact posterior.

The integrands take states (n, d) of NumPy or torch and return a number per row. The expectations
use that a loss is what the exact network would be left with plus what the model adds to it,

    E|m̂(z) − m|² = E|m̂(z) − E[m|z]|² + E tr Cov[m|z],

so that only z is integrated over: in one or two dimensions, by quadrature.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from analytic import GaussianMixture
from analytic.information import expectation, mmse
from dfbench.errors import expect, short
from dfbench.levels import Array, Level, Network
from dfbench.predictions import affine, weights
from dfbench.reals import finite, number
from dfbench.schedules import Schedule


def _summed(rows: Any) -> Any:
    """The sum over the last axis."""
    if not hasattr(rows, "sum"):
        raise TypeError(f"predictions and targets must be arrays (n, d), got {short(rows)}")
    return rows.sum(-1)


def squared_error(prediction: Any, target: Any) -> Any:
    """|prediction − target|², per row. (HO, eq. 14; LIP, eq. 5 and 9)"""
    return _summed((prediction - target) ** 2)


def explicit_score_matching(score: Any, true: Any) -> Any:
    """½|s(z) − ∇ log p(z)|², per row. (HYV, eq. 2)"""
    return squared_error(score, true) / 2


def implicit_score_matching(score: Any, divergence: Any) -> Any:
    """tr ∇s(z) + ½|s(z)|², per row. (HYV, eq. 4)"""
    return divergence + _summed(score**2) / 2


def signs(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Directions v of Hutchinson's estimate tr A = E vᵀ A v: entries ±1, so that E v vᵀ = I.

    Its variance, 2 Σ_{i≠j} S_ij² with S = (A + Aᵀ)/2, is the least that independent entries give.
    (Hutchinson 1989)
    """
    expect("rng", rng, np.random.Generator)
    return rng.choice([-1.0, 1.0], size=shape)


def denoising_score_matching(score: Any, eps: Any, sigma: Any) -> Any:
    """½|s(z) + ε/σ|² for z = α x + σ ε, per row. (VIN, eq. 9)"""
    return squared_error(score, -eps / sigma) / 2


def conditional_target(
    prediction: str, x: Any, eps: Any, level: Level, rates: tuple[float, float] | None = None
) -> Any:
    """What the network is asked for given x and ε: p x + q ε. (`predictions.weights`)"""
    p, q = weights(prediction, *level, rates=rates)
    return p * x + q * eps


def marginal_target(
    target: GaussianMixture,
    prediction: str,
    z: Array,
    level: Level,
    rates: tuple[float, float] | None = None,
) -> Array:
    """What the exact network returns: p E[x|z] + q E[ε|z]."""
    expect("target", target, GaussianMixture)
    expect("level", level, Level)
    p, q = weights(prediction, *level, rates=rates)
    exact: Array = p * target.posterior_mean(z, *level) + q * target.posterior_eps(z, *level)
    return exact


def _function(name: str, given: object) -> None:
    if not callable(given):
        raise TypeError(f"{name} must be a function, got {short(given)}")


def _nodes(name: str, given: tuple[Array, Array]) -> list[tuple[float, float]]:
    """Nodes and weights of an integral, pair by pair."""
    pair = finite(name, given)
    if pair.ndim != 2 or len(pair) != 2 or not pair.size:
        raise ValueError(f"{name} must be nodes and weights, shape (2, n), got {pair.shape}")
    return [(float(node), float(weight)) for node, weight in pair.T]


def expected_loss(
    model: Network,
    target: GaussianMixture,
    prediction: str,
    level: Level,
    rates: tuple[float, float] | None = None,
) -> float:
    """E|m̂ − m|² at one level with α, σ > 0; `model(z, level)` returns `prediction`."""

    expect("target", target, GaussianMixture)
    _function("model", model)

    def excess(z: Array) -> Array:
        exact = marginal_target(target, prediction, z, level, rates)
        # the second is the size against which an exact model's error is all rounding
        return np.stack([squared_error(model(z, level), exact), (exact**2).sum(-1)], axis=-1)

    # at given z, m = c_z z + c_m x
    _, c_m = affine("x", prediction, *level, rates=rates)
    left = float(c_m) ** 2 * float(mmse(target, level.log_snr))
    return float(expectation(target.diffused(*level), excess)[0]) + left


def training_loss(
    model: Network,
    target: GaussianMixture,
    prediction: str,
    schedule: Schedule,
    times: tuple[Array, Array],
    factor: Callable[[Array], Array] | None = None,
) -> float:
    """∫ factor(λ_t) E|m̂ − m|² dt as training estimates it, on nodes and weights `times` of t."""
    expect("schedule", schedule, Schedule)
    if factor is not None:
        _function("factor", factor)
    total = 0.0
    for t, weight in _nodes("times", times):
        level = schedule.level(float(t))
        rates = schedule.rates(float(t)) if prediction == "velocity" else None
        base = 1.0 if factor is None else number("the factor", factor(np.asarray(level.log_snr)))
        total += float(weight) * base * expected_loss(model, target, prediction, level, rates)
    return total


def weighted_loss(
    model: Network,
    target: GaussianMixture,
    weight: Callable[[Array], Array],
    nodes: tuple[Array, Array],
) -> float:
    """∫ w(λ) E|ε̂ − ε|² dλ for a model of ε, on nodes and weights of λ (variance preserving)."""
    _function("weight", weight)
    pairs = np.array(_nodes("nodes", nodes))
    lam, panel = pairs[:, 0], pairs[:, 1]
    errors = []
    for value in lam:
        ratio = float(np.exp(-abs(value) / 2))
        large, small = 1 / np.hypot(1, ratio), ratio / np.hypot(1, ratio)
        level = Level(large, small) if value >= 0 else Level(small, large)
        errors.append(expected_loss(model, target, "eps", level))
    return float(panel @ (finite("the weight", weight(lam)) * np.array(errors)))
