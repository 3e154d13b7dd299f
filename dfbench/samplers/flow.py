"""Flow matching: the velocity ODE by Runge–Kutta."""

from __future__ import annotations

from typing import Any

from dfbench.levels import Grid, Level
from dfbench.samplers.method import Model, Noise, method
from dfbench.samplers.ode import STEPS, Derivative, in_time, rule, solver_traits, times


def flow_time(level: Level) -> float:
    """σ/(α+σ): the time t of the flow schedule (1 − t, t) with the same log-SNR."""
    return level.sigma / (level.alpha + level.sigma)


def in_flow_time(model: Model, t: Level, s: Level) -> Derivative:
    """dy/dτ = û with y = z/(α+σ) and τ = σ/(α+σ), over the step from t to s."""

    def field(y: Any, tau: float) -> Any:
        level = {flow_time(t): t, flow_time(s): s}.get(tau, Level(1 - tau, tau))
        return model((level.alpha + level.sigma) * y, level).u

    return field


@method(
    "Lipman et al. 2022, arXiv 2210.02747; Liu et al. 2022, arXiv 2209.03003",
    solver_traits(),
)
def flow_matching(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    solver: str = "euler",
    to_the_end: bool = False,
) -> Any:
    """dz/dt = û for α = 1 − t, σ = t, by one of `ode.STEPS`.

    On other levels it works on z/(α+σ), which has the flow schedule (GAO). Solvers that look at the
    end of a step ("heun", "rk4", "three-eighths") fall back to Euler onto σ = 0, unless
    `to_the_end`, which takes a network that returns û itself.
    """
    for t, s in grid.steps():
        y = 1 / (t.alpha + t.sigma) * z
        step = STEPS[solver] if to_the_end and solver in STEPS else rule(solver, s)
        y = step(in_flow_time(model, t, s), y, flow_time(t), flow_time(s))
        z = (s.alpha + s.sigma) * y
    return z


@method(
    "Lipman et al. 2022, arXiv 2210.02747, eq. 15 averaged over the data",
    solver_traits(scale_invariant=False, exact_on_points=False),
)
def velocity(model: Model, z: Any, grid: Grid, noise: Noise, *, solver: str = "euler") -> Any:
    """dz/dt = α̇ x̂ + σ̇ ε̂ under any schedule, by "euler", "midpoint", "heun" or "rk4".

    The field of `probability_flow`, written so that it exists at α = 0 too; on the flow schedule
    it is `flow_matching`.
    """
    ts, _ = times(grid)
    for i, (_, s) in enumerate(grid.steps()):
        z = rule(solver, s)(in_time(model, grid, i, "velocity"), z, ts[i], ts[i + 1])
    return z
