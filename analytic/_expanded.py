"""Diagonal components, and full ones in few dimensions, by two matrix products for all of them.

With c the mean of the mixture, `y = z - alpha c`, `m = alpha (mu - c)`, P = V diag(1/v) V' the
precision of a component and G = V diag(h) V' as in `analytic._whitened`, the logarithms are linear
in y and its products, and so is what is averaged for a given y:

    log w N(z) = (P m).y - y'P y/2 + const,     a mu + G (y - m) = (a mu - G m) + G y.

One product gives the logarithms, from y, 1 and y_i y_j (i = j alone where diagonal); another the
averages of `a (mu - c) - G m` and of G, which is symmetric. As in `analytic._round`, what this may
cost is bounded point by point: a logarithm is off by at most

    g = A (|y|^2/2 + |y| |m| + |m|^2) + (N + 8) u (|log w| + |log det|),
    A = (N + 8) u max P where diagonal, (N + 4) u |P| + (d + 4) u tr P elsewhere,

with N the terms of the longer sum and Frobenius's norm: an entry of P is itself a sum of d terms,
whose sizes have at most the form `|y|^2 tr P`. Points at which g or the error of the average are
more than `analytic._round` allows go to `Whitened`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from analytic._checks import Array
from analytic._round import _COLUMNS, _NUMBERS, _RESULT, _U, Mask, Round
from analytic._state import Components
from analytic._whitened import Whitened

Field = Callable[[Array, Array], None]
_TOGETHER = 1 << 14  # points that are copied to go the careful way
_SIZE = 16  # components from which on one product is better than many
_FULL = 2  # dimensions up to which full components are expanded: beyond, the bound rarely holds


class Expanded(Round):
    """Fields of components that are not isotropic, all of positive variance at the level."""

    @staticmethod
    def fits(components: Components) -> bool:
        """Whether the products are few enough."""
        few = components.bases is None or components.dim <= _FULL
        return few and len(components.weights) >= _SIZE

    def __init__(self, components: Components, alpha: float, sigma: float) -> None:
        self.careful = Whitened(components, alpha, sigma)
        self.components, self.alpha, self.sigma = components, alpha, sigma
        c, dim = components, components.dim
        self.center: Array = c.weights @ c.means
        self.means = c.means - self.center
        self.s = np.broadcast_to(c.spectra, c.means.shape)
        self.variances = alpha**2 * self.s + sigma**2
        self.pairs = np.arange(dim), np.arange(dim)
        if c.bases is not None:
            self.pairs = np.triu_indices(dim)
        precision, moved = self._matrices(1 / self.variances)
        squares = (alpha * self.means * moved).sum(1)
        logs = np.log(self.variances / self.variances[0])
        here = c.weights > 0
        log_weights = np.where(here, c.log_weights, 0.0)
        const = log_weights - 0.5 * (squares + logs.sum(1))
        self.norm = -0.5 * float(np.log(2 * np.pi * self.variances[0]).sum())
        width = dim + 1 + len(self.pairs[0])
        self.factors = np.zeros((len(const), -(-width // 8) * 8))  # whole cache lines
        self.factors[:, :dim], self.factors[:, dim] = moved, np.where(here, const, -1e300)
        i, j = self.pairs
        self.factors[:, dim + 1 : width] = precision * np.where(i == j, -0.5, -1.0)
        self.split = width  # long sums in two: half as long
        if c.bases is None and dim > 8:
            self.split = dim + 1
        terms = max(self.split, width - self.split)
        self.each = (terms + 8) * _U
        self.slope = self.each * float(precision.max())
        if c.bases is not None:
            size = np.sqrt((1 / self.variances**2).sum(1).max())  # Frobenius
            trace = (1 / self.variances).sum(1).max()
            self.slope = _U * float((terms + 4) * size + (dim + 4) * trace)
        self.far = alpha * float(np.sqrt((self.means**2).sum(1).max()))
        self.off = alpha * float(np.linalg.norm(self.center))
        self.rest = float((np.abs(log_weights) + np.abs(logs).sum(1)).max())
        widest = max(self.factors.shape[1], min(len(const), _COLUMNS))
        self.rows = max(64, min(1024, _NUMBERS // widest))
        self.cut = 37 + np.log(len(const))

    def log_density(self, z: Array, out: Array) -> None:
        """log p(z), (n,)."""
        table = np.ones((len(self.factors), 1))
        good = np.empty(len(z), dtype=bool)
        for rows, y, _, sound in self._blocks(z):
            top, total = self._sums(y, table)
            out[rows] = self.norm + top + np.log(total[:, 0])
            good[rows] = sound
        self._mend(self.careful.log_density, z, good, out)

    def responsibilities(self, z: Array, out: Array) -> None:
        """r_k, (n, K)."""
        good = np.empty(len(z), dtype=bool)
        for rows, y, _, sound in self._blocks(z, whole=True):
            r = self._logs(slice(None), y, np.empty((len(self.factors), len(y))))
            r -= r.max(0)
            np.exp(r, out=r)
            r /= r.sum(0)
            out[rows], good[rows] = r.T, sound
        self._mend(self.careful.responsibilities, z, good, out)

    def combine(self, z: Array, a: float, b: float, out: Array) -> None:
        """a E[x|z] + b E[eps|z], (n, d)."""
        h = (a * self.alpha * self.s + b * self.sigma) / self.variances
        self._expand(z, h, a, out, lambda z, out: self.careful.combine(z, a, b, out))

    def score(self, z: Array, out: Array) -> None:
        """grad log p(z), (n, d)."""
        self._expand(z, -1 / self.variances, 0.0, out, self.careful.score)

    # How ------------------------------------------------------------------------------------------

    def _matrices(self, values: Array) -> tuple[Array, Array]:
        """Of `V diag(values) V'` by component: the entries at `pairs`; times m."""
        bases, m = self.components.bases, self.alpha * self.means
        if bases is None:
            return values, values * m
        full = np.matmul(bases * values[:, None], np.swapaxes(bases, 1, 2))
        i, j = self.pairs
        return full[:, i, j], np.einsum("kij,kj->ki", full, m)

    def _expand(self, z: Array, h: Array, a: float, out: Array, careful: Field) -> None:
        """`sum_k r_k (a mu_k + G_k (y - m_k))`."""
        dim, size = self.components.dim, len(self.factors)
        entries, moved = self._matrices(h)
        table = np.zeros_like(self.factors)
        table[:, :dim], table[:, dim] = a * self.means - moved, 1.0
        table[:, dim + 1 : dim + 1 + entries.shape[1]] = entries
        offset = a * self.center
        terms = min(size, _COLUMNS) + size // _COLUMNS + 10
        lengths = np.abs(a) * np.linalg.norm(self.means, axis=1).max() + np.linalg.norm(offset)
        steepest, full = float(np.abs(h).max()), self.components.bases is not None
        if full:
            steepest, terms = steepest * np.sqrt(dim), terms + 2 * dim
        lengths += steepest * self.far
        good = np.zeros(len(z), dtype=bool)
        for rows, y, square, sound in self._blocks(z):
            if 2 * np.count_nonzero(sound) < len(sound):
                continue
            _, sums = self._sums(y, table)
            sums *= (1 / sums[:, dim])[:, None]
            here = out[rows]
            np.add(sums[:, :dim], offset, out=here)
            if full:
                for entry, i, j in zip(sums.T[dim + 1 :], *self.pairs, strict=False):
                    here[:, i] += entry * y[:, j]
                    if i != j:
                        here[:, j] += entry * y[:, i]
            else:
                here += sums[:, dim + 1 : 2 * dim + 1] * y[:, :dim]
            length = np.sqrt(np.einsum("nd,nd->n", here, here))
            error = terms * _U * (lengths + steepest * (np.sqrt(square) + self.off))
            good[rows] = sound & (error <= _RESULT * length)
        self._mend(careful, z, good, out)

    def _mend(self, careful: Field, z: Array, good: Mask, out: Array) -> None:
        """What the products would do badly, the careful way: at the end, for all blocks at once."""
        wrong = np.flatnonzero(~good)
        for start in range(0, len(wrong), _TOGETHER):
            rows = wrong[start : start + _TOGETHER]
            some = np.empty_like(out[rows])
            careful(z[rows], some)
            out[rows] = some

    def _blocks(self, z: Array, whole: bool = False) -> Iterator[tuple[slice, Array, Array, Mask]]:
        dim, (i, j) = self.components.dim, self.pairs
        for rows, part, square, sound in super()._blocks(z, whole):
            np.multiply(part[:, i], part[:, j], out=part[:, dim + 1 : dim + 1 + len(i)])
            yield rows, part, square, sound

    def _logs(self, some: slice, y: Array, out: Array) -> Array:
        np.matmul(self.factors[some, : self.split], y[:, : self.split].T, out=out)
        if self.split < self.components.dim + 1 + len(self.pairs[0]):
            out += self.factors[some, self.split :] @ y[:, self.split :].T
        return out

    def _error(self, square: Array) -> Array:
        """Bound of the error of a logarithm, g."""
        reach = np.sqrt(square) + 4 * _U * self.off / self.each  # y is off by 2 u alpha |c|, once
        size = 0.5 * reach**2 + reach * self.far + self.far**2
        error: Array = self.slope * size + self.each * self.rest
        return error
