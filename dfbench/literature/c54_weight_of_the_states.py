"""54. Dropping the weight p_t of the integrand changes the loss, and not its minimiser."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from analytic import GaussianMixture
from dfbench.levels import Array, Level
from dfbench.literature.c14_denoising_score_matching import DenoisingLoss, broken
from dfbench.literature.calculus import gauss_legendre
from dfbench.literature.parts import decided, within
from dfbench.literature.posterior import joint
from dfbench.literature.statement import row
from dfbench.losses import denoising_score_matching, explicit_score_matching
from dfbench.outcome import Finding
from dfbench.testing import Field, fields, levels, mixtures

#: ω(z)/p_t(z), by the part of p_t's logarithm that it keeps.
KEPT = {"p_t": 1.0, "√p_t": 0.5, "none": 0.0}


def nodes(target: GaussianMixture, level: Level) -> tuple[Array, Array]:
    """States and masses of ∫ dz over three deviations of every component."""
    law = target.diffused(*level)
    reach = 3 * np.sqrt(law.spectra.max())
    return gauss_legendre(12, law.means.min() - reach, law.means.max() + reach, panels=8)


def conditional_mean(
    loss: Callable[[Array, Array], Array], target: GaussianMixture, level: Level, z: Array
) -> tuple[Array, Array]:
    """E[loss(z, ε) | z] and p_t(z), each (n,); the loss takes columns and gives a number a row."""
    x, mass = joint(target, level, z)
    eps = (z[:, None] - level.alpha * x) / level.sigma
    states = np.broadcast_to(z[:, None], x.shape)
    values = loss(states.reshape(-1, 1), eps.reshape(-1, 1)).reshape(x.shape)
    density = mass.sum(axis=1)
    return (mass * values).sum(axis=1) / density, density


@within(
    1e-12,
    "of the sum of the terms' sizes",
    "the posterior by the trapezoid rule, e^(−40), and rounding of exponents up to 10³; z is "
    "integrated by one rule on both sides",
)
def excess(
    loss: DenoisingLoss, target: GaussianMixture, level: Level, s: Field, kept: float
) -> float:
    """∫ ω E[½|ŝ + ε/σ|² − ½|s* + ε/σ|² | z] dz against ½ ∫ ω |ŝ − s*|² dz, for any ω and ŝ.

    So the least of it is at s* whatever ω > 0 is, and only there.
    """
    z, dz = nodes(target, level)
    width = float(np.sqrt(target.diffused(*level).spectra.min()))

    def given(z: Array) -> Array:
        return s(z / width) / width

    def more(z: Array, eps: Array) -> Array:
        best = target.score(z, *level)
        return np.asarray(loss(given(z), eps, level.sigma) - loss(best, eps, level.sigma))

    found, density = conditional_mean(more, target, level, z)
    truth = explicit_score_matching(given(z[:, None]), target.score(z[:, None], *level))
    omega = density**kept * dz
    size = truth + (target.score(z[:, None], *level) ** 2).sum(-1) + 1 / level.sigma**2
    return float(abs(omega @ (found - truth)) / (omega @ size))


def best_slopes() -> dict[str, float]:
    """What a class without the score in it learns: ŝ = −θ z for two modes, by the weight."""
    target, level = GaussianMixture.isotropic([0.5, 0.5], [[-1.0], [1.0]], 0.09), Level(0.9, 0.3)
    z, dz = nodes(target, level)
    best = target.score(z[:, None], *level)[:, 0]
    density = np.exp(target.log_density(z[:, None], *level))
    found = {}
    for name, kept in KEPT.items():
        omega = density**kept * dz
        found[f"two modes, weight {name}: best θ of ŝ = −θz"] = float(
            -(omega @ (z * best)) / (omega @ z**2)
        )
    return found


@row(
    "54",
    r"\operatorname*{argmin}_s\int\omega(z)\,\mathbb E\big[|s(z)+\epsilon/\sigma|^2\big|z\big]dz"
    r"=\nabla\log p_t\quad\text{for every }\omega>0:\ \omega=p_t\text{ is the loss, }\omega=1\text{"
    r" another one}",
    title="The weight of the states",
    source="SU",
    condition="the class of functions has the score in it: of −θz, two modes get another θ for "
    "every weight; for ω = 1 the states are of a bounded region",
    subject=lambda: denoising_score_matching,
    control=broken,
    control_size=1e-10,
)
def check(loss: DenoisingLoss) -> Finding:
    """With p_t, with its root and without it, at any level, for any ŝ."""
    parts = {
        f"excess with the weight {name}": excess.for_all(
            loss,
            examples=12,
            target=mixtures(dim=1, smallest=0.2),
            level=levels(-4.0, 4.0),
            s=fields(),
            kept=st.just(kept),
        )
        for name, kept in KEPT.items()
    }
    return decided(parts, best_slopes())
