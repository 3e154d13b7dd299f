"""2. The marginal velocity is the posterior mean of the conditional velocity."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analytic import GaussianMixture
from dfbench.levels import Array
from dfbench.literature.calculus import derivative
from dfbench.literature.parts import decided, within
from dfbench.literature.posterior import joint, states
from dfbench.literature.statement import row
from dfbench.outcome import Finding
from dfbench.predictions import convert
from dfbench.schedules import Schedule
from dfbench.testing import floats, mixtures, schedules

VelocityOf = Callable[[GaussianMixture, Schedule, float, Array], Array]  # u_t(z), z (n, d)


def velocity(of_noise: float = 1.0) -> VelocityOf:
    """E[x|z] converted to a velocity with the schedule's rates, σ̇ taken `of_noise` times.

    For a single point x that is the conditional velocity u_t(z|x).
    """

    def field(target: GaussianMixture, schedule: Schedule, t: float, z: Array) -> Array:
        (alpha, sigma), (alpha_dot, sigma_dot) = schedule.level(t), schedule.rates(t)
        x = target.posterior_mean(z, alpha, sigma)
        rates = (alpha_dot, of_noise * sigma_dot)
        return np.asarray(convert(x, z, "x", "velocity", alpha, sigma, rates=rates))

    return field


def _size(schedule: Schedule, t: float) -> float:
    """Size of α̇ x + (σ̇/σ)(z − α x), the terms that the conversion adds, for x and ε of order 3."""
    (alpha, sigma), (alpha_dot, sigma_dot) = schedule.level(t), schedule.rates(t)
    return 3 * (abs(alpha_dot) + abs(sigma_dot) * (1 + alpha / sigma))


@within(
    1e-11,
    "of the terms added",
    "differences: h⁸ σ⁽⁹⁾/630 = 1e-14 of σ̇ for σ = √t at t ≥ 0.1, rounding "
    "ε/h = 2e-13 of levels good to 10 ε",
)
def path_gap(field: VelocityOf, schedule: Schedule, t: float, x: float, eps: float) -> float:
    """d/dt (α_t x + σ_t ε) by differences, against u_t(z_t | x)."""

    def state(s: float) -> Array:
        alpha, sigma = schedule.level(s)
        return np.array([alpha * x + sigma * eps])

    moved = derivative(state, t, 1e-3)
    given = field(GaussianMixture.points([[x]]), schedule, t, state(t))
    return float(np.abs(given - moved).max()) / _size(schedule, t)


@within(1e-12, "of the terms added", "quadrature to rounding of exponents up to 10²")
def marginal_gap(field: VelocityOf, target: GaussianMixture, schedule: Schedule, t: float) -> float:
    """∫ u_t(z|x) p(x|z) dx by quadrature, against u_t(z)."""
    level, (alpha_dot, sigma_dot) = schedule.level(t), schedule.rates(t)
    (alpha, sigma), z = level, states(target, level)[:, 0]
    x, weight = joint(target, level, z)
    conditional = (alpha_dot - sigma_dot * alpha / sigma) * x + sigma_dot / sigma * z[:, None]
    mean = (weight * conditional).sum(axis=1) / weight.sum(axis=1)
    given = field(target, schedule, t, z[:, None])[:, 0]
    return float(np.abs(given - mean).max()) / _size(schedule, t)


@row(
    "2",
    r"u_t(z|x)=\Big(\dot\alpha_t-\tfrac{\dot\sigma_t\alpha_t}{\sigma_t}\Big)x"
    r"+\tfrac{\dot\sigma_t}{\sigma_t}z,\qquad "
    r"u_t(z)=\mathbb E[u_t(z|x)\,|\,z]=\dot\alpha_t\mathbb E[x|z]"
    r"+\dot\sigma_t\mathbb E[\varepsilon|z]",
    title="Marginal velocity",
    source="HE, LIP",
    condition="σ_t > 0; the control takes a wrong rate of the noise",
    subject=velocity,
    control=lambda size: velocity(1 + size),
    control_size=5e-9,
)
def check(field: VelocityOf) -> Finding:
    """Along the conditional path by differences, and its posterior mean by quadrature."""
    times = floats(0.1, 0.9)
    parts = {
        "velocity against differences of the path": path_gap.for_all(
            field, schedule=schedules(), t=times, x=floats(-2, 2), eps=floats(-2, 2)
        ),
        "velocity against the posterior means": marginal_gap.for_all(
            field, target=mixtures(dim=1), schedule=schedules(), t=times
        ),
    }
    return decided(parts)
