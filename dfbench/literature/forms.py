"""A formula as printed beside its corrected form: the verdict on the pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Any

from hypothesis import strategies as st

from dfbench.literature.parts import Deviation
from dfbench.outcome import Finding


def on_both(
    deviation: Deviation[...],
    pair: tuple[Any, Any],
    *,
    holds: bool,
    examples: int = 40,
    quantities: Mapping[str, float] | None = None,
    **cases: st.SearchStrategy[Any],
) -> Finding:
    """Pass if the corrected form holds, and the printed one does exactly if `holds`.

    Args:
        deviation: (form, **case) → deviation from the truth.
        pair: (printed, corrected).
        quantities: what else is reported.
        examples, cases: as in `Deviation.for_all`.
    """
    printed, corrected = (deviation.for_all(form, examples=examples, **cases) for form in pair)
    largest = replace(deviation, bound=inf).for_all(pair[0], examples=examples, **cases).measured
    found = {"printed": largest or 0.0, "corrected": corrected.measured or 0.0}
    found |= quantities or {}
    if corrected.verdict != "pass":
        return replace(corrected, why="the corrected form does not hold", quantities=found)
    if (printed.verdict == "pass") != holds:
        why = f"as printed it {'does not hold' if holds else 'holds'}"
        return replace(printed, verdict="fail", why=why, quantities=found)
    return replace(corrected, counterexample=printed.counterexample, quantities=found)
