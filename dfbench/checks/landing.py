"""Does the run end where the data is?"""

from __future__ import annotations

from typing import Any

from dfbench.checks.cases import at_steps, last
from dfbench.levels import Grid, grid_of
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import MethodSampler

STEPS = (10, 25)


class _StopsEarly(MethodSampler):
    """Leaves out the last step."""

    def session(self, n: int, grid: Grid | None = None, prediction: str | None = None) -> Any:
        made = super().session(n, grid, prediction)
        made.grid = grid_of(list(made.grid)[:-1])
        return made


@claim(
    "landing",
    "The sample lands at clean data, or at the cleanest level that the model was trained at: no "
    "noise is left in it.",
    source="DESIGN: the sample lands at the declared final level",
    control=lambda size: _StopsEarly("ddim"),
    control_size=1.0,
    sized=False,
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

    return last(at_steps(STEPS, at))
