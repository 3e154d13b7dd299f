"""The Gaussian draws: standard normal, independent, from the caller's generator."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from scipy import stats

from dfbench.claims.base import Finding, claim, judge
from dfbench.readout import SEED, GaussianDraws
from dfbench.subjects.base import Sampler
from dfbench.subjects.reference import Defect, MethodSampler

STEPS = 6
SHAPE = (64, 1, 16, 16)
FALSE_ALARM = 1e-8  # of this check; a certificate has fewer than a hundred of them


def _ignores_generator(size: float) -> Sampler:
    """Draws from the global generator whatever the caller passes."""
    return MethodSampler("ddim", {"eta": 1.0}, defect=Defect(generator=lambda g: None))


@claim(
    "noise",
    "Draws are standard normal, independent of each other and between rows, made from the "
    "caller's generator: same seed, same sample; global random state untouched.",
    source="DESIGN: the noise contract is part of a method",
    control=_ignores_generator,
    control_size=1.0,
)
def noise_check(subject: Sampler) -> Finding:
    """Two real runs from one seed and one from another, and the draws they made."""
    problems: list[str] = []
    one, draws, touched = _run(subject, 1)
    two, _, _ = _run(subject, 1)
    three, _, _ = _run(subject, 2)
    reading = subject.reading(STEPS)
    details = {"unit": "problems", "derivation": f"false alarms below {FALSE_ALARM}"}
    if touched:
        problems.append(f"the global random state of {' and '.join(touched)} changed")
    if not torch.equal(one, two):
        problems.append("the same seed gives another sample")
    if not draws:
        if subject.traits.stochastic:
            problems.append("declared stochastic, draws nothing")
        elif not torch.equal(one, three):
            problems.append("declared deterministic, depends on the seed")
    elif subject.traits.stochastic and torch.equal(one, three):
        problems.append("another seed gives the same sample")
    unseeded = [k for k, d in enumerate(reading.draws) if not d.seeded]
    if unseeded and not subject.own_seed:
        problems.append(f"draws {unseeded[:5]} do not use the caller's generator")
    shared = [k for k, d in enumerate(reading.draws) if not d.per_row]
    if shared:
        shape = reading.draws[shared[0]].shape
        problems.append(f"draws {shared[:5]} have shape {shape}: rows share their noise")
    if reading.other_random:
        kinds = ", ".join(sorted(set(reading.other_random)))
        problems.append(f"other random operations: {kinds}")
    problems += _statistics(draws)
    if not problems:
        return judge(0, 0, **details)
    return judge(len(problems), 0, where="; ".join(problems[:4]), why=problems[0],
                 counterexample={"steps": STEPS, "seed": 1}, **details)  # fmt: skip


def _run(subject: Sampler, seed: int) -> tuple[torch.Tensor, list[np.ndarray], list[str]]:
    session = subject.session(STEPS)
    before = torch.get_rng_state().clone(), np.random.get_state()[1].copy()
    generator = torch.Generator().manual_seed(SEED + seed)
    kept: list[np.ndarray] = []

    def keep(operation: str, out: torch.Tensor, seeded: bool) -> torch.Tensor:
        kept.append(out.detach().double().numpy().copy())
        return out

    with torch.no_grad(), GaussianDraws(keep, generator):
        z = torch.zeros(SHAPE, dtype=torch.float64)
        sample = session(lambda z, call: torch.tanh(z), z, generator)
    touched = []
    if not torch.equal(before[0], torch.get_rng_state()):
        touched.append("torch")
    if not np.array_equal(before[1], np.random.get_state()[1]):
        touched.append("numpy")
    return sample, [draw for draw in kept if draw.size == np.prod(SHAPE)], touched


def _statistics(draws: list[np.ndarray]) -> list[str]:
    """Mean, variance, correlation between draws and between rows, at a fixed false-alarm rate."""
    if not draws:
        return []
    tests: list[tuple[str, float]] = []
    for k, draw in enumerate(draws):
        n = draw.size
        tests.append((f"draw {k} has mean {draw.mean():.4f}", abs(draw.mean()) * n**0.5))
        tests.append((f"draw {k} has variance {draw.var():.4f}",
                      abs(draw.var() - 1) * (n / 2) ** 0.5))  # fmt: skip
        rows = draw.reshape(len(draw), -1)
        between = (rows[:-1] * rows[1:]).sum() / rows[1:].size ** 0.5
        tests.append((f"rows of draw {k} are correlated", abs(between)))
    for (i, one), (j, two) in itertools.combinations(enumerate(draws), 2):
        tests.append((f"draws {i} and {j} are correlated", abs((one * two).sum()) / one.size**0.5))
    limit = stats.norm.isf(FALSE_ALARM / (2 * len(tests)))
    return [what for what, z in tests if z > limit]

