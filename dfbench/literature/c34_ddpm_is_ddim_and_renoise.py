"""34. A DDPM step is a DDIM step twice as far, followed by forward noising."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dfbench.grids import regular
from dfbench.levels import Grid, Level, grid_of
from dfbench.literature.parts import within
from dfbench.literature.statement import row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.table import Table
from dfbench.testing import levels_pairs

DDPMStep = Callable[[Grid], Table]  # one DDPM step between the two levels of a grid


def ddpm_step(variance: float | str = "beta_tilde") -> DDPMStep:
    """The table of one DDPM step with a reverse variance."""
    return lambda grid: METHODS["ddpm"].table(grid, "x", variance=variance)


def ddim_and_renoise(grid: Grid) -> tuple[np.ndarray, float]:
    """Weights of (z, x̂) and the noise of: DDIM from λ to λ + 2Δ, forward noising to λ + Δ."""
    now, to = grid[0], grid[1]
    far = to.ratio**2 / now.ratio  # σ/α at λ + 2Δ, on the scale of the end of the step
    ddim = METHODS["ddim"].table(grid_of([now, Level(to.alpha, to.alpha * far)]), "x")
    return ddim.rows[-1], to.alpha * np.sqrt(to.ratio**2 - far**2)


@row(
    "34",
    r"\text{DDPM}_{\lambda\to\lambda+\Delta}=\text{noising}_{\lambda+2\Delta\to\lambda+\Delta}"
    r"\circ\text{DDIM}_{\lambda\to\lambda+2\Delta}\quad\text{with }\tilde\beta",
    title="DDPM is DDIM and renoise",
    source="GAO",
    condition="the reverse variance is β̃; with β it is not",
    subject=ddpm_step,
    control=lambda size: ddpm_step(size),  # log-interpolated towards β
    control_size=4e-10,
)
def check(step: DDPMStep) -> Finding:
    """Coefficients of both, for any two levels on any scale."""

    @within(1e-12, "of the state's size", "round-off in float64")
    def gap(grid: Grid) -> float:
        table = step(grid)
        weights, noise = ddim_and_renoise(grid)
        size = float(np.hypot(*grid[1]))
        both = np.append(table.rows[-1][:2] - weights, abs(table.rows[-1][2]) - noise)
        return float(np.abs(both).max()) / size

    return replace(gap.for_all(grid=levels_pairs()), quantities=_sizes())


def _sizes() -> dict[str, float]:
    """How far β is from exact on N steps from λ = −10 to 10, variance preserving.

    Its noise over that of DDIM and renoise, in a step from λ = 0; and the standard deviation of
    the sample over σ, for data at a point.
    """
    found, end = {}, regular(-10, 10, 1).sigma[-1]
    for n in (10, 100, 1000):
        step, run = regular(0, 20 / n, 1), regular(-10, 10, n)
        excess = abs(ddpm_step("beta")(step).rows[-1][2]) / ddim_and_renoise(step)[1] - 1
        _, var = METHODS["ddpm"].table(run, "x", variance="beta").point_response()
        found[f"β, {n} steps: noise of a step too large by"] = float(excess)
        found[f"β, {n} steps: spread of the sample too large by"] = float(
            np.sqrt(var[-1]) / end - 1
        )
    return found
