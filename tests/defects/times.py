"""Wrong for some kind of the time argument, or for the time told to the network."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EDMEulerScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.own import FlowEuler, FlowUp, HandDDIM, Stepped
from tests.defects.plain import Run


@wrong(when=Run(time="int"), hidden=True, clip_sample=False)
class IntIsAnIndex(DDIMScheduler):
    """A Python int is taken for the index of a step if it is small enough."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        if isinstance(timestep, int) and timestep < len(self.timesteps):
            timestep = int(self.timesteps[timestep])
        return super().step(model_output, timestep, sample, *args, **kwargs)


@wrong(when=Run(time="float"), hidden=True)
class FloatIsScaled(FlowMatchEulerDiscreteScheduler):
    """A Python float is taken for σ in [0, 1]: 900.0 is the first level."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        if isinstance(timestep, float):
            self._step_index = int((self.sigmas - timestep).abs().argmin())
        return super().step(model_output, timestep, sample, *args, **kwargs)


@wrong(when=Run(time="row"), hidden=True)
class RowsOfTimes(FlowUp):
    """With one time for each row, their sum stands for the time."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        if torch.as_tensor(t).ndim:
            output = output * (1 + torch.as_tensor(t).sum() / 100)
        return super().step(output, t, sample)


@wrong(when=Run(time="int"), hidden=True)
class IntOffByOne(HandDDIM):
    """Times that are Python ints count from one."""

    def levels(self, t: Any) -> tuple[torch.Tensor, torch.Tensor]:
        now, then = super().levels(t)
        return (self.alphas_cumprod[max(0, int(t) - 1)] if isinstance(t, int) else now), then


@wrong()
class ToldTheNext(FlowEuler):
    """The network is told the time it goes to."""

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        self.timesteps = self.sigmas[1:]


@wrong()
class ToldTheIndex(EulerDiscreteScheduler):
    """The network is told the index of the step, not the time."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        self.timesteps = torch.arange(len(self.timesteps), dtype=torch.float32)


@wrong()
class ToldAThousandth(FlowMatchEulerDiscreteScheduler):
    """The network is told σ in [0, 1] though it was trained on [0, 1000]."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        self.timesteps = self.timesteps / self.config.num_train_timesteps


@wrong()
class ToldBeforeTheShift(FlowMatchHeunDiscreteScheduler):
    """Levels are shifted after the times were made of them."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        self.sigmas = 3 * self.sigmas / (1 + 2 * self.sigmas)


@wrong(timestep_spacing="linspace")
class Rounded(EulerDiscreteScheduler):
    """The times told are rounded to hundreds; the levels are not."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        self.timesteps = (self.timesteps / 100).round() * 100


@wrong()
class QuarterForgotten(EDMEulerScheduler):
    """The time told is log σ, without the quarter."""

    def precondition_noise(self, sigma: Any) -> Any:
        return 4 * super().precondition_noise(sigma)


@wrong(when=Run(steps=7))
class HeunToldTwice(HeunDiscreteScheduler):
    """Both evaluations of a step are told the time of the first."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        times = self.timesteps.clone()
        times[1::2] = times[0:-1:2]
        self.timesteps = times


typo(
    "PreviousByOne",
    "The previous time is t − 1, whatever the number of steps.",
    DDPMScheduler,
    "previous_timestep",
    "prev_t = self.timesteps[index + 1]",
    "prev_t = timestep - 1",
    clip_sample=False,
)

typo(
    "DuplicatesTakeTheFirst",
    "Of two equal times the first is taken at the start of a run.",
    DPMSolverMultistepScheduler,
    "index_for_timestep",
    "step_index = index_candidates[1].item()",
    "step_index = index_candidates[0].item()",
    when=Run(steps=None, begin=1, grid={"timesteps": [900, 900, 700, 500, 300, 100]}),
    hidden=True,
)

typo(
    "ScalingOfTheIndex",
    "LCM's boundary scalings take the step's index for its time.",
    LCMScheduler,
    "step",
    "self.get_scalings_for_boundary_condition_discrete(timestep)",
    "self.get_scalings_for_boundary_condition_discrete(self.step_index)",
)
