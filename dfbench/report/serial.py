"""A certificate as JSON, and back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dfbench import jsons
from dfbench.errors import Unusable
from dfbench.jsons import plain
from dfbench.outcome import Certificate, SubjectReport

#: The fields of a finding in the order in which they are written.
FINDING = (
    "claim",
    "verdict",
    "measured",
    "bound",
    "unit",
    "where",
    "why",
    "counterexample",
    "reproduce",
    "statement",
    "derivation",
    "expected",
    "series",
    "seconds",
)


def to_dict(certificate: Certificate) -> dict[str, Any]:
    """The certificate as an object of schema `dfbench.certificate/1`."""
    return {
        "schema": Certificate.SCHEMA,
        "verdict": certificate.verdict,
        "subjects": [_subject(each) for each in certificate.subjects],
        "environment": plain(certificate.environment),
        "seconds": plain(certificate.seconds),
        "excluded": plain(certificate.excluded),
    }


def _subject(report: SubjectReport) -> dict[str, Any]:
    return {
        "name": report.name,
        "kind": report.kind,
        "library": report.library,
        "version": report.version,
        "config": plain(report.config),
        "traits": plain(report.traits),
        "verdict": report.verdict,
        "findings": [
            {name: plain(getattr(each, name)) for name in FINDING} for each in report.findings
        ],
        "seconds": plain(report.seconds),
        "notes": plain(report.notes),
    }


def dumps(value: Any) -> str:
    """JSON text of a certificate or of anything `plain` understands."""
    return jsons.dumps(to_dict(value) if isinstance(value, Certificate) else value) + "\n"


def load(path: str | Path) -> Certificate:
    """Read a certificate from a file.

    Raises:
        Unusable: there is no such file, or it does not hold a certificate.
    """
    return from_dict(jsons.read(path), str(path))


def from_dict(content: Any, origin: str = "certificate") -> Certificate:
    """The certificate of an object of schema `dfbench.certificate/1`.

    Verdicts of subjects and of the whole follow from the findings, and are not read.

    Raises:
        Unusable: it is not one; the message names the place, starting with `origin`.
    """
    if isinstance(content, dict) and content.get("schema") != Certificate.SCHEMA:
        schema = content.get("schema")
        found = "has no schema" if schema is None else f"has schema {schema!r}"
        raise Unusable(f"{origin}: {found}, not {Certificate.SCHEMA!r}")
    return jsons.typed(Certificate, content, origin)


def merge(certificates: Iterable[Certificate]) -> Certificate:
    """One certificate of several runs: what differs between their environments is listed."""
    runs = list(certificates)
    if len(runs) == 1:
        return runs[0]
    environment: dict[str, Any] = {}
    for key in dict.fromkeys(key for run in runs for key in run.environment):
        values = [run.environment[key] for run in runs if key in run.environment]
        distinct = [value for i, value in enumerate(values) if value not in values[:i]]
        environment[key] = distinct[0] if len(distinct) == 1 else distinct
    subjects = tuple(subject for run in runs for subject in run.subjects)
    excluded = {name: why for run in runs for name, why in run.excluded.items()}
    return Certificate(subjects, environment, sum(run.seconds for run in runs), excluded)
