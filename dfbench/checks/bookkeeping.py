"""Does every state have the level that the sampler's tables, and the model, are told it has?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dfbench.checks.cases import STEPS, at_steps, judge_entries, worst_of
from dfbench.checks.effect import with_effect
from dfbench.checks.precision import TABLES, accumulated
from dfbench.errors import Undefined
from dfbench.levels import Array, Level
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.readout import Reading
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import Defect, MethodSampler
from dfbench.table import Table


def _forgetful(size: float) -> Sampler:
    """Scales the output of evaluation 3: the state no longer has the level it should have."""
    return MethodSampler("ddim", defect=Defect(output=lambda m, j: m * (1 + size) if j == 3 else m))


def point_error(table: Table) -> Array:
    """Deviation of every state's mean and standard deviation, data at one point, (E + 1,).

    max(|mean − α|, |std − σ|) / √(α² + σ²), with data at 1.
    """
    mean, variance = table.point_response()
    levels = table.levels
    gap = np.maximum(np.abs(mean - levels.alpha), np.abs(np.sqrt(variance) - levels.sigma))
    gap = gap / np.hypot(levels.alpha, levels.sigma)
    gap[~np.isfinite(gap)] = np.inf
    return gap


def describe(reading: Reading, table: Table, j: int) -> str:
    """Which state, at which step, has which mean and noise, and which it should have.

    Of the table, or the part of it whose outputs exist.
    """
    mean, variance = table.point_response()
    level = table.levels[j]
    place = (
        f"sample after step {reading.steps[-1]}"
        if j == reading.table.nfe
        else f"state at evaluation {j} (step {reading.steps[j]})"
    )
    return (
        f"{place}: mean {mean[j]:.6g} x₀ and noise {variance[j] ** 0.5:.6g}, "
        f"should be {level.alpha:.6g} x₀ and {level.sigma:.6g}"
    )


@claim(
    "bookkeeping",
    "With all data at one point x₀ and the exact model, every state has mean α_j x₀ and variance "
    "σ_j² of the level the sampler's tables give it, and the sample lands at the declared level.",
    source="CLAIMS 1, 23, 36; DESIGN: bookkeeping",
    control=_forgetful,
    control_size=1e-2,
    core="the coefficients",
    formula="max_j max(|mean_j − α_j x₀|, |std_j − σ_j|)/√(α_j² + σ_j²), the mean and deviation of "
    "state j from the table, all data at x₀",
    remedy="The first state that is off names the step. Compare the coefficients of that step with "
    "the levels before and after: a level one place off, α and σ of different scales, or "
    "ancestral noise of the wrong variance.",
)
def bookkeeping_check(subject: Sampler) -> Finding:
    """The point response of the table against its levels, at the step counts that people use."""
    return bookkeeping(subject, STEPS)


def bookkeeping(subject: Sampler, counts: Sequence[int]) -> Finding:
    """The check at some step counts."""

    def at(n: int) -> Finding:
        reading, session = subject.affine_reading(n), subject.session(n)
        exists = _outputs_that_exist(reading.table)
        if not exists:
            return skip("data at a point have no output for it at its first level", "not asked")
        table = reading.table.until(exists)
        error = point_error(table)
        known = [session.precision(level) for level in table.levels]
        bound = accumulated(table, TABLES, levels=known)
        derivation = "round-off of float32 tables carried through the steps (u = 2⁻²⁴)"
        if not subject.traits.exact_on_points:
            # the method itself does not keep the moments exactly: held to its reference
            reference = session.reference()
            if reference is None:
                why = "the method does not keep the moments by design; no reference known"
                return skip(why, "not asked")
            bound = bound + 1.001 * point_error(reference.table.until(exists))
            derivation += ", plus the deviation of the reference method on the same levels"
        first = int(np.argmax(error > bound))
        found = judge_entries(
            error,
            bound,
            unit="of the state's size",
            derivation=derivation,
            failing={
                "where": f"{n} steps, {describe(reading, table, first)}",
                "counterexample": {"steps": n},
            },
        )
        if exists < reading.table.nfe:
            if found.verdict == "fail":
                return found
            return skip(
                f"evaluation {exists} asks for an output that data at a point do not have, at "
                f"σ/α = {table.levels[exists].ratio:g}: `identity` asks of what comes after it",
                "not asked",
            )
        return with_effect(found, reading.table, session.reference())

    return worst_of(at_steps(subject.counts(counts), at))


def _outputs_that_exist(table: Table) -> int:
    """How many, before the first that data at a point do not have: ε, and so u, at σ = 0."""
    for i, level in enumerate(table.evaluated):
        try:
            table.affine("x", table.prediction, level)
        except Undefined:
            return i
    return table.nfe


def _misinformed(size: float) -> Sampler:
    """Tells the model a level whose σ/α is off by the factor 1 + size."""
    return MethodSampler(
        "ddim", defect=Defect(told=lambda level, j: Level(level.alpha, level.sigma * (1 + size)))
    )


@claim(
    "told-level",
    "The level that the model is told (through its time argument) is the level the state is at, "
    "to half a step of the model's time.",
    source="DESIGN: the grid the release really produces",
    control=_misinformed,
    control_size=1e-1,
    core="the levels told",
    formula="max_j |t_j − t(α_j, σ_j)| in training steps, t_j the time that the network is told at "
    "evaluation j",
    remedy="Compare the times that are told with the levels of the tables: an index one place off, "
    "σ told where a time is meant, or a shift that is applied to one of the two. If your times "
    "mean something else, declare `level`.",
)
def told_level_check(subject: Sampler) -> Finding:
    """Distance between the time told and the time of the state's level, in training steps."""
    return told_level(subject, STEPS)


def told_level(subject: Sampler, counts: Sequence[int]) -> Finding:
    """The check at some step counts."""

    def at(n: int) -> Finding:
        session = subject.session(n)
        if not session.times_known:
            return skip("nobody says what its times mean: declare `level`", "not asked")
        if not session.keeps_levels:
            return skip(
                "it keeps no levels beside what the network is told: `bookkeeping` asks both"
            )
        reading = subject.affine_reading(n)
        calls = reading.calls
        gaps = [session.time_gap(call) for call in calls]
        j = int(np.argmax(gaps))
        call = calls[j]
        where = (
            f"{n} steps, evaluation {j} (step {call.step}): told {call.time:.6g}, σ/α = "
            f"{call.told.ratio:.6g}; the state is at σ/α = {call.own.ratio:.6g}"
        )
        found = judge(
            gaps[j],
            session.time_tolerance,
            unit="training steps",
            derivation=session.time_derivation,
            failing={"where": where, "counterexample": {"steps": n}},
        )
        return with_effect(found, reading.told, reading)

    return worst_of(at_steps(subject.counts(counts), at))
