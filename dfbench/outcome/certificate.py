"""The findings on some subjects, and their JSON, "dfbench.certificate/1"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dfbench import jsons
from dfbench.errors import Unusable
from dfbench.outcome.coverage import DECISIVE, HARMS, Coverage, Purpose, coverage, headline
from dfbench.outcome.finding import Finding, Harm, Verdict, worst

IS_IT = 1e-3  # of the state: a method that is nearer than that is called the one it is


@dataclass(frozen=True)
class SubjectReport:
    """All findings on one subject.

    Attributes:
        notes: what a reader has to know of how the subject was made.
        purpose: what the verdict is about.
        steps: the step counts that its user runs, where only these were asked.
        nearest: the published "method" that it is nearest to, the "distance" of their coefficients
            (of the state's size), and in how many "steps"; empty: none is alike, or nobody looked.
    """

    name: str
    kind: str = ""
    library: str = ""
    version: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    traits: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    purpose: Purpose = "all"
    steps: tuple[int, ...] = ()
    nearest: dict[str, Any] = field(default_factory=dict)

    JSON = (
        "name kind library version config traits verdict findings seconds notes purpose steps "
        "nearest headline coverage"
    )

    def decides(self, finding: Finding) -> bool:
        """Whether a finding touches what the certificate is for."""
        return finding.harm is None or finding.harm in DECISIVE[self.purpose]

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings that decide; a declared failure counts as a pass."""
        return worst("pass" if f.expected else f.verdict for f in self.findings if self.decides(f))

    @property
    def coverage(self) -> Coverage:
        """Which questions were decided, out of which."""
        return coverage(self.findings)

    @property
    def identity(self) -> str:
        """Which published method it is, or is nearest to, in words; empty: nobody knows."""
        if not self.nearest:
            return ""
        method, off = self.nearest["method"], self.nearest["distance"]
        steps = f"of the state in {self.nearest['steps']} steps"
        if off < IS_IT:
            return f"coefficients of {method} to {off:.1g} {steps}"
        return f"nearest published method: {method}, off by {off:.2g} {steps}"

    @property
    def headline(self) -> str:
        """What is right and what is wrong, by what it touches."""
        return headline(self.findings, "at the steps you use" if self.steps else "")


@dataclass(frozen=True)
class Certificate:
    """The outcome of one certification run.

    Attributes:
        subjects: in the order of the call.
        environment: what it was computed with.
        seconds: in all.
        excluded: what of a library cannot be certified, and why.
    """

    subjects: tuple[SubjectReport, ...]
    environment: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    excluded: dict[str, str] = field(default_factory=dict)

    schema = "dfbench.certificate/1"
    JSON = "schema verdict subjects environment seconds excluded"

    @property
    def verdict(self) -> Verdict:
        """The worst subject."""
        return worst(subject.verdict for subject in self.subjects)

    @property
    def right(self) -> dict[Harm, tuple[int, int]]:
        """What findings touch → how many subjects are right there, of how many that were asked."""
        found = {}
        for harm in HARMS:
            verdicts = [
                worst(
                    "pass" if f.expected else f.verdict for f in subject.findings if f.harm == harm
                )
                for subject in self.subjects
            ]
            asked = [verdict for verdict in verdicts if verdict != "skip"]
            found[harm] = asked.count("pass"), len(asked)
        return found

    def __str__(self) -> str:
        """The verdict, and what did not pass, a line each."""
        lines = [f"{self.verdict}: {len(self.subjects)} subjects"]
        for subject in self.subjects:
            lines += [f"note: {subject.name}: {note}" for note in subject.notes]
            lines.append(f"{subject.verdict}: {subject.name}: {subject.headline}")
            for f in subject.findings:
                if f.verdict in ("fail", "inconclusive"):
                    said = (f.comparison, f.unit, f.effect, f.where, f.why, f.expected)
                    word = "expected" if f.expected else f.verdict
                    lines.append(
                        f"{word}: {subject.name} {f.claim}: {'; '.join(filter(None, said))}"
                    )
        return "\n".join(lines)


def load(path: str | Path) -> Certificate:
    """Read a certificate from a JSON file.

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
    if isinstance(content, dict) and content.get("schema") != Certificate.schema:
        schema = content.get("schema")
        found = "has no schema" if schema is None else f"has schema {schema!r}"
        raise Unusable(f"{origin}: {found}, not {Certificate.schema!r}")
    from dfbench.reading import typed  # what writes certificates needs no pydantic

    return typed(Certificate, content, origin)


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
