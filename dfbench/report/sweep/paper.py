"""The figures of a page of results as SVG and PDF, for papers: a file a kind, panels by target."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfbench.files import write_with
from dfbench.report.sweep import ranking
from dfbench.report.sweep.charts import NAMES, SYMBOLS, stochasticity
from dfbench.report.sweep.data import SEPARATOR, Results, runs
from dfbench.report.sweep.strips import SOURCES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

#: After Okabe and Ito, told apart with any colour vision; those of the page in the same order.
COLOURS = ("#0072b2", "#c24a00", "#007a5a", "#8a4a7d", "#6b5d00")
MARKERS = ("o", "s", "^", "D", "v")
PANELS = 6  # of a figure; more targets make more files


def save(results: Results, directory: Path) -> list[Path]:
    """Write every figure that the results have, as NAME.svg and NAME.pdf.

    Raises:
        OSError: the directory cannot be written.
    """
    import matplotlib as mpl

    from dfbench.literature.drawing import tidy

    directory.mkdir(parents=True, exist_ok=True)
    written = []
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "dfbench", "pdf.fonttype": 42}):
        for name, figure in figures(results.rows):
            tidy(figure)
            for ending, undated in (("svg", {"Date": None}), ("pdf", {"CreationDate": None})):
                path = directory / f"{name}.{ending}"
                write = partial(
                    figure.savefig, format=ending, metadata=undated, bbox_inches="tight"
                )
                write_with(path, write)
                written.append(path)
    return written


def figures(rows: DataFrame) -> Iterator[tuple[str, Figure]]:
    """Every figure by its name."""
    table = ranking.errors(rows)
    found = ranking.contests(rows, table)
    colours = ranking.featured(found)
    metrics = ranking.primary(rows)
    chosen = ranking.one_each(table)
    split = runs(
        rows[(rows.metric == "w2") & rows.source.isin([*SOURCES, "all"]) & rows.nfe.notna()]
    )
    response = rows[(rows.metric == "spectral_response") & rows["at"].notna()]

    def draw_error(axis: Axes, target: str) -> None:
        _errors(axis, table[table.target == target], colours, chosen[target], metrics[target])

    def draw_split(axis: Axes, target: str) -> None:
        mine = split[(split.target == target) & split.config.isin(chosen[target])]
        _split(axis, mine, ranking.budgets(rows))

    def draw_response(axis: Axes, target: str) -> None:
        mine = response[(response.target == target) & response.config.isin(chosen[target])]
        _response(axis, mine, colours)

    yield from _paged("error", sorted(metrics), draw_error)
    yield from _paged("split", sorted(split[split.source != "all"].target.unique()), draw_split)
    yield from _paged("response", sorted(response.target.unique()), draw_response)
    noisy = stochasticity(table)
    yield from _paged(
        "stochasticity",
        [chart.caption for chart in noisy],
        lambda axis, name: _noise(axis, next(c.csv for c in noisy if c.caption == name)),
    )


def _paged(
    name: str, panels: list[str], draw: Callable[[Axes, str], None]
) -> Iterator[tuple[str, Figure]]:
    """Figures of at most `PANELS` panels."""
    for start in range(0, len(panels), PANELS):
        part = panels[start : start + PANELS]
        figure, axes = _grid(len(part))
        for axis, panel in zip(axes, part, strict=True):
            draw(axis, panel)
            axis.set_title(panel, loc="left", fontsize=9, weight="bold")
        yield name if len(panels) <= PANELS else f"{name}-{start // PANELS + 1}", figure


def _grid(count: int) -> tuple[Figure, list[Axes]]:
    import seaborn as sns
    from matplotlib.figure import Figure

    columns = min(count, 2)
    lines = math.ceil(count / columns)
    with (
        sns.axes_style("ticks", {"axes.grid": True, "grid.color": "0.92"}),
        sns.plotting_context("paper"),
    ):
        figure = Figure(figsize=(4.6 * columns, 3.1 * lines), layout="constrained")
        axes = [figure.add_subplot(lines, columns, i + 1) for i in range(count)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_axisbelow(True)
    return figure, axes


def _errors(
    axis: Axes, table: DataFrame, colours: list[str], chosen: list[str], metric: str
) -> None:
    """Every configuration; the chosen ones of samplers in colour with intervals and a name."""
    ends = []
    for config, each in table.sort_values("nfe").groupby("config", sort=False):
        sampler = str(each.sampler.iloc[0])
        if sampler not in colours or config not in chosen:
            axis.plot(each.nfe, each.value, color="0.82", lw=0.8, zorder=1)
            continue
        k = colours.index(sampler)
        spread = np.array([each.value - each.low, each.high - each.value]).clip(min=0)
        axis.errorbar(
            each.nfe,
            each.value,
            yerr=spread,
            color=COLOURS[k],
            marker=MARKERS[k],
            ms=4,
            lw=1.4,
            elinewidth=0.9,
            mec="white",
            mew=0.5,
        )
        ends.append((float(each.nfe.iloc[-1]), float(each.value.iloc[-1]), sampler, COLOURS[k]))
    floor = table.dropna(subset=["floor_high"]).groupby("nfe").floor_high.max()
    if len(floor):
        axis.plot(floor.index, floor, ":", color="0.35", lw=1.1)
        axis.annotate(
            "noise floor",
            (float(floor.index[0]), float(floor.iloc[0])),
            (0, 3),
            textcoords="offset points",
            fontsize=7,
            color="0.35",
        )
    _logs(axis)
    axis.set(xlabel="evaluations of the model", ylabel=NAMES.get(metric, metric))
    _name(axis, ends)


def _logs(axis: Axes) -> None:
    """Logarithmic axes with few plain numbers below."""
    import matplotlib.ticker as mt

    axis.set(xscale="log", yscale="log")
    axis.xaxis.set_major_locator(mt.LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_minor_locator(mt.NullLocator())
    axis.xaxis.set_major_formatter(mt.FuncFormatter(lambda value, _: f"{value:g}"))


def _name(axis: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Names right of the lines' ends, at least a line apart."""
    if not ends:
        return
    right = max(end[0] for end in ends)
    low, high = axis.get_ylim()
    height = math.log(high / low)
    places = sorted(
        (math.log(y / low) / height, name, colour) for _, y, name, colour in ends if y > 0
    )
    gap, last = 0.075, -math.inf
    for place, name, colour in places:
        last = max(place, last + gap)
        axis.annotate(
            name,
            (right, low * math.exp(min(last, 1.02) * height)),
            (6, 0),
            color=colour,
            textcoords="offset points",
            va="center",
            fontsize=8,
            annotation_clip=False,
        )


def _split(axis: Axes, table: DataFrame, asked: list[int]) -> None:
    """Sources alone as dots, all together as a bar across, a line a configuration."""
    budget = asked[len(asked) // 2] if asked else math.inf
    wide = table[table.nfe <= budget].pivot_table(
        index=["config", "nfe"], columns="source", values="value"
    )
    wide = wide.reset_index().sort_values("nfe").groupby("config").tail(1)
    if wide.empty:
        return
    wide = wide.sort_values("all", ascending=False).tail(14)
    rows = np.arange(len(wide))
    smallest = 1e-4 * float(wide["all"].min())
    for source, colour, marker in zip(SOURCES, COLOURS, MARKERS, strict=False):
        if source in wide:
            axis.plot(
                wide[source].where(wide[source] > smallest),
                rows,
                marker,
                color=colour,
                ms=5,
                mec="white",
                mew=0.5,
                label=source,
            )
    axis.plot(wide["all"], rows, "|", color="0.1", ms=11, mew=2, label="all")
    axis.set(xscale="log", xlabel=f"W₂ to the data, at most {budget} evaluations")
    axis.set_yticks(rows, [str(name).partition(SEPARATOR)[0] for name in wide.config], fontsize=7)
    axis.grid(axis="y", lw=0.4)
    axis.legend(
        fontsize=7,
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.4, -0.2),
        ncols=5,
        handletextpad=0.1,
        columnspacing=0.8,
    )


def _response(axis: Axes, table: DataFrame, colours: list[str]) -> None:
    """|relative error| of the standard deviation against it, at the middle of the budgets."""
    present = [name for name in colours if name in set(table.sampler)]
    shown = present or sorted(table.sampler.unique())[: len(COLOURS)]
    for k, config in enumerate(shown):
        each = table[table.sampler == config]
        counts = sorted(each.nfe.unique())
        middle = each[each.nfe == counts[len(counts) // 2]]
        curve = middle.groupby("at").value.mean()
        axis.plot(
            np.sqrt(curve.index),
            np.maximum(curve.abs(), 1e-12),
            color=COLOURS[k],
            lw=1.4,
            label=f"{config}, {int(middle.nfe.iloc[0])} evaluations",
        )
    axis.set(
        xscale="log",
        yscale="log",
        xlabel="standard deviation of the data",
        ylabel="|relative error| of the output's",
    )
    axis.legend(fontsize=7, frameon=False)


def _noise(axis: Axes, csv: str) -> None:
    """A line an amount of noise, from light to dark."""
    import io

    import pandas as pd
    import seaborn as sns

    table = pd.read_csv(io.StringIO(csv))
    name = table.columns[0]
    amounts: list[Any] = sorted(table[name].unique())
    for colour, amount in zip(sns.color_palette("viridis", len(amounts)), amounts, strict=True):
        each = table[table[name] == amount].sort_values("nfe")
        spread = np.array([each.value - each.low, each.high - each.value]).clip(min=0)
        axis.errorbar(
            each.nfe,
            each.value,
            yerr=spread,
            color=colour,
            marker="o",
            ms=3,
            lw=1.3,
            label=f"{SYMBOLS.get(name, name)} = {amount:g}",
        )
    _logs(axis)
    axis.set(xlabel="evaluations of the model", ylabel="error")
    axis.legend(fontsize=7, frameon=False)
