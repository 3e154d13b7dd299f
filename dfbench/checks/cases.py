"""A check that looks at several cases: step counts, the entries of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dfbench.errors import Unsupported
from dfbench.levels import Array
from dfbench.outcome import Finding, judge, skip

NOT_RUN = skip("no step count could be run", "not asked")


def at_steps(counts: Iterable[int], look: Callable[[int], Finding]) -> Iterator[Finding]:
    """What is found at each step count, but those that the subject cannot run."""
    for n in counts:
        try:
            found = look(n)
        except Unsupported:
            continue
        yield found


def last(findings: Iterable[Finding], none: Finding = NOT_RUN) -> Finding:
    """The first that does not pass, else the last: the run of most steps, say."""
    finding = none
    for finding in findings:
        if finding.verdict != "pass":
            break
    return finding


def largest(findings: Iterable[Finding]) -> Finding:
    """The finding that uses most of its bound, or exceeds it by most."""
    return max(findings, key=lambda finding: finding.used)


def judge_entries(
    error: Array, bound: ArrayLike, where: Callable[..., str] | None = None, **details: Any
) -> Finding:
    """Hold every entry of an array to its bound: the finding is on the one that uses most of it.

    Args:
        error, bound: of one shape, or the bound broadcasts to it.
        where: the indices of an entry → its place in words.
        **details: of `Finding`.
    """
    bounds = np.broadcast_to(bound, error.shape)
    entry = np.unravel_index(int(np.argmax(error / bounds)), error.shape)
    place = where(*map(int, entry)) if where else None
    return judge(float(error[entry]), float(bounds[entry]), where=place, **details)
