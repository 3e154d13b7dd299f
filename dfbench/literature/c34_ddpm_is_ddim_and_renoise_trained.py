"""34. DDPM is DDIM twice as far and renoising, run through one trained network."""

from __future__ import annotations

import numpy as np

from dfbench.grids import regular
from dfbench.levels import Array, Grid
from dfbench.literature import ROWS
from dfbench.literature.calculus import rms
from dfbench.literature.statement import largest
from dfbench.literature.trained import Lab, rows, trained
from dfbench.outcome import Finding, judge
from dfbench.samplers import METHODS

N = 200


def ddpm(lab: Lab, grid: Grid, z: Array, draws: list[Array], variance: float | str) -> Array:
    """The reference method's table, with these draws."""
    table = METHODS["ddpm"].table(grid, "x", variance=variance)
    return np.asarray(table.run(lab.network().as_prediction("x"), z, lambda k: draws[k]))


def ddim_and_renoise(lab: Lab, grid: Grid, z: Array, draws: list[Array]) -> Array:
    """Every step DDIM from λ to λ + 2Δ, then forward noising to λ + Δ, with these draws."""
    network = lab.network()
    x_of, eps_of = network.as_prediction("x"), network.as_prediction("eps")
    for (t, s), xi in zip(grid.steps(), draws, strict=True):
        far = s.ratio**2 / t.ratio  # σ/α there, at α_s
        z = s.alpha * (x_of(z, t) + far * eps_of(z, t))
        z = z + s.alpha * np.sqrt((s.ratio - far) * (s.ratio + far)) * xi
    return z


@trained(
    ROWS[34],
    r"\text{DDPM}_{\lambda\to\lambda+\Delta}=\text{noising}_{\lambda+2\Delta\to\lambda+\Delta}"
    r"\circ\text{DDIM}_{\lambda\to\lambda+2\Delta}\quad\text{sample by sample}",
    condition="the reverse variance is β̃; with β (the control) it is not; the same draws",
    subject=lambda: "beta_tilde",
    control=lambda size: size,  # log-interpolated towards β
    control_size=1e-3,
)
def check(variance: float | str, lab: Lab) -> Finding:
    """Whole runs of 10, 30 and 100 steps through the study's network."""
    quantities, gaps = {}, []
    for n in (10, 30, 100):
        grid, rng = regular(-8.0, 8.0, n), np.random.default_rng(34)
        z, *draws = rng.standard_normal((1 + n, rows(lab, N), lab.dim))
        ours, theirs = ddpm(lab, grid, z, draws, variance), ddim_and_renoise(lab, grid, z, draws)
        gaps.append(rms(ours - theirs) / rms(theirs))
        quantities[f"samples apart, {n} steps"] = gaps[-1]
        with_beta = ddpm(lab, grid, z, draws, "beta")
        quantities[f"samples apart with the variance β, {n} steps"] = rms(with_beta - theirs) / rms(
            theirs
        )
    return judge(
        largest(gaps),
        1e-8,
        unit="of the samples (rms)",
        derivation="round-off in float64 over 100 steps, which the network's slope amplifies",
        quantities=quantities,
    )
