"""A certificate as JSON, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, NoReturn, get_args

from dfbench.errors import Unusable
from dfbench.outcome import Certificate, Finding, SubjectReport, Verdict

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


def plain(value: Any) -> Any:
    """The value in JSON's own types.

    Numbers that are not finite become the strings "inf", "-inf" and "nan"; arrays and tensors
    lists; everything JSON has no word for the string a person would read.
    """
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _name(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    return str(value)


def _name(value: float) -> str:
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


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
    content = to_dict(value) if isinstance(value, Certificate) else plain(value)
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def load(path: str | Path) -> Certificate:
    """Read a certificate from a file.

    Raises:
        Unusable: there is no such file, or it does not hold a certificate.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        _unusable(f"{path}: {(error.strerror or str(error)).lower()}")
    except (ValueError, RecursionError) as error:
        _unusable(f"{path}: not JSON ({error})")
    return from_dict(content, str(path))


def from_dict(content: Any, origin: str = "certificate") -> Certificate:
    """The certificate of an object of schema `dfbench.certificate/1`.

    Verdicts of subjects and of the whole follow from the findings, and are not read.

    Raises:
        Unusable: it is not one; the message names the place, starting with `origin`.
    """
    top = _Object(content, origin)
    schema = top.content.get("schema")
    if schema != Certificate.SCHEMA:
        found = "has no schema" if schema is None else f"has schema {schema!r}"
        _unusable(f"{origin}: {found}, not {Certificate.SCHEMA!r}")
    return Certificate(
        tuple(
            _read_subject(_Object(each, f"{origin}: subjects[{i}]"))
            for i, each in enumerate(top.array("subjects"))
        ),
        top.object("environment"),
        top.number("seconds") or 0.0,
        {name: str(why) for name, why in top.object("excluded").items()},
    )


def _read_subject(at: _Object) -> SubjectReport:
    return SubjectReport(
        at.required_text("name"),
        at.text("kind") or "",
        at.text("library") or "",
        at.text("version") or "",
        at.object("config"),
        at.object("traits"),
        tuple(
            _read_finding(_Object(each, f"{at.place}.findings[{i}]"))
            for i, each in enumerate(at.array("findings"))
        ),
        at.number("seconds") or 0.0,
        tuple(str(note) for note in at.array("notes", optional=True)),
    )


def _read_finding(at: _Object) -> Finding:
    verdict: Any = at.required_text("verdict")
    if verdict not in get_args(Verdict):
        at.wrong("verdict", f"one of {', '.join(get_args(Verdict))}")
    return Finding(
        claim=at.required_text("claim"),
        verdict=verdict,
        statement=at.text("statement") or "",
        measured=at.number("measured"),
        bound=at.number("bound"),
        unit=at.text("unit"),
        derivation=at.text("derivation"),
        where=at.text("where"),
        why=at.text("why"),
        counterexample=at.object("counterexample") if at.has("counterexample") else None,
        reproduce=at.text("reproduce"),
        expected=at.text("expected"),
        series=_Object(at.content["series"], f"{at.place}.series").numbers()
        if at.has("series")
        else None,
        seconds=at.number("seconds") or 0.0,
    )


class _Object:
    """A JSON object whose members are read with a check, and the place it is at."""

    def __init__(self, content: Any, place: str) -> None:
        if not isinstance(content, dict):
            _unusable(f"{place} must be an object, not {_kind(content)}")
        self.content: dict[str, Any] = content
        self.place = place

    def wrong(self, key: str, what: str) -> NoReturn:
        _unusable(f"{self.place}.{key} must be {what}, not {_kind(self.content.get(key))}")

    def has(self, key: str) -> bool:
        return self.content.get(key) is not None

    def text(self, key: str) -> str | None:
        value = self.content.get(key)
        return value if value is None or isinstance(value, str) else self.wrong(key, "a string")

    def required_text(self, key: str) -> str:
        value = self.text(key)
        return self.wrong(key, "a string") if value is None else value

    def number(self, key: str) -> float | None:
        value = self.content.get(key)
        return None if value is None else self._number(key, value)

    def _number(self, key: str, value: Any) -> float:
        if value in ("inf", "-inf", "nan"):
            return float(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                return math.inf if value > 0 else -math.inf
        self.wrong(key, 'a number, "inf", "-inf" or "nan"')

    def array(self, key: str, optional: bool = False) -> Sequence[Any]:
        value = self.content.get(key)
        if value is None and optional:
            return []
        return value if isinstance(value, list) else self.wrong(key, "an array")

    def object(self, key: str) -> dict[str, Any]:
        value = self.content.get(key)
        if value is None:
            return {}
        return value if isinstance(value, dict) else self.wrong(key, "an object")

    def numbers(self) -> dict[str, list[float]]:
        return {key: [self._number(key, each) for each in self.array(key)] for key in self.content}


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else f"{value[:39]}…")
    names = {dict: "an object", list: "an array", bool: "a boolean", type(None): "null"}
    return names.get(type(value), f"the number {value}")


def _unusable(message: str) -> NoReturn:
    raise Unusable(message)


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
