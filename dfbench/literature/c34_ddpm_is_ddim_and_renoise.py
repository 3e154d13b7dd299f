"""34. A DDPM step is a DDIM step twice as far, followed by forward noising."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dfbench.grids import regular
from dfbench.levels import Grid, Level, grid_of
from dfbench.literature.parts import within
from dfbench.literature.statement import row, worst_of
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.table import Table
from dfbench.testing import grids, levels_pairs

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
    "34",
    r"\text{DDPM}_{\lambda\to\lambda+\Delta}=\text{noising}_{\lambda+2\Delta\to\lambda+\Delta}"
    r"\circ\text{DDIM}_{\lambda\to\lambda+2\Delta}\quad\text{with }\tilde\beta",
    title="DDPM is DDIM and renoise",
    source="GAO",
    condition="the reverse variance is β̃; with β it is not",
    subject=ddpm_step,
    control=lambda size: ddpm_step(size),  # log-interpolated towards β
    control_size=1.0,
)
def check(step: Step) -> Finding:
    """Coefficients of both, for any two levels on any scale."""

    @within(1e-12, "of the state's size", "round-off in float64")
    def gap(grid: Grid) -> float:
        table = step(grid)
        weights, noise = ddim_and_renoise(grid)
        size = float(np.hypot(*grid[1]))
        both = np.append(table.rows[-1][:2] - weights, abs(table.rows[-1][2]) - noise)
        return float(np.abs(both).max()) / size

    finding = gap.for_all(grid=levels_pairs())
    named = other_names.for_all(examples=10, grid=grids(2, 5))
    return replace(worst_of(finding, named), quantities=_sizes())


#: Methods that are DDPM with β̃ under other names.
SAME = (
    ("ddim", {"eta": 1.0}),
    ("exponential_sde", {"eta": 1.0}),
    ("predictor_corrector", {"predictor": "ancestral", "n_corrector": 0, "denoise": False}),
)


@within(1e-12, "of the state's size", "round-off in float64")
def other_names(grid: Grid) -> float:
    """How far they are from it over a run, relative to the state; and ε̂ held constant instead."""
    size, gaps = float(np.hypot(*grid[-1])), []
    mine = METHODS["ddpm"].table(grid, "x").rows[-1]
    for name, options in SAME:
        theirs = METHODS[name].table(grid, "x", **options).rows[-1]
        count = 1 + grid.n_steps  # the noise after them has a free sign
        both = np.append(theirs[:count] - mine[:count], abs(theirs[count:]) - abs(mine[count:]))
        gaps.append(float(np.abs(both).max()) / size)
    now, to = grid[0], grid[1]
    step, eta = Grid(grid.alpha[:2], grid.sigma[:2]), 0.7
    held = METHODS["exponential_sde"].table(step, "eps", eta=eta, hold="eps").rows[-1]
    true = to.alpha * np.array(
        [
            1 / now.alpha,
            (1 + eta**2) * (to.ratio - now.ratio),
            eta * np.sqrt(now.ratio**2 - to.ratio**2),
        ]
    )
    both = np.append(held[:2] - true[:2], abs(held[2]) - true[2])
    gaps.append(float(np.abs(both).max()) / float(np.hypot(*to)))
    return float(np.max(gaps))


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
