"""What was decided, out of what, and what it touches: no verdict is green by omission."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dfbench.errors import Unusable
from dfbench.outcome.finding import LEADS, Finding, Harm
from dfbench.wording import listed

#: What a certificate is for.
Purpose = Literal["samples", "img2img", "training", "all"]

#: What decides for each purpose. An image made from another needs the samples right, too.
DECISIVE: dict[Purpose, tuple[Harm, ...]] = {
    "samples": ("samples",),
    "img2img": ("samples", "img2img"),
    "training": ("training",),
    "all": ("samples", "img2img", "training", "options", "interface"),
}

HARMS: dict[Harm, str] = {
    "samples": "samples",
    "img2img": "image to image",
    "training": "training",
    "options": "other options",
    "interface": "interface",
}


def known_purpose(name: str) -> Purpose:
    """The purpose of a name.

    Raises:
        Unusable: there is none.
    """
    if name not in DECISIVE:
        raise Unusable(f"purpose must be one of {', '.join(DECISIVE)}, got {name!r}")
    return name


@dataclass(frozen=True)
class Coverage:
    """Which questions were decided, out of which.

    Attributes:
        decided: claims that hold or fail.
        undecided, not_asked, does_not_apply: the others → why.
        missing: core questions that no claim decided.
    """

    decided: tuple[str, ...]
    undecided: dict[str, str]
    not_asked: dict[str, str]
    does_not_apply: dict[str, str]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        """In a sentence: "9 of 11 questions decided; could not be asked: order, law"."""
        open_ = [*self.undecided, *self.not_asked]
        words = [f"{len(self.decided)} of {len(self.decided) + len(open_)} questions decided"]
        words += [f"missing: {', '.join(self.missing)}"] if self.missing else []
        words += [f"undecided: {', '.join(self.undecided)}"] if self.undecided else []
        words += [f"could not be asked: {', '.join(self.not_asked)}"] if self.not_asked else []
        return "; ".join(words)


def coverage(findings: Sequence[Finding]) -> Coverage:
    """The coverage of all findings on a subject."""
    open_ = [f for f in findings if not f.decided]
    asked = [f for f in open_ if f.cause != "not asked"]

    def reasons(which: Iterable[Finding]) -> dict[str, str]:
        return {f.claim: f.reason for f in which}

    return Coverage(
        tuple(f.claim for f in findings if f.decided),
        reasons(f for f in asked if f.verdict == "inconclusive"),
        reasons(f for f in open_ if f.cause == "not asked"),
        reasons(f for f in asked if f.verdict == "skip"),
        _missing(findings),
    )


def _missing(findings: Sequence[Finding]) -> tuple[str, ...]:
    """The core questions that apply, and that none of the claims about them decided."""
    of: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.core:
            of.setdefault(finding.core, []).append(finding)
    return tuple(
        core
        for core, about in of.items()
        if not any(f.decided for f in about)
        and not all(f.verdict == "skip" and f.cause == "does not apply" for f in about)
    )


def complete(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings; a core question that nothing decided is inconclusive, not skipped."""
    missing = _missing(findings)
    return tuple(
        replace(f, verdict="inconclusive", why=LEADS["not asked"] + (f.why or ""))
        if f.core in missing and f.verdict == "skip" and f.cause == "not asked"
        else f
        for f in findings
    )


def headline(findings: Sequence[Finding], where: str = "") -> str:
    """What is right and wrong, by what it touches: "samples right; companions wrong (training)"."""
    words = []
    for harm, name in HARMS.items():
        found = [f for f in findings if f.harm == harm]
        wrong = [f.subject for f in found if f.verdict == "fail" and not f.expected]
        open_ = [f.subject for f in found if f.verdict == "inconclusive"]
        if harm == "samples":
            if wrong or open_:
                state = "wrong" if wrong else "undecided"
                words.append(f"{name} {state} ({listed(wrong or open_)})")
            elif any(f.decided for f in found):
                words.append(f"{name} right {where}".strip())
            continue
        words += [f"{listed(wrong)} wrong ({name})"] if wrong else []
        words += [f"{listed(open_)} undecided ({name})"] if open_ else []
    return "; ".join(words)
