"""Wrong when the user gives the grid: timesteps=, sigmas=, mu=."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers import (
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.plain import Run

TIMES = Run(steps=None, grid={"timesteps": [950, 800, 600, 300, 100, 20]})
SIGMAS = Run(steps=None, grid={"sigmas": [14.6, 6.0, 2.5, 1.0, 0.3, 0.0]})
FLOW = Run(steps=None, grid={"sigmas": [1.0, 0.9, 0.7, 0.4, 0.1]})
MU = Run(grid={"mu": 1.15})

typo(
    "TimesShifted",
    "Times given by the user get the grid's offset as well.",
    DDPMScheduler,
    "set_timesteps",
    "timesteps = np.array(timesteps, dtype=np.int64)",
    "timesteps = np.array(timesteps, dtype=np.int64) - 1",
    when=TIMES,
    hidden=True,
    clip_sample=False,
)

typo(
    "StepsOfAnEvenGrid",
    "With times of the user the previous time is still T/n below.",
    DDPMScheduler,
    "previous_timestep",
    "prev_t = self.timesteps[index + 1]",
    "prev_t = torch.clamp(timestep - 1000 // len(self.timesteps), min=-1)",
    when=TIMES,
    hidden=True,
    clip_sample=False,
)

typo(
    "LastSigmaDropped",
    "The last of the sigmas given is replaced by the smallest of training.",
    EulerDiscreteScheduler,
    "set_timesteps",
    "sigmas = np.array(sigmas).astype(np.float32)",
    "sigmas = np.array([*sigmas[:-1], 0.03]).astype(np.float32)",
    when=SIGMAS,
    hidden=True,
)

typo(
    "SigmaForTime",
    "Times of sigmas given are their logarithms.",
    EulerDiscreteScheduler,
    "set_timesteps",
    "timesteps = np.array([self._sigma_to_t(sigma, log_sigmas) for sigma in sigmas[:-1]])",
    "timesteps = np.array([250 * np.log(sigma) for sigma in sigmas[:-1]])",
    when=SIGMAS,
    hidden=True,
)

typo(
    "GivenSigmasUnshifted",
    "Sigmas given by the user are not shifted, though the default ones are.",
    FlowMatchEulerDiscreteScheduler,
    "set_timesteps",
    "sigmas = self.shift * sigmas / (1 + (self.shift - 1) * sigmas)",
    "sigmas = sigmas if len(sigmas) == 5 else "
    "self.shift * sigmas / (1 + (self.shift - 1) * sigmas)",
    when=FLOW,
    hidden=True,
    shift=3.0,
)

typo(
    "MuForExpMu",
    "The dynamic shift takes μ for e^μ.",
    FlowMatchEulerDiscreteScheduler,
    "_time_shift_exponential",
    "math.exp(mu) / (math.exp(mu) + (1 / t - 1) ** sigma)",
    "mu / (mu + (1 / t - 1) ** sigma)",
    when=MU,
    use_dynamic_shifting=True,
)

typo(
    "MuIgnored",
    "μ is taken and not used.",
    FlowMatchEulerDiscreteScheduler,
    "set_timesteps",
    "sigmas = self.time_shift(mu, 1.0, sigmas)",
    "sigmas = self.time_shift(0.5, 1.0, sigmas)",
    when=MU,
    use_dynamic_shifting=True,
)


@wrong(when=MU, use_dynamic_shifting=True)
class ShiftedTwice(FlowMatchEulerDiscreteScheduler):
    """With μ the static shift is applied as well."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        self.sigmas = 3 * self.sigmas / (1 + 2 * self.sigmas)
        self.timesteps = 1000 * self.sigmas[:-1]


typo(
    "TimesSorted",
    "The smallest of the times given comes first.",
    LCMScheduler,
    "set_timesteps",
    "timesteps = np.array(timesteps, dtype=np.int64)",
    "timesteps = np.array(sorted(timesteps)[:1] + list(timesteps[1:]), dtype=np.int64)",
    when=Run(steps=None, grid={"timesteps": [999, 759, 499, 259]}),
    hidden=True,
)


@wrong(when=TIMES, hidden=True)
class OneTooMany(DPMSolverMultistepScheduler):
    """With explicit times the last is repeated, so that one step does nothing."""

    def set_timesteps(self, *args: Any, timesteps: Any = None, **kwargs: Any) -> None:
        if timesteps is not None:
            timesteps = [*timesteps[:-1], timesteps[-2]]
        super().set_timesteps(*args, timesteps=timesteps, **kwargs)


@wrong(when=TIMES, hidden=True)
class InterpolatedBetween(HeunDiscreteScheduler):
    """Levels of explicit times are interpolated between the ends, not looked up."""

    def set_timesteps(self, *args: Any, timesteps: Any = None, **kwargs: Any) -> None:
        super().set_timesteps(*args, timesteps=timesteps, **kwargs)
        if timesteps is not None:
            count = len(self.sigmas) - 1
            self.sigmas[1:count] = torch.from_numpy(
                np.linspace(float(self.sigmas[0]), float(self.sigmas[count - 1]), count)[1:]
            )


@wrong(
    when=Run(steps=5, grid={"sigmas": np.array([0.99, 0.9, 0.7, 0.4, 0.1])}),
    hidden=True,
    use_flow_sigmas=True,
    prediction_type="flow_prediction",
)
class FlowSigmasAgain(UniPCMultistepScheduler):
    """Flow sigmas given are mapped once more."""

    def set_timesteps(self, *args: Any, sigmas: Any = None, **kwargs: Any) -> None:
        super().set_timesteps(*args, sigmas=sigmas, **kwargs)
        if sigmas is not None:
            self.sigmas = self.sigmas / (2 - self.sigmas)
