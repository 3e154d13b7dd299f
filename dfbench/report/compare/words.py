"""A comparison in words."""

from __future__ import annotations

from dfbench.report.compare.join import Comparison
from dfbench.report.sweep.charts import NAMES
from dfbench.sweep.compare import Change


def headline(found: Comparison) -> str:
    """The outcome in one line."""
    if found.results is None:
        n = len(found.findings)
        decided = sum(each.decided for each in found.findings)
        if not n:
            return "Nothing changed: every claim has the outcome that it had"
        verdicts = f"{decided} {'verdict' if decided == 1 else 'verdicts'}"
        return f"{n} {'outcome' if n == 1 else 'outcomes'} changed, {verdicts} among them"
    results = found.results
    parts = []
    if found.moved:
        n = len(found.moved)
        parts.append(
            f"{n} {'sampler' if n == 1 else 'samplers'} changed, in "
            f"{len(results.changes)} of {results.compared} measurements"
        )
    for kind, words in (
        (results.spent, "spends other evaluations"),
        (results.broken, "fails now"),
        (results.mended, "fails no more"),
        (results.gone, "is gone"),
        (results.come, "is new"),
    ):
        if kind:
            cells = "1 cell" if len(kind) == 1 else f"{len(kind)} cells"
            plural = words if len(kind) == 1 else _plural(words)
            parts.append(f"{cells} {plural}")
    if not parts:
        return f"Nothing changed in {results.compared} measurements"
    return "; ".join(parts)


def _plural(words: str) -> str:
    first, _, rest = words.partition(" ")
    return f"{ {'is': 'are'}.get(first, first.removesuffix('s')) } {rest}"


def where(change: Change) -> str:
    """Of which measurement a change is."""
    key = change.where
    metric = NAMES.get(key["metric"], str(key["metric"]).replace("_", " "))
    source = "" if key["source"] in ("all", "") else f" ({key['source']} alone)"
    at = "" if key["at"] != key["at"] else f" at {key['at']:.3g}"
    return f"{key['target']}, {key['budget']}: {metric}{source}{at}"


def ratio(change: Change) -> str:
    """ "3.2 times", "÷ 4.1"."""
    value = change.ratio
    if value == 0:
        return "vanishes"
    if value == float("inf"):
        return "appears"
    return f"× {value:.3g}" if value >= 1 else f"÷ {1 / value:.3g}"
