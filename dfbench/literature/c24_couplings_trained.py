"""24. Minibatch optimal transport: straighter paths, cheaper transport, a better single step."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from dfbench.charts.drawing import frame
from dfbench.charts.look import COLOURS, MUTED
from dfbench.couplings import minibatch_pairs
from dfbench.grids import uniform_t
from dfbench.literature import ROWS
from dfbench.literature.calculus import rms
from dfbench.literature.statement import worst_of
from dfbench.literature.trained import Lab, Trainable, planar, trained
from dfbench.outcome import Finding, judge
from dfbench.schedules import FlowMatching
from dfbench.training.measure.law import ExactLaw
from dfbench.trajectories import straightness, trajectory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

START, STOP = 0.993, 0.007  # t of flow matching, λ from −9.9 to 9.9
N, STEPS = 1000, 50


def flow(network: Trainable, n: int = N, steps: int = STEPS) -> Any:
    """Euler on the flow from n draws of noise, as paths."""
    grid = uniform_t(FlowMatching(), steps, START, STOP)
    z = grid.sigma[0] * np.random.default_rng(24).standard_normal((n, 2))
    return trajectory("flow_matching", network.as_prediction("u"), grid, prediction="u", z=z)


def measures(network: Trainable, law: ExactLaw) -> dict[str, float]:
    """What a coupling changes: straightness, cost, and the error of one step and of many."""
    many, one = flow(network), flow(network, steps=1)
    return {
        "straightness": straightness(many),
        "transport cost": 2 * rms(many.samples - many.states[0]) ** 2,
        "sliced W₂ of one step": law.sliced_w2(one.samples).value,
        "sliced W₂ of 50 steps": law.sliced_w2(many.samples).value,
        "one step from fifty (rms)": rms(one.samples - many.samples),
    }


def compare(
    before: Trainable, after: Trainable, lab: Lab, bounds: dict[str, float], names: tuple[str, str]
) -> Finding:
    """Measures of two networks, and their ratios against bounds."""
    law = ExactLaw(planar(lab), N, np.random.default_rng(240))
    found = [measures(network, law) for network in (before, after)]
    quantities = {
        f"{what}, {name}": each[what]
        for what in found[0]
        for name, each in zip(names, found, strict=True)
    }
    quantities["sliced W₂ of exact samples"] = law.floor
    findings = [
        judge(
            found[1][what] / found[0][what],
            bound,
            unit=f"{what}, {names[1]} / {names[0]}",
            derivation="lower, by more than the spread between seeds",
        )
        for what, bound in bounds.items()
    ]
    series: dict[str, list[float]] = {}
    for name, network in zip(names, (before, after), strict=True):
        paths = flow(network, 40).states
        for i in range(40):
            series |= {
                f"{name}, x {i}": paths[:, i, 0].tolist(),
                f"{name}, y {i}": paths[:, i, 1].tolist(),
            }
    return worst_of(*findings, quantities=quantities, series=series)


def draw_pair(names: tuple[str, str], finding: Finding) -> Figure:
    """Trajectories of both networks, from the same noise (grey) to samples (orange)."""
    series = finding.series or {}
    fig, axes = frame("x₁", "x₂", panels=2, aspect="equal", size=(5.4, 3.0))
    for axis, name in zip(axes, names, strict=True):
        for i in range(40):
            x, y = series[f"{name}, x {i}"], series[f"{name}, y {i}"]
            axis.plot(x, y, color=COLOURS[0], lw=0.7)
            axis.plot(x[:1], y[:1], ".", color=MUTED, ms=3)
            axis.plot(x[-1:], y[-1:], ".", color=COLOURS[1], ms=5)
        axis.set_title(name)
    return fig


NAMES = ("independent pairs", "minibatch OT")


@trained(
    ROWS[24],
    r"\pi=\operatorname{argmin}\sum|x_{p(i)}-\epsilon_i|^2\text{ in each batch}:\quad"
    r"\text{straighter paths, "
    r"lower }\mathbb E|x-\epsilon|^2,\ \text{a better single step}",
    title="Minibatch optimal transport",
    condition="exact transport within batches; the marginals of the coupling are what they were. "
    "The map itself may cost no less: that of independent pairs can be near the best already",
    subject=lambda: {"kind": "minibatch_ot", "size": 128},
    control=lambda size: {"kind": "independent"},
    control_size=1.0,
    figure=partial(draw_pair, NAMES),
)
def check(pairs: dict[str, Any], lab: Lab) -> Finding:
    """Two networks, alike but for the pairs they were trained on."""
    base = lab.network(prediction="u", pairs={"kind": "independent"}, levels=LEVELS)
    coupled = lab.network(prediction="u", pairs=pairs, levels=LEVELS)
    bounds = {
        "straightness": 0.7,
        "sliced W₂ of one step": 0.9,
        "one step from fifty (rms)": 0.8,
    }
    found = compare(base, coupled, lab, bounds, NAMES)
    before, after = (cost_of_pairs(lab, size) for size in (1, pairs.get("size", 1)))
    cheaper = judge(
        after / before,
        0.5,
        unit="E|x − ε|² of the pairs trained on, minibatch OT / independent",
        derivation="in the plane a batch of 128 is nearly enough",
    )
    quantities = (found.quantities or {}) | {
        "E|x − ε|² of the pairs, independent": before,
        "E|x − ε|² of the pairs, minibatch OT": after,
    }
    return worst_of(found, cheaper, quantities=quantities, series=found.series)


def cost_of_pairs(lab: Lab, size: int) -> float:
    """E|x − ε|² of the pairs of batches of this size."""
    rng = np.random.default_rng(241)
    noise, data = rng.standard_normal((2048, 2)), lab.truth.sample(2048, rng)
    return 2 * rms(data[minibatch_pairs(noise, data, size)] - noise) ** 2


#: The levels at which networks of a flow are trained: t uniform.
LEVELS = {"kind": "uniform", "low": -10.0, "high": 10.0}
