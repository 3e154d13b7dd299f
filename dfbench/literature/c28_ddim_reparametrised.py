"""28. DDIM is one and the same step for every output, and linear in a rescaled state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dfbench.levels import Grid, Level
from dfbench.literature.parts import within
from dfbench.literature.statement import row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.samplers.method import Method, Model, Noise, Traits
from dfbench.table import Table
from dfbench.testing import grids

# For every output the scale s and the clock η, in which the step is z̃ + output·Δη with z̃ = z/s.
FRAMES: dict[str, Callable[[Level], tuple[float, float]]] = {
    "x": lambda at: (at.sigma, at.alpha / at.sigma),
    "eps": lambda at: (at.alpha, at.sigma / at.alpha),
    "u": lambda at: (at.alpha + at.sigma, at.sigma / (at.alpha + at.sigma)),
}

Reparametrised = Callable[[str, Grid], Table]  # the output and the levels → the table


def reparametrised(error: float = 0.0) -> Reparametrised:
    """z̃_s = z̃_t + output (η_s − η_t), with Δη too large by a relative error."""

    def table(output: str, grid: Grid) -> Table:
        frame = FRAMES[output]

        def run(model: Model, z: Any, grid: Grid, noise: Noise) -> Any:
            for t, s in grid.steps():
                (scale_t, eta_t), (scale_s, eta_s) = frame(t), frame(s)
                out = getattr(model(z, t), output)
                z = scale_s * (1 / scale_t * z + (eta_s - eta_t) * (1 + error) * out)
            return z

        return Method("reparametrised", run, "GAO", lambda: Traits()).table(grid, output)

    return table


@row(
    "28",
    r"z_s=\alpha_s\hat x+\sigma_s\hat\varepsilon\iff\tilde z_s=\tilde z_t+\text{output}\,"
    r"(\eta_s-\eta_t)\quad\text{for }(\hat x:\tfrac z\sigma,\tfrac\alpha\sigma),\ "
    r"(\hat\varepsilon:\tfrac z\alpha,\tfrac\sigma\alpha),\ "
    r"(\hat u:\tfrac z{\alpha+\sigma},\tfrac\sigma{\alpha+\sigma})",
    title="DDIM in its rescaled form",
    source="SONG, GAO",
    condition="σ > 0 for x̂ and α > 0 for ε̂, where the rescaled state exists",
    subject=reparametrised,
    control=reparametrised,
    control_size=1e-10,
)
def check(rescaled: Reparametrised) -> Finding:
    """Coefficients of each of the three forms against DDIM's, in terms of the same output x̂."""

    @within(1e-12, "of the state's size", "round-off in float64, amplified by σ/α ≤ e³ at the ends")
    def gap(grid: Grid) -> float:
        ddim = METHODS["ddim"].table(grid, "x").canonical()
        return max(float(rescaled(output, grid).canonical().gaps(ddim).max()) for output in FRAMES)

    return gap.for_all(grid=grids(low=-6.0, high=6.0))
