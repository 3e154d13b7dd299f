"""Is it the method it says it is, coefficient by coefficient?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dfbench.claims.base import Finding, claim, inconclusive, judge, skip
from dfbench.claims.precision import TABLES, sensitivity
from dfbench.errors import Unsupported
from dfbench.levels import Array, Grid
from dfbench.subjects.base import Reference, Sampler
from dfbench.subjects.reference import Defect, MethodSampler
from dfbench.table import Table

STEPS = (1, 2, 3, 4, 5, 7, 10, 16)


def _wrong_weight(size: float) -> Sampler:
    """The weight of one model output is off by the factor 1 + size."""
    return MethodSampler(
        "ddim", defect=Defect(output=lambda m, j: m * (1 + size) if j == 4 else m)
    )


@claim(
    "identity",
    "On the same levels, every coefficient equals that of the published method.",
    source="the method's paper, see the reference sampler",
    control=_wrong_weight,
    control_size=1e-3,
    rows=(28, 34, 42),
)
def identity_check(subject: Sampler) -> Finding:
    """Table against reference table, at several step counts on the released grid."""
    closest: Finding | None = None
    for n in STEPS:
        try:
            session = subject.session(n)
            reference = subject.reference(session)
        except Unsupported:
            continue
        if reference is None:
            return skip("no published method is known for this class and these options")
        finding = _compare(subject, n, reference)
        if finding.verdict != "pass":
            return finding
        if closest is None or _used(finding) > _used(closest):
            closest = finding
    return closest or skip("no step count could be run")


def _used(finding: Finding) -> float:
    return (finding.measured or 0.0) / (finding.bound or 1.0)


def _compare(subject: Sampler, n: int, reference: Reference) -> Finding:
    table = comparable(subject.affine_reading(n).table)
    build: Callable[[Grid], Table] = lambda grid: comparable(reference.build(grid))  # noqa: E731
    try:
        expected = build(reference.grid)
    except ValueError as reason:
        return inconclusive(f"{reference.name} does not exist on these levels: {reason}",
                            where=f"{n} steps")  # fmt: skip
    counterexample: dict[str, Any] = {"steps": n}
    if table.nfe != expected.nfe or table.n_draws != expected.n_draws:
        what = "model evaluations" if table.nfe != expected.nfe else "Gaussian draws"
        mine, other = (
            (table.nfe, expected.nfe)
            if table.nfe != expected.nfe
            else (table.n_draws, expected.n_draws)
        )
        return judge(
            float(abs(mine - other)), 0.0, unit=f"{what} more or fewer", where=f"{n} steps",
            why=f"uses {mine} {what} in {n} steps, {reference.name} uses {other}",
            counterexample=counterexample,
        )  # fmt: skip
    # where it evaluates the model: the ratio σ/α, then coefficients on the subject's own scale
    moved = _ratio_gap(table, expected)
    if moved.max() > 1e-5:
        j = int(np.flatnonzero(moved > 1e-5)[0])
        return judge(
            float(moved[j]), 1e-5, unit="in log σ/α", counterexample=counterexample,
            derivation="levels are kept in float32",
            where=f"{n} steps, evaluation {j}: at σ/α = {table.levels[j].ratio:.6g}, should be "
            f"{expected.levels[j].ratio:.6g}",
            why=f"evaluates the model at another level than {reference.name}",
        )  # fmt: skip
    on = table.levels
    expected = expected.on_levels(on)
    bound = 64 * TABLES + 4 * sensitivity(
        lambda grid: build(grid).on_levels(on), reference.grid, TABLES
    )
    gaps = table.gaps(expected)
    ratio = gaps / bound
    details: dict[str, Any] = {
        "unit": "of the state's size",
        "derivation": "64 u + 4 × the change of the reference when its levels move by 4u "
        f"(u = 2⁻²⁴: tables in float32); reference {reference.name}",
    }
    different = table.compare(expected, bound)
    if different is None:
        return judge(float(gaps.flat[ratio.argmax()]), float(bound.flat[ratio.argmax()]), **details)
    return judge(
        different.size, float(bound[different.row, different.column]),
        where=f"{n} steps, {different.where}",
        why=f"differs from {reference.name} ({reference.source})",
        counterexample=counterexample,
        reproduce=subject.coefficient_snippet(n, different, table),
        **details,
    )  # fmt: skip


def comparable(table: Table) -> Table:
    """A form that does not depend on the scale of the levels, without draws that go unused."""
    kept = table if table.prediction in ("eps", "x", "edm") else table.convert("x")
    return kept.without_idle_draws()


def _ratio_gap(table: Table, expected: Table) -> Array:
    gaps = []
    for mine, other in zip(table.levels, expected.levels, strict=True):
        both = np.array([mine.half_log_snr, other.half_log_snr])
        gaps.append(0.0 if both[0] == both[1] else float(abs(np.diff(both)[0])))
    return np.array(gaps)
