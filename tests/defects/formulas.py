"""Coefficients: a sign, a half, a level, an order."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    CosineDPMSolverMultistepScheduler,
    DDIMScheduler,
    DDPMScheduler,
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSinglestepScheduler,
    EDMDPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    IPNDMScheduler,
    KDPM2DiscreteScheduler,
    LCMScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
    SASolverScheduler,
    TCDScheduler,
    UniPCMultistepScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.own import FlowEuler, FlowHeun, HandAncestral, HandDDIM, HandDPM, Stepped
from tests.defects.plain import Run

typo(
    "HalfForgotten",
    "The second-order term of DPM-Solver++ lacks its half.",
    DPMSolverMultistepScheduler,
    "multistep_dpm_solver_second_order_update",
    "- 0.5 * (alpha_t * (torch.exp(-h) - 1.0)) * D1",
    "- (alpha_t * (torch.exp(-h) - 1.0)) * D1",
)

typo(
    "HalfWithTheOtherSign",
    "The second-order term has the other sign.",
    DPMSolverMultistepScheduler,
    "multistep_dpm_solver_second_order_update",
    "- 0.5 * (alpha_t * (torch.exp(-h) - 1.0)) * D1",
    "+ 0.5 * (alpha_t * (torch.exp(-h) - 1.0)) * D1",
)

typo(
    "RatioInverted",
    "r = h/h₀ for h₀/h: nothing on equal steps.",
    DPMSolverMultistepScheduler,
    "multistep_dpm_solver_second_order_update",
    "r0 = h_0 / h",
    "r0 = h / h_0",
)

typo(
    "RatioOfOne",
    "The steps are taken for equal.",
    DPMSolverMultistepScheduler,
    "multistep_dpm_solver_second_order_update",
    "r0 = h_0 / h",
    "r0 = torch.ones_like(h)",
)

typo(
    "ThirdOrderHalf",
    "The third-order term of DPM-Solver++ lacks its − ½.",
    DPMSolverMultistepScheduler,
    "multistep_dpm_solver_third_order_update",
    "- (alpha_t * ((torch.exp(-h) - 1.0 + h) / h**2 - 0.5)) * D2",
    "- (alpha_t * ((torch.exp(-h) - 1.0 + h) / h**2)) * D2",
    solver_order=3,
)

typo(
    "ThirdOrderDifference",
    "The second difference of the third order is added the other way round.",
    DPMSolverMultistepScheduler,
    "multistep_dpm_solver_third_order_update",
    "D1 = D1_0 + (r0 / (r0 + r1)) * (D1_0 - D1_1)",
    "D1 = D1_0 - (r0 / (r0 + r1)) * (D1_0 - D1_1)",
    solver_order=3,
)

typo(
    "NoisePredictionHalf",
    "DPM-Solver of second order adds a whole of the difference.",
    DPMSolverMultistepScheduler,
    "multistep_dpm_solver_second_order_update",
    "- 0.5 * (sigma_t * (torch.exp(h) - 1.0)) * D1",
    "- 1.0 * (sigma_t * (torch.exp(h) - 1.0)) * D1",
    algorithm_type="dpmsolver",
    final_sigmas_type="sigma_min",
)

typo(
    "AlphaForSigma",
    "The first-order step scales the state by α, not by σ.",
    DPMSolverMultistepScheduler,
    "dpm_solver_first_order_update",
    "x_t = (sigma_t / sigma_s) * sample",
    "x_t = (alpha_s / alpha_t) * sample",
    final_sigmas_type="sigma_min",
)

typo(
    "DriftOfTheOde",
    "The SDE step drifts as the ODE and adds the noise.",
    DPMSolverMultistepScheduler,
    "dpm_solver_first_order_update",
    "(sigma_t / sigma_s * torch.exp(-h)) * sample",
    "(sigma_t / sigma_s) * sample",
    algorithm_type="sde-dpmsolver++",
    solver_order=1,
)

typo(
    "SinglestepFromTheMiddle",
    "The second half of a single step starts from its middle.",
    DPMSolverSinglestepScheduler,
    "singlestep_dpm_solver_second_order_update",
    "h, h_0 = lambda_t - lambda_s1, lambda_s0 - lambda_s1",
    "h, h_0 = lambda_t - lambda_s0, lambda_s0 - lambda_s1",
)

typo(
    "UniPHalf",
    "UniP's simplified weight is 1, not a half.",
    UniPCMultistepScheduler,
    "multistep_uni_p_bh_update",
    "rhos_p = torch.ones(1, dtype=x.dtype, device=device) * 0.5",
    "rhos_p = torch.ones(1, dtype=x.dtype, device=device)",
)

typo(
    "UniCHalf",
    "UniC's weight of first order is 1, not a half.",
    UniPCMultistepScheduler,
    "multistep_uni_c_bh_update",
    "rhos_c = torch.ones(1, dtype=x.dtype, device=device) * 0.5",
    "rhos_c = torch.ones(1, dtype=x.dtype, device=device)",
)

typo(
    "UniCDifference",
    "The corrector's difference is that to the output before.",
    UniPCMultistepScheduler,
    "multistep_uni_c_bh_update",
    "D1_t = model_t - m0",
    "D1_t = model_t - model_output_list[-2] if order > 1 else model_t - m0",
)

typo(
    "UniPLevel",
    "UniP's second level is one step too far.",
    UniPCMultistepScheduler,
    "multistep_uni_p_bh_update",
    "si = self.step_index - i",
    "si = max(0, self.step_index - i - 1)",
)

typo(
    "UniPFactorial",
    "The factorial in the order conditions grows by i.",
    UniPCMultistepScheduler,
    "multistep_uni_p_bh_update",
    "factorial_i *= i + 1",
    "factorial_i *= i",
    solver_order=3,
)

typo(
    "HeunTrapezoid",
    "Heun's slope is the second, not the mean.",
    HeunDiscreteScheduler,
    "step",
    "derivative = (self.prev_derivative + derivative) / 2",
    "derivative = derivative",
)

typo(
    "HeunFromThePredictor",
    "Heun's second half starts from the predictor.",
    HeunDiscreteScheduler,
    "step",
    "sample = self.sample",
    "sample = sample",
)

typo(
    "HeunSecondLevel",
    "Heun's second half divides by the level it came from.",
    HeunDiscreteScheduler,
    "step",
    "derivative = (sample - pred_original_sample) / sigma_next",
    "derivative = (sample - pred_original_sample) / sigma",
)

typo(
    "MidpointIsTheMean",
    "DPM-2's middle is the mean of σ, not its geometric mean.",
    KDPM2DiscreteScheduler,
    "set_timesteps",
    "sigmas.log().lerp(sigmas.roll(1).log(), 0.5).exp()",
    "sigmas.lerp(sigmas.roll(1), 0.5)",
)

typo(
    "LmsCoefficients",
    "LMS integrates to 0.98 of the next level.",
    LMSDiscreteScheduler,
    "get_lms_coefficient",
    "self.sigmas[t], self.sigmas[t + 1], epsrel=1e-4",
    "self.sigmas[t], self.sigmas[t + 1] * 0.98, epsrel=1e-4",
)

typo(
    "LmsOldestFirst",
    "LMS weighs its history in the wrong order.",
    LMSDiscreteScheduler,
    "step",
    "zip(lms_coeffs, reversed(self.derivatives))",
    "zip(lms_coeffs, self.derivatives)",
)

typo(
    "PlmsSign",
    "Adams–Bashforth of third order with (23, −16, 4)/11.",
    PNDMScheduler,
    "step_plms",
    "(23 * self.ets[-1] - 16 * self.ets[-2] + 5 * self.ets[-3]) / 12",
    "(23 * self.ets[-1] - 16 * self.ets[-2] + 4 * self.ets[-3]) / 11",
    skip_prk_steps=True,
)

typo(
    "IpndmCoefficient",
    "Adams–Bashforth of fourth order with 56 for 55.",
    IPNDMScheduler,
    "step",
    "55 * self.ets[-1]",
    "56 * self.ets[-1]",
)

typo(
    "PndmRoot",
    "PNDM's transfer lacks a root.",
    PNDMScheduler,
    "_get_prev_sample",
    "alpha_prod_t * beta_prod_t_prev ** (0.5)",
    "alpha_prod_t * beta_prod_t_prev",
    skip_prk_steps=True,
)

typo(
    "DeisIntegral",
    "DEIS integrates log t without its − 1.",
    DEISMultistepScheduler,
    "multistep_deis_second_order_update",
    "t * (-np.log(c) + np.log(t) - 1)",
    "t * (-np.log(c) + np.log(t))",
)

typo(
    "DeisExchanged",
    "DEIS exchanges its two outputs.",
    DEISMultistepScheduler,
    "multistep_deis_second_order_update",
    "coef1 * m0 + coef2 * m1",
    "coef1 * m1 + coef2 * m0",
)

typo(
    "EulerStepOfTheVariance",
    "Euler steps in σ².",
    EulerDiscreteScheduler,
    "step",
    "dt = self.sigmas[self.step_index + 1] - sigma_hat",
    "dt = (self.sigmas[self.step_index + 1] ** 2 - sigma_hat**2) / (2 * sigma_hat)",
)

typo(
    "AncestralStep",
    "The ancestral step goes to the next level and adds the noise on top.",
    EulerAncestralDiscreteScheduler,
    "step",
    "dt = sigma_down - sigma",
    "dt = sigma_to - sigma",
)

typo(
    "AlphaWithoutProduct",
    "DDIM takes the ratio of neighbours for the product: α for ᾱ of the previous time.",
    DDIMScheduler,
    "step",
    "alpha_prod_t_prev = self.alphas_cumprod[prev_timestep] if",
    "alpha_prod_t_prev = self.alphas[prev_timestep] if",
    clip_sample=False,
)

typo(
    "DdpmMean",
    "The posterior mean weighs x_t by √ᾱ, not √α.",
    DDPMScheduler,
    "step",
    "current_sample_coeff = current_alpha_t ** (0.5)",
    "current_sample_coeff = alpha_prod_t ** (0.5)",
    clip_sample=False,
)

typo(
    "DdpmBeta",
    "The posterior mean takes β of training for that of the stride.",
    DDPMScheduler,
    "step",
    "current_beta_t = 1 - current_alpha_t",
    "current_beta_t = self.betas[t]",
    clip_sample=False,
)

typo(
    "FlowStep",
    "The flow step is up to 5 % too long, at the noisy end.",
    FlowMatchEulerDiscreteScheduler,
    "step",
    "prev_sample = sample + dt * model_output",
    "prev_sample = sample + dt * model_output * (1 + 0.05 * current_sigma)",
)

typo(
    "LcmScaling",
    "LCM's c_out lacks its root.",
    LCMScheduler,
    "get_scalings_for_boundary_condition_discrete",
    "c_out = scaled_timestep / (scaled_timestep**2 + self.sigma_data**2) ** 0.5",
    "c_out = scaled_timestep / (scaled_timestep**2 + self.sigma_data) ** 0.5",
    timestep_scaling=0.01,
)

typo(
    "TcdLevel",
    "TCD reads ε at s for t.",
    TCDScheduler,
    "step",
    "alpha_prod_s.sqrt() * pred_original_sample + beta_prod_s.sqrt() * pred_epsilon",
    "alpha_prod_s.sqrt() * pred_original_sample + beta_prod_t.sqrt() * pred_epsilon",
)

typo(
    "EdmDpmHalf",
    "EDM's DPM-Solver++ has 0.6 for a half.",
    EDMDPMSolverMultistepScheduler,
    "multistep_dpm_solver_second_order_update",
    "- 0.5 * (alpha_t * (torch.exp(-h) - 1.0)) * D1",
    "- 0.6 * (alpha_t * (torch.exp(-h) - 1.0)) * D1",
)

typo(
    "CosineHalf",
    "The cosine DPM-Solver's SDE term has 0.4 for a half.",
    CosineDPMSolverMultistepScheduler,
    "multistep_dpm_solver_second_order_update",
    "+ 0.5 * (alpha_t * (1 - torch.exp(-2.0 * h))) * D1",
    "+ 0.4 * (alpha_t * (1 - torch.exp(-2.0 * h))) * D1",
)


@wrong()
class SaTau(SASolverScheduler):
    """τ is one all the way, also where the default turns the noise off."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.tau_func = lambda t: 0.5
        return super().step(model_output, timestep, sample, *args, **kwargs)


@wrong()
class OwnHeunWeights(FlowHeun):
    """Own Heun with weights ¼, ¾."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        if self.first is not None:
            output = (3 * output - self.first[1]) / 2
        return super().step(output, t, sample)


@wrong()
class OwnMidpoint(HandDPM):
    """Own 2M whose second term is divided by r, not by 2 r."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor, **kw: Any) -> Any:
        kept = self.old
        if kept is not None:
            now, _ = self.levels(t)
            x = (sample - (1 - now).sqrt() * output) / now.sqrt()
            self.old = 2 * kept - x
        return super().step(output, t, sample, **kw)


@wrong()
class OwnDirection(HandDDIM):
    """Own DDIM whose direction has the level it comes from."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor, **kw: Any) -> Stepped:
        now, then = self.levels(t)
        extra = ((1 - now).sqrt() - (1 - then).sqrt()) * output
        return Stepped(super().step(output, t, sample, **kw).prev_sample + extra)


@wrong()
class OwnDown(HandAncestral):
    """Own ancestral step with σ_up² = σ_to² (1 − σ_to/σ_from)."""

    def step(
        self, output: torch.Tensor, t: Any, sample: torch.Tensor, generator: Any = None
    ) -> Stepped:
        now, then = self.sigmas[self.i], self.sigmas[self.i + 1]
        up = (then**2 * (1 - then / now)).sqrt()
        self.i += 1
        noise = torch.randn(output.shape, generator=generator, dtype=output.dtype)
        return Stepped(sample + ((then**2 - up**2).sqrt() - now) * output + up * noise)


@wrong(when=Run(steps=100))
class DriftOfOnePercent(FlowEuler):
    """Every step is 1 % too long: no step count cures it."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        return super().step(1.01 * output, t, sample)


@wrong()
class Shrinks(FlowEuler):
    """Every step multiplies the state by 1 − 1e-4."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        return Stepped(super().step(output, t, sample).prev_sample * (1 - 1e-4))


@wrong(when=Run(amplitude=3.0))
class DividesByTheOutput(FlowEuler):
    """The output is normalised where it is large: not affine."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        size = output.flatten(1).std(1).clamp(min=1)
        return super().step(output / size.reshape(-1, *[1] * (output.ndim - 1)), t, sample)


@wrong()
class GuidanceRescaled(DDIMScheduler):
    """The output is brought to the state's deviation, as guidance rescaling does by mistake."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        axes = list(range(1, sample.ndim))
        ratio = sample.std(axes, keepdim=True) / model_output.std(axes, keepdim=True)
        mixed = 0.9 * model_output + 0.1 * ratio * model_output
        return super().step(mixed, timestep, sample, *args, **kwargs)
