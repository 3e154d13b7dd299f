"""46. Sampling and training schedules may differ; the best one depends on the data's law."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from analytic import GaussianMixture
from dfbench.charts.drawing import lines
from dfbench.charts.look import COLOURS
from dfbench.exact import exact_model
from dfbench.grids import uniform_t
from dfbench.levels import Array, Level, Network
from dfbench.literature.parts import within
from dfbench.literature.slider import Curves, Slider
from dfbench.literature.statement import row, worst_of
from dfbench.outcome import Finding, judge
from dfbench.samplers import METHODS
from dfbench.schedules import FlowMatching, Schedule, Shifted
from dfbench.testing import floats, grids, mixtures, schedules
from dfbench.wasserstein import error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Adapter = Callable[[Network, Schedule], Network]
LAWS = {"wide": 2.0**2, "narrow": 0.1**2}  # data variances
SHIFTS = np.geomspace(0.05, 20.0, 49)  # 1 is the flow schedule
N = 12
SPREADS = tuple(f"{10 ** (i / 4 - 1):.2g}" for i in range(9))  # deviations of the slider's data


def matched(size: float = 0.0) -> Adapter:
    """A network of x̂ trained under one schedule, for states of any other: same λ, and the state
    brought to the scale of training. The defect is a factor on that scale."""

    def adapt(network: Network, trained: Schedule) -> Network:
        def model(z: Any, level: Level) -> Any:
            alpha, sigma = trained.level(float(trained.t_of_log_snr(level.log_snr)))
            return network((1 + size) * alpha / level.alpha * z, Level(alpha, sigma))

        return model

    return adapt


def penalty(variance: float) -> Array:
    """W2 of DDIM in data deviations, for every shift."""
    grids = (uniform_t(Shifted(FlowMatching(), float(shift)), N) for shift in SHIFTS)
    found = [error("ddim", grid, variance, on=("discretisation",)) for grid in grids]
    return np.asarray(np.array(found) / variance**0.5)


def penalties() -> tuple[dict[str, Array], dict[str, float]]:
    """W2 of DDIM (in data deviations) against the shift for each law; the best shift of each law
    and what it costs to use that of the other."""
    curves = {name: penalty(v) for name, v in LAWS.items()}
    best = {name: int(curve.argmin()) for name, curve in curves.items()}
    quantities = {f"best shift, {name} data": float(SHIFTS[i]) for name, i in best.items()}
    for name, i in best.items():
        ratio = float(SHIFTS[i]) / LAWS[name] ** 0.5
        quantities[f"best shift / standard deviation, {name} data"] = ratio
    for name, curve in curves.items():
        other = next(n for n in LAWS if n != name)
        quantities[f"{name} data: error with the other's shift / with its own"] = float(
            curve[best[other]] / curve[best[name]]
        )
    return curves, quantities


def draw(finding: Finding) -> Figure:
    """Error against the sampling schedule, for two laws of the data."""
    series = finding.series or {}
    x, y = f"shift of the sampling schedule ({N} steps)", "W₂ / standard deviation of the data"
    names = {name: f"{name}: std {variance**0.5:g}" for name, variance in LAWS.items()}
    figure = lines(finding, x, y, over="shift", names=names, xscale="log", yscale="log")
    for name, colour in zip(LAWS, COLOURS, strict=False):
        best = int(np.argmin(series[name]))
        figure.axes[0].plot(series["shift"][best], series[name][best], "o", color=colour)
    return figure


SLIDER = Slider(
    label="standard deviation of the data",
    positions=SPREADS,
    x=f"shift of the sampling schedule ({N} steps)",
    y="W₂ / standard deviation of the data",
    ylim=(0.05, 2.0),
    curves=(Curves("DDIM", "shift", ("standard deviation {at}",), 0),),
    readings={"best shift": "best shift", "its error": "its error"},
    logs="xy",
)


@row(
    "46",
    r"\hat x(z;\alpha,\sigma)=\hat x^{\text{train}}\big(\tfrac{\alpha'}{\alpha}z;\alpha',\sigma'"
    r"\big),\ \lambda'=\lambda;\qquad\operatorname{argmin}_{\text{grid}}W_2\text{ depends on }p",
    title="Sampling and training schedules may differ",
    source="GAO",
    condition="λ of sampling within the range of training, and the state rescaled at the input",
    subject=matched,
    control=matched,
    control_size=6e-8,
    figure=draw,
    slider=SLIDER,
)
def check(adapter: Adapter) -> Finding:
    """One sample from a network of another schedule as from a native one; and the schedule that
    is best for one law against that of another."""

    @within(1e-9, "of the state's size", "round-off and the inverse of λ(t)")
    def gap(target: GaussianMixture, grid: Any, trained: Schedule, start: float) -> float:
        inside = trained.log_snr(np.array([0.999, 0.001]))
        if not (grid.log_snr.min() > inside[0] and grid.log_snr.max() < inside[1]):
            return 0.0
        table = METHODS["heun"].table(grid, "x")
        native = exact_model(target, "x")
        z = np.full((1, 1), start) * np.hypot(*grid[0])
        one, two = (table.run(m, z) for m in (native, adapter(native, trained)))
        return float(np.abs(one - two).max() / np.hypot(*grid[-1]))

    same = gap.for_all(
        examples=60,
        target=mixtures(1, smallest=0.3),
        grid=grids(2, 5, low=-3.0, high=3.0),
        trained=schedules(),
        start=floats(-2.0, 2.0),
    )
    curves, quantities = penalties()
    cost = min(v for k, v in quantities.items() if "error" in k)
    depends = judge(
        1 / cost,
        0.9,
        unit="error with its own schedule / with the other's",
        derivation="a tenth is more than the spacing of the shifts makes",
    )
    series = {"shift": SHIFTS.tolist(), **{name: c.tolist() for name, c in curves.items()}}
    series |= _moved()
    return worst_of(same, depends, series=series, quantities=quantities)


def _moved() -> dict[str, list[float]]:
    """The penalty at every position of the slider, its least value, and where."""
    found = {f"standard deviation {at}": penalty(float(at) ** 2) for at in SPREADS}
    best = [int(curve.argmin()) for curve in found.values()]
    least = [float(curve.min()) for curve in found.values()]
    curves = {name: curve.tolist() for name, curve in found.items()}
    return curves | {"best shift": [float(SHIFTS[i]) for i in best], "its error": least}
