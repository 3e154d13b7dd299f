"""43. The probability-flow ODE and the reverse SDE share all marginals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analytic import GaussianMixture
from dfbench.charts.drawing import curves, frame
from dfbench.charts.look import MUTED
from dfbench.exact import exact_model
from dfbench.grids import uniform_log_snr
from dfbench.levels import Array, Grid, Level
from dfbench.literature.statement import largest, row
from dfbench.outcome import Finding, judge
from dfbench.samplers import METHODS
from dfbench.samplers.method import Method, Output, Traits
from dfbench.schedules import LinearVP

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TARGET = GaussianMixture.isotropic([0.35, 0.65], [[-1.2], [0.9]], [0.09, 0.16])
STEPS = (24, 48, 96)
ETAS = (0.0, 0.5, 1.0)
NODES = np.linspace(-6.0, 6.0, 401)


def reverse(size: float = 0.0) -> Method:
    """dz = (f z − ½ (1 + η²) g² s) dt + η g dw by Euler–Maruyama; the defect is a factor on s."""
    function = METHODS["reverse_sde"].function

    def run(model: Any, z: Any, grid: Grid, noise: Any, **options: Any) -> Any:
        def scaled(z: Any, level: Level) -> Output:
            return Output((1 + size) * model(z, level).eps, z, level, "eps")

        return function(scaled, z, grid, noise, **options)

    return Method("reverse", run, "", lambda **_: Traits(), METHODS["reverse_sde"].defaults)


def marginal_error(method: Method, n: int, eta: float) -> tuple[float, Array]:
    """Largest total variation between the law of a state and its marginal, over all levels of a
    run of n steps, with the density of the last state on NODES.

    The density is carried by quadrature, through the kernel of each step with noise and through
    the change of variables of each step without: no sampling.
    """
    grid = uniform_log_snr(LinearVP(), n, -4.0, 2.0)
    exact = exact_model(TARGET, "eps")

    def model(z: Any, level: Level) -> Output:
        return Output(exact(z[:, None], level)[:, 0], z, level, "eps")

    x, width = NODES, NODES[1] - NODES[0]
    density, worst = np.exp(TARGET.log_density(x[:, None], *grid[0])), 0.0
    for i in range(n):
        part = slice(i, i + 2)
        assert grid.t is not None
        step = Grid(grid.alpha[part], grid.sigma[part], grid.t[part], grid.schedule)
        mean, moved = (method(model, x, step, lambda *_, d=d: d, eta=eta) for d in (0.0, 1.0))
        if eta:
            std = (moved - mean)[:, None]
            kernel = np.exp(-0.5 * ((NODES - mean[:, None]) / std) ** 2) / std
            density = density @ kernel * width / np.sqrt(2 * np.pi)
        else:  # nodes move with the flow, and the density with their spacing
            density = density * np.gradient(x, edge_order=2) / np.gradient(mean, edge_order=2)
            x = mean
        truth = np.exp(TARGET.log_density(x[:, None], *grid[i + 1]))
        worst = largest(worst, 0.5 * float(np.trapezoid(np.abs(density - truth), x)))
    return worst, density if eta else np.interp(NODES, x, density)


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
    control_size=0.05,
    figure=draw,
)
def check(method: Method) -> Finding:
    """Total variation to p_t at the worst level falls like the step, for η = 0, ½ and 1."""
    off, quantities, series = 0.0, {}, {"z": [float(x) for x in NODES]}
    for eta in ETAS:
        runs = [marginal_error(method, n, eta) for n in STEPS]
        errors = [error for error, _ in runs]
        order = float(np.log(errors[-2] / errors[-1]) / np.log(STEPS[-1] / STEPS[-2]))
        off = largest(off, abs(order - 1))
        quantities[f"order, η = {eta:g}"] = order
        quantities[f"total variation, η = {eta:g}, {STEPS[-1]} steps"] = errors[-1]
        series[f"η = {eta:g}"] = [float(p) for p in runs[0][1]]
    end = uniform_log_snr(LinearVP(), 1, -4.0, 2.0)[-1]
    truth = np.exp(TARGET.log_density(NODES[:, None], *end))
    series["marginal"] = [float(p) for p in truth]
    found = judge(
        off,
        0.1,
        unit="of the order",
        derivation="second term of the expansion; a law that is not the marginal has order 0",
    )
    return replace(found, quantities=quantities, series=series)
