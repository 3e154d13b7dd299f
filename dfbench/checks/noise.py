"""The Gaussian draws: standard normal, independent, from the caller's generator."""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy import stats

from dfbench.draws import GaussianDraws, brownian_paths
from dfbench.levels import Array
from dfbench.outcome import Finding, claim, judge
from dfbench.readout import SEED
from dfbench.samplers.method import brownian_covariance
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import Defect, MethodSampler

STEPS = 6
SHAPE = (16, 1, 16, 16)
FALSE_ALARM = 1e-8  # of this check; a certificate has fewer than a hundred of them


def _ignores_generator(size: float) -> Sampler:
    """Draws from the global generator whatever the caller passes."""
    return MethodSampler("ddim", {"eta": 1.0}, defect=Defect(generator=lambda g: None))


@claim(
    "noise",
    "Draws are standard normal, independent between draws and rows (or increments of one Brownian "
    "path), made from the caller's generator: same seed, same sample; global state untouched.",
    source="DESIGN: the noise contract is part of a method",
    control=_ignores_generator,
    control_size=1.0,
    sized=False,
    core="the noise",
    formula="the number of: mean, variance and correlations of the draws that are off by more than "
    "chance, seeds that do not decide the sample, global states that change",
    chance="z-tests of mean, variance and correlations, each at 10⁻⁸ over the number of tests: a "
    "right subject fails once in 10⁸ certificates",
    remedy="Pass the generator to every call that draws, draw with the full shape of the state, "
    "and touch no global seed.",
)
def noise_check(subject: Sampler) -> Finding:
    """Two real runs from one seed and one from another, and the draws they made."""
    problems: list[str] = []  # with the generator
    wrong: list[str] = []  # with the noise itself
    one, kept, touched = _run(subject, 1)
    two, _, _ = _run(subject, 1)
    three, _, _ = _run(subject, 2)
    reading = subject.reading(STEPS)
    if touched and subject.takes_generator:
        problems.append(f"the global random state of {' and '.join(touched)} changed")
    if not torch.equal(one, two):
        problems.append("the same seed gives another sample")
    changed = not torch.equal(one, three)
    if subject.traits.stochastic:
        if not kept.draws:
            wrong.append("declared stochastic, draws nothing")
        elif not changed:
            problems.append("another seed gives the same sample")
    elif changed:
        wrong.append("declared deterministic, depends on the seed")
    unseeded = [k for k, d in enumerate(reading.draws) if not d.seeded]
    if unseeded and subject.takes_generator:
        problems.append(f"draws {unseeded[:5]} do not use the caller's generator")
    shared = [k for k, d in enumerate(reading.draws) if not d.per_row]
    if shared:
        shape = reading.draws[shared[0]].shape
        wrong.append(f"draws {shared[:5]} have shape {shape}: rows share their noise")
    if len(kept.draws) == reading.table.n_draws:  # what no state uses may be anything
        kept = kept.only(np.abs(reading.table.C).max(axis=0, initial=0.0) > 0)
    wrong += _statistics(kept)
    problems += wrong
    return judge(
        len(problems),
        0,
        unit="problems",
        derivation=f"false alarms below {FALSE_ALARM}",
        failing={
            "where": "; ".join(problems[:4]),
            "why": next(iter(problems), None),
            "harm": "samples" if wrong else "interface",
            "counterexample": {"steps": STEPS, "seed": 1},
        },
    )


@dataclass
class _Kept:
    """The draws of a run, and the intervals of those that are increments of a Brownian path."""

    draws: list[Array] = field(default_factory=list)
    spans: list[tuple[float, float] | None] = field(default_factory=list)
    inside: bool = False

    def only(self, used: Array) -> _Kept:
        """The draws that are marked as used."""
        picked = np.flatnonzero(used)
        return _Kept([self.draws[k] for k in picked], [self.spans[k] for k in picked])

    def gaussian(self, operation: str, out: torch.Tensor, seeded: bool) -> torch.Tensor:
        if not self.inside:
            self.add(out, None)
        return out

    def add(self, out: torch.Tensor, span: tuple[float, float] | None) -> None:
        if out.numel() == np.prod(SHAPE):
            self.draws.append(out.detach().double().numpy().copy())
            self.spans.append(span)


def _paths(kept: _Kept) -> AbstractContextManager[None]:
    """Keeps the increments of torchsde's Brownian paths, not the draws they are made of."""

    def watched(cls: Any) -> Any:
        class Watched:
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                kept.inside = True
                self.path = cls(*args, **kwargs)
                kept.inside = False

            def __getattr__(self, name: str) -> Any:
                return getattr(self.path, name)

            def __call__(self, ta: Any, tb: Any, **more: Any) -> Any:
                kept.inside = True
                made = self.path(ta, tb, **more)
                kept.inside = False
                increment = made[0] if isinstance(made, tuple) else made
                start, stop = float(ta), float(tb)
                if stop != start:
                    h = stop - start
                    kept.add(increment / abs(h) ** 0.5, (start, stop))
                    if more.get("return_U"):  # what the increment does not tell of it
                        kept.add((made[1] / h - increment / 2) * (12 / abs(h)) ** 0.5, None)
                return made

        return Watched

    return brownian_paths(watched)


def _run(subject: Sampler, seed: int) -> tuple[torch.Tensor, _Kept, list[str]]:
    session = subject.session(STEPS)
    kept = _Kept()
    generator = torch.Generator().manual_seed(SEED + subject.seed + seed)
    outside = torch.get_rng_state()
    # a state that nobody else would set, so that a seed set inside shows
    torch.manual_seed(SEED + subject.seed + seed)
    before = _global_state()
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(_paths(kept))
        stack.enter_context(GaussianDraws(kept.gaussian, generator))
        z = torch.zeros(SHAPE, dtype=torch.float64)
        sample = session(lambda z, call: torch.tanh(z), z, generator)
    after = _global_state()
    touched = [name for name in before if not np.array_equal(before[name], after[name])]
    torch.set_rng_state(outside)
    return sample, kept, touched


def _global_state() -> dict[str, Array]:
    """The global random state of torch and of NumPy's legacy generator."""
    legacy: Any = np.random.get_state()  # noqa: NPY002 - watched, not used
    return {"torch": torch.get_rng_state().numpy().copy(), "numpy": legacy[1].copy()}


def _statistics(kept: _Kept) -> list[str]:
    """Mean, variance, correlation between draws and between rows, at a fixed false-alarm rate."""
    if not kept.draws:
        return []
    cov = brownian_covariance(kept.spans)
    tests: list[tuple[str, float]] = []
    for k, draw in enumerate(kept.draws):
        n = draw.size
        tests.append((f"draw {k} has mean {draw.mean():.4f}", abs(draw.mean()) * n**0.5))
        variance = (draw**2).mean()
        tests.append((f"draw {k} has variance {variance:.4f}", abs(variance - 1) * (n / 2) ** 0.5))
        rows = draw.reshape(len(draw), -1)
        between = (rows[:-1] * rows[1:]).sum() / rows[1:].size ** 0.5
        tests.append((f"rows of draw {k} are correlated", abs(between)))
    for (i, one), (j, two) in itertools.combinations(enumerate(kept.draws), 2):
        rho = 0.0 if cov is None else float(cov[i, j])
        if abs(rho) > 1 - 1e-9:
            continue
        # the mean of n products of correlated normals has variance (1 + ρ²)/n
        z = abs((one * two).mean() - rho) * (one.size / (1 + rho**2)) ** 0.5
        tests.append(
            (f"draws {i} and {j} have correlation {(one * two).mean():.3f}, should be {rho:.3f}", z)
        )
    limit = stats.norm.isf(FALSE_ALARM / (2 * len(tests)))
    return [what for what, z in tests if z > limit]
