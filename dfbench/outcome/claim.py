"""A check with a statement and a source: what a subject, or a formula, is held to."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Concatenate, ParamSpec, TypeVar

from dfbench.errors import NotAffine, SetupError, SubjectError, Undefined, Unsupported
from dfbench.outcome.expected import Expected
from dfbench.outcome.finding import Finding, Harm, inconclusive, skip

CheckFunction = Callable[[Any], Finding]

#: What a check may raise, and `Claim` makes a verdict of.
REASONS = (Unsupported, Undefined, NotAffine, SubjectError)


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
        of_the_run: whether it says that the run works: then it fails where a run never ends, or
            ends the process, for which other claims are only undecided.
        harm: what a failure touches; a finding may say otherwise.
        core: the question that it answers of which a verdict cannot do without an answer; of
            claims with one core question, one decided is enough.
        formula: what is measured, in the notation of the field.
        chance: how a right subject could fail by bad luck; empty where no chance takes part.
        remedy: what to look at when it fails.
    """

    check: CheckFunction
    id: str
    statement: str
    _: KW_ONLY
    source: str
    control: Callable[[float], Any]
    control_size: float
    sized: bool = True
    kind: str = "sampler"
    of_the_run: bool = False
    harm: Harm = "samples"
    core: str | None = None
    formula: str = ""
    chance: str = ""
    remedy: str = ""

    def __call__(self, subject: Any) -> Finding:
        """Check a subject: the finding, complete with statement, time and expectation."""
        start = time.perf_counter()
        finding = self._checked(subject)
        expected = getattr(subject, "expected", {}).get(self.id)
        if expected:
            finding = Expected.of(expected).applied(finding)
        told = finding.verdict == "fail" or finding.cause in ("timed out", "check broke")
        if told and finding.reproduce is None and hasattr(subject, "snippet"):
            finding = replace(finding, reproduce=_reproducer(subject, self.id, finding))
        return replace(
            finding,
            claim=self.id,
            statement=self.statement,
            harm=finding.harm or self.harm,
            core=self.core,
            seconds=time.perf_counter() - start,
        )

    def _checked(self, subject: Any) -> Finding:
        """The check, with what the subject cannot do, or does wrong, turned into a verdict."""
        try:
            return self.check(subject)
        except SetupError as error:
            return inconclusive(str(error), "blocked")
        except (Unsupported, Undefined) as reason:
            return skip(str(reason), "not asked")
        except NotAffine as reason:
            return inconclusive(str(reason), "not affine")
        except SubjectError as error:
            return inconclusive(str(error), "blocked")


def _reproducer(subject: Any, claim: str, finding: Finding) -> str:
    """What shows it without dfbench, or else certifies the subject again."""
    made = None
    if hasattr(subject, "reproducer"):
        with suppress(*REASONS):
            made = subject.reproducer(claim, finding)
    return made or subject.snippet(claim)  # type: ignore[no-any-return]


Fields = ParamSpec("Fields")
Made = TypeVar("Made", bound=Claim)


def decorator(
    kind: Callable[Concatenate[CheckFunction, Fields], Made],
) -> Callable[Fields, Callable[[CheckFunction], Made]]:
    """Claims of a class made from their checks, with the class's other fields as arguments."""

    def given(*args: Fields.args, **fields: Fields.kwargs) -> Callable[[CheckFunction], Made]:
        return lambda check: kind(check, *args, **fields)

    return given


claim = decorator(Claim)


def broken(error: Exception) -> Finding:
    """The check itself broke."""
    return inconclusive(f"{type(error).__name__}: {error}", "check broke")
