"""The figures of a page of results, each with the data that it shows.

Five samplers, the same ones everywhere, are in colour, each on the schedule and grid that suit it
on the target; the rest is grey background, and tells its name where the pointer is.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from dfbench.report.svg import Line, line_plot
from dfbench.report.sweep import ranking
from dfbench.report.sweep.data import VARIANTS
from dfbench.report.sweep.ranking import Contest, Result
from dfbench.wording import number

if TYPE_CHECKING:
    from pandas import DataFrame

ROOM = 150  # for the names of configurations
X = "evaluations of the model"
LINES = 40  # of a panel


@dataclass(frozen=True)
class Chart:
    """A figure, what it shows in words, and its data as CSV.

    `rows` are strips instead of a picture: (name, picture, words).
    """

    title: str
    picture: Markup
    caption: str
    csv: str
    rows: tuple[tuple[str, Markup, str], ...] = ()
    note: str = ""

    @property
    def link(self) -> str:
        """The data as an address that needs nothing but itself."""
        return "data:text/csv;base64," + base64.b64encode(self.csv.encode()).decode()

    @property
    def file(self) -> str:
        """A name for the data."""
        kept = "".join(c if c.isalnum() else "-" for c in self.title.lower())
        return f"{'-'.join(filter(None, kept.split('-')))}.csv"


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV, numbers in six digits."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([f"{x:.6g}" if isinstance(x, float) else x for x in row] for row in rows)
    return text.getvalue()


def _label(metric: str, unit: str) -> str:
    name = NAMES.get(metric, metric.replace("_", " "))
    return f"{name} ({unit})" if unit and "of the data" not in unit else name


#: How metrics are written.
NAMES = {
    "w2": "W₂ to the data",
    "w2_1d": "W₂ to the data",
    "kl": "KL divergence (nats)",
    "sliced_w2": "sliced W₂",
    "mmd": "MMD",
    "ksd": "kernel Stein discrepancy",
    "strong_error": "RMS distance to the exact flow",
    "energy_distance": "energy distance",
    "total_variation_1d": "total variation",
}


# Error against evaluations ------------------------------------------------------------------------


def curves(table: DataFrame, colours: list[str]) -> list[Chart]:
    """A panel a target: every configuration's error, the best in colour; the noise floor.

    Args:
        table: of `ranking.errors`, here and below.
        colours: samplers that are in colour, each in the configuration that is best on the target.
    """
    found = []
    chosen = ranking.one_each(table)
    for target, group in table.groupby("target", sort=False):
        metric, unit = str(group.metric.iloc[0]), str(group.unit.iloc[0] or "")
        least = group.sort_values("value").config.iloc[0]
        bright = [
            name for name in chosen.get(str(target), []) if sampler_of(name, group) in colours
        ]
        group = _few(group, bright)
        lines = []
        for config, points in group.sort_values("nfe").groupby("config", sort=False):
            sampler = str(points.sampler.iloc[0])
            known = colours.index(sampler) if config in bright else None
            lines.append(
                Line(
                    str(config) if known is None else sampler,
                    _points(points),
                    quiet=known is None,
                    kind=known,
                    bars=_bars(points),
                    told=known is not None or config == least,
                )
            )
        floors = group.dropna(subset=["floor_high"]).groupby("nfe").floor_high.max()
        if len(floors):
            lines.append(
                Line("noise floor", [(float(n), float(v)) for n, v in floors.items()], guide=True)
            )
        name = _label(metric, unit)
        picture = line_plot(
            lines,
            x=X,
            y=name,
            x_log=True,
            y_log=True,
            title=f"{target}: {name} against evaluations",
            room=ROOM,
        )
        columns = ["config", "nfe", "steps", "value", "low", "high", "floor", "floor_high"]
        if picture:
            data = csv_text(
                [metric if c == "value" else c for c in columns],
                group[columns].itertuples(index=False),
            )
            found.append(Chart(f"error {target}", picture, str(target), data))
    return found


def sampler_of(config: str, rows: DataFrame) -> str:
    """The sampler of a configuration."""
    return str(rows.sampler[rows.config == config].iloc[0])


def _few(group: DataFrame, colours: Sequence[str]) -> DataFrame:
    """Without the background lines that are one too many: the `LINES` best stay."""
    rank = group.groupby("nfe").value.rank().groupby(group.config).mean().sort_values()
    kept = [*colours, *rank.index[:LINES]]
    return group[group.config.isin(kept)]


def _points(rows: DataFrame) -> list[tuple[float, float]]:
    return list(zip(rows.nfe.astype(float), rows.value, strict=True))


def _bars(rows: DataFrame) -> tuple[tuple[float, float, float], ...]:
    return tuple(zip(rows.nfe.astype(float), rows.low, rows.high, strict=True))


# Pareto fronts ------------------------------------------------------------------------------------


def fronts(table: DataFrame) -> list[tuple[str, list[Result]]]:
    """Of every target the results that no other beats with as few evaluations."""
    return [
        (str(target), ranking.front([ranking.result(row) for row in group.itertuples()]))
        for target, group in table.groupby("target", sort=False)
    ]


def pareto(table: DataFrame) -> list[Chart]:
    """Fronts as steps, every other result as background."""
    found = []
    for target, kept in fronts(table):
        group = table[table.target == target]
        if len(kept) < 2:
            continue
        stairs: list[tuple[float, float]] = []
        for before, after in zip(kept, [*kept[1:], None], strict=True):
            stairs.append((before.nfe, before.value))
            if after:
                stairs.append((after.nfe, before.value))
        lines = [
            Line(str(config), _points(each), quiet=True, told=False)
            for config, each in _few(group, []).sort_values("nfe").groupby("config")
        ]
        name = _label(str(group.metric.iloc[0]), str(group.unit.iloc[0] or ""))
        picture = line_plot(
            [Line("front", stairs, kind=0), *lines],
            x=X,
            y=name,
            x_log=True,
            y_log=True,
            title=f"{target}: Pareto front",
        )
        data = csv_text(["nfe", "config", "value"], [(e.nfe, e.config, e.value) for e in kept])
        found.append(
            Chart(
                f"front {target}",
                picture,
                target,
                data,
                tuple((f"{e.nfe}", Markup(""), f"{e.config}: {number(e.value)}") for e in kept),
            )
        )
    return found


# Stochasticity ------------------------------------------------------------------------------------

NOISE = ("eta", "s_churn", "churn", "tau", "epsilon")
SYMBOLS = {"eta": "η", "s_churn": "churn", "tau": "τ", "epsilon": "ε"}


def stochasticity(table: DataFrame) -> list[Chart]:
    """Methods that ran with several amounts of fresh noise: a panel each, a line an amount."""
    found = []
    options = table.options.map(_options)
    for name in NOISE:
        given = table[options.map(lambda each, name=name: name in each)].copy()
        if given.empty:
            continue
        given["amount"] = [float(_options(text)[name]) for text in given.options]
        given["rest"] = [
            json.dumps({k: v for k, v in _options(text).items() if k != name})
            for text in given.options
        ]
        variants = [each for each in ("rest", *VARIANTS) if given[each].nunique() > 1]
        for (target, method, *which), group in given.groupby(
            ["target", "method", *variants], sort=False
        ):
            if group.amount.nunique() < 2:
                continue
            run = " · ".join([method.partition(":")[2], *(str(each) for each in which if each)])
            symbol = SYMBOLS.get(name, name)
            lines = [
                Line(f"{symbol} = {amount:g}", _points(each), kind=i, bars=_bars(each))
                for i, (amount, each) in enumerate(group.sort_values("nfe").groupby("amount"))
            ]
            label = _label(str(group.metric.iloc[0]), str(group.unit.iloc[0] or ""))
            picture = line_plot(
                lines,
                x=X,
                y=label,
                x_log=True,
                y_log=True,
                title=f"{target}: {run}, error by {symbol}",
            )
            if not picture:
                continue
            best = group.loc[group.groupby("nfe").value.idxmin()].sort_values("nfe")
            words = "; ".join(
                f"{int(n)}: {symbol} = {a:g}" for n, a in zip(best.nfe, best.amount, strict=True)
            )
            shown = group[["amount", "nfe", "value", "low", "high"]]
            data = csv_text([name, *shown.columns[1:]], shown.itertuples(index=False))
            found.append(
                Chart(
                    f"{name} {run} {target}",
                    picture,
                    f"{run} on {target}",
                    data,
                    note=f"least error by evaluations – {words}",
                )
            )
    return found


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


def paths(rows: DataFrame, only: Mapping[str, list[str]] | None = None) -> list[Chart]:
    """Trajectories of a few fixed starts in one dimension, at the fewest evaluations: a panel a
    configuration, the exact flow from the same starts behind it.

    Args:
        only: target → configurations that are shown; by default, all.
    """
    chosen = rows[(rows.metric == "path") & rows["at"].notna()]
    found = []
    for (target, config), group in chosen.groupby(["target", "config"], sort=False):
        if only and config not in only.get(str(target), [config]):
            continue
        fewest = int(group.nfe.min())
        one = group[(group.nfe == fewest) & (group.seed == group.seed.min())]
        lines = []
        for (source, series), each in one.sort_values("at").groupby(["source", "series"]):
            at = list(zip(each["at"], each.value, strict=True))
            exact = source == "none"
            name = f"start {int(series) + 1}{', exact flow' if exact else ''}"
            lines.append(Line(name, at, quiet=exact, kind=0, told=False))
        picture = line_plot(
            lines,
            x="σ/(α + σ): noise at 1, data at 0",
            y="state z/(α + σ)",
            x_log=False,
            y_log=False,
            title=f"{target}: paths of {config}",
            room=20,
        )
        if picture:
            shown = one[["source", "series", "at", "value"]]
            data = csv_text(["source", "start", "at", "value"], shown.itertuples(index=False))
            caption = f"{config} on {target}, {fewest} evaluations"
            found.append(Chart(f"paths {target} {config}", picture, caption, data))
    return found


def contests_csv(found: list[Contest]) -> str:
    """Every contest's results as CSV."""
    return csv_text(
        ["target", "budget", "place", "config", "nfe", "value", "low", "high", "tied_with_best"],
        [
            (
                c.target,
                c.budget,
                i + 1,
                r.config,
                r.nfe,
                r.value,
                r.low,
                r.high,
                int(i < len(c.best)),
            )
            for c in found
            for i, r in enumerate(c.results)
        ],
    )
