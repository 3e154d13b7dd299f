"""P7. The variance of the reverse step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dfbench.grids import regular
from dfbench.levels import Grid
from dfbench.literature.forms import on_both
from dfbench.literature.parts import within
from dfbench.literature.statement import printed
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.testing import floats, grids

Variance = Callable[[Grid, float], float]


def forward_beta(grid: Grid) -> float:
    """β = σ_t² − (α_t/α_s)² σ_s², the noise of the forward step from s to t."""
    t, s = grid[0], grid[1]
    return float(t.sigma**2 - (t.alpha / s.alpha * s.sigma) ** 2)


def of_data(size: float = 0.0) -> Variance:
    """β V_s/V_t with V = α² s + σ² the variance of a state; the defect is a factor on s."""

    def form(grid: Grid, variance: float) -> float:
        v_t, v_s = grid.alpha**2 * variance * (1 + size) + grid.sigma**2
        return float(forward_beta(grid) * v_s / v_t)

    return form


@printed(
    "P7",
    r"\sigma_t^2=\beta_t",
    title="The reverse variance of DDPM",
    source="HO, in lecture form",
    holds=False,
    corrected=r"\sigma_t^2=\beta_t\,V_s/V_t,\quad V=\alpha^2\operatorname{Var}x+\sigma^2",
    where="for data N(0, I) under a variance-preserving schedule; for a point mass it is β̃ = "
    "β σ_s²/σ_t², and in the limit of small steps both are right",
    subject=lambda: (lambda grid, variance: forward_beta(grid), of_data()),
    control=lambda size: (lambda grid, variance: forward_beta(grid), of_data(size)),
    control_size=3e-8,
)
def check(pair: tuple[Variance, Variance]) -> Finding:
    """Against the conditional variance of z_s given z_t, by the Schur complement of their joint
    covariance for data N(0, s)."""

    @within(1e-10, "relative", "cancellation in the Schur complement, ε V_t/β < 1e-12")
    def off(form: Variance, grid: Grid, variance: float) -> float:
        t, s = grid[0], grid[1]
        a = t.alpha / s.alpha
        mix = np.array([[s.alpha, s.sigma, 0.0], [a * s.alpha, a * s.sigma, 1.0]])
        joint = (mix * [variance, 1.0, forward_beta(grid)]) @ mix.T
        exact = joint[0, 0] - joint[0, 1] ** 2 / joint[1, 1]
        return float(abs(form(grid, variance) / exact - 1))

    grid = regular(-1.0, 0.0, 1)
    tilde = METHODS["ddpm"].table(grid, "x").C[-1, 0] ** 2
    large = METHODS["ddpm"].table(grid, "x", variance="beta").C[-1, 0] ** 2
    return on_both(
        off,
        pair,
        holds=False,
        quantities={
            "printed, data N(0, I)": off(lambda g, s: large, grid, 1.0),
            "β̃, data at a point": off(lambda g, s: tilde, grid, 0.0),
            "printed, data at a point": off(lambda g, s: large, grid, 0.0),
        },
        grid=grids(1, 1, low=-4.0, high=4.0),
        variance=floats(0.0, 4.0),
    )
