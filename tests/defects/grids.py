"""Grids that are not what their options ask for."""

from __future__ import annotations

import math
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    EDMEulerScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    HeunDiscreteScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
    UniPCMultistepScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.own import FlowEuler, HandAncestral, HandDDIM
from tests.defects.plain import Run

SD: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}

typo(
    "RhoOfFive",
    "Karras' grid with ρ = 5.",
    EulerDiscreteScheduler,
    "_convert_to_karras",
    "rho = 7.0",
    "rho = 5.0",
    use_karras_sigmas=True,
    **SD,
)

typo(
    "RhoNotInverted",
    "The low end of Karras' grid is 7 % too high.",
    DPMSolverMultistepScheduler,
    "_convert_to_karras",
    "min_inv_rho = sigma_min ** (1 / rho)",
    "min_inv_rho = sigma_min ** (1 / rho) * 1.01",
    use_karras_sigmas=True,
    **SD,
)

typo(
    "KarrasWithoutItsEnd",
    "The ramp of Karras' grid stops one step before the lowest level.",
    HeunDiscreteScheduler,
    "_convert_to_karras",
    "ramp = np.linspace(0, 1, num_inference_steps)",
    "ramp = np.linspace(0, 1, num_inference_steps + 1)[:-1]",
    use_karras_sigmas=True,
)

typo(
    "KarrasOldTimes",
    "With Karras' grid the times stay those of the grid before.",
    LMSDiscreteScheduler,
    "set_timesteps",
    "sigmas = self._convert_to_karras(in_sigmas=sigmas) "
    "timesteps = np.array([self._sigma_to_t(sigma, log_sigmas) for sigma in sigmas])",
    "sigmas = self._convert_to_karras(in_sigmas=sigmas)",
    use_karras_sigmas=True,
)

typo(
    "ExponentialInSigma",
    "The exponential grid is linear in σ.",
    EulerDiscreteScheduler,
    "_convert_to_exponential",
    "np.exp(np.linspace(math.log(sigma_max), math.log(sigma_min), num_inference_steps))",
    "np.linspace(sigma_max, sigma_min, num_inference_steps)",
    use_exponential_sigmas=True,
)

typo(
    "BetaOfOne",
    "The beta grid has parameters 1 and 0.6.",
    EulerDiscreteScheduler,
    "_convert_to_beta",
    "scipy.stats.beta.ppf(timestep, alpha, beta)",
    "scipy.stats.beta.ppf(timestep, 1.0, beta)",
    use_beta_sigmas=True,
)

typo(
    "LuInSigma",
    "Lu's grid ends at half of its last λ.",
    DPMSolverMultistepScheduler,
    "_convert_to_lu",
    "lambda_min: float = in_lambdas[-1].item()",
    "lambda_min: float = in_lambdas[-1].item() / 2",
    use_lu_lambdas=True,
)

typo(
    "OffsetForgotten",
    "steps_offset is not added.",
    DDIMScheduler,
    "set_timesteps",
    "timesteps += self.config.steps_offset",
    "timesteps += 0",
    steps_offset=1,
    clip_sample=False,
)

typo(
    "OffsetTwice",
    "steps_offset is added twice.",
    EulerDiscreteScheduler,
    "set_timesteps",
    "timesteps += self.config.steps_offset",
    "timesteps += 2 * self.config.steps_offset",
    steps_offset=1,
    timestep_spacing="leading",
    **SD,
)

typo(
    "OffsetWhenTrailing",
    "steps_offset moves trailing times as well.",
    DDIMScheduler,
    "set_timesteps",
    "timesteps -= 1",
    "timesteps -= 1 + self.config.steps_offset",
    steps_offset=1,
    timestep_spacing="trailing",
    clip_sample=False,
)

typo(
    "TrailingFromT",
    "Trailing times are one too high, and the first is beyond the table's end.",
    EulerAncestralDiscreteScheduler,
    "set_timesteps",
    "timesteps -= 1",
    "timesteps -= 0",
    timestep_spacing="trailing",
    **SD,
)

typo(
    "LinspaceWithoutEnd",
    "Linearly spaced times end one step above 0.",
    DDPMScheduler,
    "set_timesteps",
    "np.linspace(0, self.config.num_train_timesteps - 1, num_inference_steps)",
    "np.linspace(0, self.config.num_train_timesteps - 1, num_inference_steps + 1)[1:]",
    timestep_spacing="linspace",
    clip_sample=False,
)

typo(
    "LinspaceCutDown",
    "Linearly spaced times are cut to whole numbers, not rounded.",
    DDIMScheduler,
    "set_timesteps",
    ".round()[::-1]",
    ".astype(int)[::-1]",
    timestep_spacing="linspace",
    when=Run(steps=7),
    clip_sample=False,
)

typo(
    "LeadingFromOne",
    "Leading times start from one step on.",
    DDIMScheduler,
    "set_timesteps",
    "np.arange(0, num_inference_steps) * step_ratio",
    "np.arange(1, num_inference_steps + 1) * step_ratio - 1",
    clip_sample=False,
)

typo(
    "FinalSigmaOfTheGrid",
    "The last level is repeated where it should be 0.",
    EulerDiscreteScheduler,
    "set_timesteps",
    "sigma_last = 0",
    "sigma_last = sigmas[-1]",
    use_karras_sigmas=True,
    sigma_min=0.3,
    sigma_max=15.0,
)

typo(
    "FinalSigmaSquared",
    "The lowest level lacks its root.",
    UniPCMultistepScheduler,
    "set_timesteps",
    "sigma_last = ((1 - self.alphas_cumprod[0]) / self.alphas_cumprod[0]) ** 0.5",
    "sigma_last = ((1 - self.alphas_cumprod[0]) / self.alphas_cumprod[0])",
    final_sigmas_type="sigma_min",
)


@wrong(shift=3.0)
class ShiftTwice(FlowMatchEulerDiscreteScheduler):
    """The shift is applied in the constructor and again in `set_timesteps`, to both ends."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        self.sigmas = 3 * self.sigmas / (1 + 2 * self.sigmas)
        self.timesteps = 1000 * self.sigmas[:-1]


typo(
    "ShiftInverted",
    "The shift goes the other way: s/(s + shift (1 − s)).",
    FlowMatchHeunDiscreteScheduler,
    "set_timesteps",
    "self.config.shift * sigmas / (1 + (self.config.shift - 1) * sigmas)",
    "sigmas / (self.config.shift + (1 - self.config.shift) * sigmas)",
    shift=3.0,
)

typo(
    "TerminalIgnored",
    "shift_terminal scales 1 − σ, whatever the last level is.",
    FlowMatchEulerDiscreteScheduler,
    "stretch_shift_to_terminal",
    "stretched_t = 1 - (one_minus_z / scale_factor)",
    "stretched_t = 1 - one_minus_z * (1 - self.config.shift_terminal)",
    shift_terminal=0.1,
)

typo(
    "CosineOffset",
    "The betas of the cosine schedule are 2 % too small.",
    DDPMScheduler,
    "__init__",
    "self.betas = betas_for_alpha_bar(num_train_timesteps)",
    "self.betas = betas_for_alpha_bar(num_train_timesteps) * 0.98",
    beta_schedule="squaredcos_cap_v2",
    clip_sample=False,
)

typo(
    "ScaledUnscaled",
    "scaled_linear is linear.",
    DDIMScheduler,
    "__init__",
    "torch.linspace(beta_start**0.5, beta_end**0.5, num_train_timesteps, dtype=torch.float32) ** 2",
    "torch.linspace(beta_start, beta_end, num_train_timesteps, dtype=torch.float32)",
    clip_sample=False,
    **SD,
)

typo(
    "ZeroSnrHalf",
    "Zero terminal SNR is asked for, and only the last β is changed.",
    DDIMScheduler,
    "__init__",
    "self.betas = rescale_zero_terminal_snr(self.betas)",
    "self.betas = torch.cat([self.betas[:-1], torch.tensor([0.999])])",
    rescale_betas_zero_snr=True,
    timestep_spacing="trailing",
    prediction_type="v_prediction",
    clip_sample=False,
    **SD,
)

typo(
    "FlowShiftOfTheTimes",
    "With flow sigmas the times are those before the shift.",
    DPMSolverMultistepScheduler,
    "set_timesteps",
    "timesteps = (sigmas * self.config.num_train_timesteps).copy()",
    "timesteps = (np.flip(1.0 - alphas)[:-1] * self.config.num_train_timesteps).copy()",
    use_flow_sigmas=True,
    flow_shift=3.0,
    prediction_type="flow_prediction",
)

typo(
    "FlowGridOneShort",
    "Flow sigmas end above the last: n + 1 points of n + 2.",
    DEISMultistepScheduler,
    "set_timesteps",
    "alphas = np.linspace(1, 1 / self.config.num_train_timesteps, num_inference_steps + 1)",
    "alphas = np.linspace(1, 1 / self.config.num_train_timesteps, num_inference_steps + 2)[1:]",
    use_flow_sigmas=True,
    flow_shift=3.0,
    prediction_type="flow_prediction",
)


@wrong()
class EdmSigmaMax(EDMEulerScheduler):
    """The grid ends at a tenth of σ_data, not at σ_min."""

    def _compute_karras_sigmas(
        self, ramp: Any, sigma_min: Any = None, sigma_max: Any = None
    ) -> Any:
        return super()._compute_karras_sigmas(ramp, self.config.sigma_data / 10, sigma_max)


@wrong()
class OwnRho(HandAncestral):
    """Own Karras grid with the exponent 1/8 at one end."""

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        u = torch.linspace(0, 1, n, dtype=torch.float64)
        high, low = self.high ** (1 / 7), self.low ** (1 / 8)
        self.sigmas[:-1] = (high + u * (low - high)) ** 7


@wrong()
class CosineInDegrees(HandDDIM):
    """Own cosine schedule without its square."""

    def __init__(self, train: int = 1000) -> None:
        super().__init__(train)
        t = (torch.arange(train, dtype=torch.float64) + 1) / train
        angle = (t + 0.008) / 1.008 * math.pi / 2
        self.alphas_cumprod = angle.cos().clamp(min=1e-5)


@wrong()
class HalfTheLevels(FlowEuler):
    """Own flow grid from 1 to 1/n in place of 0: the sample keeps 1/n of the noise."""

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        self.sigmas = torch.linspace(1, 1 / n, n + 1, dtype=torch.float64)
        self.timesteps = self.sigmas[:-1]


@wrong(skip_prk_steps=True, steps_offset=1)
class PlmsShort(PNDMScheduler):
    """The second time of PLMS is not repeated."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        self.timesteps = torch.cat([self.timesteps[:1], self.timesteps[2:], self.timesteps[-1:]])
