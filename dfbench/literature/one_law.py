"""Samples of several samplers through one trained network: is it one law?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dfbench.charts.drawing import curves, frame, level
from dfbench.charts.look import MARKS
from dfbench.levels import Array, Grid, Level
from dfbench.literature.statement import largest_of
from dfbench.literature.trained import Lab
from dfbench.outcome import Finding
from dfbench.table import Table
from dfbench.training.measure.law import ExactLaw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Sliced W₂ that samples of a trained network may have beyond the floor, of the data's deviation.
TOLERANCE = 0.06


class Laws:
    """The exact law at a level, for samples of that level."""

    def __init__(self, lab: Lab, level: Level, seed: int, n: int = 2000) -> None:
        diffused = lab.truth.diffused(*level)
        self.n, self.spread = n, float(np.sqrt(np.trace(diffused.covariance) / diffused.dim))
        self.law = ExactLaw(diffused, n, np.random.default_rng(seed))

    def distance(self, table: Table, network: Any, seed: int, sigma: float = 1.0) -> float:
        """Sliced W₂ of samples to the exact law; infinite where samples are not finite.

        Args:
            table: of the sampler.
            network: the prediction that the table takes.
            seed: of the noise at the start, of standard deviation `sigma`, and on the way.
        """
        rng, shape = np.random.default_rng(seed), (self.n, self.law.truth.dim)

        def draw(k: int) -> Array:
            return rng.standard_normal(shape)

        samples = table.run(network, sigma * draw(0), draw)
        return self.law.sliced_w2(samples).value if np.isfinite(samples).all() else float("inf")

    def one_law(
        self, found: dict[str, float], series: dict[str, list[float]], told: str = ""
    ) -> Finding:
        """Whether all distances are within the floor and the tolerance.

        Args:
            found: the distances by what they are of.
            series: of the figure, which gets the floor too.
            told: what all distances have in common.
        """
        floor = self.law.floor
        return largest_of(
            found,
            self.law.floor_high + TOLERANCE * self.spread,
            unit="sliced W₂ to the exact law",
            derivation=f"what 19 of 20 sets of {self.n} exact samples get, and {TOLERANCE:.0%} of "
            "the data's deviation for the network's own error and the finite steps",
            quantities={f"sliced W₂, {told}{name}": value for name, value in found.items()}
            | {"sliced W₂ of exact samples": floor},
            series=series | {"floor": [floor]},
        )


def of_every(
    parameter: str,
    values: Sequence[float],
    steps: Sequence[int],
    table: Callable[[Grid, float], Table],
    grid: Callable[[int], Grid],
    network: Any,
    lab: Lab,
    seed: int,
) -> Finding:
    """Whether the law is one for every value of a sampler's parameter, at the most steps."""
    laws = Laws(lab, grid(1)[1], seed)
    series = {
        f"{parameter} {value:g}": [
            laws.distance(table(grid(n), value), network, 10 * seed) for n in steps
        ]
        for value in values
    }
    last = {name: distances[-1] for name, distances in series.items()}
    series = {"steps": [float(n) for n in steps]} | series
    return laws.one_law(last, series, f"{steps[-1]} steps, ")


def distances(finding: Finding, labels: Mapping[str, str] | None = None) -> Figure:
    """Distance to the exact law against steps, for every value of the parameter.

    Args:
        labels: of values that have another name too.
    """
    series = finding.series or {}
    figure, (axis,) = frame("steps", "sliced W₂ to the exact law", xscale="log", yscale="log")
    names = {name: name for name in series if name not in ("steps", "floor")}
    curves(axis, series, "steps", names | dict(labels or {}), [f"{mark}-" for mark in MARKS])
    level(axis, series["floor"][0], "exact samples")
    return figure
