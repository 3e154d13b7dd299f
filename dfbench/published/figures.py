"""The data behind the interactive figures of Gao et al., number by number.

The files hold the figures' numbers in the shortest digits that give the same float32:

`gao_churn.csv`: the weight of each of 100 v̂ in the sample, first step first, by churn.
`gao_paths.csv`: states at equal times from noise to data, by figure, position of the slider,
sampler and start. "scaling": the scale c_t of (c (1 − t), c t) goes in sevenths from 1 to the
variance-preserving one, for N(0, 1/4). "VP", "FM": the two panels for N(0, variance).
`gao_densities.csv`: at −3 … 3 in 100 points, of the law of the sample, (2/3) √(v/V) e^(−y²/2V) for
data of variance v and samples of variance V; of noise, e^(−y²/2).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from dfbench.grids import uniform_t
from dfbench.levels import Array, Grid, Level
from dfbench.published.rule import Numbers
from dfbench.samplers import METHODS
from dfbench.samplers.method import Output
from dfbench.schedules import Cosine, FlowMatching, Schedule

SOURCE = "gao"
POSITIONS = 7  # of the scaling figure, less one
SAMPLERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ground truth": ("ddim", {}),
    "DDIM": ("ddim", {}),
    "Euler": ("velocity", {"solver": "euler"}),
}
#: Decimals that count: the figures were computed in float32, which is off by up to 3.5e-6 in the
#: paths; a density changes by y²/V times the relative error of their last state.
WEIGHT_DECIMALS, PATH_DECIMALS, DENSITY_DECIMALS = 6, 5, 4

Row = dict[str, str]


def rows(name: str) -> list[Row]:
    """A file of this package, a dictionary a line."""
    text = (resources.files("dfbench.published") / name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def compare() -> Iterator[Numbers]:
    """All sets: weights, paths, densities."""
    yield from weights()
    yield from paths()
    yield from densities()


def weights() -> Iterator[Numbers]:
    """The weight of every v̂ in the sample, on the smoothly truncated cosine schedule."""
    grid = uniform_t(Cosine(-15.0, 15.0), 100)
    for row in rows("gao_churn.csv"):
        churn = float(row["churn"])
        eta = float(np.sqrt(churn / (1 - churn)))
        found = np.abs(METHODS["exponential_sde"].table(grid, "x", eta=eta).weights("v"))
        yield _numbers(f"churn {churn:g}", "weights of v̂", row["weights"], found, WEIGHT_DECIMALS)


def _numbers(
    setting: str, quantity: str, printed: str, computed: Array, decimals: int, note: str = ""
) -> Numbers:
    found = tuple(np.ravel(computed).tolist())
    return Numbers(SOURCE, setting, quantity, tuple(printed.split()), found, decimals, note=note)


def scaled(share: float) -> Schedule:
    """(1 − t, t) times c = 1 + share (1/√((1 − t)² + t²) − 1)."""

    def c(t: Array) -> Array:
        return np.asarray(1 + share * (1 / np.hypot(1 - t, t) - 1))

    return FlowMatching().scaled(c, lambda t: share * (1 - 2 * t) / np.hypot(1 - t, t) ** 3)


def panel(figure: str, position: str) -> tuple[Schedule, float]:
    """(schedule, variance of the data) of a position of the slider."""
    if figure == "scaling":
        return scaled(int(position) / POSITIONS), 0.25
    return scaled(1.0 if figure == "VP" else 0.0), float(position)


def grid_of(figure: str, position: str, steps: int) -> Grid:
    """Equal steps in t; where the scale is that of flow matching, the first level is λ = −14."""
    grid = uniform_t(panel(figure, position)[0], steps)
    if figure == "FM" or (figure, position) == ("scaling", "0"):
        signal = 1 / (1 + np.exp(14.0))
        alpha, sigma = grid.alpha.copy(), grid.sigma.copy()
        alpha[0], sigma[0] = np.sqrt(signal), np.sqrt(1 - signal)
        return Grid(alpha, sigma, grid.t, grid.schedule)
    return grid


@cache
def factors(figure: str, position: str, curve: str, steps: int) -> Array:
    """State over start at every level, shape (steps + 1,): for Gaussian data a run is linear."""
    method, options = SAMPLERS[curve]
    variance = panel(figure, position)[1]
    states = []

    def model(z: float, level: Level) -> Output:
        states.append(z)
        alpha, sigma = level
        gain = alpha * variance / (alpha**2 * variance + sigma**2)  # x̂ = E[x|z]
        return Output(gain * z, z, level, "x")

    last = METHODS[method](model, 1.0, grid_of(figure, position, steps), _none, **options)
    return np.array([*states, last])


def _none(start: float | None = None, stop: float | None = None) -> float:
    raise AssertionError("a sampler without noise drew some")


def exact(figure: str, position: str, steps: int) -> Array:
    """The same of the exact flow, √(α² v + σ²) where the start has σ = 1."""
    schedule, variance = panel(figure, position)
    grid = uniform_t(schedule, steps)
    return np.asarray(np.sqrt(grid.alpha**2 * variance + grid.sigma**2))


def named(figure: str, position: str) -> str:
    """A panel, in words."""
    if figure == "scaling":
        return f"scale {position} of {POSITIONS} towards variance preserving"
    return f"data of variance {position}, {figure} schedule"


def paths() -> Iterator[Numbers]:
    """Every curve of every panel, all starts in one set."""
    grouped: dict[tuple[str, str, str], list[list[str]]] = {}
    for row in rows("gao_paths.csv"):
        key = row["figure"], row["position"], row["curve"]
        grouped.setdefault(key, []).append(row["states"].split())
    for (figure, position, curve), states in grouped.items():
        steps = len(states[0]) - 1
        starts = np.array([float(each[0]) for each in states])
        found = np.outer(starts, factors(figure, position, curve, steps))
        quantity, note = f"paths, {curve}, {steps} steps", ""
        if curve == "ground truth":
            quantity = f"paths, “ground truth”: DDIM in {steps} steps"
            off = np.outer(starts, exact(figure, position, steps))
            off -= np.array([[float(each) for each in path] for path in states])
            note = f"off the exact flow by up to {np.abs(off).max():.2g}"
        text = " ".join(each for path in states for each in path)
        yield _numbers(named(figure, position), quantity, text, found, PATH_DECIMALS, note)


def densities() -> Iterator[Numbers]:
    """Laws of noise, data and samples."""
    y2 = np.linspace(-3, 3, 100) ** 2
    for row in rows("gao_densities.csv"):
        figure, position, curve = row["figure"], row["position"], row["curve"]
        if curve == "noise":
            setting, height, spread = "all panels", 1.0, 1.0
        elif curve == "data":
            setting, height, spread = f"data of variance {position}", 2 / 3, float(position)
        else:
            setting = named(figure, position)
            spread = float(factors(figure, position, curve, 5)[-1] ** 2)
            height = 2 / 3 * np.sqrt(panel(figure, position)[1] / spread)
        found = height * np.exp(-y2 / (2 * spread))
        yield _numbers(setting, f"density, {curve}", row["density"], found, DENSITY_DECIMALS)
