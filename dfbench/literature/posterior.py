"""The law of x given z in one dimension by quadrature, from the definition of the path alone."""

from __future__ import annotations

import numpy as np

from analytic import GaussianMixture
from dfbench.levels import Array, Level


def joint(target: GaussianMixture, level: Level, z: Array) -> tuple[Array, Array]:
    """Nodes x (n, m) and weights p(x) N(z; αx, σ²) dx (n, m) for points z (n,).

    The trapezoid rule, per component of p over ±9 standard deviations around where its product
    with the likelihood peaks. For a Gaussian and steps of at most half its width the error of
    the rule is below e^(−70), what is cut off below e^(−40).
    """
    alpha, sigma = level
    nodes, values = [], []
    for w, m, v in zip(target.weights, target.means[:, 0], target.spectra[:, 0], strict=True):
        likely = (sigma / alpha) ** 2
        peak = (m * likely + v * z / alpha) / (v + likely)
        width = np.sqrt(min(v, likely))
        step = 0.35 * width
        x = np.add.outer(peak, np.arange(-9 * width, 9 * width + step, step))
        p = w * np.exp(-0.5 * (x - m) ** 2 / v) / np.sqrt(2 * np.pi * v)
        seen = np.exp(-0.5 * ((z[:, None] - alpha * x) / sigma) ** 2) / (np.sqrt(2 * np.pi) * sigma)
        nodes.append(x)
        values.append(p * seen * step)
    return np.concatenate(nodes, axis=1), np.concatenate(values, axis=1)


def moments(target: GaussianMixture, level: Level, z: Array) -> tuple[Array, Array, Array]:
    """p(z), E[x|z] and Var[x|z], each (n,), for points z (n,)."""
    x, weight = joint(target, level, z)
    p = weight.sum(axis=1)
    mean = (weight * x).sum(axis=1) / p
    return p, mean, (weight * (x - mean[:, None]) ** 2).sum(axis=1) / p


def states(target: GaussianMixture, level: Level) -> Array:
    """One state per component and offset, within two standard deviations of it."""
    spread = np.sqrt(level.alpha**2 * target.spectra + level.sigma**2)[:, None]
    offsets = np.linspace(-2, 2, 4)[:, None] * np.linspace(1, 0.5, target.dim)
    near = level.alpha * target.means[:, None] + spread * offsets
    return np.asarray(near.reshape(-1, target.dim))
