"""Is what a step adds at random normal, fine enough, and new for every element?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import stats

from dfbench import predictions
from dfbench.draws import preserved_random_state
from dfbench.errors import SubjectError, Undefined, Unsupported
from dfbench.levels import Array
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.readout import Call
from dfbench.subjects.contract import Sampler, Session
from dfbench.subjects.reference import Defect, MethodSampler
from dfbench.table import Table

STEPS = 6
ALL = slice(None)
SHAPE = (8, 2, 48, 48)  # the first two rows start alike
FALSE_ALARM = 1e-9  # of one test; a certificate makes fewer than a hundred
LEAST = 1e-3  # deviation of the fresh noise, of the state's size, below which it is not looked at
GRAIN = 1e-5  # to which values are told apart: float32 has 6e-8 of them, half precision 1e-3
FINE = 0.9  # of the distinct values that a normal would have


def _smeared(size: float) -> Sampler:
    """A share of every draw is its neighbour's, which a state of one element does not show."""
    defect = Defect(noise=lambda xi, k: (xi + size * xi.roll(1, -1)) / (1 + size))
    return MethodSampler("ddim", {"eta": 1.0}, defect=defect)


@claim(
    "fresh-noise",
    "What a step adds at random is normal in all its values, of more digits than half precision "
    "has, and independent between rows that are alike, channels, neighbours, steps and runs.",
    source="DESIGN: the noise contract is part of a method",
    control=_smeared,
    control_size=1e-1,
    formula="Kolmogorov–Smirnov distance of (z_{j+1} − c z_j)/w to N(0, 1), its number of distinct "
    "values, and its correlations between rows, channels, neighbours, steps and runs",
    chance="each test at 10⁻⁹; a certificate makes fewer than a hundred",
    remedy="Draw at the shape and dtype of the state, a new draw for each step, and let rows that "
    "are alike have noise of their own.",
)
def fresh_noise_check(subject: Sampler) -> Finding:
    """Runs of an object on large states, with a generator and without, less what is not new."""
    if not subject.traits.stochastic:
        return skip("draws no noise")
    table = subject.affine_reading(STEPS).table.convert("x")
    session = subject.session(STEPS)
    first = _states(session, 1, _seeded(1))
    second, third = (_states(session.again(), seed, None) for seed in (2, 3))
    problems = _of_rows(subject) if subject.takes_generator else []
    before: list[Array] | None = None
    for j, parts in enumerate(_weights(table)):
        if parts is None:
            before = None
            continue
        of_z, weight = parts
        runs = [(z[j + 1] - of_z * z[j]) / weight for z in (first, second, third)]
        problems += [f"step {j}: {said}" for said in _wrong(runs, before)]
        before = runs if table.noise_cov is None else None
    return judge(
        len(problems),
        0,
        unit="problems",
        derivation=f"false alarms below {FALSE_ALARM:g} each",
        failing={
            "where": "; ".join(problems[:4]),
            "why": next(iter(problems), None),
            "counterexample": {"steps": STEPS},
        },
    )


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(100 + seed)


def _states(session: Session, seed: int, generator: Any, rows: slice = ALL) -> list[Array]:
    """The states of a run whose x̂ is 0, so that no clipping takes part; the sample last.

    Of some rows of the states that the seed gives, with a generator, or the global state.
    """
    rng = torch.Generator().manual_seed(seed)
    start = 0.1 * torch.randn(SHAPE, generator=rng, dtype=torch.float64)
    start[1] = start[0]
    start = start[rows]
    states: list[Array] = []

    def model(z: torch.Tensor, call: Call) -> torch.Tensor:
        states.append(z.detach().double().numpy().copy())
        c_z, c_m = predictions.affine(
            session.prediction, "x", *call.own, sigma_data=session.sigma_data
        )
        if not c_m:
            raise Undefined("x̂ does not depend on the output")
        made: torch.Tensor = -(c_z / c_m) * z
        return made

    with torch.no_grad(), preserved_random_state():
        torch.manual_seed(seed)
        sample = session(model, start, generator)
    states.append(sample.detach().double().numpy())
    if not all(np.isfinite(state).all() for state in states):
        raise SubjectError("a state is not finite")
    return states


def _of_rows(subject: Sampler) -> list[str]:
    """With a generator for each row: a row is that of a run by itself with its own."""
    try:
        both = _states(subject.session(STEPS), 1, [_seeded(2), _seeded(3)], slice(0, 2))[-1]
    except (SubjectError, Unsupported, TypeError):  # which it need not take
        return []
    alone = [
        _states(subject.session(STEPS), 1, _seeded(2 + row), slice(row, row + 1))[-1][0]
        for row in (0, 1)
    ]
    size = np.abs(both).max()
    wrong = [row for row in (0, 1) if not np.abs(both[row] - alone[row]).max() <= 1e-9 * size]
    said = "given a generator for each row, row {} is not that of its own generator alone"
    return [said.format(row) for row in wrong]


def _weights(table: Table) -> Iterator[tuple[float, float] | None]:
    """Per evaluation: the weight of its state in the next, and the deviation of what is new.

    The new state is that times the old one, where x̂ is 0, and new draws; None where nothing new
    comes in, or what comes in is mixed with what came before.
    """
    known = np.column_stack([table.a, table.C])
    for j in range(table.nfe):
        now, then = known[j], known[j + 1]
        old = now != 0
        of_z = float(then[old] @ now[old] / (now[old] @ now[old])) if old.any() else 0.0
        left = then - of_z * now
        size = float(np.hypot(*table.levels[j + 1]))
        if np.abs(left[old]).max(initial=0.0) > 1e-6 * size:
            yield None
            continue
        fresh = left[1:] * ~old[1:]
        weight = float(np.sqrt(fresh @ table.covariance @ fresh))
        yield (of_z, weight) if weight > LEAST * size else None


def _wrong(runs: list[Array], before: list[Array] | None) -> list[str]:
    """What is wrong with the noise of a step in three runs, beside that of the step before."""
    noise, other, third = runs
    n, found = noise.size, []
    distance, p = stats.kstest(noise.ravel(), "norm")
    if p < FALSE_ALARM:
        found.append(f"it is not normal (distance of the distributions {distance:.3f})")
    distinct = len(np.unique(np.round(noise / GRAIN)))
    # n values of density φ on a grid of width g leave n²/2 · g/(2√π) pairs that are the same
    if distinct < FINE * (n - n**2 * GRAIN / (4 * np.pi**0.5)):
        found.append(f"{distinct} of {n} values are distinct: it has the digits of half precision")
    pairs = {
        "rows that are alike": (noise[0], noise[1]),
        "rows": (noise[:-1], noise[1:]),
        "channels": (noise[:, 0], noise[:, 1]),
        "neighbours along the last axis": (noise[..., :-1], noise[..., 1:]),
        "neighbours along the axis before": (noise[..., :-1, :], noise[..., 1:, :]),
        "runs": (noise, other),
        "runs without a generator": (other, third),
    }
    if before is not None:  # but increments of one Brownian path, of intervals that overlap
        pairs |= {"steps": (noise, before[0]), "steps without a generator": (other, before[1])}
    limit = stats.norm.isf(FALSE_ALARM)
    for what, (one, two) in pairs.items():
        between = float((one * two).sum()) / one.size**0.5
        if abs(between) > limit:
            found.append(f"{what} share it (correlation {between / one.size**0.5:.3f})")
    return found
