"""P3. From the SDE (f, g, η) to the levels (α, σ, ε)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dfbench.grids import uniform_t
from dfbench.levels import Array
from dfbench.literature.calculus import gauss_legendre
from dfbench.literature.forms import on_both
from dfbench.literature.parts import within
from dfbench.literature.statement import printed
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import EDM, Schedule
from dfbench.testing import floats, schedules


@dataclass(frozen=True)
class Levels:
    """σ_t = α_t^power (∫ g_s² exp(−2 ∫_0^s f) ds)^½ and ε_t = noise η_t g_t."""

    power: float
    noise: float = 1.0

    def sigma(self, integrand: Array, alpha: Array) -> float:
        """From the weights times g² e^{−2∫f}, and E_t = e^{∫f}."""
        return float(alpha**self.power * np.sqrt(integrand.sum()))

    def epsilon(self, eta: float, g2: float) -> float:
        """ε_t."""
        return self.noise * eta * float(np.sqrt(g2))


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
    subject=lambda: (Levels(0.0), Levels(1.0)),
    control=lambda size: (Levels(0.0), Levels(1.0 + size)),
    control_size=8e-11,
)
def check(pair: tuple[Levels, Levels]) -> Finding:
    """σ by quadrature of f and g² against the schedule's closed form; and the step of the SDE with
    η against that of the interpolant with ε."""
    unit, weights = gauss_legendre(48)

    @within(1e-12, "relative", "Gauss–Legendre with 48 nodes twice: below round-off here")
    def off(form: Levels, schedule: Schedule, t: float) -> float:
        s = t * unit
        inner = s * (schedule.f(s[:, None] * unit) @ weights)  # ∫_0^s f
        alpha = np.exp(t * (schedule.f(s) @ weights))
        sigma = form.sigma(t * weights * schedule.g2(s) * np.exp(-2 * inner), alpha)
        ratios = np.array([sigma / schedule.sigma(t), alpha / schedule.alpha(t)])
        return float(np.abs(ratios - 1).max())

    @within(1e-12, "of the state's size", "round-off in float64 of a step")
    def step(schedule: Schedule, t: float, eta: float) -> float:
        """z + dz of dz = (f z − ½ (1 + η²) g² s) dt + η g dw and of dz = (u − ½ ε² s) dt + ε dw."""
        grid = uniform_t(schedule, 1, t, t - 0.04)
        sde = METHODS["reverse_sde"].table(grid, "eps", eta=eta)
        epsilon = pair[1].epsilon(eta, float(schedule.g2(t)))
        flow = METHODS["interpolant_sde"].table(grid, "eps", epsilon=epsilon)
        return float(flow.gaps(sde).max())

    clean = schedules().filter(lambda schedule: schedule.sigma(0.0) == 0)
    exploding = {"printed, where f = 0": off(pair[0], EDM(2.0), 0.5)}
    levels = on_both(
        off, pair, holds=False, quantities=exploding, schedule=clean, t=floats(0.05, 0.9)
    )
    noise = step.for_all(schedule=schedules(), t=floats(0.05, 0.9), eta=floats(0.1, 2.0))
    return levels if noise.verdict == "pass" else replace(noise, quantities=levels.quantities)
