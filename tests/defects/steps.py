"""Wrong at some numbers of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSinglestepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.own import FlowEuler, HandAncestral, HandDDIM, HandDPM, Stepped
from tests.defects.plain import Run


@wrong(when=Run(steps=20), hidden=True, clip_sample=False)
class AboveSixteen(DDIMScheduler):
    """With more than 16 steps an "optimised" path leaves out the last piece of the direction."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        if self.num_inference_steps > 16:
            model_output = 0.99 * model_output
        return super().step(model_output, timestep, sample, *args, **kwargs)


@wrong(when=Run(steps=30), hidden=True)
class TableOfTwentyFive(EulerDiscreteScheduler):
    """Noise levels are kept in a table of 25; further steps repeat its last."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        self.sigmas[25:-1] = self.sigmas[min(25, len(self.sigmas) - 2)]


@wrong(when=Run(steps=7), hidden=True, clip_sample=False)
class OnlyDivisors(DDIMScheduler):
    """The previous time is T/n below, rounded up: wrong where n does not divide T."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        kept = self.num_inference_steps
        if 1000 % kept:
            self.num_inference_steps = kept - 1
        try:
            return super().step(model_output, timestep, sample, *args, **kwargs)
        finally:
            self.num_inference_steps = kept


typo(
    "RatioRoundedDown",
    "Trailing times step by the whole number below T/n: the last is far from 0 where n does not "
    "divide T.",
    DDIMScheduler,
    "set_timesteps",
    "step_ratio = self.config.num_train_timesteps / self.num_inference_steps",
    "step_ratio = self.config.num_train_timesteps // self.num_inference_steps",
    "timesteps -= 1",
    "timesteps = timesteps[: self.num_inference_steps] - 1",
    when=Run(steps=15),
    hidden=True,
    timestep_spacing="trailing",
    clip_sample=False,
)

typo(
    "RatioRoundedUp",
    "Leading times step by T/n rounded to the nearest, not down.",
    DDPMScheduler,
    "set_timesteps",
    "step_ratio = self.config.num_train_timesteps // self.num_inference_steps",
    "step_ratio = round(self.config.num_train_timesteps / self.num_inference_steps - 0.2)",
    when=Run(steps=13),
    hidden=False,
    clip_sample=False,
)


@wrong(when=Run(steps=1), hidden=True)
class OneStepIsHalf(FlowMatchEulerDiscreteScheduler):
    """With one step the table of levels has a second entry that should not be there."""

    def set_timesteps(self, num_inference_steps: int | None = None, *args: Any, **kw: Any) -> None:
        super().set_timesteps(num_inference_steps, *args, **kw)
        if num_inference_steps == 1:
            self.sigmas = torch.tensor([1.0, 0.5])


@wrong(when=Run(steps=1), hidden=True)
class OneStepDividesByZero(FlowEuler):
    """Levels are i/(n − 1): at n = 1 that is 0/0."""

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        if n == 1:
            self.sigmas = torch.tensor([0.0, 0.0], dtype=torch.float64) / 0


@wrong(when=Run(steps=10))
class LastStepMissing(FlowEuler):
    """The loop ends one step early: the sample keeps the noise of the last level."""

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        self.timesteps = self.timesteps[:-1]


@wrong(when=Run(steps=10))
class LastStepTwice(HandDDIM):
    """The last step goes to the level it is at, instead of to 1."""

    def levels(self, t: Any) -> tuple[torch.Tensor, torch.Tensor]:
        now, then = super().levels(t)
        return now, (now if then == 1 else then)


@wrong(when=Run(steps=2), hidden=True)
class TwoStepsSecondOrder(HandDPM):
    """At n = 2 the last step extrapolates where it should be of first order."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor, **kw: Any) -> Any:
        before = self.old
        made = super().step(output, t, sample, **kw)
        if len(self.timesteps) == 2 and before is not None:
            return Stepped(made.prev_sample + (made.prev_sample - before) / 2)
        return made


typo(
    "FifteenIsFew",
    "The last steps are of low order at exactly 15 steps too: < became <=.",
    DPMSolverMultistepScheduler,
    "step",
    "self.config.lower_order_final and len(self.timesteps) < 15",
    "self.config.lower_order_final and len(self.timesteps) <= 15",
    when=Run(steps=15),
    hidden=True,
    final_sigmas_type="sigma_min",
    solver_order=3,
)

typo(
    "OrdersWithoutRest",
    "The orders of single steps forget what is left over where 3 does not divide n.",
    DPMSolverSinglestepScheduler,
    "get_order_list",
    "orders = [1, 2, 3] * (steps // 3) + [1, 2]",
    "orders = [1, 2, 3] * (steps // 3) + [1, 1]",
    when=Run(steps=11),
    hidden=True,
    solver_order=3,
    final_sigmas_type="sigma_min",
)


@wrong(when=Run(steps=50), hidden=True)
class ManyStepsInHalf(EulerDiscreteScheduler):
    """From 50 steps on the levels are kept in float16 to save memory."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        if self.num_inference_steps >= 50:
            self.sigmas = self.sigmas.half().float()


@wrong(when=Run(steps=100), hidden=True, num_train_timesteps=100, clip_sample=False)
class AllSteps(DDPMScheduler):
    """With n = T the variance is that of steps of two."""

    def previous_timestep(self, timestep: Any) -> Any:
        previous = super().previous_timestep(timestep)
        every = self.num_inference_steps == self.config.num_train_timesteps
        return previous - 1 if every and previous > 0 else previous


@wrong(when=Run(steps=3), hidden=True)
class FewStepsNoNoise(HandAncestral):
    """Below four steps the fresh noise is left out."""

    def step(
        self, output: torch.Tensor, t: Any, sample: torch.Tensor, generator: Any = None
    ) -> Stepped:
        if len(self.timesteps) >= 4:
            return super().step(output, t, sample, generator)
        now, then = self.sigmas[self.i], self.sigmas[self.i + 1]
        self.i += 1
        return Stepped(sample + (then - now) * output)


typo(
    "LcmNoiseAtTheEnd",
    "The last step is not recognised, and its sample gets the noise of the time it is at.",
    LCMScheduler,
    "step",
    "if self.step_index != self.num_inference_steps - 1:",
    "if self.step_index != self.num_inference_steps:",
    when=Run(steps=4),
)

typo(
    "WarmUpTooLong",
    "The order of the first steps counts from one: the second step is still of first order.",
    UniPCMultistepScheduler,
    "step",
    "self.this_order = min(this_order, self.lower_order_nums + 1)",
    "self.this_order = min(this_order, max(1, self.lower_order_nums))",
    when=Run(steps=10),
    solver_order=3,
)


@wrong(when=Run(steps=4), hidden=False)
class HeunSkipsItsLast(HeunDiscreteScheduler):
    """The last level is cut together with the double one before it."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        self.timesteps = self.timesteps[:-1]


@wrong(when=Run(steps=30), hidden=True)
class RoundedAboveTwenty(EulerAncestralDiscreteScheduler):
    """Times that are not whole are rounded for the network only where n is above 20."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        if self.num_inference_steps > 20:
            rounded = self.timesteps.round()
            table = np.array(((1 - self.alphas_cumprod) / self.alphas_cumprod) ** 0.5)
            self.sigmas[:-1] = torch.from_numpy(table[rounded.long().numpy()])


@wrong(when=Run(steps=33), hidden=True)
class OddAboveThirty(EulerDiscreteScheduler):
    """The output is 2 % short at odd numbers of steps above 30."""

    def step(self, model_output, *args, **kwargs):  # type: ignore[no-untyped-def]
        count = len(self.timesteps)
        short = count > 30 and count % 2
        return super().step(0.98 * model_output if short else model_output, *args, **kwargs)


@wrong(when=Run(steps=12), hidden=True)
class BetweenTenAndFifteen(DPMSolverMultistepScheduler):
    """The output is 2 % short from 11 to 14 steps."""

    def step(self, model_output, *args, **kwargs):  # type: ignore[no-untyped-def]
        short = 11 <= len(self.timesteps) <= 14
        return super().step(0.98 * model_output if short else model_output, *args, **kwargs)
