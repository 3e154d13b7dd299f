"""12. The score of an energy model does not depend on its normaliser."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from analytic import GaussianMixture
from dfbench.exact import exact_model
from dfbench.levels import Array, Level
from dfbench.literature.calculus import derivative
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import largest, row
from dfbench.outcome import Finding
from dfbench.testing import floats

Score = Callable[[GaussianMixture, Array, Level], Array]
Wells = tuple[Array, Array, Array]  # depths (k,) in kT, centres (k, d) and widths (k,)

_SIGMA = 0.25  # of the level; the wells as given are those of the diffused law, at any α


def score(temperature: float = 1.0) -> Score:
    """The package's exact score, as that of a model `temperature` times as hot."""
    return lambda target, x, level: exact_model(target, "score")(x, level) / temperature


def energy(
    depths: Array, centres: Array, widths: Array, kT: float, offset: float, x: Array
) -> Array:
    """E(x) = −kT log Σ_k e^(d_k − |x − c_k|²/2w_k²) + offset: wells that nothing normalises."""
    square = ((x[:, None] - centres) ** 2).sum(-1)
    wells = depths - square / (2 * widths**2)
    top = wells.max(axis=1, keepdims=True)
    return np.asarray(offset - kT * (top[:, 0] + np.log(np.exp(wells - top).sum(axis=1))))


def boltzmann(depths: Array, centres: Array, widths: Array, alpha: float) -> GaussianMixture:
    """The data whose diffused law at (α, `_SIGMA`) is e^(−E/kT)/Z: wells weigh their volume."""
    volume = depths + centres.shape[1] * np.log(widths)
    weight = np.exp(volume - volume.max())
    return GaussianMixture.isotropic(
        weight / weight.sum(), centres / alpha, (widths**2 - _SIGMA**2) / alpha**2
    )


@within(
    1e-13,
    "of the energy, (1 + |offset|/kT)/h",
    "differences: h⁹ He₉/630 = 5e-15 within 4 widths; rounding of E/kT: 10 ε",
)
def gradient_gap(given: Score, well: Wells, kT: float, offset: float, alpha: float) -> float:
    """s against −∇E/kT by differences, in units of 1/width; kT, offset and Z drop out."""
    _, centres, widths = well
    target, h = boltzmann(*well, alpha), 0.02 * float(widths.min())
    x = (centres[:, None] + widths[:, None, None] * np.linspace(-2, 2, 4)[:, None]).reshape(
        -1, centres.shape[1]
    )
    here = energy(*well, kT, offset, x)

    def boltzmann_factor(along: Array, s: float) -> Array:
        """e^(−(E(x + s e) − E(x))/kT): as smooth as a Gaussian, which E is not between wells."""
        there = energy(*well, kT, offset, x + s * along)
        return np.asarray(np.exp((here - there) / kT))

    axes = np.eye(x.shape[1])
    slopes = [derivative(partial(boltzmann_factor, axis), 0.0, h) for axis in axes]
    # A difference of energies rounds to ε of the energy itself, offset and all.
    size = (1 + abs(offset) / kT) / h
    return float(np.abs(given(target, x, Level(alpha, _SIGMA)) - np.stack(slopes, 1)).max() / size)


@within(
    1e-12,
    "of 1 + |offset|/kT",
    "rounding of weights with exponents up to 10², and of their sum: 10³ ε",
)
def moments_gap(given: Score, well: Wells, kT: float, offset: float, alpha: float) -> float:
    """E[s] = 0, E[x s'] = −I (the virial theorem), E|s|² = −E tr ∇s, over e^(−E/kT)/Z in 1-D.

    Weights and Z come from the energy alone, by the trapezoid rule, exact to rounding.
    """
    depths, centres, widths = well
    centres = centres[:, :1]
    h, edge = 0.2 * float(widths.min()), 10 * float(widths.max())
    x = np.arange(centres.min() - edge, centres.max() + edge, h)[:, None]
    e = energy(depths, centres, widths, kT, offset, x)
    p = np.exp(-(e - e.min()) / kT)
    p /= p.sum()
    target, level = boltzmann(depths, centres, widths, alpha), Level(alpha, _SIGMA)
    s = given(target, x, level)[:, 0]
    trace = target.score_divergence(x, *level)
    gaps = (p @ s * widths.min(), p @ (x[:, 0] * s) + 1, p @ (s**2 + trace) / (p @ s**2))
    # The weights carry the rounding of E/kT, offset and all.
    return largest(abs(g) for g in gaps) / (1 + abs(offset) / kT)


@st.composite
def wells(draw: st.DrawFn) -> Wells:
    """Depths (in kT), centres and widths of one to three wells in up to three dimensions."""
    k, d = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    depths = np.array([draw(floats(-3, 3)) for _ in range(k)])
    centres = np.array([[draw(floats(-2, 2)) for _ in range(d)] for _ in range(k)])
    return depths, centres, np.array([draw(floats(0.3, 1.5)) for _ in range(k)])


@row(
    "12",
    r"p=\tfrac1Ze^{-E/kT}:\quad \nabla\log p=-\frac{\nabla E}{kT},\qquad \mathbb E[s]=0,\quad "
    r"\mathbb E[x\,s^{\!\top}]=-I,\quad \mathbb E|s|^2=-\mathbb E\operatorname{tr}\nabla s",
    title="Score of an energy model",
    source="HYV",
    condition="p is smooth and vanishes at infinity; the control is at another temperature",
    subject=score,
    control=lambda size: score(1 + size),
    control_size=1e-11,
)
def check(given: Score) -> Finding:
    """Against differences of an energy that nothing normalises, and its Boltzmann averages."""
    cases: dict[str, Any] = {
        "well": wells(),
        "kT": floats(0.1, 10.0),
        "offset": floats(-100.0, 100.0),
        "alpha": floats(0.25, 4.0),
    }

    parts = {
        "score against differences of the energy": gradient_gap.for_all(given, **cases),
        "the three averages": moments_gap.for_all(given, examples=30, **cases),
    }
    return decided(parts)
