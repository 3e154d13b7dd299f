"""23. DDPM's variances: β is exact for data N(0, I), β̃ for data at one point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from dfbench.levels import Grid
from dfbench.literature.parts import within
from dfbench.literature.statement import largest, row, worst_of
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import at_log_snr
from dfbench.testing import floats, levels_pairs

SYMBOLS = {"beta": "β", "beta_tilde": "β̃"}
StepNoise = Callable[[str, Grid], float]  # variance's name and one step → std of what is drawn


def ddpm(name: str, grid: Grid) -> float:
    """From the table of one step of DDPM."""
    table = METHODS["ddpm"].table(grid, "x", variance=name)
    return float(abs(table.rows[-1, 2]))


def broken(size: float) -> StepNoise:
    """The two variances mixed: a step of `size` from each towards the other."""

    def mixed(name: str, grid: Grid) -> float:
        other = {"beta": "beta_tilde", "beta_tilde": "beta"}[name]
        return float(ddpm(name, grid) ** (1 - size) * ddpm(other, grid) ** size)

    return mixed


def reverse_std(variance: float, grid: Grid) -> float:
    """√Var[z_s|z_t] for data of a variance, from the joint Gaussian law of z_s and z_t.

    Var = V_s − cov²/V_t = V_s N/V_t with N the noise from s to t: all terms of one sign.
    """
    t, s = grid[0], grid[1]
    keep = t.alpha / s.alpha
    noise = (t.sigma - keep * s.sigma) * (t.sigma + keep * s.sigma)
    v_s = s.alpha**2 * variance + s.sigma**2
    return float(np.sqrt(v_s * noise / (keep**2 * v_s + noise)))


@row(
    "23",
    r"\operatorname{Var}[z_s|z_t]=\beta_t\text{ for }x\sim\mathcal N(0,I),\qquad"
    r"\operatorname{Var}[z_s|z_t]=\tilde\beta_t\text{ for }x=x_0",
    title="Reverse variances",
    source="HO",
    condition="β: variance preserving (α² + σ² = 1) at both ends of the step; β̃: any scale. For "
    "data in between the exact variance is in between",
    subject=lambda: ddpm,
    control=broken,
    control_size=1.5e-10,
)
def check(noise: StepNoise) -> Finding:
    """What the steps draw, against the conditional law."""
    exact = within(
        1e-12, "relative", "round-off in float64, a difference of levels a step of 0.1 apart"
    )

    @exact
    def normal(low: float, step: float) -> float:
        grid = Grid(*at_log_snr(np.array([low, low + step])))
        return abs(noise("beta", grid) / reverse_std(1.0, grid) - 1)

    @exact
    def point(grid: Grid) -> float:
        return abs(noise("beta_tilde", grid) / reverse_std(0.0, grid) - 1)

    @exact
    def between(low: float, step: float, variance: float) -> float:
        """By how much the exact variance is outside the two."""
        grid = Grid(*at_log_snr(np.array([low, low + step])))
        true = reverse_std(variance, grid)
        return largest(true / noise("beta", grid), noise("beta_tilde", grid) / true) - 1

    steps: dict[str, Any] = {"low": floats(-8, 6), "step": floats(0.1, 2)}
    found = worst_of(
        normal.for_all(**steps),
        point.for_all(grid=levels_pairs()),
        between.for_all(variance=floats(0, 1), **steps),
    )
    quantities = {}
    for lam in (-4.0, 0.0, 4.0):
        grid = Grid(*at_log_snr(np.array([lam, lam + 1.0])))
        for name in ("beta", "beta_tilde"):
            case = f"data variance ¼, λ = {lam:+g} to {lam + 1:+g}"
            off = (noise(name, grid) / reverse_std(0.25, grid)) ** 2
            quantities[f"{SYMBOLS[name]} / exact variance, {case}"] = off
    scaled = Grid.from_ratios([2.0, 1.0])
    quantities["β / exact variance, N(0, 1), variance exploding, σ = 2 to 1"] = (
        noise("beta", scaled) / reverse_std(1.0, scaled)
    ) ** 2
    return replace(found, quantities=quantities)
