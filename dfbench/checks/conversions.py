"""What is asked of a conversion: its two numbers, the ends, rows of their own levels, dtypes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from dfbench.checks.cases import judge_entries, worst_of
from dfbench.errors import SubjectError
from dfbench.levels import Array
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.subjects.conversion import FITS, LEVELS, Case, ConversionSubject

SOURCE = "GAO; CLAIMS 16; dfbench/predictions.py"
NEAR = np.array([1e-4, 1e-3, 1e-2, 0.1, 0.9, 0.99, 0.999, 0.9999])  # parts of the way to noise


def _eps_to_x(
    number: float = 0.0, end: float = 0.0, last: float = 0.0, wide: float = 0.0, early: float = 0.0
) -> ConversionSubject:
    """x = (z − σ ε)/α of v, with a defect: of a number, an end, the axis of the rows, bfloat16."""

    def v_to_x(v: Any, z: Any, alpha: Any, sigma: Any) -> Any:
        shape = (-1,) + (1,) * (z.ndim - 1)
        a, s = torch.as_tensor(alpha), torch.as_tensor(sigma)
        if early:
            z = z * (1 + 0 * s.sum() / 0)
        if wide:
            z = z.bfloat16().to(z)
        if last and z.ndim == 2 and a.numel() == z.shape[1]:
            return a * z - s * v
        a, s = a.reshape(shape), s.reshape(shape)
        return (a * z - (1 + number) * s * v) * torch.where(a + s > 1 + 1e-9, 1.0, 1.0 + end)

    return ConversionSubject(v_to_x, "dfbench:v_to_x", claims={"kind": "conversion"})


def _each(subject: ConversionSubject, look: Callable[[Case], Finding | None]) -> Iterator[Finding]:
    for case in subject.cases:
        try:
            found = look(case)
        except ValueError:  # the source does not determine the target there
            continue
        if found is not None:
            yield found


NOTHING = skip("nobody says which kinds it converts: declare `predicts` and `gives`", "not asked")


@claim(
    "conversion-runs",
    "A prediction of the state's shape comes out, finite at every level between the ends.",
    source=SOURCE,
    control=lambda size: _eps_to_x(early=1.0),
    control_size=1.0,
    sized=False,
    kind="conversion",
    of_the_run=True,
    core="the run",
    formula="the number of levels (nine between the ends) at which the prediction that comes out "
    "is missing, of another shape or not finite",
    remedy="Run it by hand at the level that is named; a division by α or σ has to work between "
    "the ends.",
)
def runs_check(subject: ConversionSubject) -> Finding:
    """Nine levels, random states and predictions."""
    details: dict[str, Any] = {"unit": "levels without a prediction", "derivation": "none may be"}
    cases = subject.cases or (Case(subject.source or "eps", subject.target or "x"),)
    count = 0
    for case in cases:
        try:
            count += int((~np.isfinite(subject.read(case).c_m)).sum())
        except SubjectError as error:
            return judge(math.inf, 0, failing={"why": str(error)}, **details)
    return judge(count, 0, failing={"why": "what comes out is not finite"}, **details)


@claim(
    "conversion-matrix",
    "target = c_z z + c_m m with the two numbers that follow from z = α x + σ ε, at every level "
    "and for every pair of kinds.",
    source=SOURCE,
    control=lambda size: _eps_to_x(number=size),
    control_size=1e-3,
    kind="conversion",
    core="the numbers",
    formula="|(c_z, c_m) − (c_z*, c_m*)| relative, the two numbers of target = c_z z + c_m m by "
    "least squares, and the ones that follow from z = α x + σ ε",
    remedy="Solve z = α x + σ ε with the definition of the prediction for the target and compare "
    "both numbers. If the numbers are those of another kind, your declaration `predicts` or "
    "`gives` is what is wrong.",
)
def matrix_check(subject: ConversionSubject) -> Finding:
    """Both numbers by least squares over the elements of a row; what is left is no such sum."""

    def look(case: Case) -> Finding:
        times, alpha, sigma = subject.levels(case)
        off = subject.off(case, times, alpha, sigma)
        read, (c_z, c_m) = subject.read(case), subject.exact(case, times, alpha, sigma)
        j = int(np.nanargmax(np.where(np.isfinite(off), off, np.inf)))
        linear = bool(read.rest[j] <= FITS)
        return judge_entries(
            off,
            FITS,
            unit="of the two numbers",
            derivation="float32 tables: 1e-4",
            failing={
                "where": f"{case} at α = {alpha[j]:.6g}, σ = {sigma[j]:.6g}: {read.c_z[j]:.6g} z + "
                f"{read.c_m[j]:.6g} m, should be {c_z[j]:.6g} and {c_m[j]:.6g}",
                "why": None if linear else "it is no sum of multiples of state and prediction",
                "counterexample": _example(subject, case, j, times, alpha, sigma, c_z, c_m),
            },
        )

    return worst_of(_each(subject, look), NOTHING)


def _example(
    subject: ConversionSubject,
    case: Case,
    j: int,
    times: Array,
    alpha: Array,
    sigma: Array,
    c_z: Array,
    c_m: Array,
) -> dict[str, Any]:
    """State 1 and prediction 2 at the level where it is farthest off."""
    told = {"time": times, "alpha": alpha, "sigma": sigma, "alpha_bar": alpha**2}
    given: dict[str, Any] = {subject.roles["state"]: [[1.0]], subject.roles["prediction"]: [[2.0]]}
    for role, values in told.items():
        if role in subject.roles:
            value = float(values[j])
            whole = int(value) if subject.form == "whole rows" else value
            forms = {"numbers": value, "columns": [[value]]}
            given[subject.roles[role]] = forms.get(subject.form, [whole])
    given |= {subject.roles[role]: word for role, word in case.given}
    return {"arguments": given | subject.call, "should be": float(c_z[j] + 2 * c_m[j])}


@claim(
    "conversion-ends",
    "At pure data and at pure noise, wherever the source determines the target, it is right too.",
    source=SOURCE,
    control=lambda size: _eps_to_x(end=size),
    control_size=1e-2,
    kind="conversion",
    formula="|target − c_z z − c_m m| relative to its terms, at σ = 0 and at α = 0",
    remedy="Rearrange so that nothing is divided by α or σ where the limit exists: x from v is α z "
    "− σ v, at every level.",
)
def ends_check(subject: ConversionSubject) -> Finding:
    """The ends themselves, 0/0 and 1/0 among what may come out; in float64."""

    def look(case: Case, end: float) -> Finding | None:
        at = np.array([end, 0.5])  # at 0.5 the form is known to work
        times, alpha, sigma = subject.levels(case, at)
        if min(alpha[0], sigma[0]) > 1e-9 or not np.isfinite([alpha, sigma]).all():
            return None  # its times have no such end
        alone = times[:1], alpha[:1], sigma[:1]
        c_z, c_m = subject.exact(case, *alone)
        read = subject.read(case, at)
        size = max(float(np.hypot(c_z[0], c_m[0])), 1e-12)  # a score times σ is nothing at data
        if not size < 1e9:
            return None
        z, m, *level = subject._inputs(case, at)
        try:
            out = subject.convert(case, z, m, *level).double()[0]
        except SubjectError as error:
            return judge(math.inf, FITS, failing={"why": str(error)}, unit="of the prediction")
        should = float(c_z[0]) * z[0] + float(c_m[0]) * m[0]
        off = float((out - should).abs().max() / (size * (z[0].abs() + m[0].abs()).max()))
        where = "pure data" if sigma[0] < 1e-9 else "pure noise"
        return judge(
            math.inf if math.isnan(off) else off,
            FITS,
            unit="of the prediction",
            derivation="float32 tables: 1e-4",
            failing={
                "where": f"{case} at {where}",
                "why": None if np.isfinite(read.c_m[0]) else "what comes out is not finite",
                "counterexample": _example(
                    subject, case, 0, times, alpha, sigma, *(np.asarray(c) for c in (c_z, c_m))
                ),
            },
        )

    found = [f for end in (0.0, 1.0) for f in _each(subject, lambda case: look(case, end))]  # noqa: B023
    return worst_of(found, skip("no end of it has a level at which the source tells the target"))


@claim(
    "conversion-rows",
    "Each row is converted at its own level, in a batch as wide as it is long, too.",
    source="DESIGN: rows are independent",
    control=lambda size: _eps_to_x(last=1.0),
    control_size=1.0,
    sized=False,
    kind="conversion",
    harm="interface",
    formula="|target − c_z z − c_m m| relative, in batches whose rows, columns and channels are "
    "equally many",
    remedy="Reshape levels to (rows, 1, 1 …) before multiplying: as (rows,) they run along the "
    "last axis.",
)
def rows_check(subject: ConversionSubject) -> Finding:
    """As many columns as rows, in two dimensions and in four: broadcasting cannot tell them."""

    def look(case: Case, shape: tuple[int, ...]) -> Finding:
        z, m, *level = subject._inputs(case, LEVELS, shape)
        out = subject.convert(case, z, m, *level).double()
        columns = torch.stack([z.reshape(len(z), -1), m.reshape(len(z), -1)], -1)
        read = subject.read(case)
        numbers = torch.tensor(np.stack([read.c_z, read.c_m], -1))
        rest = (out.reshape(len(z), -1) - (columns * numbers[:, None]).sum(-1)).abs()
        off = float(rest.max() / (columns * numbers[:, None]).abs().max())
        return judge(
            math.inf if math.isnan(off) else off,
            FITS,
            unit="of the prediction",
            derivation="the same numbers as in a batch of another shape",
            failing={"where": f"{case}, states of shape {(len(z), *shape)}"},
        )

    if subject.form not in ("rows", "whole rows"):
        return skip("it takes no level for each row")
    n = len(LEVELS)
    shapes: tuple[tuple[int, ...], ...] = ((n,), (n, n, n))
    return worst_of(f for s in shapes for f in _each(subject, lambda case: look(case, s)))  # noqa: B023


@claim(
    "conversion-dtype",
    "In float32 a prediction of float32 comes out, with three digits, near the ends too.",
    source="DESIGN: numerical rules",
    control=lambda size: _eps_to_x(wide=1.0),
    control_size=1.0,
    sized=False,
    kind="conversion",
    harm="interface",
    formula="|target in float32 − (c_z z + c_m m)| of the larger term, near both ends",
    remedy="Return the dtype that came in, and compute 1 − ᾱ or σ from what is small, not as a "
    "difference of numbers near 1.",
)
def dtype_check(subject: ConversionSubject) -> Finding:
    """Against its own numbers in float64, of the larger term."""

    def look(case: Case) -> Finding:
        z, m, *level = subject._inputs(case, NEAR, dtype=torch.float32)
        out = subject.convert(case, z, m, *level)
        if out.dtype != torch.float32:
            why = f"returns {str(out.dtype).removeprefix('torch.')} for float32"
            return judge(
                1.0, 0.0, unit="results of another dtype", failing={"why": why}, harm="interface"
            )
        whole = subject.read(case, NEAR)
        c_z, c_m = (torch.tensor(c)[:, None] for c in (whole.c_z, whole.c_m))
        flat = [each.double().reshape(len(NEAR), -1) for each in (z, m, out)]
        size = (c_z * flat[0]).abs().amax(1) + (c_m * flat[1]).abs().amax(1)
        off = (flat[2] - c_z * flat[0] - c_m * flat[1]).abs().amax(1) / size
        j = int(off.nan_to_num(torch.inf).argmax())
        return judge_entries(
            off.numpy(),
            3e-4,
            unit="of the larger term",
            derivation="1 − t at 1e-4 from its end, in float32: 3e-4",
            failing={"where": f"{case} at α = {level[1][j]:.4g}, σ = {level[2][j]:.4g}"},
        )

    return worst_of(_each(subject, look), NOTHING)
