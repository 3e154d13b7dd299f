"""Residuals of the equations that move a density, by differences of order eight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analytic import GaussianMixture
from dfbench.levels import Array
from dfbench.literature.calculus import derivative, divergence, laplacian
from dfbench.schedules import Schedule

VectorField = Callable[[Array], Array]  # (n, d) → (n, d)

DERIVATION = (
    "differences of order 8, h = 0.03 of the smallest length: error h⁸ He₁₀(0)/3150 = 2e-13 of a "
    "Gaussian's own size; rounding 5 ε/h² = 1e-12, times up to 10² for exponents of that size"
)
BOUND = 1e-10


@dataclass(frozen=True)
class Motion:
    """A density that moves: p(t, z), at one time t and points z (n, d).

    Attributes:
        density: (t, z) → p, shape (n,).
        t, z: where it is looked at.
        length, time: the smallest length on which p varies, and the shortest time.
    """

    density: Callable[[float, Array], Array]
    t: float
    z: Array
    length: float
    time: float

    @property
    def change(self) -> Array:
        """∂_t p."""
        h = 0.03 * self.time
        return np.asarray(derivative(lambda s: self.density(s, self.z), self.t, h))

    def outflow(self, field: VectorField) -> Array:
        """div(p u)."""

        def flux(z: Array) -> Array:
            return self.density(self.t, z)[:, None] * field(z)

        return divergence(flux, self.z, 0.03 * self.length)

    @property
    def curvature(self) -> Array:
        """Δp."""
        return laplacian(lambda z: self.density(self.t, z), self.z, 0.03 * self.length)

    def residual(self, field: VectorField, diffusion: float = 0.0) -> float:
        """Largest |∂_t p + div(p u) − ½ g² Δp| over z, in units of the largest single term.

        Where the law stands still every term is round-off: the unit is at least p over `time`.
        """
        terms = [self.change, self.outflow(field)]
        if diffusion:
            terms.append(-0.5 * diffusion * self.curvature)
        size = self.density(self.t, self.z) / self.time
        largest = max(float(np.abs(term).max()) for term in [size, *terms])
        return float(np.abs(sum(terms)).max()) / largest


def diffusing(target: GaussianMixture, schedule: Schedule, t: float) -> Motion:
    """p_t of z = α_t x + σ_t ε, from the schedule's levels alone: its rates are on trial."""

    def density(s: float, z: Array) -> Array:
        return np.exp(target.log_density(z, *schedule.level(s)))

    level, rates = schedule.level(t), schedule.rates(t)
    smallest = float(target.spectra.min()) ** 0.5
    length = float(np.hypot(level.alpha * smallest, level.sigma))
    reach = 3 + float(np.abs(target.means).max())
    pace = (abs(rates[0]) * reach + 3 * abs(rates[1])) / length
    # Where a schedule's own functions vary: √t near data, 1/(1 − t) near noise.
    time = min(1 / pace, t, 1 - t, 1 / 10)
    offsets = np.linspace(-2, 2, 5)
    steps = np.outer(offsets, np.arange(1, target.dim + 1) / target.dim) * np.sqrt(2)
    centres = [
        level.alpha * mean + steps * np.sqrt(level.alpha**2 * v + level.sigma**2)
        for mean, v in zip(target.means, target.spectra, strict=True)
    ]
    return Motion(density, t, np.concatenate(centres), length, time)
