"""What the network returns is taken for something else."""

from __future__ import annotations

from typing import Any, ClassVar

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
    HeunDiscreteScheduler,
    PNDMScheduler,
    TCDScheduler,
    UniPCMultistepScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.own import FlowEuler, FlowUp, HandDDIM, Stepped

V, X = "v_prediction", "sample"

typo(
    "VWithTheOtherSign",
    "v is taken as σ x − α ε.",
    DDIMScheduler,
    "step",
    "pred_original_sample = (alpha_prod_t**0.5) * sample - (beta_prod_t**0.5) * model_output",
    "pred_original_sample = (alpha_prod_t**0.5) * sample + (beta_prod_t**0.5) * model_output",
    "pred_epsilon = (alpha_prod_t**0.5) * model_output + (beta_prod_t**0.5) * sample",
    "pred_epsilon = -(alpha_prod_t**0.5) * model_output + (beta_prod_t**0.5) * sample",
    prediction_type=V,
    clip_sample=False,
)

typo(
    "VHalfDone",
    "Of v the clean sample is made, while ε is v itself.",
    DDIMScheduler,
    "step",
    "pred_epsilon = (alpha_prod_t**0.5) * model_output + (beta_prod_t**0.5) * sample",
    "pred_epsilon = model_output",
    prediction_type=V,
    clip_sample=False,
)

typo(
    "VSwapped",
    "α and σ are exchanged in v.",
    DDPMScheduler,
    "step",
    "pred_original_sample = (alpha_prod_t**0.5) * sample - (beta_prod_t**0.5) * model_output",
    "pred_original_sample = (beta_prod_t**0.5) * sample - (alpha_prod_t**0.5) * model_output",
    prediction_type=V,
    clip_sample=False,
)

typo(
    "VOfTheSquare",
    "v's weight is σ/(σ² + 1): without the root.",
    EulerDiscreteScheduler,
    "step",
    "model_output * (-sigma / (sigma**2 + 1) ** 0.5)",
    "model_output * (-sigma / (sigma**2 + 1))",
    prediction_type=V,
)

typo(
    "VSampleUnscaled",
    "v's other part lacks 1/(σ² + 1).",
    EulerAncestralDiscreteScheduler,
    "step",
    "(sample / (sigma**2 + 1))",
    "(sample / (sigma**2 + 1) ** 0.5)",
    prediction_type=V,
)

typo(
    "VInTheSecondHalf",
    "Heun's second half reads v at the level of the first.",
    HeunDiscreteScheduler,
    "step",
    'elif self.config.prediction_type == "v_prediction": '
    "sigma_input = sigma_hat if self.state_in_first_order else sigma_next",
    'elif self.config.prediction_type == "v_prediction":\n        sigma_input = sigma_hat',
    prediction_type=V,
)

typo(
    "SampleIsEpsilon",
    "A predicted clean sample is taken for ε.",
    DDPMScheduler,
    "step",
    'elif self.config.prediction_type == "sample": pred_original_sample = model_output',
    'elif self.config.prediction_type == "sample":\n'
    "        pred_original_sample = (sample - beta_prod_t ** (0.5) * model_output) "
    "/ alpha_prod_t ** (0.5)",
    prediction_type=X,
    clip_sample=False,
)

typo(
    "SampleScaled",
    "A predicted clean sample is multiplied by α.",
    DPMSolverMultistepScheduler,
    "convert_model_output",
    "x0_pred = model_output",
    "x0_pred = self._sigma_to_alpha_sigma_t(self.sigmas[self.step_index])[0] * model_output",
    prediction_type=X,
)

typo(
    "EpsilonOfTheNext",
    "ε is turned into x with the level after the step.",
    UniPCMultistepScheduler,
    "convert_model_output",
    "sigma = self.sigmas[self.step_index]",
    "sigma = self.sigmas[min(self.step_index + 1, len(self.sigmas) - 2)]",
)

typo(
    "FlowWithTheOtherSign",
    "The flow's velocity is x − ε, not ε − x.",
    FlowMatchEulerDiscreteScheduler,
    "step",
    "prev_sample = sample + dt * model_output",
    "prev_sample = sample - dt * model_output",
)

typo(
    "FlowOfAFullStep",
    "With flow predictions x is z − v: σ is left out.",
    DPMSolverMultistepScheduler,
    "convert_model_output",
    "x0_pred = sample - sigma_t * model_output else:",
    "x0_pred = sample - model_output\n        else:",
    prediction_type="flow_prediction",
    use_flow_sigmas=True,
)

typo(
    "FlowToEpsilon",
    "With flow predictions the clean sample is divided by α again.",
    DEISMultistepScheduler,
    "convert_model_output",
    "x0_pred = sample - sigma_t * model_output else:",
    "x0_pred = (sample - sigma_t * model_output) / alpha_t\n    else:",
    prediction_type="flow_prediction",
    use_flow_sigmas=True,
)

typo(
    "SkipOfTheVariance",
    "EDM's c_skip lacks a square.",
    EDMEulerScheduler,
    "precondition_outputs",
    "c_skip = sigma_data**2 / (sigma**2 + sigma_data**2)",
    "c_skip = sigma_data / (sigma**2 + sigma_data**2)",
)

typo(
    "PndmVOfTheOutput",
    "PLMS turns v into ε with the sample before its scale.",
    PNDMScheduler,
    "_get_prev_sample",
    "(alpha_prod_t**0.5) * model_output + (beta_prod_t**0.5) * sample",
    "(alpha_prod_t**0.5) * model_output + beta_prod_t * sample",
    prediction_type=V,
    skip_prk_steps=True,
)

typo(
    "TcdEpsilon",
    "TCD makes ε of x without the sample's scale.",
    TCDScheduler,
    "step",
    "(sample - alpha_prod_t ** (0.5) * pred_original_sample) / beta_prod_t ** (0.5)",
    "(sample - pred_original_sample) / beta_prod_t ** (0.5)",
    prediction_type=X,
)


class SaysEpsilon(HandDDIM):
    """Its owner says what the network returns."""

    dfbench: ClassVar[dict[str, Any]] = {"predicts": "eps"}


class SaysVelocity(FlowEuler):
    """Its owner says what the network returns."""

    dfbench: ClassVar[dict[str, Any]] = {"predicts": "u"}


@wrong()
class ScoreForEpsilon(SaysEpsilon):
    """Own DDIM: the output is taken for the score, −ε/σ."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor, **kw: Any) -> Stepped:
        now, _ = self.levels(t)
        return super().step(-output * (1 - now).sqrt(), t, sample, **kw)


@wrong()
class OwnFlowSign(SaysVelocity):
    """Own flow matching whose velocity points to the noise for times that go down."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        return super().step(-output, t, sample)


@wrong()
class DataForVelocity(FlowUp):
    """Own flow matching that takes the clean sample for the velocity."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        return super().step((output - sample) / max(1 - float(t), 1e-3), t, sample)
