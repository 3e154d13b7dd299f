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
from dfbench.literature.limits import limit
from dfbench.literature.parts import decided, within
from dfbench.literature.points import points
from dfbench.literature.statement import largest_of, row
from dfbench.outcome import Finding, judge
from dfbench.samplers import METHODS
from dfbench.schedules import at_log_snr
from dfbench.table import Table
from dfbench.testing import floats, grids, mixtures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLANE = GaussianMixture.isotropic([0.4, 0.6], [[-1.0, 0.2], [0.8, 0.9]], [0.5, 1.0])
OVAL = GaussianMixture.diagonal([1.0], [[0.3, -0.2]], [[0.3, 2.0]])

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


@within(1e-11, "nats", "quadrature to 1e-11 in z, 8 Gauss–Legendre nodes per unit of λ")
def equality(target: GaussianMixture, low: float) -> float:
    """½ ∫ E|ε̂ − ε|² dλ = I(λ_max) − I(λ_min)."""
    ends = mutual_information(target, [low, low + 4])
    return float(abs(diffusion_loss(target, low, low + 4) - np.diff(ends)[0]))


@within(1e-11, "nats", "quadrature to 1e-11 in z, 8 Gauss–Legendre nodes per unit of λ")
def pointwise(target: GaussianMixture, low: float, u: float) -> float:
    """The same at one x: KL(q(z_0|x) | p) − KL(q(z_1|x) | p)."""
    x, width = target.means[0] + u * np.arange(1, target.dim + 1), 2.0 / target.dim
    ends = [point_information(target, x, at) for at in (low, low + width)]
    return abs(diffusion_loss(target, low, low + width, x) - (ends[1] - ends[0]))


@within(1e-10, "of the divergence", "quadrature to 1e-11 of the size of log p")
def divergence_of_points(target: GaussianMixture, log_snr: float) -> float:
    """KL(q(z|x) | p(z)) at every one of some points: I(x; z) in the mean; of N(μ, S) in closed form
    at any x, ½ Σ (σ²/V − 1 − log σ²/V + α² (x − μ)²/V), V = α² S + σ²."""
    alpha, sigma = at_log_snr(log_snr)
    normal = GaussianMixture.diagonal([1.0], target.means[:1], [np.arange(1, target.dim + 1) / 2])
    points = [point_information(target, x, log_snr) for x in target.means]
    mean, whole = target.weights @ points, float(mutual_information(target, log_snr))
    total = alpha**2 * normal.spectra[0] + sigma**2
    part = sigma**2 / total
    far = alpha**2 * (target.means[-1] - target.means[0]) ** 2 / total
    closed = 0.5 * (part - 1 - np.log(part) + far).sum()
    found = point_information(normal, target.means[-1], log_snr)
    return float(max(abs(mean - whole) / (1 + whole), abs(found - closed) / (1 + closed)))


@within(0.0, "nats", "an upper sum of a falling integrand")
def slack(steps: Steps, target: GaussianMixture, grid: Grid) -> float:
    """−gap: negative on every grid."""
    lam = grid.log_snr
    loss = divergences(steps(grid), target).sum()
    return float(diffusion_loss(target, lam[0], lam[-1]) / loss - 1)


@within(2e-5, "of the limit", "the limit of four step counts: (|Δλ|/2)⁴ of the next terms")
def rate(steps: Steps, target: GaussianMixture) -> float:
    """T · gap as T grows, over Λ/4 ∫ SNR² E|Cov|² dλ."""
    low, high = (-3.0, 3.0) if target.dim == 1 else (-2.0, 0.0)
    counts = [int(n * (high - low)) for n in (4, 6, 8, 12)]
    true, found = diffusion_loss(target, low, high), []
    for count in counts:
        found.append(count * (divergences(steps(even(low, high, count)), target).sum() - true))
    return float(abs(limit(counts, found) / elbo_gap_rate(target, low, high) - 1))


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
    control_size=1e-5,
    figure=figure,
)
def check(steps: Steps) -> Finding:
    """Continuous time (I-MMSE) in the mean and at every x, the gap's sign on any grid, and its
    limit: for one component and several, on the line and in the plane."""
    line = mixtures(dim=1, smallest=0.2)
    parts = {
        "continuous time off I(x; z)": equality.for_all(
            examples=10, target=line, low=floats(-5, 3)
        ),
        "at one x, on the line": pointwise.for_all(
            examples=4, target=line, low=floats(-3, 2), u=floats(-1, 1)
        ),
        "at one x, in the plane": judge(
            pointwise(PLANE, -1.0, 0.4),
            pointwise.bound,
            unit=pointwise.unit,
            derivation=pointwise.derivation,
        ),
        "divergence at every point": divergence_of_points.for_all(
            examples=4, target=points(), log_snr=floats(-3, 2)
        ),
        "an upper bound": slack.for_all(steps, examples=12, target=line, grid=grids(2, 6, -5, 5)),
        "rate of the gap": rate.for_all(steps, examples=4, target=mixtures(dim=1, smallest=0.3)),
        "rate of the gap in the plane": largest_of(
            {"two components": rate(steps, PLANE), "one, of unequal widths": rate(steps, OVAL)},
            rate.bound,
            unit=rate.unit,
            derivation=rate.derivation,
        ),
    }
    example = _example(steps)
    return decided(parts, example["quantities"], example["series"])


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
