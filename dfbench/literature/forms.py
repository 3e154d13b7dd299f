"""A formula as printed beside its corrected form: the verdict on the pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

from hypothesis import strategies as st

from dfbench.literature.statement import for_all
from dfbench.outcome import Finding


def on_both(
    measure: Callable[..., float],
    pair: tuple[Any, Any],
    bound: float,
    *,
    holds: bool,
    unit: str | None = None,
    derivation: str | None = None,
    examples: int = 40,
    **cases: st.SearchStrategy[Any],
) -> Finding:
    """Pass if the corrected form holds, and the printed one does exactly if `holds`.

    Args:
        measure: (form, **case) → deviation from the truth.
        pair: (printed, corrected).
        bound, unit, derivation, examples, cases: as in `for_all`.
    """
    rest: dict[str, Any] = {**cases, "unit": unit, "derivation": derivation, "examples": examples}
    printed, corrected = (for_all(partial(measure, form), bound, **rest) for form in pair)
    largest = for_all(partial(measure, pair[0]), inf, **rest).measured or 0.0
    quantities = {"printed": largest, "corrected": corrected.measured or 0.0}
    if corrected.verdict != "pass":
        return replace(corrected, why="the corrected form does not hold", quantities=quantities)
    if (printed.verdict == "pass") != holds:
        why = f"as printed it {'does not hold' if holds else 'holds'}"
        return replace(printed, verdict="fail", why=why, quantities=quantities)
    return replace(corrected, counterexample=printed.counterexample, quantities=quantities)
