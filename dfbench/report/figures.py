"""The figures of a certificate: a plot behind a finding, and two overviews over all subjects."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dfbench.charts.drawing import frame, guide, heat, name_rows
from dfbench.charts.look import COLOURS, INK, MUTED, PAPER
from dfbench.outcome import Finding
from dfbench.report import labels
from dfbench.report.groups import Group, Part, Place, Row
from dfbench.report.page import Chart
from dfbench.wording import number, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROUND_OFF = 1e-16  # relative errors below it are drawn here
SMALL = (4.2, 2.6)  # inches
Series = Mapping[str, Sequence[float]]
Anchor = Callable[[Group, Part, Row], str]  # where a link to a finding leads


# One finding --------------------------------------------------------------------------------------


def figure(finding: Finding, traits: Mapping[str, Any], name: str) -> Chart | None:
    """The plot of a finding's series; None where fewer than two points can be drawn.

    Error against steps for `order`, with the slope of the declared order; relative error of the
    standard deviation against that of the data for `law`; else the first series is the abscissa
    of the others.

    Args:
        finding: with or without series.
        traits: of the subject.
        name: of the figure in the page.
    """
    series: Series = finding.series or {}
    declared, x, y, x_log, y_log = None, "", "", True, True
    if "steps" in series and "error" in series:
        declared = traits.get("order")
        over, x, y, shown = "steps", "steps", "error", {"measured": series["error"]}
        title = f"error against steps, measured order {number(finding.measured)}"
    elif "data_std" in series:
        over, x, y = "data_std", "standard deviation of the data", "|relative error|"
        names = [name for name in series if name != over]
        shown = {name: [max(abs(e), ROUND_OFF) for e in series[name]] for name in names}
        title = "relative error of the output's standard deviation"
    elif series:
        if len(series) == 1:
            series = {"index": [float(i) for i in range(len(*series.values()))], **series}
        over, *names = series
        shown = {name: series[name] for name in names}
        x, y = over, names[0] if len(names) == 1 else ""
        x_log, y_log = _spans_decades(series[over]), _spans_decades(*shown.values())
        title = f"{', '.join(names)} against {x}"
    else:
        return None
    lines = {key: _drawable(series[over], values, x_log, y_log) for key, values in shown.items()}
    if sum(len(points) for points, _ in lines.values()) < 2:
        return None
    order = float(declared or 0) if _is_number(declared) else None
    scales = {"xscale": "log" if x_log else "linear", "yscale": "log" if y_log else "linear"}
    draw = partial(_plot, x, y, scales, lines, order)
    return Chart(name, f"{finding.claim}: {title}", draw, note=finding.claim)


Points = tuple[list[float], list[float]]


def _plot(
    x: str, y: str, scales: Mapping[str, Any], lines: Mapping[str, Points], order: float | None
) -> Figure:
    drawn, (axis,) = frame(x, y, size=SMALL, **scales)
    for i, (name, (at, values)) in enumerate(lines.items()):
        marked = "o" if len(at) <= 12 else ""
        axis.plot(at, values, marked + ("-", "--", "-.", ":")[i % 4], label=name)
        if order is not None:
            guide(axis, at, [values[0] * (at[0] / n) ** order for n in at], f"order {order:g}")
    return drawn


def _drawable(x: Sequence[float], y: Sequence[float], x_log: bool, y_log: bool) -> Points:
    """The points that can be shown: finite, of a size that can be drawn, positive on a log axis."""

    def shown(value: float, log: bool) -> bool:
        return abs(value) < 1e100 and (value > 1e-100 or not log)  # a NaN is neither

    kept = [(a, b) for a, b in zip(x, y, strict=False) if shown(a, x_log) and shown(b, y_log)]
    return [a for a, _ in kept], [b for _, b in kept]


def _spans_decades(*columns: Sequence[float]) -> bool:
    finite = [value for values in columns for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) > 50 * min(finite)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# All orders ---------------------------------------------------------------------------------------


def orders(classes: Iterable[Group], anchor: Anchor) -> Chart | None:
    """Measured orders against declared ones: a row for each declared order of a class."""
    found: dict[tuple[str, float | None], list[Place]] = {}
    named = {group.id: group for group in classes}
    for group in named.values():
        for part in group.parts:
            for row in part.rows:
                if row.finding.sense == "at least" and "interval" in (row.finding.series or {}):
                    found.setdefault((group.id, _declared(part)), []).append((part, row))
    rows = [(named[name], declared, places) for (name, declared), places in found.items()]
    draw = partial(_orders, rows, anchor)
    return Chart("all-orders", "measured and declared orders", draw) if rows else None


def _declared(part: Part) -> float | None:
    order = part.report.traits.get("order")
    return float(order) if order is not None and _is_number(order) else None


def _orders(rows: Sequence[tuple[Group, float | None, list[Place]]], anchor: Anchor) -> Figure:
    """Orders as dots with their intervals; those that fail in another colour, on top."""
    drawn, (axis,) = frame("order", "", size=(7.4, 0.7 + 0.2 * len(rows)))
    words, links, colours = [], [], []
    for y, (group, declared, places) in enumerate(rows):
        if declared is not None:
            axis.plot([declared], [y], "|", color=INK, ms=12, mew=2)
        for failed in (False, True):
            _dots(axis, y, [row for _, row in places if _failed(row) == failed], COLOURS[failed])
        worst = min((row for _, row in places), key=lambda row: row.severity)
        leads = worst if worst.status == "fail" else places[0][1]
        part = next(part for part, row in places if row is leads)
        links.append(f"#{anchor(group, part, leads)}")
        colours.append(COLOURS[1] if worst.status == "fail" else MUTED)
        words.append(f"{labels.SYMBOLS[worst.status]} {_said(places, declared)}")
    highest = math.ceil(max(4.0, *(declared or 0.0 for _, declared, _ in rows))) + 0.5
    axis.set(xlim=(-0.1, highest), xticks=range(int(highest) + 1))
    names = [group.name for group, _, _ in rows]
    name_rows(axis, names, words, links=links, colours=colours)
    return drawn


def _failed(row: Row) -> bool:
    return row.finding.verdict == "fail" and not row.finding.expected


def _dots(axis: Any, y: float, rows: Iterable[Row], colour: str) -> None:
    for row in rows:
        interval, order = (row.finding.series or {}).get("interval", []), row.finding.measured
        if len(interval) == 2 and all(map(math.isfinite, interval)):
            axis.plot(interval, [y, y], color=colour, lw=1.5)
        if order is not None and math.isfinite(order):
            axis.plot([order], [y], "o", color=colour, ms=5, alpha=0.85, mec=PAPER, mew=0.5)


def _said(places: Sequence[Place], declared: float | None) -> str:
    measured = [row.finding.measured for _, row in places if row.finding.measured is not None]
    finite = [each for each in measured if math.isfinite(each)] or [math.nan]
    low, high = f"{min(finite):.2f}", f"{max(finite):.2f}"
    words = low if low == high else f"{low} – {high}"
    return words + (", none declared" if declared is None else f", declared {declared:g}")


# All laws -----------------------------------------------------------------------------------------

#: Relative errors at which the shade of a cell changes.
EDGES = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1)
COLUMNS = 17


def responses(classes: Iterable[Group], anchor: Anchor) -> Chart | None:
    """Spectral responses: which scales of the data are wrong at which number of steps.

    Of default configurations, and of others that fail `law`.
    """
    found = []
    for group in classes:
        for part in group.parts:
            row = part.cells.get("law")
            if row is None or not (part is group.default or row.status == "fail"):
                continue
            series = row.finding.series or {}
            deviations = series.get("data_std", [])
            cells = {
                name: [abs(e) for e in values]
                for name, values in series.items()
                if name != "data_std" and len(values) == len(deviations)
            }
            if deviations and cells:
                found.append((group, part, row, deviations, cells))
    draw = partial(_responses, found, anchor)
    return Chart("all-responses", "spectral responses", draw) if found else None


def _responses(found: Sequence[Any], anchor: Anchor) -> Figure:
    drawn, (axis,) = frame("", "", size=(7.4, 0.3 + 0.27 * len(found)))
    heat(axis, [[pooled(each) for each in cells.values()] for *_, cells in found], EDGES)
    names = [
        group.name + (f" {shorten(part.setting, 24)}" if part is not group.default else "")
        for group, part, *_ in found
    ]
    words = [worst(deviations, cells) for *_, deviations, cells in found]
    name_rows(axis, names, words, links=[f"#{anchor(*each[:3])}" for each in found])
    return drawn


def pooled(values: Sequence[float]) -> list[float]:
    """At most `COLUMNS` values, each the largest of its neighbourhood."""
    size = math.ceil(len(values) / COLUMNS)
    return [
        max(values[i : i + size], key=lambda e: math.inf if math.isnan(e) else e)
        for i in range(0, len(values), size)
    ]


def worst(deviations: Sequence[float], rows: Mapping[str, Sequence[float]]) -> str:
    """The largest error at the most steps, and where it is."""
    name, values = list(rows.items())[-1]
    largest = max(values, key=lambda e: math.inf if math.isnan(e) else e)
    at = deviations[list(values).index(largest)]
    return f"{number(100 * largest)} % at {number(at)}, {name}"


def shade_names() -> list[str]:
    """What each shade stands for, lightest first."""
    percent = [f"{number(100 * edge)} %" for edge in EDGES]
    return [f"below {percent[0]}", *(f"from {each}" for each in percent)]
