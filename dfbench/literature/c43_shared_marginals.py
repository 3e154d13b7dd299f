"""43. The probability-flow ODE and the reverse SDE share all marginals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from analytic import GaussianMixture
from dfbench.charts.drawing import curves, frame
from dfbench.charts.look import MUTED
from dfbench.exact import exact_model
from dfbench.grids import uniform_log_snr
from dfbench.levels import Array, Grid, Level
from dfbench.literature.limits import BOUND, DERIVATION, OneStep, law_gap
from dfbench.literature.statement import largest_of, row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.samplers.method import Output
from dfbench.schedules import VE, Cosine, FlowMatching, LinearVP, Schedule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TWO = GaussianMixture.isotropic([0.35, 0.65], [[-1.2], [0.9]], [0.09, 0.16])
THREE = GaussianMixture.isotropic([0.2, 0.5, 0.3], [[-1.5], [0.4], [1.6]], [0.2, 0.5, 0.1])
# laws, schedules and the λ of a run's ends: the last levels of one are the first of another
CASES = {
    "cosine": (TWO, Cosine(), -2.0, 0.5),
    "cosine, on": (TWO, Cosine(), 0.5, 2.0),
    "linear β": (THREE, LinearVP(), -2.0, 1.5),
    "flow matching": (THREE, FlowMatching(), -2.0, 1.5),
    "variance exploding": (TWO, VE(0.01, 20.0), -2.0, 1.0),
}
ETAS = (0.0, 0.5, 1.0)
NODES = np.linspace(-6.0, 6.0, 401)

Reverse = Callable[[float], OneStep]  # η → its sampler


def reverse(size: float = 0.0) -> Reverse:
    """dz = (f z − ½ (1 + η²) g² s) dt + η g dw by Euler–Maruyama; the defect is a factor on s."""

    def of(eta: float) -> OneStep:
        def run(model: Any, z: Any, grid: Grid, noise: Any) -> Any:
            def scaled(z: Any, level: Level) -> Output:
                return Output((1 + size) * model(z, level).eps, z, level, "eps")

            return METHODS["reverse_sde"](scaled, z, grid, noise, eta=eta)

        return run

    return of


def density(run: OneStep, grid: Grid, target: GaussianMixture, noisy: bool) -> Array:
    """Of the last state on NODES, for a run that starts at the marginal.

    Carried by quadrature, through the kernel of each step with noise and through the change of
    variables of each step without: no sampling.
    """
    exact = exact_model(target, "eps")

    def model(z: Any, level: Level) -> Output:
        return Output(exact(z[:, None], level)[:, 0], z, level, "eps")

    x, width = NODES, NODES[1] - NODES[0]
    found = np.exp(target.log_density(x[:, None], *grid[0]))
    assert grid.t is not None
    for i in range(grid.n_steps):
        part = slice(i, i + 2)
        step = Grid(grid.alpha[part], grid.sigma[part], grid.t[part], grid.schedule)
        mean, moved = (run(model, x, step, lambda *_, d=d: d) for d in (0.0, 1.0))
        if noisy:
            std = (moved - mean)[:, None]
            kernel = np.exp(-0.5 * ((NODES - mean[:, None]) / std) ** 2) / std
            found = found @ kernel * width / np.sqrt(2 * np.pi)
        else:  # nodes move with the flow, and the density with their spacing
            found = found * np.gradient(x, edge_order=2) / np.gradient(mean, edge_order=2)
            x = mean
    return np.asarray(found if noisy else np.interp(NODES, x, found))


def draw(finding: Finding) -> Figure:
    """Densities at the end of the run, over the marginal."""
    series = finding.series or {}
    figure, (axis,) = frame("z", "density of the last state (24 steps)", xlim=(-3, 3))
    axis.plot(series["z"], series["marginal"], color=MUTED, lw=4, alpha=0.35, label="marginal")
    curves(axis, series, "z", [f"η = {eta:g}" for eta in ETAS], ("-", "--", ":"))
    return figure


@row(
    "43",
    r"dz=(f z-\tfrac12(1+\eta^2)g^2\nabla\log p_t)\,dt+\eta g\,dw:\quad z_t\sim p_t"
    r"\text{ for all }t\text{ and every }\eta\ge0",
    title="ODE and SDE share all marginals",
    source="SDE",
    condition="exact score and start from p_T, in the limit of small steps",
    subject=reverse,
    control=reverse,
    control_size=2e-5,
    figure=draw,
)
def check(method: Reverse) -> Finding:
    """Mixtures on several schedules: the limit of E e^{iωz} at the end of a run against the
    marginal's, for η = 0, ½ and 1."""
    gaps = {}
    for (name, (target, schedule, *ends)), eta in product(CASES.items(), ETAS):
        run = partial(_run, schedule, ends)
        gaps[f"{name}, η = {eta:g}"] = law_gap(method(eta), target, run)
    found = largest_of(gaps, BOUND, unit="of E e^{iωz}", derivation=DERIVATION)
    grid, series = uniform_log_snr(LinearVP(), 24, -4.0, 2.0), {"z": NODES.tolist()}
    truth = np.exp(TWO.log_density(NODES[:, None], *grid[-1]))
    quantities = {}
    for eta in ETAS:
        carried = density(method(eta), grid, TWO, eta > 0)
        off = 0.5 * float(np.trapezoid(np.abs(carried - truth), NODES))
        quantities[f"total variation to the marginal, linear β, 24 steps, η = {eta:g}"] = off
        series[f"η = {eta:g}"] = carried.tolist()
    series["marginal"] = truth.tolist()
    return replace(found, quantities=quantities, series=series)


def _run(schedule: Schedule, ends: Sequence[float], n: int) -> Grid:
    return uniform_log_snr(schedule, n, *ends)
