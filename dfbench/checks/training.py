"""What is asked of a training loss: noise, target, weight, rows, times."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from dfbench.checks.cases import judge_entries
from dfbench.levels import Array
from dfbench.outcome import Finding, claim, inconclusive, judge, skip
from dfbench.predictions import KINDS
from dfbench.subjects.loss import SHAPE, LossSubject, target
from dfbench.subjects.loss_reading import ROWS
from dfbench.weightings import WEIGHTINGS

#: Of the size of a state: code that computes in float32, some hundred roundings of 6e-8.
SINGLE = 1e-5
#: Of the target, which is a quotient of differences of gradients: a digit of them is lost.
TARGET = 10 * SINGLE
#: Of a gradient or a weight, from second differences of the loss: another one.
BENT = 100 * SINGLE
SOURCE = "HO eq. 14; LIP eq. 5 and 9; KG table 1"
SEEDS = (0, 1)


def plain(
    *,
    noise: float = 0.0,
    aim: float = 0.0,
    shared: float = 0.0,
    early: float = 0.0,
    slope: float = 0.0,
    broken: bool = False,
) -> LossSubject:
    """Flow matching's loss, with a defect: of the state, the target, the weight, the times."""

    def loss(model: Callable[..., torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        t = (1 - early) * torch.rand(len(x), dtype=x.dtype)
        eps, s = torch.randn_like(x), t.view(-1, 1, 1, 1)
        m = model((1 - s) * x + (1 + noise) * s * eps, t)
        each = ((m - (1 + aim) * (eps - x)) ** 2).mean((1, 2, 3))
        # a weight whose shape makes a table of rows and rows of it
        each = each * (1 + slope * t + shared * t.mean())
        return each.mean() * (math.nan if broken else 1.0)

    return LossSubject(
        loss, "dfbench:flow-matching loss", claims={"predicts": "u", "level": "flow-down"}
    )


def _levels(subject: LossSubject, time: Array) -> tuple[Array, Array]:
    found = [subject.facts.at(float(t)) for t in time]
    return np.array([x.alpha for x in found]), np.array([x.sigma for x in found])


@claim(
    "loss-runs",
    "The loss is finite, and depends on what the network returns.",
    source=SOURCE,
    control=lambda size: plain(broken=True),
    control_size=1.0,
    sized=False,
    kind="loss",
    of_the_run=True,
    harm="training",
    core="the run",
    formula="the number of entries of the reading (weights, levels, targets) that are not finite",
    remedy="Look at weights such as 1/σ² at the end of the times, and at losses that are detached "
    "from the network's output.",
)
def runs_check(subject: LossSubject) -> Finding:
    """The reading, and its numbers."""
    from dfbench.errors import SubjectError

    details: dict[str, Any] = {"unit": "numbers that are not finite", "derivation": "none may be"}
    try:
        readings = [subject.read(seed) for seed in SEEDS]
    except SubjectError as error:
        return judge(math.inf, 0, failing={"why": str(error)}, **details)
    wrong = sum(
        int((~np.isfinite(part)).sum()) for r in readings for part in (r.weight, r.alpha, r.p)
    )
    return judge(wrong, 0, failing={"why": "the loss, or its gradient, is not finite"}, **details)


@claim(
    "loss-noise",
    "The network is shown α x + σ ε, with α and σ of the level that its time means.",
    source=SOURCE,
    control=lambda size: plain(noise=size),
    control_size=1e-2,
    kind="loss",
    harm="training",
    core="the levels told",
    formula="max |(α, σ) shown − (α, σ) of the time told|/√(α² + σ²), by row",
    remedy="Use one time for state and network, reshape it to (rows, 1, 1 …), and draw new noise "
    "for every element.",
)
def noise_check(subject: LossSubject) -> Finding:
    """States on known data and noise, row by row."""
    reading = subject.read()
    details: dict[str, Any] = {"unit": "of the state's size", "derivation": "float32: 1e-5"}
    if not reading.unexplained <= SINGLE:
        return judge(
            reading.unexplained,
            SINGLE,
            failing={
                "why": "the state is no α x + σ ε with one α and one σ for a row: other noise, or "
                "noise that rows or channels share",
            },
            **details,
        )
    if subject.facts.map is None:
        return skip("nobody says what its times mean: declare `level`", "not asked")
    try:
        alpha, sigma = _levels(subject, reading.time)
    except ValueError as error:
        return judge(math.inf, SINGLE, failing={"why": f"a time has no level: {error}"}, **details)
    off = np.maximum(abs(reading.alpha - alpha), abs(reading.sigma - sigma))
    off = off / np.hypot(alpha, sigma)
    j = int(np.nanargmax(off))
    return judge_entries(
        off,
        SINGLE,
        failing={
            "where": f"time {reading.time[j]:.6g}: shown {reading.alpha[j]:.6g} x + "
            f"{reading.sigma[j]:.6g} ε, should be {alpha[j]:.6g} and {sigma[j]:.6g}",
            "counterexample": {"time": float(reading.time[j])},
        },
        **details,
    )


@claim(
    "loss-target",
    "The loss is quadratic in what the network returns, with its least value at the target that "
    "the network is to predict: p x + q ε of the kind, at the level of the state.",
    source=SOURCE + "; CLAIMS 14, 15, 16",
    control=lambda size: plain(aim=size),
    control_size=1e-2,
    kind="loss",
    harm="training",
    core="the target",
    formula="|(p, q) − (p*, q*)|/|(p*, q*)|: the loss is least at p x + q ε, the prediction is p* "
    "x + q* ε",
    remedy="The finding says of which kind the target is. Fix its sign or its form, or declare "
    "`predicts`.",
)
def target_check(subject: LossSubject) -> Finding:
    """The minimum, from gradients at two constant outputs; a third shows that it is quadratic."""
    reading = subject.read()
    details: dict[str, Any] = {
        "unit": "of the target's size",
        "derivation": "quotients in float32: 1e-4",
    }
    if not reading.bent <= BENT:
        why = "its gradient is not linear in the output: no squared error"
        rough = {**details, "derivation": "second differences in float32: 1e-3"}
        return judge(reading.bent, BENT, failing={"why": why}, **rough)
    if not reading.untold <= TARGET:
        why = "the target is no p x + q ε with one p and one q for a row"
        return judge(reading.untold, TARGET, failing={"why": why}, **details)
    if not subject.kind_known:
        why = "the target is that of no kind that is known: declare `predicts`"
        return skip(why, "not asked")
    try:
        p, q = subject.target(reading)
    except ValueError as error:
        return inconclusive(str(error))
    off = np.hypot(reading.p - p, reading.q - q) / np.hypot(p, q)
    j = int(np.nanargmax(off))
    return judge_entries(
        off,
        TARGET,
        failing={
            "where": f"time {reading.time[j]:.6g}: least at {reading.p[j]:.6g} x + "
            f"{reading.q[j]:.6g} ε, {subject.facts.predicts} is {p[j]:.6g} x + {q[j]:.6g} ε",
            "why": _which(reading.p, reading.q, reading.alpha, reading.sigma),
            "counterexample": {"time": float(reading.time[j])},
        },
        **details,
    )


def _which(p: Array, q: Array, alpha: Array, sigma: Array) -> str | None:
    """The kind that the target is instead."""
    for kind in (*KINDS, "-u", "-v"):
        try:
            a, b = target(kind, alpha, sigma)
        except (ValueError, TypeError):
            continue
        if (np.hypot(p - a, q - b) / np.hypot(a, b)).max() < BENT:
            return f"the target is that of a network that returns {kind}"
    return None


@claim(
    "loss-weight",
    "All elements of a row weigh the same, no row weighs less than nothing, and the weighting that "
    "is declared is the one there is, up to a constant.",
    source=SOURCE + "; CLAIMS 17, 20",
    control=lambda size: _weighs(size),
    control_size=1.0,
    kind="loss",
    harm="training",
    formula="max |log w(λ) − log w*(λ)| less its median, w from second differences of the loss and "
    "the density of the times",
    remedy="Compare factor and density of times with those of the paper: σ² for σ, SNR the wrong "
    "way up, or a factor that is counted twice.",
)
def weight_check(subject: LossSubject) -> Finding:
    """Second differences of the loss, element by element; w(λ) with the density of the times."""
    reading = subject.read()
    details: dict[str, Any] = {"unit": "of the weight", "derivation": "float32: 1e-3"}
    if not reading.uneven <= BENT:
        why = "elements of a row weigh differently: a mask, or a weight of the wrong shape"
        return judge(reading.uneven, BENT, failing={"why": why}, **details)
    if (reading.weight < 0).any():
        j = int(np.argmin(reading.weight))
        where = f"time {reading.time[j]:.6g} weighs {reading.weight[j]:.3g}"
        return judge(1.0, 0.0, unit="weights below nothing", where=where)
    if not subject.weighting:
        return judge(reading.uneven, BENT, **details)
    found = subject.weighed()
    if found is None:
        return skip("it draws no times whose density could be told", "not asked")
    known = WEIGHTINGS[subject.weighting]()(found.lam[2:-2])
    ratio = np.log(found.weight[2:-2]) - np.log(known)
    off = np.abs(ratio - np.median(ratio))
    j = int(np.argmax(off))
    return judge(
        float(off[j]),
        2 * SHAPE,
        unit="of log w(λ), up to a constant",
        derivation=f"the density of λ from {ROWS} quantiles",
        failing={
            "where": f"λ = {found.lam[2:-2][j]:.3g}",
            "why": f"the weighting is that of {found.name!r}"
            if found.name
            else f"the weighting is not that of {subject.weighting!r}",
        },
    )


def _weighs(size: float) -> LossSubject:
    made = plain(slope=size)
    made.declare({"weighting": "flow_matching"})
    return made


@claim(
    "loss-rows",
    "What a row adds to the loss depends on its own data, time and noise alone.",
    source="DESIGN: rows are independent",
    control=lambda size: plain(shared=size),
    control_size=1e-2,
    kind="loss",
    harm="training",
    formula="the change of a row's gradient or weight with the outputs and times of other rows",
    remedy="Weights of shape (rows,) against losses of shape (rows, 1) make a table of all pairs: "
    "reshape them.",
)
def rows_check(subject: LossSubject) -> Finding:
    """The gradient of a row with other outputs, and with other times, in the other rows."""
    reading = subject.read()
    details: dict[str, Any] = {"unit": "of the row's gradient", "derivation": "float32: 1e-5"}
    if not reading.coupled <= SINGLE:
        why = "a row's gradient depends on what the network returns for other rows"
        return judge(reading.coupled, SINGLE, failing={"why": why}, **details)
    u = (torch.arange(ROWS, dtype=torch.float64) + 0.5) / ROWS
    others = u.clone()
    others[1:] = (u[1:] + 0.37) % 1.0
    if reading.quantile is None:
        return judge(reading.coupled, SINGLE, **details)
    again = subject.read(quantiles=others)
    off = abs(again.weight[0] - reading.weight[0]) / max(abs(reading.weight[0]), 1e-300)
    why = "a row's weight depends on the times of other rows: a weight of the wrong shape"
    return judge(float(off), SINGLE, failing={"why": why}, **details)


@claim(
    "loss-times",
    "The times that are drawn are times of the schedule, both of its ends among them.",
    source="CLAIMS 18; DESIGN: times",
    control=lambda size: plain(early=size),
    control_size=1e-1,
    kind="loss",
    harm="training",
    formula="how far the smallest and largest time that is drawn are from the ends, of the range",
    remedy="Draw over the whole range: `randint` leaves out its upper end, and a margin of more "
    "than 2 % is never trained.",
)
def times_check(subject: LossSubject) -> Finding:
    """The smallest and the largest time, from the first and the last quantile."""
    reading = subject.read()
    if reading.quantile is None and "times" in subject.entry.roles:
        return skip("it is given its times")
    if reading.quantile is None:
        why = "draws no time for each row: rows share one, or have none"
        return judge(1.0, 0.0, unit="times that rows share", failing={"why": why})
    known = subject.facts.map
    if known is None:
        return skip("nobody says what its times mean: declare `level`", "not asked")
    u = (torch.arange(ROWS, dtype=torch.float64) + 0.5) / ROWS
    u[0], u[-1] = 1e-9, 1 - 1e-9
    ends = subject.read(quantiles=u)
    whole = known.time is None and not callable(subject.facts.level)
    if known.clean is None and not whole:
        return skip("its times have no ends")
    clean, noisy = (0.0, subject.facts.T - 1) if whole else (known.clean, known.noisy)
    assert clean is not None
    assert noisy is not None
    scale = subject.facts.T if str(subject.facts.level).endswith("× T") else 1.0
    low, high = sorted((clean * scale, noisy * scale))
    got = float(ends.time.min()), float(ends.time.max())
    span = high - low
    off = [max(abs(got[0] - low), 0.0) / span, max(abs(got[1] - high), 0.0) / span]
    bound = 0.5 / span if whole else 2e-2  # a training step; what is cut off for safety
    j = int(np.argmax(off))
    return judge(
        float(off[j]),
        bound,
        unit="of the range of times",
        derivation="half a training step" if whole else "what is cut off for safety: 2 %",
        failing={
            "where": f"times from {got[0]:.6g} to {got[1]:.6g}, should be {low:g} to {high:g}",
            "counterexample": {"quantile": float(u[0] if j == 0 else u[-1])},
        },
    )
