"""P4. From the levels (α, σ, ε) to the SDE (f, g, η)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dfbench.grids import uniform_t
from dfbench.literature.calculus import derivative
from dfbench.literature.forms import on_both
from dfbench.literature.parts import within
from dfbench.literature.statement import largest, printed
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import Schedule
from dfbench.testing import floats, schedules

Form = Callable[[Schedule, float, float], tuple[float, float, float]]


def to_diffusion(size: float = 0.0) -> Form:
    """(f, g², η) of a schedule with ε_t; the defect is a factor on 2 in η."""

    def form(schedule: Schedule, t: float, eps: float) -> tuple[float, float, float]:
        alpha, sigma = schedule.level(t)
        alpha_dot, sigma_dot = schedule.rates(t)
        ratio_dot = (sigma_dot * alpha - sigma * alpha_dot) / alpha**2
        g2 = 2 * alpha * sigma * ratio_dot
        return alpha_dot / alpha, g2, eps / np.sqrt((1 + size) * g2)

    return form


@printed(
    "P4",
    r"f_t=\partial_t\log\alpha_t,\quad g_t^2=2\alpha_t\sigma_t\partial_t(\sigma_t/\alpha_t),\quad"
    r"\eta_t=\epsilon_t/(2\alpha_t\sigma_t\partial_t(\sigma_t/\alpha_t))^{1/2}",
    title="Flow matching to diffusion",
    source="GAO",
    holds=True,
    corrected=r"\text{as printed}",
    where="wherever 0 < α, 0 < σ and σ/α rises: η is ε/g, and at an end with g = 0 or ∞ only "
    "ε = η g is left of it",
    subject=lambda: (to_diffusion(), to_diffusion()),
    control=lambda size: (to_diffusion(size), to_diffusion(size)),
    control_size=3e-9,
)
def check(pair: tuple[Form, Form]) -> Finding:
    """f and g² against the moments of the SDE, α̇ = f α and (σ²)˙ = 2 f σ² + g² by differences;
    η by the tables of the two reverse SDEs, which are one."""

    @within(1e-11, "relative", "eight-neighbour differences: h⁸ times the ninth derivative")
    def off(form: Form, schedule: Schedule, t: float, eps: float) -> float:
        f, g2, eta = form(schedule, t, eps)
        alpha, sigma = schedule.level(t)
        rate = derivative(schedule.alpha, t, 2e-3)
        spread = derivative(lambda s: schedule.sigma(s) ** 2, t, 2e-3)
        moments = largest(
            abs(rate - f * alpha) / (alpha + abs(rate)),
            abs(spread - 2 * f * sigma**2 - g2) / (g2 + abs(spread)),
        )
        grid = uniform_t(schedule, 1, t, t / 2)
        one = METHODS["reverse_sde"].table(grid, "eps", eta=eta)
        two = METHODS["interpolant_sde"].table(grid, "eps", epsilon=eps)
        apart = np.abs(one.rows - two.rows).max() / np.abs(two.rows).max()
        return largest(moments, apart)

    return on_both(
        off, pair, holds=True, schedule=schedules(), t=floats(0.1, 0.9), eps=floats(0.1, 3.0)
    )
