"""One subject, held to claims, whatever it does."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

from dfbench.checks import CLAIMS
from dfbench.errors import TimedOut
from dfbench.outcome import (
    Cause,
    Claim,
    Finding,
    SubjectReport,
    broken,
    complete,
    fail,
    inconclusive,
)
from dfbench.outcome.claim import REASONS
from dfbench.subjects.contract import Sampler, Subject
from dfbench.subjects.nearest import identified
from dfbench.surroundings import Defaults

PATIENCE = 30.0  # seconds of a processor that one check of one subject may take
WAITING = 10.0  # times as much by the clock: a busy machine is no fault of the subject


def examine(
    sampler: Subject,
    claims: list[str] | None = None,
    seed: int = 0,
    tell: Callable[[Finding], Any] = lambda finding: None,
    defaults: Defaults | None = None,
) -> SubjectReport:
    """Hold one subject to claims, in one thread: with more, small operations take far longer.

    Args:
        sampler, claims, seed: see `certify`.
        tell: called with each finding as soon as it is there.
        defaults: those that hold, whatever the subject changes; None: those of now.
    """
    start = time.perf_counter()
    sampler.seed = seed
    threads, standing = torch.get_num_threads(), defaults or Defaults()
    findings: list[Finding] = []
    changed: dict[str, None] = {}
    known = [name for name in claims or CLAIMS if CLAIMS[name].kind == sampler.kind]
    for name in known:
        torch.set_num_threads(1)
        try:
            finding = _held(CLAIMS[name], sampler, findings)
        finally:
            torch.set_num_threads(threads)
            changed |= dict.fromkeys(standing.put_back())
        findings.append(finding)
        tell(finding)
    nearest: dict[str, Any] = {}
    claimed: dict[str, Any] = {}
    with contextlib.suppress(Exception, SystemExit), deadline(PATIENCE):
        claimed = sampler.claimed  # which may take a run
        if isinstance(sampler, Sampler) and "identity" in known:
            nearest = identified(sampler)
    sampler.forget()
    return SubjectReport(
        name=sampler.name,
        kind=sampler.kind,
        library=sampler.library,
        version=sampler.version,
        config={**sampler.config, **({"call": sampler.call} if sampler.call else {})},
        traits=claimed,
        findings=complete(findings),
        seconds=time.perf_counter() - start,
        notes=(*sampler.notes, *(f"changes {name} in a run" for name in changed)),
        steps=sampler.steps,
        nearest=nearest,
    )


def _held(claim: Claim, sampler: Subject, before: list[Finding]) -> Finding:
    """The finding on a claim; one run that does not return is enough to wait for."""
    over = next((f for f in before if CLAIMS[f.claim].of_the_run and f.cause == "timed out"), None)

    def check(subject: Any) -> Finding:
        return stopped(claim, over.why or "", "timed out") if over else _guarded(claim, subject)

    return replace(claim, check=check)(sampler)


def _guarded(claim: Claim, sampler: Subject) -> Finding:
    """The check, within its time, whatever the subject or the check itself does."""
    try:
        with deadline(PATIENCE):
            return claim.check(sampler)
    except TimedOut as error:
        return stopped(claim, str(error), "timed out")
    except SystemExit as error:
        return stopped(claim, f"it calls sys.exit({error.code!r})", "blocked")
    except (*REASONS, KeyboardInterrupt):
        raise
    except Exception as error:  # an error of ours: say so, and go on with the other checks
        return broken(error)
    except BaseException as error:
        return stopped(claim, f"it raises {type(error).__name__}: {error}", "blocked")


def stopped(claim: Claim, why: str, cause: Cause) -> Finding:
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
