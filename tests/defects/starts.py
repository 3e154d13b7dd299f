"""Wrong before the first step: the scale of the start, and of what the network sees."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    EDMEulerScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LMSDiscreteScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.own import HandAncestral


@wrong()
class UnitStart(EulerDiscreteScheduler):
    """The start has unit variance where the first level is σ = 157."""

    @property
    def init_noise_sigma(self) -> float:
        return 1.0


@wrong(timestep_spacing="leading")
class StartWithoutItsData(EulerDiscreteScheduler):
    """Leading grids start at √(σ² + 1); this one at σ."""

    @property
    def init_noise_sigma(self) -> Any:
        return self.sigmas.max()


@wrong()
class StartOfTraining(EulerAncestralDiscreteScheduler):
    """The start has the last level of training plus one."""

    @property
    def init_noise_sigma(self) -> Any:
        return self.sigmas.max() + 10


@wrong()
class StartSquared(HandAncestral):
    """Own: σ² for σ."""

    @property
    def init_noise_sigma(self) -> float:
        return float(self.sigmas[0] ** 2)


@wrong(clip_sample=False)
class StartTenthOff(DDIMScheduler):
    """A start of deviation 1.1 for a schedule that keeps the variance."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.init_noise_sigma = 1.1


@wrong()
class InputUnscaled(LMSDiscreteScheduler):
    """`scale_model_input` returns the sample as it is."""

    def scale_model_input(self, sample: torch.Tensor, timestep: Any) -> torch.Tensor:
        super().scale_model_input(sample, timestep)
        return sample


typo(
    "InputByTheVariance",
    "The input is divided by σ² + 1, without the root.",
    HeunDiscreteScheduler,
    "scale_model_input",
    "((sigma**2 + 1) ** 0.5)",
    "(sigma**2 + 1)",
)

typo(
    "InputByTheNextLevel",
    "The input is scaled by the level after the step.",
    EulerDiscreteScheduler,
    "scale_model_input",
    "sigma = self.sigmas[self.step_index]",
    "sigma = self.sigmas[self.step_index + 1]",
)


@wrong()
class SigmaDataForgotten(EDMEulerScheduler):
    """c_in is 1/√(σ² + 1), whatever σ_data is."""

    def _get_conditioning_c_in(self, sigma: Any) -> Any:
        return 1 / (sigma**2 + 1) ** 0.5
