"""34. A DDPM step is a DDIM step twice as far, followed by forward noising."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dfbench.claims.base import Finding
from dfbench.claims.literature.base import for_all, row
from dfbench.levels import Grid, Level, grid_of
from dfbench.samplers import METHODS
from dfbench.table import Table
from dfbench.testing import levels_pairs

Step = Callable[[Grid], Table]  # one DDPM step between the two levels of a grid


def ddpm_step(variance: float | str = "beta_tilde") -> Step:
    """The table of one DDPM step with a reverse variance."""
    return lambda grid: METHODS["ddpm"].table(grid, "x", variance=variance)


def ddim_and_renoise(grid: Grid) -> tuple[np.ndarray, float]:
    """Weights of (z, x̂) and the noise of: DDIM from λ to λ + 2Δ, forward noising to λ + Δ."""
    now, to = grid[0], grid[1]
    far = to.ratio**2 / now.ratio  # σ/α at λ + 2Δ, on the scale of the end of the step
    ddim = METHODS["ddim"].table(grid_of([now, Level(to.alpha, to.alpha * far)]), "x")
    return ddim.rows[-1], to.alpha * np.sqrt(to.ratio**2 - far**2)


@row(
    34,
    "DDPM is DDIM and renoise",
    r"\text{DDPM}_{\lambda\to\lambda+\Delta}=\text{noising}_{\lambda+2\Delta\to\lambda+\Delta}"
    r"\circ\text{DDIM}_{\lambda\to\lambda+2\Delta}\quad\text{with }\tilde\beta",
    source="GAO",
    condition="the reverse variance is β̃; with β it is not",
    subject=ddpm_step,
    control=lambda size: ddpm_step(size),  # log-interpolated towards β
    control_size=1.0,
)
def check(step: Step) -> Finding:
    """Coefficients of both, for any two levels on any scale."""

    def gap(grid: Grid) -> float:
        table = step(grid)
        weights, noise = ddim_and_renoise(grid)
        size = float(np.hypot(*grid[1]))
        both = np.append(table.rows[-1][:2] - weights, abs(table.rows[-1][2]) - noise)
        return float(np.abs(both).max()) / size

    return for_all(gap, 1e-12, unit="of the state's size", derivation="round-off in float64",
                   grid=levels_pairs())  # fmt: skip
