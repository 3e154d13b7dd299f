"""The figures of a page of results, each with the data that it shows.

Five configurations, the same ones everywhere, are in colour; the rest is grey background, and tells
its name where the pointer is.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from dfbench.report.figures import heat
from dfbench.report.labels import number
from dfbench.report.svg import Line, axis, line_plot, tick_text
from dfbench.report.sweep import ranking
from dfbench.report.sweep.data import runs
from dfbench.report.sweep.ranking import Contest, Result

if TYPE_CHECKING:
    from pandas import DataFrame

ROOM = 112  # for the names of configurations
SMALLEST = 1e-16  # relative errors below it are round-off
SOURCES = ("initialisation", "truncation", "discretisation", "score")


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


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
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
    "w2": "W₂ to the data", "w2_1d": "W₂ to the data", "kl": "KL divergence (nats)",
    "sliced_w2": "sliced W₂", "mmd": "MMD", "ksd": "kernel Stein discrepancy",
    "strong_error": "RMS distance to the exact flow", "energy_distance": "energy distance",
    "total_variation_1d": "total variation",
}  # fmt: skip


# Error against evaluations ------------------------------------------------------------------------


def curves(rows: DataFrame, colours: list[str]) -> list[Chart]:
    """A panel a target: every configuration's error, the best in colour; the noise floor."""
    table, found = ranking.errors(rows), []
    for target, group in table.groupby("target", sort=False):
        metric, unit = str(group.metric.iloc[0]), str(group.unit.iloc[0] or "")
        least = group.sort_values("value").config.iloc[0]
        lines = []
        for config, points in group.sort_values("nfe").groupby("config", sort=False):
            at = [(float(n), float(v)) for n, v in zip(points.nfe, points.value, strict=True)]
            bars = tuple(zip(points.nfe, points.low, points.high, strict=True))
            known = colours.index(config) if config in colours else None
            lines.append(Line(str(config), at, quiet=known is None, kind=known, bars=bars,
                              told=known is not None or config == least))  # fmt: skip
        floors = group.dropna(subset=["floor_high"]).groupby("nfe").floor_high.max()
        if len(floors):
            lines.append(Line("noise floor", [(float(n), float(v)) for n, v in floors.items()],
                              guide=True))  # fmt: skip
        name = _label(metric, unit)
        picture = line_plot(lines, x="evaluations of the model", y=name, x_log=True, y_log=True,
                            title=f"{target}: {name} against evaluations", room=ROOM)  # fmt: skip
        columns = ["config", "nfe", "steps", "value", "low", "high", "floor", "floor_high"]
        if picture:
            data = _csv([metric if c == "value" else c for c in columns],
                        group[columns].itertuples(index=False))  # fmt: skip
            found.append(Chart(f"error {target}", picture, str(target), data))
    return found


# Pareto fronts ------------------------------------------------------------------------------------


def fronts(rows: DataFrame) -> list[tuple[str, list[Result]]]:
    """Of every target the results that no other beats with as few evaluations."""
    table = ranking.errors(rows)
    return [
        (str(target), ranking.front([ranking.result(row) for row in group.itertuples()]))
        for target, group in table.groupby("target", sort=False)
    ]


def pareto(rows: DataFrame, colours: list[str]) -> list[Chart]:
    """Fronts as steps, every other result as background."""
    table, found = ranking.errors(rows), []
    for target, kept in fronts(rows):
        group = table[table.target == target]
        if len(kept) < 2:
            continue
        stairs: list[tuple[float, float]] = []
        for before, after in zip(kept, [*kept[1:], None], strict=True):
            stairs.append((before.nfe, before.value))
            if after:
                stairs.append((after.nfe, before.value))
        lines = [Line("front", stairs, kind=0)]
        for config in dict.fromkeys(each.config for each in kept):
            at = [(float(e.nfe), e.value) for e in kept if e.config == config]
            lines.append(Line(config, at, kind=colours.index(config) if config in colours else 4,
                              told=False))  # fmt: skip
        lines += [
            Line(str(config), list(zip(each.nfe.astype(float), each.value, strict=True)),
                 quiet=True, told=False)
            for config, each in group.groupby("config")
        ]  # fmt: skip
        name = _label(str(group.metric.iloc[0]), str(group.unit.iloc[0] or ""))
        picture = line_plot(lines[:1] + lines[-group.config.nunique() :], x="evaluations of the model",
                            y=name, title=f"{target}: Pareto front", x_log=True, y_log=True)  # fmt: skip
        data = _csv(["nfe", "config", "value"], [(e.nfe, e.config, e.value) for e in kept])
        found.append(Chart(f"front {target}", picture, target, data, tuple(
            (f"{e.nfe}", Markup(""), f"{e.config}: {number(e.value)}") for e in kept)))  # fmt: skip
    return found


# Spectral response --------------------------------------------------------------------------------


def responses(rows: DataFrame, only: list[str] | None = None, columns: int = 17) -> list[Chart]:
    """A chart a target, a strip a configuration: relative error of the output's standard deviation.

    Left to right the eigenvalue grows, top to bottom the evaluations do.

    Args:
        only: configurations that are shown; by default, all.
        columns: at most; each is the largest error of its neighbourhood.
    """
    chosen = rows[(rows.metric == "spectral_response") & rows["at"].notna()]
    chosen = chosen[chosen.source.isin(["all", ""])]
    if only is not None:
        chosen = chosen[chosen.config.isin(only)]
    found = []
    for target, group in chosen.groupby("target", sort=False):
        table = runs(group, ["config", "nfe", "at"])
        strips, data = [], []
        for config, each in table.groupby("config", sort=False):
            wide = each.pivot_table(index="nfe", columns="at", values="value", aggfunc="mean")
            at, values = wide.columns.to_numpy(float), wide.to_numpy(float)
            at, values = _pooled(at, values, columns)
            size = np.where(np.isnan(values), math.inf, np.abs(values))
            picture = heat([[float(x) for x in row] for row in size])
            worst = int(np.argmax(size[-1]))
            words = (f"{number(100 * size[-1][worst])} % at {number(float(at[worst]))}, "
                     f"{int(wide.index[-1])} evaluations")  # fmt: skip
            strips.append((str(config), picture, words))
            data += [(config, int(n), float(a), float(v))
                     for n, row in zip(wide.index, values, strict=True)
                     for a, v in zip(at, row, strict=True)]  # fmt: skip
        csv = _csv(["config", "nfe", "eigenvalue", "relative_error_of_std"], data)
        caption = f"eigenvalues from {number(float(table['at'].min()))} to {number(float(table['at'].max()))}"
        found.append(Chart(f"response {target}", Markup(""), str(target), csv, tuple(strips), caption))
    return found


def _pooled(at: np.ndarray, values: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """At most that many columns: of each neighbourhood the largest error and where it is."""
    parts = np.array_split(np.arange(len(at)), min(columns, len(at)))
    kept, where = [], []
    for part in parts:
        block = np.abs(values[:, part])
        best = np.argmax(np.where(np.isnan(block), math.inf, block), axis=1)
        kept.append(values[np.arange(len(values)), part[best]])
        where.append(at[part[len(part) // 2]])
    return np.array(where), np.array(kept).T


# Four errors --------------------------------------------------------------------------------------


def splits(rows: DataFrame, budget: int | None = None) -> list[Chart]:
    """A chart a target, a strip a configuration: each source of error alone, on a log axis.

    Args:
        budget: evaluations; the runs with most of them within it. By default, the middle one.
    """
    chosen = rows[(rows.metric == "w2") & rows.source.isin([*SOURCES, "all"])]
    asked = ranking.budgets(rows)
    budget = budget or (asked[len(asked) // 2] if asked else None)
    if chosen.empty or budget is None:
        return []
    table = runs(chosen[chosen.nfe.notna() & (chosen.nfe <= budget)])
    found = []
    for target, group in table.groupby("target", sort=False):
        wide = group.pivot_table(index=["config", "nfe"], columns="source", values="value")
        wide = wide.reset_index().sort_values("nfe").groupby("config").tail(1)
        if "all" not in wide or not set(SOURCES) & set(wide):
            continue
        wide = wide.sort_values("all")
        names = [name for name in (*SOURCES, "all") if name in wide]
        drawn = wide[names].to_numpy(float)
        drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
        if not len(drawn):
            continue
        low = max(float(drawn.min()), 1e-4 * float(np.median(drawn)), 1e-12)
        scale = axis("", [low, float(drawn.max()) * 1.2], True, 6)
        strips = [(str(row["config"]), _dots(row, names, scale), _largest(row))
                  for _, row in wide.iterrows()]  # fmt: skip
        strips.insert(0, ("", _scale(scale), ""))
        data = _csv(["config", "nfe", *names], wide[["config", "nfe", *names]].itertuples(index=False))
        found.append(Chart(f"split {target}", Markup(""), str(target), data, tuple(strips),
                           f"runs with at most {budget} evaluations"))  # fmt: skip
    return found


STRIP = 240


def _dots(row: Any, names: list[str], scale: Any) -> Markup:
    """Sources as coloured dots, all together as an upright bar."""
    shapes = "".join(f"M{round(STRIP * scale.at(t))} 0v14" for t in scale.ticks)
    parts = f'<path class=grid d="{shapes}"/>'
    for name in names:
        value = float(row[name])
        if not (math.isfinite(value) and value > 0):
            continue
        at = round(STRIP * min(max(scale.at(max(value, scale.low)), 0.0), 1.0))
        if name == "all":
            parts += f'<path class=claimed d="M{at} 1v12"/>'
        else:
            parts += (f'<circle class="d{SOURCES.index(name)}" cx={at} cy=7 r=4 >'
                      f"<title>{name} {number(value)}</title></circle>")  # fmt: skip
    return Markup(f'<svg viewBox="0 0 {STRIP} 14" aria-hidden=true>{parts}</svg>')


def _scale(scale: Any) -> Markup:
    text = "".join(f"<text x={round(STRIP * scale.at(t))} y=11>{tick_text(t)}</text>"
                   for t in scale.ticks)  # fmt: skip
    return Markup(f'<svg class=ticks viewBox="0 0 {STRIP} 14" aria-hidden=true>{text}</svg>')


def _largest(row: Any) -> str:
    """The total, and which source alone is the largest."""
    known = {name: float(row[name]) for name in SOURCES if name in row and row[name] > 0}
    if not known:
        return number(float(row["all"]))
    most = max(known, key=lambda name: known[name])
    return f"{number(float(row['all']))} at {int(row['nfe'])}: mostly {most}"


# Stochasticity ------------------------------------------------------------------------------------

NOISE = ("eta", "s_churn", "churn", "tau", "epsilon")


def stochasticity(rows: DataFrame) -> list[Chart]:
    """Methods that ran with several amounts of fresh noise: a panel each, a line an amount."""
    table, found = ranking.errors(rows), []
    options = table.options.map(_options)
    for name in NOISE:
        given = table[options.map(lambda each, name=name: name in each)].copy()
        if given.empty:
            continue
        given["amount"] = [float(_options(text)[name]) for text in given.options]
        given["rest"] = [json.dumps({k: v for k, v in _options(text).items() if k != name})
                         for text in given.options]  # fmt: skip
        for (target, method, _, *_), group in given.groupby(
            ["target", "method", "rest", "schedule", "grid", "prediction"], sort=False
        ):
            if group.amount.nunique() < 2:
                continue
            symbol = {"eta": "η"}.get(name, name)
            lines = [
                Line(f"{symbol} = {amount:g}", list(zip(each.nfe.astype(float), each.value, strict=True)),
                     kind=i, bars=tuple(zip(each.nfe, each.low, each.high, strict=True)))
                for i, (amount, each) in enumerate(group.sort_values("nfe").groupby("amount"))
            ]  # fmt: skip
            label = _label(str(group.metric.iloc[0]), str(group.unit.iloc[0] or ""))
            picture = line_plot(lines, x="evaluations of the model", y=label, x_log=True, y_log=True,
                                title=f"{target}: {method}, error by {symbol}")  # fmt: skip
            if not picture:
                continue
            best = group.loc[group.groupby("nfe").value.idxmin()].sort_values("nfe")
            words = "; ".join(f"{int(n)}: {symbol} = {a:g}" for n, a in zip(best.nfe, best.amount, strict=True))
            data = _csv([name, "nfe", "value", "low", "high"],
                        group[["amount", "nfe", "value", "low", "high"]].itertuples(index=False))  # fmt: skip
            found.append(Chart(f"{name} {method} {target}", picture, f"{method} on {target}", data,
                               note=f"least error by evaluations – {words}"))  # fmt: skip
    return found


def _options(text: str) -> dict[str, float]:
    try:
        content = json.loads(text or "{}")
    except ValueError:
        return {}
    return {k: v for k, v in content.items() if isinstance(v, int | float) and not isinstance(v, bool)} \
        if isinstance(content, dict) else {}  # fmt: skip


# Trajectories -------------------------------------------------------------------------------------


def paths(rows: DataFrame, only: list[str] | None = None) -> list[Chart]:
    """Trajectories of a few fixed starts in one dimension, a panel a run."""
    chosen = rows[(rows.metric == "path") & rows["at"].notna()]
    if only is not None:
        chosen = chosen[chosen.config.isin(only)]
    found = []
    for (target, config), group in chosen.groupby(["target", "config"], sort=False):
        steps = sorted(group.nfe.dropna().unique())
        least = group[group.nfe == (steps[0] if steps else None)]
        lines = []
        for i, (series, each) in enumerate(least.groupby("series")):
            each = each.sort_values("at", ascending=False)
            once = each[each.seed == each.seed.iloc[0]]
            lines.append(Line(f"path {int(series)}",
                              list(zip(once["at"], once.value, strict=True)), kind=i, told=False))  # fmt: skip
        unit = str(least.unit.iloc[0] or "") if len(least) else ""
        picture = line_plot(lines, x=unit_of_at(unit), y="state", x_log=False, y_log=False,
                            title=f"{target}: paths of {config}", room=20)  # fmt: skip
        if picture:
            data = _csv(["path", "at", "value"], least[["series", "at", "value"]].itertuples(index=False))
            found.append(Chart(f"paths {target} {config}", picture,
                               f"{config} on {target}, {int(steps[0])} evaluations", data))  # fmt: skip
    return found


def unit_of_at(unit: str) -> str:
    """What the abscissa of a path is."""
    return "log-SNR λ" if "time" not in unit else "time"


def contests_csv(found: list[Contest]) -> str:
    """Every contest's results as CSV."""
    return _csv(
        ["target", "budget", "place", "config", "nfe", "value", "low", "high", "tied_with_best"],
        [(c.target, c.budget, i + 1, r.config, r.nfe, r.value, r.low, r.high, int(r in c.best))
         for c in found for i, r in enumerate(c.results)],
    )  # fmt: skip
