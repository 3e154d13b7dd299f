"""What is asked of a coupling: rows, marginals, the plan, the path between the pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.special import logsumexp

from dfbench.checks.cases import judge_entries
from dfbench.couplings import optimal_pairs
from dfbench.errors import SubjectError
from dfbench.levels import Array
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.subjects.coupling import (
    COUNT,
    NEAR,
    CouplingSubject,
    Rows,
    batch,
    best,
    costs,
    distance,
    optimal,
)

SOURCE = "TONG; CLAIMS 24, 25"
RUNS = 300
SIGMAS = 6.0  # of a count: a false alarm in 5e8 cells
BESIDE = (
    1e-4  # of the time, over which differences are taken: their error is 1e-8 of the third rate
)
MINE = "dfbench:optimal pairs"


def _mine(**defects: float) -> CouplingSubject:
    """Optimal pairs on the straight path, with a defect."""
    kind = {"kind": "coupling", "plan": "optimal"}

    def matcher(x0: torch.Tensor, x1: torch.Tensor) -> Any:
        return _matched(x0, x1, **defects)

    return CouplingSubject(matcher, MINE, claims=kind)


def _matched(
    x0: torch.Tensor,
    x1: torch.Tensor,
    *,
    mixed: float = 0.0,
    often: float = 0.0,
    swapped: float = 0.0,
    rate: float = 0.0,
    broken: float = 0.0,
) -> Any:
    noise, data = (x.reshape(len(x), -1).double().numpy() for x in (x0, x1))
    p = torch.from_numpy(optimal_pairs(noise, data))
    if swapped and len(p) > 1:
        p[:2] = p[:2].flip(0)
    if often and float(torch.rand(())) < often:
        p = p.clone()
        p[0], x0 = p[-1], torch.cat([x0[-1:], x0[1:]])
    t = torch.rand(len(x0), dtype=x0.dtype)
    s = t.reshape(-1, *[1] * (x0.ndim - 1))
    x1 = x1[p] + mixed * x1.mean(0)
    if broken:
        return x1.sum()
    return t, (1 - s) * x0 + s * x1, (1 + rate) * (x1 - x0)


@claim(
    "coupling-runs",
    "A batch of any size comes out as pairs of its rows, or as states and targets between them.",
    source=SOURCE,
    control=lambda size: _mine(broken=1.0),
    control_size=1.0,
    sized=False,
    kind="coupling",
    of_the_run=True,
    harm="training",
    core="the run",
    formula="the number of batches (six rows, five, one; two dtypes) that break, are not finite or "
    "change dtype",
    remedy="Handle the batch of one row that a data set leaves over, and keep the dtype of what "
    "comes in.",
)
def runs_check(subject: CouplingSubject) -> Finding:
    """Batches of six rows, of five, and of the one that a data set may leave over."""
    details: dict[str, Any] = {"unit": "batches that break", "derivation": "none may"}
    for n in (COUNT, COUNT - 1, 1):
        for dtype in (torch.float64, torch.float32):
            try:
                made = subject.run(*batch(0, n, subject.shape, dtype), prescribed=False)
            except SubjectError as error:
                return judge(1, 0, failing={"why": str(error), "where": f"{n} rows"}, **details)
            for part in (made.first, made.second, made.state, made.rate):
                if part is None:
                    continue
                if not bool(part.isfinite().all()):
                    failing = {"why": "what comes out is not finite", "where": f"{n} rows"}
                    return judge(1, 0, failing=failing, **details)
                if part.dtype != dtype:
                    why = f"returns {str(part.dtype)[6:]} for {str(dtype)[6:]}"
                    return judge(1, 0, failing={"why": why}, harm="interface", **details)
    return judge(0, 0, **details)


@claim(
    "coupling-rows",
    "What is paired are rows of the noise and rows of the data, as they were, in batches as wide "
    "as they are long, too.",
    source=SOURCE,
    control=lambda size: _mine(mixed=size),
    control_size=1e-2,
    kind="coupling",
    harm="training",
    core="the pairs",
    formula="max distance of a row that comes out to the nearest row that went in; of a plan, the "
    "error of its marginals",
    remedy="Index rows only: interpolated, averaged or normalised data are other data.",
)
def rows_check(subject: CouplingSubject) -> Finding:
    """The distance to the next row that went in; of a plan, its two marginals."""
    cases = [("six rows", batch(1, COUNT, subject.shape))]
    cases += [(f"a batch of {n}", batch(3, n, subject.shape)) for n in (COUNT - 1, 1)]
    if subject.declared is None or subject.declared.shape is None:
        cases.append(("a square batch", batch(2, COUNT, (COUNT,))))
    found = []
    for where, rows in cases:
        plan = subject.run(*rows).plan
        if plan is None:
            first, second = subject.ends(rows)
            found.append((max(distance(first, rows[0]), distance(second, rows[1])), where))
        else:
            away = [np.ptp(plan.sum(k)) / plan.sum() * len(plan) for k in (0, 1)]
            found.append((float(max(away)), where))
    off, where = max(found)
    return judge(
        off,
        NEAR,
        unit="of a row",
        derivation="float32, and paths that start at t = 1e-5",
        failing={"where": where, "why": "a row that comes out is none that went in"},
    )


def _counts(subject: CouplingSubject) -> Array:
    """How often each pair of the first batch is drawn, (n, n); in few runs where all are alike."""

    def made() -> Array:
        rows = subject.batches()[0]
        counts, seen = np.zeros((COUNT, COUNT)), []
        for seed in range(RUNS):
            i, j = subject.pairs(rows, seed)
            np.add.at(counts, (i, j), 1)
            seen.append((tuple(i), tuple(j)))
            if seed == 20 and len(set(seen)) == 1:
                break
        return counts

    return subject.kept("counts", made)


@claim(
    "coupling-marginals",
    "Every row of the noise and every row of the data is drawn equally often.",
    source=SOURCE,
    control=lambda size: _mine(often=size),
    control_size=1.0,
    kind="coupling",
    harm="training",
    formula="max_r |count_r − n/6|/√(n/6 · 5/6) over 300 runs, count_r how often row r is drawn",
    chance="a count beyond six deviations: one false alarm in 5·10⁸ counts; where every run gives "
    "the same pairs, none",
    remedy="Draw pairs from the whole plan, or rows without repetition; an argmin for each row "
    "pairs some rows twice.",
)
def marginals_check(subject: CouplingSubject) -> Finding:
    """Counts over runs, in deviations of a multinomial draw; exact where every run is the same."""
    rows = subject.batches()[0]
    if subject.run(*rows).plan is not None:
        return skip("it draws no pairs")
    counts = _counts(subject)
    mean = counts.sum() / COUNT
    same = counts.sum() < RUNS
    deviation = 1.0 if same else math.sqrt(mean * (1 - 1 / COUNT))
    off = np.stack([abs(counts.sum(k) - mean) for k in (1, 0)]) / deviation
    side, row = np.unravel_index(int(off.argmax()), off.shape)
    seen = 100 * SIGMAS * math.sqrt((COUNT - 1) / RUNS)
    chance = f"a false alarm in 5e8; seen from {seen:.0f} % on"
    return judge(
        float(off.max()),
        0.0 if same else SIGMAS,
        unit="draws" if same else "deviations of a count",
        derivation="every run is the same" if same else chance,
        failing={
            "where": f"row {row} of the {('noise', 'data')[side]}: "
            f"{counts.sum(1 - side)[row]:.0f} of {counts.sum():.0f} draws",
            "why": "some rows are drawn more often than others",
        },
    )


@claim(
    "coupling-plan",
    "The pairs are those of the plan: of the exact one for |x₁ − x₀|², or with its frequencies.",
    source=SOURCE + "; Cuturi 2013, arXiv 1306.0895",
    control=lambda size: _mine(swapped=size),
    control_size=1.0,
    sized=False,
    kind="coupling",
    harm="training",
    formula="the number of pairs that are not of the least Σ|x₁ − x₀|² over all permutations of "
    "six rows; for an entropic plan, the deviation of the frequencies from Sinkhorn's",
    chance="for an entropic plan that is drawn from, a count beyond six deviations, one in 5·10⁸; "
    "otherwise none",
    remedy="The finding says which plan it is instead: the distance for its square, the inverse "
    "permutation, a greedy choice. Flatten images before taking distances.",
)
def plan_check(subject: CouplingSubject) -> Finding:
    """Against the least of all permutations of six rows, or Sinkhorn's plan."""
    if not subject.plan:
        return skip("nobody says which plan it has: declare `plan`", "not asked")
    if subject.plan == "entropic":
        return _entropic(subject)
    drawn = wrong = 0
    first: dict[str, Any] = {}
    for k, rows in enumerate(subject.batches()):
        exact = optimal(*rows) if subject.plan == "optimal" else np.arange(COUNT)
        weights = subject.run(*rows).plan
        if weights is not None:
            inside = weights[np.arange(COUNT), exact].sum() / weights.sum()
            drawn, wrong = drawn + 1, wrong + int(inside < 1 - 1e-6)
            continue
        i, j = subject.pairs(rows)
        off = exact[i] != j
        drawn, wrong = drawn + len(i), wrong + int(off.sum())
        if off.any() and not first:
            row = int(np.argmax(off))
            cost = costs(*rows)
            first = {
                "where": f"batch {k}: noise {i[row]} with data {j[row]}, should be "
                f"{exact[i[row]]}; Σ|x₁ − x₀|² = {cost[i, j].sum():.6g}, least "
                f"{cost[np.arange(COUNT), optimal(*rows)].sum():.6g}",
                "counterexample": _example(subject, rows),
            }
    return judge(
        wrong,
        0,
        unit=f"of {drawn} pairs are none of the plan",
        derivation="all permutations of six rows",
        failing=first | ({"why": _instead(subject)} if first else {}),
    )


def _example(subject: CouplingSubject, rows: Rows) -> dict[str, Any]:
    given = {subject.roles[role]: x.tolist() for role, x in zip(("x0", "x1"), rows, strict=True)}
    if "time" in subject.roles:
        given[subject.roles["time"]] = [0.5] * COUNT
    return {
        "arguments": given | subject.call,
        "method": subject.method,
        "should be": optimal(*rows).tolist(),
    }


def _instead(subject: CouplingSubject) -> str | None:
    """The plan that it has instead."""

    def greedy(cost: Array) -> Array:
        left, taken = cost.copy(), np.zeros(len(cost), dtype=int)
        for _ in cost:
            i, j = np.unravel_index(int(left.argmin()), left.shape)
            taken[i], left[i], left[:, j] = j, np.inf, np.inf
        return taken

    known: dict[str, Callable[[Rows], Any]] = {
        "the plan for the distance, not for its square": lambda r: best(np.sqrt(costs(*r))),
        "the plan of the greatest cost": lambda r: best(-costs(*r)),
        "the nearest data of each noise, which pairs some twice": lambda r: costs(*r).argmin(1),
        "greedy": lambda r: greedy(costs(*r)),
        "the plan of the first number alone": lambda r: best(costs(_head(r[0]), _head(r[1]))),
        "the inverse permutation of the optimal one": lambda r: np.argsort(optimal(*r)),
        "rows as they come": lambda r: np.arange(COUNT),
    }
    for words, made in known.items():
        drawn = [(rows, *subject.pairs(rows)) for rows in subject.batches()]
        if all((made(rows)[i] == j).all() for rows, i, j in drawn):
            return f"it is {words}"
    return None


def _head(rows: torch.Tensor) -> torch.Tensor:
    return rows.reshape(len(rows), -1)[:, :1]


def _entropic(subject: CouplingSubject) -> Finding:
    """Frequencies of the pairs against Sinkhorn's plan."""
    if not subject.reg:
        return skip("nobody says how strong its entropy is: declare `reg`", "not asked")
    rows = subject.batches()[0]
    exact = sinkhorn(costs(*rows), subject.reg)
    weights = subject.run(*rows).plan
    if weights is not None:
        off = abs(weights / weights.sum() - exact) * COUNT
        return judge_entries(off, 1e-4, unit="of a row's weight", derivation="its own tolerance")
    counts = _counts(subject)
    n = counts.sum()
    off = abs(counts - n * exact) / np.sqrt(np.maximum(n * exact * (1 - exact), 1.0))
    i, j = np.unravel_index(int(off.argmax()), off.shape)
    return judge_entries(
        off,
        SIGMAS,
        unit="deviations of a count",
        derivation="a false alarm in 5e8",
        failing={
            "where": f"noise {i} with data {j}: {counts[i, j]:.0f} of {n:.0f} draws, should be "
            f"{n * exact[i, j]:.0f}"
        },
    )


def sinkhorn(cost: Array, reg: float) -> Array:
    """The plan P with uniform marginals that has the least Σ P cost + reg Σ P log P, (n, n)."""
    f = np.zeros(len(cost))
    for _ in range(100_000):
        g = -reg * logsumexp((f[:, None] - cost) / reg, axis=0)
        new = -reg * logsumexp((g[None] - cost) / reg, axis=1)
        if np.abs(new - f - (new - f).mean()).max() < 1e-13 * max(reg, 1.0):
            break
        f = new
    plan = np.exp((f[:, None] + g[None] - cost) / reg)
    return np.asarray(plan / plan.sum())


@claim(
    "coupling-target",
    "The target is the derivative of the state along its time, which is the one that is told.",
    source=SOURCE + "; LIP eq. 14; ALB",
    control=lambda size: _mine(rate=size),
    control_size=1e-2,
    kind="coupling",
    harm="training",
    core="the target",
    formula="‖u − dz/dt‖/‖dz/dt‖, the derivative by extrapolated central differences on the same "
    "pairs and noise",
    remedy="Differentiate the state by the time that is returned: a factor, a sign, or σ̇ ε is "
    "missing.",
)
def target_check(subject: CouplingSubject) -> Finding:
    """Central differences of two steps, extrapolated: the same pairs, the same noise."""
    rows = subject.batches()[0]
    if subject.run(*rows).state is None:
        return skip("it gives pairs, and no path between them")
    if not subject.timed:
        return skip("it draws no time for each row", "not asked")
    time = torch.linspace(0.1, 0.9, COUNT, dtype=torch.float64)
    noise = subject.batches()[1][0]

    def state(h: float) -> torch.Tensor:
        found = subject.run(*rows, time=time + h, noise=noise).state
        assert found is not None
        return found

    here = subject.run(*rows, time=time, noise=noise)
    assert here.rate is not None
    assert here.time is not None
    told = float((here.time.double() - time).abs().max())
    if not told <= 1e-6:
        why = "the times that it returns are not those of the states"
        return judge(told, 1e-6, unit="of the time", failing={"why": why})

    def slope(h: float) -> torch.Tensor:
        return (state(h) - state(-h)) / (2 * h)

    rate = (4 * slope(BESIDE / 2) - slope(BESIDE)) / 3
    size = rate.reshape(COUNT, -1).norm(dim=1)
    off = (here.rate - rate).reshape(COUNT, -1).norm(dim=1) / size
    j = int(off.nan_to_num(torch.inf).argmax())
    other = (here.rate + rate).reshape(COUNT, -1).norm(dim=1) / size
    negative = "it is the derivative's negative" if float(other.max()) < 1e-3 else None
    return judge_entries(
        off.numpy(),
        1e-4,
        unit="of the derivative",
        derivation="differences of fourth order; float32 inside fails",
        failing={"where": f"row {j}, time {float(time[j]):.3g}", "why": negative},
    )
