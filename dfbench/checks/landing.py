"""Does the run end where the data is?"""

from __future__ import annotations

from dfbench.checks.cases import at_steps, last
from dfbench.levels import grid_of
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import MethodSampler, MethodSession

STEPS = (10, 25)


def _stops_early(size: float) -> Sampler:
    """Leaves out the last step."""

    def spoil(run: MethodSession) -> None:
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
)
def landing_check(subject: Sampler) -> Finding:
    """σ/α of the last level against that of the cleanest trained level."""
    if subject.ascending:
        return skip("it goes from clean to noise")

    def at(n: int) -> Finding:
        session = subject.session(n)
        final, cleanest = session.grid[-1], session.cleanest
        return judge(
            final.ratio,
            cleanest * (1 + 1e-3) + 1e-6,
            unit="σ/α",
            derivation="the cleanest trained level, which tables in float32 hold to 1e-3",
            where=f"after {n} steps: σ/α = {final.ratio:.4g}, trained down to {cleanest:.4g}",
            counterexample={"steps": n},
        )

    return last(at_steps(subject.counts(STEPS), at))
