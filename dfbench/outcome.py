"""What a claim is, and what comes of holding a subject to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from dfbench.errors import NotAffine, SubjectError, Undefined, Unsupported

Verdict = Literal["pass", "fail", "inconclusive", "skip"]

#: Worst first: the verdict of a whole is the worst verdict of its parts.
SEVERITY: tuple[Verdict, ...] = ("fail", "inconclusive", "pass", "skip")


@dataclass(frozen=True)
class Finding:
    """A claim's outcome on a subject.

    Attributes:
        claim, statement: of the claim.
        verdict: pass, fail, inconclusive (`why` says what is missing) or skip (`why` says why
            it does not apply).
        measured, bound, unit: the number, what it is held to, and its unit.
        derivation: where the bound comes from.
        where: the step, evaluation and coefficient, for instance.
        why: one or two sentences a person can act on.
        counterexample: the smallest input found that shows it.
        reproduce: a stand-alone Python snippet.
        expected: the reason, where the failure was declared beforehand.
        series: named numeric series behind the finding's plot.
        quantities: named numbers that the check found besides the measured one.
        seconds: time taken.
    """

    claim: str
    verdict: Verdict
    statement: str = ""
    measured: float | None = None
    bound: float | None = None
    unit: str | None = None
    derivation: str | None = None
    where: str | None = None
    why: str | None = None
    counterexample: dict[str, Any] | None = None
    reproduce: str | None = None
    expected: str | None = None
    series: dict[str, list[float]] | None = None
    quantities: dict[str, float] | None = None
    seconds: float = 0.0


def skip(why: str) -> Finding:
    """The claim does not apply, and why."""
    return Finding("", "skip", why=why)


def inconclusive(why: str, **known: Any) -> Finding:
    """It could not be decided, and what is missing."""
    return Finding("", "inconclusive", why=why, **known)


def judge(measured: float, bound: float, **details: Any) -> Finding:
    """Pass if the measured value is within the bound; a NaN never is."""
    verdict: Verdict = "pass" if measured <= bound else "fail"
    return Finding("", verdict, measured=measured, bound=bound, **details)


Check = Callable[[Any], Finding]


@dataclass(frozen=True)
class Claim:
    """A check with a statement and a source.

    Attributes:
        check: holds a subject to it.
        id: short and stable, like "bookkeeping".
        statement: one sentence, in the notation of the field.
        source: paper and equation, or the design rule.
        control: makes a subject with a defect of the given relative size, which must fail.
        control_size: the size at which the control is run; `self-test` finds the smallest.
        sized: whether the defect has a size, or is there or not.
        kind: of subject it applies to.
    """

    check: Check
    id: str
    statement: str
    _: KW_ONLY
    source: str
    control: Callable[[float], Any]
    control_size: float
    sized: bool = True
    kind: str = "sampler"

    def __call__(self, subject: Any) -> Finding:
        """Check a subject: the finding, complete with statement, time and expectation."""
        start = time.perf_counter()
        finding = self._checked(subject)
        expected = getattr(subject, "expected", {}).get(self.id)
        reproduce = finding.reproduce
        if reproduce is None and finding.verdict == "fail" and hasattr(subject, "snippet"):
            reproduce = subject.snippet(self.id)
        why = finding.why
        if expected and finding.verdict == "pass":
            why = f"passes although a failure was declared: {expected}"
        return replace(
            finding,
            claim=self.id,
            statement=self.statement,
            expected=expected if finding.verdict == "fail" else None,
            why=why,
            reproduce=reproduce,
            seconds=time.perf_counter() - start,
        )

    def _checked(self, subject: Any) -> Finding:
        """The check, with what the subject cannot do, or does wrong, turned into a verdict."""
        try:
            return self.check(subject)
        except (Unsupported, Undefined) as reason:
            return skip(str(reason))
        except NotAffine as reason:
            return inconclusive(f"it has no table: {reason}")
        except SubjectError as error:  # "counts" runs it too, and fails
            return inconclusive(f"the run breaks: {error}")


Fields = ParamSpec("Fields")
Made = TypeVar("Made", bound=Claim)


def decorator(
    kind: Callable[Concatenate[Check, Fields], Made],
) -> Callable[Fields, Callable[[Check], Made]]:
    """Claims of a class made from their checks, with the class's other fields as arguments."""

    def given(*args: Fields.args, **fields: Fields.kwargs) -> Callable[[Check], Made]:
        return lambda check: kind(check, *args, **fields)

    return given


claim = decorator(Claim)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The worst of several verdicts; nothing at all is a skip."""
    return next((v for v in SEVERITY if v in verdicts), "skip")


@dataclass(frozen=True)
class SubjectReport:
    """All findings on one subject."""

    name: str
    kind: str = ""
    library: str = ""
    version: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    traits: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        """The worst finding; a failure declared beforehand counts as a pass."""
        return worst(["pass" if f.expected else f.verdict for f in self.findings])


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

    SCHEMA = "dfbench.certificate/1"

    @property
    def verdict(self) -> Verdict:
        """The worst subject."""
        return worst([subject.verdict for subject in self.subjects])

    def __str__(self) -> str:
        """The verdict, and what did not pass, a line each."""
        lines = [f"{self.verdict}: {len(self.subjects)} subjects"]
        for subject in self.subjects:
            for f in subject.findings:
                if f.verdict in ("fail", "inconclusive"):
                    said = [f"{f.measured:.6g} > {f.bound:.6g}"] if f.measured and f.bound else []
                    said += [text for text in (f.unit, f.where, f.why, f.expected) if text]
                    word = "expected" if f.expected else f.verdict
                    lines.append(f"{word}: {subject.name} {f.claim}: {'; '.join(said)}")
        return "\n".join(lines)
