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
from dfbench.report.sweep.data import SEPARATOR, Results

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
    every = table_rows(errors, found)
    commands = [each["command"] for each in results.environment if "command" in each]
    return {
        "title": title or f"Bench: {wording.listed(studies) or 'results'}",
        "purposes": _purposes(results.studies),
        "headline": words.headline(found),
        "sentences": words.by_target(found),
        "remarks": words.remarks(rows, errors, found, orders),
        "contests": found,
        "cells": {(each.target, each.budget): each for each in found},
        "targets": _targets(rows),
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


@dataclass(frozen=True)
class Target:
    """A target in the overview."""

    name: str
    dimension: int | None
    metric: str
    unit: str


def _targets(rows: DataFrame) -> list[Target]:
    metrics = ranking.primary(rows)
    made = []
    for name, each in rows.groupby("target", sort=True):
        if str(name) in metrics:
            dimension = each.dimension.dropna()
            unit = each[each.metric == metrics[str(name)]].unit
            made.append(
                Target(
                    str(name),
                    int(dimension.iloc[0]) if len(dimension) else None,
                    metrics[str(name)],
                    str(unit.iloc[0] or ""),
                )
            )
    return made


def table_rows(table: DataFrame, found: list[ranking.Contest]) -> list[dict[str, Any]]:
    """Every run by its target's primary metric, those that rank high at their evaluations first."""
    if table.empty:
        return []
    best = {(c.target, r.nfe, r.config) for c in found for r in c.best}
    place = table.groupby(["target", "nfe"]).value.rank()
    table = table.assign(place=place).sort_values(["place", "target", "nfe"])
    return [
        {
            "target": row.target,
            "config": row.config,
            "nfe": int(row.nfe),
            "steps": int(row.steps) if row.steps == row.steps else None,
            "value": wording.number(row.value),
            "interval": "exact"
            if row.low == row.high
            else f"{wording.number(row.low)} – {wording.number(row.high)}",
            "floor": wording.number(row.floor) if row.floor == row.floor else "",
            "best": (row.target, row.nfe, row.config) in best,
        }
        for row in table.itertuples()
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
    from dfbench.report.sweep.data import runs

    main = ranking.primary(rows)
    whole = rows.source.isin(["all", ""]) | (rows.metric == "strong_error")
    others = rows[whole & rows["at"].isna() & rows.series.isna()]
    others = others[others.metric != others.target.map(main)]
    if others.empty:
        return []
    table = runs(others)
    last = table.sort_values("nfe").groupby(["target", "config", "metric"]).tail(1)
    made = []
    for target, group in last.groupby("target", sort=True):
        names = sorted(group.metric.unique())
        lines = []
        for config, each in group.groupby("config", sort=True):
            known = {row.metric: row for row in each.itertuples()}
            lines.append(
                {
                    "config": config,
                    "nfe": int(each.nfe.max()),
                    "cells": [_cell(known.get(name)) for name in names],
                }
            )
        floors = group.groupby("metric").floor_high.max()
        made.append(
            {
                "target": target,
                "metrics": names,
                "lines": lines,
                "floors": [
                    wording.number(floors[name]) if floors[name] == floors[name] else ""
                    for name in names
                ],
            }
        )
    return made


def _cell(row: Any) -> tuple[str, str, bool]:
    """Value, interval, and whether exact samples would do no better."""
    if row is None:
        return "", "", False
    result = ranking.result(row)
    spread = "" if result.exact else f"{wording.number(result.low)} – {wording.number(result.high)}"
    return wording.number(result.value), spread, result.in_noise


def _costs(results: Results) -> list[dict[str, Any]]:
    """Evaluations a step, and time and memory outside the model: a row a sampler."""
    import pandas as pd

    rows, costs = results.rows, results.costs
    steps = rows[(rows.steps > 0) & rows.nfe.notna()]
    if steps.empty:
        return []
    table = pd.DataFrame(
        {
            "per_step": (steps.nfe / steps.steps)
            .groupby(steps.sampler)
            .agg(lambda x: sorted({round(float(v), 2) for v in x}))
        }
    )
    for name in ("overhead_seconds", "memory_bytes"):
        if name in costs:
            known = pd.to_numeric(costs[name], errors="coerce")
            table[name] = known.groupby(costs.sampler).median()
        else:
            table[name] = float("nan")
    return [
        {
            "sampler": name,
            "per_step": wording.number(row.per_step[0])
            if len(row.per_step) == 1
            else f"{wording.number(row.per_step[0])} – {wording.number(row.per_step[-1])}",
            "overhead": wording.number(1e3 * row.overhead_seconds)
            if row.overhead_seconds == row.overhead_seconds
            else "",
            "memory": wording.number(row.memory_bytes / 8e6)
            if row.memory_bytes == row.memory_bytes
            else "",
        }
        for name, row in zip(table.index, table.itertuples(), strict=True)
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


def _counts(results: Results, found: list[ranking.Contest]) -> list[tuple[str, int, str]]:
    """What is told beside the headline: (class, number, word)."""
    rows = results.rows

    def some(n: int, one: str, many: str = "") -> tuple[int, str]:
        return n, wording.several(n, one, many)

    tied = sum(each.winner is None for each in found)
    return [
        ("", *some(rows.target.nunique(), "target")),
        ("", *some(rows.config.nunique(), "configuration")),
        ("", *some(rows.cell.nunique(), "cell")),
        ("", *some(len(rows), "measurement")),
        ("pass", *some(len(found) - tied, "comparison decided", "comparisons decided")),
        ("", *some(tied, "tied", "tied")),
        ("fail" if len(results.failed) else "", *some(len(results.failed), "failed cell")),
    ]
