"""The pinned results of diffusers' own tests of its schedulers, by the reference samplers.

A test runs a scheduler on z_T = k/n, k = 0 … n − 1 (n = 768, shape (4, 3, 8, 8)), with a network
that answers t/(t + 1) of its input, and pins Σ|z| and the mean |z| of the last state. Here the
reference sampler runs in float64 on the levels that torch's float32 gives. A start "from noised
data" is α k/n + σ (n − 1 − k)/n; a seed is that of torch's generator on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from dfbench import grids
from dfbench.levels import Array, Grid, Level
from dfbench.samplers import METHODS
from dfbench.samplers.method import Output
from dfbench.schedules import DiscreteSchedule

SAMPLERS: dict[str, tuple[str, dict[str, Any]]] = {
    "DDIM": ("ddim", {}),
    "DDPM": ("ddpm", {}),
    "PNDM": ("pndm", {}),
    "DPM-Solver++ 2M": ("dpm_solver_pp_multistep", {}),
    "DPM-Solver++ 2S": ("dpm_solver_pp", {"on_grid": True}),
    "DEIS 2": ("deis", {"order": 2, "variable": "log_rho", "lower_order_final": True}),
    "UniPC 2": ("unipc", {"lower_order_final": True}),
    "UniPC 2, 96 elements": ("unipc", {"lower_order_final": True}),
    "LCM": ("lcm", {}),
    "TCD": ("tcd", {"gamma": 0.0}),
}
#: What a setting says → what the network predicts.
PREDICTIONS = {"ε̂": "eps", "v̂": "v"}


def run(setting: str, quantity: str) -> list[float]:
    """[Σ|z|, mean |z|], or the mean alone, of "SAMPLER: words, words"; or variances of the noise.

    Raises:
        KeyError: a sampler that is not known.
    """
    if quantity.startswith("variances"):
        return variances(setting.split(": ")[1])
    sampler, said = setting.split(": ")
    words = said.split(", ")
    if sampler.startswith("EDM"):
        last = _edm(sampler, words)
    elif sampler == "Euler":
        last = _euler(words)
    else:
        last = _loop(sampler, words)
    size = np.abs(last)
    both = [float(size.sum()), float(size.mean())]
    return both if quantity.startswith("Σ") else both[1:]


def variances(steps: str) -> list[float]:
    """β̃ of DDPM's step from t to t − 1, or DDIM's noise at η = 1 from t to s ("t→s t→s")."""
    bar = np.append(table().alphas_cumprod, 1.0)  # −1: the data
    found = []
    for step in steps.split():
        t, _, s = step.partition("→")
        now, then = bar[int(t)], bar[int(s) if s else int(t) - 1]
        found.append(float((1 - then) / (1 - now) * (1 - now / then)))
    return found


@cache
def table(first: float = 1e-4, last: float = 0.02, n: int = 1000, root: float = 1.0) -> Any:
    """β^root linear in float32, 1 − β multiplied up in float32, as torch does both."""
    import torch

    betas = torch.linspace(first**root, last**root, n, dtype=torch.float32) ** (1 / root)
    return DiscreteSchedule(torch.cumprod(1 - betas, 0).numpy())


@dataclass(frozen=True)
class Network:
    """t/(t + 1) of the input, at the index t of the level; x̂ clipped to [−1, 1] if asked."""

    levels: DiscreteSchedule
    prediction: str
    clipped: bool = False
    _logs: Array = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_logs", np.log(self.levels.ratios))

    def __call__(self, z: Array, level: Level) -> Any:
        at = np.round(np.interp(np.log(level.ratio), self._logs, np.arange(len(self._logs))))
        out = Output(answer(z, at), z, level, self.prediction)
        return _Answer(np.clip(out.x, -1.0, 1.0), out.eps) if self.clipped else out


@dataclass(frozen=True)
class _Answer:
    x: Array
    eps: Array


def answer(z: Array, t: float) -> Array:
    """What the tests' network makes of its input."""
    return np.asarray(z * (t / (t + 1)))


def ramp(elements: int = 768) -> tuple[Array, Array]:
    """(the start, the tests' noise), shape (4, 3, 8, 8) or (4, 3, 8)."""
    shape = (3, 8, 8, 4) if elements == 768 else (3, 8, 4)
    axes = (len(shape) - 1, *range(len(shape) - 1))
    k = np.arange(elements) / elements
    rising, falling = (each.reshape(shape).transpose(axes) for each in (k, k[::-1]))
    return rising, falling


def _loop(sampler: str, words: list[str]) -> Array:
    """A run on a table of 1000."""
    scaled = sampler in ("LCM", "TCD")
    levels = table(0.00085, 0.012, 1000, 0.5) if scaled else table()
    if "β from 0.01" in words:
        levels = table(0.01)
    method, options = SAMPLERS[sampler]
    indices, grid = _levels(sampler, words, levels)
    data, noise = ramp(96 if "96" in sampler else 768)
    if "from noised data" in words:
        kept = int(words[0].split()[2])  # "the last K of N …"
        grid = Grid(grid.alpha[-kept - 1 :], grid.sigma[-kept - 1 :])
        data = grid.alpha[0] * data + grid.sigma[0] * noise
    if sampler == "PNDM":
        stride = int(indices[0] - indices[1])
        options = {"halfway": [levels.level(float(i) - stride // 2) for i in indices[:3]]}
    prediction = next(PREDICTIONS[word] for word in words if word in PREDICTIONS)
    network = Network(levels, prediction, "clipped" in words)
    return np.asarray(METHODS[method](network, data, grid, _draws(words, data.shape), **options))


def _levels(sampler: str, words: list[str], levels: DiscreteSchedule) -> tuple[Array, Grid]:
    """(indices, levels) of a whole run."""
    if "on Karras' levels" in words[0]:
        rho = np.linspace(levels.ratios[-1] ** (1 / 7), levels.ratios[0] ** (1 / 7), 10) ** 7
        if sampler != "DPM-Solver++ 2M":  # whose tenth step, of length 0, does nothing
            rho = np.append(rho, rho[-1])
        return np.array([]), Grid(1 / np.hypot(1, rho), rho / np.hypot(1, rho))
    if sampler in ("LCM", "TCD"):  # of 50 steps that a teacher took, evenly spread
        taught = (np.arange(1, 51) * 20 - 1)[::-1]
        n = int(words[0].split()[0])
        indices = taught[np.floor(np.linspace(0, 50, n, endpoint=False)).astype(int)]
    elif sampler == "DDPM":
        indices = np.arange(1000)[::-1]
    elif sampler in ("DDIM", "PNDM"):
        indices = grids.leading(1000, 10)
    else:
        indices = grids.linspace(1000, 10, family="dpm").astype(int)
    to_data = sampler in ("DDIM", "DDPM", "LCM") and "ends at index 0" not in words
    return indices, grids.at_indices(levels, indices, to_data or "ends at σ = 0" in words)


def _draws(words: list[str], shape: tuple[int, ...]) -> Callable[..., Array]:
    """Normals in float32 from torch's generator."""
    import torch

    generator = torch.Generator().manual_seed(0)

    def draw(start: float | None = None, stop: float | None = None) -> Array:
        return np.asarray(torch.randn(shape, generator=generator).double().numpy())

    return draw


def _edm(sampler: str, words: list[str]) -> Array:
    """EDM's levels from 80 to 0.002 with its preconditioning, the network at t = log(σ)/4.

    The test of Euler gives the network the scaled state, that of DPM-Solver++ the state itself.
    """
    rho = np.linspace(80 ** (1 / 7), 0.002 ** (1 / 7), 10) ** 7
    data, noise = ramp()
    euler = sampler == "EDM Euler"
    if euler:
        data, rho = data * np.hypot(80, 1), np.append(rho, 0.0)
    elif "from noised data" in words:
        rho = rho[-int(words[0].split()[2]) :]
        data = data + rho[0] * noise

    def network(z: Array, level: Level) -> Output:
        given = z / np.hypot(level.ratio, 0.5) if euler else z
        return Output(answer(given, np.log(level.ratio) / 4), z, level, "edm", 0.5)

    method = "euler" if euler else "dpm_solver_pp_multistep"
    return np.asarray(METHODS[method](network, data, Grid.from_ratios(rho), _none))


def _euler(words: list[str]) -> Array:
    """Euler in σ, where the test goes on from z/√(σ² + 1), which only the network should see."""
    levels = table(n=1100)
    indices = np.linspace(0, 1099, 10)[::-1]
    rho = np.append(np.interp(indices, np.arange(1100), levels.ratios), 0.0)
    data, noise = ramp()
    z, first = data * np.hypot(rho[0], 1), 0
    if "from noised data" in words:
        first = 10 - int(words[0].split()[2])
        z = z + rho[first] * noise
    prediction = next(PREDICTIONS[word] for word in words if word in PREDICTIONS)
    for i in range(first, 10):
        z = z / np.hypot(rho[i], 1)
        network = _at(indices[i], prediction)
        z = METHODS["euler"](network, z, Grid.from_ratios(rho[i : i + 2]), _none)
    return np.asarray(z)


def _at(t: float, prediction: str) -> Any:
    """The network at one index, its answer meant on the variance-preserving scale."""

    def network(z: Array, level: Level) -> _Answer:
        size = np.hypot(1, level.ratio)
        preserving = Level(float(1 / size), float(level.ratio / size))
        out = Output(answer(z, t), z / size, preserving, prediction)
        return _Answer(out.x, out.eps)

    return network


def _none(start: float | None = None, stop: float | None = None) -> Array:
    raise AssertionError("a sampler without noise drew some")


FLOAT32 = "the test runs in float32; in float64 the release itself gives what is computed here"
CUT = "cut off, not rounded"
BY_TOLERANCE = "the release itself gives what is computed here; the test allows 0.001"
#: Why a pinned number does not come out: found by running diffusers 0.42.1 in both precisions.
REASONS = {
    "DDIM: 10 leading steps, ε̂, clipped, β from 0.01, ends at σ = 0": FLOAT32,
    "DDPM: 1000 steps, ε̂, clipped, β̃, seed 0": FLOAT32,
    "DDPM: 1000 steps, v̂, clipped, β̃, seed 0": FLOAT32,
    "DDPM: the last 2 of 1000 steps, ε̂, clipped, β̃, seed 0, from noised data": "1 − ᾱ_t/ᾱ_s in "
    "float32, the weight of x̂, is off by 1e-4 of itself at t = 1",
    "PNDM: 10 leading steps, ε̂": FLOAT32,
    "PNDM: 10 leading steps, v̂": "the release averages the v̂ of stages and steps, where the "
    "method averages ε̂",
    "PNDM: 10 leading steps, ε̂, β from 0.01, ends at σ = 0": FLOAT32,
    "PNDM: 10 leading steps, ε̂, β from 0.01, ends at index 0": FLOAT32,
    "DPM-Solver++ 2M: 10 steps on Karras' levels, v̂": BY_TOLERANCE,
    "DEIS 2: the last 2 of 10 steps, ε̂, from noised data": CUT,
    "UniPC 2: 10 steps on Karras' levels, v̂": BY_TOLERANCE,
    "UniPC 2, 96 elements: 10 steps, v̂": "the number of 768 elements; the release itself gives "
    "what is computed here, and the test allows 0.001",
    "LCM: 1 step, ε̂, seed 0": FLOAT32,
    "TCD: 1 step, ε̂, γ = 0": FLOAT32,
    "Euler: 10 steps, ε̂, the state replaced by the scaled one": FLOAT32,
    "Euler: 10 steps, v̂, the state replaced by the scaled one": "the release itself gives "
    "what is computed here; the test allows 0.01",
    "Euler: the last 2 of 10 steps, ε̂, the state replaced by the scaled one, from noised data": (
        FLOAT32
    ),
    "EDM Euler: 10 steps": CUT,
    "DDIM at η = 1: 420→400 980→960 487→486 999→998": CUT,
}
