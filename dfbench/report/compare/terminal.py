"""A comparison on the terminal: a short table."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from dfbench.report.compare import words
from dfbench.report.compare.join import Comparison
from dfbench.report.terminal import columns
from dfbench.wording import number

LINES = 12


def summary(found: Comparison, console: Console) -> None:
    """Print the samplers, or the claims, that changed most."""
    if found.results is None:
        headings = ["subject", "claim", "change"]
        rows = [[each.subject, each.claim, each.words] for each in found.findings]
    else:
        headings = ["sampler", "largest change", "old", "new", "explained by"]
        rows = [
            [
                moved.sampler,
                words.where(first := moved.changes[0]),
                number(first.old),
                number(first.new),
                "; ".join(moved.explained[:2]),
            ]
            for moved in found.moved
        ]
    if rows:
        columns(console, headings, rows[:LINES])
    if len(rows) > LINES:
        console.print(f"… and {len(rows) - LINES} more; see the report")
    console.print(Text(words.headline(found)))
