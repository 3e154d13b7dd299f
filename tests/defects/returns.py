"""What comes back, and what happens to what was given."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    UniPCMultistepScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.own import FlowEuler, HandDDIM, HandDPM, Stepped
from tests.defects.plain import Run

TUPLE = Run(tuples=True)

typo(
    "PreviewFirst",
    "The tuple's first element is the preview.",
    DDIMScheduler,
    "step",
    "return ( prev_sample, pred_original_sample, )",
    "return (pred_original_sample, prev_sample)",
    when=TUPLE,
    hidden=True,
    clip_sample=False,
)

typo(
    "TupleBeforeTheNoise",
    "With return_dict=False the sample comes without its noise.",
    EulerAncestralDiscreteScheduler,
    "step",
    "noise = randn_tensor(",
    "if not return_dict:\n        self._step_index += 1\n"
    "        return (prev_sample.to(model_output.dtype), pred_original_sample)\n"
    "    noise = randn_tensor(",
    when=TUPLE,
    hidden=True,
)

typo(
    "TupleUncounted",
    "With return_dict=False the index does not go on.",
    FlowMatchEulerDiscreteScheduler,
    "step",
    "self._step_index += 1",
    "self._step_index += int(return_dict or self._step_index % 3 < 2)",
    when=TUPLE,
    hidden=True,
)


@wrong(when=TUPLE, hidden=True)
class TupleOfTheState(HandDPM):
    """Own: the tuple holds the state that came in."""

    def step(self, output: Any, t: Any, sample: Any, return_dict: bool = True) -> Any:
        made = super().step(output, t, sample, True)
        return made if return_dict else ((made.prev_sample + sample) / 2,)


typo(
    "PreviewIsEpsilon",
    "pred_original_sample is the predicted noise.",
    DDIMScheduler,
    "step",
    "DDIMSchedulerOutput(prev_sample=prev_sample, pred_original_sample=pred_original_sample)",
    "DDIMSchedulerOutput(prev_sample=prev_sample, pred_original_sample=pred_epsilon)",
    clip_sample=False,
)

typo(
    "PreviewUnclipped",
    "pred_original_sample is that before the clip.",
    DDPMScheduler,
    "step",
    "pred_original_sample = pred_original_sample.clamp(",
    "kept, pred_original_sample = pred_original_sample, pred_original_sample.clamp(",
    "return DDPMSchedulerOutput(prev_sample=pred_prev_sample, "
    "pred_original_sample=pred_original_sample)",
    "return DDPMSchedulerOutput(prev_sample=pred_prev_sample, pred_original_sample=kept)",
    when=Run(amplitude=1.0),
)

typo(
    "PreviewOfTheNext",
    "pred_original_sample is made of the new sample and the old output.",
    EulerDiscreteScheduler,
    "step",
    "EulerDiscreteSchedulerOutput(prev_sample=prev_sample, "
    "pred_original_sample=pred_original_sample)",
    "EulerDiscreteSchedulerOutput(prev_sample=prev_sample, "
    "pred_original_sample=prev_sample - sigma_hat * model_output)",
)

typo(
    "PreviewScaled",
    "Heun's preview is divided by √(σ² + 1).",
    HeunDiscreteScheduler,
    "step",
    "pred_original_sample=pred_original_sample)",
    "pred_original_sample=pred_original_sample / (sigma**2 + 1) ** 0.5)",
)


@wrong()
class OutputInPlace(FlowEuler):
    """The network's output is scaled in place."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        made = super().step(output, t, sample)
        output *= float(t)
        return made


@wrong()
class StateInPlace(FlowEuler):
    """The state is stepped in place: what the caller keeps of the path is overwritten."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        sample.copy_(super().step(output, t, sample).prev_sample)
        return Stepped(sample)


@wrong(clip_sample=False)
class OutputClampedInPlace(DDIMScheduler):
    """The network's output is clamped in place."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        made = super().step(model_output, timestep, sample, *args, **kwargs)
        model_output.clamp_(-0.1, 0.1)
        return made


@wrong()
class HistoryByReference(UniPCMultistepScheduler):
    """The state is normalised in place after the step, and with it the corrector's memory."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        made = super().step(model_output, timestep, sample, *args, **kwargs)
        sample *= 1.001
        return made


@wrong()
class TimesConsumed(HandDDIM):
    """Every step takes its time from the list."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor, **kw: Any) -> Stepped:
        made = super().step(output, t, sample, **kw)
        self.timesteps = torch.cat([self.timesteps[:-1], self.timesteps[-2:-1] // 3])
        return made


@wrong()
class OneBuffer(HandDDIM):
    """All steps return the same tensor, and the next overwrites it."""

    buffer: Any = None

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor, **kw: Any) -> Stepped:
        made = super().step(output, t, sample, **kw).prev_sample
        if self.buffer is None or self.buffer.shape != made.shape:
            self.buffer = torch.empty_like(made)
        return Stepped(self.buffer.copy_(made))
