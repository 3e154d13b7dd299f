"""Is a run under any protocol the plain run on the same inputs?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import torch

from dfbench.errors import SubjectError, Unsupported
from dfbench.outcome import Finding, claim, deciding, judge, skip
from dfbench.protocols import PLAIN, VALUES, Protocol, covering, simpler
from dfbench.subjects.contract import Sampler
from dfbench.subjects.protocols import plainly, played
from dfbench.subjects.reference import Defect, MethodSampler

WAYS = ("generator", "returns", "time")  # that a sampler may refuse
DRAWN = 200  # protocols, of a thorough certificate


def _shares(size: float) -> Sampler:
    """Adds a little of the mean over all elements of a row, where a row has many."""
    return MethodSampler(
        "ddim", defect=Defect(output=lambda m, j: m + size * (m.ndim == 5) * m.mean())
    )


def gap(subject: Sampler, protocol: Protocol) -> tuple[float, str]:
    """The largest deviation of a state from the plain run's, of its size, and where.

    Raises:
        Unsupported: it cannot be run this way.
    """
    refused = _otherwise_called(protocol)
    try:
        found = played(subject, protocol)
    except SubjectError as error:
        if refused and refuses(subject, protocol):
            raise Unsupported(str(error)) from error
        return float("inf"), str(error)
    try:
        plain = plainly(subject, protocol, found.draws)
    except SubjectError as error:
        return float("inf"), f"the plain run on its draws: {error}"
    if len(found.states) != len(plain.states) or len(found.draws) != len(plain.draws):
        return float("inf"), (
            f"{len(found.states) - 1} evaluations and {len(found.draws)} draws, the plain run has "
            f"{len(plain.states) - 1} and {len(plain.draws)}"
        )
    worst, where = 0.0, ""
    for j, (mine, other) in enumerate(zip(found.states, plain.states, strict=True)):
        if mine.shape != protocol.shape:
            return float("inf"), f"state {j} has shape {tuple(mine.shape)}"
        other = other.reshape(mine.shape).double()
        apart = torch.where(mine.isfinite() | other.isfinite(), mine.double() - other, 0.0)
        size = float(other.abs().max())
        off = float(apart.abs().max()) / (size if 0 < size < float("inf") else 1.0)
        if not off <= worst:
            last = j == len(found.states) - 1
            worst, where = off, "the sample" if last else f"the state at evaluation {j}"
    return worst, where


def _otherwise_called(protocol: Protocol) -> bool:
    """Whether it asks for another way of calling, rather than for other runs."""
    return any(getattr(protocol, way) != VALUES[way][0] for way in WAYS)


def refuses(subject: Sampler, protocol: Protocol) -> bool:
    """Whether it is the way of calling that breaks the run: without it there is a run."""
    usual = Protocol(protocol.steps, protocol.shape, before=protocol.before)
    try:
        played(subject, usual)
    except (SubjectError, Unsupported):
        return False
    return True


@claim(
    "protocol",
    "A run under any protocol (number of steps, shape of the state, kind of generator and of time, "
    "tuple or object returned, the object used before, or copied or another used in the middle) is "
    "the plain run on the same inputs, element by element.",
    source="DESIGN: one table, any protocol",
    control=_shares,
    control_size=1e-3,
    formula="max ‖z_j − z_j of the plain run on the same inputs‖/‖z_j‖, over ways of running in "
    "which every pair of values occurs",
    remedy="The finding holds the simplest way of running that fails. Look for shapes taken for "
    "granted, times compared by identity, and state kept between runs.",
)
def protocol_check(subject: Sampler) -> Finding:
    """Protocols in which every pair of values occurs; the simplest of those that fail.

    Thorough: drawn ones besides.
    """
    if subject.channels is not None:
        return skip("it insists on a number of channels, which are copies here", "not asked")
    narrow = subject.reading(subject.counts((10,))[0]).single
    found = deciding(_all(subject, narrow), skip("cannot be run under a protocol", "not asked"))
    if found.verdict == "pass" and subject.depth == "thorough":
        return _drawn(subject, narrow) or found
    if found.verdict != "fail":
        return found
    protocol = Protocol(**(found.counterexample or {}))
    return _judged(*_simplest(subject, protocol, narrow), narrow)


def _judged(protocol: Protocol, off: float, where: str, narrow: bool) -> Finding:
    return judge(
        off,
        allowed(protocol, narrow),
        unit="of the state's size",
        derivation="the same operations on the same numbers: 1e-12, or 1e-5 where it computes in "
        "float32, as it may with a time that is a number",
        failing={
            "where": f"{protocol}: {where}",
            "counterexample": asdict(protocol),
            "harm": "interface" if _otherwise_called(protocol) else "samples",
        },
    )


def allowed(protocol: Protocol, narrow: bool) -> float:
    """The deviation that the arithmetic allows."""
    return 1e-5 if narrow or protocol.time != "own" else 1e-12


def _all(subject: Sampler, narrow: bool) -> Iterator[Finding]:
    for protocol in covering(taken(subject)):
        with suppress(Unsupported):
            yield _judged(protocol, *gap(subject, protocol), narrow)


class _Fails(Exception):
    """A protocol that fails, for Hypothesis to make simpler."""


def _drawn(subject: Sampler, narrow: bool) -> Finding | None:
    """The simplest protocol that fails, of many that are drawn; None: none does."""
    import hypothesis

    from dfbench.testing import protocols

    known: list[Finding] = []

    @hypothesis.seed(subject.seed)
    @hypothesis.settings(
        max_examples=DRAWN,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        report_multiple_bugs=False,
    )
    @hypothesis.given(protocols(**taken(subject)))
    def ask(protocol: Protocol) -> None:
        with suppress(Unsupported):
            finding = _judged(protocol, *gap(subject, protocol), narrow)
            if finding.verdict == "fail":
                known[:] = [finding]
                raise _Fails

    with suppress(_Fails):
        ask()
    return known[0] if known else None


def taken(subject: Sampler) -> dict[str, tuple[Any, ...]]:
    """The values that the subject takes where all else is plain."""

    def takes(name: str, value: Any) -> bool:
        try:
            gap(subject, replace(PLAIN, **{name: value}))
        except Unsupported:
            return False
        return True

    return {
        name: tuple(subject.counts(values))
        if name == "steps"
        else (values[0], *(v for v in values[1:] if takes(name, v)))
        for name, values in VALUES.items()
    }


def _simplest(subject: Sampler, protocol: Protocol, narrow: bool) -> tuple[Protocol, float, str]:
    """What still fails when one thing after the other is as in the plain run."""
    found = gap(subject, protocol)
    again = True
    while again:
        again = False
        for easier in simpler(protocol):
            try:
                tried = gap(subject, easier)
            except Unsupported:
                continue
            if not tried[0] <= allowed(easier, narrow):
                protocol, found, again = easier, tried, True
                break
    return protocol, *found
