"""Gradients of expected losses in the parameters of a network, by quadrature and on draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from analytic import GaussianMixture
from dfbench.levels import Array, Level
from dfbench.losses import conditional_target, marginal_target

if TYPE_CHECKING:
    import torch

    from dfbench.literature.trained import Trainable

NODES = 96  # an axis, over ±8 standard deviations of noise


def gradient(network: Trainable, loss: torch.Tensor, *, keep: bool = False) -> Array:
    """∇θ of a scalar, flat; zero for parameters that the loss does not reach.

    Args:
        keep: the graph, for another loss on the same outputs.
    """
    import torch

    theta = [p for p in network.module.parameters() if p.requires_grad]
    found = torch.autograd.grad(loss, theta, allow_unused=True, retain_graph=keep)
    parts = [torch.zeros_like(p) if g is None else g for g, p in zip(found, theta, strict=True)]
    return np.asarray(torch.cat([g.reshape(-1) for g in parts]).double().numpy())


def relative(one: Array, other: Array, size: Array | None = None) -> float:
    """|one − other| / |size|, by default of the other."""
    return float(np.linalg.norm(one - other) / np.linalg.norm(other if size is None else size))


def plane(law: GaussianMixture, nodes: int = 128) -> tuple[Array, Array]:
    """Points (m, 2) and masses of the trapezoidal rule for E f(z), z from a law in the plane."""
    reach = 8 * np.sqrt(law.spectra.max())
    low, high = law.means.min(0) - reach, law.means.max(0) + reach
    axes = [np.linspace(a, b, nodes) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    cell = np.prod([axis[1] - axis[0] for axis in axes])
    mass = cell * np.exp(law.log_density(points))
    kept = mass > 1e-20
    return points[kept], mass[kept]


def conditional_and_marginal(
    network: Trainable, points: Array, kind: str, level: Level, asked: Callable[..., Any]
) -> tuple[Array, Array]:
    """∇θ E|m̂ − m(x, ε)|² and ∇θ E|m̂ − E[m|z]|² when the data are K points in the plane.

    Over ε by the trapezoidal rule, over x by summing: both gradients are exact to rounding as long
    as the network is smooth on the scale of a node, σ/6.

    Args:
        asked: (kind, x, ε, level) → what the network is asked for; `conditional_target` is right.
    """
    import torch

    u = np.linspace(-8.0, 8.0, NODES + 1)
    bell = np.exp(-(u**2) / 2)
    eps = np.stack(np.meshgrid(u, u, indexing="ij"), -1).reshape(-1, 2)
    mass = np.outer(bell, bell).reshape(-1)
    kept = mass > 1e-16
    eps, mass = eps[kept], mass[kept] / mass.sum() / len(points)
    law = GaussianMixture.points(points)
    ask = network.as_prediction(kind)
    losses: list[Any] = [0.0, 0.0]
    for x in points:
        z = level.alpha * x + level.sigma * eps
        m = ask(torch.as_tensor(z), level)
        targets = (asked(kind, x, eps, level), marginal_target(law, kind, z, level))
        for i, target in enumerate(targets):
            square = ((m - torch.as_tensor(target)) ** 2).sum(-1)
            losses[i] = losses[i] + (torch.as_tensor(mass) * square).sum()
    return gradient(network, losses[0], keep=True), gradient(network, losses[1])


def biased_target(size: float) -> Callable[..., Any]:
    """What the network is asked for, of a noise too large by a part."""
    return lambda kind, x, eps, level: conditional_target(kind, x, (1 + size) * eps, level)
