"""Clipping and thresholding: the formulas, the range, the axes."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.plain import Run

LOUD = Run(amplitude=1.0)

typo(
    "RangeIgnored",
    "clip_sample_range is ignored: always 1.",
    DDIMScheduler,
    "step",
    "-self.config.clip_sample_range, self.config.clip_sample_range",
    "-1, 1",
    when=LOUD,
    clip_sample_range=3.0,
)

typo(
    "OneSided",
    "Only what is above the range is clipped.",
    DDPMScheduler,
    "step",
    "-self.config.clip_sample_range, self.config.clip_sample_range",
    "max=self.config.clip_sample_range",
    when=LOUD,
)

typo(
    "TheStateIsClipped",
    "The state is clipped in place of the predicted clean sample.",
    DDIMScheduler,
    "step",
    "pred_original_sample = pred_original_sample.clamp( -self.config.clip_sample_range, "
    "self.config.clip_sample_range )",
    "sample = sample.clamp(-self.config.clip_sample_range, self.config.clip_sample_range)",
    when=LOUD,
)

typo(
    "DirectionOfTheClipped",
    "ε is derived from the clipped sample without being asked.",
    DDIMScheduler,
    "step",
    "if use_clipped_model_output:",
    "if self.config.clip_sample:",
    when=LOUD,
)

typo(
    "AskedAndIgnored",
    "use_clipped_model_output is ignored.",
    DDIMScheduler,
    "step",
    "if use_clipped_model_output:",
    "if False:",
    when=Run(amplitude=1.0, call={"use_clipped_model_output": True}),
)

typo(
    "QuantileOfTheChannel",
    "The dynamic threshold is that of all rows together.",
    DDPMScheduler,
    "_threshold_sample",
    "torch.quantile(abs_sample, self.config.dynamic_thresholding_ratio, dim=1)",
    "torch.quantile(abs_sample, self.config.dynamic_thresholding_ratio).expand(batch_size)",
    when=LOUD,
    thresholding=True,
    sample_max_value=5.0,
)

typo(
    "NotDivided",
    "The thresholded sample is not divided by its threshold.",
    DPMSolverMultistepScheduler,
    "_threshold_sample",
    "torch.clamp(sample, -s, s) / s",
    "torch.clamp(sample, -s, s)",
    when=LOUD,
    thresholding=True,
    sample_max_value=5.0,
)

typo(
    "NoAbsoluteValue",
    "The quantile is that of the values, not of their sizes.",
    UniPCMultistepScheduler,
    "_threshold_sample",
    "abs_sample = sample.abs()",
    "abs_sample = sample",
    when=LOUD,
    thresholding=True,
    sample_max_value=5.0,
)

typo(
    "MaximumIgnored",
    "sample_max_value is ignored.",
    DDIMScheduler,
    "_threshold_sample",
    "s, min=1, max=self.config.sample_max_value",
    "s, min=1",
    when=LOUD,
    thresholding=True,
    sample_max_value=1.5,
)

typo(
    "RatioOfAHalf",
    "dynamic_thresholding_ratio is ignored.",
    DDIMScheduler,
    "_threshold_sample",
    "self.config.dynamic_thresholding_ratio",
    "0.5",
    when=LOUD,
    thresholding=True,
    sample_max_value=5.0,
)

typo(
    "BelowOne",
    "The threshold may fall below 1: samples that need no clipping are stretched.",
    DDIMScheduler,
    "_threshold_sample",
    "s, min=1, max=self.config.sample_max_value",
    "s, max=self.config.sample_max_value",
    when=Run(amplitude=0.05),
    thresholding=True,
    prediction_type="sample",
    sample_max_value=5.0,
)

typo(
    "ClippedWhenNotAsked",
    "clip_sample=False clips all the same, at ten times the range.",
    HeunDiscreteScheduler,
    "step",
    "if self.config.clip_sample:",
    "if True:",
    when=LOUD,
)

typo(
    "LcmClipsTheDenoised",
    "LCM clips after its boundary scalings in place of before.",
    LCMScheduler,
    "step",
    "denoised = c_out * predicted_original_sample + c_skip * sample",
    "denoised = (c_out * predicted_original_sample + c_skip * sample).clamp(-0.8, 0.8)",
    when=LOUD,
    clip_sample=True,
)


@wrong(when=LOUD, clip_sample=True)
class TanhForClamp(DDIMScheduler):
    """A soft clip: seen where nothing should be clipped as well."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        made = super().step(model_output, timestep, sample, *args, **kwargs)
        made.prev_sample = 4 * torch.tanh(made.prev_sample / 4)
        return made


@wrong(when=Run(amplitude=1.0, shape=(2, 3, 4, 4, 4)), hidden=True, thresholding=True)
class ThresholdOfOneFrame(DDPMScheduler):
    """For video the threshold is that of the first frame."""

    def _threshold_sample(self, sample: torch.Tensor) -> Any:
        if sample.ndim != 5:
            return super()._threshold_sample(sample)
        first = sample[:, :, :1].abs().flatten(1).quantile(0.5, dim=1).clamp(min=1)
        s = first.reshape(-1, 1, 1, 1, 1)
        return sample.clamp(-s, s) / s


@wrong(when=Run(amplitude=4.0), hidden=True)
class OutputsCutAtFive(FlowMatchEulerDiscreteScheduler):
    """What the network returns is cut at ±5, beyond which nobody tried it."""

    def step(self, model_output, *args, **kwargs):  # type: ignore[no-untyped-def]
        return super().step(model_output.clamp(-5, 5), *args, **kwargs)
