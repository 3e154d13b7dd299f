"""Energy distance to a Gaussian mixture."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analytic._checks import Array
from analytic.distances.pairs import PairDistance, squared_distances
from analytic.distances.quadratic import apart, self_apart
from analytic.mixture import GaussianMixture


class EnergyDistance(PairDistance):
    """`sqrt(2 E|x - Y| - E|x - x'| - E|Y - Y'|)`, in the root of the data's unit.

    The two means over the exact law are exact to 1e-10: closed in one dimension and for point
    masses, elsewhere an integral over one variable (`quadratic`). No bandwidth to choose; errors
    at every scale count, the larger the more.

    Args:
        mixture: the exact law.
        block: samples of which all pairs are taken.

    Source: Szekely and Rizzo, Energy statistics (J. Stat. Plan. Inference 143, 2013), eq. 1.
    """

    unit = "data^(1/2)"

    def __init__(self, mixture: GaussianMixture, block: int | None = None) -> None:
        super().__init__(mixture, block)
        self.constant = float(sum(weights @ q.mean_root() for weights, q in self_apart(mixture)))

    def mean_distance(self, x: ArrayLike) -> Array:
        """`E|x - Y|`, shape (m,) for x (m, d)."""
        points = self.samples(x)
        total = np.zeros(len(points))
        for weight, q in apart(self.mixture, points) if len(points) else ():
            total += weight * q.mean_root()
        return total

    def pairs(self, x: Array) -> Array:
        h = squared_distances(x - self.mixture.mean)
        np.sqrt(h, out=h)
        np.negative(h, out=h)
        mean = self.mean_distance(x)
        h += mean[:, None]
        h += mean
        h -= self.constant
        return h
