"""Published numbers beside computed ones: as a page, on the terminal, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from dfbench.published import SOURCES, Numbers, Source
from dfbench.report.page import fill
from dfbench.report.published.figures import agreement, curves

FEW = 12  # numbers that are written out


@dataclass(frozen=True)
class Section:
    """The sets of one source, and how many come out."""

    key: str
    source: Source
    sets: tuple[Numbers, ...]

    @property
    def agreeing(self) -> int:
        """Sets of which every number comes out."""
        return sum(each.reproduced for each in self.sets)

    @property
    def numbers(self) -> tuple[int, int]:
        """(numbers that come out, numbers)."""
        return sum(each.agreeing for each in self.sets), sum(each.total for each in self.sets)

    @property
    def missed(self) -> tuple[Numbers, ...]:
        """Sets of which a number does not come out."""
        return tuple(each for each in self.sets if not each.reproduced)


def sections(found: Sequence[Numbers]) -> list[Section]:
    """The sets by source, in the order of `SOURCES`."""
    grouped = {key: tuple(each for each in found if each.source == key) for key in SOURCES}
    return [Section(key, SOURCES[key], sets) for key, sets in grouped.items() if sets]


def headline(found: Sequence[Numbers]) -> str:
    """How much comes out."""
    sets = sum(each.reproduced for each in found)
    right, total = sum(each.agreeing for each in found), sum(each.total for each in found)
    return (
        f"{sets} of {len(found)} sets of published numbers come out to the printed digits: "
        f"{right:,} of {total:,} numbers".replace(",", " ")
    )


def render(found: Sequence[Numbers], *, title: str = "Published numbers") -> str:
    """The page, complete."""
    parts = sections(found)
    return fill(
        "published.html",
        title=title,
        headline=headline(found),
        sections=parts,
        agreement=agreement(parts),
        curves=curves(found),
        few=FEW,
    )


def plain(found: Sequence[Numbers]) -> dict[str, Any]:
    """What `--json` writes; of more than a few numbers, only how many come out."""
    rows = []
    for each in found:
        row: dict[str, Any] = {
            "source": SOURCES[each.source].name,
            "where": SOURCES[each.source].where,
            "setting": each.setting,
            "quantity": each.quantity,
            "numbers": each.total,
            "reproduced": each.agreeing,
            "decimals": each.decimals,
            "largest_difference": finite(each.largest),
            "why": each.why or None,
            "note": each.note or None,
        }
        if each.total <= FEW:
            row["printed"] = list(each.printed)
            row["computed"] = [finite(value) for value in each.computed]
        rows.append(row)
    return {
        "schema": "dfbench.published/2",
        "sets": len(found),
        "sets_reproduced": sum(each.reproduced for each in found),
        "numbers": sum(each.total for each in found),
        "numbers_reproduced": sum(each.agreeing for each in found),
        "found": rows,
    }


def finite(value: float) -> float | None:
    """A number of JSON, which has no nan."""
    return value if math.isfinite(value) else None


def summary(found: Sequence[Numbers], console: Console) -> None:
    """A line a source, and one for each set that does not come out."""
    for part in sections(found):
        right, total = part.numbers
        console.print(
            f"{part.source.name}: {part.agreeing} of {len(part.sets)} sets, {right} of {total} "
            "numbers",
            soft_wrap=True,
        )
        for each in part.missed:
            console.print(
                f"  ✗ {each.setting}, {each.quantity}: {each.agreeing} of {each.total}, off by up "
                f"to {abs(each.largest):.2g} ({each.why})",
                soft_wrap=True,
            )
    console.print(headline(found), soft_wrap=True)
