"""P6. One DDPM step, or DDIM twice as far and renoising."""

from __future__ import annotations

import numpy as np

from dfbench.grids import regular
from dfbench.levels import Grid
from dfbench.literature.c34_ddpm_is_ddim_and_renoise import DDPMStep, ddim_and_renoise, ddpm_step
from dfbench.literature.forms import on_both
from dfbench.literature.parts import within
from dfbench.literature.statement import printed
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.testing import levels_pairs


@printed(
    "P6",
    r"\text{performing one DDPM sampling step going from }\lambda_t\text{ to }\lambda_t+"
    r"\Delta\lambda\text{ is exactly equivalent to one DDIM step to }\lambda_t+2\Delta\lambda"
    r"\text{ and then renoising to }\lambda_t+\Delta\lambda",
    title="DDPM as DDIM and renoising",
    source="GAO",
    holds=False,
    corrected=r"\text{with the reverse variance }\tilde\beta\text{, and one model output for the "
    r"whole way}",
    where="with β̃ (HO's fixed-small variance) and a single evaluation at λ_t: then exactly, row "
    "34. Not with HO's other variance β, nor if the way to λ + 2Δ is two DDIM steps",
    subject=lambda: (ddpm_step("beta"), ddpm_step("beta_tilde")),
    control=lambda size: (ddpm_step("beta"), ddpm_step(size)),  # interpolated towards β
    control_size=5e-10,
)
def check(pair: tuple[DDPMStep, DDPMStep]) -> Finding:
    """Weights of z and of the output, and the noise, of one step on any scale."""

    @within(1e-12, "of the state's size", "round-off in float64")
    def gap(step: DDPMStep, grid: Grid) -> float:
        table = step(grid)
        weights, noise = ddim_and_renoise(grid)
        both = np.append(table.rows[-1][:2] - weights, abs(table.rows[-1][2]) - noise)
        return float(np.abs(both).max() / np.hypot(*grid[1]))

    twice = {"with two outputs": evaluated_twice()}
    return on_both(gap, pair, holds=False, quantities=twice, grid=levels_pairs())


def evaluated_twice() -> float:
    """Relative change of the variance if DDIM evaluates the model again halfway (Δλ = 1)."""
    levels = regular(-1.0, 1.0, 2)
    twice = METHODS["ddim"].table(levels, "x").law(4.0).variance
    back, end = levels[1], levels[2]
    a = back.alpha / end.alpha
    renoised = a**2 * twice + back.sigma**2 - (a * end.sigma) ** 2
    once = METHODS["ddpm"].table(Grid(levels.alpha[:2], levels.sigma[:2]), "x").law(4.0).variance
    return float(np.abs(renoised / once - 1).max())
