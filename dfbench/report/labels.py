"""Verdicts, their words and symbols, and findings in a line: shared by all reports."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

from dfbench.outcome import Finding
from dfbench.outcome.coverage import HARMS
from dfbench.wording import number, settings

Status = Literal["pass", "fail", "inconclusive", "expected", "skip"]

#: Verdicts as they are shown: a failure declared beforehand is told from one that was not.
STATUSES: tuple[Status, ...] = ("fail", "inconclusive", "expected", "pass", "skip")

SYMBOLS: dict[Status, str] = {
    "fail": "✗",
    "inconclusive": "?",
    "expected": "△",
    "pass": "✓",
    "skip": "–",
}

WORDS: dict[Status, str] = {
    "fail": "fail",
    "inconclusive": "inconclusive",
    "expected": "expected failure",
    "pass": "pass",
    "skip": "skip",
}

MEANINGS: dict[Status, str] = {
    "fail": "the measured value is outside its bound",
    "inconclusive": "could not be decided; the finding says what is missing",
    "expected": "fails, and was declared to, with a reason: a design choice or a known limitation",
    "pass": "the measured value is within its bound",
    "skip": "does not apply to this subject; the finding says why",
}


def status(finding: Finding) -> Status:
    """The verdict, with declared failures apart."""
    return "expected" if finding.expected and finding.verdict != "pass" else finding.verdict


def blocked(finding: Finding) -> bool:
    """Whether there is no verdict because the run broke, for which another claim fails."""
    return finding.verdict == "inconclusive" and finding.cause == "blocked"


def claims_by_harm(findings: Iterable[Finding]) -> str:
    """What they are about, samples first, others with what they touch: "law, get_velocity
    (training)"."""
    found: dict[str, dict[str, None]] = {"": {}}
    for finding in findings:
        harm = "" if finding.harm in (None, "samples") else HARMS[finding.harm]
        found.setdefault(harm, {})[finding.subject] = None
    return ", ".join(
        ", ".join(names) + (f" ({harm})" if harm else "") for harm, names in found.items() if names
    )


def share(number: int, total: int, default: bool) -> str:
    """In how many configurations: "3 of 16", "all 16", with a word on the default."""
    if total == 1:
        return ""
    if number == total:
        return f"all {total} configurations"
    rest = ", the default among them" if default else ""
    return f"{number} of {total} configurations{rest}"


def counts(findings: Iterable[Finding]) -> dict[Status, int]:
    """How many findings of each status, in the order of `STATUSES`."""
    found = Counter(status(finding) for finding in findings)
    return {each: found[each] for each in STATUSES}


def tally(numbers: Mapping[Status, int]) -> str:
    """Counts in words: "12 pass, 1 fail"; those that are zero are left out."""
    plural = {"expected": "expected failures"}
    return ", ".join(
        f"{n} {plural.get(each, WORDS[each]) if n > 1 else WORDS[each]}"
        for each, n in numbers.items()
        if n
    )


def evidence(finding: Finding) -> str:
    """The measured value beside its bound, with their unit; empty where nothing was measured."""
    numbers = {"measured": finding.measured, "bound": finding.bound}
    known = ", ".join(f"{name} {number(n)}" for name, n in numbers.items() if n is not None)
    return f"{known} ({finding.unit})" if known and finding.unit else known


def margin(finding: Finding) -> str:
    """How much of the bound is used, 0.02 for instance; nothing for 0.

    What has to be at least its bound, an order, is shown as measured.
    """
    measured, bound = finding.measured, finding.bound
    if measured is None or bound is None or measured == 0:
        return ""
    if finding.sense == "at least":
        return f"{measured:.2f}"
    used = measured / bound if bound > 0 else math.inf
    return f"{used:.2g}" if used >= 0.1 else f"{used:.1g}"


class Named(Protocol):
    """A subject, or the report on one."""

    @property
    def name(self) -> str: ...
    @property
    def library(self) -> str: ...
    @property
    def config(self) -> dict[str, Any]: ...


def split_name(report: Named) -> tuple[str, str]:
    """The class a subject belongs to and what sets this configuration of it apart.

    A name may carry its configuration ("DDIMScheduler eta=1", "DDIMScheduler[eta=1]") or leave
    it to the constructor arguments; the library in front ("diffusers:") goes without saying.
    """
    name = report.name.strip()
    bare = name.removeprefix(f"{report.library}:") or name
    match = re.fullmatch(r"([^\s\[(]+)(?:\s+(.+)|\[(.+)\]|\((.+)\))", bare, re.DOTALL)
    group, rest = (match[1], match[2] or match[3] or match[4]) if match else (bare, "")
    return group, rest.strip() or settings(report.config)


def label(report: Named) -> str:
    """The subject's name with its configuration, in one line."""
    group, rest = split_name(report)
    return f"{group} {rest}" if rest else group


def text(finding: Finding) -> str:
    """The finding in plain text, a line a fact."""
    facts = {
        "claim": finding.statement,
        "evidence": evidence(finding),
        "effect": finding.effect,
        "bound": finding.derivation,
        "where": finding.where,
        "why": finding.why,
        "counterexample": settings(finding.counterexample or {}),
        "expected": finding.expected,
    }
    lines = [f"{finding.claim}: {WORDS[status(finding)]}"]
    lines += [f"  {name}: {fact}" for name, fact in facts.items() if fact]
    if finding.reproduce:
        lines += ["  reproduce:", *(f"    {line}" for line in finding.reproduce.splitlines())]
    return "\n".join(lines)
