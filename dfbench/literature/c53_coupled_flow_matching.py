"""53. Conditional flow matching has the gradient of flow matching for any coupling of the ends."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from analytic import CoupledMixtures, GaussianMixture
from analytic.information import expectation
from dfbench.levels import Array, Level
from dfbench.literature.c11_time_and_couplings import PATHS
from dfbench.literature.c15_conditional_flow_matching import FlowTarget, broken, velocity
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import largest_of, row
from dfbench.losses import squared_error
from dfbench.outcome import Finding
from dfbench.testing import Field, couplings, fields, floats

BOUND, DERIVATION = 1e-10, "quadrature to 1e-11 of the integral of the size of the integrand"


def pairs(law: CoupledMixtures) -> GaussianMixture:
    """The joint law of (x, y) on two lines: a component for each pair of components."""
    k, l = np.indices(law.coupling.shape).reshape(2, -1)  # noqa: E741
    means = np.stack([law.x.means[k, 0], law.y.means[l, 0]], axis=1)
    s, t, both = law.x.spectra[k, 0], law.y.spectra[l, 0], law.marginal(1, 1).spectra[:, 0]
    cross = (both - s - t) / 2
    covariances = np.stack([s, cross, cross, t], axis=1).reshape(-1, 2, 2)
    return GaussianMixture.full(law.coupling[k, l], means, covariances)


def slopes(
    conditional: FlowTarget,
    law: CoupledMixtures,
    path: str,
    t: float,
    x: Array,
    y: Array,
    v: Field,
    along: Field,
) -> Array:
    """Terms whose means are the difference of the slopes of both losses, and its size, (n, 3)."""
    alpha, beta, *rates = (float(c(t)) for c in PATHS[path])
    z = alpha * x + beta * y
    value, step = v(z), along(z)
    given = conditional(x, y, Level(alpha, beta), (rates[0], rates[1]))
    mean = law.velocity(z, alpha, beta, *rates)
    up, down = (
        squared_error(value + sign * step, given) - squared_error(value + sign * step, mean)
        for sign in (1, -1)
    )
    return np.stack([up - down, (step**2).sum(-1), ((value - given) ** 2).sum(-1)], -1)


def relative(sums: Array) -> float:
    """The first of the size that the others give it."""
    return float(abs(sums[0]) / (1e-6 + np.sqrt(sums[1] * sums[2])))


@within(BOUND, "of the gradient's size", DERIVATION)
def line(
    conditional: FlowTarget, law: CoupledMixtures, path: str, t: float, v: Field, along: Field
) -> float:
    """x and y on the line, of correlated components coupled at will."""

    def terms(pair: Array) -> Array:
        return slopes(conditional, law, path, t, pair[:, :1], pair[:, 1:], v, along)

    return relative(expectation(pairs(law), terms))


@within(BOUND, "of the gradient's size", DERIVATION)
def plane(
    conditional: FlowTarget, law: CoupledMixtures, path: str, t: float, v: Field, along: Field
) -> float:
    """x one of some points in the plane, y of components coupled to them."""
    total = np.zeros(3)
    for k, l in np.ndindex(*law.coupling.shape):  # noqa: E741
        at = law.x.means[k]
        given = GaussianMixture.isotropic([1.0], law.y.means[l : l + 1], law.y.spectra[l, 0])

        def terms(y: Array, at: Array = at) -> Array:
            return slopes(conditional, law, path, t, at + 0 * y, y, v, along)

        total += law.coupling[k, l] * expectation(given, terms)
    return relative(total)


def points_and_mixtures(rng: np.random.Generator) -> CoupledMixtures:
    """Two points and two components in the plane, coupled by any share."""
    w, share = rng.uniform(0.3, 0.7), rng.uniform()
    x = GaussianMixture.points(rng.uniform(-2, 2, (2, 2)), [w, 1 - w])
    widths = rng.uniform(0.3, 1.5, 2)
    y = GaussianMixture.isotropic([w, 1 - w], rng.uniform(-2, 2, (2, 2)), widths**2)
    pi = (1 - share) * np.outer(x.weights, y.weights) + share * np.diag(x.weights)
    return CoupledMixtures(x, y, pi)


def in_the_plane(conditional: FlowTarget) -> Finding:
    """A few laws on every path."""
    rng, gaps = np.random.default_rng(53), {}
    for path in PATHS:
        t, (v, along) = rng.uniform(0.1, 0.9), (Field(tuple(rng.uniform(-1, 1, 4))) for _ in "va")
        gaps[path] = plane(conditional, points_and_mixtures(rng), path, t, v, along)
    return largest_of(gaps, BOUND, unit=plane.unit, derivation=DERIVATION)


@row(
    "53",
    r"(x_0,x_1)\sim q,\ z=\alpha_tx_0+\beta_tx_1:\quad\nabla_\theta\,\mathbb E_q|v_\theta(z)-"
    r"\dot\alpha_tx_0-\dot\beta_tx_1|^2=\nabla_\theta\,\mathbb E|v_\theta(z)-u_t(z)|^2,\quad "
    r"u_t=\mathbb E_q[\dot\alpha_tx_0+\dot\beta_tx_1\mid z]",
    title="Flow matching for coupled ends",
    source="TONG, LIU",
    condition="any joint law q of the ends, independent or not; u_t is that of this q and not that "
    "of the independent pair; 0 < t < 1",
    subject=lambda: velocity,
    control=broken,
    control_size=3e-9,
)
def check(conditional: FlowTarget) -> Finding:
    """Both losses are quadratic, so J(v + φ) − J(v − φ) is twice the derivative along φ."""
    on_the_line = line.for_all(
        conditional,
        examples=12,
        law=couplings(dim=1),
        path=st.sampled_from(sorted(PATHS)),
        t=floats(0.1, 0.9),
        v=fields(),
        along=fields(),
    )
    return decided(
        {
            "gradients on the line": on_the_line,
            "gradients in the plane": in_the_plane(conditional),
        }
    )
