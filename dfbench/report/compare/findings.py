"""What changed from one certificate to another: verdicts, and measured values beyond rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dfbench import wording
from dfbench.outcome import Certificate, Finding
from dfbench.report import labels

#: Of the bound: a measured value that moves by less has not changed, whatever its own size.
RESOLUTION = 0.01


@dataclass(frozen=True)
class FindingChange:
    """A claim on a subject whose outcome is not what it was; None where there was none."""

    subject: str
    claim: str
    old: Finding | None
    new: Finding | None

    @property
    def verdicts(self) -> tuple[str, str]:
        """Verdicts before and after, as they are shown."""
        before, after = (
            labels.WORDS[labels.status(f)] if f else "absent" for f in (self.old, self.new)
        )
        return before, after

    @property
    def decided(self) -> bool:
        """Whether the verdict itself is another."""
        return self.verdicts[0] != self.verdicts[1]

    @property
    def size(self) -> float:
        """For sorting: verdicts first, then how far the measured value moved, in bounds."""
        return math.inf if self.decided else moved(self.old, self.new)

    @property
    def words(self) -> str:
        """The change in a line."""
        before, after = self.verdicts
        told = f"{before} → {after}" if self.decided else after
        values = [wording.number(f.measured) if f else "" for f in (self.old, self.new)]
        if values[0] != values[1] and any(values):
            told += f", measured {values[0] or 'nothing'} → {values[1] or 'nothing'}"
        why = self.new and (self.new.where or self.new.why)
        return f"{told}: {wording.shorten(why, 160)}" if why and self.decided else told


def moved(old: Finding | None, new: Finding | None) -> float:
    """How far the measured value moved, in units of the bound."""
    if old is None or new is None or old.measured is None or new.measured is None:
        return 0.0
    a, b = old.measured, new.measured
    if not (math.isfinite(a) and math.isfinite(b)):
        return 0.0 if a == b or (math.isnan(a) and math.isnan(b)) else math.inf
    bounds = [abs(f.bound) for f in (old, new) if f.bound and math.isfinite(f.bound)]
    scale = min(bounds) if bounds else max(abs(a), abs(b), 1e-300)
    return abs(a - b) / scale


def finding_changes(old: Certificate, new: Certificate) -> list[FindingChange]:
    """Outcomes that differ, most important first; subjects that only one has are not among them."""
    before, after = _outcomes(old), _outcomes(new)
    shared = {subject for subject, _, _ in before} & {subject for subject, _, _ in after}
    keys = [key for key in dict.fromkeys([*before, *after]) if key[0] in shared]
    changes = [FindingChange(key[0], key[1], before.get(key), after.get(key)) for key in keys]
    changes = [each for each in changes if each.decided or each.size > RESOLUTION]
    return sorted(changes, key=lambda each: -each.size)


def _outcomes(certificate: Certificate) -> dict[tuple[str, str, int], Finding]:
    """Findings by subject, claim and, where a claim has several, their number."""
    found: dict[tuple[str, str, int], Finding] = {}
    for report in certificate.subjects:
        name = labels.label(report)
        for finding in report.findings:
            number = (
                sum(key[:2] == (name, finding.claim) for key in found)
                if (name, finding.claim, 0) in found
                else 0
            )
            found[name, finding.claim, number] = finding
    return found
