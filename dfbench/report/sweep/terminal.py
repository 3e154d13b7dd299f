"""The answer of a study on the terminal: which sampler is best where, in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from dfbench.report.sweep import data, ranking
from dfbench.report.terminal import columns
from dfbench.wording import clean

MOST = 30  # lines; beyond, the page is the place
WIDE = 110  # characters
NAMED = 3  # samplers of a tie


def answer(directory: Path, console: Console) -> None:
    """Print the best sampler for every target and budget, with ties; nothing if none compete."""
    found = ranking.contests(data.load([directory]).rows)
    if not found or len(found) > MOST:
        return
    rows = [
        (
            contest.target if contest.target != before else "",
            str(contest.budget),
            "noise" if (best := contest.results[0]).in_noise else f"{best.value:.3g}",
            _names(contest, console.width >= WIDE),
            _next(contest),
        )
        for contest, before in zip(found, [None, *(each.target for each in found)], strict=False)
    ]
    headings = ("data", "evaluations", "least error", "best", "next, × the error")
    columns(console, headings, rows, right=("evaluations", "least error"))
    metrics: dict[str, Any] = {contest.target: contest.metric for contest in found}
    said = "; ".join(f"{clean(target)}: {metric}" for target, metric in metrics.items())
    console.print(
        Text(f"error by {said}. 'noise': as small as that of as many exact samples.", "dim"),
        soft_wrap=True,
    )


def _names(contest: ranking.Contest, whole: bool) -> str:
    """The best sampler, with its schedule and grid where there is room."""
    names = list(dict.fromkeys(each.sampler for each in contest.best))
    if len(names) == 1:
        return contest.results[0].config if whole and len(contest.best) == 1 else names[0]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"tied: {', '.join(names[:NAMED])}{more}"


def _next(contest: ranking.Contest) -> str:
    if contest.next is None or contest.lead is None or contest.results[0].in_noise:
        return ""
    return f"{contest.next.sampler} ×{contest.lead:.3g}"
