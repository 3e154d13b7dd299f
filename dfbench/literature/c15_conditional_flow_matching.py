"""15. Conditional flow matching has the gradient of flow matching."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analytic import GaussianMixture
from analytic.information import expectation, joint
from dfbench.levels import Array, Level
from dfbench.literature.parts import within
from dfbench.literature.statement import row
from dfbench.losses import conditional_target, squared_error
from dfbench.outcome import Finding
from dfbench.schedules import Schedule
from dfbench.testing import Field, fields, floats, mixtures, schedules

FlowTarget = Callable[[Array, Array, Level, tuple[float, float]], Array]  # u(z | x) from x and ε


def velocity(x: Array, eps: Array, level: Level, rates: tuple[float, float]) -> Array:
    """α̇ x + σ̇ ε."""
    return np.asarray(conditional_target("velocity", x, eps, level, rates))


def broken(size: float) -> FlowTarget:
    """σ̇ is off by a factor."""
    return lambda x, eps, level, rates: velocity(x, eps, level, (rates[0], (1 + size) * rates[1]))


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
    """Both losses are quadratic, so J(v + φ) − J(v − φ) is twice the derivative along φ."""

    @within(
        1e-9,
        "of the gradient's size",
        "quadrature to 1e-11 of the integral of the size of the integrand",
    )
    def gap(target: GaussianMixture, schedule: Schedule, t: float, v: Field, along: Field) -> float:
        level, rates = schedule.level(t), schedule.rates(t)
        size = np.hypot(*level)
        speed = np.hypot(*rates)

        def terms(pair: np.ndarray) -> np.ndarray:
            x, eps = pair[:, :1], pair[:, 1:]
            z = level.alpha * x + level.sigma * eps
            value, step = speed * v(z / size), speed * along(z / size)
            goals = conditional(x, eps, level, rates), target.velocity(z, *level, *rates)
            given, mean = (
                squared_error(value + step, goal) - squared_error(value - step, goal)
                for goal in goals
            )
            sizes = ((step**2).sum(-1), ((value - goals[0]) ** 2).sum(-1))
            return np.stack([given - mean, *sizes], -1)

        difference, of_step, of_rest = expectation(joint(target), terms)
        return float(abs(difference) / (1e-6 * speed**2 + np.sqrt(of_step * of_rest)))

    return gap.for_all(
        examples=15,
        target=mixtures(dim=1, smallest=0.3),
        schedule=schedules(),
        t=floats(0.1, 0.9),
        v=fields(),
        along=fields(),
    )
