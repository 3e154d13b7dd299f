"""Does what the caller asks for change anything?"""

from __future__ import annotations

import numpy as np

from dfbench.errors import SubjectError, Unsupported
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import MethodSampler

STEPS = 8


class _Deaf(MethodSampler):
    """Takes η in its call and does not use it."""

    def __init__(self) -> None:
        super().__init__("ddim")
        self.call = {"eta": 1.0}

    def without_options(self) -> Sampler:
        return MethodSampler("ddim")


@claim(
    "options",
    "An option that is given to the sampling call changes the sampler.",
    source="DESIGN: the checks on a sampler",
    control=lambda size: _Deaf(),
    control_size=1.0,
    sized=False,
    formula="the number of coefficients that change with the option: one has to",
    remedy="The option is accepted and dropped, often by `**kwargs`. Hand it on, or refuse it.",
)
def options_check(subject: Sampler) -> Finding:
    """The table with the options of the call against the table without them."""
    if not subject.call:
        return skip("no option is given to the call")
    with_them = subject.affine_reading(STEPS).table
    try:
        without = subject.without_options().affine_reading(STEPS).table
    except (Unsupported, SubjectError) as reason:
        return skip(f"without them it does not run: {reason}", "not asked")
    same = with_them.rows.shape == without.rows.shape and all(
        np.array_equal(mine, other)
        for mine, other in (
            (with_them.rows, without.rows),
            (with_them.levels.alpha, without.levels.alpha),
            (with_them.levels.sigma, without.levels.sigma),
        )
    )
    why = "the sampler accepts the options and ignores them: every coefficient is the same"
    return judge(
        int(same),
        0,
        unit="coefficients that differ",
        derivation="one has to",
        where=", ".join(f"{name}={value!r}" for name, value in subject.call.items()),
        failing={"why": why, "counterexample": {"steps": STEPS}},
    )
