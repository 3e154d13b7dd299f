"""What is asked of a sampler of times: range, density, rows, seeds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from dfbench.checks.cases import judge_entries
from dfbench.errors import SubjectError
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.subjects.densities import below, density_of
from dfbench.subjects.drawn_times import DRAWN, TimesSubject

SOURCE = "SD3 section 3.1; EDM table 1; CLAIMS 18"
FALSE_ALARM = 1e-8
DENSE = 1e-4  # of a probability: the digits of the numbers of a density that is read


def _mine(
    *,
    bent: float = 0.0,
    late: float = 0.0,
    shared: float = 0.0,
    fixed: float = 0.0,
    short: float = 0.0,
) -> TimesSubject:
    """Times of SD3, with a defect."""

    def sample(batch_size: int) -> torch.Tensor:
        if fixed:
            torch.manual_seed(0)
        n = 1 if shared else batch_size - round(short)
        drawn = torch.sigmoid((1 + bent) * torch.randn(n)) * (1 + late)
        return drawn.expand(batch_size) if shared else drawn

    claims = {"kind": "times", "density": "logit-normal(0, 1)", "span": (0.0, 1.0)}
    return TimesSubject(sample, "dfbench:logit-normal times", claims=claims)


@claim(
    "times-run",
    "As many times as are asked for come out, all of them finite, and within the span.",
    source=SOURCE,
    control=lambda size: _mine(late=size),
    control_size=1e-1,
    kind="times",
    of_the_run=True,
    harm="training",
    core="the run",
    formula="the number of 200 000 times that are not finite or outside the span",
    remedy="Clamp or reject what the tails give, and mind the half-open end of `rand`.",
)
def run_check(subject: TimesSubject) -> Finding:
    """One time, five, and many."""
    details: dict[str, Any] = {"derivation": "none may be"}
    unit = "draws without as many times"
    for n in (1, 5):
        try:
            subject.draw(n)
        except SubjectError as error:
            return judge(1, 0, unit=unit, failing={"why": str(error)}, **details)
    drawn = subject.counted()
    low, high = subject.span or (0.0, math.inf)
    wrong = ~np.isfinite(drawn) | (drawn < low - 1e-6) | (drawn > high * (1 + 1e-6))
    return judge(
        int(wrong.sum()),
        0,
        unit=f"of {DRAWN} times outside [{low:g}, {high:g}]",
        failing={"where": f"time {drawn[np.argmax(wrong)]:g}"},
        **details,
    )


@claim(
    "times-density",
    "The times have the density that is declared, by their quantiles, up to both ends.",
    source=SOURCE,
    control=lambda size: _mine(bent=size),
    control_size=1e-2,
    kind="times",
    harm="training",
    core="the density",
    formula="max |u − F(t_u)| over quantiles u, F the declared distribution; or over draws, where "
    "its quantiles cannot be read",
    chance="where times are counted, the bound of Dvoretzky, Kiefer and Wolfowitz at 10⁻⁸ or less; "
    "where quantiles are read, none",
    remedy="The part of the probability that is off says which parameter: mean, width, or a shift "
    "that is applied to λ and not to t.",
)
def density_check(subject: TimesSubject) -> Finding:
    """What is drawn against P(T ≤ t); counted draws in the norm of Kolmogorov and Smirnov."""
    if not subject.density:
        return skip("nobody says which density they have: declare `density`", "not asked")
    quantile = density_of(subject.density)
    at = np.concatenate(
        [[1e-7, 1e-5, 1e-3], np.linspace(0.0107, 0.9893, 331), [1 - 1e-3, 1 - 1e-5]]
    )
    read = subject.quantiles(np.append(at, 1 - 1e-7))
    counted = read is None
    if read is None:
        times = subject.counted()
        u = (np.arange(DRAWN) + 0.5) / DRAWN
    else:
        u, times = read
        if times[0] > times[-1]:
            u = 1 - u
    low, high = below(quantile, times / subject.scale)
    off = np.maximum(np.maximum(low - u, u - high), 0.0)
    j = int(off.argmax())
    bound = math.sqrt(math.log(2 / FALSE_ALARM) / (2 * DRAWN)) if counted else DENSE
    return judge_entries(
        off,
        bound,
        unit="of the probability",
        derivation=f"Dvoretzky–Kiefer–Wolfowitz at {FALSE_ALARM:g}"
        if counted
        else "four digits of the numbers that a density is declared with",
        failing={
            "where": f"a part of {u[j]:.4g} lies below {times[j]:.6g}, should be "
            f"{min(max(u[j], low[j]), high[j]):.4g}",
            "counterexample": {"quantile": float(u[j]), "time": float(times[j])},
        },
    )


@claim(
    "times-rows",
    "Every row of a batch has a time of its own.",
    source="CLAIMS 18",
    control=lambda size: _mine(shared=1.0),
    control_size=1.0,
    sized=False,
    kind="times",
    harm="training",
    formula="the part of 100 batches whose two rows have the same time",
    chance="two of a thousand whole steps meet in one batch of a thousand; half of the hundred "
    "batches are allowed to",
    remedy="Draw as many times as there are rows.",
)
def rows_check(subject: TimesSubject) -> Finding:
    """Two rows of a batch, in many batches; whole steps may meet by chance."""
    pairs = np.array([subject.draw(2, seed)[0].double().numpy() for seed in range(100)])
    return judge(
        float((pairs[:, 0] == pairs[:, 1]).mean()),
        0.5,
        unit="of batches whose rows share their time",
        derivation="two whole steps meet in half the batches at most",
        failing={"why": "rows of a batch share their time"},
    )


@claim(
    "times-seeds",
    "A seed gives the same times again, another seed others, and so does the next call.",
    source="DESIGN: random numbers",
    control=lambda size: _mine(fixed=1.0),
    control_size=1.0,
    sized=False,
    kind="times",
    harm="interface",
    formula="the number of: a seed that gives other times again, another seed that gives the same, "
    "a generator that is not used",
    remedy="Draw from the generator that is given, anew in every call.",
)
def seeds_check(subject: TimesSubject) -> Finding:
    """Sixteen times under seeds of torch and NumPy, or of the generator that it takes."""
    first, again, other = (subject.draw(16, seed)[0] for seed in (0, 0, 1))
    why = []
    if not torch.equal(first, again):
        why.append("the same seed gives other times")
    if torch.equal(first, other):
        why.append("another seed gives the same times")
    if "generator" in subject.roles:
        free = subject.draw(16, 5, own=0)[0]
        if not torch.equal(first, free):
            why.append("it draws from elsewhere than the generator that it is given")
    return judge(
        len(why), 0, unit="ways", derivation="exact", failing={"why": "; ".join(why) or None}
    )
