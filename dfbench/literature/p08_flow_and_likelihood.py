"""P8. The flow's derivative, and the likelihood along it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analytic import GaussianMixture, gaussian_flow_map
from dfbench.literature.calculus import derivative, gauss_legendre
from dfbench.literature.forms import on_both
from dfbench.literature.parts import within
from dfbench.literature.statement import printed
from dfbench.outcome import Finding, judge
from dfbench.schedules import FunctionSchedule, Schedule
from dfbench.testing import floats, schedules

FlowPath = Callable[[float], float]  # δ → x_{t+δ} on the exact flow
Velocity = Callable[[FlowPath, float], float]

BOUND = 1e-11  # of the likelihood: Gauss–Legendre with 40 nodes


def quotient(path: FlowPath, delta: float) -> float:
    """(x_{t+δ} − x_t)/δ, the limit left out."""
    return (path(delta) - path(0.0)) / delta


def limit(size: float = 0.0) -> Velocity:
    """lim_{δ→0} (x_{t+δ} − x_t)/δ, whatever δ; the defect is a δ that stays."""
    return lambda path, delta: float(derivative(path, size * delta, 2e-3))


@printed(
    "P8",
    r"\frac{dx_t}{dt}=\lim_{\delta\to0}\frac{x_{t+\delta}-x_t}\delta"
    r"=\frac{\phi_t(x_t)-x_t}\delta=u_t(x_t),\qquad"
    r"\log p_1(x)=\log p_0(x_0)-\int_0^1(\operatorname{div}u)(x_t)\,dt",
    title="Flow and likelihood",
    source="HE, in lecture form",
    holds=False,
    corrected=r"\frac{dx_t}{dt}=\lim_{\delta\to0}\frac{\phi_{t,t+\delta}(x_t)-x_t}\delta=u_t(x_t),"
    r"\qquad\log p_1(x_1)=\log p_0(x_0)-\int_0^1(\operatorname{div}u_t)(x_t)\,dt",
    where="the middle term where the limit is taken, or where φ_t is one residual step "
    "x + δ u_t(x) and not the flow; the likelihood where x is x_1, the end of "
    "the path that starts at x_0",
    subject=lambda: (quotient, limit()),
    control=lambda size: (quotient, limit(size)),
    control_size=6e-9,
)
def check(pair: tuple[Velocity, Velocity]) -> Finding:
    """u = α̇ E[x|z] + σ̇ E[ε|z] against the exact flow of Gaussians; the density at the end of the
    path against the integral of the divergence."""

    @within(1e-11, "relative", "eight-neighbour differences: h⁸ times the ninth derivative")
    def off(form: Velocity, schedule: Schedule, variance: float, t: float, delta: float) -> float:
        data, x = GaussianMixture.isotropic([1.0], [[0.5]], variance), np.array([[1.0]])

        def path(step: float) -> float:
            levels = schedule.level(t), schedule.level(t + step)
            return float(gaussian_flow_map(x, [0.5], [variance], *levels)[0, 0])

        u = float(data.velocity(x, *schedule.level(t), *schedule.rates(t))[0, 0])
        return abs(form(path, delta) - u) / (1 + abs(u))

    at_end, at_start = likelihood(FunctionSchedule(lambda t: 1 - t / 2, lambda t: t + 0.1))
    ends = {"log-likelihood, x = x_1": at_end, "log-likelihood, x = x_0": at_start}
    if not at_end <= BOUND:
        why = "the likelihood fails at x_1"
        return judge(at_end, BOUND, unit="log-density", why=why, quantities=ends)
    return on_both(
        off,
        pair,
        holds=False,
        quantities=ends,
        schedule=schedules(),
        variance=floats(0.2, 4.0),
        t=floats(0.2, 0.8),
        delta=floats(0.01, 0.1),
    )


def likelihood(schedule: Schedule) -> tuple[float, float]:
    """|log p_1(x) − log p_0(x_0) + ∫ div u dt| for N(0.5, 2), with x = x_1 and with x = x_0."""
    data, x0 = GaussianMixture.isotropic([1.0], [[0.5]], 2.0), np.array([[1.0]])
    start = schedule.level(0.0)

    def at(t: float) -> np.ndarray:
        return gaussian_flow_map(x0, [0.5], [2.0], start, schedule.level(t))

    total = sum(
        w * data.velocity_divergence(at(t), *schedule.level(t), *schedule.rates(t))[0]
        for t, w in zip(*gauss_legendre(40), strict=True)
    )
    rest = data.log_density(x0, *start)[0] - total
    ends = (data.log_density(x, *schedule.level(1.0))[0] - rest for x in (at(1.0), x0))
    one, two = (float(abs(gap)) for gap in ends)
    return one, two
