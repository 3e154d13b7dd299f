"""Outcomes of the claims of the literature as JSON."""

from __future__ import annotations

from typing import Any

from dfbench import jsons
from dfbench.literature.run import Claims, Outcome
from dfbench.literature.statement import Printed

FINDING = (
    "measured",
    "bound",
    "unit",
    "derivation",
    "where",
    "why",
    "counterexample",
    "quantities",
    "series",
    "seconds",
)


def dumps(claims: Claims) -> str:
    """JSON text of schema `dfbench.claims/1`."""
    content = {
        "schema": Claims.SCHEMA,
        "verdict": claims.verdict,
        "claims": [outcome(each) for each in claims.outcomes],
        "environment": claims.environment,
        "seconds": claims.seconds,
    }
    return jsons.dumps(content) + "\n"


def outcome(outcome: Outcome) -> dict[str, Any]:
    """One claim with what was found, in JSON's own types."""
    claim = outcome.claim
    known: dict[str, Any] = {
        "claim": claim.id,
        "title": claim.title,
        "statement": claim.statement,
        "source": claim.source,
        "verdict": outcome.verdict,
        **{name: jsons.plain(getattr(outcome.finding, name)) for name in FINDING},
        "control": {
            "size": claim.control_size,
            "verdict": outcome.control.verdict,
            "measured": jsons.plain(outcome.control.measured),
            "counterexample": jsons.plain(outcome.control.counterexample),
        },
    }
    if isinstance(claim, Printed):
        known |= {"holds": claim.holds, "corrected": claim.corrected, "where_holds": claim.where}
    else:
        known |= {"condition": claim.condition}
    return known
