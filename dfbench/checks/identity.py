"""Is it the method it says it is, coefficient by coefficient?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dfbench.checks.cases import STEPS, at_steps, judge_entries, last, worst_of
from dfbench.checks.effect import with_effect
from dfbench.checks.precision import TABLES, sensitivity
from dfbench.levels import Array
from dfbench.outcome import Finding, claim, inconclusive, judge, skip
from dfbench.subjects.contract import Reference, Sampler
from dfbench.subjects.reference import Defect, MethodSampler
from dfbench.table import Table


def _wrong_weight(size: float) -> Sampler:
    """The weight of one model output is off by the factor 1 + size."""
    return MethodSampler("ddim", defect=Defect(output=lambda m, j: m * (1 + size) if j == 4 else m))


@claim(
    "identity",
    "On the same levels, every coefficient equals that of the published method.",
    source="the method's paper, see the reference sampler",
    control=_wrong_weight,
    control_size=1e-3,
    core="the coefficients",
    formula="max |b_jk − b*_jk| over the size of the state: each coefficient of the table less "
    "that of the published method on the same levels",
    remedy="The finding names step and coefficient. Recompute that coefficient by the paper from "
    "the two or three levels that it depends on; look at first and last steps, where lower orders "
    "take over.",
)
def identity_check(subject: Sampler) -> Finding:
    """Table against reference table, at the step counts that people use, on the released grid."""
    return identity(subject, STEPS)


def identity(subject: Sampler, counts: Sequence[int]) -> Finding:
    """The check at some step counts."""

    def at(n: int) -> Finding:
        session = subject.session(n)
        reference = session.reference()
        if reference is None:
            why = "no published method is known for this class and these options"
            return skip(why, "not asked")
        known = np.array([session.precision(level) for level in session.grid])
        found = last(_compare(subject, n, reference, known))
        return with_effect(found, subject.affine_reading(n).table, reference)

    return worst_of(at_steps(subject.counts(counts), at))


def _compare(subject: Sampler, n: int, reference: Reference, known: Array) -> Iterator[Finding]:
    """Evaluations and draws, where the model is evaluated, the noise, and the coefficients.

    What comes later makes sense only where the earlier is the same.
    """
    name, made = reference.name, subject.affine_reading(n).table
    try:
        expected = reference.table
    except (ValueError, ZeroDivisionError) as reason:  # two equal levels, for instance
        yield inconclusive(f"{name} does not exist on these levels: {reason}", where=f"{n} steps")
        return
    neutral = not _one_scale(made, expected)
    table, expected = comparable(made, neutral), comparable(expected, neutral)

    def held(measured: float, bound: float, where: str, why: str, **details: Any) -> Finding:
        failing = {"where": f"{n} steps{where}", "why": why, "counterexample": {"steps": n}}
        return judge(float(measured), bound, failing=failing, **details)

    for what, mine, its in (
        ("model evaluations", table.nfe, expected.nfe),
        ("Gaussian draws", table.n_draws, expected.n_draws),
    ):
        why = f"uses {mine} {what} in {n} steps, {name} uses {its}"
        yield held(abs(mine - its), 0.0, "", why, unit=f"{what} more or fewer")
    moved = _ratio_gap(table, expected)
    j = int(np.argmax(moved > 1e-5))
    yield held(
        moved[j],
        1e-5,
        f", evaluation {j}: at σ/α = {table.levels[j].ratio:.6g}, should be "
        f"{expected.levels[j].ratio:.6g}",
        f"evaluates the model at another level than {name}",
        unit="in log σ/α",
        derivation="levels are kept in float32",
    )
    if table.n_draws and not (table.noise_cov is None and expected.noise_cov is None):
        apart = np.abs(table.covariance - expected.covariance)
        i, k = np.unravel_index(int(apart.argmax()), apart.shape)
        yield held(
            apart[i, k],
            1e-5,
            f", draws {i} and {k}: correlation {table.covariance[i, k]:.6g}, should be "
            f"{expected.covariance[i, k]:.6g}",
            f"its draws are correlated otherwise than those of {name}",
            unit="correlation",
            derivation="times of the Brownian path are kept in float32",
        )
    on = table.levels

    def moved_to(table: Table) -> Table:
        """On the subject's own scale."""
        return table.on_levels(on) if neutral else table

    expected = moved_to(expected)
    bound = allowed(expected) + 8 * sensitivity(
        lambda grid: moved_to(comparable(reference.build(grid), neutral)),
        reference.grid,
        TABLES,
        known,
    )
    details: dict[str, Any] = {
        "unit": "of the state's size",
        "derivation": "8 u (1 + coefficient) for each of the steps before, at least 8, "
        "+ 8 × the change of the reference when its "
        f"levels move by 4u (u = 2⁻²⁴: tables in float32); reference {name}",
    }
    largest = judge_entries(table.gaps(expected), bound, **details)
    different = table.compare(expected, bound)
    if different is None:
        yield largest
        return
    yield held(  # the place of the first that differs, the size of the largest that does
        largest.measured or 0.0,
        largest.bound or 0.0,
        f", {different.where}",
        f"differs from {name} ({reference.source})",
        reproduce=subject.coefficient_snippet(n, different, subject.affine_reading(n)),
        **details,
    )


def allowed(expected: Table) -> Array:
    """What float32 makes of every coefficient, in units of the state."""
    steps = np.maximum(8, np.arange(expected.nfe + 1))[:, None]
    return np.asarray(8 * steps * TABLES * (1 + coefficient_sizes(expected)))


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
    for form in table.converted():
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
