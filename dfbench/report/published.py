"""Published numbers beside computed ones: as a page, on the terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from dfbench.published import SOURCES, Compared
from dfbench.report.page import fill


def render(numbers: Sequence[Compared], *, title: str = "Published numbers") -> str:
    """The page, complete."""
    agree = sum(each.reproduced for each in numbers)
    return fill("published.html", title=title, agree=agree, numbers=numbers, sources=SOURCES)


def plain(numbers: Sequence[Compared]) -> dict[str, Any]:
    """What `--json` writes."""
    rows = [
        {
            "source": SOURCES[each.source],
            "setting": each.setting,
            "quantity": each.quantity,
            "printed": each.printed,
            "computed": each.computed,
            "difference": each.difference,
            "reproduced": each.reproduced,
            "why": each.reason or None,
        }
        for each in numbers
    ]
    return {
        "schema": "dfbench.published/1",
        "reproduced": sum(each.reproduced for each in numbers),
        "total": len(numbers),
        "numbers": rows,
    }


def summary(numbers: Sequence[Compared], console: Console) -> None:
    """A line a number, and how many agree."""
    source = ""
    for each in numbers:
        if each.source != source:
            source = each.source
            console.print(SOURCES[source], soft_wrap=True)
        sign = "✓" if each.reproduced else "✗"
        console.print(
            f"  {sign} {each.setting}, {each.quantity}: printed {each.printed}, computed "
            f"{each.computed:.7g}, difference {each.difference:.2g}"
            + (f" ({each.reason})" if each.reason else ""),
            soft_wrap=True,
        )
    agree = sum(each.reproduced for each in numbers)
    console.print(f"{agree} of {len(numbers)} agree to the printed digits")
