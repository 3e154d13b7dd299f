"""Line plots as small inline SVG: axes, ticks, labels, and each line named at its end.

Colours, strokes and fonts are those of the page (`templates/style.css`); lines differ in their
dash as well as in colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from markupsafe import Markup, escape

WIDTH, HEIGHT = 336, 190
LEFT, RIGHT, TOP, BOTTOM = 52, 274, 8, 150  # the plotting area; names of lines stand right of it
LINES = 5  # kinds of line that the style sheet knows

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A named sequence of points.

    Attributes:
        guide: drawn thin and without markers.
        quiet: drawn as background; its name is told where the pointer is, and at the end if
            `told`.
        kind: which of the style sheet's lines it is; by default, the next one.
        bars: intervals (x, low, high), drawn upright.
    """

    name: str
    points: Points
    guide: bool = False
    quiet: bool = False
    told: bool = True
    kind: int | None = None
    bars: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, with ticks at `ticks`."""

    label: str
    low: float
    high: float
    log: bool
    ticks: list[float] = field(default_factory=list)

    def at(self, value: float) -> float:
        """Position along the axis, 0 to 1."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def line_plot(
    lines: Sequence[Line],
    *,
    x: str,
    y: str,
    title: str,
    x_log: bool,
    y_log: bool,
    room: int = WIDTH - RIGHT,
) -> Markup:
    """A plot of lines, or nothing where fewer than two points can be drawn.

    Args:
        lines: points that cannot be shown (not finite, or not positive on a log axis) are left
            out.
        x, y: labels of the axes.
        title: what a reader who does not see the plot is told.
        x_log, y_log: logarithmic axes.
        room: for the names right of the plotting area.
    """
    lines = [
        replace(
            line,
            points=[(a, b) for a, b in line.points if _shown(a, x_log) and _shown(b, y_log)],
        )
        for line in lines
    ]
    data = [point for line in lines for point in line.points if not line.guide]
    if len(data) < 2:
        return Markup("")
    horizontal = axis(x, [a for a, _ in data], x_log, 6)
    vertical = axis(y, [b for _, b in data], y_log, 5)
    parts = [
        Markup('<svg class=plot viewBox="0 0 {} {}" role=img aria-label="{}">').format(
            RIGHT + room, HEIGHT, title
        ),
        _frame(horizontal, vertical),
    ]
    ends: list[tuple[float, str, Line]] = []
    kind = 0
    for line in sorted(lines, key=lambda each: not (each.quiet or each.guide)):
        pixels = [_pixel(horizontal, vertical, *point) for point in line.points]
        if line.guide:
            pixels = _clip(pixels)
        if not pixels:
            continue
        muted = "g" if line.guide else "q" if line.quiet else ""
        chosen = f"{(kind if line.kind is None else line.kind) % LINES}"
        name = "" if line.guide else line.name
        parts.append(_path(pixels, muted or f"l{chosen}", name))
        if not muted:
            parts.append(_bars(line, horizontal, vertical, f"l{chosen}"))
            if len(pixels) <= 12:
                parts.append(_markers(pixels, f"m{chosen}"))
            kind += line.kind is None
        if line.told:
            ends.append((pixels[-1][1], "n" if muted else f"n{chosen}", line))
    parts.append(_names(ends, room // 5))
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _shown(value: float, log: bool) -> bool:
    return abs(value) < 1e100 and (value > 1e-100 or not log)  # a NaN is neither


def axis(label: str, values: Sequence[float], log: bool, count: int) -> Axis:
    """An axis that holds the values, with at most about `count` ticks at round numbers."""
    low, high = min(values), max(values)
    if log:
        if high < low * 1.5:
            low, high = low / 2, high * 2
        return Axis(label, low, high, True, _log_ticks(low, high, count))
    if high - low <= max(1e-12 * max(abs(low), abs(high)), 1e-100):
        pad = max(abs(low) / 2, 1e-3)
        low, high = low - pad, high + pad
    step = _round_up((high - low) / count)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return Axis(label, low, high, False, [i * step for i in range(first, last + 1)])


def _log_ticks(low: float, high: float, count: int) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for mantissas in ((1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        exponents = range(max(first, -300), min(last, 300) + 1)
        ticks = [float(f"{m}e{e}") for e in exponents for m in mantissas]
        ticks = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(ticks) <= count:
            break
    return ticks[:: math.ceil(len(ticks) / count)] if ticks else [low, high]


def _round_up(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= step * (1 - 1e-9))


SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def tick_text(value: float) -> str:
    """A tick's number: 0.1, 20, 10⁻⁴, 3·10⁻⁵."""
    if value == 0 or 1e-2 <= abs(value) < 1e4:
        return f"{value:.4g}".replace("-", "−")
    mantissa, exponent = f"{value:.2e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".").replace("-", "−")
    power = "10" + str(int(exponent)).translate(SUPERSCRIPTS)
    return {"1": power, "−1": f"−{power}"}.get(mantissa, f"{mantissa}·{power}")


def _pixel(x: Axis, y: Axis, a: float, b: float) -> tuple[float, float]:
    return LEFT + x.at(a) * (RIGHT - LEFT), BOTTOM - y.at(b) * (BOTTOM - TOP)


def _clip(pixels: Points) -> Points:
    """The part of a straight guide that is inside the plotting area."""
    if len(pixels) < 2:
        return []
    (x0, y0), (x1, y1) = pixels[0], pixels[-1]
    if y1 == y0:
        return [(x0, y0), (x1, y1)] if TOP <= y0 <= BOTTOM else []
    cut = sorted(((TOP - y0) / (y1 - y0), (BOTTOM - y0) / (y1 - y0)))
    start, stop = max(0.0, cut[0]), min(1.0, cut[1])
    if start >= stop:
        return []
    return [(x0 + t * (x1 - x0), y0 + t * (y1 - y0)) for t in (start, stop)]


def _frame(x: Axis, y: Axis) -> Markup:
    """Axes, grid lines, tick labels, axis labels."""
    across, up = RIGHT - LEFT, BOTTOM - TOP
    columns = [(round(LEFT + x.at(tick) * across), tick) for tick in x.ticks]
    rows = [(round(BOTTOM - y.at(tick) * up), tick) for tick in y.ticks]
    grid = "".join(f"M{p} {TOP}v{up}" for p, _ in columns)
    grid += "".join(f"M{LEFT} {p}h{across}" for p, _ in rows)
    below = "".join(f"<text x={p} y={BOTTOM + 13}>{tick_text(t)}</text>" for p, t in columns)
    beside = "".join(f"<text x={LEFT - 4} y={p + 3}>{tick_text(t)}</text>" for p, t in rows)
    middle = (LEFT + RIGHT) // 2
    return Markup(
        f'<path class=grid d="{grid}"/><path class=axis d="M{LEFT} {TOP}v{up}h{across}"/>'
        f"<g class=x>{below}<text x={middle} y={BOTTOM + 32}>{escape(x.label)}</text></g>"
        f"<g class=y>{beside}</g>"
        f'<text class=yl transform="translate(8 {(TOP + BOTTOM) // 2})rotate(-90)">'
        f"{escape(y.label)}</text>"
    )


def _path(pixels: Points, kind: str, name: str = "") -> Markup:
    at = [(round(a), round(b)) for a, b in pixels]
    d = f"M{at[0][0]} {at[0][1]}l"
    for (a, b), (c, e) in pairwise(at):
        d += f"{c - a}{'' if e < b else ' '}{e - b} "
    opened = f'<path class={kind} d="{d.strip().removesuffix("l")}"'
    if not name:
        return Markup(f"{opened}/>")
    return Markup(opened) + Markup("><title>{}</title></path>").format(name)


def _bars(line: Line, x: Axis, y: Axis, kind: str) -> Markup:
    """Intervals that are more than a point, within the plotting area."""
    d = ""
    for at, low, high in line.bars:
        if _shown(at, x.log) and _shown(high, y.log) and high > low:
            column, top = _pixel(x, y, at, high)
            bottom = _pixel(x, y, at, low)[1] if _shown(low, y.log) else BOTTOM
            top, bottom = max(top, TOP), min(bottom, BOTTOM)
            if bottom - top > 3:
                d += f"M{round(column)} {round(top)}V{round(bottom)}"
    return Markup(f'<path class="w {kind}" d="{d}"/>') if d else Markup("")


def _markers(pixels: Points, kind: str) -> Markup:
    d = "".join(f"M{round(a)} {round(b)}h0" for a, b in pixels)
    return Markup(f'<path class="m {kind}" d="{d}"/>')


def _names(ends: list[tuple[float, str, Line]], width: int) -> Markup:
    """The lines' names at their ends, moved apart where they would overlap."""
    gap, parts = 11.0, Markup("")
    ordered = sorted(ends, key=lambda end: end[0])
    places: list[float] = []
    for y, _, _ in ordered:
        places.append(max(y, TOP + 4, places[-1] + gap if places else 0.0))
    lowest = BOTTOM + 2.0
    for i in reversed(range(len(places))):  # from below, what stands too low moves up
        places[i] = min(places[i], lowest)
        lowest = places[i] - gap
    for y, (_, kind, line) in zip(places, ordered, strict=True):
        parts += Markup("<text class={} x={} y={}>{}</text>").format(
            kind, RIGHT + 5, round(y + 3), line.name[:width]
        )
    return parts
