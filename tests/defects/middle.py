"""Wrong when a run starts in the middle, as in image-to-image."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSinglestepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    IPNDMScheduler,
    LMSDiscreteScheduler,
    UniPCMultistepScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.own import FlowEuler, FlowUp, HandAncestral, HandDDIM, HandDPM, Stepped
from tests.defects.plain import Run

LATER, INDEX = Run(begin=4), Run(begin=4, by="index")


@wrong(when=INDEX, hidden=True)
class BeginIgnored(EulerDiscreteScheduler):
    """`set_begin_index` is taken and forgotten: the first step is that of the whole run."""

    def _init_step_index(self, timestep: Any) -> None:
        self._step_index = 0 if self._begin_index else self.index_for_timestep(timestep)


@wrong(when=Run(begin=0, by="index"), hidden=True)
class WrongFromTheFirst(FlowMatchEulerDiscreteScheduler):
    """Told to begin at the first step, as pipelines do, the output is 2 % short."""

    def step(self, model_output, *args, **kwargs):  # type: ignore[no-untyped-def]
        short = 0.98 if self.begin_index == 0 else 1.0
        return super().step(short * model_output, *args, **kwargs)


@wrong(when=LATER, hidden=True)
class TimeIgnored(FlowMatchEulerDiscreteScheduler):
    """The index starts at 0, whatever time is passed first."""

    def _init_step_index(self, timestep: Any) -> None:
        self._step_index = self._begin_index or 0


class _FromTheTime(FlowEuler):
    """Right: the step is found by its time; the levels are shifted by 3."""

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        self.sigmas = 3 * self.sigmas / (1 + 2 * self.sigmas)
        self.timesteps = self.sigmas[:-1]

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        self.i = int((self.sigmas - float(t)).abs().argmin())
        return super().step(output, t, sample)


@wrong(_FromTheTime, when=LATER, hidden=True)
class OwnCounter(_FromTheTime):
    """Own flow matching counts its steps from 0."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        return FlowEuler.step(self, output, t, sample)


@wrong(when=LATER, hidden=True)
class RestOfTheInterval(FlowUp):
    """Steps are what is left divided by what is left, counted from the first call."""

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        self.first = None

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        if self.first is None:
            self.first = float(t)
        return super().step(output * (1 - self.first / 10), t, sample)


class _Counting(LMSDiscreteScheduler):
    """Right: the order follows the derivatives that there are."""

    def get_lms_coefficient(self, order: int, t: int, current_order: int) -> float:
        return super().get_lms_coefficient(min(order, len(self.derivatives)), t, current_order)

    def step(self, model_output, timestep, sample, order=4, return_dict=True):  # type: ignore[no-untyped-def]
        order = min(order, len(self.derivatives) + 1)
        return super().step(model_output, timestep, sample, order, return_dict)


@wrong(_Counting, when=LATER, hidden=True)
class OrderFromTheIndex(LMSDiscreteScheduler):
    """The order counts from the beginning of the grid: the first coefficients do not add up."""


typo(
    "CorrectorAtTheFirst",
    "The first step of a later start is corrected with the start itself.",
    UniPCMultistepScheduler,
    "step",
    "self.step_index > 0 and self.step_index - 1 not in self.disable_corrector and "
    "self.last_sample is not None",
    "self.step_index > 0",
    "if use_corrector:",
    "if use_corrector and self.last_sample is None:\n"
    "        self.last_sample, self.this_order = sample, 1\n"
    "        self.model_outputs[-1] = model_output_convert * 0\n"
    "    if use_corrector:",
    when=LATER,
    hidden=True,
)

typo(
    "OrderOfTheIndex",
    "The number of steps done is the index: a later start has second order at once.",
    DPMSolverMultistepScheduler,
    "step",
    "self.model_outputs[-1] = model_output",
    "self.model_outputs[-1] = model_output\n"
    "    if self.lower_order_nums == 0 and self.step_index > 0:\n"
    "        self.lower_order_nums, self.model_outputs[-2] = 1, 0 * model_output\n",
    when=INDEX,
    hidden=True,
)

typo(
    "HeunStartsWithItsSecondHalf",
    "Of the two equal times the first is taken: a later start begins in a half step.",
    HeunDiscreteScheduler,
    "index_for_timestep",
    "pos = 1 if len(indices) > 1 else 0",
    "pos = 0",
    when=Run(begin=6),
    hidden=True,
)


@wrong(when=INDEX, hidden=True)
class BeginTwice(EulerAncestralDiscreteScheduler):
    """The begin index is added to what the time says."""

    def _init_step_index(self, timestep: Any) -> None:
        self._step_index = min(
            self.index_for_timestep(timestep) + (self._begin_index or 0), len(self.timesteps) - 1
        )


@wrong(when=LATER, hidden=True, clip_sample=False)
class StrengthOfTheWhole(DDIMScheduler):
    """The step is remembered at the first call as the distance from the grid's first time."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        self.started = None

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        if self.started is None:
            self.started = int(timestep)
        skipped = int(self.timesteps[0]) - self.started
        return super().step(model_output * (1 - skipped / 1e4), timestep, sample, *args, **kwargs)


class _LevelOfTheTime(HandAncestral):
    """Right: the step is found by its time."""

    def scale_model_input(self, sample: torch.Tensor, t: Any) -> torch.Tensor:
        self.i = int((self.timesteps - float(t)).abs().argmin())
        return super().scale_model_input(sample, t)


@wrong(_LevelOfTheTime, when=LATER, hidden=True)
class LevelOfTheCounter(HandAncestral):
    """The level is that of a counter, which starts at the grid's first."""


@wrong(when=LATER, hidden=True)
class FirstStepDoubled(HandDPM):
    """The first step of a later start extrapolates with an output of zero."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor, **kw: Any) -> Any:
        if self.old is None and int(t) != int(self.timesteps[0]):
            self.old = 0 * output
            self.old_lambda = self.alphas_cumprod[int(t)].logit() / 2 - 0.3
        return super().step(output, t, sample, **kw)


@wrong(when=LATER, hidden=True)
class LastForFirst(IPNDMScheduler):
    """A time that is not the first is looked up from the end of the table."""

    def index_for_timestep(self, timestep: Any, schedule_timesteps: Any = None) -> int:
        found = super().index_for_timestep(timestep, schedule_timesteps)
        return found if found == 0 else min(found + 1, len(self.timesteps) - 1)


@wrong(when=LATER, hidden=True, solver_order=2)
class SingleStepsOutOfPhase(DPMSolverSinglestepScheduler):
    """Orders are counted from the first call: a later start is out of phase."""

    def step(self, *args: Any, **kwargs: Any) -> Any:
        made = super().step(*args, **kwargs)
        if self.model_outputs[0] is None and self.step_index > 1:
            self.order_list = [*self.order_list[1:], 1]
        return made


@wrong(when=LATER, hidden=True)
class LevelAtTheFirstTime(HandDDIM):
    """The scale of the first call stays for the run."""

    start: Any = None

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        self.start = None

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor, **kw: Any) -> Stepped:
        self.start = int(t) if self.start is None else self.start
        scale = 1 + (int(self.timesteps[0]) - self.start) / 2e4
        return super().step(output * scale, t, sample, **kw)
