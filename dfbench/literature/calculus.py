"""What the checks differentiate and integrate with: it knows nothing of what is checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dfbench.levels import Array

_FIRST = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])
_SECOND = np.array([-1 / 560, 8 / 315, -1 / 5, 8 / 5, -205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560])


def derivative(f: Callable[[float], Any], t: float, h: float) -> Any:
    """f'(t) by eight neighbours h apart: error h⁸ f⁽⁹⁾/630, rounding about ε f/h."""
    values = np.array([f(t + k * h) for k in range(-4, 5)])
    return np.tensordot(_FIRST, values, 1) / h


def second_derivative(f: Callable[[float], Any], t: float, h: float) -> Any:
    """f''(t) by eight neighbours: error h⁸ f⁽¹⁰⁾/3150, rounding about 5 ε f/h²."""
    values = np.array([f(t + k * h) for k in range(-4, 5)])
    return np.tensordot(_SECOND, values, 1) / h**2


def divergence(field: Callable[[Array], Array], z: Array, h: float) -> Array:
    """div of a field (n, d) → (n, d) at the points z, shape (n,)."""
    axes = np.eye(z.shape[1])
    return np.asarray(
        sum(derivative(lambda s, e=e: field(z + s * e) @ e, 0.0, h) for e in axes)  # type: ignore[misc]
    )


def laplacian(f: Callable[[Array], Array], z: Array, h: float) -> Array:
    """Δ of a function (n, d) → (n,) at the points z, shape (n,)."""
    axes = np.eye(z.shape[1])
    return np.asarray(
        sum(second_derivative(lambda s, e=e: f(z + s * e), 0.0, h) for e in axes)  # type: ignore[misc]
    )


def order(steps: Array, errors: Array) -> float:
    """Exponent q in error ∝ steps^q, from the two smallest steps."""
    return float(np.log(errors[-2] / errors[-1]) / np.log(steps[-2] / steps[-1]))


def rms(values: Array) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def gauss_legendre(
    nodes: int, low: float = 0.0, high: float = 1.0, panels: int = 1
) -> tuple[Array, Array]:
    """Nodes and weights of ∫_low^high, with as many nodes in each of the equal panels."""
    node, weight = np.polynomial.legendre.leggauss(nodes)
    edges = np.linspace(low, high, panels + 1)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + node)).reshape(-1), (half * weight).reshape(-1)
