"""Hold formulas or trained networks to the claims of the literature: checks and controls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dfbench import environment
from dfbench.errors import Unusable
from dfbench.literature import PRINTED, ROWS, TRAINED, Statements
from dfbench.outcome import Finding, Verdict, broken, worst
from dfbench.progress import Progress, quiet

if TYPE_CHECKING:
    from dfbench.literature.statement import Literature, Printed
    from dfbench.literature.trained import Lab


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

    SCHEMA = "dfbench.claims/1"

    @property
    def verdict(self) -> Verdict:
        """The worst claim."""
        return worst(outcome.verdict for outcome in self.outcomes)


def named(ids: Iterable[str] | None = None, *, trained: bool = False) -> list[Literature | Printed]:
    """The claims with these ids ("34", "P6"), in the order of the list; all of them for None.

    Args:
        trained: those on trained networks instead ("T34", or "34").

    Raises:
        Unusable: there is no such claim.
    """
    of: tuple[Statements[Any], ...] = (TRAINED,) if trained else (ROWS, PRINTED)
    known = {f"{each.letter}{number}": (each, number) for each in of for number in each}

    def name(text: str) -> str:
        return text.upper() if text.upper() in known else of[0].letter + text.upper()

    ids = list(known if ids is None else ids)
    if unknown := [text for text in ids if name(text) not in known]:
        kind = "claim on trained networks" if trained else "claim"
        there = ", and ".join(_spans(each) for each in of)
        raise Unusable(f"no {kind} {', '.join(unknown)}; there are {there}")
    wanted = set(map(name, ids))
    return [each[number] for id, (each, number) in known.items() if id in wanted]


def _spans(of: Statements[Any]) -> str:
    """The numbers there are: "1 to 47", "T13 to T21, T24"."""
    runs = [
        [number for _, number in run] for _, run in groupby(enumerate(of), lambda at: at[1] - at[0])
    ]
    ends = ({f"{of.letter}{run[0]}": None, f"{of.letter}{run[-1]}": None} for run in runs)
    return ", ".join(" to ".join(each) for each in ends)


def check_claims(
    ids: Iterable[str] | None = None, *, lab: Lab | None = None, progress: Progress = quiet
) -> Claims:
    """Check claims of the literature on the reference implementations, or on trained networks.

    Args:
        ids: as `named` takes them; all by default.
        lab: trains the networks that the claims on trained networks ask for.
        progress: called as (title, done, total) after each.

    Raises:
        Unusable: there is no such claim.
    """
    start = time.perf_counter()
    claims = named(ids, trained=lab is not None)
    outcomes: list[Outcome] = []
    for claim in claims:
        outcomes.append(examine(claim, lab))
        progress(claim.title, len(outcomes), len(claims))
    return Claims(tuple(outcomes), environment.describe(), time.perf_counter() - start)


def examine(claim: Literature | Printed, lab: Lab | None = None) -> Outcome:
    """Check one claim, and its control."""
    finding = _held(claim, claim.subject, lab)
    control = _held(claim, lambda: claim.control(claim.control_size), lab)
    if finding.verdict == "pass" and control.verdict != "fail":
        finding = replace(finding, why="its control does not fail, so that the check shows nothing")
    return Outcome(claim, finding, control)


def _held(claim: Literature | Printed, formula: Callable[[], Any], lab: Lab | None) -> Finding:
    try:
        return claim(formula() if lab is None else (formula(), lab))
    except Exception as error:  # an error of ours: say so, and go on with the others
        return replace(broken(error), claim=claim.id, statement=claim.statement)
