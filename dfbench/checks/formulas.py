"""What is asked of a number that follows from a formula: that it is that, for every row."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dfbench.checks.cases import judge_entries
from dfbench.checks.precision import TABLES
from dfbench.errors import SubjectError
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.subjects.formula import FormulaSubject

SOURCE = "the formula that is declared"
DIGITS = 16 * TABLES  # of float32, over a few operations
UNKNOWN = skip("nobody says what it should be and where: declare `formula`, `at`", "not asked")


def _snr(*, off: float = 0.0, flat: float = 0.0, early: float = 0.0) -> FormulaSubject:
    """(1 − s)²/s² of flow's σ, with a defect."""

    def snr(s: torch.Tensor) -> torch.Tensor:
        found = ((1 - s) / s) ** (2 * (1 + off))
        if flat:
            found = found.flatten()[0].expand(s.shape)
        return found / (found < 1e3) if early else found

    claims = {"formula": lambda s: ((1 - s) / s) ** 2, "at": [0.01, 0.1, 0.3, 0.5, 0.9]}
    return FormulaSubject(snr, "dfbench:snr", claims={"kind": "formula"} | claims)


@claim(
    "formula-runs",
    "There is a number for every argument, and it is finite.",
    source=SOURCE,
    control=lambda size: _snr(early=size),
    control_size=1.0,
    sized=False,
    kind="formula",
    of_the_run=True,
    harm="training",
    core="the run",
    formula="the number of arguments whose value is not finite",
    remedy="Return a tensor of the shape of the arguments; mind the ends, where a ratio is 1/0.",
)
def runs_check(subject: FormulaSubject) -> Finding:
    """All arguments at once."""
    if not len(subject.at):
        return UNKNOWN
    details: dict[str, Any] = {"unit": "arguments without a number", "derivation": "none may be"}
    try:
        values = subject.values(subject.at)
    except SubjectError as error:
        return judge(1, 0, failing={"why": str(error)}, **details)
    wrong = ~np.isfinite(values)
    where = f"at {subject.at[np.argmax(wrong)]:g}"
    return judge(int(wrong.sum()), 0, failing={"where": where}, **details)


@claim(
    "formula-value",
    "The numbers are those of the formula that is declared.",
    source=SOURCE,
    control=lambda size: _snr(off=size),
    control_size=1e-3,
    kind="formula",
    harm="training",
    core="the numbers",
    formula="|found − exact|/|exact|, the largest over the arguments",
    remedy="Compare with the formula at the argument that is printed: a square, a step too many, a "
    "bound left out.",
)
def value_check(subject: FormulaSubject) -> Finding:
    """At every argument, as float32 holds it."""
    if subject.formula is None or not len(subject.at):
        return UNKNOWN
    at = subject.at.astype(np.float32).astype(float)
    values, exact = subject.values(subject.at), np.asarray(subject.formula(at), dtype=float)
    off = np.abs(values - exact) / np.where(exact == 0, 1.0, np.abs(exact))
    j = int(np.argmax(off))
    return judge_entries(
        off,
        DIGITS,
        unit="relative",
        derivation="16 u of float32",
        failing={
            "where": f"at {at[j]:g}: {values[j]:.7g}, should be {exact[j]:.7g}",
            "counterexample": {"argument": float(at[j]), "should be": float(exact[j])},
        },
    )


@claim(
    "formula-rows",
    "The number of a row is that of its own argument, in whatever shape arguments come.",
    source=SOURCE,
    control=lambda size: _snr(flat=size),
    control_size=1.0,
    sized=False,
    kind="formula",
    harm="training",
    formula="the number of rows whose value in a batch differs from that alone by more than 16 u",
    remedy="Index by the row's own argument, and keep the shape that came in.",
)
def rows_check(subject: FormulaSubject) -> Finding:
    """One at a time, in turn, and as rows of an image."""
    if not len(subject.at):
        return UNKNOWN
    alone = np.array([float(subject.values(one[None])[0]) for one in subject.at])
    wrong = []
    for shape in ((-1,), (-1, 1), (-1, 1, 1, 1)):
        turned = subject.values(subject.at[::-1].copy(), shape)[::-1]
        for j in np.flatnonzero(~np.isclose(turned, alone, rtol=DIGITS, atol=0)):
            wrong.append(f"at {subject.at[j]:g}: {turned[j]:.7g} in a batch, alone {alone[j]:.7g}")
    return judge(
        len(wrong),
        0,
        unit="rows with another number",
        derivation="none may be",
        failing={"where": next(iter(wrong), None)},
    )
