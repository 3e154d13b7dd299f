"""Wrong in some precision of the state, or in what comes back."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    UniPCMultistepScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.own import FlowEuler, HandAncestral, HandDPM, Stepped
from tests.defects.plain import Run

HALF, BRAIN, SINGLE = (Run(dtype=d) for d in (torch.float16, torch.bfloat16, torch.float32))

typo(
    "NoUpcast",
    "The sample is brought to bfloat16 for the step, where it should be float32.",
    EulerDiscreteScheduler,
    "step",
    "sample = sample.to(torch.float32)",
    "sample = sample.to(torch.bfloat16)",
    when=SINGLE,
)

typo(
    "NoDowncast",
    "A half-precision network gets its next input in float32.",
    EulerDiscreteScheduler,
    "step",
    "prev_sample = prev_sample.to(model_output.dtype)",
    "prev_sample = prev_sample",
    when=HALF,
)


@wrong(when=HALF, hidden=True, high=700.0)
class SquareOverflows(HandAncestral):
    """σ² is computed in the sample's dtype: 700² is infinite in float16, and the input zero."""

    def scale_model_input(self, sample: torch.Tensor, t: Any) -> torch.Tensor:
        sigma = self.sigmas[self.i].to(sample.dtype)
        return (sample / (sigma**2 + 1).sqrt()).to(super().scale_model_input(sample, t).dtype)


@wrong(when=SINGLE, hidden=True)
class AlwaysDouble(FlowEuler):
    """The levels are float64 tensors of one element: a float32 state comes back as float64."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        made = super().step(output, t, sample)
        return Stepped(made.prev_sample.double())


@wrong(when=Run(), hidden=False, clip_sample=False)
class ThroughHalf(DDIMScheduler):
    """The model's output passes through float16, as from a network in half precision."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        rounded = model_output.half().to(model_output.dtype)
        return super().step(rounded, timestep, sample, *args, **kwargs)


@wrong(when=BRAIN, hidden=True, clip_sample=False)
class TablesFollowTheSample(DDPMScheduler):
    """The products of α are cast to the sample's dtype: in bfloat16 1 − ᾱ has three digits."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        kept = self.alphas_cumprod
        self.alphas_cumprod = kept.to(sample.dtype).to(kept.dtype)
        try:
            return super().step(model_output, timestep, sample, *args, **kwargs)
        finally:
            self.alphas_cumprod = kept


@wrong(when=Run(steps=20))
class Cancellation(HandDPM):
    """ᾱ is kept as 1 − ᾱ in float32: at the first levels five of its digits cancel."""

    def levels(self, t: Any) -> tuple[torch.Tensor, torch.Tensor]:
        now, then = super().levels(t)
        return 1 - (1 - now).float().double(), then


@wrong(when=HALF, hidden=True)
class SumInHalf(HeunDiscreteScheduler):
    """In half precision a scale of 4096, there and back, overflows."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        made = super().step(model_output, timestep, sample, *args, **kwargs)
        if sample.dtype == torch.float16:
            made.prev_sample = (made.prev_sample * 64 * 64).half() / 4096
        return made


@wrong(when=HALF, hidden=True)
class HistoryInHalf(UniPCMultistepScheduler):
    """Of half-precision outputs the history is kept in eight bits."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        made = super().step(model_output, timestep, sample, *args, **kwargs)
        if sample.dtype == torch.float16:
            last = self.model_outputs[-1]
            self.model_outputs[-1] = last.to(torch.float8_e5m2).to(last.dtype)
        return made


typo(
    "SingleForDouble",
    "The state is held in bfloat16 between the steps.",
    DPMSolverMultistepScheduler,
    "step",
    "sample = sample.to(torch.float32)",
    "sample = sample.to(torch.bfloat16).to(torch.float32)",
)


@wrong(when=Run(dtype=torch.float32), hidden=True)
class AccumulatedTimes(FlowEuler):
    """For float32 states the steps are 0.05 % too long."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        if sample.dtype == torch.float32:
            output = output * (1 + 5e-4)
        return super().step(output, t, sample)
