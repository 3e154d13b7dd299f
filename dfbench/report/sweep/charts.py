"""The figures of results: the same panels on a page, each with its data, and in files for papers.

Five samplers, the same ones everywhere, are in colour, each on the schedule and grid that suit it
on the target; the rest is grey background, and in a page tells its name where the pointer is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfbench import wording
from dfbench.charts import drawing, files
from dfbench.charts.look import COLOURS, INK, MARKS, MUTED, NAMED, PAPER, SIZE
from dfbench.report.figures import COLUMNS, EDGES
from dfbench.report.page import Chart, Table, table
from dfbench.report.sweep import ranking
from dfbench.report.sweep.data import VARIANTS, Results, runs
from dfbench.report.sweep.ranking import Result
from dfbench.report.sweep.words import metric
from dfbench.wording import clean, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

X = "evaluations of the model"
LINES = 40  # of a panel
ROWS = 40  # of a list
PANELS = 6  # of a file; more panels make more files
WIDTH = 7.6  # inches of a list
SOURCES = ("initialisation", "truncation", "discretisation", "score")


@dataclass(frozen=True)
class Panel:
    """One picture: drawn on its own in a page, beside others in a file.

    Attributes:
        caption: what it is about.
        title: what a reader who does not see it is told.
        draw: draws on axes.
        table: the data that it shows.
        note: what else is said below it.
        size: inches.
    """

    caption: str
    title: str
    draw: Callable[[Axes], None]
    table: Table
    note: str = ""
    size: tuple[float, float] = SIZE

    def chart(self, name: str) -> Chart:
        """For a page."""
        return Chart(name, self.title, self._alone, self.caption, self.note, self.table)

    def _alone(self) -> Figure:
        figure, (axis,) = drawing.frame("", "", size=self.size)
        self.draw(axis)
        return figure


def panels(results: Results) -> dict[str, list[Panel]]:
    """All panels that results have, by kind."""
    rows = results.rows
    errors = ranking.errors(rows)
    colours = ranking.featured(ranking.contests(rows, errors))
    chosen = ranking.one_each(errors)
    return {
        "error": [*error(errors, colours, chosen)],
        "front": [*front(errors)],
        "split": [*split(rows, chosen)],
        "response": [*response(rows, chosen)],
        "stochasticity": [*stochasticity(errors)],
        "paths": [*paths(rows, chosen)],
    }


def save(results: Results, directory: Path) -> list[Path]:
    """Write every figure as KIND.svg and KIND.pdf, with panels by target.

    Raises:
        OSError: the directory cannot be written.
    """
    written = []
    for kind, every in panels(results).items():
        for start in range(0, len(every), PANELS):
            part = every[start : start + PANELS]
            name = kind if len(every) <= PANELS else f"{kind}-{start // PANELS + 1}"
            written += files.save(partial(_together, part), directory / name, "svg", "pdf")
    return written


def _together(panels: Sequence[Panel]) -> Figure:
    from matplotlib.figure import Figure as New

    width, height = (max(panel.size[k] for panel in panels) for k in (0, 1))
    columns = min(len(panels), 1 if width == WIDTH else 2)
    lines = math.ceil(len(panels) / columns)
    figure = New(figsize=(width * columns, height * lines))
    for i, panel in enumerate(panels):
        axis = figure.add_subplot(lines, columns, i + 1)
        panel.draw(axis)
        above = 18 if axis.get_legend() else None  # points
        axis.set_title(clean(panel.caption), loc="left", weight="bold", pad=above)
    return figure


def _label(rows: DataFrame) -> str:
    """The metric of rows of one metric, with its unit."""
    name, unit = metric(str(rows.metric.iloc[0])), str(rows.unit.iloc[0] or "")
    return f"{name} ({unit})" if unit and "of the data" not in unit else name


def _logs(axis: Axes, y: str) -> None:
    axis.set(xscale="log", yscale="log", xlabel=X, ylabel=y)


def _line(axis: Axes, rows: DataFrame, style: str, label: str = "", **more: Any) -> None:
    """Errors over evaluations with their intervals."""
    spread = np.array([rows.value - rows.low, rows.high - rows.value]).clip(min=0)
    bars = spread if np.nanmax(spread, initial=0.0) > 0 else None
    axis.errorbar(rows.nfe, rows.value, yerr=bars, fmt=style, elinewidth=0.9, label=label, **more)


def _grey(axis: Axes, rows: DataFrame, name: str) -> None:
    """Background that tells its name."""
    axis.plot(rows.nfe, rows.value, color=MUTED, alpha=0.4, lw=0.8, zorder=1, gid=f"{NAMED}{name}")


def _few(rows: DataFrame, bright: Sequence[str]) -> DataFrame:
    """Without the background lines that are one too many: the `LINES` best stay."""
    rank = rows.groupby("nfe").value.rank().groupby(rows.config).mean().sort_values()
    return rows[rows.config.isin([*bright, *rank.index[:LINES]]) & (rows.value > 0)]


# Error against evaluations ------------------------------------------------------------------------


def error(
    errors: DataFrame, colours: Sequence[str], chosen: Mapping[str, list[str]]
) -> Iterator[Panel]:
    """A panel a target: every configuration's error, the best in colour; the noise floor.

    Args:
        errors: of `ranking.errors`, here and below.
        colours: samplers that are in colour.
        chosen: target → configurations in which each sampler is best.
    """
    for target, group in errors.groupby("target", sort=False):
        known = dict(zip(group.config, group.sampler, strict=True))
        bright = [each for each in chosen.get(str(target), []) if known[each] in colours]
        group, label = _few(group, bright), _label(group)
        if len(group) < 2:
            continue
        columns = ["config", "nfe", "steps", "value", "low", "high", "floor", "floor_high"]
        head = [str(group.metric.iloc[0]) if name == "value" else name for name in columns]
        data = table(f"error {target}", head, group[columns].itertuples(index=False))
        draw = partial(_error, group, bright, colours, label)
        yield Panel(str(target), f"{target}: {label} against evaluations", draw, data)


def _error(
    group: DataFrame, bright: Sequence[str], colours: Sequence[str], label: str, axis: Axes
) -> None:
    ends = []
    least = group.sort_values("value").config.iloc[0]
    for config, rows in group.sort_values("nfe").groupby("config", sort=False):
        last = (float(rows.nfe.iloc[-1]), float(rows.value.iloc[-1]))
        if config in bright:
            sampler = str(rows.sampler.iloc[0])
            k = colours.index(sampler)
            _line(axis, rows, f"{MARKS[k]}-", color=COLOURS[k], mec=PAPER, mew=0.5)
            ends.append((*last, sampler, COLOURS[k]))
        else:
            _grey(axis, rows, str(config))
            if config == least:
                ends.append((*last, str(config), MUTED))
    floor = group.dropna(subset=["floor_high"]).groupby("nfe").floor_high.max()
    _logs(axis, label)
    if len(floor):
        drawing.guide(axis, floor.index, floor)
        ends.append((float(floor.index[-1]), float(floor.iloc[-1]), "noise floor", MUTED))
    drawing.name_ends(axis, ends)


# Pareto fronts ------------------------------------------------------------------------------------


def fronts(errors: DataFrame) -> list[tuple[str, list[Result]]]:
    """Of every target the results that no other beats with as few evaluations."""
    return [
        (str(target), ranking.front([ranking.result(row) for row in group.itertuples()]))
        for target, group in errors.groupby("target", sort=False)
    ]


def front(errors: DataFrame) -> Iterator[Panel]:
    """Fronts as steps, every other result as background."""
    for target, kept in fronts(errors):
        group = errors[errors.target == target]
        if len(kept) > 1:
            name = f"front {target}"
            data = table(
                name, ["nfe", "config", "value"], [(e.nfe, e.config, e.value) for e in kept]
            )
            note = "; ".join(f"{e.nfe}: {e.config}: {number(e.value)}" for e in kept[:12])
            draw = partial(_front, _few(group, []), kept, _label(group))
            yield Panel(target, f"{target}: Pareto front", draw, data, note)


def _front(group: DataFrame, kept: Sequence[Result], label: str, axis: Axes) -> None:
    for config, rows in group.sort_values("nfe").groupby("config"):
        _grey(axis, rows, str(config))
    at, values = [each.nfe for each in kept], [each.value for each in kept]
    axis.step(at, values, "o-", where="post", color=COLOURS[0])
    _logs(axis, label)


# Four errors --------------------------------------------------------------------------------------


def split(
    rows: DataFrame, chosen: Mapping[str, list[str]], budget: int | None = None
) -> Iterator[Panel]:
    """A panel a target, a row a configuration: each source of error alone, and all together.

    Args:
        rows: all measurements, here and below.
        chosen: target → configurations that are shown, here and below.
        budget: evaluations; the runs with most of them within it. By default, the middle one.
    """
    known = rows[(rows.metric == "w2") & rows.source.isin([*SOURCES, "all"])]
    asked = ranking.budgets(rows)
    budget = budget or (asked[len(asked) // 2] if asked else 0)
    known = runs(known[known.nfe.notna() & (known.nfe <= budget)])
    for target, group in known.groupby("target", sort=False):
        group = _only(group, str(target), chosen)
        wide = group.pivot_table(index=["config", "nfe"], columns="source", values="value")
        wide = wide.reset_index().sort_values("nfe").groupby("config").tail(1)
        names = [name for name in (*SOURCES, "all") if name in wide]
        if "all" not in wide or len(names) < 2 or not (wide["all"] > 0).any():
            continue
        wide = wide.sort_values("all")
        columns = ["config", "nfe", *names]
        data = table(f"split {target}", columns, wide[columns].itertuples(index=False))
        shown = wide.head(ROWS)
        height = 0.9 + 0.19 * len(shown)
        note = f"runs with at most {budget} evaluations"
        draw = partial(_split, shown, names)
        yield Panel(str(target), f"{target}: sources of error", draw, data, note, (WIDTH, height))


def _split(wide: DataFrame, names: Sequence[str], axis: Axes) -> None:
    place = range(len(wide))
    smallest = max(1e-4 * float(wide["all"].median()), 1e-12)
    for source, colour, marker in zip(SOURCES, COLOURS, MARKS, strict=False):
        if source in names:
            size = wide[source].where(wide[source] > 0).clip(lower=smallest)
            axis.plot(size, place, marker, color=colour, ms=5, mec=PAPER, mew=0.5, label=source)
    axis.plot(wide["all"].where(wide["all"] > 0), place, "|", color=INK, ms=11, mew=2, label="all")
    axis.set(xscale="log", xlabel="W₂ to the data")
    drawing.name_rows(axis, [*wide.config], [largest(row) for _, row in wide.iterrows()])
    axis.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=5, handletextpad=0.1, columnspacing=1
    )


def largest(row: Mapping[str, Any]) -> str:
    """The total, and which source alone is the largest."""
    known = {name: float(row[name]) for name in SOURCES if name in row and row[name] > 0}
    if not known:
        return number(float(row["all"]))
    most = max(known, key=lambda name: known[name])
    return f"{number(float(row['all']))} at {int(row['nfe'])}: mostly {most}"


def _only(group: DataFrame, target: str, chosen: Mapping[str, list[str]]) -> DataFrame:
    """The configurations of a target that are shown; all where none is named."""
    named = chosen.get(target)
    return group[group.config.isin(named)] if named else group


# Spectral response --------------------------------------------------------------------------------


def response(rows: DataFrame, chosen: Mapping[str, list[str]]) -> Iterator[Panel]:
    """A panel a target, a row a configuration: relative error of the output's standard deviation.

    Left to right the eigenvalue grows, top to bottom the evaluations do.
    """
    known = rows[(rows.metric == "spectral_response") & rows["at"].notna()]
    known = known[known.source.isin(["all", ""])]
    for target, group in known.groupby("target", sort=False):
        every = runs(_only(group, str(target), chosen), ["config", "nfe", "at"])
        blocks, words, data = {}, [], []
        for config, each in every.groupby("config", sort=False):
            wide = each.pivot_table(index="nfe", columns="at", values="value", aggfunc="mean")
            at, values = _pooled(wide.columns.to_numpy(float), wide.to_numpy(float))
            size = np.where(np.isnan(values), math.inf, np.abs(values))
            worst = int(np.argmax(size[-1]))
            blocks[str(config)] = size.tolist()
            words.append(
                f"{number(100 * size[-1][worst])} % at {number(float(at[worst]))}, "
                f"{int(wide.index[-1])} evaluations"
            )
            data += [
                (config, int(n), float(a), float(v))
                for n, row in zip(wide.index, values, strict=True)
                for a, v in zip(at, row, strict=True)
            ]
        header = ["config", "nfe", "eigenvalue", "relative_error_of_std"]
        low, high = (number(float(each)) for each in (every["at"].min(), every["at"].max()))
        yield Panel(
            str(target),
            f"{target}: spectral response",
            partial(_response, blocks, words),
            table(f"response {target}", header, data),
            f"eigenvalues from {low} to {high}",
            (WIDTH, 0.5 + 0.3 * min(len(blocks), ROWS)),
        )


def _response(blocks: Mapping[str, Any], words: Sequence[str], axis: Axes) -> None:
    drawing.heat(axis, [*blocks.values()][:ROWS], EDGES)
    drawing.name_rows(axis, [*blocks][:ROWS], words[:ROWS])
    edges = wording.listed([number(100 * edge) for edge in EDGES], len(EDGES))
    axis.set_xlabel(f"eigenvalue, from small to large; shades change at {edges} %")


def _pooled(at: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `COLUMNS`: of each neighbourhood the largest error and where it is."""
    parts = np.array_split(np.arange(len(at)), min(COLUMNS, len(at)))
    kept, where = [], []
    for part in parts:
        block = np.abs(values[:, part])
        best = np.argmax(np.where(np.isnan(block), math.inf, block), axis=1)
        kept.append(values[np.arange(len(values)), part[best]])
        where.append(at[part[len(part) // 2]])
    return np.array(where), np.array(kept).T


# Stochasticity ------------------------------------------------------------------------------------

NOISE = ("eta", "s_churn", "churn", "tau", "epsilon")
SYMBOLS = {"eta": "η", "s_churn": "churn", "tau": "τ", "epsilon": "ε"}


def stochasticity(errors: DataFrame) -> Iterator[Panel]:
    """Methods that ran with several amounts of fresh noise: a panel each, a line an amount."""
    options = errors.options.map(_options)
    for name in NOISE:
        has = options.map(lambda each, name=name: name in each)
        given = errors[has].copy()
        if given.empty:
            continue
        given["amount"] = [float(each[name]) for each in options[has]]
        given["rest"] = [
            json.dumps({k: v for k, v in each.items() if k != name}) for each in options[has]
        ]
        variants = [each for each in ("rest", *VARIANTS) if given[each].nunique() > 1]
        for (target, method, *which), group in given.groupby(
            ["target", "method", *variants], sort=False
        ):
            if group.amount.nunique() < 2 or (group.value > 0).sum() < 2:
                continue
            run = " · ".join([method.partition(":")[2], *(str(each) for each in which if each)])
            symbol = SYMBOLS.get(name, name)
            best = group.loc[group.groupby("nfe").value.idxmin()].sort_values("nfe")
            pairs = zip(best.nfe, best.amount, strict=True)
            words = "; ".join(f"{int(n)}: {symbol} = {a:g}" for n, a in pairs)
            columns = ["amount", "nfe", "value", "low", "high"]
            shown = group[columns].itertuples(index=False)
            yield Panel(
                f"{run} on {target}",
                f"{target}: {run}, error by {symbol}",
                partial(_noise, group, symbol),
                table(f"{name} {run} {target}", [name, *columns[1:]], shown),
                f"least error by evaluations – {words}",
            )


def _noise(group: DataFrame, symbol: str, axis: Axes) -> None:
    for i, (amount, rows) in enumerate(group.sort_values("nfe").groupby("amount")):
        style = f"{MARKS[i % len(MARKS)]}-"
        _line(axis, rows, style, f"{symbol} = {amount:g}", color=COLOURS[i % len(COLOURS)])
    _logs(axis, _label(group))


def _options(text: str) -> dict[str, float]:
    """The options that are numbers."""
    try:
        content = json.loads(text or "{}")
    except ValueError:
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        name: value
        for name, value in content.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


# Trajectories -------------------------------------------------------------------------------------


def paths(rows: DataFrame, chosen: Mapping[str, list[str]]) -> Iterator[Panel]:
    """Trajectories of a few fixed starts in one dimension, at the fewest evaluations: a panel a
    configuration, the exact flow from the same starts behind it."""
    known = rows[(rows.metric == "path") & rows["at"].notna()]
    for (target, config), group in known.groupby(["target", "config"], sort=False):
        if config in chosen.get(str(target), [config]):
            fewest = int(group.nfe.min())
            one = group[(group.nfe == fewest) & (group.seed == group.seed.min())].sort_values("at")
            shown = one[["source", "series", "at", "value"]].itertuples(index=False)
            header = ["source", "start", "at", "value"]
            yield Panel(
                f"{config} on {target}, {fewest} evaluations",
                f"{target}: paths of {config}",
                partial(_paths, one),
                table(f"paths {target} {config}", header, shown),
            )


def _paths(rows: DataFrame, axis: Axes) -> None:
    for (source, series), each in rows.groupby(["source", "series"]):
        exact = source == "none"
        look = {"color": MUTED, "alpha": 0.45} if exact else {"color": COLOURS[0]}
        name = f"start {int(series) + 1}{', exact flow' if exact else ''}"
        axis.plot(each["at"], each.value, lw=1.2, gid=f"{NAMED}{name}", **look)
    axis.set(xlabel="σ/(α + σ): noise at 1, data at 0", ylabel="state z/(α + σ)")


def contests(found: Iterable[ranking.Contest]) -> Table:
    """Every contest's results."""
    result = ["config", "nfe", "value", "low", "high"]
    rows = [
        (c.target, c.budget, i + 1, *(getattr(r, name) for name in result), int(i < len(c.best)))
        for c in found
        for i, r in enumerate(c.results)
    ]
    return table("ranking", ["target", "budget", "place", *result, "tied_with_best"], rows)
