"""What the page shows of a configuration: all of the default one, of others what differs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dfbench import wording
from dfbench.report import figures, labels
from dfbench.report.groups import Group, Part, Row
from dfbench.report.page import Chart

#: Orders, what has to be at least its bound, that are further apart than this are two orders.
APART = 0.3
#: Plots of single findings on a page, so that it stays small: those of failures, then the first.
PLOTS = 120


@dataclass
class View:
    """What is shown where; it remembers which snippets are on the page already.

    Attributes:
        usual: the derivation that the list of claims gives for a claim's bound.
        classes: all that the page shows.
        snippets: text → place of its first appearance.
        plots: of findings, by their place; `left_out` is how many more there are.
    """

    usual: Mapping[str, str | None]
    classes: Sequence[Group] = ()
    snippets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = [
            (row, chart)
            for group in self.classes
            for part in group.parts
            for row in self._telling(group, part)
            if (chart := figures.figure(row.finding, part.report.traits, f"{row.id}-plot"))
        ]
        found.sort(key=lambda each: each[0].status != "fail")
        self.plots = {row.id: chart for row, chart in found[:PLOTS]}
        self.left_out = len(found) - len(self.plots)

    def listed(self, group: Group, part: Part) -> list[Row]:
        """The findings that have a row: for other configurations, those that are no passes."""
        rows = [row for row in part.rows if not row.blocked]
        if part is group.default:
            return rows
        same = self.same(group, part)
        return [row for row in rows if row.status not in ("pass", "skip") and row not in same]

    def same(self, group: Group, part: Part) -> list[Row]:
        """What is wrong in the same words as in the default configuration."""
        if part is group.default:
            return []
        wrong = [row for row in part.rows if row.status in ("fail", "inconclusive", "expected")]
        return [
            row for row in wrong if not row.blocked and row.like(group.default.cells.get(row.claim))
        ]

    def passes(self, part: Part) -> list[Row]:
        return [row for row in part.rows if row.status == "pass"]

    def skips(self, group: Group, part: Part) -> dict[str, list[str]]:
        """Claims that do not apply, by reason, where the default says something else."""
        return _by_reason(
            row
            for row in part.rows
            if row.status == "skip" and not row.like(group.default.cells.get(row.claim))
        )

    def blocked(self, part: Part) -> dict[str, list[str]]:
        """Claims that could not be checked, by what broke the run."""
        return _by_reason(part.blocked)

    def anchor(self, group: Group, part: Part, row: Row) -> str:
        """Where a link to the finding leads: its row, or its configuration."""
        return row.id if row in self.listed(group, part) else part.id

    def cell(self, group: Group, claim: str) -> tuple[Part, Row, int, bool] | None:
        """The worst finding of a class on a claim, and where it is.

        Returns:
            The first configuration that has it, the finding, the number of configurations that
            have it, and whether the default is one of them.
        """
        found = [(part, part.cells[claim]) for part in group.parts if claim in part.cells]
        if not found:
            return None
        worst = min(row.severity for _, row in found)
        having = [(part, row) for part, row in found if row.severity == worst]
        return *having[0], len(having), having[0][0] is group.default

    def title(self, group: Group, row: Row, number: int) -> str:
        """What a cell of the overview says at rest."""
        word = "could not run" if row.blocked else labels.WORDS[row.status]
        total = len(group.parts)
        where = f" in {number} of {total}" if total > 1 else ""
        known = labels.evidence(row.finding) or wording.shorten(row.finding.why or "", 90)
        return f"{word}{where}" + (f": {known}" if known else "")

    def derivation(self, group: Group, part: Part, row: Row) -> str | None:
        """Of the bound, where neither the list of claims nor the default says the same."""
        text = row.finding.derivation
        default = group.default.cells.get(row.claim)
        if text == self.usual.get(row.claim):
            return None
        known = default is not None and default.finding.derivation == text
        return None if known and part is not group.default else text

    def remarks(self, group: Group, part: Part) -> list[Row]:
        """The passes of which there is more to say than the table does."""
        return [
            row
            for row in self.passes(part)
            if self.derivation(group, part, row) or row.finding.counterexample
        ]

    def first(self, row: Row) -> str | None:
        """Where the same snippet already is; nothing where this is the first."""
        place = self.snippets.setdefault(row.finding.reproduce or "", row.id)
        return None if place == row.id else place

    def figures(self, group: Group, part: Part) -> list[Chart]:
        """Plots: for other configurations where they are not those of the default."""
        return [self.plots[row.id] for row in self._telling(group, part) if row.id in self.plots]

    def _telling(self, group: Group, part: Part) -> list[Row]:
        """The findings whose plot is not that of the default configuration."""
        if part is group.default:
            return part.rows
        return [row for row in part.rows if _differs(row, group.default.cells.get(row.claim))]

    def traits(self, group: Group, part: Part) -> str:
        """What another configuration declares otherwise than the default."""
        default = group.default.report.traits
        changed = {k: v for k, v in part.report.traits.items() if default.get(k, v) != v}
        return traits(changed, all_of_them=True)


def _by_reason(rows: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        reason = row.finding.reason
        found.setdefault(reason, []).append(row.claim)
    return found


def _differs(row: Row, default: Row | None) -> bool:
    if row.status != "pass" or default is None:
        return row.status != "skip" and not row.like(default)
    mine, its = row.finding.measured, default.finding.measured
    known = mine is not None and its is not None and math.isfinite(mine) and math.isfinite(its)
    return row.finding.sense == "at least" and known and abs(mine - its) > APART  # type: ignore[operator]


def traits(declared: Mapping[str, Any], all_of_them: bool = False) -> str:
    """Traits in words: those that hold by name, those that do not left out unless asked for."""
    words = []
    for key, value in declared.items():
        name = str(key).replace("_", " ")
        if value is None or value is False or value in ("", [], {}):
            words += [f"not {name}" if value in (False, "") else f"no {name}"] * all_of_them
        else:
            words.append(name if value is True else f"{name}{_amount(value)}")
    return ", ".join(words)


def _amount(value: Any) -> str:
    return f" {wording.number(value)}" if isinstance(value, int | float) else f": {value}"
