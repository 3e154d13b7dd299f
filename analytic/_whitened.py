"""Components of any covariance at one level, by two matrix products a component and block.

With V, s the eigenvectors and eigenvalues of a component, `v = alpha^2 s + sigma^2` and
`D = z - alpha mu`, the logarithm is that of `|W D|^2`, `W = diag(v)^(-1/2) V'`. What is averaged is
`a mu + G D`, `G = V diag(h) V'`: h is -1/v for the score and `(a alpha s + b sigma)/v` for
`a E[x|z] + b E[eps|z]`.

The difference D comes first, as in `State`, so no digits are lost that the points did not lose when
they were rounded: with u = 1.1e-16, `W D` is off by at most `(d + 3) u |W| |D|` in the Frobenius
norm, and a logarithm by `|W D|` times that, and `d u |W D|^2`. The second product is made at the
points where it counts: a component whose share of the average is below `exp(-37)/K` of that of the
heaviest, whatever their slopes, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analytic._checks import Array
from analytic._state import Components

_ROWS, _NUMBERS = 2048, 1 << 17  # points of a block, and numbers of its differences or logarithms
_LOST = 40.0  # exp(-37), and a length |W D| of up to 20


class Whitened:
    """Fields of components, all of positive variance at the level (alpha, sigma)."""

    def __init__(self, components: Components, alpha: float, sigma: float) -> None:
        self.alpha, self.sigma = alpha, sigma
        here = components.weights > 0
        self.here = np.flatnonzero(here)
        self.means = components.means[here]
        self.centers = np.ascontiguousarray(alpha * self.means)[:, :, None]
        size, dim = self.means.shape
        self.s = np.broadcast_to(components.spectra[here], (size, dim))
        self.bases = None if components.bases is None else components.bases[here]
        self.v = alpha**2 * self.s + sigma**2
        widths = np.sqrt(self.v)[:, :, None]
        self.whiten = 1 / widths if self.bases is None else self._turned() / widths
        self.const = components.log_weights[here] - 0.5 * (
            np.log(self.v).sum(1) + dim * np.log(2 * np.pi)
        )
        self.rows = max(32, min(_ROWS, _NUMBERS // max(size, dim)))

    # What a caller asks for -----------------------------------------------------------------------

    def log_density(self, z: Array, out: Array) -> None:
        """log p(z), (n,)."""
        for rows, _, r, top in self._blocks(z):
            out[rows] = top + np.log(np.exp(r, out=r).sum(0))

    def responsibilities(self, z: Array, out: Array) -> None:
        """r_k, (n, K)."""
        out[:] = 0.0
        for rows, _, r, _ in self._blocks(z):
            np.exp(r, out=r)
            r /= r.sum(0)
            out[rows, self.here] = r.T

    def combine(self, z: Array, a: float, b: float, out: Array) -> None:
        """a E[x|z] + b E[eps|z], (n, d)."""
        self._average(z, (a * self.alpha * self.s + b * self.sigma) / self.v, a, out)

    def score(self, z: Array, out: Array) -> None:
        """grad log p(z), (n, d)."""
        self._average(z, -1 / self.v, 0.0, out)

    # How ------------------------------------------------------------------------------------------

    def _turned(self) -> Array:
        assert self.bases is not None
        return np.swapaxes(self.bases, 1, 2)

    def _average(self, z: Array, h: Array, a: float, out: Array) -> None:
        """`sum_k r_k (a mu_k + G_k D_k)`."""
        gains = h[:, :, None]
        if self.bases is not None:
            gains = np.matmul(self.bases * h[:, None], self._turned())
        slopes = np.abs(h * np.sqrt(self.v)).max(1)  # |G D| is at most this times |W D|
        least = slopes[slopes > 0].min(initial=1.0)
        cut = _LOST + np.log(len(slopes)) + np.log(np.maximum(slopes / least, 1.0))
        for rows, points, r, _ in self._blocks(z):
            counts = r > -cut[:, None]
            many = counts.sum(1)
            np.exp(r, out=r)
            r /= r.sum(0)
            total = a * (self.means.T @ r) if a else np.zeros_like(points)
            apart, pulled = np.empty((2, *points.shape))
            for k, gain in enumerate(gains):
                if many[k] > points.shape[1] // 2:
                    np.subtract(points, self.centers[k], out=apart)
                    apart *= r[k]
                    total += self._times(gain, apart, pulled)
                elif many[k]:
                    some = np.flatnonzero(counts[k])
                    few = (points[:, some] - self.centers[k]) * r[k, some]
                    total[:, some] += self._times(gain, few, None)
            out[rows] = total.T

    def _times(self, matrix: Array, vectors: Array, out: Array | None) -> Array:
        if self.bases is None:
            return np.multiply(matrix, vectors, out=out)
        return np.matmul(matrix, vectors, out=out)

    def _blocks(self, z: Array) -> Iterator[tuple[slice, Array, Array, Array]]:
        """Rows, their points (d, n), logarithms (K, n) less the largest of all, and that, (n,)."""
        size, dim = self.means.shape
        step = min(self.rows, len(z))
        rooms = np.empty((3, dim, step))
        logs = np.empty((size, step))
        for start in range(0, len(z), step):
            rows = slice(start, start + step)
            n = len(z[rows])
            points, apart, white = (room.reshape(-1)[: dim * n].reshape(dim, n) for room in rooms)
            r = logs.reshape(-1)[: size * n].reshape(size, n)
            points[:] = z[rows].T
            for k, matrix in enumerate(self.whiten):
                np.subtract(points, self.centers[k], out=apart)
                self._times(matrix, apart, white)
                np.einsum("dn,dn->n", white, white, out=r[k])
            r *= -0.5
            r += self.const[:, None]
            top = r.max(0)
            r -= top
            yield rows, points, r, top
