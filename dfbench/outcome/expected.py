"""Failures that are declared beforehand: why, and how large."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dfbench.errors import Unusable
from dfbench.outcome.finding import LEADS, Finding

KEYS = ("reason", "within", "unit")


@dataclass(frozen=True)
class Expected:
    """A failure that is predicted, within a size: beyond it, it is a failure like any other.

    Attributes:
        reason: why it is no defect, or a known one.
        within: what the measured value is at most (at least, where the claim's bound is a least
            value); infinite: any size.
        unit: that of the measured value; None: any.
    """

    reason: str
    within: float = math.inf
    unit: str | None = None

    @classmethod
    def of(cls, given: Any, where: str = "expected failure") -> Expected:
        """From a reason, (reason, size), or a table with "reason", "within" and "unit".

        Raises:
            Unusable: it is none of these; the message starts with `where`.
        """
        if isinstance(given, Expected):
            return given
        if isinstance(given, str):
            given = {"reason": given}
        elif isinstance(given, list | tuple) and len(given) == 2:
            given = dict(zip(KEYS, given, strict=False))
        known = isinstance(given, Mapping) and {"reason"} <= {*given} <= {*KEYS}
        made = cls(**given) if known else None
        if made is None or not _sound(made):
            raise Unusable(
                f"{where}: must be a reason, a pair of a reason and a size, or a table of "
                f"reason, within (a number) and unit; got {given!r}"
            )
        return made

    def covers(self, finding: Finding) -> bool:
        """Whether a failure is the one that is predicted."""
        if self.unit is not None and finding.unit != self.unit:
            return False
        measured = math.inf if finding.measured is None else finding.measured
        if math.isinf(self.within):
            return True
        return measured <= self.within if finding.sense == "at most" else measured >= self.within

    def applied(self, finding: Finding) -> Finding:
        """The finding with what was declared of it."""
        if finding.verdict == "pass":
            return replace(finding, cause="unneeded", why=LEADS["unneeded"] + self.reason)
        if finding.verdict != "fail":
            return finding
        if self.covers(finding):
            return replace(finding, expected=self.reason)
        why = f"a failure was declared, {self._size(finding)}, and this is another: {self.reason}"
        return replace(finding, why="; ".join(filter(None, (finding.why, why))))

    def _size(self, finding: Finding) -> str:
        size = "" if math.isinf(self.within) else f" {finding.sense} {self.within:.6g}"
        return f"{size} ({self.unit})".strip() if self.unit else size.strip()


def _sound(made: Expected) -> bool:
    """Whether all has the type that it should have."""
    number = isinstance(made.within, int | float) and not isinstance(made.within, bool)
    known = made.unit is None or isinstance(made.unit, str)
    return isinstance(made.reason, str) and bool(made.reason) and number and known


Predicted = Mapping[str, Mapping[str, Expected]]
"""Subject, or "" for all of them → claim → what is expected."""


def predictions(given: Mapping[str, Any] | None, claims: Collection[str]) -> Predicted:
    """Expected failures as a user writes them: by claim, or by subject and then by claim.

    Raises:
        Unusable: a claim does not exist, or what is said of it cannot be read.
    """
    found: dict[str, dict[str, Expected]] = {}
    for key, value in (given or {}).items():
        if key in claims:
            found.setdefault("", {})[key] = Expected.of(value, f"expected failure {key}")
            continue
        if not isinstance(value, Mapping) or {*value} & {*KEYS}:
            raise Unusable(f"no claim {key}; there are {', '.join(claims)}")
        for claim, each in value.items():
            if claim not in claims:
                raise Unusable(f"{key}: no claim {claim}; there are {', '.join(claims)}")
            known = Expected.of(each, f"expected failure {claim} of {key}")
            found.setdefault(key, {})[claim] = known
    return found
