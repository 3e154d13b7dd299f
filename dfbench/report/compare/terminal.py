"""A comparison on the terminal: a short table."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dfbench.report.compare import words
from dfbench.report.compare.join import Comparison
from dfbench.wording import clean, number

LINES = 12


def summary(found: Comparison, console: Console) -> None:
    """Print the samplers, or the claims, that changed most."""
    table = Table(box=None, pad_edge=False)
    if found.results is None:
        for title in ("subject", "claim", "change"):
            table.add_column(title, overflow="fold")
        for each in found.findings[:LINES]:
            table.add_row(*(Text(clean(t)) for t in (each.subject, each.claim, each.words)))
        left = len(found.findings) - LINES
    else:
        for title in ("sampler", "largest change", "old", "new", "explained by"):
            table.add_column(title, overflow="fold")
        for moved in found.moved[:LINES]:
            first = moved.changes[0]
            table.add_row(
                Text(clean(moved.sampler)),
                Text(clean(words.where(first))),
                Text(number(first.old)),
                Text(number(first.new)),
                Text(clean("; ".join(moved.explained[:2]))),
            )
        left = len(found.moved) - LINES
    if table.row_count:
        console.print(table)
    if left > 0:
        console.print(f"… and {left} more; see the report")
    console.print(Text(words.headline(found)))
