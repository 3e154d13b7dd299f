"""Numbers, durations and lists as a reader reads them: one way for pages and terminals."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

#: What neither a terminal nor XML may be handed.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None) -> str:
    """Three significant digits, in ASCII: 0.0593, 14830, 1.2e-05; nothing for None."""
    if value is None:
        return ""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.3g}"


def printed(value: float | None) -> str:
    """Three digits as they are printed: 0.0593, 14800, 2.29 × 10⁻¹⁶; nothing for None."""
    return "" if value is None else _decimal(value, 1e-3, 1e6, 3, " × ")


def tick(value: float) -> str:
    """The number at a tick: 0.1, 20, 10⁻⁴, 3·10⁻⁵."""
    return _decimal(value, 1e-2, 1e4, 4, "·")


def _decimal(value: float, low: float, high: float, digits: int, times: str) -> str:
    """Plain between `low` and `high`, beyond with a power of ten."""
    size = abs(value)
    if not math.isfinite(value):
        text = f"{value:g}"
    elif not size or low <= size < high:
        text = f"{value:.{digits}g}"
        text = f"{float(text):.0f}" if "e" in text else text
    else:
        mantissa, exponent = f"{size:.2e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        power = "10" + str(int(exponent)).translate(SUPERSCRIPTS)
        sign = "-" if value < 0 else ""
        text = sign + (power if mantissa == "1" else f"{mantissa}{times}{power}")
    return text.replace("-", "−")


def interval(low: float, high: float) -> str:
    """0.12 – 0.15, or one number where both ends are written alike."""
    ends = number(low), number(high)
    return ends[0] if ends[0] == ends[1] else " – ".join(ends)


def factor(value: float) -> str:
    """A ratio in as many digits as tell 1.003 from 1."""
    return f"{float(f'{value:.2g}'):g}" if not 0.9 < value < 1.1 else f"{value:.4g}"


def duration(seconds: float) -> str:
    """0.02 s, 12.3 s, 3 min 20 s, 2 h 5 min."""
    if not math.isfinite(seconds):
        return "unknown time"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def several(n: int, one: str, many: str = "") -> str:
    """The noun or verb that goes with a number: cell, cells; by default `many` adds an s."""
    return one if n == 1 else many or f"{one}s"


def counted(n: int, one: str, many: str = "") -> str:
    """1 cell, 3 cells."""
    return f"{n} {several(n, one, many)}"


def listed(names: Iterable[str], few: int = 3) -> str:
    """A, B and C; where more than one is left out, A, B, C and 4 more."""
    names = list(names)
    if len(names) > few + 1:
        return f"{', '.join(names[:few])} and {len(names) - few} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def shorten(text: str, width: int) -> str:
    """At most that many characters, with an ellipsis where some are left out."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def clean(text: object) -> str:
    """Text without control characters, fit for a terminal and for XML."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text))


def settings(values: Mapping[str, Any]) -> str:
    """Arguments in one line: "eta=1, clip_sample=False"."""
    return ", ".join(f"{key}={shorten(str(value), 40)}" for key, value in values.items())


def line(value: Any, between: str = "; ") -> str:
    """What JSON may hold, on one line; `between` stands between the entries of a list."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {line(each, between)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return between.join(line(each, between) for each in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
