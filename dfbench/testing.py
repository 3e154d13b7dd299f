"""Hypothesis strategies for the objects of the field: public, for tests of one's own.

from hypothesis import given
from dfbench.testing import grids, mixtures

@given(target=mixtures(), grid=grids())
def test_my_sampler(target, grid): ...
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from analytic import CoupledMixtures, GaussianMixture
from dfbench.levels import Array, Grid, Level
from dfbench.protocols import VALUES, Protocol
from dfbench.schedules import EDM, VE, Cosine, FlowMatching, LinearVP, Schedule, Shifted, SubVP

_SCALES = {
    "vp": lambda r: 1 / np.hypot(1, r),
    "ve": lambda r: np.ones_like(r),
    "flow": lambda r: 1 / (1 + r),
}


def floats(low: float, high: float) -> st.SearchStrategy[float]:
    """Finite numbers in an interval; shrinks towards its simplest member."""
    return st.floats(low, high, allow_nan=False, allow_infinity=False)


@st.composite
def levels(draw: Any, low: float = -10.0, high: float = 10.0) -> Level:
    """A level with λ = log(α²/σ²) in [low, high], on any scale."""
    ratio = np.exp(-draw(floats(low, high)) / 2)
    alpha = float(_SCALES[draw(st.sampled_from(sorted(_SCALES)))](ratio))
    scale = draw(floats(0.25, 4.0))
    return Level(scale * alpha, scale * alpha * float(ratio))


@st.composite
def grids(
    draw: Any, min_steps: int = 1, max_steps: int = 12, low: float = -8.0, high: float = 8.0
) -> Grid:
    """A grid from noise to data, steps in λ of 0.1 to 2, on one scale or a different one each."""
    n = draw(st.integers(min_steps, max_steps))
    steps = [draw(floats(0.1, min(2.0, (high - low) / n))) for _ in range(n)]
    start = draw(floats(low, high - sum(steps)))
    ratio = np.exp(-(start + np.concatenate([[0.0], np.cumsum(steps)])) / 2)
    alpha = _SCALES[draw(st.sampled_from(sorted(_SCALES)))](ratio)
    if draw(st.booleans()):
        alpha = alpha * np.array([draw(floats(0.25, 4.0)) for _ in ratio])
    return Grid(alpha, alpha * ratio)


def levels_pairs() -> st.SearchStrategy[Grid]:
    """A grid of one step."""
    return grids(1, 1)


@st.composite
def mixtures(
    draw: Any, dim: int | None = None, max_components: int = 3, smallest: float = 0.05
) -> GaussianMixture:
    """A mixture with components of order one, of any isotropic variances down to `smallest`²."""
    d = dim or draw(st.integers(1, 3))
    k = draw(st.integers(1, max_components))
    weights = np.array([draw(floats(0.2, 1.0)) for _ in range(k)])
    means = np.array([[draw(floats(-2.0, 2.0)) for _ in range(d)] for _ in range(k)])
    deviations = np.array([draw(floats(smallest, 1.5)) for _ in range(k)])
    return GaussianMixture.isotropic(weights / weights.sum(), means, deviations**2)


def spectra(max_size: int = 8) -> st.SearchStrategy[np.ndarray]:
    """Eigenvalues of a covariance, from 1e-4 to 1e4."""
    exponents = st.lists(floats(-4.0, 4.0), min_size=1, max_size=max_size)
    return exponents.map(lambda e: 10.0 ** np.array(e))


@st.composite
def schedules(draw: Any) -> Schedule:
    """A schedule of a closed form, with constants like those in use."""
    kind = draw(st.sampled_from(["flow", "cosine", "vp", "sub-vp", "ve", "edm", "shifted"]))
    if kind in ("vp", "sub-vp"):
        low, high = draw(floats(0.05, 1.0)), draw(floats(1.0, 20.0))
        return LinearVP(low, high) if kind == "vp" else SubVP(low, high)
    if kind == "ve":
        return VE(draw(floats(0.01, 0.1)), draw(floats(1.0, 50.0)))
    if kind == "edm":
        return EDM(draw(floats(1.0, 80.0)))
    base: Schedule = Cosine() if kind == "cosine" else FlowMatching()
    return Shifted(base, draw(floats(0.25, 4.0))) if kind == "shifted" else base


@st.composite
def couplings(draw: Any, dim: int | None = None) -> CoupledMixtures:
    """Two mixtures, coupled anywhere between independence and the order of their components."""
    d = dim or draw(st.integers(1, 2))
    x, y = (draw(mixtures(dim=d, max_components=2, smallest=0.3)) for _ in range(2))
    right, top = np.cumsum(x.weights)[:, None], np.cumsum(y.weights)
    low, high = np.maximum(right - x.weights[:, None], top - y.weights), np.minimum(right, top)
    share = draw(floats(0.0, 1.0))
    pi = (1 - share) * np.outer(x.weights, y.weights) + share * np.maximum(high - low, 0.0)
    correlation = draw(floats(-0.9, 0.9))  # of x and y, given the pair
    roots = np.sqrt(np.multiply.outer(x.spectra[:, 0], y.spectra[:, 0]))
    return CoupledMixtures(x, y, pi, correlation * roots[..., None, None] * np.eye(d))


@dataclass(frozen=True)
class Field:
    """A smooth vector field θ₀ + θ₁ z + θ₂ sin z + θ₃ tanh(z rolled by one): no gradient for d > 1.

    Something that a network could return, with a divergence in closed form.
    """

    theta: tuple[float, float, float, float]

    def __call__(self, z: Array) -> Array:
        a, b, c, d = self.theta
        value: Array = a + b * z + c * np.sin(z) + d * np.tanh(np.roll(z, 1, axis=-1))
        return value

    def divergence(self, z: Array) -> Array:
        """Σ_i ∂_i of the i-th component, (n,)."""
        _, b, c, d = self.theta
        slope: Array = b + c * np.cos(z) + (d / np.cosh(z) ** 2 if z.shape[-1] == 1 else 0.0)
        return np.asarray(slope.sum(axis=-1))


def fields() -> st.SearchStrategy[Field]:
    """Fields with coefficients of order one."""
    one = floats(-1.0, 1.0)
    return st.tuples(one, one, one, one).map(Field)


@st.composite
def protocols(draw: Any, /, **fixed: Any) -> Protocol:
    """A way to run a sampler; shrinks to the plain run, to few steps and a small state.

    Args:
        **fixed: fields of `dfbench.protocols.Protocol` that are not drawn, or tuples to draw from.

    >>> protocols(generator="one").example()  # doctest: +SKIP
    """
    values = VALUES | {k: v if isinstance(v, tuple) else (v,) for k, v in fixed.items()}
    if "steps" not in fixed:
        values["steps"] = (*sorted(VALUES["steps"]), 13, 37, 61)
    return Protocol(**{name: draw(st.sampled_from(of)) for name, of in values.items()})
