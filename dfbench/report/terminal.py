"""A certificate on the terminal: which subjects, what fails and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dfbench.claims.base import Certificate, Finding, SubjectReport
from dfbench.report import labels
from dfbench.report.labels import Status, clean

# Okabe and Ito's colours, which the common kinds of colour blindness leave apart; the symbol and
# the word say the same.
STYLES: dict[Status, str] = {
    "fail": "bold #D55E00",
    "inconclusive": "#E69F00",
    "expected": "#CC79A7",
    "pass": "#009E73",
    "skip": "dim",
}

#: Where the terminal's encoding has not got the symbols.
ASCII: dict[Status, str] = {
    "fail": "x",
    "inconclusive": "?",
    "expected": "^",
    "pass": "+",
    "skip": "-",
}

WIDE = 84  # columns from which there is a table


def summary(certificate: Certificate, console: Console) -> None:
    """Print the counts of each subject, every finding that needs attention, and the outcome."""
    # A title or a cell must not be read as markup, nor `1.2e-7` be coloured.
    symbols = _symbols(console)
    shown = [(report, labels.counts(report.findings)) for report in certificate.subjects]
    if console.width >= WIDE:
        console.print(_table(shown, symbols))
    else:
        for report, numbers in shown:
            verdict = _status(report)
            console.print(_badge(verdict, symbols), Text(clean(labels.label(report)), "bold"))
            console.print(Padding(Text(labels.tally(numbers)), (0, 0, 0, 2), expand=False))
    for report, finding in _of(certificate, "fail", "inconclusive"):
        _detail(report, finding, console, symbols)
    _short(certificate, console, symbols)
    findings = [finding for report in certificate.subjects for finding in report.findings]
    verdict = certificate.verdict
    total = len(certificate.subjects)
    outcome = Text.assemble(
        _badge(verdict, symbols),
        f": {labels.tally(labels.counts(findings)) or 'nothing to check'}; ",
        f"{total} subject{'' if total == 1 else 's'}, {labels.duration(certificate.seconds)}",
    )
    console.print()
    console.print(outcome)


def _table(
    shown: list[tuple[SubjectReport, dict[Status, int]]], symbols: dict[Status, str]
) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("subject", overflow="fold")
    used = [each for each in labels.STATUSES if any(numbers[each] for _, numbers in shown)]
    for each in used:
        word = "expected" if each == "expected" else labels.WORDS[each]
        table.add_column(Text(f"{symbols[each]} {word}", STYLES[each]), justify="right")
    for report, numbers in shown:
        name = Text.assemble(
            (symbols[_status(report)], STYLES[_status(report)]), f" {clean(labels.label(report))}"
        )
        cells = [Text(str(numbers[each]) if numbers[each] else "", STYLES[each]) for each in used]
        table.add_row(name, *cells)
    return table


def _status(report: SubjectReport) -> Status:
    return report.verdict


def _badge(status: Status, symbols: dict[Status, str]) -> Text:
    return Text(f"{symbols[status]} {labels.WORDS[status]}", STYLES[status])


def _of(certificate: Certificate, *wanted: Status) -> Iterator[tuple[SubjectReport, Finding]]:
    for status in wanted:
        for report in certificate.subjects:
            for finding in report.findings:
                if labels.status(finding) == status:
                    yield report, finding


def _detail(
    report: SubjectReport, finding: Finding, console: Console, symbols: dict[Status, str]
) -> None:
    console.print()
    title = f" {clean(labels.label(report))} · {clean(finding.claim)}"
    console.print(Text.assemble(_badge(labels.status(finding), symbols), (title, "bold")))
    facts = (labels.evidence(finding), finding.where, finding.why)
    for fact in facts:
        if fact:
            console.print(Padding(Text(clean(fact)), (0, 0, 0, 4), expand=False))


def _short(certificate: Certificate, console: Console, symbols: dict[Status, str]) -> None:
    """A line for each declared failure and for each pass that comes with a remark."""
    declared = [
        (report, each, each.expected or "") for report, each in _of(certificate, "expected")
    ]
    remarks = [(report, each, each.why) for report, each in _of(certificate, "pass") if each.why]
    for title, status, rows in (
        ("Expected failures", "expected", declared),
        ("Passes with a remark", "pass", remarks),
    ):
        if rows:
            console.print()
            console.print(Text(title, "bold"))
        for report, finding, reason in rows:
            name = f"{clean(labels.label(report))} · {clean(finding.claim)}"
            symbol = (symbols[status], STYLES[status])  # type: ignore[index]
            line = Text.assemble("  ", symbol, f" {name}: {clean(reason)}")
            console.print(line)


def _symbols(console: Console) -> dict[Status, str]:
    try:
        "".join(labels.SYMBOLS.values()).encode(console.encoding)
    except (LookupError, UnicodeEncodeError):
        return ASCII
    return labels.SYMBOLS


def outcome(result: Mapping[str, Any], console: Console) -> None:
    """Print an outcome of any make: lists of objects as tables, the rest a line each.

    The verdict comes last.
    """
    for key, value in result.items():
        if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
            console.print(Text(str(key), "bold"))
            _rows(value, console)
            console.print()
        elif key not in ("schema", "verdict", "environment"):
            console.print(Text(f"{key}: {_cell(value)}"))
    console.print(_cell(result.get("verdict", "")))


def catalogue(content: Mapping[str, list[dict[str, Any]]], console: Console) -> None:
    """Print the entries of each kind."""
    for kind, entries in content.items():
        if len(content) > 1:
            console.print(Text(kind, "bold"))
        if not entries:
            console.print(Text(f"no {kind} yet", "dim"))
        for entry in entries:
            _entry(kind, entry, console)
        if len(content) > 1:
            console.print()


def _entry(kind: str, entry: Mapping[str, Any], console: Console) -> None:
    """The name, as it is given to other commands, and below it what is known."""
    if kind == "subjects":
        console.print(Text(clean(f"{entry['library']}:{entry['name']}")))
        return
    console.print(Text(clean(entry["name"]), "bold"))
    for key, value in entry.items():
        shown = _cell(value)
        if key != "name" and shown:
            lead = "" if key in ("statement", "what") else f"{key}: "
            console.print(Padding(Text.assemble(lead, shown), (0, 0, 0, 4), expand=False))


def _rows(rows: list[Mapping[str, Any]], console: Console) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(Text(clean(column).replace("_", " ")), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console.print(table)


def _cell(value: Any) -> Text:
    if isinstance(value, str) and value in STYLES:
        status: Any = value
        return Text(f"{labels.SYMBOLS[status]} {value}", STYLES[status])
    if isinstance(value, float):
        return Text(labels.number(value))
    if isinstance(value, Mapping):
        held = {key: each for key, each in value.items() if each not in (None, "", False)}
        return Text(clean(labels.settings(held)))
    if isinstance(value, list | tuple):
        return Text(clean(", ".join(map(str, value))))
    return Text("" if value is None else clean(value))
