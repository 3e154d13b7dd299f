"""Isotropic components at one level, by two matrix products: exact enough, or not used.

With c the mean of the mixture, `y = z - alpha c` and `m_k = alpha (mu_k - c)`,

    log w_k N(z; alpha mu_k, v_k) = y.m_k/v_k - |y|^2/(2 v_k) + const_k,

where the middle term is the same for all k if all v_k are equal. One product gives the logarithms,
another what is averaged over components. Two things may cost digits; both are bounded, point by
point:

- A sum of n products is off by at most `n u` times the sum of their sizes, in any order (u =
  1.1e-16). A logarithm is off by `g = (d + 8) u (|y| |m| + |m|^2 + |y|^2)/v`, the squares counted
  twice since they are sums themselves, the last one left out if all v_k are equal. Allowed are
  2e-13, or sixteen times the bound of a sum of squares `d v`, which is what a draw has.
- The terms of an average may cancel. Allowed is an error of 1e-12 of its length.

What is not allowed goes to `State`, over the components that count there: one whose logarithm is
`37 + log K + 2 g` below the largest is less than rounding, together with all its like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from analytic._checks import Array
from analytic._state import Components, State

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

_U = 2.0**-53
_LOGIT, _RESULT = 2e-13, 1e-12  # allowed: of a logarithm, of the length of a result
_COLUMNS = 1024  # components whose logarithms are held together
_NUMBERS = 1 << 18  # of a block of points, or of its logarithms: they stay in cache
_CAREFUL = 64  # points whose components are screened together


class Round:
    """Fields of isotropic components, all of positive variance at the level (alpha, sigma)."""

    def __init__(self, components: Components, alpha: float, sigma: float) -> None:
        self.components, self.alpha, self.sigma = components, alpha, sigma
        c = components
        self.center: Array = c.weights @ c.means
        self.means = c.means - self.center
        self.v = alpha**2 * c.spectra[:, 0] + sigma**2
        self.equal = bool((self.v == self.v[0]).all())
        squares = alpha**2 * np.einsum("kd,kd->k", self.means, self.means)
        const = c.log_weights - 0.5 * (squares / self.v + c.dim * np.log(self.v / self.v[0]))
        self.norm = -0.5 * c.dim * np.log(2 * np.pi * self.v[0])
        self.least = float(self.v.min())
        self.far = float(np.sqrt(squares.max()))  # the largest |m|
        self.off = alpha * float(np.linalg.norm(self.center))
        here = c.weights > 0
        self.const = float(np.abs(const[here]).max())
        self.factors = np.zeros((len(self.v), -(-(c.dim + 2) // 8) * 8))  # whole cache lines
        self.factors[:, : c.dim] = self.means * (alpha / self.v)[:, None]
        self.factors[:, c.dim] = np.where(here, const, -1e300)
        if not self.equal:
            self.factors[:, c.dim + 1] = -0.5 / self.v
        widest = max(self.factors.shape[1], min(len(self.v), _COLUMNS))
        self.rows = max(64, min(1024, _NUMBERS // widest))
        self.cut = 37 + np.log(len(self.v))

    # What a caller asks for -----------------------------------------------------------------------

    def log_density(self, z: Array, out: Array) -> None:
        """log p(z), (n,)."""
        table = np.ones((len(self.v), 1))
        for rows, y, square, sound in self._blocks(z):
            top, total = self._sums(y, table)
            out[rows] = self.norm + top + np.log(total[:, 0])
            if self.equal:
                out[rows] -= 0.5 * square / self.v[0]
            for bad, state, _ in self._careful(z[rows], y, square, ~sound):
                out[rows][bad] = state.log_density

    def responsibilities(self, z: Array, out: Array) -> None:
        """r_k, (n, K)."""
        for rows, y, square, sound in self._blocks(z, whole=True):
            r = self.factors @ y.T
            r -= r.max(0)
            np.exp(r, out=r)
            r /= r.sum(0)
            out[rows] = r.T
            for bad, state, kept in self._careful(z[rows], y, square, ~sound):
                some = np.zeros((len(state.z), len(self.v)))
                some[:, kept] = state.responsibilities.T
                out[rows][bad] = some

    def combine(self, z: Array, a: float, b: float, out: Array) -> None:
        """a E[x|z] + b E[eps|z], (n, d)."""
        s, v = self.components.spectra[:, 0], self.v
        on_y = (a * self.alpha * s + b * self.sigma) / v
        on_mean = (a * self.sigma**2 - b * self.sigma * self.alpha) / v
        rates = np.array([[a]]), np.array([[b]])
        self._average(z, on_y, on_mean, a, out, lambda state: state.combine(*rates))

    def score(self, z: Array, out: Array) -> None:
        """grad log p(z), (n, d)."""
        self._average(z, -1 / self.v, self.alpha / self.v, 0.0, out, State.score)

    # How ------------------------------------------------------------------------------------------

    def _average(
        self,
        z: Array,
        on_y: Array,
        on_mean: Array,
        a: float,
        out: Array,
        careful: Callable[[State], Array],
    ) -> None:
        """`sum_k r_k (on_y_k y + on_mean_k (mu_k - c)) + a c`."""
        dim, size = self.components.dim, len(self.v)
        table = np.zeros_like(self.factors)
        table[:, :dim] = on_mean[:, None] * self.means
        table[:, dim], table[:, dim + 1] = 1.0, on_y
        offset = a * self.center
        terms = min(size, _COLUMNS) + size // _COLUMNS + 10
        lengths = np.einsum("kd,kd->k", table[:, :dim], table[:, :dim])
        largest = float(np.sqrt(lengths.max()) + np.linalg.norm(offset))
        steepest = float(np.abs(on_y).max())
        for rows, y, square, sound in self._blocks(z):
            _, sums = self._sums(y, table)
            scale = 1 / sums[:, dim]
            gain = on_y[:1] if self.equal else sums[:, dim + 1] * scale
            here = out[rows]
            np.multiply(y[:, :dim], gain[:, None], out=here)
            sums *= scale[:, None]
            here += sums[:, :dim]
            if a:
                here += offset
            length = np.sqrt(np.einsum("nd,nd->n", here, here))
            error = terms * _U * (largest + steepest * (np.sqrt(square) + self.off))
            sound = sound & (error <= _RESULT * length)
            for bad, state, _ in self._careful(z[rows], y, square, ~sound):
                here[bad] = careful(state)

    def _blocks(self, z: Array, whole: bool = False) -> Iterator[tuple[slice, Array, Array, Mask]]:
        """Rows, what is multiplied by the factors, |y|^2, and where the logarithms are good.

        `whole`: the logarithms of all components are held together.
        """
        dim = self.components.dim
        step = max(1, min(self.rows, _NUMBERS // len(self.factors))) if whole else self.rows
        y = np.zeros((min(step, len(z)), self.factors.shape[1]))
        y[:, dim] = 1.0
        self.room: Array = np.empty(min(len(self.factors), _COLUMNS) * len(y))
        allowed = max(_LOGIT, 8 * (dim + 8) * dim * _U)
        for start in range(0, len(z), step):
            rows = slice(start, start + step)
            some = z[rows]
            part = y[: len(some)]
            np.subtract(some, self.alpha * self.center, out=part[:, :dim])
            square = np.einsum("nd,nd->n", part[:, :dim], part[:, :dim])
            part[:, dim + 1] = square
            yield rows, part, square, self._error(square) <= allowed

    def _error(self, square: Array) -> Array:
        """Bound of the error of a logarithm, g."""
        dim = self.components.dim
        # y is off by 2 u alpha |c| where the mixture is far from zero: once, not d times.
        reach = np.sqrt(square) + 2 * self.off / (dim + 8)
        size = reach * self.far / self.least + 2 * self.const
        if not self.equal:
            size = size + reach**2 / self.least
        error: Array = (dim + 8) * _U * size
        return error

    def _logs(self, some: slice, y: Array, out: Array) -> Array:
        """The logarithms of some components, (components, n), up to what all share."""
        return np.matmul(self.factors[some], y.T, out=out)

    def _sums(self, y: Array, table: Array) -> tuple[Array, Array]:
        """The largest logarithm t, (n,), and `sum_k exp(logarithm - t) table_k`, (n, columns)."""
        size = len(self.factors)
        if size <= _COLUMNS:
            room = self.room[: size * len(y)].reshape(size, -1)
            logs = self._logs(slice(None), y, room)
            top = logs.max(0)
            logs -= top
            np.exp(logs, out=logs)
            return top, logs.T @ table
        top = np.full(len(y), -np.inf)
        total = np.zeros((len(y), table.shape[1]))
        buffer = self.room[: _COLUMNS * len(y)].reshape(_COLUMNS, -1)
        for start in range(0, size, _COLUMNS):
            some = slice(start, min(start + _COLUMNS, size))
            logs = self._logs(some, y, buffer[: some.stop - start])
            highest = logs.max(0)
            new = np.maximum(top, highest)
            total *= np.exp(top - new)[:, None]
            top = new
            counts = np.flatnonzero(highest > top - self.cut)
            if not counts.size:
                continue
            if len(counts) < len(y):
                logs = logs[:, counts]
            logs -= top[counts]
            np.exp(logs, out=logs)
            total[counts] += logs.T @ table[start : start + _COLUMNS]
        return top, total

    def _careful(
        self, z: Array, y: Array, square: Array, bad: Mask
    ) -> Iterator[tuple[Rows, State, Rows]]:
        """The careful form of some points: which they are, their fields, over which components."""
        c, everything = self.components, np.arange(len(self.factors), dtype=np.intp)
        level = np.array([self.alpha]), np.array([self.sigma])
        wrong = np.flatnonzero(bad)
        step = self.rows if len(self.factors) <= _CAREFUL else _CAREFUL
        for start in range(0, len(wrong), step):
            rows = wrong[start : start + step]
            kept, few = everything, c
            if step == _CAREFUL:
                logs = self.factors @ y[rows].T
                logs -= logs.max(0) - self.cut - 2 * self._error(square[rows])
                kept = np.flatnonzero((logs >= 0).any(1))
                few = Components(c.weights[kept], c.means[kept], c.spectra[kept], None)
            yield rows, State(few, z[rows], *level), kept
