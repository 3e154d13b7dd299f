"""26. A trained score is poor where data is rare; networks of several noise levels are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from dfbench.charts.drawing import curves, frame
from dfbench.levels import Array, Grid, Level
from dfbench.literature import ROWS
from dfbench.literature.statement import worst_of
from dfbench.literature.trained import Lab, planar, trained
from dfbench.outcome import Finding, judge
from dfbench.samplers import METHODS
from dfbench.samplers.method import Output
from dfbench.schedules import at_log_snr
from dfbench.training.measure.density import score_error_by_density
from dfbench.training.measure.law import ExactLaw
from dfbench.training.measure.network import PredictingNetwork

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ONE = 4.0  # λ of the network that knows one level
ALL = (4.0, 0.0, -4.0)
N, LEVELS, EACH, STEP = 1000, 12, 30, 0.1
Training = Callable[[Lab], PredictingNetwork]


def one_level(lab: Lab) -> PredictingNetwork:
    """A network trained on the smallest noise alone."""
    return lab.network(
        prediction="eps", levels={"kind": "geometric", "low": ONE, "high": ONE, "count": 1}
    )


def uniformly_wrong(lab: Lab) -> Any:
    """The exact noise and a tenth: wrong alike wherever one looks."""

    class Wrong:
        prediction = "eps"

        def __call__(self, z: Any, level: Level) -> Any:
            return lab.truth.posterior_eps(np.asarray(z), *level) + 0.1

    return Wrong()


def errors(network: PredictingNetwork, lab: Lab, log_snrs: tuple[float, ...]) -> Any:
    """The binned score error of `score_error_by_density`."""
    return score_error_by_density(
        network, lab.truth, np.random.default_rng(26), log_snrs=log_snrs, n=8192
    )


def langevin(network: PredictingNetwork, grid: Grid, n_steps: int, start: Array) -> Array:
    """Annealed Langevin dynamics over the levels of a grid, noise first."""
    rng, shape = np.random.default_rng(261), start.shape

    def model(z: Array, level: Level) -> Output:
        return Output(network(z, level), z, level, network.prediction)

    def noise(start: float | None = None, stop: float | None = None) -> Array:
        return rng.standard_normal(shape)

    step = STEP * grid[-1].ratio ** 2
    method = METHODS["annealed_langevin"]
    return np.asarray(method(model, start, grid, noise, step=step, n_steps=n_steps))


def draw(finding: Finding) -> Figure:
    """Score error against density: one level of noise, and several."""
    series = finding.series or {}
    fig, (axis,) = frame(
        "nats per dimension below the densest place", "rms error of σ · score", yscale="log"
    )
    for name in (name for name in series if name.startswith("error, ")):
        label = name.removeprefix("error, ")
        curves(axis, series, f"below, {label}", {name: label}, ["o-"])
    return fig


@trained(
    ROWS[26],
    r"\sigma|\hat s-\nabla\log p_\sigma|\ \text{grows where}\ p_\sigma\ \text{is small};\quad"
    r"\text{levels with more noise leave no such places on a sampler's way}",
    title="Score error where data is rare",
    condition="a network trained at one small noise level, against one trained at all levels",
    subject=lambda: one_level,
    control=lambda size: uniformly_wrong,
    control_size=1.0,
    figure=draw,
)
def check(training: Training, lab: Lab) -> Finding:
    """Errors by density; then Langevin at one level against annealed Langevin, off the centre."""
    planar(lab)
    single, several = training(lab), lab.network()
    alone, whole = errors(single, lab, (ONE,)), errors(several, lab, ALL)
    dense = float(alone.error[alone.below < 1.0].min())
    rare = float(alone.error[(alone.below > 3.0) & (alone.below < 16.0)].max())
    worse = judge(
        5 * dense / rare,
        1.0,
        unit="5 × error where dense / where rare",
        where=f"λ = {ONE:g}",
        derivation="five times worse where data is rare, whatever the bins",
    )
    law = ExactLaw(lab.truth.diffused(*at_log_snr(ONE)), N, np.random.default_rng(262))
    start = np.random.default_rng(263).standard_normal((N, 2)) + np.array([2.0, 0.0])
    near = Grid(*at_log_snr(np.array([ONE, ONE])))
    stuck = law.sliced_w2(langevin(single, near, EACH * LEVELS // 2, start)).value
    levels = Grid(*at_log_snr(np.linspace(-5.0, ONE, LEVELS)))
    cured = law.sliced_w2(langevin(several, levels, EACH, start)).value
    better = judge(
        3 * cured / stuck,
        1.0,
        unit="3 × sliced W₂ of annealed Langevin / of one level",
        derivation="a third of the error, from the same starts with as many evaluations",
    )
    series: dict[str, list[float]] = {}
    for table, name in ((alone, "trained at one level, λ = 4"), (whole, "trained at all levels")):
        for lam, part in table.groupby("log_snr"):
            label = name if table is alone else f"{name}, λ = {lam:g}"
            series |= {
                f"below, {label}": part.below.tolist(),
                f"error, {label}": part.error.tolist(),
            }
    quantities = {
        "rms error where dense, one level": dense,
        "rms error where rare, one level": rare,
        "sliced W₂, Langevin at one level": stuck,
        "sliced W₂, annealed Langevin over all levels": cured,
        "sliced W₂, exact samples": law.floor,
    }
    return worst_of(worse, better, quantities=quantities, series=series)
