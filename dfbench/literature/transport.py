"""Residuals of the equations that move a density, by differences of order eight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dfbench.levels import Array
from dfbench.literature.calculus import derivative, divergence, laplacian

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
