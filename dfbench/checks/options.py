"""Does what the caller asks for change anything?"""

from __future__ import annotations

from typing import Any

import numpy as np

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
)
def options_check(subject: Sampler) -> Finding:
    """The table with the options of the call against the table without them."""
    if not subject.call:
        return skip("no option is given to the call")
    both = subject, subject.without_options()
    with_them, without = (each.affine_reading(STEPS).table for each in both)
    details: dict[str, Any] = {
        "unit": "coefficients that differ",
        "derivation": "one has to",
        "where": ", ".join(f"{name}={value!r}" for name, value in subject.call.items()),
    }
    if with_them.rows.shape != without.rows.shape:
        return judge(0, 0, **details)
    levels = [np.concatenate([t.levels.alpha, t.levels.sigma]) for t in (with_them, without)]
    changed = int((with_them.rows != without.rows).sum() + (levels[0] != levels[1]).sum())
    if changed:
        return judge(0, 0, **details)
    why = "the sampler accepts the options and ignores them: every coefficient is the same"
    return judge(1, 0, why=why, counterexample={"steps": STEPS}, **details)
