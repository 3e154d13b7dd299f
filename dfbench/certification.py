"""Subjects × claims → certificate."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch

from dfbench import environment
from dfbench.checks import CLAIMS, selected
from dfbench.errors import TimedOut, Unusable
from dfbench.outcome import (
    Cause,
    Certificate,
    Claim,
    Finding,
    Purpose,
    SubjectReport,
    broken,
    complete,
    fail,
    inconclusive,
)
from dfbench.outcome.claim import REASONS
from dfbench.outcome.coverage import known_purpose
from dfbench.outcome.expected import predictions
from dfbench.progress import Progress, quiet
from dfbench.subjects import Asked, excluded
from dfbench.subjects.contract import Sampler

PATIENCE = 30.0  # seconds of a processor that one check of one subject may take
WAITING = 10.0  # times as much by the clock: a busy machine is no fault of the subject
PER_WORKER = 40  # subjects that make another process worth its start


def certify(
    subjects: Any,
    *,
    config: dict[str, Any] | None = None,
    call: dict[str, Any] | None = None,
    steps: Sequence[int] = (),
    declare: dict[str, Any] | None = None,
    select: list[str] | None = None,
    seed: int = 0,
    configs: str = "default",
    progress: Progress = quiet,
    workers: int | None = None,
    purpose: Purpose = "all",
    expected_failures: Mapping[str, Any] | None = None,
) -> Certificate:
    """Hold subjects to every claim that applies.

    Args:
        subjects: a name, a class, an instance, or a list of them; see `dfbench.subjects.resolve`.
        config, call: arguments of the constructor and of the sampling call.
        steps: the step counts that you run: checks over step counts ask these in place of their
            own, except for the order, which takes many.
        declare: what you claim of a sampler of your own; see `dfbench.subjects.declared`.
        select: claim ids; all by default.
        seed: of all draws that the checks make.
        configs: "default", or "all" configurations of a library's classes.
        progress: called as (name, done, total) after each subject.
        workers: processes; by default one for every 40 subjects, at most one per processor.
        purpose: what the verdict is about: "samples" of this configuration, "img2img" (these, and
            runs that start in the middle), "training" (what noise and targets are made with), or
            "all". The findings are the same.
        expected_failures: claim → reason, (reason, size), or a table of reason, within and unit;
            or subject → such a table of claims. A failure of more than its size counts.

    Returns:
        The certificate; its findings come in the order of `dfbench.checks.CLAIMS`.

    Raises:
        Unusable: a subject, a claim or an argument is not usable; the message says which.
    """
    start = time.perf_counter()
    given = list(subjects) if isinstance(subjects, list | tuple) else [subjects]
    known_purpose(purpose)
    if not given:
        raise Unusable("no subject is given")
    claims = selected(select)
    expected = predictions(expected_failures, CLAIMS)
    asked = Asked(config, call, configs, steps, declare, expected)
    found = [(one, i, sampler) for one in given for i, sampler in enumerate(asked.samplers(one))]
    unknown = {*expected} - {""} - {sampler.name for *_, sampler in found}
    if unknown:
        raise Unusable(f"expected failures of {', '.join(sorted(unknown))}, which is no subject")
    count = workers or min(os.cpu_count() or 1, max(1, len(found) // PER_WORKER))
    examined: Iterable[SubjectReport] = (examine(sampler, claims, seed) for *_, sampler in found)
    if count > 1 and len(found) > 1 and all(isinstance(one, str) for one in given):
        from joblib import Parallel, delayed

        share = partial(_examine_named, uuid.uuid4().hex, asked, claims, seed)
        jobs = (delayed(share)(one, i) for one, i, _ in found)
        examined = Parallel(n_jobs=count, return_as="generator", batch_size=1)(jobs)
    reports: list[SubjectReport] = []
    for report in examined:
        reports.append(replace(report, purpose=purpose))
        progress(report.name, len(reports), len(found))
    return Certificate(
        tuple(reports),
        environment.describe(seed=seed, configs=configs, **asked.said),
        time.perf_counter() - start,
        {
            f"{one}:{name}": why
            for one in given
            if isinstance(one, str)
            for name, why in excluded(one).items()
        },
    )


_resolved: dict[tuple[str, str], list[Sampler]] = {}


def _examine_named(
    run: str, asked: Asked, claims: list[str], seed: int, one: str, i: int
) -> SubjectReport:
    """The i-th subject of a name, in a worker, which resolves the name itself.

    It outlives the run, and what a name stands for may be another in the next.
    """
    if (run, one) not in _resolved:
        _resolved.clear()  # the shares of a run come name by name
        _resolved[run, one] = asked.samplers(one)
    return examine(_resolved[run, one][i], claims, seed)


def examine(sampler: Sampler, claims: list[str] | None = None, seed: int = 0) -> SubjectReport:
    """Hold one subject to claims, in one thread: with more, small operations take far longer."""
    start = time.perf_counter()
    sampler.seed = seed
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        held = [CLAIMS[name] for name in claims or CLAIMS]
        findings = [replace(c, check=partial(_guarded, c))(sampler) for c in held]
    finally:
        torch.set_num_threads(threads)
    with contextlib.suppress(TimedOut, SystemExit), deadline(PATIENCE):
        _ = sampler.traits  # which may take a run
    sampler.forget()
    return SubjectReport(
        name=sampler.name,
        kind=sampler.kind,
        library=sampler.library,
        version=sampler.version,
        config={**sampler.config, **({"call": sampler.call} if sampler.call else {})},
        traits=asdict(sampler.traits),
        findings=complete(findings),
        seconds=time.perf_counter() - start,
        notes=tuple(sampler.notes),
        steps=sampler.steps,
    )


def _guarded(claim: Claim, sampler: Sampler) -> Finding:
    """The check, within its time, whatever the subject or the check itself does."""
    try:
        with deadline(PATIENCE):
            return claim.check(sampler)
    except TimedOut as error:
        return _stopped(claim, str(error), "timed out")
    except SystemExit as error:
        return _stopped(claim, f"it calls sys.exit({error.code!r})", "blocked")
    except REASONS:
        raise
    except Exception as error:  # an error of ours: say so, and go on with the other checks
        return broken(error)


def _stopped(claim: Claim, why: str, cause: Cause) -> Finding:
    """A failure, said once: of the claim that the run works; the others could not be asked."""
    if not claim.of_the_run:
        return inconclusive(why, cause)
    details = {"unit": "errors raised", "derivation": "none is allowed"}
    return fail(why, cause, measured=math.inf, bound=0.0, **details)


class _TimeUp(BaseException):
    """Passes through code that catches every Exception."""


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Interrupts code that does not return; only in the main thread, where signals arrive.

    Args:
        seconds: of this thread on a processor; by the clock it may be `WAITING` times as many.

    Raises:
        TimedOut: the time is up.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return
    computed, waited = time.thread_time(), time.monotonic()

    def stop(*_: Any) -> None:
        over = time.thread_time() - computed >= seconds
        if over or time.monotonic() - waited >= WAITING * seconds:
            raise _TimeUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, min(1.0, seconds))  # again, until it is
    try:
        yield
    except _TimeUp:
        raise TimedOut(f"it does not return within {seconds:g} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
