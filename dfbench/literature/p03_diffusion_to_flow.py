"""P3. From the SDE (f, g, η) to the levels (α, σ, ε)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dfbench.levels import Array
from dfbench.literature.calculus import gauss_legendre
from dfbench.literature.forms import on_both
from dfbench.literature.parts import within
from dfbench.literature.statement import printed
from dfbench.outcome import Finding
from dfbench.schedules import EDM, Schedule
from dfbench.testing import floats, schedules

Sigma = Callable[[Array, Array], float]  # (weights · g² e^{−2∫f}, E_t = e^{∫f}) → σ_t


def times_alpha(power: float) -> Sigma:
    """σ_t = α_t^power (∫ g_s² exp(−2 ∫_0^s f) ds)^½."""
    return lambda integrand, alpha: float(alpha**power * np.sqrt(integrand.sum()))


@printed(
    "P3",
    r"\alpha_t=e^{\int_0^t f_s ds},\quad"
    r"\sigma_t=\Big(\int_0^t g_s^2e^{-2\int_0^s f_u du}ds\Big)^{1/2},\quad\epsilon_t=\eta_tg_t",
    title="Diffusion to flow matching",
    source="GAO",
    holds=False,
    corrected=r"\sigma_t=\alpha_t\Big(\int_0^t g_s^2e^{-2\int_0^s f_u du}ds\Big)^{1/2}"
    r"=\Big(\int_0^t g_s^2e^{2\int_s^t f_u du}ds\Big)^{1/2}",
    where="where f = 0 (variance exploding): the printed σ_t is σ_t/α_t. Unstated: α_0 = 1 and "
    "σ_0 = 0; from σ_0 > 0, σ_0² comes under the root. α_t and ε_t are right",
    subject=lambda: (times_alpha(0.0), times_alpha(1.0)),
    control=lambda size: (times_alpha(0.0), times_alpha(1.0 + size)),
    control_size=8e-11,
)
def check(pair: tuple[Sigma, Sigma]) -> Finding:
    """σ by quadrature of f and g² against the schedule's closed form."""
    unit, weights = gauss_legendre(48)

    @within(1e-12, "relative", "Gauss–Legendre with 48 nodes twice: below round-off here")
    def off(form: Sigma, schedule: Schedule, t: float) -> float:
        s = t * unit
        inner = s * (schedule.f(s[:, None] * unit) @ weights)  # ∫_0^s f
        alpha = np.exp(t * (schedule.f(s) @ weights))
        sigma = form(t * weights * schedule.g2(s) * np.exp(-2 * inner), alpha)
        ratios = np.array([sigma / schedule.sigma(t), alpha / schedule.alpha(t)])
        return float(np.abs(ratios - 1).max())

    clean = schedules().filter(lambda schedule: schedule.sigma(0.0) == 0)
    exploding = {"printed, where f = 0": off(pair[0], EDM(2.0), 0.5)}
    return on_both(
        off, pair, holds=False, quantities=exploding, schedule=clean, t=floats(0.05, 0.9)
    )
