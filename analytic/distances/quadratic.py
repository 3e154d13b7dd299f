"""Squared distances to a Gaussian mixture: the Laplace transform and the mean root of |x - Y|^2.

For Y ~ N(mu, V diag(s) V') and y = V'(x - mu), Q = |x - Y|^2 is a sum of squares of independent
normals with means y_i and variances s_i, so that

    E exp(-t Q) = prod_i (1 + 2 t s_i)^(-1/2) exp(-t y_i^2/(1 + 2 t s_i)),

which is the mean of the Gaussian kernel of variance 1/(2t); and the mean distance is the integral

    E sqrt(Q) = 1/(2 sqrt pi) int_0^inf (1 - E exp(-t Q)) t^(-3/2) dt,

taken by the trapezoidal rule in log t. Its error falls like exp(-pi^2/h), the strip of
analyticity being |Im log t| < pi/2, and the two tails are geometric series. Variances may be zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analytic._checks import Array
from analytic.mixture import GaussianMixture

_STEP = 0.35  # exp(-pi^2/h) is 6e-13
_ROWS = 1 << 19  # numbers in a temporary


@dataclass(frozen=True)
class Quadratic:
    """Q = |x - Y|^2 for one Gaussian Y and n points: squares y^2 (n, m), spectrum s (m,).

    `times` is the number of directions that a column stands for: d where Y is isotropic, when
    m = 1 and the squares are |y|^2.
    """

    squares: Array
    spectrum: Array
    times: int

    def exponent(self, t: Array) -> Array:
        """`-log E exp(-t Q)` for t (T,), shape (n, T)."""
        spread = 1 + 2 * t * self.spectrum[:, None]
        log_spread: Array = np.log1p(2 * t * self.spectrum[:, None]).sum(0)
        return self.squares @ (t / spread) + 0.5 * self.times * log_spread

    def mean_root(self) -> Array:
        """`E sqrt(Q)`, (n,)."""
        far = self.squares.sum(1)
        largest = self.spectrum.max()
        if largest == 0:
            return np.asarray(np.sqrt(far))
        if self.times * len(self.spectrum) == 1:
            return _folded(np.sqrt(far), float(np.sqrt(largest)))
        mean = far + self.times * self.spectrum.sum()
        first, last = np.log(1e-7 / mean.max()), np.log(1e10 / largest)
        v = first + _STEP * np.arange(int(np.ceil((last - first) / _STEP)) + 1)
        root = np.exp(-0.5 * v)
        total = np.empty(len(far))
        step = max(1, _ROWS // len(v))
        for start in range(0, len(far), step):
            rows = slice(start, start + step)
            part = Quadratic(self.squares[rows], self.spectrum, self.times)
            total[rows] = -np.expm1(-part.exponent(np.exp(v))) @ root
        # Left of the nodes 1 - E exp(-tQ) is t E Q, right of them it is 1.
        series = 1 / np.expm1(0.5 * _STEP)
        total += series * (mean / root[0] + root[-1])
        return np.asarray(_STEP / (2 * np.sqrt(np.pi)) * total)


def _folded(far: Array, scale: float) -> Array:
    """E|N(far, scale^2)|."""
    from scipy.special import ndtr

    u = far / scale
    bell = np.exp(-0.5 * u**2) / np.sqrt(2 * np.pi)
    return np.asarray(2 * scale * bell + far * (1 - 2 * ndtr(-u)))


def apart(mixture: GaussianMixture, x: Array) -> Iterator[tuple[float, Quadratic]]:
    """|x - Y|^2 of points x (n, d) for every component of Y, with its weight."""
    c = mixture._components
    for k in np.flatnonzero(c.weights):
        y = x - c.means[k]
        if c.bases is not None:
            y = y @ c.bases[k]
        yield float(c.weights[k]), _quadratic(y, c.spectra[k], mixture.dim)


def self_apart(mixture: GaussianMixture) -> Iterator[tuple[Array, Quadratic]]:
    """|Y - Y'|^2 of two independent draws, a few pairs of components at a time: weights (n,).

    Between components of different bases the sum of their covariances is diagonalised, d^3
    operations a pair; elsewhere a pair costs d.
    """
    c = mixture._components
    some = np.flatnonzero(c.weights)
    weights, means = c.weights[some], c.means[some]
    spectra = c.spectra[some]
    bases = None if c.bases is None else c.bases[some]
    if bases is not None and all(np.array_equal(bases[0], basis) for basis in bases):
        means, bases = means @ bases[0], None
    alike = bases is None and (spectra == spectra[0]).all()
    for j in range(len(some)):
        both = np.where(np.arange(j, len(some)) == j, 1.0, 2.0) * weights[j] * weights[j:]
        if alike:
            yield both, _quadratic(means[j:] - means[j], 2 * spectra[0], mixture.dim)
            continue
        for k, weight in enumerate(both, start=j):
            y, s = means[k] - means[j], spectra[j] + spectra[k]
            if bases is not None:
                total = sum((bases[i] * spectra[i]) @ bases[i].T for i in (j, k))
                s, basis = np.linalg.eigh(total)
                s, y = np.maximum(s, 0.0), y @ basis
            yield np.array([weight]), _quadratic(y[None], s, mixture.dim)


def _quadratic(y: Array, spectrum: Array, dim: int) -> Quadratic:
    if len(spectrum) == dim:
        return Quadratic(y**2, spectrum, 1)
    return Quadratic((y**2).sum(1, keepdims=True), spectrum, dim)
