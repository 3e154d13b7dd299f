"""48. The stochasticity may vary in time: any η_t keeps the marginals (a constant: row 43)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import pi, sin, sqrt
from typing import Any

from analytic import GaussianMixture
from dfbench.grids import uniform_t
from dfbench.levels import Grid
from dfbench.literature.limits import BOUND, DERIVATION, OneStep, law_gap
from dfbench.literature.statement import largest_of, row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import VE, Cosine, FlowMatching, LinearVP, Schedule

LINE = GaussianMixture.isotropic([0.35, 0.65], [[-1.2], [0.9]], [0.09, 0.16])
Eta = Callable[[float], float]
# The last two switch the noise on and off, halfway, where a step begins.
NOISES: dict[str, Eta] = {
    "3t/2": lambda t: 1.5 * t,
    "sin² πt": lambda t: sin(pi * t) ** 2,
    "0 after ½": lambda t: float(t > 0.5 + 1e-9),
    "0 before ½": lambda t: float(t < 0.5 + 1e-9),
}
# with the ends of the run: VE's levels grow by a factor of 1.08 in a hundredth of t
SCHEDULES: dict[str, tuple[Schedule, float, float]] = {
    "cosine": (Cosine(), 0.8, 0.2),
    "flow matching": (FlowMatching(), 0.8, 0.2),
    "linear β": (LinearVP(), 0.7, 0.3),
    "variance exploding": (VE(0.01, 20.0), 0.6, 0.4),
}

Payment = Callable[[Eta], Eta]  # η_t of the noise → η_t that the drift pays for


def paid(size: float = 0.0) -> Payment:
    """What there is; a part more of its variance."""
    return lambda eta: lambda t: sqrt(1 + size) * eta(t)


def reverse(eta: Eta, drift: Eta, schedule: Schedule) -> OneStep:
    """`reverse_sde` with the noise of η_t and the drift of another."""

    def step(model: Any, z: Any, grid: Grid, noise: Any) -> Any:
        assert grid.t is not None
        sde, t = METHODS["reverse_sde"], float(grid.t[0])
        still, moved = (sde(model, z, grid, n, eta=eta(t)) for n in (lambda *_: 0.0, noise))
        return sde(model, z, grid, lambda *_: 0.0, eta=drift(t)) + (moved - still)

    return step


def interpolant(eta: Eta, drift: Eta, schedule: Schedule) -> OneStep:
    """`interpolant_sde` with ε_t = η_t g_t."""

    def step(model: Any, z: Any, grid: Grid, noise: Any) -> Any:
        sde = METHODS["interpolant_sde"]

        def rate(of: Eta) -> Eta:
            return lambda t: of(t) * sqrt(schedule.g2(t))

        quiet = [sde(model, z, grid, lambda *_: 0.0, epsilon=rate(of)) for of in (drift, eta)]
        return quiet[0] + (sde(model, z, grid, noise, epsilon=rate(eta)) - quiet[1])

    return step


@row(
    "48",
    r"dz=\big(f_tz-\tfrac12(1+\eta_t^2)g_t^2s\big)dt+\eta_tg_t\,dw=\big(u-\tfrac12\varepsilon_t^2s"
    r"\big)dt+\varepsilon_t\,dw,\ \varepsilon_t=\eta_tg_t:\quad z_t\sim p_t\text{ for every }"
    r"\eta_t\ge0\text{ of }t",
    title="Stochasticity that varies in time",
    source="GAO, ALB",
    condition="the exact score, a start at the marginal, small steps; at every time the drift pays "
    "for the noise of that time (for its average over the run it does not do)",
    subject=paid,
    control=paid,
    control_size=2e-5,
)
def check(payment: Payment) -> Finding:
    """Two modes: the limit of E e^{iωz} at the end of the run against the marginal's, for every
    η_t on the cosine schedule and two of them on others; as the reverse SDE, or the interpolant's.
    """
    gaps: dict[str, float] = {}
    for of, (schedule, *ends) in SCHEDULES.items():
        run = partial(at_times, schedule, ends)
        form = interpolant if of == "flow matching" else reverse
        for name, eta in list(NOISES.items())[:: 1 if of == "cosine" else 2]:
            step = form(eta, payment(eta), schedule)
            gaps[f"{of}, η_t = {name}"] = law_gap(step, LINE, run)
    return largest_of(gaps, BOUND, unit="of E e^{iωz}", derivation=DERIVATION)


def at_times(schedule: Schedule, ends: Sequence[float], n: int) -> Grid:
    """n equal steps of t between the ends."""
    return uniform_t(schedule, n, *ends)
