"""45. (f, g, η) and (α, σ, ε) are the same hyper-parameters."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, sqrt
from typing import Any

import numpy as np
from scipy.integrate import quad

from dfbench.grids import uniform_t
from dfbench.literature.c08_sde_from_levels import NAMED, published
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import largest_of, row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import FunctionSchedule, Schedule, SDESchedule
from dfbench.testing import floats, schedules

Inverse = Callable[..., Schedule]
TIMES = np.linspace(0.0, 0.9, 7)
#: α_t and σ_t as SDE, LIP and EDM print them; β from 0.1 to 20, σ from 0.01 to 50, σ = 80 t.
PRINTED: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "VP": (lambda t: np.exp(-integral(t) / 2), lambda t: np.sqrt(-np.expm1(-integral(t)))),
    "sub-VP": (lambda t: np.exp(-integral(t) / 2), lambda t: -np.expm1(-integral(t))),
    "VE": (lambda t: 1 + 0 * t, lambda t: 0.01 * 5000.0**t),
    "flow matching": (lambda t: 1 - t, lambda t: t),
    "cosine": (lambda t: np.cos(np.pi * t / 2), lambda t: np.sin(np.pi * t / 2)),
    "EDM": (lambda t: 1 + 0 * t, lambda t: 80.0 * t),
}


def integral(t: Any) -> Any:
    """∫ β of the linear schedule."""
    return 0.1 * t + 19.9 * t**2 / 2


def from_sde(size: float = 0.0) -> Inverse:
    """`SDESchedule`; the defect is a factor on g²."""

    def schedule(f: Any, g2: Any, **start: float) -> Schedule:
        return SDESchedule(f, lambda t: (1 + size) * g2(t), **start)

    return schedule


@row(
    "45",
    r"f=\partial_t\log\alpha,\ g^2=2\alpha\sigma\,\partial_t(\sigma/\alpha),\ \eta=\epsilon/g"
    r"\quad\Longleftrightarrow\quad\alpha=\alpha_0e^{\int f},\ \sigma^2=\alpha^2\Big("
    r"\frac{\sigma_0^2}{\alpha_0^2}+\int\frac{g^2}{\alpha^2}\Big),\ \epsilon=\eta g",
    title="The two frameworks' hyper-parameters",
    source="GAO",
    condition="the level at t = 0 comes along: (f, g) alone do not know (α_0, σ_0)",
    subject=from_sde,
    control=from_sde,
    control_size=1e-7,
)
def check(inverse: Inverse) -> Finding:
    """There and back from levels, there and back from f and g², and one sampler either way."""
    derivation = "quadrature of f and g² to 1e-10"

    @within(1e-9, "relative", derivation)
    def levels(schedule: Schedule) -> float:
        alpha0, sigma0 = schedule.level(0.0)
        back = inverse(schedule.f, schedule.g2, alpha0=alpha0, sigma0=sigma0)
        pairs = [
            (back.alpha(TIMES), schedule.alpha(TIMES)),
            (back.sigma(TIMES), schedule.sigma(TIMES)),
        ]
        return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)

    @within(1e-9, "relative", derivation)
    def anchors(name: str) -> float:
        """From the f and g² that papers print to the levels that they print."""
        alpha, sigma = PRINTED[name]
        back = inverse(
            lambda t: published(NAMED[name], np.asarray(t))[0],
            lambda t: published(NAMED[name], np.asarray(t))[1],
            alpha0=float(alpha(0.0)),
            sigma0=float(sigma(0.0)),
        )
        gaps = [back.alpha(TIMES) - alpha(TIMES), back.sigma(TIMES) - sigma(TIMES)]
        return max(float(np.abs(gap).max()) for gap in gaps) / float(sigma(TIMES[-1]))

    @within(1e-9, "relative", derivation)
    def rates(drift: float, bend: float, noise: float, sigma0: float) -> float:
        def f(t: Any) -> Any:
            return -drift - bend * t

        def g2(t: Any) -> Any:
            return noise * (1 + t) ** 2

        def alpha(t: float) -> float:
            return exp(-drift * t - bend * t**2 / 2)

        there = inverse(f, g2, alpha0=1.0, sigma0=sigma0)
        again = FunctionSchedule(there.alpha, there.sigma, there.alpha_dot, there.sigma_dot)
        inside = TIMES[1:]
        gaps = [again.f(inside) / f(inside) - 1, again.g2(inside) / g2(inside) - 1]
        for t in inside:  # the integrals by another rule
            added, _ = quad(lambda s: g2(s) / alpha(s) ** 2, 0.0, t, epsabs=1e-13, epsrel=1e-12)
            found, truth = there.level(float(t)), (alpha(t), alpha(t) * sqrt(sigma0**2 + added))
            gaps.append(np.divide(found, truth) - 1)
        return max(float(np.abs(gap).max()) for gap in gaps)

    @within(1e-8, "relative", derivation)
    def samplers(schedule: Schedule, eta: float) -> float:
        alpha0, sigma0 = schedule.level(0.0)
        back = inverse(schedule.f, schedule.g2, alpha0=alpha0, sigma0=sigma0)
        diffusion = METHODS["reverse_sde"].table(uniform_t(schedule, 4, 0.9, 0.1), eta=eta)
        flow = METHODS["interpolant_sde"].table(
            uniform_t(back, 4, 0.9, 0.1), epsilon=lambda t: eta * float(schedule.g2(t)) ** 0.5
        )
        return float(np.abs(flow.rows - diffusion.rows).max() / np.abs(diffusion.rows).max())

    parts = {
        "levels, there and back": levels.for_all(examples=20, schedule=schedules()),
        "levels as printed from the SDE as printed": largest_of(
            {name: anchors(name) for name in PRINTED},
            anchors.bound,
            unit=anchors.unit,
            derivation=derivation,
        ),
        "SDE, there and back": rates.for_all(
            examples=10,
            drift=floats(0.1, 2.0),
            bend=floats(0.0, 5.0),
            noise=floats(0.1, 5.0),
            sigma0=floats(0.0, 1.0),
        ),
        "one sampler": samplers.for_all(examples=10, schedule=schedules(), eta=floats(0.1, 1.5)),
    }
    return decided(parts)
