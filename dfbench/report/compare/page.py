"""A comparison as one self-contained page."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from markupsafe import Markup

from dfbench.report import labels
from dfbench.report.compare import words
from dfbench.report.compare.join import Comparison
from dfbench.report.html import source
from dfbench.report.sweep.charts import Chart, csv_text
from dfbench.report.sweep.page import environment_of_templates
from dfbench.sweep.compare import FALSE_ALARMS, KEY, ROUNDING, TABLES

ROWS = 400  # of the table of changes


def render(found: Comparison, *, title: str | None = None) -> str:
    """The page, complete."""
    changes = sorted((c for moved in found.moved for c in moved.changes), key=lambda c: -c.size)
    script = source("script.js") + source("sweep.js")
    return (
        environment_of_templates()
        .get_template("compare.html")
        .render(
            title=title or f"{found.names[0]} → {found.names[1]}",
            headline=words.headline(found),
            found=found,
            changes=changes[:ROWS],
            total=len(changes),
            csv=Chart("changes", Markup(""), "", _csv(found)) if changes else None,
            words=words,
            labels=labels,
            rules={"alarms": FALSE_ALARMS, "rounding": ROUNDING, "tables": TABLES},
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def _csv(found: Comparison) -> str:
    """At most 2000 changes, largest first."""
    assert found.results is not None
    rows: list[list[Any]] = [
        [
            *(each.where[name] for name in KEY),
            each.old,
            each.new,
            each.low[0],
            each.high[0],
            each.low[1],
            each.high[1],
            *each.nfe,
        ]
        for each in found.results.changes[:2000]
    ]
    header = [
        *KEY,
        "old",
        "new",
        "old_low",
        "old_high",
        "new_low",
        "new_high",
        "old_nfe",
        "new_nfe",
    ]
    return csv_text(header, rows)
