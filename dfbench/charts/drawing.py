"""What charts are drawn from: frames, curves, lists, shades; and the last touch to all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dfbench.charts.look import MUTED, SHADES, SIZE, style
from dfbench.wording import clean, tick

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from dfbench.outcome import Finding


def frame(
    x: str, y: str, *, panels: int = 1, size: tuple[float, float] = SIZE, **scales: Any
) -> tuple[Figure, list[Axes]]:
    """A figure and its axes side by side, labelled; `xscale`, `ylim` and the like go to each."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=size)
        axes = [figure.add_subplot(1, panels, 1 + i) for i in range(panels)]
    for axis in axes:
        axis.set(xlabel=x, ylabel=y, **scales)
    return figure, axes


Names = Mapping[str, str] | Iterable[str]


def curves(
    axis: Axes,
    series: Mapping[str, Sequence[float]],
    over: str,
    names: Names,
    styles: Sequence[str] = ("-",),
    **line: Any,
) -> None:
    """Draw series over the series `over`.

    Args:
        names: of the series; a mapping gives each its label.
        styles: matplotlib's format strings, taken in turn.
        line: properties of all lines.
    """
    for i, name in enumerate(names):
        label = names[name] if isinstance(names, Mapping) else name
        axis.plot(series[over], series[name], styles[i % len(styles)], label=label, **line)


def lines(
    finding: Finding,
    x: str,
    y: str,
    *,
    over: str | None = None,
    names: Names | None = None,
    styles: Sequence[str] = ("-",),
    size: tuple[float, float] = SIZE,
    **scales: Any,
) -> Figure:
    """A figure of a finding's series; by default, of all over the first of them.

    Args:
        finding: with series.
        x, y: labels of the axes.
        over, names, styles: as of `curves`.
        size: inches.
        scales: `xscale`, `ylim` and the like.
    """
    series = finding.series or {}
    over = next(iter(series)) if over is None else over
    figure, (axis,) = frame(x, y, size=size, **scales)
    shown = [name for name in series if name != over] if names is None else names
    curves(axis, series, over, shown, styles)
    return figure


def guide(axis: Axes, x: Sequence[float], y: Sequence[float], label: str | None = None) -> None:
    """A line to compare with."""
    axis.plot(x, y, ":", color=MUTED, lw=1.2, label=label, scalex=False, scaley=False)


def level(axis: Axes, y: float, label: str) -> None:
    """A horizontal line to compare with."""
    axis.axhline(y, ls=":", color=MUTED, lw=1.2, label=label)


def name_ends(axis: Axes, ends: Iterable[tuple[float, float, str, str]]) -> None:
    """Names (x, y, name, colour) right of the ends of lines on log axes, at least a line apart."""
    ends = [end for end in ends if end[1] > 0]
    low, high = axis.get_ylim()
    height = math.log(high / low)
    last = -math.inf
    for _, y, name, colour in sorted(ends, key=lambda end: end[1]):
        last = max(math.log(y / low) / height, last + 0.075)
        axis.annotate(
            name,
            (1.0, min(last, 1.02)),
            (4, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            color=colour,
            va="center",
            fontsize=8,
            annotation_clip=False,
        )


def name_rows(
    axis: Axes,
    names: Sequence[str],
    words: Sequence[str],
    *,
    links: Sequence[str] = (),
    colours: Sequence[str] = (),
) -> None:
    """Make the axis a list, rows y = 0, 1, … from the top: names on the left, words on the right.

    Args:
        names, words: of each row.
        links: where a name leads in a page.
        colours: of the words.
    """
    axis.set_yticks(range(len(names)), [clean(name) for name in names])
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.spines["left"].set_visible(False)
    for label, link in zip(axis.get_yticklabels(), links, strict=False):
        label.set_url(link)
    for y, said in enumerate(words):
        axis.annotate(
            said,
            (1.0, y),
            (8, 0),
            xycoords=axis.get_yaxis_transform(),
            textcoords="offset points",
            color=colours[y] if colours else MUTED,
            va="center",
            fontsize=8,
            annotation_clip=False,
        )


def heat(axis: Axes, blocks: Sequence[Sequence[Sequence[float]]], edges: Sequence[float]) -> None:
    """Rows y = 0, 1, … of shaded cells: one path for all cells of a shade.

    Args:
        blocks: for each row, lines of numbers; what is not a number gets the darkest shade.
        edges: numbers at which the shade changes, one less than there are shades.
    """
    from itertools import groupby

    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    def shade(value: float) -> int:
        return len(edges) if math.isnan(value) else sum(abs(value) >= edge for edge in edges)

    corners: dict[int, list[tuple[float, float]]] = {}
    for y, block in enumerate(blocks):
        high = 0.84 / len(block)
        for i, values in enumerate(block):
            top, x = y - 0.42 + i * high, 0
            for kind, run in groupby(values, key=shade):
                left, x = x, x + len(list(run))
                a, b, c = left / len(values), x / len(values), top + high
                corners.setdefault(kind, []).extend([(a, top), (b, top), (b, c), (a, c), (a, top)])
    codes = [Outline.MOVETO, *[Outline.LINETO] * 3, Outline.CLOSEPOLY]
    for kind, points in sorted(corners.items()):
        outline = Outline(points, codes * (len(points) // 5))
        axis.add_patch(PathPatch(outline, facecolor=SHADES[kind], lw=0, snap=False))
    axis.set(xlim=(0, 1), xticks=[])
    axis.spines[:].set_visible(False)
    axis.grid(visible=False)


def finish(figure: Figure) -> Figure:
    """Ticks as a reader writes them, and legends: one below where there are many names or panels.

    Axes that have a legend keep it.
    """
    for axis in figure.axes:
        for one in (axis.xaxis, axis.yaxis):
            if one.get_scale() == "log":
                _log_ticks(one)
    _legends(figure)
    for axis in figure.axes:
        for text in (axis.title, axis.xaxis.label, axis.yaxis.label, *axis.texts):
            text.set_text(clean(text.get_text()))
    legends = [*figure.legends, *(axis.get_legend() for axis in figure.axes)]
    for text in (text for legend in legends if legend for text in legend.get_texts()):
        text.set_text(clean(text.get_text()))
    return figure


def _legends(figure: Figure) -> None:
    named = [axis for axis in figure.axes if axis.get_legend_handles_labels()[1]]
    free = [axis for axis in named if axis.get_legend() is None]
    if figure.legends or not free:
        return
    entries = [axis.get_legend_handles_labels() for axis in free]
    same = all(names == entries[0][1] for _, names in entries)
    if same and (len(figure.axes) > 1 or len(entries[0][1]) > 6):
        _below(figure, *entries[0])
    else:
        for axis in free:
            axis.legend()


def _below(figure: Figure, handles: list[Any], names: list[str]) -> None:
    """A legend below all panels, with room of its own."""
    width, height = figure.get_size_inches()
    columns = min(len(names), max(1, int(13 * width / (max(map(len, names)) + 7))), 5)
    figure.set_size_inches(width, height + 0.2 * math.ceil(len(names) / columns))
    figure.legend(handles, names, loc="outside lower center", ncols=columns)


def _log_ticks(axis: Axis) -> None:
    """Numbers like 20, 0.5 and 10⁻⁴; more than powers of ten where there are few of these."""
    import matplotlib.ticker as mt

    axis.set_minor_locator(mt.NullLocator())
    if isinstance(axis.get_major_formatter(), mt.FixedFormatter):
        return
    low, high = sorted(axis.get_view_interval())
    if 0 < low < high < 100 * low and not isinstance(axis.get_major_locator(), mt.FixedLocator):
        subs = (1, 2, 5) if high > 6 * low else (1, 1.5, 2, 3, 4, 6, 8)
        axis.set_major_locator(mt.LogLocator(subs=subs))
    axis.set_major_formatter(mt.FuncFormatter(lambda value, _: tick(value)))
