"""51. Churn takes weight from early predictions and gives it to late ones; DDIM weighs v̂ alike."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np

from dfbench.charts.drawing import lines
from dfbench.grids import regular, uniform_t
from dfbench.levels import Array, Grid
from dfbench.literature.c36_sample_is_a_weighted_sum import cosine, rate
from dfbench.literature.parts import decided
from dfbench.literature.slider import Curves, Slider
from dfbench.literature.statement import largest_of, row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import FlowMatching, LinearVP

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHURNS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
COUNTS = (5, 12, 40, 100)
ENDS = {"first": 0, "last": -1}
MOVED = tuple(f"{i / 10:g}" for i in range(10))  # churns of the slider
GRIDS: dict[str, Callable[[int], Grid]] = {
    "cosine": cosine,
    "flow matching": lambda n: uniform_t(FlowMatching(), n, 0.999, 0.001),
    "linear β": lambda n: uniform_t(LinearVP(), n, 1.0, 0.001),
    "even in λ": lambda n: regular(-10.0, 10.0, n),
}

Weights = Callable[[float, Grid, str], Array]  # churn, levels, prediction → of every output, (N,)


def weights(more: float = 0.0) -> Weights:
    """Those of the package's tables, where this much more is undone of every step."""

    def of(churn: float, grid: Grid, prediction: str) -> Array:
        table = METHODS["exponential_sde"].table(grid, "x", eta=rate(churn + more))
        return np.abs(table.weights(prediction))

    return of


def equal(n: int) -> Array:
    """|w_i| of v̂ for DDIM on the cosine schedule: sin δ cos^(N−1−i) δ.

    Every step turns (z, v) by the same angle δ, and v̂ is what the state is turned towards.
    """
    end = np.arctan(np.exp(-7.5))
    turn = (np.pi / 2 - 2 * end) / n
    return np.asarray(np.sin(turn) * np.cos(turn) ** np.arange(n)[::-1])


def moved_the_wrong_way(sizes: list[Array]) -> float:
    """What weights gain before, and lose after, the one place where loss turns into gain.

    The place is the best for each step in churn; of the largest weight.
    """
    worst = 0.0
    for less, more in pairwise(sizes):
        gained = more - less
        early = np.maximum.accumulate(np.maximum(gained, 0.0))[:-1]
        late = np.maximum.accumulate(np.maximum(-gained, 0.0)[::-1])[::-1][1:]
        worst = max(worst, float(np.maximum(early, late).min() / less.max()))
    return worst


def draw(finding: Finding) -> Figure:
    """How much more or less than DDIM's each weight is."""
    x, y = "log-SNR λ of the evaluation", "weight of v̂, of DDIM's"
    return lines(finding, x, y, over="log-SNR", names=[f"churn {c:g}" for c in CHURNS[1:]])


SLIDER = Slider(
    label="churn: part of each step undone",
    positions=MOVED,
    x="log-SNR λ of the evaluation",
    y="weight of v̂ in the sample",
    ylim=(1e-5, 0.3),
    curves=(
        Curves("DDIM", "log-SNR", ("weight, churn 0",), None),
        Curves("with this churn", "log-SNR", ("weight, churn {at}",), 0),
    ),
    readings={
        "first weight": "first weight",
        "last weight": "last weight",
    },
    logs="y",
)


@row(
    "51",
    r"\exists k:\ \frac{\partial|w_i|}{\partial c}<0\ (i<k),\ >0\ (i\ge k);\qquad c=0,\ "
    r"\text{cosine}:\ |w_i(\hat v)|=\sin\delta\,\cos^{N-1-i}\delta,\quad\max/\min\approx"
    r"1+\tfrac{\pi^2}{8N}",
    title="Churn shifts the weight to late predictions",
    source="GAO",
    condition="the outputs are x̂, v̂ or û, in five steps or more: all weights of ε̂ rise; nearly "
    "equal are those of v̂ on the cosine schedule in equal steps of t",
    subject=weights,
    control=weights,
    control_size=1e-11,
    figure=draw,
    slider=SLIDER,
)
def check(of: Weights) -> Finding:
    """Every schedule, step count and output; and the closed form of DDIM's weights."""
    shift = {
        f"{name}, {n} steps, {m}": moved_the_wrong_way([of(c, grid(n), m) for c in CHURNS])
        for (name, grid), n, m in product(GRIDS.items(), COUNTS, ("x", "v", "u"))
    }
    alike = {f"{n} steps": float(np.abs(of(0.0, cosine(n), "v") - equal(n)).max()) for n in COUNTS}
    rounding = "round-off in float64 of products of 100 factors below 1, 100 ε each"
    ddim, grid = of(0.0, cosine(100), "v"), cosine(100)
    series = {"log-SNR": grid.log_snr[:-1].tolist()}
    for c in CHURNS[1:]:
        series[f"churn {c:g}"] = (of(c, grid, "v") / ddim).tolist()
    series |= _moved(of, grid)
    quantities = {
        f"DDIM, 100 steps of {name}: largest weight of v̂ / smallest": float(w.max() / w.min())
        for name, w in ((name, of(0.0, run(100), "v")) for name, run in GRIDS.items())
    }
    quantities["churn ½ (DDPM), 100 steps of cosine: first weight of v̂, of DDIM's"] = series[
        "churn 0.5"
    ][0]
    return decided(
        {
            "weight that moves to early outputs": largest_of(
                shift, 1e-13, unit="of the largest weight", derivation=rounding
            ),
            "DDIM's weights of v̂ off their form": largest_of(
                alike, 1e-13, unit="of the sample", derivation=rounding
            ),
        },
        quantities,
        series,
    )


def _moved(of: Weights, grid: Grid) -> dict[str, list[float]]:
    """The weights themselves, at every churn of the slider."""
    found = {f"weight, churn {c}": of(float(c), grid, "v").tolist() for c in MOVED}
    ends = {f"{name} weight": [w[i] for w in found.values()] for name, i in ENDS.items()}
    return found | ends
