"""The claims of the literature as one self-contained page: mathematics, margins, figures, data."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

from dfbench import wording
from dfbench.literature import PARTS
from dfbench.literature.run import Claims, Outcome
from dfbench.literature.statement import Printed
from dfbench.report.literature.formula import math, prose
from dfbench.report.page import Chart, Table, fill, table

#: Arguments of checks, as they are written.
NAMES = {"lam": "λ", "eta": "η", "eps": "ε", "epsilon": "ε", "delta": "δ", "x": "x", "theta": "θ"}


def render(claims: Claims, *, title: str = "The claims of the literature") -> str:
    """The page, complete: formulas as MathML, figures as SVG, their data as CSV."""
    printed = [o for o in claims.outcomes if isinstance(o.claim, Printed)]
    rows = [(o.claim.part, o) for o in claims.outcomes if not isinstance(o.claim, Printed)]
    parts = {name: [outcome for part, outcome in rows if part == name] for name in PARTS}
    environment = dict(claims.environment)
    command = environment.pop("command", None)
    said = {key: wording.line(value) for key, value in environment.items()}
    return fill(
        "literature.html",
        "slider.js",
        filters=FILTERS,
        title=title,
        **counts(claims.outcomes),
        parts={name: outcomes for name, outcomes in parts.items() if outcomes},
        printed=printed,
        command=command,
        environment=said | {"seconds": wording.printed(claims.seconds)},
    )


def counts(outcomes: tuple[Outcome, ...]) -> dict[str, Any]:
    """What a headline says of outcomes."""
    passed = sum(o.verdict == "pass" for o in outcomes)
    return {
        "verdict": "pass" if passed == len(outcomes) else "fail",
        "passed": passed,
        "total": len(outcomes),
        "caught": sum(o.control.verdict == "fail" for o in outcomes),
    }


def figure(outcome: Outcome, prefix: str) -> Chart | None:
    """The claim's figure, drawn from its series; None where it has none."""
    claim, finding = outcome.claim, outcome.finding
    if claim.figure is None or not finding.series:
        return None
    draw = partial(claim.figure, finding)
    return Chart(f"{prefix}{claim.id}-figure", claim.title, draw, table=series(outcome))


def series(outcome: Outcome) -> Table:
    """The series of a finding, a column each."""
    found = outcome.finding.series or {}
    rows = zip_longest(*found.values(), fillvalue="")
    return table(f"claim-{outcome.claim.id}", found, rows)


@dataclass(frozen=True)
class Moving:
    """The claim's slider: a chart that holds all positions, and what is said at each (JSON)."""

    label: str
    last: int
    chart: Chart
    said: str


def slider(outcome: Outcome, prefix: str) -> Moving | None:
    """The claim's slider; None where it has none."""
    made, found = getattr(outcome.claim, "slider", None), outcome.finding.series
    if made is None or not found:
        return None
    readings = {
        text: [wording.printed(value) for value in found[name]]
        for text, name in made.readings.items()
    }
    return Moving(
        made.label,
        len(made.positions) - 1,
        Chart(
            f"{prefix}{outcome.claim.id}-moving",
            f"{made.y} over {made.x}",
            partial(made.moving, outcome.finding),
        ),
        json.dumps({"positions": made.positions, "readings": readings}, ensure_ascii=False),
    )


def case(value: dict[str, Any] | None) -> str:
    """A counterexample on one line."""
    return ", ".join(
        f"{NAMES.get(n, n)} = {wording.line(each)}" for n, each in (value or {}).items()
    )


FILTERS: dict[str, Callable[..., Any]] = {
    "math": math,
    "prose": prose,
    "case": case,
    "figure": figure,
    "series": series,
    "slider": slider,
}
