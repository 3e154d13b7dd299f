"""47. The fourth error, a learned score, added to the other three."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from analytic import GaussianMixture, gaussian_w2
from dfbench import wasserstein
from dfbench.charts.drawing import frame
from dfbench.charts.look import COLOURS, INK
from dfbench.exact import exact_model
from dfbench.grids import regular, uniform_t
from dfbench.levels import Array, Grid, Level
from dfbench.literature import ROWS
from dfbench.literature.calculus import rms
from dfbench.literature.statement import largest
from dfbench.literature.trained import Lab, pairs, trained
from dfbench.outcome import Finding, judge
from dfbench.schedules import Cosine, at_log_snr
from dfbench.trajectories import trajectory
from dfbench.wasserstein import SOURCES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPECTRUM = 2.0 * np.arange(1, 9) ** -1.5
ENDS = (0.98, 0.05)
STEPS = (5, 10, 20, 50, 100)
POINTS, N, FINE = 300, 200, 150


@cache
def linear_network(seed: int = 47) -> Array:
    """Spectrum learned by denoising from 300 points: a network x̂ = α s/(α² s + σ²) z, s trained.

    The best linear denoiser of Gaussian data has this form, so that all it can get wrong is s.
    """
    import torch

    rng = np.random.default_rng(seed)
    data = rng.standard_normal((POINTS, len(SPECTRUM))) * np.sqrt(SPECTRUM)
    log_s = torch.zeros(len(SPECTRUM), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([log_s], lr=0.03)
    for _ in range(600):
        lam = rng.uniform(-4, 6, 256)
        alpha, sigma = (torch.as_tensor(part)[:, None] for part in at_log_snr(lam))
        x = torch.as_tensor(data[rng.integers(POINTS, size=256)])
        z = alpha * x + sigma * torch.as_tensor(rng.standard_normal(x.shape))
        s = log_s.exp()
        eps_hat = sigma * z / (alpha**2 * s + sigma**2)
        loss = (alpha**2 / sigma**2 * ((z - sigma * eps_hat) / alpha - x) ** 2).sum(1).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return np.asarray(log_s.detach().exp().numpy())


def simulated(learned: Array, grid: Grid) -> float:
    """W₂ to the data of DDIM from N(0, I) through the network: it is a linear map, run on units."""

    def network(z: Array, level: Level) -> Array:
        return np.asarray(exact_model(_gaussian(learned), "x")(z, level))

    units = np.eye(len(SPECTRUM))
    ends = trajectory("ddim", network, grid, prediction="x", z=units).samples
    return float(
        gaussian_w2(np.zeros(len(SPECTRUM)), ends.T @ ends, 0 * SPECTRUM, np.diag(SPECTRUM))
    )


def _gaussian(spectrum: Array) -> GaussianMixture:
    return GaussianMixture.diagonal([1.0], np.zeros((1, len(spectrum))), spectrum[None])


def by_simulation(lab: Lab) -> dict[str, list[float]]:
    """Each error of DDIM on the study's law, as the rms distance that it moves the samples."""
    network, truth = lab.network().as_prediction("x"), lab.truth
    exact, rng = exact_model(truth, "x"), np.random.default_rng(470)
    x, eps = pairs(lab, N, rng)
    many = uniform_t(Cosine(), FINE, *ENDS)
    first, last = many[0], many[-1]
    start = first.alpha * x + first.sigma * eps

    def ends(model: Any, grid: Grid, z: Array) -> Array:
        return trajectory("ddim", model, grid, prediction="x", z=z).samples

    right = ends(exact, many, start)
    data = ends(exact, regular(last.log_snr, 20.0, FINE), right)
    fixed = {
        "initialisation": rms(ends(exact, many, eps) - right),
        "truncation": rms(right - data),
        "score": rms(ends(network, many, start) - right),
    }
    found = {name: [value] * len(STEPS) for name, value in fixed.items()}
    for n in STEPS:
        few = uniform_t(Cosine(), n, *ENDS)
        found.setdefault("discretisation", []).append(rms(ends(exact, few, start) - right))
        found.setdefault("all", []).append(rms(ends(network, few, eps) - data))
    return found


def draw(finding: Finding) -> Figure:
    """The four errors against steps: exact for a linear network, moved samples for the study's."""
    series = finding.series or {}
    fig, axes = frame("steps", "", panels=2, xscale="log", yscale="log")
    titles = {
        "linear": "W₂, linear network, Gaussian data",
        "network": "rms shift of samples, the study's network",
    }
    for axis, kind in zip(axes, titles, strict=True):
        for name, colour in zip((*SOURCES, "all"), (*COLOURS[: len(SOURCES)], INK), strict=True):
            if (key := f"{kind}: {name}") in series:
                style = "-" if name == "all" else "o--"
                axis.plot(series["steps"], series[key], style, color=colour, ms=3, label=name)
        axis.set_title(titles[kind])
    return fig


@trained(
    ROWS[47],
    r"W_2(q,p)\text{ from initialisation, truncation, discretisation, and a learned score}",
    title="The fourth error",
    condition="Gaussian data and a linear network trained on 300 points: all in closed form from "
    "what it learned; the study's network by simulation",
    subject=lambda: 1.0,
    control=lambda size: 1.0 + size,
    control_size=1e-3,
    figure=draw,
)
def check(factor: float, lab: Lab) -> Finding:
    """The predicted error of a trained network against its own samples, for five budgets."""
    learned, gaps = linear_network(), []
    series: dict[str, list[float]] = {"steps": [float(n) for n in STEPS]}
    quantities = {
        "largest error of a learned variance, relative": float(np.abs(learned / SPECTRUM - 1).max())
    }
    for n in STEPS:
        grid = uniform_t(Cosine(), n, *ENDS)
        split = wasserstein.split("ddim", grid, SPECTRUM, learned=factor * learned)
        gaps.append(abs(simulated(learned, grid) / split["all"] - 1))
        for name in (*SOURCES, "all"):
            series.setdefault(f"linear: {name}", []).append(split[name])
    series |= {f"network: {name}": values for name, values in by_simulation(lab).items()}
    for name in (*SOURCES, "all"):
        for kind in ("linear", "network"):
            if f"{kind}: {name}" in series:
                quantities[f"{kind}, {STEPS[-1]} steps: {name}"] = series[f"{kind}: {name}"][-1]
    return judge(
        largest(gaps),
        1e-7,
        unit="relative, W₂ of the network's samples against its prediction",
        derivation="round-off; √ of covariances whose squares are compared",
        series=series,
        quantities=quantities,
    )
