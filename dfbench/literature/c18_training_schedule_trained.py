"""18. The loss does not depend on the training schedule; how much its estimate varies does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from dfbench.charts.drawing import frame
from dfbench.charts.look import COLOURS
from dfbench.levels import Array, Level
from dfbench.literature import ROWS
from dfbench.literature.gradients import gradient
from dfbench.literature.statement import largest_of, worst_of
from dfbench.literature.trained import Lab, pairs, trained
from dfbench.outcome import Finding, judge
from dfbench.schedules import Cosine, FlowMatching, LinearVP, at_log_snr
from dfbench.weightings import WEIGHTINGS, log_snr_density, normal_density

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAM = np.linspace(-8.0, 8.0, 65)[:-1] + 0.125  # the levels trained at: midpoints of 64 bins
WIDTH = 0.25
DRAWS = 1 << 15
NAMES = ("uniform in λ", "cosine", "flow matching", "linear VP", "EDM", "adaptive")
WEIGHTED = ("flow_matching", "elbo", "sigmoid", "edm")
BATCH = 128  # of a batch, for the noise of its gradient
Estimator = Callable[[Array, Array], Array]  # w, p at the λ drawn → the factor on the loss


def importance(size: float = 0.0) -> Estimator:
    """w/p; with p to a power that is not one, it is biased."""
    return lambda w, p: np.asarray(w / p ** (1 - size))


def densities(losses: Array) -> dict[str, Array]:
    """Probabilities of the levels; the adaptive one follows w E|ε̂ − ε|²."""
    found = {
        "uniform in λ": np.ones_like(LAM),
        "cosine": log_snr_density(Cosine(), LAM),
        "flow matching": log_snr_density(FlowMatching(), LAM),
        "linear VP": log_snr_density(LinearVP(), LAM),
        "EDM": normal_density(LAM, 2.4, 2.4),
        "adaptive": losses,
    }
    return {name: p / p.sum() / WIDTH for name, p in found.items()}


def pool(lab: Lab, rows: int, seed: int) -> Array:
    """|ε̂ − ε|² per dimension of many draws at every level, (L, rows)."""
    network, rng = lab.network(), np.random.default_rng(seed)
    found = np.empty((len(LAM), rows))
    for i, lam in enumerate(LAM):
        level = Level(*at_log_snr(float(lam)))
        x, eps = pairs(lab, rows, rng)
        z = level.alpha * x + level.sigma * eps
        out = network.as_prediction("eps")(z, level)
        found[i] = ((out - eps) ** 2).mean(1)
    return found


def gradient_noise(
    lab: Lab, law: dict[str, Array], w: Array, batches: int = 12
) -> dict[str, float]:
    """Trace of the covariance of a batch's gradient over its squared mean, by density."""
    import torch

    network, rng = lab.network(), np.random.default_rng(181)
    found: dict[str, list[Array]] = {name: [] for name in law}
    for name, p in law.items():
        for _ in range(batches):
            index = np.sort(rng.choice(len(LAM), BATCH, p=p * WIDTH))
            alpha, sigma = at_log_snr(LAM[index])
            x, eps = pairs(lab, BATCH, rng)
            z = torch.as_tensor(alpha[:, None] * x + sigma[:, None] * eps)
            out = network.as_prediction("eps")(z, (alpha, sigma))
            each = ((out - torch.as_tensor(eps)) ** 2).mean(1)
            found[name].append(
                gradient(network, (torch.as_tensor(w[index] / p[index]) * each).mean())
            )
    mean = np.mean([np.mean(g, axis=0) for g in found.values()], axis=0)
    return {
        name: float(np.var(g, axis=0, ddof=1).sum() / (mean @ mean)) for name, g in found.items()
    }


def draw(finding: Finding) -> Figure:
    """The variance of one draw by training schedule and weighting, over that of the best."""
    import seaborn as sns

    series = finding.series or {}
    fig, (axis,) = frame("variance of one draw / that of the best schedule", "", xscale="log")
    sns.barplot(
        x=[v for w in WEIGHTED for v in series[w]],
        y=[*NAMES] * len(WEIGHTED),
        ax=axis,
        hue=[w.replace("_", " ") for w in WEIGHTED for _ in NAMES],
        palette=COLOURS[: len(WEIGHTED)],
        saturation=1,
    )
    axis.legend(title="weighting")
    return fig


@trained(
    ROWS[18],
    r"\mathbb E_{\lambda\sim p}\frac{w(\lambda)}{p(\lambda)}|\hat\epsilon-\epsilon|^2\ "
    r"\text{is the same for every }p;\quad\text{its variance is not; }"
    r"p\propto w\,\mathbb E|\hat\epsilon-\epsilon|^2\text{ is near the least, whatever }w",
    condition="the same λ_min and λ_max; p > 0 between them; a fixed schedule that suits the "
    "weighting can be better than the adaptive one",
    subject=importance,
    control=importance,
    control_size=0.1,
    figure=draw,
)
def check(factor: Estimator, lab: Lab) -> Finding:
    """Estimates of one network's loss under six training schedules."""
    losses = pool(lab, 2048, 18)
    seen = pool(lab, 256, 180).mean(1)  # what an adaptive schedule would have seen
    rng, size = np.random.default_rng(1800), (losses**2).mean(1)
    quantities: dict[str, float] = {}
    series: dict[str, list[float]] = {}
    gaps: dict[str, float] = {}
    for weighting in WEIGHTED:
        w = WEIGHTINGS[weighting]()(LAM)
        truth = WIDTH * float(w @ losses.mean(1))
        error = WIDTH * float(np.sqrt(w**2 @ losses.var(1) / losses.shape[1]))
        spread = {}
        for name, p in densities(w * seen).items():
            index = rng.choice(len(LAM), DRAWS, p=p * WIDTH)
            drawn = losses[index, rng.integers(losses.shape[1], size=DRAWS)]
            draws = factor(w[index], p[index]) * drawn
            # of the pool's own error the same draws make no more than this
            se = np.hypot(draws.std() / DRAWS**0.5, error)
            gaps[f"{weighting}, {name}"] = float(abs(draws.mean() - truth) / se)
            spread[name] = WIDTH * float((w**2 / p) @ size) / truth**2 - 1
        series[weighting] = [spread[name] / min(spread.values()) for name in NAMES]
        quantities |= {f"variance of one draw / loss², {weighting}, {n}": spread[n] for n in NAMES}
    same = largest_of(
        gaps,
        5.5,
        unit="standard errors between the estimates",
        derivation="24 normal deviates, false alarm 1e-6",
    )
    worst = {name: max(series[w][i] for w in WEIGHTED) for i, name in enumerate(NAMES)}
    fixed = min(value for name, value in worst.items() if name != "adaptive")
    lower = judge(
        worst["adaptive"] / fixed,
        1.0,
        unit="worst variance over weightings, relative to the best schedule: adaptive / fixed",
        derivation="the adaptive schedule comes closest to the best for every weighting",
    )
    quantities |= {f"worst over weightings, {name}": value for name, value in worst.items()}
    w = WEIGHTINGS["flow_matching"]()(LAM)
    noise = gradient_noise(lab, densities(w * seen), w)
    quantities |= {f"variance of the gradient / |mean|², {n}": v for n, v in noise.items()}
    return worst_of(same, lower, quantities=quantities, series=series)
