"""The figures of a certificate: a plot behind a finding, and two overviews over all subjects."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

from markupsafe import Markup

from dfbench.claims.base import Finding
from dfbench.report.labels import number
from dfbench.report.svg import Line, line_plot

ROUND_OFF = 1e-16  # relative errors below it are drawn here


class Place(Protocol):
    """Where a figure's row leads to: a subject on the page."""

    @property
    def id(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def report(self) -> Any: ...


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
    """A row of an overview: a subject, its picture and the same in words."""

    place: Place
    finding: Finding
    picture: Markup
    words: str


def orders(findings: Iterable[tuple[Any, Finding]]) -> list[Strip]:
    """Measured orders with their intervals, against the declared ones."""
    found = [
        (place, each)
        for place, each in findings
        if each.claim == "order" and each.measured is not None and "order" in (each.unit or "")
    ]
    declared = [_declared(place) for place, _ in found]
    highest = math.ceil(max([4.0, *(d for d in declared if d is not None)]))
    return [
        Strip(place, each, _order_strip(each, claimed, highest + 0.5), _order_words(each, claimed))
        for (place, each), claimed in zip(found, declared, strict=True)
    ]


def _declared(place: Place) -> float | None:
    order = place.report.traits.get("order")
    return float(order) if _is_number(order) else None


def _order_words(finding: Finding, declared: float | None) -> str:
    against = "none declared" if declared is None else f"declared {declared:g}"
    return f"{finding.measured:.2f}, {against}"


def _order_strip(finding: Finding, declared: float | None, highest: float) -> Markup:
    def at(order: float) -> int:
        return round(STRIP * min(max(order / highest, 0.0), 1.0))

    assert finding.measured is not None
    whole = "".join(f"M{at(k)} 0v14" for k in range(int(highest) + 1))
    parts = f'<path class=grid d="{whole}"/>'
    if declared is not None:
        parts += f'<path class=claimed d="M{at(declared)} 0v14"/>'
    interval = (finding.series or {}).get("interval", [])
    if len(interval) == 2 and all(map(math.isfinite, interval)):
        parts += f'<path class=ci d="M{at(interval[0])} 7H{at(interval[1])}"/>'
    if math.isfinite(finding.measured):
        parts += f"<circle cx={at(finding.measured)} cy=7 r=3.5 />"
    return Markup(f'<svg viewBox="0 0 {STRIP} 14" aria-hidden=true>{parts}</svg>')


# All laws -----------------------------------------------------------------------------------------

#: Relative errors at which the shade of a cell changes.
SHADES = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1)
COLUMNS = 17


def responses(findings: Iterable[tuple[Any, Finding]]) -> list[Strip]:
    """Spectral responses: which scales of the data are wrong at which number of steps."""
    strips = []
    for place, finding in findings:
        series = finding.series or {}
        deviations = series.get("data_std", [])
        rows = {
            name: [abs(e) for e in values]
            for name, values in series.items()
            if name != "data_std" and len(values) == len(deviations)
        }
        if finding.claim == "law" and deviations and rows:
            picture = _heat([_pooled(values) for values in rows.values()])
            strips.append(Strip(place, finding, picture, _worst(deviations, rows)))
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


def _heat(rows: list[list[float]]) -> Markup:
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
