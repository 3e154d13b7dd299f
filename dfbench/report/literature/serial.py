"""Outcomes of the claims of the literature as JSON, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dfbench import jsons
from dfbench.literature.run import Claims, Outcome
from dfbench.literature.statement import Literature, Printed
from dfbench.outcome import Finding
from dfbench.reading import typed

#: What is written of the finding, and of the finding on the broken variant.
FINDING = (
    "measured bound unit derivation where why counterexample quantities series seconds cause sense"
)
CONTROL = "verdict measured counterexample"


def dumps(claims: Claims) -> str:
    """JSON text of schema `dfbench.claims/1`."""
    content = {
        "schema": Claims.SCHEMA,
        "verdict": claims.verdict,
        "claims": [outcome(each) for each in claims.outcomes],
        "environment": claims.environment,
        "seconds": claims.seconds,
    }
    return jsons.text(content)


def outcome(outcome: Outcome) -> dict[str, Any]:
    """One claim with what was found."""
    claim = outcome.claim
    known: dict[str, Any] = {
        "claim": claim.id,
        "title": claim.title,
        "statement": claim.statement,
        "source": claim.source,
        "verdict": outcome.verdict,
        **{name: getattr(outcome.finding, name) for name in FINDING.split()},
        "control": {
            "size": claim.control_size,
            **{name: getattr(outcome.control, name) for name in CONTROL.split()},
        },
    }
    if isinstance(claim, Printed):
        return known | {
            "holds": claim.holds,
            "corrected": claim.corrected,
            "where_holds": claim.where,
        }
    return known | {"condition": claim.condition}


def read(content: dict[str, Any], claim: Literature | Printed, origin: str) -> Outcome:
    """One claim with what `outcome` wrote; its words are those of today.

    Raises:
        Unusable: it did not write this.
    """
    control = {"claim": claim.id, **content.get("control", {})}
    finding, broken = (typed(Finding, each, origin) for each in (content, control))
    return Outcome(claim, *(replace(each, statement=claim.statement) for each in (finding, broken)))
