"""Published numbers that follow from a formula: terminal SNRs, time steps, step sizes, indices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def lin(setting: str, quantity: str) -> list[float]:
    """[ᾱ/(1 − ᾱ), √ᾱ] of the last level of the table of 1000 of this name."""
    from dfbench.schedules import DiscreteSchedule

    tables: dict[str, Callable[[], DiscreteSchedule]] = {
        "linear": DiscreteSchedule.linear,
        "cosine": DiscreteSchedule.cosine,
        "scaled_linear": DiscreteSchedule.scaled_linear,
    }
    last = float(tables[setting]().alphas_cumprod[-1])
    return [last / (1 - last), last**0.5]


def ncsnv2(setting: str, quantity: str) -> list[float]:
    """The step ε for which the variance after T Langevin steps is nearest to the level's own.

    s_T²/σ² = (1 − e)^{2T} (γ² − c) + c with e = ε/σ_L², c = 2/(2 − e), γ the ratio of levels.
    """
    from scipy.optimize import minimize_scalar

    first, last, levels, steps = (float(part.split()[1]) for part in setting.split(", "))
    gamma = (first / last) ** (1 / (levels - 1))

    def excess(e: float) -> float:
        c = 2 / (2 - e)
        return float((1 - e) ** (2 * steps) * (gamma**2 - c) + c - 1) ** 2

    grid = np.linspace(1e-4, 1.0, 10001)
    start = float(grid[np.argmin([excess(e) for e in grid])])
    bounds = (max(start - 1e-3, 1e-6), start + 1e-3)
    best = minimize_scalar(excess, bounds=bounds, method="bounded", options={"xatol": 1e-9})
    return [float(best.x) * last**2]


def ays(setting: str, quantity: str) -> list[float]:
    """The indices whose σ/α are nearest to the levels "MODEL: σ σ …" in log σ."""
    from dfbench.schedules import DiscreteSchedule

    ratios = DiscreteSchedule.scaled_linear().ratios
    levels = np.array([float(each) for each in setting.partition(": ")[2].split()])
    return [float(np.argmin(np.abs(np.log(ratios / level)))) for level in levels]


def lin_steps(setting: str, quantity: str) -> list[float]:
    """Time steps of a spacing, counted from 1: "T 1000, S 10, leading"."""
    from dfbench import grids

    trained, steps, spacing = setting.split(", ")
    indices = getattr(grids, spacing)(int(trained.split()[1]), int(steps.split()[1]))
    return [float(each) + 1 for each in indices[::-1]]


def weightings(setting: str, quantity: str) -> list[float]:
    """w(λ)/max w at some of 1000 points from −10 to 10: "NAME, points FIRST to LAST"."""
    from dfbench.weightings import WEIGHTINGS, Sigmoid

    name, points = setting.split(", ")
    keys = {"v-pred and FM": "flow_matching", "EDM": "edm", "SD3": "sd3"}
    known = Sigmoid(0.0) if name == "sigmoid" else WEIGHTINGS[keys[name]]()
    weight = known(np.linspace(-10, 10, 1000))
    first, last = (int(word) for word in points.split()[1::2])
    return [float(each) for each in weight[first - 1 : last] / weight.max()]
