"""15. Conditional flow matching has the gradient of flow matching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from analytic import GaussianMixture
from dfbench.levels import Array, Level
from dfbench.literature.parts import within
from dfbench.literature.points import mean, points
from dfbench.literature.statement import row, worst_of
from dfbench.losses import conditional_target, squared_error
from dfbench.outcome import Finding
from dfbench.schedules import Cosine, FlowMatching, Schedule, Shifted
from dfbench.testing import Field, fields, floats, mixtures, schedules

FlowTarget = Callable[[Array, Array, Level, tuple[float, float]], Array]  # u(z | x) from x and ε


def velocity(x: Array, eps: Array, level: Level, rates: tuple[float, float]) -> Array:
    """α̇ x + σ̇ ε."""
    return np.asarray(conditional_target("velocity", x, eps, level, rates))


def broken(size: float) -> FlowTarget:
    """σ̇ is off by a factor."""
    return lambda x, eps, level, rates: velocity(x, eps, level, (rates[0], (1 + size) * rates[1]))


@within(
    1e-9,
    "of the gradient's size",
    "quadrature to 1e-11 of the integral of the size of the integrand",
)
def gap(
    conditional: FlowTarget,
    target: GaussianMixture,
    schedule: Schedule,
    t: float,
    v: Field,
    along: Field,
) -> float:
    """The derivatives of both losses at v along φ."""
    level, rates = schedule.level(t), schedule.rates(t)
    size = np.hypot(*level)
    speed = np.hypot(*rates)

    def terms(x: Array, eps: Array) -> Array:
        z = level.alpha * x + level.sigma * eps
        value, step = speed * v(z / size), speed * along(z / size)
        goals = conditional(x, eps, level, rates), target.velocity(z, *level, *rates)
        given, marginal = (
            squared_error(value + step, goal) - squared_error(value - step, goal) for goal in goals
        )
        sizes = ((step**2).sum(-1), ((value - goals[0]) ** 2).sum(-1))
        return np.stack([given - marginal, *sizes], -1)

    difference, of_step, of_rest = mean(target, terms)
    return float(abs(difference) / (1e-6 * speed**2 + np.sqrt(of_step * of_rest)))


def printed_rates(base: Schedule, shift: float, t: float) -> tuple[float, float]:
    """(α̇, σ̇) with σ/α multiplied by s: of t → s t/(1 + (s − 1) t) on a line or on a circle."""
    if isinstance(base, FlowMatching):
        rate = shift / (1 - t + shift * t) ** 2
        return -rate, rate
    sin, cos = np.sin(np.pi * t / 2), np.cos(np.pi * t / 2)
    turn, size = np.pi / 2 * shift / (cos**2 + (shift * sin) ** 2), np.hypot(cos, shift * sin)
    return -turn * shift * sin / size, turn * cos / size


@within(1e-13, "of the speed", "round-off in float64 of s and 1/s up to 4")
def rates_gap(conditional: FlowTarget, base: Schedule, shift: float, t: float) -> float:
    """The velocity of x alone and of ε alone, up to both ends of time."""
    schedule, one = Shifted(base, shift), np.eye(2)
    found = conditional(one[:1], one[1:], schedule.level(t), schedule.rates(t))[0]
    truth = np.array(printed_rates(base, shift, t))
    return float(np.abs(found - truth).max() / np.hypot(*truth))


@row(
    "15",
    r"\nabla_\theta\,\mathbb E|v_\theta(z)-u_t(z|x)|^2"
    r"=\nabla_\theta\,\mathbb E|v_\theta(z)-u_t(z)|^2,\qquad u_t(z)=\mathbb E[u_t(z|x)\mid z]",
    title="Conditional flow matching",
    source="LIP, HE",
    condition="0 < t < 1, where the conditional velocity is finite",
    subject=lambda: velocity,
    control=broken,
    control_size=2e-8,
)
def check(conditional: FlowTarget) -> Finding:
    """Both losses are quadratic, so J(v + φ) − J(v − φ) is twice the derivative along φ.

    Mixtures on the line, points in the plane; and the rates of (α, σ) on all of [0, 1].
    """
    cases: dict[str, Any] = {"schedule": schedules(), "v": fields(), "along": fields()}
    line = mixtures(dim=1, smallest=0.3)
    ends = st.sampled_from([0.0, 1.0]) | floats(0.0, 1.0) | floats(0.9, 1.0)
    bases = st.sampled_from([FlowMatching(), Cosine()])
    return worst_of(
        rates_gap.for_all(conditional, base=bases, shift=floats(0.25, 4.0), t=ends),
        gap.for_all(conditional, examples=15, target=line, t=floats(0.1, 0.9), **cases),
        gap.for_all(conditional, examples=4, target=points(), t=floats(0.4, 0.9), **cases),
    )
