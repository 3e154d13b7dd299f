"""Is the sampler affine in the initial state, the model outputs and the draws?"""

from __future__ import annotations

import math
from typing import Any

from dfbench.outcome import Finding, claim, judge
from dfbench.readout import AFFINE
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import Defect, MethodSampler

STEPS = 10


def _clipping(size: float) -> Sampler:
    """Clamps what the model returns, as `clip_sample` does; the smaller the harder to see."""
    return MethodSampler("ddim", defect=Defect(output=lambda m, j: m.clamp(-1 / size, 1 / size)))


@claim(
    "affine",
    "The sample is affine in the initial state, the model outputs and the Gaussian draws: "
    "superposition holds on random combinations of all inputs.",
    source="DESIGN: a sampler is a table of coefficients",
    control=_clipping,
    control_size=1.0,
)
def affine_check(subject: Sampler) -> Finding:
    """Superposition at unit amplitude; where it fails, at the amplitude that avoids clipping."""
    reading = subject.reading(STEPS)
    narrow = any(draw.dtype != reading.output_dtype for draw in reading.draws)
    bound = 1e-4 if narrow else AFFINE
    details: dict[str, Any] = {
        "unit": "relative",
        "derivation": f"round-off: {AFFINE} of the sum of the terms"
        + ", or 1e-4 where noise is drawn in a narrower type" * narrow,
    }
    if not math.isfinite(reading.offset):
        return judge(math.inf, bound, unit="relative", why="zero input gives a non-finite sample")
    if reading.violated_at is None:
        return judge(max(reading.superposition, reading.offset), bound, **details)
    why = (
        "clipping or thresholding: superposition fails at unit amplitude and holds at 1e-6; "
        "the table of the other checks is read at 1e-6, inside the clipping range"
    )
    counterexample = {"steps": STEPS, "amplitude": 1.0}
    small = subject.reading(STEPS, amplitude=1e-6)
    if small.violated_at is not None:
        reading, counterexample["amplitude"] = small, 1e-6
        details["unit"] = "relative, at every amplitude"
        why = "superposition fails at every amplitude tried (1 and 1e-6): not a linear sampler"
    j = reading.violated_at
    return judge(
        reading.superposition,
        bound,
        where="the sample" if j == reading.table.nfe else f"evaluation {j}",
        why=why,
        counterexample=counterexample,
        **details,
    )
