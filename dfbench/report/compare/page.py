"""A comparison as one self-contained page."""

from __future__ import annotations

from dfbench.report.compare import words
from dfbench.report.compare.join import Comparison
from dfbench.report.page import Table, fill, table
from dfbench.sweep.compare import FALSE_ALARMS, KEY, ROUNDING, TABLES

ROWS = 400  # of the table of changes


def render(found: Comparison, *, title: str | None = None) -> str:
    """The page, complete."""
    changes = sorted((c for moved in found.moved for c in moved.changes), key=lambda c: -c.size)
    return fill(
        "compare.html",
        "tables.js",
        title=title or f"{found.names[0]} → {found.names[1]}",
        headline=words.headline(found),
        found=found,
        changes=changes[:ROWS],
        total=len(changes),
        csv=_changes(found) if changes else None,
        words=words,
        rules={"alarms": FALSE_ALARMS, "rounding": ROUNDING, "tables": TABLES},
    )


def _changes(found: Comparison) -> Table:
    """At most 2000 changes, largest first."""
    assert found.results is not None
    measured = ["old", "new", "old_low", "old_high", "new_low", "new_high", "old_nfe", "new_nfe"]
    rows = [
        [
            *(each.where[name] for name in KEY),
            each.old,
            each.new,
            *(end[k] for k in (0, 1) for end in (each.low, each.high)),
            *each.nfe,
        ]
        for each in found.results.changes[:2000]
    ]
    return table("changes", [*KEY, *measured], rows)
