"""22. The discrete ELBO is a strict bound with a gap like 1/T; continuous time has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analytic import GaussianMixture
from analytic.information import (
    diffusion_loss,
    elbo_gap_rate,
    mmse,
    mutual_information,
    point_information,
)
from dfbench.charts.drawing import frame
from dfbench.charts.look import COLOURS
from dfbench.levels import Array, Grid
from dfbench.literature.parts import within
from dfbench.literature.statement import row, worst_of
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import at_log_snr
from dfbench.table import Table
from dfbench.testing import floats, grids, mixtures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Steps = Callable[[Grid], Table]  # the reverse chain as a table of x-predictions


def ddpm(size: float = 0.0) -> Steps:
    """DDPM with β̃; with a variance off by the factor (1 + size)²."""

    def table(grid: Grid) -> Table:
        made = METHODS["ddpm"].table(grid, "x")
        rows = made.rows.copy()
        rows[:, 1 + made.nfe :] *= 1 + size
        return replace(made, rows=rows)

    return table


def even(low: float, high: float, steps: int) -> Grid:
    """Equal steps in λ, variance preserving."""
    return Grid(*at_log_snr(np.linspace(low, high, steps + 1)))


def divergences(table: Table, target: GaussianMixture) -> Array:
    """E KL(q(z_s|z_t, x) | p(z_s|z_t)) of every step, from its weight of x̂ and its noise.

    Means differ by (weight of x̂)(x − x̂); with the variance of q, the forward posterior, that is
    all. The variance of q is had from the levels, not from the table.
    """
    found = []
    ratios, levels = table.levels.ratio, table.levels
    error = mmse(target, levels.log_snr[:-1])
    for i, step in enumerate(table.steps()[1:]):
        keep = ratios[i + 1] / ratios[i]
        posterior = levels.sigma[i + 1] ** 2 * (1 - keep) * (1 + keep)
        variance = sum(c * c for c in step.draws.values())
        far = step.outputs[i] ** 2 * error[i]
        ratio = posterior / variance
        found.append(0.5 * (ratio - 1 - np.log(ratio) + far / variance))
    return np.array(found)


def figure(finding: Finding) -> Figure:
    """The gap against the number of steps, with its limit."""
    series = finding.series or {}
    fig, (axis,) = frame("steps T", "gap of the ELBO (nats)", xscale="log", yscale="log")
    for i, name in enumerate(list(series)[1:]):
        style = ":" if "limit" in name else "o-"
        axis.plot(series["T"], series[name], style, color=COLOURS[i // 2], label=name)
    return fig


@row(
    "22",
    r"-\log p(x)=\mathrm{KL}(z_1)+\tfrac12\int\mathbb E|\hat\epsilon-\epsilon|^2d\lambda"
    r"+\text{rec},\quad\mathbb E\log p>\mathbb E\,\mathrm{ELBO}_T,\quad "
    r"T\,\mathbb E[\log p-\mathrm{ELBO}_T]\to"
    r"\tfrac{\Lambda}{4}\int\mathrm{SNR}^2\,\mathbb E\,|\mathrm{Cov}[x|z]|_F^2\,d\lambda",
    title="ELBO and its gap",
    source="HE, KG",
    condition="exact denoiser; strict unless the data is one point, and with reverse variance β̃: "
    "for Gaussian data the exact reverse variance makes it an equality at any T",
    subject=ddpm,
    control=ddpm,
    control_size=0.02,
    figure=figure,
)
def check(steps: Steps) -> Finding:
    """Continuous time pointwise (I-MMSE), the gap's sign on any grid, and its limit."""

    @within(1e-9, "nats", "quadrature to 1e-11 in z, 8 Gauss–Legendre nodes per unit of λ")
    def equality(target: GaussianMixture, low: float) -> float:
        """½ ∫ E|ε̂ − ε|² dλ = I(λ_max) − I(λ_min)."""
        ends = mutual_information(target, [low, low + 4])
        return float(abs(diffusion_loss(target, low, low + 4) - np.diff(ends)[0]))

    @within(1e-8, "nats", "the same")
    def pointwise(target: GaussianMixture, low: float, u: float) -> float:
        """The same at one x: KL(q(z_0|x) | p) − KL(q(z_1|x) | p)."""
        x = target.means[0] + u
        ends = [point_information(target, x, at) for at in (low, low + 2)]
        return abs(diffusion_loss(target, low, low + 2, x) - (ends[1] - ends[0]))

    @within(0.0, "nats", "an upper sum of a falling integrand")
    def slack(target: GaussianMixture, grid: Grid) -> float:
        """−gap: negative on every grid."""
        lam = grid.log_snr
        loss = divergences(steps(grid), target).sum()
        return float(diffusion_loss(target, lam[0], lam[-1]) / loss - 1)

    @within(1e-3, "of the limit", "the next term, O(1/T²), with |Δλ| ≤ 0.06")
    def limit(target: GaussianMixture) -> float:
        """T · gap at T = 150 and 300, extrapolated, over its limit."""
        true = diffusion_loss(target, -4.0, 4.0)
        gaps = [table.nfe * (divergences(table, target).sum() - true) for table in chains]
        return float(abs((2 * gaps[1] - gaps[0]) / elbo_gap_rate(target, -4.0, 4.0) - 1))

    chains = [steps(even(-4, 4, count)) for count in (150, 300)]
    line = mixtures(dim=1, smallest=0.2)
    one = mixtures(max_components=1)
    found = worst_of(
        equality.for_all(examples=10, target=line, low=floats(-5, 3)),
        pointwise.for_all(examples=4, target=line, low=floats(-3, 2), u=floats(-1, 1)),
        slack.for_all(examples=12, target=line, grid=grids(2, 6, -5, 5)),
        limit.for_all(examples=10, target=one),
    )
    return replace(found, **_example(steps))


def _example(steps: Steps) -> dict[str, Any]:
    """Series and quantities for two narrow modes and for N(0, 1)."""
    low, high, counts = -8.0, 8.0, [4, 8, 16, 32, 64, 128, 256]
    pair = GaussianMixture.isotropic([0.5, 0.5], [[-1.0], [1.0]], [0.04, 0.04])
    normal = GaussianMixture.isotropic([1.0], [[0.0]], [1.0])
    series: dict[str, Any] = {"T": [float(t) for t in counts]}
    quantities: dict[str, Any] = {}
    chains = [steps(even(low, high, count)) for count in counts]
    for name, target in (("two modes", pair), ("N(0, 1)", normal)):
        true = diffusion_loss(target, low, high)
        sums = [float(divergences(table, target).sum()) for table in chains]
        gaps = [each - true for each in sums]
        rate = elbo_gap_rate(target, low, high)
        series |= {name: gaps, f"{name}, limit": [rate / t for t in counts]}
        quantities |= {
            f"T · gap at T = 256, {name} (nats)": counts[-1] * gaps[-1],
            f"limit of T · gap, {name} (nats)": rate,
            f"order in 1/T, {name}": float(np.log2(gaps[-2] / gaps[-1])),
        }
    # Exact reverse variance: v² = β̃ + (weight of x̂)² Var[x|z], and KL = ½ log(v²/β̃).
    far = divergences(steps(even(low, high, 16)), normal)
    gap = 0.5 * np.log1p(2 * far).sum() - diffusion_loss(normal, low, high)
    quantities["gap at T = 16 with the exact variance, N(0, 1) (nats)"] = float(gap)
    return {"series": series, "quantities": quantities}
