"""Subjects × claims → certificate."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from dfbench import environment
from dfbench.apart import Apart
from dfbench.checks import CLAIMS, selected
from dfbench.errors import Unusable
from dfbench.examination import examine
from dfbench.outcome import Certificate, Purpose, SubjectReport, complete
from dfbench.outcome.coverage import known_purpose
from dfbench.outcome.expected import predictions
from dfbench.progress import Progress, quiet
from dfbench.subjects import Asked, excluded, of_users
from dfbench.subjects.contract import Depth, Subject

#: What takes longest of a certificate.
COSTLY = ("protocol", "order", "fresh-noise", "counts", "noising", "identity", "clipping")
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
    isolate: bool = False,
    purpose: Purpose = "all",
    expected_failures: Mapping[str, Any] | None = None,
    depth: Depth = "quick",
    profile: str | None = None,
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
        workers: processes; by default one for every 40 subjects, at most one per processor. Of one
            subject given by its name each asks a share of the claims.
        isolate: a process of its own for every subject, as code of your own has, given by name.
        purpose: what the verdict is about: "samples" of this configuration, "img2img" (these, and
            runs that start in the middle), "training" (what noise and targets are made with), or
            "all". The findings are the same.
        expected_failures: claim → reason, (reason, size), or a table of reason, within and unit;
            or subject → such a table of claims. A failure of more than its size counts.
        depth: "quick", or "thorough" for releases and nightly jobs: hundreds of protocols, drawn.
        profile: a calling convention by name, like "k-diffusion" or "flow-up", for code that says
            nothing of itself; see `dfbench.subjects.profiles`.

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
    asked = Asked(config, call, configs, steps, declare, expected, depth, profile)
    if isolate and not all(isinstance(one, str) for one in given):
        raise Unusable("an object is certified where it is; give its name to isolate it")
    places = [(one, i, each) for one in given for i, each in enumerate(_places(one, asked))]
    unknown = {*expected} - {""} - {each.name if each else one for one, _, each in places}
    if unknown:
        raise Unusable(f"expected failures of {', '.join(sorted(unknown))}, which is no subject")
    count = workers or min(os.cpu_count() or 1, max(1, len(places) // PER_WORKER))
    if count > 1 and len(places) == 1 and isinstance(given[0], str):
        examined = _shared(places[0], asked, claims, seed, count)
    else:
        examined = _examined(places, asked, claims, seed, count, isolate)
    reports: list[SubjectReport] = []
    with contextlib.closing(examined):
        for report in examined:
            reports.append(replace(report, purpose=purpose))
            progress(report.name, len(reports), len(places))
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


Place = tuple[Any, int, Subject | None]
"""(one, i, sampler): the i-th that one subject of a call stands for; None: of a user's code."""


def _places(one: Any, asked: Asked) -> Sequence[Subject | None]:
    """What a subject stands for; a user's code is not run here to find out."""
    return [None] if isinstance(one, str) and of_users(one) else asked.samplers(one)


def _examined(
    places: list[Place], asked: Asked, claims: list[str], seed: int, count: int, isolate: bool
) -> Generator[SubjectReport]:
    """The reports in order, from `count` processes at a time."""
    here = [(one, i, each) for one, i, each in places if each is not None and not isolate]
    local: Iterator[SubjectReport] = (examine(each, claims, seed) for *_, each in here)
    apart = [(each.name if each else one, one, i) for one, i, each in places if isolate or not each]
    own = [k for k, (_, one, _) in enumerate(apart) if of_users(one)]
    started: dict[int, Apart] = {}

    def start(k: int) -> Apart:
        """The process of the k-th, which has made its subject."""
        if k not in started:
            started[k] = Apart(*apart[k], asked, claims, seed)
            started[k].made()
        return started[k]

    try:
        for k in own:  # what is unusable is said before anything is asked
            start(k)
        if count > 1 and len(here) > 1 and all(isinstance(one, str) for one, *_ in here):
            from joblib import Parallel, delayed

            share = partial(_examine_named, uuid.uuid4().hex, asked, claims, seed)
            jobs = (delayed(share)(one, i) for one, i, _ in here)
            local = Parallel(n_jobs=count, return_as="generator", batch_size=1)(jobs)
        begun = done = 0
        for *_, sampler in places:
            if sampler is not None and not isolate:
                yield next(local)
                continue
            while begun < min(len(apart), done + count):
                start(begun).isolated.go()
                begun += 1
            yield started[done].report()
            started.pop(done).close()
            done += 1
    finally:
        for each in started.values():
            each.close()


def _shares(claims: list[str], count: int) -> list[list[str]]:
    """The claims in as many parts, what takes longest apart; those of one core question stay
    together, as one that is decided is enough."""
    together: dict[str, list[str]] = {}
    for id in claims:
        together.setdefault(CLAIMS[id].core or id, []).append(id)
    costly = {id: len(COSTLY) - k for k, id in enumerate(COSTLY)}
    groups = sorted(together.values(), key=lambda ids: -max(costly.get(id, 0) for id in ids))
    return [[id for ids in groups[k::count] for id in ids] for k in range(count)]


def _shared(
    place: Place, asked: Asked, claims: list[str], seed: int, count: int
) -> Generator[SubjectReport]:
    """One subject in several processes, each of which asks a share of the claims."""
    one, i, sampler = place
    name = sampler.name if sampler else one
    shares = _shares(claims, count)
    started: list[Apart] = []
    try:
        for share in filter(None, shares):
            started.append(Apart(name, one, i, asked, share, seed))
        for each in started:
            each.made()
            each.isolated.go()
        reports = [each.report() for each in started]
    finally:
        for each in started:
            each.close()
    order = list(CLAIMS)
    found = sorted((f for r in reports for f in r.findings), key=lambda f: order.index(f.claim))
    yield replace(
        reports[0],
        findings=complete(found),
        seconds=max(r.seconds for r in reports),
        notes=tuple(dict.fromkeys(note for r in reports for note in r.notes)),
        nearest=next((r.nearest for r in reports if r.nearest), {}),
    )


_resolved: dict[tuple[str, str], list[Subject]] = {}


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
