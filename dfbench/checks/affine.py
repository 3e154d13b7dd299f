"""Is the sampler affine in the initial state, the model outputs and the draws?"""

from __future__ import annotations

import math
from typing import Any

import torch

from dfbench.draws import GaussianDraws, preserved_random_state
from dfbench.errors import SubjectError
from dfbench.outcome import Finding, claim, fail, judge
from dfbench.readout import AFFINE, SEED, Call, Reading, increments
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import Defect, MethodSampler

STEPS = 10
LOUD = 16.0  # what no state or output of data of unit variance is beyond, but at large σ


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
    formula="‖f(Σ w_k v_k) − Σ w_k f(v_k)‖ over the sum of the terms, v_k all inputs of a run: the "
    "state, the outputs, the draws",
    remedy="Look for `clamp`, thresholding, normalisation or an adaptive step. Where clipping is "
    "meant, declare it as an expected failure: the other checks read the table inside the "
    "clipping range.",
)
def affine_check(subject: Sampler) -> Finding:
    """Superposition at unit amplitude and a loud one; where it fails at the first, at the amplitude
    that avoids clipping.
    """
    try:
        reading = subject.reading(STEPS)
    except SubjectError as broken:
        return _on_random_inputs(subject, broken)
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
        loud = subject.reading(STEPS, amplitude=LOUD)
        if loud.violated_at is None:
            size = max(reading.superposition, reading.offset, loud.superposition)
            return judge(size, bound, **details)
        return _violated(
            loud,
            f"clipping or thresholding: superposition fails at amplitude {LOUD:g} and holds at 1, "
            "at which the table of the other checks is read",
            bound,
            {"steps": STEPS, "amplitude": LOUD},
            details,
        )
    why = (
        "clipping or thresholding: superposition fails at unit amplitude and holds at 1e-6; "
        "the table of the other checks is read at 1e-6, inside the clipping range"
    )
    counterexample: dict[str, Any] = {"steps": STEPS, "amplitude": 1.0}
    small = subject.reading(STEPS, amplitude=1e-6)
    if small.violated_at is not None:
        reading, counterexample["amplitude"] = small, 1e-6
        details["unit"] = "relative, at every amplitude"
        why = "superposition fails at every amplitude tried (1 and 1e-6): not a linear sampler"
    return _violated(reading, why, bound, counterexample, details)


def _violated(
    reading: Reading,
    why: str,
    bound: float,
    counterexample: dict[str, Any],
    details: dict[str, Any],
) -> Finding:
    """The finding where superposition fails in a reading."""
    j = reading.violated_at
    return judge(
        reading.superposition,
        bound,
        where="the sample" if j == reading.table.nfe else f"evaluation {j}",
        why=why,
        counterexample=counterexample,
        **details,
    )


def _on_random_inputs(subject: Sampler, broken: SubjectError) -> Finding:
    """What a sampler is whose table cannot be read, as it breaks where an input is 0.

    Half of one run's inputs and half of another's must give half of each one's states.
    """
    details: dict[str, Any] = {
        "bound": AFFINE,
        "unit": "relative",
        "derivation": f"round-off: {AFFINE} of the size of a state",
        "counterexample": {"steps": STEPS},
    }
    try:
        one, two, half = (_states(subject, *weights) for weights in ((1, 0), (0, 1), (0.5, 0.5)))
    except SubjectError as error:
        return fail(f"breaks on random inputs, too: {error}", measured=math.inf, **details)
    off = [
        float((mixed - (a + b) / 2).abs().max() / (a.abs().max() + b.abs().max()))
        for a, b, mixed in zip(one, two, half, strict=True)
    ]
    j, worst = max(enumerate(off), key=lambda each: each[1])
    if not all(state.isfinite().all() for state in (*one, *two, *half)):
        return fail("is not finite on random inputs", measured=math.inf, **details)
    linear = worst <= (1e-4 if one[-1].dtype != torch.float64 else 1e-6)
    what = "and affine elsewhere" if linear else "and not affine: it divides by what it is given"
    return fail(
        f"finite on random inputs, not where an input is 0 ({broken}), {what}",
        measured=worst if not linear else math.inf,
        where="the sample" if j == len(off) - 1 else f"evaluation {j}",
        **details,
    )


def _states(subject: Sampler, *weights: float) -> list[torch.Tensor]:
    """The states of a run whose every input is a mixture of independent random ones."""
    sources = [torch.Generator().manual_seed(SEED + k) for k in range(len(weights))]
    states: list[torch.Tensor] = []

    def mixed(shape: torch.Size, dtype: torch.dtype = torch.float64) -> torch.Tensor:
        each = [torch.randn(shape, generator=g, dtype=torch.float64) for g in sources]
        return sum(w * x for w, x in zip(weights, each, strict=True)).to(dtype)  # type: ignore[union-attr]

    def model(z: torch.Tensor, call: Call) -> torch.Tensor:
        states.append(z.detach().clone())
        return outputs[len(states) - 1].expand(z.shape).to(z.dtype)

    def draw(operation: str, out: torch.Tensor, seeded: bool, span: Any = None) -> torch.Tensor:
        return mixed(out.shape, out.dtype)

    # made before the watch for draws, which would take them for the sampler's own
    start, *outputs = (mixed(torch.Size((2, 3, 4, 4))) for _ in range(4 * STEPS + 16))
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad(), preserved_random_state(), increments(draw), GaussianDraws(draw, None):
        states.append(subject.session(STEPS)(model, start, generator))
    return states
