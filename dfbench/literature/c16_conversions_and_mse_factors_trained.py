"""16. One trained ε-network used as x, v, u and score: conversions and MSE factors."""

from __future__ import annotations

import numpy as np

from dfbench.exact import exact_model
from dfbench.grids import regular
from dfbench.levels import Level
from dfbench.literature import ROWS
from dfbench.literature.c16_conversions_and_mse_factors import Factor
from dfbench.literature.calculus import rms
from dfbench.literature.statement import largest, worst_of
from dfbench.literature.trained import Lab, trained
from dfbench.outcome import Finding, judge
from dfbench.predictions import mse_factor
from dfbench.schedules import at_log_snr
from dfbench.trajectories import trajectory

KINDS = ("x", "v", "u", "score")
LOG_SNRS = (-6.0, -3.0, 0.0, 3.0, 6.0)


@trained(
    ROWS[16],
    r"|\hat x-x|^2=e^{-\lambda}|\hat\epsilon-\epsilon|^2,\quad"
    r"|\hat v-v|^2=\alpha^2(e^{-\lambda}+1)^2|\hat\epsilon-\epsilon|^2,\quad"
    r"|\hat u-u|^2=(e^{-\lambda/2}+1)^2|\hat\epsilon-\epsilon|^2",
    title="Conversions of a trained network",
    condition="the same state on both sides; a network of ε",
    subject=lambda: mse_factor,
    control=lambda size: lambda *case: (1 + size) * mse_factor(*case),
    control_size=1e-6,
)
def check(factor: Factor, lab: Lab) -> Finding:
    """Errors of the converted network against the exact posterior, and its DDIM samples."""
    network, rng = lab.network(prediction="eps"), np.random.default_rng(16)
    quantities, gaps = {}, []
    for lam in LOG_SNRS:
        level = Level(*at_log_snr(lam))
        z = lab.truth.sample_diffused(256, *level, rng)

        def error(kind: str, z: np.ndarray = z, level: Level = level) -> float:
            exact = exact_model(lab.truth, kind)(z, level)
            return float(np.mean((network.as_prediction(kind)(z, level) - exact) ** 2))

        base = error("eps")
        gaps += [abs(error(kind) / (factor("eps", kind, *level) * base) - 1) for kind in KINDS]
        quantities[f"rms error of ε̂, λ = {lam:+g}"] = base**0.5
    factors = judge(
        largest(gaps),
        1e-8,
        unit="relative",
        derivation="round-off in float64, over an error of 1e-3 of the output and factors of e^±3",
    )
    grid = regular(-8.0, 8.0, 20)
    z = lab.truth.sample_diffused(256, *grid[0], np.random.default_rng(16))
    ends = {
        kind: trajectory("ddim", network.as_prediction(kind), grid, prediction=kind, z=z).samples
        for kind in ("eps", "x", "v", "u")
    }
    apart = largest(rms(end - ends["eps"]) for end in ends.values())
    same = judge(
        apart / rms(ends["eps"]),
        1e-10,
        unit="of the samples",
        where="DDIM, 20 steps",
        derivation="round-off in float64, e⁴ at the ends, 20 steps",
    )
    quantities["largest distance of DDIM samples through x, v, u"] = apart
    return worst_of(factors, same, quantities=quantities)
