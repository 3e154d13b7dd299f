"""Runs in half precision where states are large: each step by itself."""

from __future__ import annotations

import pytest
import torch

from dfbench.checks.batch import dtype_check
from dfbench.subjects import resolve

diffusers = pytest.importorskip("diffusers")
Euler, Heun = diffusers.EulerDiscreteScheduler, diffusers.HeunDiscreteScheduler
Ancestral = diffusers.EulerAncestralDiscreteScheduler
HALF = (torch.float16, torch.bfloat16)


class EightBits(Euler):
    """Keeps what the network returns in eight bits."""

    def step(self, model_output, timestep, sample, **options):
        if sample.dtype in HALF:
            model_output = model_output.to(torch.float8_e4m3fn).to(sample.dtype)
        return super().step(model_output, timestep, sample, **options)


class ClampsInHalf(Heun):
    """So that nothing overflows."""

    def step(self, model_output, timestep, sample, **options):
        if sample.dtype in HALF:
            sample = sample.clamp(-2.0, 2.0)
        return super().step(model_output, timestep, sample, **options)


class QuietInHalf(Ancestral):
    """Draws noise of another size where the type is small."""

    def step(self, model_output, timestep, sample, **options):
        out = super().step(model_output, timestep, sample, **options)
        if sample.dtype in HALF:
            out.prev_sample = out.prev_sample * 0.9
        return out


@pytest.mark.parametrize("cls", [EightBits, ClampsInHalf, QuietInHalf])
def test_a_mistake_in_half_precision_is_seen(cls):
    finding = dtype_check(resolve(cls)[0])
    assert finding.verdict == "fail", finding
    assert "float16" in finding.where


class AllInHalf(Euler):
    """Nothing is widened: every operation in the type of the state."""

    def step(self, model_output, timestep, sample, return_dict=True, **options):
        self._init_step_index(timestep) if self.step_index is None else None
        now, to = self.sigmas[self.step_index], self.sigmas[self.step_index + 1]
        self._step_index += 1
        moved = sample + model_output * (to - now)
        return diffusers.schedulers.scheduling_euler_discrete.EulerDiscreteSchedulerOutput(
            moved, None
        )


@pytest.mark.parametrize("cls", [AllInHalf, Euler, Heun, Ancestral, diffusers.LMSDiscreteScheduler])
def test_right_code_passes(cls):
    finding = dtype_check(resolve(cls)[0])
    assert finding.verdict == "pass", finding
