"""Are the levels of a run those that its options ask for?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dfbench.checks.cases import NOT_RUN, STEPS, at_steps, judge_entries, worst_of
from dfbench.checks.precision import TABLES
from dfbench.levels import Array, Grid
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import MethodSampler, MethodSession

#: In log σ/α: ᾱ₀ = 1 − 1e-4 is known to 6e-8 in float32, σ₀ to 3e-4; a training step is 0.4 at the
#: clean end and 0.01 at the noisy one.
TABLE = 1e-3


def _elsewhere(size: float) -> Sampler:
    """Visits levels whose σ/α is off by the factor 1 + size."""

    def spoil(run: MethodSession) -> None:
        asked = run.grid.ratio
        run.asked = lambda: asked  # type: ignore[method-assign]
        run.grid = Grid(run.grid.alpha, run.grid.sigma * (1 + size))

    return MethodSampler("ddim", spoil=spoil)


@claim(
    "levels",
    "The levels of the steps are those that the options ask for (spacing of the times, Karras, "
    "exponential, Beta, Lu, shift, zero terminal SNR, β), by the formulas of the papers.",
    source="EDM eq. 5; Lin et al. 2023, table 2; Esser et al. 2024, eq. 23; DDPM eq. 4",
    control=_elsewhere,
    control_size=1e-1,
    formula="max_j |log(σ_j/α_j) − log of the one that the options ask for|",
    remedy="Compare the levels with the formula of the option: spacing (leading, trailing, "
    "linspace), Karras' ρ, the shift, β's end values, or zero terminal SNR, each applied "
    "once.",
)
def levels_check(subject: Sampler) -> Finding:
    """σ/α of every step's level against the formulas, whatever tables the subject keeps."""
    return levels(subject, STEPS)


def levels(subject: Sampler, counts: Sequence[int]) -> Finding:
    """The check at some step counts."""
    known = False

    def at(n: int) -> Finding:
        nonlocal known
        session = subject.session(n)
        try:
            asked = session.asked()
        except ValueError as reason:
            return skip(f"{n} steps: {reason}")
        if asked is None:
            return skip("no formula is known for these options")
        known = True
        got = session.grid.ratio
        if len(got) != len(asked):
            return judge(
                abs(len(got) - len(asked)),
                0,
                unit="levels more or fewer",
                derivation="n steps have n + 1 levels",
                where=f"{n} steps: {len(got) - 1} of them",
                counterexample={"steps": n},
            )
        gap = _apart(got, asked)
        # σ/α = r has α to a few units of round-off
        bound = TABLE + 64 * TABLES * np.where(np.isfinite(asked), asked, 0.0)
        j = int(np.argmax(gap > bound))
        return judge_entries(
            gap,
            bound,
            unit="in log σ/α",
            derivation="1e-3: the training levels are kept in float32; and 64 u σ/α",
            failing={
                "where": f"{n} steps, level {j}: σ/α = {got[j]:.6g}, should be {asked[j]:.6g}",
                "counterexample": {"steps": n},
            },
        )

    found = [f for f in at_steps(subject.counts(counts), at) if f.verdict != "skip" or not known]
    return worst_of(found, NOT_RUN)


def _apart(got: Array, asked: Array) -> Array:
    """|log got − log asked|; 0 and ∞ are near to themselves only."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.abs(np.log(got) - np.log(asked))
    return np.where(got == asked, 0.0, np.where(np.isnan(gap), np.inf, gap))
