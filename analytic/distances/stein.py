"""Kernel Stein discrepancy with the exact score of a Gaussian mixture."""

from __future__ import annotations

import numpy as np

from analytic import _checks
from analytic._checks import Array
from analytic.distances.pairs import PairDistance, squared_distances
from analytic.mixture import GaussianMixture


class KernelStein(PairDistance):
    """`sqrt(E u(x, x'))` with the Stein kernel u of the inverse multiquadric k:

        u = s(x).s(y) k + s(x).grad_y k + s(y).grad_x k + tr grad_x grad_y k,
        k = (c^2 + |x - y|^2)^(-1/2),

    s the score of the exact law, of which nothing else is needed. In data^(-3/2). It sees the
    shape of modes and hardly their weights: far apart, a missing mode leaves the score where
    samples are as it was. In thousands of dimensions all distances are nearly the same, and it sees
    shifts, hardly scales. Use it beside a distance that sees both.

    Args:
        mixture: the exact law.
        length: c, in the unit of the data; by default the root of the trace of the covariance
            over d, so that data of unit variance have Gorham and Mackey's c = 1.
        block: samples of which all pairs are taken.

    Raises:
        ValueError: a covariance is singular, and the law has no score; or c is not positive.

    Source: Gorham and Mackey, Measuring sample quality with kernels (ICML 2017), section 3.
    """

    unit = "data^(-3/2)"

    def __init__(
        self, mixture: GaussianMixture, length: float | None = None, block: int | None = None
    ) -> None:
        super().__init__(mixture, block)
        if mixture.singular:
            raise ValueError(
                "the kernel Stein discrepancy needs a score, and a singular covariance has none: "
                "compare at a noise level, with mixture.diffused"
            )
        spread = mixture.weights @ ((mixture.means - mixture.mean) ** 2).sum(1)
        total = float(spread + mixture.weights @ mixture.spectra.sum(1))
        self.length = _checks.number(
            "length", np.sqrt(total / mixture.dim) if length is None else length
        )
        if self.length <= 0:
            raise ValueError(f"length must be positive, got {self.length}")

    def pairs(self, x: Array) -> Array:
        d, s = self.mixture.dim, self.mixture.score(x)
        y = x - self.mixture.mean
        square = squared_distances(y)
        base = 1 / (self.length**2 + square)
        k = np.sqrt(base)
        own, across = (s * y).sum(1), s @ y.T
        # grad_x k = -(x - y) k/base: s(x).grad_y k + s(y).grad_x k = (s(x) - s(y)).(x - y) k/base
        along = own[:, None] + own - across - across.T
        h = s @ s.T
        h += base * (along + d - 3 * base * square)
        h *= k
        return h
