"""A certificate on the terminal: which subjects, what fails and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dfbench import wording
from dfbench.outcome import Certificate
from dfbench.outcome.coverage import HARMS
from dfbench.report import groups as grouping
from dfbench.report import labels
from dfbench.report.groups import Group, Issue, Place
from dfbench.report.labels import Status
from dfbench.wording import clean

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

#: Lines that each part of a summary may take; the rest is counted, and is in the report.
CLASSES, ISSUES, REASONS = 16, 6, 4


def summary(certificate: Certificate, console: Console) -> None:
    """Print each class with what it fails, what to look at first, and the outcome.

    A person can act on a screenful: however large the certificate, it is about 60 lines.
    """
    # A title or a cell must not be read as markup, nor `1.2e-7` be coloured.
    symbols = symbols_for(console)
    classes = grouping.groups(certificate)
    _classes(classes, console, symbols)
    wrong = grouping.issues(classes, "fail", "inconclusive")
    first = {issue.group.id: issue for issue in reversed(wrong)}  # the worst of each class
    shown = [issue for issue in wrong if first[issue.group.id] is issue]
    shown = wrong if len(wrong) <= ISSUES else shown[:ISSUES]
    for issue in shown:
        _detail(issue, console, symbols)
    blocked = [row for group in classes for part in group.parts for row in part.blocked]
    if len(wrong) > len(shown):
        console.print()
        _line(console, f"… and {len(wrong) - len(shown)} more; see the report (--report)")
    if blocked:
        console.print()
        checks = wording.counted(len(blocked), "check")
        reason = blocked[0].finding.reason
        _line(
            console,
            f"{symbols['inconclusive']} {checks} could not run because {reason}"
            + (", or the like" if len(blocked) > 1 else ""),
        )
    _reasons(classes, console, symbols)
    verdict = certificate.verdict
    total = len(certificate.subjects)
    rows = [row for group in classes for part in group.parts for row in part.deciding]
    purposes = {report.purpose for report in certificate.subjects} - {"all"}
    outcome = Text.assemble(
        badge(verdict, symbols),
        f" for {' and '.join(sorted(purposes))}" if purposes else "",
        f": {grouping.tally(rows) or 'nothing to check'}; ",
        f"{wording.counted(total, 'subject')}, {wording.duration(certificate.seconds)}",
    )
    console.print()
    console.print(outcome)
    known = [
        f"{HARMS[harm]} in {right} of {asked}"
        for harm, (right, asked) in certificate.right.items()
        if asked
    ]
    if total > 1 and known:
        console.print(Padding(Text(f"right: {', '.join(known)}"), (0, 0, 0, 2), expand=False))
    if total == 1:
        (report,) = certificate.subjects
        for line in filter(None, (report.headline, report.identity, str(report.coverage))):
            console.print(Padding(Text(clean(line)), (0, 0, 0, 2), expand=False))


def _classes(classes: list[Group], console: Console, symbols: dict[Status, str]) -> None:
    """A line a class, those that fail first; those that pass together where they are many."""
    wrong = grouping.most_important(classes)
    fine = [group for group in classes if group not in wrong]
    shown = [*wrong, *fine] if len(classes) <= CLASSES else wrong[:CLASSES]
    width = max((len(group.default.label) for group in shown if not group.others), default=0)
    width = max(width, *(len(group.name) for group in shown), 0) if shown else 0
    for group in shown:
        _class(group, console, symbols, width if width < console.width // 2 else 0)
    if wrong[CLASSES:]:
        _line(console, f"… and {len(wrong) - CLASSES} more classes that do not pass")
    if fine and len(classes) > CLASSES:
        names = ", ".join(clean(group.name) for group in fine)
        _line(console, f"{symbols['pass']} nothing to report: {names}")


def _class(group: Group, console: Console, symbols: dict[Status, str], width: int) -> None:
    """The name, in how many configurations it fails, and which claims."""
    alone = not group.others
    name = group.default.label if alone else group.name
    issues = group.issues("fail", "inconclusive")
    bad = len(group.with_status("fail", "inconclusive"))
    if alone:
        counted = group.default.tally
    else:
        counted = f"{bad} of {len(group.parts)}" if bad else f"{len(group.parts)} configurations"
    claims = {claim: 0 for issue in issues for claim in issue.claims}
    for issue in issues:
        for claim in issue.claims:
            claims[claim] += len({part.id for part, row in issue.places if row.claim == claim})
    words = ", ".join(f"{claim} {n}" for claim, n in claims.items())
    if alone:
        wrong = (row.finding for issue in issues for _, row in issue.places)
        words = labels.claims_by_harm(wrong)
    status = group.status
    _line(
        console,
        Text.assemble(
            (symbols[status], STYLES[status]),
            f" {clean(name).ljust(width)}  ",
            (counted, STYLES[status]),
            clean(f": {words}" if words else ""),
        ),
    )


def _line(console: Console, text: Text | str) -> None:
    """One line, and no more than fits."""
    line = text if isinstance(text, Text) else Text(clean(text))
    console.print(line, overflow="ellipsis", no_wrap=True)


def badge(status: Status, symbols: dict[Status, str]) -> Text:
    return Text(f"{symbols[status]} {labels.WORDS[status]}", STYLES[status])


def _detail(issue: Issue, console: Console, symbols: dict[Status, str]) -> None:
    """Where it is seen first, by how much, and why."""
    part, row = issue.places[0]
    finding = row.finding
    console.print()
    title = f" {clean(part.label)} · {clean(', '.join(issue.claims))}"
    spread = f"  ({issue.spread})" if issue.spread else ""
    console.print(Text.assemble(badge(issue.status, symbols), (title, "bold"), spread))
    where, why = finding.where or "", finding.why or ""
    for fact in (labels.evidence(finding), finding.effect, where, why if why not in where else ""):
        if not fact:
            continue
        short = wording.shorten(clean(fact), 2 * max(console.width - 6, 20))
        console.print(Padding(Text(short), (0, 0, 0, 4), expand=False))


def _reasons(classes: list[Group], console: Console, symbols: dict[Status, str]) -> None:
    """A line for each reason of a declared failure, and for each pass that comes with a remark."""
    expected = grouping.by_reason(classes, declared=True)
    unneeded = grouping.by_reason(classes, declared=False)
    remarks: dict[str, list[Place]] = {}
    for place in grouping.remarks(classes):
        remarks.setdefault(place[1].finding.why or "", []).append(place)
    for title, status, reasons in (
        ("Expected failures", "expected", expected),
        ("Declared to fail, but passing", "pass", unneeded),
        ("Passes with a remark", "pass", remarks),
    ):
        if reasons:
            console.print()
            console.print(Text(title, "bold"))
        for reason, places in [*reasons.items()][:REASONS]:
            part, row = places[0]
            more = f" and {len(places) - 1} more" if len(places) > 1 else ""
            symbol = (symbols[status], STYLES[status])  # type: ignore[index]
            name = clean(f"{part.label} · {row.claim}{more}: {reason}")
            _line(console, Text.assemble("  ", symbol, f" {name}"))
        if len(reasons) > REASONS:
            _line(console, f"  … and {len(reasons) - REASONS} more reasons")


def symbols_for(console: Console) -> dict[Status, str]:
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
            keys = list(dict.fromkeys(key for row in value for key in row))
            rows = [[_cell(row.get(key)) for key in keys] for row in value]
            columns(console, [clean(key).replace("_", " ") for key in keys], rows)
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
        shown = _options(value) if key == "options" else _cell(value)
        if key != "name" and shown:
            lead = "" if key in ("statement", "what") else f"{key}: "
            console.print(Padding(Text.assemble(lead, shown), (0, 0, 0, 4), expand=False))


def _options(values: Mapping[str, Any]) -> Text:
    """Every one with its default, off and none too."""
    named = {key: "none" if value is None else value for key, value in values.items()}
    return Text(clean(wording.settings(named)))


def columns(
    console: Console,
    headings: Iterable[str],
    rows: Iterable[Iterable[Text | str]],
    right: Sequence[str] = (),
) -> None:
    """Print rows below headings; the columns named in `right` are flush right."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        side: Any = "right" if heading in right else "left"
        table.add_column(Text(heading), justify=side, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) if isinstance(cell, str) else cell for cell in row))
    console.print(table)


def _cell(value: Any) -> Text:
    if isinstance(value, str) and value in STYLES:
        status: Any = value
        return Text(f"{labels.SYMBOLS[status]} {value}", STYLES[status])
    if isinstance(value, float):
        return Text(wording.number(value))
    if isinstance(value, Mapping):
        held = {key: each for key, each in value.items() if each not in (None, "", False)}
        return Text(clean(wording.settings(held)))
    if isinstance(value, list | tuple):
        return Text(clean(", ".join(map(str, value))))
    return Text("" if value is None else clean(value))
