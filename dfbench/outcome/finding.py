"""A claim's outcome on a subject, and how verdicts are reached."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["pass", "fail", "inconclusive", "skip"]

#: Worst first: the verdict of a whole is the worst verdict of its parts.
SEVERITY: tuple[Verdict, ...] = ("fail", "inconclusive", "pass", "skip")

#: How a measured value is held to its bound.
Sense = Literal["at most", "at least"]

#: Why a finding has its verdict:
#: measured        a value was held to its bound
#: unneeded        the same, and it passes although a failure was declared
#: does not apply  by its nature nothing is claimed of this subject
#: not asked       the subject cannot be run, or compared, as the question needs
#: undecided       what was found does not decide
#: not affine      the subject has no table to read the answer from
#: blocked         the subject's run itself breaks, for which another claim fails
#: timed out       the subject does not return
#: check broke     an error of the check's own: a defect of dfbench, not of the subject
Cause = Literal[
    "measured",
    "unneeded",
    "does not apply",
    "not asked",
    "undecided",
    "not affine",
    "blocked",
    "timed out",
    "check broke",
]

#: What a finding touches:
#: samples    the samples of this configuration, at these steps
#: img2img    samples of runs that start in the middle
#: training   what is trained with: noise added, targets
#: options    samples under other options than those of the configuration
#: interface  generators, forms of the result, dtypes
Harm = Literal["samples", "img2img", "training", "options", "interface"]

#: How `Finding.why` begins for a cause that has to be said; the reason comes after it.
LEADS: dict[Cause | None, str] = {
    "unneeded": "passes although a failure was declared: ",
    "not asked": "it could not be asked: ",
    "not affine": "it has no table: ",
    "blocked": "the run breaks: ",
    "check broke": "the check broke: ",
}


#: Quantities of a failure: how far (W₂) it moves the law of the samples, in per cent of the data's
#: deviation: for Gaussian data of deviation 1, and of 0.01 to 100 where it does most.
AT_ONE = "effect on the law, % of the data's deviation"
AT_ANY_SCALE = "the same for data of any scale, %"


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
        cause: why it has its verdict; None in files that do not say.
        sense: whether the measured value has to be at most, or at least, its bound.
        harm: what it touches; None is what the claim says.
        core: the core question of the subject's kind that the claim is about, if any.
        concerns: the part of the subject that is wrong, where the claim is about several.
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
    cause: Cause | None = None
    sense: Sense = "at most"
    harm: Harm | None = None
    core: str | None = None
    concerns: str | None = None

    #: The members of its JSON object, in their order.
    JSON = (
        "claim verdict cause measured bound sense unit where why counterexample reproduce "
        "statement derivation expected series seconds harm core concerns "
        "quantities"
    )

    @property
    def decided(self) -> bool:
        """Whether the question was answered, by a pass or a failure."""
        return self.verdict in ("pass", "fail")

    @property
    def effect(self) -> str:
        """What a failure does to the law of the samples, in words; empty where it is not known."""
        known = self.quantities or {}
        if AT_ONE not in known:
            return ""
        one, most = (f"{known[name]:.2g} %" for name in (AT_ONE, AT_ANY_SCALE))
        return f"moves the law of the samples by {one} of the data's deviation, at most {most}"

    @property
    def subject(self) -> str:
        """What is right or wrong in a word: a part of the subject, or the claim."""
        return self.concerns or self.claim

    @property
    def reason(self) -> str:
        """`why` without the words that only name the cause."""
        return (self.why or "").removeprefix(LEADS.get(self.cause, ""))

    @property
    def used(self) -> float:
        """The share of its bound that the measured value uses, the value itself where that is 0.

        What is not a number uses all of any bound.
        """
        share = (self.measured or 0.0) / (self.bound or 1.0)
        return math.inf if math.isnan(share) else share

    @property
    def comparison(self) -> str:
        """The measured value beside its bound, "0.5 > 0.1"; empty where either is missing."""
        if self.measured is None or self.bound is None:
            return ""
        m, b = self.measured, self.bound
        return f"{m:.6g} {'<' if m < b else '=' if m == b else '>'} {b:.6g}"


def skip(why: str, cause: Cause = "does not apply") -> Finding:
    """The claim does not apply, or cannot be asked, and why."""
    return Finding("", "skip", cause=cause, why=why)


def inconclusive(why: str, cause: Cause = "undecided", **known: Any) -> Finding:
    """It could not be decided, and what is missing."""
    return Finding("", "inconclusive", cause=cause, why=LEADS.get(cause, "") + why, **known)


def fail(why: str, cause: Cause = "measured", **known: Any) -> Finding:
    """It does not hold, whatever the measured value."""
    return Finding("", "fail", cause=cause, why=LEADS.get(cause, "") + why, **known)


def judge(
    measured: float,
    bound: float,
    *,
    sense: Sense = "at most",
    failing: Mapping[str, Any] | None = None,
    **details: Any,
) -> Finding:
    """Pass if the measured value is within its bound; a NaN never is.

    Args:
        measured, bound, sense: what is held to what, and which of them may be larger.
        failing: further details that only a failure has.
        **details: of `Finding`.
    """
    holds = measured <= bound if sense == "at most" else measured >= bound
    if not holds:
        details |= failing or {}
    return Finding(
        "",
        "pass" if holds else "fail",
        measured=measured,
        bound=bound,
        sense=sense,
        cause="measured",
        **details,
    )


def deciding(findings: Iterable[Finding], none: Finding | None = None) -> Finding:
    """Of findings on several cases the first that does not pass, else the closest to its bound.

    What comes after the first that does not pass is not asked for; `none` is the answer where
    there is no case at all.
    """
    closest = None
    for finding in findings:
        if finding.verdict != "pass":
            return finding
        if closest is None or finding.used > closest.used:
            closest = finding
    return closest or none or skip("there is nothing to check")


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several verdicts; nothing at all is a skip."""
    return min(verdicts, key=SEVERITY.index, default="skip")
