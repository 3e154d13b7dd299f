"""50. DDIM's sample is a function of its start alone; a stochastic sampler's is not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from analytic import GaussianMixture
from dfbench.exact import exact_model
from dfbench.grids import regular, uniform_t
from dfbench.levels import Array, Grid, Level
from dfbench.literature.limits import limit
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import largest_of, row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.samplers.method import Noise, Output
from dfbench.schedules import Cosine, FlowMatching
from dfbench.table import Table
from dfbench.testing import floats, grids, mixtures

VARIANCES = np.array([0.05, 0.3, 1.0, 4.0, 20.0])  # of the data
ETAS = (0.0, 0.3, 0.7, 1.0)
STEPS = (24, 32, 48, 64, 96, 128)
RUNS: dict[str, Callable[[int], Grid]] = {
    "even in λ": lambda n: regular(-3.0, 3.0, n),
    "cosine": lambda n: uniform_t(Cosine(), n, 0.9, 0.1),
    "flow matching": lambda n: uniform_t(FlowMatching(), n, 0.9, 0.1),
}


class Sampler:
    """The package's DDIM with η; what it calls 0 is `size`."""

    def __init__(self, size: float = 0.0) -> None:
        self.size = size

    def run(self, target: GaussianMixture, z: Array, grid: Grid, noise: Noise) -> Array:
        """Its own code at η = 0, with the exact network."""
        network = exact_model(target, "x")

        def model(z: Any, level: Level) -> Output:
            return Output(network(z, level), z, level, "x")

        return np.asarray(METHODS["ddim"](model, z, grid, noise, eta=self.size))

    def table(self, grid: Grid, eta: float) -> Table:
        """Its coefficients."""
        return METHODS["ddim"].table(grid, "x", eta=np.hypot(eta, self.size))


@within(1e-13, "of the state's size", "nothing is drawn; round-off where a library reorders sums")
def apart(sampler: Sampler, target: GaussianMixture, grid: Grid, shift: float) -> float:
    """Two samples from one start, each with its own noise."""
    z = grid[0].alpha * target.means + (1 + shift) * np.hypot(*grid[0])
    rng = np.random.default_rng(50)
    ends = [sampler.run(target, z, grid, lambda *_: rng.normal(size=z.shape)) for _ in range(2)]
    return float(np.abs(ends[1] - ends[0]).max() / (np.abs(ends[0]).max() + np.hypot(*grid[-1])))


def remembered(sampler: Sampler, run: Callable[[int], Grid], eta: float) -> Array:
    """Correlation of the sample with its start in the limit of small steps, (D,)."""
    found = []
    for n in STEPS:
        table = sampler.table(run(n), eta)
        gain, _ = table.sensitivity(VARIANCES)
        start = table.levels[0].alpha ** 2 * VARIANCES + table.levels[0].sigma ** 2
        found.append(gain * np.sqrt(start / table.law(VARIANCES).variance))
    return np.asarray(limit(STEPS, found))


def stated(grid: Grid, eta: float) -> Array:
    """(Corr of z_s and z_t in the forward process)^{η²}, (D,)."""
    s, t = grid[-1], grid[0]
    v_s, v_t = (at.alpha**2 * VARIANCES + at.sigma**2 for at in (s, t))
    return np.asarray((t.alpha / s.alpha * np.sqrt(v_s / v_t)) ** (eta**2))


@row(
    "50",
    r"\eta=0:\ z_0=\Phi(z_1);\qquad\eta>0:\ \operatorname{Corr}(z_0,z_1)\to\Big(\frac{\alpha_1}"
    r"{\alpha_0}\sqrt{V_0/V_1}\Big)^{\eta^2}<1,\quad V=\alpha^2\operatorname{Var}x+\sigma^2",
    title="A function of the start alone",
    source="SONG, GAO",
    condition="a function of the start for η = 0 only; the formula is that of Gaussian data and "
    "small steps, at η = 1 the correlation of the forward process",
    subject=Sampler,
    control=Sampler,
    control_size=3e-12,
)
def check(sampler: Sampler) -> Finding:
    """Two runs from one start with different noise; and how much of it is left at any η."""
    same = apart.for_all(
        sampler,
        examples=25,
        target=mixtures(smallest=0.2),
        grid=grids(low=-6.0, high=6.0),
        shift=floats(-2.0, 2.0),
    )
    gaps, quantities = {}, {}
    for (name, run), eta in product(RUNS.items(), ETAS):
        found = remembered(sampler, run, eta)
        gaps[f"{name}, η = {eta:g}"] = float(np.abs(found - stated(run(1), eta)).max())
        if name == "cosine":
            quantities[f"correlation with the start, data of variance 1, η = {eta:g}"] = float(
                found[2]
            )
    share = largest_of(
        gaps,
        1e-6,
        unit="of the correlation",
        derivation="the limit of six step counts: the last two extrapolations differ by less",
    )
    return decided({"two runs from one start": same, "what is left of it": share}, quantities)
