"""Loud inputs and previews: what shows only where x̂ leaves the range of the data."""

from __future__ import annotations

import pytest
import torch

from dfbench.checks.loud import clipping_check
from dfbench.checks.preview import preview_check
from dfbench.clipping import Clipping
from dfbench.subjects import resolve

diffusers = pytest.importorskip("diffusers")
DDIM, DDPM, LCM = diffusers.DDIMScheduler, diffusers.DDPMScheduler, diffusers.LCMScheduler


def test_thresholds_by_hand():
    x = torch.tensor([[0.5, -0.25, 0.0, 0.1], [4.0, -2.0, 1.0, 0.0]], dtype=torch.float64)
    assert torch.equal(Clipping(1.0)(x)[1], torch.tensor([1.0, -1.0, 1.0, 0.0]).double())
    dynamic = Clipping(None, ratio=0.75, most=3.0)(x)
    assert torch.equal(dynamic[0], x[0])  # a threshold is never below 1
    s = 2.5  # between 2 and 4, a quarter of the way
    assert torch.allclose(dynamic[1], torch.tensor([s, -2.0, 1.0, 0.0]).double() / s)
    assert torch.allclose(Clipping(None, 1.0, 3.0)(x)[1], torch.tensor([3, -2, 1, 0]).double() / 3)


class Deaf(DDIM):
    """Does not clip."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)

    def step(self, model_output, timestep, sample, **options):
        self.register_to_config(clip_sample=False)
        out = super().step(model_output, timestep, sample, **options)
        self.register_to_config(clip_sample=True)
        return out


class OfTheChannel(DDIM):
    """Every channel has a threshold of its own."""

    def _threshold_sample(self, sample):
        channels = super()._threshold_sample(sample.reshape(-1, 1, *sample.shape[2:]))
        return channels.reshape(sample.shape)


class Unclipped(DDIM):
    """The preview is that before the clip."""

    def step(self, model_output, timestep, sample, return_dict=True, **options):
        out = super().step(model_output, timestep, sample, **options)
        kept = self.alphas_cumprod[timestep]
        x = (sample - (1 - kept).sqrt() * model_output) / kept.sqrt()
        if not return_dict:
            return out.prev_sample, x
        out.pred_original_sample = x
        return out


@pytest.mark.parametrize(
    ("cls", "config"),
    [(Deaf, {}), (OfTheChannel, {"thresholding": True, "sample_max_value": 5.0}), (Unclipped, {})],
)
def test_a_clip_that_is_wrong_is_seen(cls, config):
    (subject,) = resolve(cls, config)
    assert clipping_check(subject).verdict == "fail"


@pytest.mark.parametrize(
    ("cls", "config", "call"),
    [
        (DDIM, {}, {}),
        (DDIM, {}, {"use_clipped_model_output": True}),
        (DDIM, {"thresholding": True, "sample_max_value": 2.0}, {}),
        (DDIM, {"clip_sample_range": 2.0, "prediction_type": "v_prediction"}, {"eta": 0.5}),
        (DDPM, {}, {}),
        (DDPM, {"thresholding": True, "dynamic_thresholding_ratio": 0.8}, {}),
        (LCM, {"clip_sample": True}, {}),
        (diffusers.DPMSolverMultistepScheduler, {"thresholding": True}, {}),
        (diffusers.UniPCMultistepScheduler, {"thresholding": True}, {}),
        (diffusers.DPMSolverSinglestepScheduler, {"thresholding": True}, {}),
        (diffusers.UnCLIPScheduler, {}, {}),
    ],
)
def test_released_clipping_is_as_published(cls, config, call):
    (subject,) = resolve(cls, config, call)
    finding = clipping_check(subject)
    assert finding.verdict == "pass", finding
    assert preview_check(subject).verdict in ("pass", "skip")


def test_what_clips_nothing_is_not_asked():
    (subject,) = resolve(DDIM, {"clip_sample": False})
    assert clipping_check(subject).verdict == "skip"
    assert preview_check(subject).verdict == "pass"


class Late(diffusers.EulerDiscreteScheduler):
    """The preview is of the state that the step makes."""

    def step(self, model_output, timestep, sample, return_dict=True, **options):
        out = super().step(model_output, timestep, sample, **options)
        out.pred_original_sample = out.prev_sample - self.sigmas[self.step_index] * model_output
        out.pred_original_sample = out.pred_original_sample * 1.01
        return out if return_dict else (out.prev_sample, out.pred_original_sample)


def test_a_preview_that_is_wrong_is_seen():
    assert preview_check(resolve(Late)[0]).verdict == "fail"
    assert preview_check(resolve(diffusers.EulerDiscreteScheduler)[0]).verdict == "pass"
