"""Log-likelihoods of a network, through its probability-flow ODE (SDE; CLAIMS 44).

On the unit circle, α = cos φ and σ = sin φ, the flow is dz/dφ = v̂(z, φ) with the v-prediction, and

    log p(z_a) = log p(z_b) + ∫_a^b div v̂ dφ,

integrated by RK4 in steps of equal λ. The divergence is the trace of v̂'s Jacobian: exact, a
backward pass for each dimension, or Hutchinson's estimate with the same signs all the way.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np

from dfbench import losses
from dfbench.levels import Array, Level
from dfbench.predictions import affine
from dfbench.schedules import at_log_snr
from dfbench.training.measure.network import PredictingNetwork


class Likelihoods(NamedTuple):
    """log p̂ of n points in nats and the ends of their paths, (n,) and (n, d)."""

    log_density: Array
    ends: Array


def log_likelihood(
    network: PredictingNetwork,
    z: Array,
    *,
    start: float = 10.0,
    stop: float = -10.0,
    steps: int = 100,
    divergence: Literal["exact", "hutchinson"] = "exact",
    rng: np.random.Generator | None = None,
    prior: Callable[[Array], Array] | None = None,
    of_divergence: float = 1.0,
) -> Likelihoods:
    """Log-density that the network gives to states z (n, d) of the level λ = start.

    Args:
        network: takes torch tensors, with gradients.
        start, stop: log-SNRs of the states and of the noise, variance preserving.
        steps: of RK4, four evaluations each.
        divergence: "exact", or "hutchinson" with one vector of signs a point from `rng`.
        prior: log-density at `stop`, N(0, I) where None.
        of_divergence: factor on the divergence; anything but 1 is wrong on purpose.
    """
    import torch

    if (divergence == "hutchinson") and rng is None:
        raise ValueError("Hutchinson's estimate needs rng")
    state = torch.as_tensor(np.array(z), dtype=torch.float64)
    signs = None
    if rng is not None and divergence == "hutchinson":
        signs = torch.as_tensor(losses.signs(z.shape, rng))
    total = torch.zeros(len(z), dtype=torch.float64)
    lam = np.linspace(start, stop, steps + 1)
    for a, b in pairwise(lam):
        state, gained = _rk4(network, state, float(a), float(b), signs)
        total = total + gained
    ends = state.numpy()
    base = prior(ends) if prior else -0.5 * ((ends**2).sum(1) + z.shape[1] * np.log(2 * np.pi))
    return Likelihoods(base + of_divergence * total.numpy(), ends)


def _rk4(network: PredictingNetwork, z: Any, a: float, b: float, signs: Any) -> tuple[Any, Any]:
    """One step from λ = a to b: the state, and the integral of the divergence."""
    h, mid = b - a, (a + b) / 2
    k1, d1 = _rate(network, z, a, signs)
    k2, d2 = _rate(network, z + h / 2 * k1, mid, signs)
    k3, d3 = _rate(network, z + h / 2 * k2, mid, signs)
    k4, d4 = _rate(network, z + h * k3, b, signs)
    return z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), h / 6 * (d1 + 2 * d2 + 2 * d3 + d4)


def _rate(network: PredictingNetwork, z: Any, lam: float, signs: Any) -> tuple[Any, Any]:
    """dz/dλ = −½ α σ v̂ and its divergence."""
    import torch

    level = Level(*at_log_snr(lam))
    c_z, c_m = affine(network.prediction, "v", *level)
    speed = -0.5 * level.alpha * level.sigma
    with torch.enable_grad():
        at = z.detach().requires_grad_()
        m = network(at, level)
        if signs is not None:
            (row,) = torch.autograd.grad(m, at, signs.to(m.dtype))
            trace = (row * signs).sum(1)
        else:
            trace = 0.0
            for i in range(z.shape[1]):
                (row,) = torch.autograd.grad(m[:, i].sum(), at, retain_graph=i + 1 < z.shape[1])
                trace = trace + row[:, i]
    rate = speed * (c_z * z + c_m * m.detach().to(z.dtype))
    return rate, speed * (c_z * z.shape[1] + c_m * trace.detach().to(z.dtype))
