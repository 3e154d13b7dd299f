"""Is it the method it says it is, coefficient by coefficient?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from dfbench.checks.precision import TABLES, sensitivity, working_forms
from dfbench.errors import Unsupported
from dfbench.levels import Array, Grid
from dfbench.outcome import Finding, claim, inconclusive, judge, skip
from dfbench.subjects.contract import Reference, Sampler
from dfbench.subjects.reference import Defect, MethodSampler
from dfbench.table import Table

STEPS = (1, 2, 3, 4, 5, 7, 10, 16)


def _wrong_weight(size: float) -> Sampler:
    """The weight of one model output is off by the factor 1 + size."""
    return MethodSampler("ddim", defect=Defect(output=lambda m, j: m * (1 + size) if j == 4 else m))


@claim(
    "identity",
    "On the same levels, every coefficient equals that of the published method.",
    source="the method's paper, see the reference sampler",
    control=_wrong_weight,
    control_size=1e-3,
)
def identity_check(subject: Sampler) -> Finding:
    """Table against reference table, at several step counts on the released grid."""
    closest: Finding | None = None
    for n in STEPS:
        try:
            session = subject.session(n)
            reference = session.reference()
        except Unsupported:
            continue
        if reference is None:
            return skip("no published method is known for this class and these options")
        known = np.array([session.precision(level) for level in session.grid])
        finding = _compare(subject, n, reference, known)
        if finding.verdict != "pass":
            return finding
        if closest is None or _used(finding) > _used(closest):
            closest = finding
    return closest or skip("no step count could be run")


def _used(finding: Finding) -> float:
    return (finding.measured or 0.0) / (finding.bound or 1.0)


def _compare(subject: Sampler, n: int, reference: Reference, known: Array) -> Finding:
    table = subject.affine_reading(n).table
    try:
        expected = reference.table
    except (ValueError, ZeroDivisionError) as reason:  # two equal levels, for instance
        return inconclusive(
            f"{reference.name} does not exist on these levels: {reason}", where=f"{n} steps"
        )
    neutral = not _one_scale(table, expected)
    table = comparable(table, neutral)
    build: Callable[[Grid], Table] = lambda grid: comparable(  # noqa: E731
        reference.build(grid), neutral
    )
    expected = comparable(expected, neutral)
    counterexample: dict[str, Any] = {"steps": n}
    if table.nfe != expected.nfe or table.n_draws != expected.n_draws:
        what = "model evaluations" if table.nfe != expected.nfe else "Gaussian draws"
        mine, other = (
            (table.nfe, expected.nfe)
            if table.nfe != expected.nfe
            else (table.n_draws, expected.n_draws)
        )
        return judge(
            float(abs(mine - other)),
            0.0,
            unit=f"{what} more or fewer",
            where=f"{n} steps",
            why=f"uses {mine} {what} in {n} steps, {reference.name} uses {other}",
            counterexample=counterexample,
        )
    # where it evaluates the model: the ratio σ/α, then coefficients on the subject's own scale
    moved = _ratio_gap(table, expected)
    if moved.max() > 1e-5:
        j = int(np.flatnonzero(moved > 1e-5)[0])
        return judge(
            float(moved[j]),
            1e-5,
            unit="in log σ/α",
            counterexample=counterexample,
            derivation="levels are kept in float32",
            where=f"{n} steps, evaluation {j}: at σ/α = {table.levels[j].ratio:.6g}, should be "
            f"{expected.levels[j].ratio:.6g}",
            why=f"evaluates the model at another level than {reference.name}",
        )
    on = table.levels
    move: Callable[[Table], Table] = lambda t: t.on_levels(on) if neutral else t  # noqa: E731
    expected = move(expected)
    bound = 64 * TABLES * (1 + coefficient_sizes(expected)) + 8 * sensitivity(
        lambda grid: move(build(grid)), reference.grid, TABLES, known
    )
    brownian = table.noise_cov is not None or expected.noise_cov is not None
    if brownian and table.n_draws:
        apart = np.abs(table.covariance - expected.covariance)
        i, k = np.unravel_index(int(apart.argmax()), apart.shape)
        if apart[i, k] > 1e-5:
            return judge(
                float(apart[i, k]),
                1e-5,
                unit="correlation",
                counterexample=counterexample,
                derivation="times of the Brownian path are kept in float32",
                where=f"{n} steps, draws {i} and {k}: correlation {table.covariance[i, k]:.6g}, "
                f"should be {expected.covariance[i, k]:.6g}",
                why=f"its draws are correlated otherwise than those of {reference.name}",
            )
    gaps = table.gaps(expected)
    ratio = gaps / bound
    details: dict[str, Any] = {
        "unit": "of the state's size",
        "derivation": "64 u (1 + coefficient) + 8 × the change of the reference when its "
        f"levels move by 4u (u = 2⁻²⁴: tables in float32); reference {reference.name}",
    }
    different = table.compare(expected, bound)
    if different is None:
        return judge(float(gaps.flat[ratio.argmax()]), float(bound.flat[ratio.argmax()]), **details)
    return judge(
        different.size,
        float(bound[different.row, different.column]),
        where=f"{n} steps, {different.where}",
        why=f"differs from {reference.name} ({reference.source})",
        counterexample=counterexample,
        reproduce=subject.coefficient_snippet(n, different, subject.affine_reading(n)),
        **details,
    )


def comparable(table: Table, neutral: bool) -> Table:
    """Without unused draws; if `neutral`, in a form that does not depend on the levels' scale."""
    if neutral and table.prediction not in ("eps", "x", "edm"):
        table = table.convert("x")
    return table.normal_draws(64 * TABLES)


def coefficient_sizes(table: Table) -> Array:
    """Size of every coefficient, or of the largest of its row in a working form, as in gaps.

    Released code often works in x̂ whatever the model returns.
    """
    zero = replace(table, rows=np.zeros_like(table.rows))
    sizes = table.gaps(zero)
    for form in working_forms(table)[1:]:
        largest = form.gaps(replace(form, rows=np.zeros_like(form.rows))).max(axis=1)
        sizes = np.maximum(sizes, largest[:, None])
    return sizes


def _one_scale(table: Table, expected: Table) -> bool:
    """Whether all states are on the same scale in both."""
    if table.nfe != expected.nfe:
        return True
    sizes = [np.hypot(t.levels.alpha, t.levels.sigma) for t in (table, expected)]
    return bool(np.allclose(sizes[0], sizes[1], rtol=1e-5))


def _ratio_gap(table: Table, expected: Table) -> Array:
    gaps = []
    for mine, other in zip(table.levels, expected.levels, strict=True):
        both = np.array([mine.half_log_snr, other.half_log_snr])
        gaps.append(0.0 if both[0] == both[1] else float(abs(np.diff(both)[0])))
    return np.array(gaps)
