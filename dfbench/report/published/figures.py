"""The pictures of the page of published numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from dfbench.charts.drawing import frame, name_rows
from dfbench.charts.look import COLOURS, INK, style
from dfbench.published import Numbers, Source
from dfbench.published.figures import exact, named
from dfbench.report.page import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Part(Protocol):
    """What is drawn of a source."""

    @property
    def source(self) -> Source: ...
    @property
    def sets(self) -> tuple[Numbers, ...]: ...
    @property
    def agreeing(self) -> int: ...
    @property
    def numbers(self) -> tuple[int, int]: ...


def agreement(parts: Sequence[Part]) -> Chart:
    """What share of each source comes out."""

    def draw() -> Figure:
        figure, (axis,) = frame("share of its numbers", "", size=(5.4, 0.5 + 0.3 * len(parts)))
        shares = [right / total for right, total in (part.numbers for part in parts)]
        rows = range(len(parts))
        axis.barh(rows, shares, height=0.62, color=COLOURS[2], label="comes out")
        missed = [1 - share for share in shares]
        axis.barh(rows, missed, left=shares, height=0.62, color=COLOURS[1], label="does not")
        axis.set(xlim=(0, 1), xticks=[0, 0.5, 1])
        axis.set_xticklabels(["0", "half", "all"])
        words = ["{} of {}".format(*part.numbers) for part in parts]
        name_rows(axis, [part.source.name for part in parts], words)
        axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        return figure

    return Chart(
        "agreement",
        "share of the published numbers that come out, by source",
        draw,
        caption="Numbers that come out to the printed digits, by source",
    )


#: Curve → colour.
PATHS = {"paths, DDIM": 0, "paths, Euler": 1}
PANELS = (
    ("scaling", "0", "flow matching's scale, variance 0.25"),
    ("scaling", "7", "variance preserving, variance 0.25"),
    ("VP", "1", "variance preserving, variance 1"),
    ("VP", "0.01", "variance preserving, variance 0.01"),
)
STARTS = 6


def curves(found: Sequence[Numbers]) -> Chart | None:
    """The figures of Gao et al. again: dots as printed, lines as computed."""
    known = {(each.setting, each.quantity): each for each in found if each.source == "gao"}
    if not known:
        return None

    def draw() -> Figure:
        from matplotlib.figure import Figure

        with style():
            figure = Figure(figsize=(8.6, 5.0))
            axes = [figure.add_subplot(2, 3, 1 + i) for i in range(len(PANELS) + 2)]
        _weights(axes[0], known)
        for axis, (figure_name, position, title) in zip(axes[1:], PANELS, strict=False):
            _paths(axis, known, figure_name, position)
            axis.set(title=title, xlabel="t", xlim=(1, 0), ylim=(-2.2, 2.2))
        _off(axes[-1], known)
        return figure

    return Chart(
        "curves",
        "figures of Gao et al., printed and computed",
        draw,
        caption="The figures of Gao et al. again: dots as printed, lines as computed",
        note="what the figures call “ground truth” is DDIM in 255 steps, and off the exact flow by "
        "up to 0.01",
    )


Known = dict[tuple[str, str], Numbers]


def _weights(axis: Axes, known: Known) -> None:
    for i, churn in enumerate(("0", "0.1", "0.2", "0.3", "0.4", "0.5")):
        each = known[f"churn {churn}", "weights of v̂"]
        t = np.linspace(1, 0.01, each.total)
        axis.plot(t, each.computed, color=COLOURS[i])
        printed = np.array([float(value) for value in each.printed])
        axis.plot(t[3::12], printed[3::12], "o", color=COLOURS[i], ms=3)
        if churn in ("0", "0.5"):
            k = int(np.argmax(each.computed)) - 8
            place = (float(t[k]), each.computed[k])
            axis.annotate(f"churn {churn}", place, (-52, -10), textcoords="offset points")
    axis.set(title="weights of v̂ in the sample", xlabel="t", xlim=(1, 0))


def _paths(axis: Axes, known: Known, figure: str, position: str) -> None:
    setting = named(figure, position)
    for (place, quantity), each in known.items():
        if place != setting or not quantity.startswith("paths"):
            continue
        printed = np.array([float(value) for value in each.printed]).reshape(STARTS, -1)
        computed = np.array(each.computed).reshape(STARTS, -1)
        t = np.linspace(1, 0, printed.shape[1])
        name = quantity.split(", ")[1]
        truth = quantity not in ("paths, DDIM, 5 steps", "paths, Euler, 5 steps")
        colour = INK if truth else COLOURS[PATHS[f"paths, {name}"]]
        every = 32 if truth else 1
        for i in range(STARTS):
            label = ("“ground truth”" if truth else name) if i == 0 else None
            axis.plot(t, computed[i], color=colour, lw=1 if truth else 1.5, label=label)
            axis.plot(t[::every], printed[i, ::every], "o", color=colour, ms=2 if truth else 3.5)


def _off(axis: Axes, known: Known) -> None:
    """How far the “ground truth” that starts in 2 is from the exact flow."""
    for i, (figure, position, _) in enumerate(PANELS):
        setting, steps = named(figure, position), 255
        each = known[setting, f"paths, “ground truth”: DDIM in {steps} steps"]
        flow = 2 * exact(figure, position, steps)
        t = np.linspace(1, 0, steps + 1)
        computed = np.array(each.computed).reshape(STARTS, -1)[-1]
        printed = np.array([float(value) for value in each.printed]).reshape(STARTS, -1)[-1]
        axis.plot(t, computed - flow, color=COLOURS[2 + i])
        axis.plot(t[::32], (printed - flow)[::32], "o", color=COLOURS[2 + i], ms=3)
        if figure != "scaling":
            place = (float(t[150]), float((computed - flow)[150]))
            axis.annotate(f"variance {position}", place, (2, 4), textcoords="offset points")
    axis.set(title="“ground truth” less exact flow", xlabel="t", xlim=(1, 0))
