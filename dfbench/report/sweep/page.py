"""The results of one or several studies as one self-contained page of at most 2 MB."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from dfbench import wording
from dfbench.report.figures import shade_names
from dfbench.report.page import Chart, Table, fill
from dfbench.report.sweep import charts, ranking, words
from dfbench.report.sweep.data import SEPARATOR, Results, runs
from dfbench.report.sweep.ranking import Result

if TYPE_CHECKING:
    from pandas import DataFrame

LIMIT = 2_000_000  # bytes of a page


@dataclass(frozen=True)
class Detail:
    """How much a page shows, where the table is large.

    Attributes:
        rows: of the table of results.
        targets: of each kind of figure.
        csv: bytes of the data behind a figure.
    """

    rows: int
    targets: int
    csv: int


DETAILS = (
    Detail(1500, 60, 200_000),
    Detail(600, 40, 60_000),
    Detail(250, 24, 20_000),
    Detail(80, 12, 5_000),
    Detail(30, 4, 0),
)


def render(results: Results, *, title: str | None = None, command: str | None = None) -> str:
    """The page, complete: styles, figures, their data and the script are in it.

    Where it would be larger than `LIMIT`, the longest tables and the data behind figures are cut,
    and the page says so.

    Args:
        title: of the page; by default, the names of the studies.
        command: that makes the results again.
    """
    content = _content(results, title, command)
    styled = {"styled": _styler(results.rows), "metric": words.metric}
    page = ""
    for detail in DETAILS:
        page = fill("sweep.html", "tables.js", filters=styled, **content | _cut(content, detail))
        if len(page.encode()) <= LIMIT:
            break
    return page


def _cut(content: dict[str, Any], detail: Detail) -> dict[str, Any]:
    """What there is room for, where there is too much."""
    every: dict[str, list[Chart]] = content["figures"]
    ranked: Table = content["ranking_csv"]
    return {
        "figures": {kind: each[: detail.targets] for kind, each in every.items()},
        "csv": detail.csv,
        "table": content["table"][: detail.rows],
        "orders": content["orders"][: detail.rows],
        "sampled": content["sampled"][: detail.targets],
        "ranking_csv": ranked if len(ranked.text) <= 4 * detail.csv else None,
        "cut": any(len(each) > detail.targets for each in every.values()),
    }


def _content(results: Results, title: str | None, command: str | None) -> dict[str, Any]:
    """All that a page may show."""
    rows = results.rows
    errors = ranking.errors(rows)
    found = ranking.contests(rows, errors)
    orders = ranking.orders(rows)
    studies = [str(name) for name in rows.study.unique() if name]
    every = _runs(errors, found)
    commands = [each["command"] for each in results.environment if "command" in each]
    return {
        "title": title or f"Bench: {wording.listed(studies) or 'results'}",
        "purposes": _purposes(results.studies),
        "headline": words.headline(found),
        "sentences": words.by_target(found),
        "remarks": words.remarks(rows, errors, found, orders),
        "contests": found,
        "cells": {(each.target, each.budget): each for each in found},
        "targets": [*errors.sort_values("target").drop_duplicates("target").itertuples()],
        "budgets": sorted({each.budget for each in found}),
        "colours": ranking.featured(found),
        "orders": orders,
        "many": rows.config.nunique(),
        "variants": rows.config.nunique() > rows.sampler.nunique(),
        "figures": {
            kind: [panel.chart(f"{kind}-{i}") for i, panel in enumerate(each)]
            for kind, each in charts.panels(results).items()
        },
        "table": every,
        "total": len(every),
        "ranking_csv": charts.contests(found),
        "sampled": _sampled(rows),
        "published": _published(rows),
        "costs": _costs(results),
        "failed": _failed(results.failed),
        "environment": [
            {key: wording.line(value) for key, value in each.items() if key != "command"}
            for each in results.environment
        ],
        "command": command or next(iter(dict.fromkeys(commands)), None),
        "studies": results.studies,
        "files": results.files,
        "counts": _counts(results, found),
        "shades": shade_names(),
    }


def _purposes(studies: Mapping[str, str]) -> list[str]:
    """The titles of the study files."""
    import tomllib

    titles = []
    for content in studies.values():
        try:
            titles.append(tomllib.loads(content).get("title"))
        except tomllib.TOMLDecodeError:
            continue
    return [str(each) for each in dict.fromkeys(titles) if each]


def _styler(rows: DataFrame) -> Callable[[str], Markup]:
    """A function that sets schedules and grids small in a text with names of configurations."""
    names = [str(each) for each in rows.config.unique() if SEPARATOR in str(each)]
    pattern = re.compile("|".join(re.escape(each) for each in sorted(names, key=len, reverse=True)))

    def styled(text: str) -> Markup:
        if not names:
            return escape(text)
        made, at = Markup(""), 0
        for found in pattern.finditer(text):
            sampler, _, variant = found[0].partition(SEPARATOR)
            made += escape(text[at : found.start()])
            made += Markup("{} <i>{}</i>").format(sampler, variant)
            at = found.end()
        return made + escape(text[at:])

    return styled


def _runs(errors: DataFrame, found: list[ranking.Contest]) -> list[tuple[Any, Result, bool]]:
    """Every run by its target's primary metric, those that rank high at their evaluations first.

    Returns:
        The row of the table, its result, and whether it is the best or tied with it.
    """
    best = {(c.target, r.nfe, r.config) for c in found for r in c.best}
    place = errors.groupby(["target", "nfe"]).value.rank()
    ranked = errors.assign(place=place).sort_values(["place", "target", "nfe"])
    return [
        (row, ranking.result(row), (row.target, row.nfe, row.config) in best)
        for row in ranked.itertuples()
    ]


def _published(rows: DataFrame) -> list[dict[str, Any]]:
    """Printed tables side by side with what the studies of their names found."""
    from dfbench.sweep.published import PUBLISHED, side_by_side

    made = []
    for name, printed in PUBLISHED.items():
        lines = side_by_side(name, rows[rows.study == name])
        if lines:
            wrong = {each.printed.scheme: each for each in reversed(lines) if each.mislabelled}
            made.append(
                {
                    "source": printed,
                    "lines": lines,
                    "mislabelled": list(wrong.values()),
                    "reproduced": sum(each.reproduced for each in lines),
                    "targets": wording.listed(rows[rows.study == name].target.unique()),
                }
            )
    return made


def _sampled(rows: DataFrame) -> list[dict[str, Any]]:
    """The other metrics, at the largest budget: a table for each target."""
    main = ranking.primary(rows)
    whole = rows.source.isin(["all", ""]) | (rows.metric == "strong_error")
    others = rows[whole & rows["at"].isna() & rows.series.isna()]
    others = others[others.metric != others.target.map(main)]
    if others.empty:
        return []
    last = runs(others).sort_values("nfe").groupby(["target", "config", "metric"]).tail(1)
    made = []
    for target, group in last.groupby("target", sort=True):
        found = {(row.config, row.metric): ranking.result(row) for row in group.itertuples()}
        names = sorted(group.metric.unique())
        spent = group.groupby("config").nfe.max()
        lines = [
            (str(c), int(n), [found.get((c, name)) for name in names]) for c, n in spent.items()
        ]
        floors = group.groupby("metric").floor_high.max().reindex(names)
        made.append({"target": target, "metrics": names, "lines": lines, "floors": [*floors]})
    return made


def _costs(results: Results) -> list[tuple[str, float, float, float | None, float | None]]:
    """Of every sampler: least and most evaluations a step; milliseconds and states outside it."""
    import pandas as pd

    rows, costs = results.rows, results.costs
    steps = rows[(rows.steps > 0) & rows.nfe.notna()]
    per_step = (steps.nfe / steps.steps).round(2).groupby(steps.sampler).agg(["min", "max"])

    def median(name: str, unit: float) -> dict[str, float]:
        if name not in costs:
            return {}
        known = pd.to_numeric(costs[name], errors="coerce").groupby(costs.sampler).median()
        return dict((known / unit).dropna())

    time, memory = median("overhead_seconds", 1e-3), median("memory_bytes", 8e6)
    return [
        (str(name), row.min, row.max, time.get(str(name)), memory.get(str(name)))
        for name, row in zip(per_step.index, per_step.itertuples(), strict=True)
    ]


def _failed(failed: DataFrame) -> list[dict[str, Any]]:
    """Failed cells by reason."""
    made = []
    for why, group in failed.groupby("why", sort=False):
        cells = [
            ", ".join(str(part) for part in (row.target, row.sampler, row.budget) if part)
            for row in group.itertuples()
        ]
        made.append({"why": str(why) or "no reason was recorded", "cells": cells})
    return sorted(made, key=lambda each: -len(each["cells"]))


def _counts(results: Results, found: list[ranking.Contest]) -> list[tuple[str, int, list[str]]]:
    """What is told beside the headline: class, number, words for one and for many."""
    rows, failed = results.rows, len(results.failed)
    tied = sum(each.winner is None for each in found)
    return [
        ("", rows.target.nunique(), ["target"]),
        ("", rows.config.nunique(), ["configuration"]),
        ("", rows.cell.nunique(), ["cell"]),
        ("", len(rows), ["measurement"]),
        ("pass", len(found) - tied, ["comparison decided", "comparisons decided"]),
        ("", tied, ["tied", "tied"]),
        ("fail" if failed else "", failed, ["failed cell"]),
    ]
