"""A certificate by class: the default configuration first, and what is wrong grouped by claim.

The configurations of one class mostly share their findings. A reader wants to know which classes
fail which claim, in how many configurations, and whether the default is one of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from dfbench import wording
from dfbench.outcome import Certificate, Finding, SubjectReport
from dfbench.report import labels
from dfbench.report.labels import Status

FEW = 3  # configurations that are named


@dataclass(frozen=True)
class Row:
    """A finding and its place, `id`."""

    id: str
    finding: Finding

    @property
    def claim(self) -> str:
        return self.finding.claim

    @property
    def status(self) -> Status:
        return labels.status(self.finding)

    @property
    def blocked(self) -> bool:
        """Whether the check had nothing to look at, because the run broke."""
        return labels.blocked(self.finding)

    @property
    def severity(self) -> int:
        """Worst first; a check that could not run says less than one that passes elsewhere."""
        return len(labels.STATUSES) if self.blocked else labels.STATUSES.index(self.status)

    @property
    def text(self) -> str:
        """What is wrong in a sentence."""
        finding = self.finding
        return finding.why or finding.where or labels.evidence(finding) or labels.WORDS[self.status]

    def like(self, other: Row | None) -> bool:
        """Whether both say the same in words."""
        mine, theirs = self.finding, other.finding if other else None
        return theirs is not None and (
            (mine.claim, mine.verdict, mine.why, mine.where, mine.expected)
            == (theirs.claim, theirs.verdict, theirs.why, theirs.where, theirs.expected)
        )


@dataclass(frozen=True)
class Part:
    """One configuration of a class: a subject of the certificate."""

    id: str
    report: SubjectReport
    name: str
    setting: str
    rows: list[Row]

    @property
    def label(self) -> str:
        return f"{self.name} {self.setting}" if self.setting else self.name

    @cached_property
    def cells(self) -> dict[str, Row]:
        """Its findings by claim; where a claim has several, the worst."""
        found: dict[str, Row] = {}
        for row in self.rows:
            if row.claim not in found or row.severity < found[row.claim].severity:
                found[row.claim] = row
        return found

    @property
    def blocked(self) -> list[Row]:
        return [row for row in self.rows if row.blocked]

    @property
    def deciding(self) -> list[Row]:
        """The findings that touch what the certificate is for."""
        return [row for row in self.rows if self.report.decides(row.finding)]

    @property
    def status(self) -> Status:
        return min((row.status for row in self.deciding), key=labels.STATUSES.index, default="skip")

    @property
    def tally(self) -> str:
        """Counts in words, with the checks that could not run apart."""
        beside = [
            r for r in self.rows if r not in self.deciding and r.status in ("fail", "inconclusive")
        ]
        counted = tally(self.deciding) or "no findings"
        return counted + (f"; not asked for: {tally(beside)}" if beside else "")


def tally(rows: Iterable[Row]) -> str:
    """Counts in words, with the checks that could not run apart."""
    rows = list(rows)
    words = [labels.tally(labels.counts(row.finding for row in rows if not row.blocked))]
    blocked = sum(row.blocked for row in rows)
    words += [f"{blocked} could not run"] if blocked else []
    return ", ".join(word for word in words if word)


Place = tuple[Part, Row]


@dataclass(frozen=True)
class Issue:
    """What configurations of a class have in common: a claim that fails, or a reason for none."""

    group: Group
    status: Status
    places: list[Place]

    @property
    def claims(self) -> list[str]:
        return list(dict.fromkeys(row.claim for _, row in self.places))

    @property
    def parts(self) -> int:
        """The number of configurations."""
        return len({part.id for part, _ in self.places})

    @property
    def default(self) -> bool:
        """Whether the default configuration is concerned."""
        return self.places[0][0] is self.group.default

    @property
    def settings(self) -> str:
        """Options of the configurations concerned, where the default is not and they are few."""
        if self.default or self.parts > FEW:
            return ""
        names = dict.fromkeys(wording.shorten(part.setting, 80) for part, _ in self.places)
        return "; ".join(name for name in names if name)

    @property
    def spread(self) -> str:
        """In how many configurations, where there is a choice."""
        return labels.share(self.parts, len(self.group.parts), self.default)


@dataclass(frozen=True)
class Group:
    """A class with its configurations, the default one first."""

    id: str
    library: str
    name: str
    parts: list[Part]

    @property
    def default(self) -> Part:
        return self.parts[0]

    @property
    def others(self) -> list[Part]:
        return self.parts[1:]

    @property
    def status(self) -> Status:
        return min((part.status for part in self.parts), key=labels.STATUSES.index)

    def with_status(self, *wanted: Status) -> list[Part]:
        """The configurations whose worst finding is one of these."""
        return [part for part in self.parts if part.status in wanted]

    def issues(self, *wanted: Status) -> list[Issue]:
        """Failures by claim, what is undecided by reason; of broken runs `Part.blocked` tells."""
        found: dict[tuple[Status, str], list[Place]] = {}
        for part in self.parts:
            for row in part.deciding:
                if row.status in wanted and not row.blocked:
                    key = row.text if row.status == "inconclusive" else row.claim
                    found.setdefault((row.status, key), []).append((part, row))
        made = [Issue(self, status, places) for (status, _), places in found.items()]
        return sorted(made, key=_rank)


def groups(certificate: Certificate) -> list[Group]:
    """The classes in the order of their first subject."""
    found: dict[tuple[str, str], list[Part]] = {}
    for i, report in enumerate(certificate.subjects):
        name, setting = labels.split_name(report)
        rows = [Row(f"s{i}-{j}", finding) for j, finding in enumerate(report.findings)]
        version = f" {report.version}" if report.version else ""
        library = (report.library or "user code") + version
        found.setdefault((library, name), []).append(Part(f"s{i}", report, name, setting, rows))
    return [
        Group(f"g{i}", library, name, sorted(parts, key=lambda part: bool(part.setting)))
        for i, ((library, name), parts) in enumerate(found.items())
    ]


def most_important(classes: Iterable[Group]) -> list[Group]:
    """Classes with something wrong: failures of the default first, then the most claims."""

    def rank(group: Group) -> tuple[int, bool, int, int]:
        issues = group.issues("fail", "inconclusive")
        fails = [issue for issue in issues if issue.status == "fail"]
        return (
            min((labels.STATUSES.index(issue.status) for issue in issues), default=9),
            not any(issue.default for issue in fails),
            -len(fails),
            -sum(issue.parts for issue in issues),
        )

    wrong = [group for group in classes if group.status in ("fail", "inconclusive")]
    return sorted(wrong, key=rank)


def issues(classes: Iterable[Group], *wanted: Status) -> list[Issue]:
    """All that is wrong, most important first: failures, of defaults, in the order of claims."""
    return sorted((issue for group in classes for issue in group.issues(*wanted)), key=_rank)


def _rank(issue: Issue) -> tuple[int, bool, float, int]:
    from dfbench.checks import CLAIMS

    known = [*CLAIMS]
    claim = issue.claims[0]
    order = known.index(claim) if claim in known else math.inf
    return (labels.STATUSES.index(issue.status), not issue.default, order, -issue.parts)


def by_reason(classes: Iterable[Group], declared: bool) -> dict[str, list[Place]]:
    """Failures that were declared, by reason.

    Args:
        classes: to look through.
        declared: those that occur; else those that do not.
    """
    found: dict[str, list[Place]] = {}
    for part, row in _all(classes):
        unneeded = row.finding.reason if row.finding.cause == "unneeded" else None
        expected = row.finding.expected if row.status == "expected" else None
        reason = expected if declared else unneeded
        if reason is not None:
            found.setdefault(reason, []).append((part, row))
    return found


def remarks(classes: Iterable[Group]) -> list[Place]:
    """Passes with something to say, other than that a failure had been declared."""
    return [
        (part, row)
        for part, row in _all(classes)
        if row.status == "pass" and row.finding.why and row.finding.cause != "unneeded"
    ]


def _all(classes: Iterable[Group]) -> Iterator[Place]:
    return ((part, row) for group in classes for part in group.parts for row in part.rows)
