"""The claims of the literature on the terminal: a line each, or a few explained."""

from __future__ import annotations

import inspect
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dfbench import wording
from dfbench.bibliography import WORKS, cited
from dfbench.literature.run import Claims, Outcome
from dfbench.literature.statement import Printed
from dfbench.outcome import Finding
from dfbench.report.literature.plain import plain
from dfbench.report.terminal import STYLES, badge, columns, symbols_for


def summary(claims: Claims, console: Console, explain: bool = False) -> None:
    """Print a table of all claims, or explain each of a few."""
    if explain:
        for outcome in claims.outcomes:
            _explained(outcome, console)
        return
    rows = [
        (
            outcome.claim.id,
            outcome.claim.title + _holding(outcome),
            badge(outcome.verdict, symbols_for(console)),
            _number(outcome.finding.measured),
            _number(outcome.finding.bound),
            "fails, as it must"
            if outcome.control.verdict == "fail"
            else Text("DOES NOT FAIL", "bold"),
        )
        for outcome in claims.outcomes
    ]
    headings = ("claim", "", "verdict", "measured", "bound", "control")
    columns(console, headings, rows, right=("measured", "bound"))
    for outcome in claims.outcomes:
        if outcome.verdict != "pass":
            console.print()
            _explained(outcome, console)
    passed = sum(outcome.verdict == "pass" for outcome in claims.outcomes)
    console.print()
    console.print(
        Text.assemble(
            badge(claims.verdict, symbols_for(console)),
            f": {passed} of {len(claims.outcomes)} claims hold, every control with them; "
            f"{wording.duration(claims.seconds)}",
        )
    )


def _holding(outcome: Outcome) -> str:
    if not isinstance(outcome.claim, Printed):
        return ""
    return " (holds as printed)" if outcome.claim.holds else " (fails as printed)"


def _explained(outcome: Outcome, console: Console) -> None:
    claim, finding = outcome.claim, outcome.finding
    console.print(
        Text.assemble(
            badge(outcome.verdict, symbols_for(console)),
            (f"  {claim.id}. {claim.title}", "bold"),
            f"  ({claim.source})",
        )
    )
    lines = [("as printed" if isinstance(claim, Printed) else "claim", plain(claim.statement))]
    if isinstance(claim, Printed):
        lines += [("corrected", plain(claim.corrected)), ("holds where", claim.where)]
    else:
        lines += [("condition", claim.condition)]
    lines += [
        ("checked", (inspect.getdoc(claim.check) or "").partition("\n\n")[0]),
        ("measured", _measured(finding)),
        ("bound from", finding.derivation or ""),
        ("where", finding.where or ""),
        ("why", finding.why or ""),
        ("smallest", _case(finding)),
        (
            "control",
            f"{outcome.control.verdict} at size {claim.control_size:g}: "
            f"{_measured(outcome.control)}",
        ),
        ("code", _code(outcome)),
        *(("source", str(WORKS[key])) for key in cited(claim.source)),
    ]
    found = [(name, f"{value:.6g}") for name, value in (finding.quantities or {}).items()]
    for rows in (lines, found):
        table = Table.grid(padding=(0, 2))
        table.add_column()
        table.add_column(overflow="fold")
        for name, text in rows:
            if text:
                table.add_row(Text(f"  {name}", STYLES["skip"]), Text(text))
        if table.row_count:
            console.print(table)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _measured(finding: Finding) -> str:
    if finding.measured is None:
        return finding.why or ""
    bound = f" (bound {finding.bound:.3g})" if finding.bound is not None else ""
    return f"{finding.measured:.3g} {finding.unit or ''}{bound}".replace("  ", " ")


def _case(finding: Finding) -> str:
    return ", ".join(f"{k} = {v}" for k, v in (finding.counterexample or {}).items())


def _code(outcome: Outcome) -> str:
    """The file of the claim, from the package on."""
    file = Path(inspect.getsourcefile(outcome.claim.check) or "")
    parts = file.parts
    start = len(parts) - parts[::-1].index("dfbench") - 1 if "dfbench" in parts else 0
    return "/".join(parts[start:])
