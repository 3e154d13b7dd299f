"""Steps, evaluations and times: as many as declared, in order, finite, for any step count."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import torch

from dfbench.checks.cases import STEPS
from dfbench.errors import SetupError, SubjectError, Unsupported
from dfbench.outcome import Finding, claim, fail, inconclusive, judge
from dfbench.readout import Call
from dfbench.subjects.contract import Sampler, Session
from dfbench.subjects.reference import Defect, MethodSampler

AWKWARD = (13, 19, 37, 61, 101)  # divide nothing


def _breaks(size: float) -> Sampler:
    """The sample overflows."""
    return MethodSampler("ddim", defect=Defect(final=lambda z: z * float("inf")))


@claim(
    "counts",
    "For 1, 2, 3 … steps and awkward counts the run finishes, spends the declared number of "
    "evaluations, tells strictly decreasing times, and stays finite.",
    source="DESIGN: cost",
    control=_breaks,
    control_size=1.0,
    sized=False,
    of_the_run=True,
    core="the run",
    formula="the number of n (1, 2, 3 … and 13, 19, 37, 61, 101, and all training steps) whose run "
    "ends in an error, is not finite, spends other than n E evaluations (E a step, less those "
    "of the last step), or tells a time that does not fall",
    remedy="Read the first count it names: 1 step finds divisions by a difference of levels that "
    "is 0, awkward counts find times rounded to one another, the last step finds σ = 0 under a "
    "fraction. Declare `evaluations` and `least` where the method really differs.",
)
def counts_check(subject: Sampler) -> Finding:
    """Runs at many step counts, all training steps among them; how many of them go wrong."""
    problems: list[tuple[int, str]] = []
    refused: list[str] = []
    counts = subject.counts(sorted({*STEPS, *AWKWARD, subject.most_steps or 1}))
    for n in counts:
        try:
            session = subject.session(n)
        except (SetupError, SubjectError) as error:  # a loop runs to know its levels
            problems.append((n, str(error)))
            continue
        except Unsupported as refusal:
            refused.append(str(refusal))
            if n in subject.steps:  # its user runs them
                problems.append((n, f"cannot be run: {refusal}"))
            continue
        if n == subject.most_steps and n not in subject.steps:  # a run of all of them takes long
            problems += [(n, p) for p in _repeated(session)]
        else:
            problems += [(n, p) for p in _run(subject, session, n)]
    if subject.too_few:
        problems.append((1, subject.too_few))
    if len(refused) == len(counts) and not problems:
        return _never_runs(subject, refused[0] if refused else "it takes no steps at all")
    n, first = next(iter(problems), (0, ""))
    where = "; ".join(f"{n} steps: {p}" for n, p in problems[:4])
    more = f" (and {len(problems) - 4} more)" if len(problems) > 4 else ""
    wrong = {n for n, _ in problems}
    usual = wrong & {*STEPS, *subject.steps} - ({1} if subject.too_few else set())
    return judge(
        len(wrong),
        0,
        unit="step counts that go wrong",
        derivation="none is allowed",
        failing={
            "where": where + more,
            "why": first,
            "counterexample": {"steps": n},
            "harm": "samples" if usual else "options",  # step counts that hardly anybody runs
        },
    )


def _never_runs(subject: Sampler, refusal: str) -> Finding:
    """It refuses every step count: by itself, or with the arguments of this call."""
    if subject.call:
        return inconclusive(refusal, "not asked")
    why = f"it refuses every number of steps: {refusal}"
    return fail(why, unit="step counts", measured=float("inf"), bound=0.0)


def _repeated(session: Session) -> list[str]:
    """Steps of no length, on which most methods divide by zero."""
    ratio = session.grid.ratio
    return [
        f"steps {i} and {i + 1} start at the same level, σ/α = {ratio[i]:g}"
        for i in np.flatnonzero(ratio[1:-1] == ratio[:-2])
    ]


def _run(subject: Sampler, session: Session, n: int) -> list[str]:
    """What went wrong in a run of n steps, which is the one that tables are read from if it can."""
    calls: list[Call] = []

    def model(z: torch.Tensor, call: Call) -> torch.Tensor:
        calls.append(call)
        return torch.tanh(z)

    if n in STEPS:
        with suppress(SubjectError):
            calls = list(subject.reading(n).calls)
            return _times(subject, calls, n)
    z = torch.full((1, 1, 1, 1), 0.3, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    try:
        with torch.no_grad():
            sample = session(model, z, generator)
    except SubjectError as error:
        return [str(error)]
    broken = [] if torch.isfinite(sample).all() else ["the sample is not finite"]
    return broken + _times(subject, calls, n)


def _times(subject: Sampler, calls: Sequence[Call], n: int) -> list[str]:
    """What is wrong with the number of evaluations of a run, or with the times told."""
    problems = []
    each = subject.traits.evaluations
    if each is not None and not n * each - (each - 1) <= len(calls) <= n * each:
        problems.append(f"{len(calls)} evaluations, declared {each} a step")
    per_step = {call.step: call for call in reversed(calls)}  # the first call of each step
    starts = np.array([per_step[step].told.log_snr for step in sorted(per_step)])
    bad = np.flatnonzero(np.diff(starts) <= 0)
    if len(bad) and subject.ascending is False:
        step = int(bad[0]) + 1
        word = "repeated" if starts[step] == starts[step - 1] else "goes back"
        time = per_step[sorted(per_step)[step]].time
        problems.append(f"the time told at step {step} {word} ({time:g})")
    if each is not None and len(per_step) != n:
        problems.append(f"{len(per_step)} steps")
    return problems
