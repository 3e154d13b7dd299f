"""How fast a one-dimensional Langevin chain mixes: by quadrature, and across a barrier (row 40)."""

from __future__ import annotations

from typing import Any

import numpy as np

from analytic import GaussianMixture
from dfbench.levels import Array, Grid, Level
from dfbench.samplers.method import Method, Output

SIGMA = 0.1  # the noise of the level at which Langevin runs; its law has v = s + σ²


def spectral_gap(chain: Method, target: GaussianMixture, eps: float) -> float:
    """1 − |second eigenvalue| of the matrix of transitions between the nodes of a uniform grid.

    Nodes are half the noise deviation apart, where the trapezoidal rule is exact to
    round-off for the analytic kernel.
    """
    reach = float(np.abs(target.means).max()) + 10.0
    x = np.linspace(-reach, reach, int(4 * reach / np.sqrt(2 * eps)) + 1)
    states: list[Array] = []

    def model(z: Any, level: Level) -> Output:
        states.append(np.array(z))
        return Output(target.posterior_eps(z[:, None], *level)[:, 0], z, level, "eps")

    for draw in (0.0, 1.0):
        grid = Grid.from_ratios([SIGMA, SIGMA])
        chain(model, x, grid, lambda *_, d=draw: d, step=2 * eps, n_steps=1)
    mean, std = states[1], states[3] - states[1]  # the second state of a run is one step on
    kernel = np.exp(-0.5 * ((x - mean[:, None]) / std[:, None]) ** 2)
    kernel /= std[:, None] * np.sqrt(2 * np.pi) / (x[1] - x[0])
    values = np.sort(np.abs(np.linalg.eigvals(kernel)))
    return float(values[-1] - values[-2])


def barrier_rate(half: float, eps: float) -> float:
    """Relaxation a step across the barrier: ε E[h'²]/Var h with h' = 1/p between the modes.

    The Rayleigh quotient of the committor, an upper bound on the rate of dx = s dt + √2 dw and
    its limit for a high barrier: about 4 ε / ∫ dx/p, which is ∝ e^{−ΔV}.
    """
    target = two_modes(half)
    x = np.linspace(-half - 8, half + 8, 4001)
    p = np.exp(target.log_density(x[:, None], 1.0, SIGMA))
    slope = np.where(np.abs(x) <= half, 1 / p, 0.0)
    h = (np.cumsum(slope) - 0.5 * slope) * (x[1] - x[0])
    h -= (p @ h) / p.sum()
    return float(eps * (p @ slope**2) / (p @ h**2))


def two_modes(half: float) -> GaussianMixture:
    """½ N(−m, 1) + ½ N(m, 1) at the noise of the level."""
    return GaussianMixture.isotropic([0.5, 0.5], [[-half], [half]], 1 - SIGMA**2)
