"""A certificate as one page that needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2

from dfbench.claims.base import Certificate, Finding, SubjectReport
from dfbench.report import figures, labels, serial


@dataclass(frozen=True)
class Row:
    """A finding on the page.

    Attributes:
        id: its anchor.
        derivation: of the bound, where it is not the one that the list of claims gives.
        figure: the plot of its series, or nothing.
    """

    id: str
    finding: Finding
    derivation: str | None
    figure: str

    @property
    def status(self) -> labels.Status:
        return labels.status(self.finding)

    @property
    def why(self) -> str:
        """What a person should know: the reason given, and why a failure was expected."""
        expected = f"Expected: {self.finding.expected}" if self.finding.expected else ""
        return " ".join(part for part in (self.finding.why, expected) if part)


@dataclass(frozen=True)
class Part:
    """A subject on the page."""

    id: str
    report: SubjectReport
    group: str
    setting: str
    rows: list[Row]

    @property
    def label(self) -> str:
        return labels.label(self.report)

    @property
    def cells(self) -> dict[str, Row]:
        """Its findings by claim; where a claim has several, the worst."""
        found: dict[str, Row] = {}
        for row in self.rows:
            known = found.get(row.finding.claim)
            if known is None or _severity(row) < _severity(known):
                found[row.finding.claim] = row
        return found

    @property
    def status(self) -> labels.Status:
        return min((row.status for row in self.rows), key=labels.STATUSES.index, default="skip")

    @property
    def remarks(self) -> list[Row]:
        """The passes of which there is more to say than the table does."""
        passes = [row for row in self.rows if row.status == "pass"]
        return [row for row in passes if row.derivation or row.finding.counterexample]

    @property
    def tally(self) -> str:
        return labels.tally(labels.counts(row.finding for row in self.rows)) or "no findings"


def _severity(row: Row) -> int:
    return labels.STATUSES.index(row.status)


@dataclass(frozen=True)
class Entry:
    """A claim in the list of claims; `derivation` is the one most of its bounds have."""

    id: str
    anchor: str
    statement: str
    source: str
    derivation: str | None


def render(
    certificate: Certificate,
    *,
    title: str | None = None,
    command: str | None = None,
    notes: Sequence[Mapping[str, str]] = (),
) -> str:
    """The page, complete: styles, figures and script are in it.

    Args:
        title: of the page; by default, what was certified.
        command: that makes the certificate again; by default, the one its environment names.
        notes: what a person made of the findings, each with `title`, `verdict` and `text`.
    """
    claims = _claims(certificate)
    parts = _parts(certificate, {claim.id: claim.derivation for claim in claims})
    libraries: dict[str, list[Part]] = {}
    for part in parts:
        version = f" {part.report.version}" if part.report.version else ""
        libraries.setdefault((part.report.library or "user code") + version, []).append(part)
    environment = dict(certificate.environment)
    command = command or environment.get("command")
    environment.pop("command", None)
    findings = [row.finding for part in parts for row in part.rows]
    counts = labels.counts(findings)
    script = _source("script.js")
    return (
        _environment()
        .get_template("certificate.html")
        .render(
            title=title or f"Certificate of {', '.join(libraries) or 'nothing'}",
            headline=headline(certificate),
            verdict=certificate.verdict,
            command=command,
            environment={key: _text(value) for key, value in environment.items()},
            seconds=certificate.seconds,
            counts=counts,
            libraries={name: _by_group(each) for name, each in libraries.items()},
            claims=claims,
            anchors={claim.id: claim.anchor for claim in claims},
            attention=[
                (part, row)
                for status in ("fail", "inconclusive")
                for part in parts
                for row in part.rows
                if row.status == status
            ],
            remarks=[
                (part, row)
                for part in parts
                for row in part.rows
                if row.status == "pass" and row.finding.why
            ],
            declared=_declared(parts),
            orders=figures.orders((part, row.finding) for part in parts for row in part.rows),
            shades=figures.shade_names(),
            responses=figures.responses((part, row.finding) for part in parts for row in part.rows),
            notes=notes,
            labels=labels,
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def headline(certificate: Certificate) -> str:
    """The outcome in one line."""
    total = len(certificate.subjects)
    verdicts = Counter(report.verdict for report in certificate.subjects)
    if verdicts["skip"] == total:
        return "Nothing could be checked"
    if total == 1:
        outcomes = {"pass": "passes", "fail": "fails", "inconclusive": "could not be decided"}
        return f"{labels.label(certificate.subjects[0])} {outcomes[certificate.verdict]}"
    if verdicts["pass"] == total:
        return f"All {total} subjects pass"
    parts = []
    if verdicts["fail"]:
        verb = "fails" if verdicts["fail"] == 1 else "fail"
        parts.append(f"{verdicts['fail']} of {total} subjects {verb}")
    if verdicts["inconclusive"]:
        parts.append(f"{verdicts['inconclusive']} of {total} could not be decided")
    if not parts:
        verb = "passes" if verdicts["pass"] == 1 else "pass"
        parts.append(f"{verdicts['pass']} of {total} subjects {verb}")
        parts.append(f"{verdicts['skip']} could not be checked")
    return ", ".join(parts)


def _claims(certificate: Certificate) -> list[Entry]:
    """The claims in the certificate, those of the registry in its order and with its source."""
    from dfbench.claims import CLAIMS

    findings: dict[str, list[Finding]] = {}
    for report in certificate.subjects:
        for finding in report.findings:
            findings.setdefault(finding.claim, []).append(finding)
    order = [*(known for known in CLAIMS if known in findings)]
    order += [claim for claim in findings if claim not in CLAIMS]
    entries = []
    for i, name in enumerate(order):
        bounds = Counter(each.derivation for each in findings[name] if each.derivation)
        usual, times = bounds.most_common(1)[0] if bounds else (None, 0)
        statement = next((each.statement for each in findings[name] if each.statement), "")
        entries.append(
            Entry(
                name,
                f"c{i}",
                statement,
                CLAIMS[name].source if name in CLAIMS else "",
                usual if times > 1 else None,
            )
        )
    return entries


def _parts(certificate: Certificate, usual: Mapping[str, str | None]) -> list[Part]:
    return [
        Part(
            f"s{i}",
            report,
            *labels.split_name(report),
            [
                Row(
                    f"s{i}-{j}",
                    finding,
                    finding.derivation if finding.derivation != usual[finding.claim] else None,
                    figures.figure(finding, report.traits),
                )
                for j, finding in enumerate(report.findings)
            ],
        )
        for i, report in enumerate(certificate.subjects)
    ]


def _declared(parts: list[Part]) -> dict[tuple[str, str], list[tuple[Part, Row]]]:
    """Expected failures by claim and reason."""
    found: dict[tuple[str, str], list[tuple[Part, Row]]] = {}
    for part in parts:
        for row in part.rows:
            if row.status == "expected":
                key = (row.finding.claim, row.finding.expected or "")
                found.setdefault(key, []).append((part, row))
    return found


def _by_group(parts: list[Part]) -> list[list[Part]]:
    """The configurations of each class together, classes in the order of their first."""
    groups: dict[str, list[Part]] = {}
    for part in parts:
        groups.setdefault(part.group, []).append(part)
    return list(groups.values())


def _text(value: Any) -> str:
    """A value of the environment on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_text(item) for item in value)
    return str(value)


def _source(name: str) -> str:
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]


def _json(value: Any) -> str:
    return json.dumps(serial.plain(value), ensure_ascii=False, indent=1)


def _traits(traits: Mapping[str, Any]) -> str:
    """Traits in words: those that hold by name, those that do not left out."""
    words = [
        str(key).replace("_", " ") + ("" if value is True else f" {_amount(value)}")
        for key, value in traits.items()
        if value is not None and value is not False and value not in ("", [], {})
    ]
    return ", ".join(words)


def _amount(value: Any) -> str:
    return labels.number(value) if isinstance(value, int | float) else str(value)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dfbench.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "number": labels.number,
        "duration": labels.duration,
        "settings": labels.settings,
        "evidence": labels.evidence,
        "json": _json,
        "traits": _traits,
    }
    return environment
