"""An object that is not what its class and its configuration say."""

from __future__ import annotations

import types
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
)

from tests.defects.catalogue import made


@made(DDIMScheduler, clip_sample=False)
def step_patched(scheduler: Any) -> None:
    """`step` of the object is replaced: the direction is 1 % short."""
    kept = scheduler.step

    def step(model_output: Any, timestep: Any, sample: Any, **kwargs: Any) -> Any:
        return kept(0.99 * model_output, timestep, sample, **kwargs)

    scheduler.step = step


@made(DDIMScheduler, clip_sample=False)
def products_overwritten(scheduler: Any) -> None:
    """`alphas_cumprod` is overwritten with another schedule."""
    scheduler.alphas_cumprod = scheduler.alphas_cumprod**1.2


@made(FlowMatchEulerDiscreteScheduler)
def shift_set(scheduler: Any) -> None:
    """`set_shift(7)` on the object: right, but for another model."""
    scheduler.set_shift(7.0)


@made(EulerDiscreteScheduler)
def levels_in_half(scheduler: Any) -> None:
    """The object's `set_timesteps` is wrapped to keep its levels in float16."""
    kept = scheduler.set_timesteps

    def set_timesteps(self: Any, *args: Any, **kwargs: Any) -> None:
        kept(*args, **kwargs)
        self.sigmas = self.sigmas.half().float()

    scheduler.set_timesteps = types.MethodType(set_timesteps, scheduler)


@made(DPMSolverMultistepScheduler)
def order_changed(scheduler: Any) -> None:
    """The configuration is changed after construction, the tables are not."""
    scheduler.register_to_config(use_karras_sigmas=True)
    scheduler.sigmas = torch.ones_like(scheduler.sigmas)


@made(EulerDiscreteScheduler)
def start_overwritten(scheduler: Any) -> None:
    """The table of the constructor is scaled: so are all grids."""
    scheduler.alphas_cumprod = (scheduler.alphas_cumprod * 0.9).clamp(max=1)
