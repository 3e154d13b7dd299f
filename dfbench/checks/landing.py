"""Does the run end where the data is?"""

from __future__ import annotations

from collections.abc import Sequence

from dfbench.checks.cases import STEPS, at_steps, worst_of
from dfbench.levels import grid_of
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import MethodSampler, MethodSession


def _stops_early(size: float) -> Sampler:
    """Leaves out the last step."""

    def spoil(run: MethodSession) -> None:
        if run.n > 1:
            run.grid = grid_of(list(run.grid)[:-1])

    return MethodSampler("ddim", spoil=spoil)


@claim(
    "landing",
    "The sample lands at clean data, or at the cleanest level that the model was trained at: no "
    "noise is left in it.",
    source="DESIGN: the sample lands at the declared final level",
    control=_stops_early,
    control_size=1.0,
    sized=False,
    core="the landing",
    formula="σ/α of the sample against that of the cleanest level that the network was trained at",
    remedy="Append the last level (σ = 0, or that of the cleanest training step), or take the last "
    "step. Declare `lands` where a sample is to keep noise.",
)
def landing_check(subject: Sampler) -> Finding:
    """σ/α of the last level against that of the cleanest trained level."""
    return landing(subject, STEPS)


def landing(subject: Sampler, counts: Sequence[int]) -> Finding:
    """The check at some step counts."""
    if subject.ascending:
        return skip("it goes from clean to noise")

    def at(n: int) -> Finding:
        session = subject.session(n)
        if session.ends_given:
            return skip("its user hands over the grid, and where it ends")
        final, cleanest = session.grid[-1], session.cleanest
        return judge(
            final.ratio,
            cleanest * (1 + 1e-3) + 1e-6,
            unit="σ/α",
            derivation="the cleanest trained level, which tables in float32 hold to 1e-3",
            where=f"{n} steps: σ/α = {final.ratio:.4g}, trained down to {cleanest:.4g}",
            counterexample={"steps": n},
        )

    return worst_of(at_steps(subject.counts(counts), at))
