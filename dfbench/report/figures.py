"""The figures of a certificate: a plot behind a finding, and two overviews over all subjects."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup

from dfbench.outcome import Finding
from dfbench.report.groups import Group, Part, Place, Row
from dfbench.report.labels import Status
from dfbench.report.svg import Line, line_plot
from dfbench.wording import number

ROUND_OFF = 1e-16  # relative errors below it are drawn here


# One finding --------------------------------------------------------------------------------------


def figure(finding: Finding, traits: Mapping[str, Any]) -> Markup:
    """The plot of a finding's series; nothing where it has none that can be drawn.

    Error against steps for `order`, with the slope of the declared order; relative error of the
    standard deviation against that of the data for `law`; else the first series is the abscissa
    of the others.
    """
    series = finding.series or {}
    if "steps" in series and "error" in series:
        return _order_plot(finding, series, traits)
    if "data_std" in series:
        return _law_plot(finding, series)
    return _plot(finding, series)


def _order_plot(
    finding: Finding, series: Mapping[str, list[float]], traits: Mapping[str, Any]
) -> Markup:
    points = list(zip(series["steps"], series["error"], strict=False))
    lines = [Line("measured", points)]
    declared = traits.get("order")
    drawn = [(n, e) for n, e in points if n > 0 and e > 0 and math.isfinite(e)]
    if isinstance(declared, int | float) and _is_number(declared) and drawn:
        n0, e0 = drawn[0]
        slope = [(n, e0 * (n0 / n) ** declared) for n, _ in (drawn[0], drawn[-1])]
        lines.append(Line(f"order {declared:g}", slope, guide=True))
    title = f"{finding.claim}: error against steps, measured order {number(finding.measured)}"
    return line_plot(lines, x="steps", y="error", title=title, x_log=True, y_log=True)


def _law_plot(finding: Finding, series: Mapping[str, list[float]]) -> Markup:
    lines = [
        Line(name, [(x, max(abs(e), ROUND_OFF)) for x, e in zip(series["data_std"], values)])  # noqa: B905
        for name, values in series.items()
        if name != "data_std"
    ]
    return line_plot(
        lines,
        x="standard deviation of the data",
        y="|relative error|",
        title=f"{finding.claim}: relative error of the output's standard deviation",
        x_log=True,
        y_log=True,
    )


def _plot(finding: Finding, series: Mapping[str, list[float]]) -> Markup:
    if not series:
        return Markup("")
    (x, abscissae), *others = series.items()
    if not others:
        x, abscissae, others = "index", [float(i) for i in range(len(abscissae))], [*series.items()]
    lines = [Line(name, list(zip(abscissae, values, strict=False))) for name, values in others]
    ordinates = [y for _, values in others for y in values]
    return line_plot(
        lines,
        x=x,
        y=others[0][0] if len(others) == 1 else "",
        title=f"{finding.claim}: {', '.join(name for name, _ in others)} against {x}",
        x_log=_spans_decades(abscissae),
        y_log=_spans_decades(ordinates),
    )


def _spans_decades(values: list[float]) -> bool:
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) > 50 * min(finite)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# All orders ---------------------------------------------------------------------------------------

STRIP = 160  # width of a strip in its own units


@dataclass(frozen=True)
class Strip:
    """A row of an overview: a class, the finding it leads to, its picture and the same in words."""

    group: Group
    part: Part
    row: Row
    picture: Markup
    words: str
    status: Status = "pass"


def orders(classes: Iterable[Group]) -> list[Strip]:
    """Measured orders against declared ones: a strip for each declared order of a class."""
    found: dict[tuple[str, float | None], list[Place]] = {}
    named = {group.id: group for group in classes}
    for group in named.values():
        for part in group.parts:
            for row in part.rows:
                if row.finding.sense == "at least" and "interval" in (row.finding.series or {}):
                    found.setdefault((group.id, _declared(part)), []).append((part, row))
    highest = math.ceil(max([4.0, *(declared or 0 for _, declared in found)])) + 0.5
    return [
        _order_row(named[name], declared, places, highest)
        for (name, declared), places in found.items()
    ]


def _declared(part: Part) -> float | None:
    order = part.report.traits.get("order")
    return float(order) if order is not None and _is_number(order) else None


def _order_row(group: Group, declared: float | None, places: list[Place], highest: float) -> Strip:
    worst = min((row for _, row in places), key=lambda row: row.severity)
    leads = worst if worst.status == "fail" else places[0][1]
    part = next(part for part, row in places if row is leads)
    measured = [row.finding.measured for _, row in places if row.finding.measured is not None]
    finite = [each for each in measured if math.isfinite(each)] or [math.nan]
    low, high = f"{min(finite):.2f}", f"{max(finite):.2f}"
    words = low if low == high else f"{low} – {high}"
    words += ", none declared" if declared is None else f", declared {declared:g}"
    picture = _order_strip([row.finding for _, row in places], declared, highest)
    return Strip(group, part, leads, picture, words, worst.status)


def _order_strip(findings: list[Finding], declared: float | None, highest: float) -> Markup:
    """Orders as dots with their intervals; those that fail in another colour, on top."""

    def at(order: float) -> int:
        return round(STRIP * min(max(order / highest, 0.0), 1.0))

    whole = "".join(f"M{at(k)} 0v14" for k in range(int(highest) + 1))
    parts = f'<path class=grid d="{whole}"/>'
    if declared is not None:
        parts += f'<path class=claimed d="M{at(declared)} 0v14"/>'
    drawn: dict[tuple[bool, str], None] = {}
    for finding in findings:
        interval = (finding.series or {}).get("interval", [])
        bar = ""
        if len(interval) == 2 and all(map(math.isfinite, interval)):
            bar = f"M{at(interval[0])} 7H{at(interval[1])}"
        if finding.measured is not None and math.isfinite(finding.measured):
            shape = f'<path d="{bar}"/>' * bool(bar)
            shape += f"<circle cx={at(finding.measured)} cy=7 r=3.5 />"
            drawn[finding.verdict == "fail" and not finding.expected, shape] = None
    for failed in (False, True):
        shapes = "".join(shape for wrong, shape in drawn if wrong == failed)
        parts += f"<g class={'bad' if failed else 'good'}>{shapes}</g>" if shapes else ""
    return Markup(f'<svg viewBox="0 0 {STRIP} 14" aria-hidden=true>{parts}</svg>')


# All laws -----------------------------------------------------------------------------------------

#: Relative errors at which the shade of a cell changes.
SHADES = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1)
COLUMNS = 17


def responses(classes: Iterable[Group]) -> list[Strip]:
    """Spectral responses: which scales of the data are wrong at which number of steps.

    Of default configurations, and of others that fail `law`.
    """
    strips = []
    for group in classes:
        for part in group.parts:
            row = part.cells.get("law")
            if row is None or not (part is group.default or row.status == "fail"):
                continue
            series = row.finding.series or {}
            deviations = series.get("data_std", [])
            rows = {
                name: [abs(e) for e in values]
                for name, values in series.items()
                if name != "data_std" and len(values) == len(deviations)
            }
            if deviations and rows:
                picture = heat([_pooled(values) for values in rows.values()])
                words = _worst(deviations, rows)
                strips.append(Strip(group, part, row, picture, words, row.status))
    return strips


def shade_names() -> list[str]:
    """What each shade stands for, lightest first."""
    percent = [f"{number(100 * edge)} %" for edge in SHADES]
    return [f"below {percent[0]}", *(f"from {each}" for each in percent)]


def _worst(deviations: list[float], rows: Mapping[str, list[float]]) -> str:
    name, values = list(rows.items())[-1]
    largest = max(values, key=lambda e: math.inf if math.isnan(e) else e)
    at = deviations[values.index(largest)]
    return f"{number(100 * largest)} % at {number(at)}, {name}"


def _pooled(values: list[float]) -> list[float]:
    """At most `COLUMNS` values, each the largest of its neighbourhood."""
    size = math.ceil(len(values) / COLUMNS)
    return [
        max(values[i : i + size], key=lambda e: math.inf if math.isnan(e) else e)
        for i in range(0, len(values), size)
    ]


def heat(rows: list[list[float]]) -> Markup:
    """Rows of shaded cells, a cell a unit wide; neighbours of one shade are one rectangle."""
    paths: dict[int, str] = {}
    for y, values in enumerate(rows):
        x = 0
        for shade, run in groupby(values, key=_shade):
            length = len(list(run))
            paths[shade] = paths.get(shade, "") + f"M{x} {y}h{length}v1h-{length}z"
            x += length
    inside = "".join(f'<path class=h{shade} d="{d}"/>' for shade, d in sorted(paths.items()))
    return Markup(
        f'<svg class=heat viewBox="0 0 {max(map(len, rows))} {len(rows)}" '
        f"preserveAspectRatio=none aria-hidden=true>{inside}</svg>"
    )


def _shade(error: float) -> int:
    return len(SHADES) if math.isnan(error) else sum(error >= edge for edge in SHADES)
