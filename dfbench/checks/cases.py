"""A check that looks at several cases: step counts, the entries of a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dfbench.errors import NotAffine, SubjectError, Undefined, Unsupported
from dfbench.levels import Array
from dfbench.outcome import Finding, deciding, inconclusive, judge, skip
from dfbench.protocols import VALUES

#: The step counts that people use, the fewest first.
STEPS = (*sorted(VALUES["steps"]), 100)
NOT_RUN = skip("no step count could be run", "not asked")


def if_defined(
    ask: Callable[[Any, Sequence[int]], Finding], subject: Any, counts: Sequence[int]
) -> Finding:
    """A check at some step counts; skipped where a prediction does not exist that it needs."""
    try:
        return ask(subject, counts)
    except Undefined as reason:
        return skip(str(reason), "not asked")


def at_steps(counts: Iterable[int], look: Callable[[int], Finding]) -> Iterator[Finding]:
    """What is found at each step count, but those that the subject cannot run.

    That a run of one of them breaks leaves what is found at the others.
    """
    for n in counts:
        try:
            found = look(n)
        except Unsupported:
            continue
        except NotAffine as reason:
            found = inconclusive(f"{n} steps: {reason}", "not affine")
        except SubjectError as error:
            found = inconclusive(f"{n} steps: {error}", "blocked")
        yield found


def worst_of(findings: Iterable[Finding], none: Finding = NOT_RUN) -> Finding:
    """Of findings on several step counts, the fewest first, the failure of the largest size.

    With the counterexample, and the place, of the first that fails: the simplest to look into;
    of the quantities, the largest of each.
    Where none fails, `deciding`.
    """
    found = list(findings)
    failures = [finding for finding in found if finding.verdict == "fail"]
    if not failures:
        return deciding(found, none)
    first = failures[0]
    alike = [finding for finding in failures if finding.unit == first.unit]
    worst = max(alike, key=_size)
    sizes: dict[str, float] = {}
    for each in alike:
        for name, size in (each.quantities or {}).items():
            sizes[name] = max(size, sizes.get(name, size))
    first = replace(first, quantities=sizes or None)
    if worst is failures[0]:
        return first
    return replace(
        first,
        measured=worst.measured,
        bound=worst.bound,
        where=f"{first.where}; largest in {worst.where}",
    )


def _size(finding: Finding) -> float:
    """What is measured; what is not a number is as large as can be."""
    measured = finding.measured
    return math.inf if measured is None or math.isnan(measured) else measured


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
    """Hold every entry of an array to its bound.

    The finding is on the largest of those that exceed theirs, else on the one that uses most of it.

    Args:
        error, bound: of one shape, or the bound broadcasts to it.
        where: the indices of an entry → its place in words.
        **details: of `Finding`.
    """
    bounds = np.broadcast_to(bound, error.shape)
    beyond = ~(error <= bounds)
    size = (
        np.where(beyond, np.nan_to_num(error, nan=np.inf), -1.0) if beyond.any() else error / bounds
    )
    entry = np.unravel_index(int(np.argmax(size)), error.shape)
    place = where(*map(int, entry)) if where else None
    return judge(float(error[entry]), float(bounds[entry]), where=place, **details)
