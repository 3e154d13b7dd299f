"""A comparison in words."""

from __future__ import annotations

from dfbench.report.compare.join import Comparison
from dfbench.report.sweep.words import metric
from dfbench.sweep.compare import Change
from dfbench.wording import counted, several


def headline(found: Comparison) -> str:
    """The outcome in one line."""
    if found.results is None:
        n = len(found.findings)
        decided = sum(each.decided for each in found.findings)
        if not n:
            return "Nothing changed: every claim has the outcome that it had"
        verdicts = counted(decided, "verdict")
        return f"{counted(n, 'outcome')} changed, {verdicts} among them"
    results = found.results
    parts = []
    if found.moved:
        parts.append(
            f"{counted(len(found.moved), 'sampler')} changed, in "
            f"{len(results.changes)} of {results.compared} measurements"
        )
    for kind, verbs, what in (
        (results.spent, ("spends", "spend"), "other evaluations"),
        (results.broken, ("fails", "fail"), "now"),
        (results.mended, ("fails", "fail"), "no more"),
        (results.gone, ("is", "are"), "gone"),
        (results.come, ("is", "are"), "new"),
    ):
        if kind:
            parts.append(f"{counted(len(kind), 'cell')} {several(len(kind), *verbs)} {what}")
    if not parts:
        parts.append(f"Nothing changed in {results.compared} measurements")
    if (left := share(found)) and (results.gone or results.come):
        parts.append(left)
    return "; ".join(parts)


def share(found: Comparison) -> str:
    """How much of the two runs is compared; "" where it is everything."""
    assert found.results is not None
    (old, new), compared = found.results.measured, found.results.compared
    if compared == old == new:
        return ""
    of = f"{old}" if old == new else f"{old} old and {new} new"
    return f"only {compared} of {of} measurements have one to compare with"


def where(change: Change) -> str:
    """Of which measurement a change is."""
    key = change.where
    source = "" if key["source"] in ("all", "") else f" ({key['source']} alone)"
    name = metric(str(key["metric"]))
    at = "" if key["at"] != key["at"] else f" at {key['at']:.3g}"
    return f"{key['target']}, {key['budget']}: {name}{source}{at}"


def ratio(change: Change) -> str:
    """ "3.2 times", "÷ 4.1"."""
    value = change.ratio
    if value == 0:
        return "vanishes"
    if value == float("inf"):
        return "appears"
    return f"× {value:.3g}" if value >= 1 else f"÷ {1 / value:.3g}"
