"""Is a run on a grid that the user gives the right run on that grid?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from dfbench.checks.bookkeeping import bookkeeping, told_level
from dfbench.checks.cases import if_defined, judge_entries
from dfbench.checks.identity import coefficient_sizes, identity
from dfbench.checks.landing import landing
from dfbench.checks.levels import levels
from dfbench.checks.precision import TABLES
from dfbench.errors import SubjectError
from dfbench.levels import Level
from dfbench.outcome import Finding, claim, deciding, fail, judge, skip
from dfbench.subjects.contract import SAME, Sampler
from dfbench.subjects.reference import Defect, MethodSampler

ASKED = {
    "bookkeeping": bookkeeping,
    "told-level": told_level,
    "landing": landing,
    "identity": identity,
    "levels": levels,
}
STEPS = (10,)  # of a run on its own grid


class _Listens(MethodSampler):
    """Right on its own grid; on a grid that is given it tells the model another level."""

    size, kind = 0.0, ""

    def on_grids(self, kind: str) -> dict[str, Sampler | str]:
        told = Defect(told=lambda level, j: Level(level.alpha, level.sigma * (1 + self.size)))
        return {"given": MethodSampler("ddim", defect=told)} if kind == self.kind else {}


def _listens(kind: str) -> Callable[[float], Sampler]:
    def made(size: float) -> Sampler:
        subject = _Listens("ddim")
        subject.size, subject.kind = size, kind
        return subject

    return made


def _held(subject: Sampler, kind: str) -> Finding:
    """What holds of runs on its own grid, asked of runs on grids that are given."""
    if kind not in subject.grids:
        return skip(f"is given no {kind}")
    none = f"takes no {kind} from its user, or none that is known to be taken"
    return deciding(_asked(subject, kind), skip(none, "not asked"))


def _asked(subject: Sampler, kind: str) -> Iterator[Finding]:
    given = subject.on_grids(kind)
    if not given:
        return
    own = {id: if_defined(ask, subject, STEPS) for id, ask in ASKED.items()}
    for said, sampler in given.items():
        if isinstance(sampler, str):
            yield fail(f"{said}: {sampler}", harm="options")
            continue
        if said == SAME and own["identity"].verdict == "pass":
            yield _the_same(subject, sampler, said)
        for id, ask in ASKED.items():
            # a formula for the levels may be known of given ones only
            if own[id].verdict != "pass" and not (id == "levels" and own[id].verdict == "skip"):
                continue
            finding = ask(sampler, STEPS)
            if finding.cause == "blocked":  # runs on its own grid do not break
                yield fail(f"{said}: {finding.reason}", harm="options")
            elif finding.verdict != "skip":
                where = f"{said}, {id}: {finding.where or finding.why}"
                call = {"call": sampler.call} if sampler.call else {}
                known = (finding.counterexample or {}) | call
                yield replace(
                    finding,
                    where=where if finding.verdict != "pass" else None,
                    counterexample=known if finding.verdict != "pass" else None,
                )


def _the_same(subject: Sampler, given: Sampler, said: str) -> Finding:
    """The table against that without the times."""
    n = subject.counts(STEPS)[0]
    try:
        table, expected = given.affine_reading(n).table, subject.affine_reading(n).table
    except SubjectError as error:
        return fail(f"{said}: {error}", harm="options")
    if (table.nfe, table.n_draws) != (expected.nfe, expected.n_draws):
        return judge(
            abs(table.nfe - expected.nfe) + abs(table.n_draws - expected.n_draws),
            0,
            unit="evaluations or draws more or fewer",
            derivation="the same grid",
            failing={"where": f"{said}: {table.nfe} evaluations and {table.n_draws} draws"},
        )
    steps = np.maximum(8, np.arange(expected.nfe + 1))[:, None]
    return judge_entries(
        table.gaps(expected),
        8 * steps * TABLES * (1 + coefficient_sizes(expected)),
        unit="of the state's size",
        derivation="8 u (1 + coefficient) for each of the steps before, at least 8",
        failing={"where": f"{said}: its coefficients are not those of {n} steps of its own"},
    )


TIMES = claim(
    "times-given",
    "A run over times that the user gives keeps its books, lands, is the published method on their "
    "levels, and these are the ones asked for; over the times that it would have chosen itself, it "
    "is the run that it would have been.",
    source="DESIGN: any protocol",
    control=_listens("times"),
    control_size=1e-1,
    harm="options",
    formula="what bookkeeping, told-level, landing, identity and levels measure, on grids of times "
    "that are given; and max difference of the table on the times it would have chosen itself",
    remedy="Compare with its own grid: levels looked up by index instead of by time, a last time "
    "that is appended twice, or order and spacing taken for granted.",
)(partial(_held, kind="times"))

SIGMAS = claim(
    "sigmas-given",
    "A run over σ that the user gives keeps its books, lands, is the published method on their "
    "levels, and these are the ones asked for.",
    source="DESIGN: any protocol; EDM eq. 5; Esser et al. 2024, eq. 23",
    control=_listens("sigmas"),
    control_size=1e-1,
    harm="options",
    formula="what bookkeeping, told-level, landing, identity and levels measure, on given σ",
    remedy="Take times and levels both from the σ that are given: interpolate the time in log σ, "
    "and append 0 once.",
)(partial(_held, kind="sigmas"))

MU = claim(
    "mu-given",
    "A run whose levels are shifted by μ keeps its books, lands, is the published method on its "
    "levels, and these are shifted by e^μ, or by μ where the shift is linear.",
    source="DESIGN: any protocol; Esser et al. 2024, eq. 23",
    control=_listens("mu"),
    control_size=1e-1,
    harm="options",
    formula="what bookkeeping, told-level, landing, identity and levels measure, on levels shifted "
    "by μ: σ/α times e^μ, or μ",
    remedy="Apply the shift once, to σ/α, before the last level is appended.",
)(partial(_held, kind="mu"))
