"""The kinds of subjects that are called once, and are no samplers: by the name of the kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dfbench.subjects import (
    conversion,
    coupling,
    drawn_times,
    formula,
    integrator,
    likelihood,
    loss,
    schedule,
)
from dfbench.subjects.subject import Subject

KINDS: dict[str, Any] = {
    "schedule": schedule.ScheduleSubject,
    "loss": loss.LossSubject,
    "conversion": conversion.ConversionSubject,
    "coupling": coupling.CouplingSubject,
    "formula": formula.FormulaSubject,
    "integrator": integrator.IntegratorSubject,
    "likelihood": likelihood.LikelihoodSubject,
    "times": drawn_times.TimesSubject,
}


def kind_of(thing: Any, claims: Mapping[str, Any]) -> str | None:
    """The kind that something is declared to be, or recognised as; None: of none of these."""
    declared = claims.get("kind")
    if declared is not None:
        return declared if declared in KINDS else None
    if schedule.recognises(thing, claims):
        return "schedule"
    if coupling.recognises(thing):
        return "coupling"
    if callable(thing) and conversion.recognises(thing, claims):
        return "conversion"
    return "loss" if callable(thing) and loss.recognises(thing, claims) else None


def made(kind: str, *given: Any) -> Subject:
    """A subject of a kind; the arguments are those of every one of them."""
    found: Subject = KINDS[kind](*given)
    return found
