"""The frame in which the claims are drawn: one size, one palette, safe for colour-blind readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Curves:
    """Lines of one kind: `y` names their series, with {at} for the slider's position.

    A colour is its place in the palette; without one, a line is grey and wide.
    """

    label: str
    x: str
    y: tuple[str, ...]
    colour: int | None
    marks: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Slider:
    """How the curves of a claim change with one number; all it shows are series of the finding.

    Attributes:
        label: the number that is set.
        positions: its values, as the names of the series have them.
        x, y: labels of the axes; `ylim` the range shown, x runs as the series does.
        curves: the lines drawn at each position.
        readings: what is said at each position → the series that has it, an entry a position.
    """

    label: str
    positions: tuple[str, ...]
    x: str
    y: str
    ylim: tuple[float, float]
    curves: tuple[Curves, ...]
    readings: dict[str, str]


def frame(x: str, y: str, *, panels: int = 1, **scales: Any) -> tuple[Figure, list[Axes]]:
    """A figure and its axes side by side, labelled; `xscale`, `yscale` and the like go to each."""
    import seaborn as sns
    from matplotlib.figure import Figure

    with sns.axes_style("whitegrid"), sns.plotting_context("paper"):
        figure = Figure(figsize=(6.0, 3.5), layout="constrained")
        axes = [figure.add_subplot(1, panels, 1 + i) for i in range(panels)]
    for axis in axes:
        axis.set(xlabel=x, ylabel=y, **scales)
        axis.set_prop_cycle(color=sns.color_palette("colorblind"))
    return figure, axes


def tidy(figure: Figure) -> None:
    """Make a figure readable: no small type, long legends outside, plain numbers on short axes."""
    for axis in figure.axes:
        for one in (axis.xaxis, axis.yaxis):
            if one.get_scale() == "log":
                _plain_ticks(one)
        legend = axis.get_legend()
        if legend is not None and len(legend.get_texts()) > 6 and len(figure.axes) == 1:
            _below(figure, axis)
    for text in figure.findobj(lambda each: hasattr(each, "get_fontsize")):
        text.set_fontsize(max(8.0, text.get_fontsize()))  # type: ignore[attr-defined]


def _below(figure: Figure, axis: Axes) -> None:
    """Move a legend below the axes."""
    handles, names = axis.get_legend_handles_labels()
    axis.get_legend().remove()  # type: ignore[union-attr]
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.2 * len(names) / 4)
    names = [name.replace("_", " ") for name in names]
    figure.legend(handles, names, loc="outside lower center", ncols=4, fontsize=8)


def _plain_ticks(axis: Axis) -> None:
    """Numbers like 20 and 0.5 on a log axis of less than two decades that has its own ticks."""
    import matplotlib.ticker as mt

    low, high = sorted(axis.get_view_interval())
    if not 1e-4 < low < high < min(1e5, 100 * low) or isinstance(
        axis.get_major_locator(), mt.FixedLocator
    ):
        return
    subs = (1, 2, 5) if high > 6 * low else (1, 1.5, 2, 3, 4, 6, 8)
    axis.set_major_locator(mt.LogLocator(subs=subs))
    axis.set_minor_locator(mt.NullLocator())
    axis.set_major_formatter(mt.FuncFormatter(lambda value, _: f"{value:g}"))
