"""A certificate as one page that needs nothing but itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfbench import wording
from dfbench.outcome import Certificate, Finding
from dfbench.report import figures, labels
from dfbench.report import groups as grouping
from dfbench.report.groups import Group
from dfbench.report.notes import rank
from dfbench.report.page import fill
from dfbench.report.view import View, traits

#: Classes with failures that are listed before the rest is folded away.
SHOWN = 12
KINDS = {
    "sampler": "Samplers",
    "loss": "Losses",
    "schedule": "Schedules",
    "conversion": "Conversions",
    "coupling": "Couplings",
    "times": "Samplers of times",
    "likelihood": "Likelihoods",
    "integrator": "Integrators",
    "formula": "Formulas",
}


@dataclass(frozen=True)
class Linked:
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
    notes: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The page, complete: styles, figures and script are in it.

    Args:
        title: of the page; by default, what was certified.
        command: that makes the certificate again; by default, the one its environment names.
        notes: what a person made of the findings, most important first: see
            `dfbench.report.notes`.
    """
    claims = _claims(certificate)
    classes = grouping.groups(certificate)
    libraries: dict[str, list[Group]] = {}
    for group in classes:
        libraries.setdefault(group.library, []).append(group)
    environment = dict(certificate.environment)
    command = command or environment.get("command")
    environment.pop("command", None)
    rows = [row for group in classes for part in group.parts for row in part.rows]
    view = View({claim.id: claim.derivation for claim in claims}, classes)
    return fill(
        "certificate.html",
        filters={"margin": labels.margin, "traits": traits},
        title=title or f"Certificate of {', '.join(libraries) or 'nothing'}",
        headline=headline(certificate),
        verdict=certificate.verdict,
        command=command,
        environment={key: wording.line(value) for key, value in environment.items()},
        seconds=certificate.seconds,
        excluded=certificate.excluded,
        counts=labels.counts(row.finding for row in rows if not row.blocked),
        blocked=sum(row.blocked for row in rows),
        matrices=_matrices(classes, claims),
        KINDS=KINDS,
        libraries=libraries,
        classes=classes,
        alone=len(certificate.subjects) == 1,
        several=any(group.others for group in classes),
        claims=claims,
        anchors={claim.id: claim.anchor for claim in claims},
        attention=grouping.most_important(classes),
        remarks=grouping.remarks(classes),
        declared=grouping.by_reason(classes, declared=True),
        unneeded=grouping.by_reason(classes, declared=False),
        orders=figures.orders(classes, view.anchor),
        shades=figures.shade_names(),
        responses=figures.responses(classes, view.anchor),
        notes=rank(notes, classes),
        view=view,
        SHOWN=SHOWN,
    )


def _matrices(
    classes: Sequence[Group], claims: Sequence[Linked]
) -> list[tuple[str, list[Linked], dict[str, list[Group]]]]:
    """For each kind of subject the claims it is held to, and its classes by library."""
    found = []
    for kind in dict.fromkeys(group.default.report.kind for group in classes):
        libraries: dict[str, list[Group]] = {}
        asked: set[str] = set()
        for group in classes:
            if group.default.report.kind == kind:
                libraries.setdefault(group.library, []).append(group)
                asked |= {row.finding.claim for part in group.parts for row in part.rows}
        found.append((kind, [claim for claim in claims if claim.id in asked], libraries))
    return found


def headline(certificate: Certificate) -> str:
    """The outcome in one line; a subject in several configurations is one subject."""
    total = len(certificate.subjects)
    verdicts = Counter[str](report.verdict for report in certificate.subjects)
    if verdicts["skip"] == total:
        return "Nothing could be checked"
    if total == 1:
        outcomes = {"pass": "passes", "fail": "fails", "inconclusive": "could not be decided"}
        (report,) = certificate.subjects
        said = f": {report.headline}" if report.headline else ""
        return f"{labels.label(report)} {outcomes[certificate.verdict]}{said}"
    names = [(report.library, labels.split_name(report)[0]) for report in certificate.subjects]
    subjects = len(set(names))
    if verdicts["pass"] == total:
        more = f", in {total} configurations" if total > subjects else ""
        return f"All {subjects} subjects pass{more}"
    parts: list[str] = []
    for verdict, one, many in (
        ("fail", "fails", "fail"),
        ("inconclusive", "could not be decided", ""),
        ("pass", "passes", "pass"),
        ("skip", "could not be checked", ""),
    ):
        of = zip(names, certificate.subjects, strict=True)
        n = len({name for name, report in of if report.verdict == verdict})
        if not n or (verdict in ("pass", "skip") and (verdicts["fail"] + verdicts["inconclusive"])):
            continue
        nouns = ("", "") if parts else (" subjects", " configurations")
        where = f" ({verdicts[verdict]} of {total}{nouns[1]})" if total > subjects else ""
        verb = wording.several(n, one, many or one)
        parts.append(f"{n} of {subjects}{nouns[0]} {verb}{where}")
    return ", ".join(parts)


def _claims(certificate: Certificate) -> list[Linked]:
    """The claims in the certificate, those of the registry in its order and with its source."""
    from dfbench.checks import CLAIMS

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
        source = CLAIMS[name].source if name in CLAIMS else ""
        entries.append(Linked(name, f"c{i}", statement, source, usual if times > 1 else None))
    return entries
