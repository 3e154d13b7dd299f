"""Numerics on a user's functions of t in [0, 1]: shapes, derivatives, inverses, integrals."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dfbench.errors import short
from dfbench.levels import Array, Function
from dfbench.reals import shaped

PROBES: Array = (np.arange(16) + 0.5) / 16
"""Times, inside (0, 1), at which a user's functions are tried."""


@dataclass(frozen=True)
class Vectorised:
    """`function` as a map from float64 arrays to float64 arrays of the same shape.

    A function of one number is called once per element, a constant is broadcast.
    """

    function: Function

    def __call__(self, t: Array) -> Array:
        if not callable(self.function):
            raise TypeError(f"a schedule is made of functions of t, got {short(self.function)}")
        t = np.asarray(t)
        try:
            values = np.asarray(self.function(t), dtype=np.float64)
        except (TypeError, ValueError):
            try:
                values = np.vectorize(self.function, otypes=[np.float64])(t)
            except (TypeError, ValueError) as error:
                raise ValueError("a function of t gives something that is no number") from error
        return np.array(shaped("what a function of t gives", values, t.shape))


_NODES = np.arange(-2.0, 3.0)
_TO_POLYNOMIAL: Array = np.linalg.inv(np.vander(_NODES, increasing=True))
_H = 2.0**-11


@dataclass(frozen=True)
class Differences:
    """df/dt by five points h = 2⁻¹¹ apart in [0, 1]: error ≲ h⁴ |f⁽⁵⁾|/5 + 1e-12 |f|."""

    function: Function

    def __call__(self, t: Array) -> Array:
        centre = np.clip(t, 2 * _H, 1 - 2 * _H)
        values = Vectorised(self.function)(centre[..., None] + _H * _NODES)
        c = values @ _TO_POLYNOMIAL.T
        d = (t - centre) / _H
        slope = c[..., 1] + d * (2 * c[..., 2] + d * (3 * c[..., 3] + d * 4 * c[..., 4]))
        return np.asarray(slope / _H)


@dataclass(frozen=True)
class ComplexStep:
    """df/dt = Im f(t + ih)/h with h = 1e-30: exact to rounding, for analytic formulae only."""

    function: Function

    def __call__(self, t: Array) -> Array:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            values = np.asarray(self.function(t + 1e-30j))  # type: ignore[arg-type]
        return np.array(np.broadcast_to(values.imag / 1e-30, t.shape), dtype=np.float64)


def derivative(function: Function) -> Function:
    """df/dt: by the complex step where it agrees with differences, else by the differences.

    They disagree where a formula is not analytic as code (`abs`, `clip`, comparisons).
    """
    differences = Differences(function)
    try:
        exact = ComplexStep(function)
        if np.allclose(exact(PROBES), differences(PROBES), rtol=1e-6, atol=1e-6):
            return exact
    except (TypeError, ValueError, np.exceptions.ComplexWarning):
        pass
    return differences


def bisect_falling(function: Function, target: Array) -> Array:
    """t in [0, 1] with function(t) = target, for a falling function, to the last bit of t.

    The midpoints are those of the bit patterns, in which non-negative floats are ordered, so that
    a t near zero keeps its relative precision.
    """
    one = int(np.float64(1).view(np.int64))
    low, high = np.zeros(target.shape, dtype=np.int64), np.full(target.shape, one)
    for _ in range(one.bit_length()):
        middle = low + (high - low) // 2
        above = function(middle.view(np.float64)) > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    ends = np.stack([low.view(np.float64), high.view(np.float64)])
    miss = np.abs(np.stack([function(ends[0]), function(ends[1])]) - target)
    miss[np.isnan(miss)] = 0  # ∞ − ∞: that end is exact
    return np.asarray(np.where(miss[0] < miss[1], ends[0], ends[1]))


@dataclass(frozen=True)
class LinearODE:
    """L(t) = ∫₀ᵗ f and I(t) = ∫₀ᵗ g² e^(−2L), by Gauss–Legendre panels graded towards both ends.

    Algebraic singularities at the ends (f = −1/(1 − t), g² ∝ t^(−1/2)) cost no accuracy.

    Raises:
        ValueError: halving the panels changes L (absolute, so relative for α) or I (relative) by
            more than 1e-10, plus 2^(−46)/(1 − t): what the rounding of t does to a rate that
            diverges at t = 1.
    """

    f: Function
    g2: Function

    def __post_init__(self) -> None:
        (coarse_l, coarse_i), (fine_l, fine_i) = (
            (cumulated[0][::step], cumulated[1][::step])
            for cumulated, step in ((self._cumulated(_EDGES), 1), (self._cumulated(_HALVED), 2))
        )
        error = np.abs(fine_l - coarse_l) + np.abs(fine_i - coarse_i) / (fine_i + 1e-300)
        if not (error <= 1e-10 + 2**-46 / (1 - _EDGES)).all():
            i = int(np.argmax(~(error <= 1e-10 + 2**-46 / (1 - _EDGES))))
            raise ValueError(
                f"f and g2 could not be integrated over [0, 1]: halving the panels changes the "
                f"integrals to t = {_EDGES[i]:.6g} by {error[i]:.1e} (bound 1e-10); are they "
                f"finite and smooth inside (0, 1)?"
            )

    def _panels(self, start: Array, width: Array) -> tuple[Array, Array]:
        """∫ f and ∫ g² exp(−2 ∫_start f) over [start, start + width], elementwise."""
        offset = width[..., None] * _GAUSS_X
        # ∫ from `start` to each node, by the same rule on the shorter interval
        inner = self._f(start[..., None, None] + offset[..., None] * _GAUSS_X) @ _GAUSS_W * offset
        at_nodes = start[..., None] + offset
        whole = width * (self._f(at_nodes) @ _GAUSS_W)
        return whole, width * ((self._g2(at_nodes) * np.exp(-2 * inner)) @ _GAUSS_W)

    @cached_property
    def _f(self) -> Function:
        return Vectorised(self.f)

    @cached_property
    def _g2(self) -> Function:
        return Vectorised(self.g2)

    def _cumulated(self, edges: Array) -> tuple[Array, Array]:
        """L and I at the edges."""
        growth, noise = self._panels(edges[:-1], np.diff(edges))
        log_alpha = np.concatenate([[0.0], np.cumsum(growth)])
        return log_alpha, np.concatenate([[0.0], np.cumsum(noise * np.exp(-2 * log_alpha[:-1]))])

    @cached_property
    def _table(self) -> tuple[Array, Array]:
        return self._cumulated(_EDGES)

    def __call__(self, t: Array) -> tuple[Array, Array]:
        """(L, I) at t, elementwise; ±∞ or NaN at t = 1 where f or g² is not integrable there."""
        at = np.clip(np.searchsorted(_EDGES, t, side="right") - 1, 0, len(_EDGES) - 1)
        growth, noise = self._panels(_EDGES[at], t - _EDGES[at])
        log_alpha, integral = self._table[0][at], self._table[1][at]
        return log_alpha + growth, integral + noise * np.exp(-2 * log_alpha)


def _gauss(n: int) -> tuple[Array, Array]:
    x, w = np.polynomial.legendre.leggauss(n)
    return (x + 1) / 2, w / 2


_GAUSS_X, _GAUSS_W = _gauss(16)
_DYADIC = 0.5 ** np.arange(2, 41)
_LEFT = np.unique(np.concatenate([[0.0, 0.5], *(_DYADIC * (1 + k / 4) for k in range(4))]))
_EDGES: Array = np.concatenate([_LEFT, 1 - _LEFT[-2:0:-1]])
_HALVED: Array = np.sort(np.concatenate([_EDGES, (_EDGES[1:] + _EDGES[:-1]) / 2]))
