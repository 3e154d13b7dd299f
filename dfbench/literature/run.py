"""Hold the formulas to the claims of the literature: each check, and its control."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dfbench import environment
from dfbench.errors import Unusable
from dfbench.literature import PRINTED, ROWS, Literature, Printed
from dfbench.outcome import Finding, Verdict, worst

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Outcome:
    """A claim of the literature, what its check found, and what it found on the broken variant."""

    claim: Literature | Printed
    finding: Finding
    control: Finding

    @property
    def verdict(self) -> Verdict:
        """That of the check; a check whose control does not fail shows nothing."""
        if self.finding.verdict == "pass" and self.control.verdict != "fail":
            return "inconclusive"
        return self.finding.verdict


@dataclass(frozen=True)
class Claims:
    """The outcome of a run over claims of the literature."""

    outcomes: tuple[Outcome, ...]
    environment: dict[str, Any]
    seconds: float

    SCHEMA = "dfbench.checks/1"

    @property
    def verdict(self) -> Verdict:
        """The worst claim."""
        return worst([outcome.verdict for outcome in self.outcomes])


def named(ids: list[str] | None = None) -> list[Literature | Printed]:
    """The claims with these ids ("34", "P6"), in their order; all of them without ids.

    Raises:
        Unusable: there is no such claim.
    """
    every: dict[str, Literature | Printed] = {
        **{str(n): ROWS[n] for n in sorted(ROWS)},
        **{f"P{n}": PRINTED[n] for n in sorted(PRINTED)},
    }
    if not ids:
        return list(every.values())
    wanted = [text.upper() for text in ids]
    unknown = [text for text in wanted if text not in every]
    if unknown:
        raise Unusable(f"no claim {', '.join(unknown)}; there are 1 to 47, and P1 to P11")
    return [every[text] for text in every if text in wanted]


def check_claims(ids: list[str] | None = None, *, progress: Progress | None = None) -> Claims:
    """Check claims of the literature on the reference implementations.

    Args:
        ids: like "34" and "P6"; all by default.
        progress: called as (title, done, total) after each.

    Raises:
        Unusable: there is no such claim.
    """
    start = time.perf_counter()
    claims = named(ids)
    outcomes: list[Outcome] = []
    for claim in claims:
        outcomes.append(examine(claim))
        if progress:
            progress(claim.title, len(outcomes), len(claims))
    return Claims(tuple(outcomes), environment.describe(), time.perf_counter() - start)


def examine(
    claim: Literature | Printed, on: Callable[[Any], Any] = lambda formula: formula
) -> Outcome:
    """Check one claim, and its control; `on` makes a subject of the formula under test."""
    finding = _held(claim, lambda: on(claim.subject()))
    control = _held(claim, lambda: on(claim.control(claim.control_size)))
    if finding.verdict == "pass" and control.verdict != "fail":
        finding = replace(finding, why="its control does not fail, so that the check shows nothing")
    return Outcome(claim, finding, control)


def _held(claim: Literature | Printed, subject: Callable[[], Any]) -> Finding:
    try:
        return claim(subject())
    except Exception as error:  # the check itself broke: say so, and go on with the others
        why = f"the check broke: {type(error).__name__}: {error}"
        return Finding(claim.id, "inconclusive", claim.statement, why=why)
