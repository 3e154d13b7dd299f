"""8. From (α_t, σ_t) back to the SDE, and from the SDE to (α_t, σ_t)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dfbench.levels import Array
from dfbench.literature.calculus import derivative
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import row
from dfbench.outcome import Finding
from dfbench.schedules import EDM, VE, Cosine, FlowMatching, LinearVP, Schedule, SDESchedule, SubVP
from dfbench.testing import floats, schedules

SDE = Callable[[Schedule, Array], tuple[Array, Array]]  # (f, g²) at times t


def of_schedule(diffusion: float = 1.0) -> SDE:
    """f and g² as the package derives them, g² taken `diffusion` times."""
    return lambda schedule, t: (schedule.f(t), diffusion * schedule.g2(t))


def published(schedule: Schedule, t: Array) -> tuple[Array, Array]:
    """(f, g²) as the papers print them.

    SDE eq. 25–33 for VP, sub-VP and VE; LIP's path is −1/(1−t), 2t/(1−t); EDM's σ = σ_max t.
    """
    zero = np.zeros_like(t)
    match schedule:
        case LinearVP(low, high) | SubVP(low, high):
            beta, integral = low + t * (high - low), low * t + (high - low) * t**2 / 2
            full = isinstance(schedule, LinearVP)
            return -beta / 2, beta if full else -beta * np.expm1(-2 * integral)
        case VE(low, high):
            return zero, 2 * np.log(high / low) * (low * (high / low) ** t) ** 2
        case FlowMatching():
            return -1 / (1 - t), 2 * t / (1 - t)
        case Cosine():
            tan = np.tan(np.pi * t / 2)
            return -np.pi / 2 * tan, np.pi * tan
        case EDM(high):
            return zero, 2 * high**2 * t
    raise ValueError(f"no published SDE for {schedule}")


NAMED: dict[str, Schedule] = {
    "VP": LinearVP(),
    "sub-VP": SubVP(),
    "VE": VE(),
    "flow matching": FlowMatching(),
    "cosine": Cosine(),
    "EDM": EDM(),
}


@within(1e-13, "relative", "rounding of exponents up to 10, and of 1 − t: 10² ε")
def published_gap(sde: SDE, schedule: str) -> float:
    """The formulas against those printed, relative, at 40 times."""
    t = np.linspace(0.02, 0.98, 40)
    pairs = zip(sde(NAMED[schedule], t), published(NAMED[schedule], t), strict=True)
    gaps = [(np.abs(a - b) / np.maximum(np.abs(b), 1e-300)).max() for a, b in pairs]
    return float(np.max(gaps))  # a NaN stays one


@within(
    1e-11,
    "relative",
    "differences: h⁸ σ⁽⁹⁾/630 = 6e-14 of σ̇ for σ = √t and σ/α = t/(1−t) in "
    "[0.1, 0.9], rounding ε/h = 2e-13 of levels good to 10 ε",
)
def levels_gap(sde: SDE, schedule: Schedule, t: float) -> float:
    """f = ∂ log α and g² = 2 α σ ∂(σ/α) with the derivatives taken by differences of the levels."""
    at = np.array([t])
    f, g2 = (float(c[0]) for c in sde(schedule, at))
    alpha, sigma = schedule.level(t)
    drift = derivative(lambda s: np.log(schedule.alpha(s)), t, 1e-3)
    ratio = derivative(lambda s: schedule.sigma(s) / schedule.alpha(s), t, 1e-3)
    true = 2 * alpha * sigma * ratio
    return float(np.max([abs(f - drift) / (1 + abs(drift)), abs(g2 - true) / true]))


@within(1e-9, "relative", "the integrals' own tolerance 1e-10, α and σ its exponentials")
def inverse_gap(sde: SDE, schedule: Schedule, t: float) -> float:
    """The levels that the SDE (f, g²), started at the schedule's own, comes to."""
    start, at = schedule.level(0.0), np.array([t])
    back = SDESchedule(
        lambda s: sde(schedule, s)[0],
        lambda s: sde(schedule, s)[1],
        alpha0=start.alpha,
        sigma0=start.sigma,
    )
    found, truth = back.level(float(at[0])), schedule.level(t)
    return float(np.max([abs(a / b - 1) for a, b in zip(found, truth, strict=True)]))


@row(
    "8",
    r"f_t=\partial_t\log\alpha_t,\quad g_t^2=2\alpha_t\sigma_t\,\partial_t(\sigma_t/\alpha_t);"
    r"\qquad \alpha_t=e^{\int_0^t f},\quad \sigma_t^2=\int_0^t g_s^2\,e^{2\int_s^t f}\,ds",
    title="SDE from levels, and back",
    source="SU, SDE, GAO",
    condition="α_t > 0, σ_t/α_t rises, and the inverse starts at the level (α_0, σ_0); the control "
    "has another g²",
    subject=of_schedule,
    control=lambda size: of_schedule(1 + size),
    control_size=6e-12,
)
def check(sde: SDE) -> Finding:
    """Against the printed formulas, differences of the levels, and the levels it leads back to."""
    cases: dict[str, Any] = {"schedule": schedules(), "t": floats(0.1, 0.9)}
    parts = {
        "against printed formulas, largest": published_gap.for_all(
            sde, schedule=st.sampled_from(sorted(NAMED))
        ),
        "against differences of the levels": levels_gap.for_all(sde, **cases),
        "levels from f and g²": inverse_gap.for_all(sde, examples=12, **cases),
    }
    gaps = {f"against the printed formula, {name}": published_gap(sde, name) for name in NAMED}
    return decided(parts, gaps)
