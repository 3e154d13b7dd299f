"""Row 25 in the plane, where one round of reflow is not yet optimal transport: by quadrature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analytic import GaussianMixture
from analytic.information import expectation, mmse
from dfbench.grids import quadratic
from dfbench.levels import Array
from dfbench.schedules import FlowMatching

NoiseToData = Callable[[GaussianMixture, Array], Array]  # noise (n, d) → data (n, d)

LAWS = {
    "two modes": GaussianMixture.isotropic([0.4, 0.6], [[-1.2, 0.3], [0.9, 0.8]], [0.3, 0.5]),
    "three modes": GaussianMixture.isotropic(
        [0.3, 0.3, 0.4], [[-1.0, -0.6], [1.1, -0.4], [0.2, 1.2]], [0.4, 0.3, 0.5]
    ),
}
_LINE = np.arange(-6.0, 6.01, 0.2)
Z = np.stack(np.meshgrid(_LINE, _LINE, indexing="ij"), -1).reshape(-1, 2)
MASS = np.exp(-(Z**2).sum(1) / 2)
MASS /= MASS.sum()
WAVES = np.array([[0.7, 0.0], [0.4, 0.6], [-0.5, 0.9], [0.2, -1.3]])
COSTS: dict[str, Callable[[Array], Array]] = {
    "|d|²": lambda d: (d**2).sum(-1),
    "|d|⁴": lambda d: (d**2).sum(-1) ** 2,
    "√(1 + |d|²)": lambda d: np.sqrt(1 + (d**2).sum(-1)),
    "cosh d₁ + ½ cosh d₂": lambda d: np.cosh(d[..., 0]) + 0.5 * np.cosh(d[..., 1]),
    "e^(d₁ − d₂/2)": lambda d: np.exp(d[..., 0] - 0.5 * d[..., 1]),
    "log Σ e^dᵢ": lambda d: np.logaddexp(d[..., 0], d[..., 1]),
}


def marginal(target: GaussianMixture, data: Array) -> float:
    """E e^{iω·T(z)} against the characteristic function of the data, the largest over ω."""
    square = (WAVES**2).sum(1)[:, None] * target.spectra[:, 0]
    truth = np.exp(1j * WAVES @ target.means.T - square / 2) @ target.weights
    return float(np.abs(MASS @ np.exp(1j * data @ WAVES.T) - truth).max())


def dearer(target: GaussianMixture, data: Array) -> float:
    """Largest relative rise of a convex cost; x − ε of independent pairs is again a mixture."""

    def costs(d: Array) -> Array:
        return np.stack([cost(d) for cost in COSTS.values()], axis=-1)

    before = expectation(target.diffused(1.0, 1.0), costs)
    return float(np.max(MASS @ costs(Z - data) / before - 1))


def balance(target: GaussianMixture, data: Array, steps: int = 16) -> float:
    """Transport cost before − after − variance of the target − bend of the path, of the cost.

    Along RK4 of the oracle's velocity, the integrals over t by Simpson's rule in √t.
    """
    grid = quadratic(FlowMatching(), steps)
    assert grid.t is not None
    t, chord, z = np.asarray(grid.t), Z - data, Z
    s = np.sqrt(t)
    bend, variance = [], []

    def velocity(z: Array, at: float) -> Array:
        return np.asarray(target.velocity(z, 1 - at, at, -1.0, 1.0))

    for i, at in enumerate(t):
        bend.append(float(MASS @ ((velocity(z, at) - chord) ** 2).sum(1)))
        left = mmse(target, 2 * np.log((1 - at) / at)) / at**2 if 0 < at < 1 else None
        variance.append(_ends(target, at) if left is None else float(left))
        if i < steps:
            h = t[i + 1] - at
            k1 = velocity(z, at)
            k2 = velocity(z + h / 2 * k1, at + h / 2)
            k3 = velocity(z + h / 2 * k2, at + h / 2)
            z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + velocity(z + h * k3, t[i + 1]))
    width = np.abs(np.diff(s))[0]
    simpson = np.ones(steps + 1)
    simpson[1:-1:2], simpson[2:-1:2] = 4, 2
    gained = (width / 3 * simpson * 2 * s) @ (np.array(bend) + variance)
    before = float(np.trace(target.covariance) + target.mean @ target.mean + target.dim)
    after = float(MASS @ (chord**2).sum(1))
    return float(abs(before - after - gained) / before)


def _ends(target: GaussianMixture, t: float) -> float:
    """E Var[ε − x | z]: that of x at pure noise, that of ε at the data."""
    return float(np.trace(target.covariance)) if t == 1 else float(target.dim)


def asymmetry(run: NoiseToData, target: GaussianMixture, h: float = 1e-3) -> float:
    """Largest |∂₁T₂ − ∂₂T₁| where noise is: zero for optimal transport, a gradient (Brenier)."""
    z = Z[(Z**2).sum(1) < 4]
    along = [(run(target, z + h * e) - run(target, z - h * e)) / (2 * h) for e in np.eye(2)]
    return float(np.abs(along[0][:, 1] - along[1][:, 0]).max())


def measured(run: NoiseToData) -> dict[str, dict[str, float]]:
    """What each of the laws gives, by what is measured."""
    found: dict[str, dict[str, float]] = {
        "marginal": {},
        "dearer": {},
        "balance": {},
        "asymmetry": {},
    }
    for name, target in LAWS.items():
        data = run(target, Z)
        found["marginal"][name] = marginal(target, data)
        found["dearer"][name] = dearer(target, data)
        if name == "two modes":
            found["balance"][name] = balance(target, data)
            found["asymmetry"][name] = asymmetry(run, target)
    return found
