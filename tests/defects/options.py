"""Options that do something else than they say, or nothing."""

from __future__ import annotations

from typing import Any

from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EDMEulerScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
    TCDScheduler,
    UniPCMultistepScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.own import HandDDIM, Stepped
from tests.defects.plain import Run

HALF_ETA = Run(call={"eta": 0.5})
CHURN = {"s_churn": 5.0, "s_tmin": 1.0, "s_tmax": 50.0, "s_noise": 1.003}

typo(
    "EtaIgnored",
    "η is taken and not used.",
    DDIMScheduler,
    "step",
    "std_dev_t = eta * variance ** (0.5)",
    "std_dev_t = 0 * variance ** (0.5)",
    when=HALF_ETA,
    clip_sample=False,
)

typo(
    "EtaSquared",
    "η multiplies the variance, not the deviation: seen between 0 and 1.",
    DDIMScheduler,
    "step",
    "std_dev_t = eta * variance ** (0.5)",
    "std_dev_t = (eta * variance) ** (0.5)",
    when=HALF_ETA,
    clip_sample=False,
)


@wrong(when=HALF_ETA)
class EtaIsOne(HandDDIM):
    """Any η above 0 is 1."""

    def step(
        self, output: Any, t: Any, sample: Any, eta: float = 0.0, generator: Any = None
    ) -> Any:
        made: Stepped = super().step(output, t, sample, float(eta > 0), generator)
        return made


typo(
    "GammaOfTheTime",
    "TCD's γ multiplies the time where it should leave 1 − γ of it.",
    TCDScheduler,
    "step",
    "torch.floor((1 - eta) * prev_timestep)",
    "torch.floor(eta * prev_timestep)",
    when=Run(call={"eta": 0.3}),
)

typo(
    "ChurnOfTheWhole",
    "Churn is not divided by the number of steps.",
    EulerDiscreteScheduler,
    "step",
    "min(s_churn / (len(self.sigmas) - 1), 2**0.5 - 1)",
    "min(s_churn, 2**0.5 - 1)",
    when=Run(call={"s_churn": 1.0}),
)

typo(
    "ChurnWithoutItsWindow",
    "s_tmin is ignored.",
    EulerDiscreteScheduler,
    "step",
    "if s_tmin <= sigma <= s_tmax else 0.0",
    "if sigma <= s_tmax else 0.0",
    when=Run(call=CHURN),
)

typo(
    "ChurnTwice",
    "s_noise is multiplied in twice.",
    EDMEulerScheduler,
    "step",
    "eps = noise * s_noise",
    "eps = noise * s_noise**2",
    when=Run(call={**CHURN, "s_noise": 1.05}),
)

typo(
    "ChurnTakenFromTheOldLevel",
    "The churned state is read at the level before the churn.",
    EulerDiscreteScheduler,
    "step",
    "pred_original_sample = sample - sigma_hat * model_output",
    "pred_original_sample = sample - sigma * model_output",
    when=Run(call={"s_churn": 5.0}),
)

typo(
    "StochasticFlow",
    "stochastic_sampling adds noise without taking the data's weight for the next level.",
    FlowMatchEulerDiscreteScheduler,
    "step",
    "(1.0 - next_sigma) * x0 + next_sigma * noise",
    "(1.0 - current_sigma) * x0 + next_sigma * noise",
    stochastic_sampling=True,
)

typo(
    "OrderIgnored",
    "order=2 runs as order 4.",
    LMSDiscreteScheduler,
    "step",
    "order = min(self.step_index + 1, order)",
    "order = min(self.step_index + 1, 4)",
    "if len(self.derivatives) > order:",
    "if len(self.derivatives) > 4:",
    when=Run(call={"order": 2}),
)

typo(
    "LowerOrderFinalIgnored",
    "lower_order_final=False is ignored.",
    UniPCMultistepScheduler,
    "step",
    "if self.config.lower_order_final:",
    "if True:",
    lower_order_final=False,
    final_sigmas_type="sigma_min",
)

typo(
    "EulerAtFinalIgnored",
    "euler_at_final is ignored.",
    DPMSolverMultistepScheduler,
    "step",
    "self.config.euler_at_final or (",
    "(",
    euler_at_final=True,
    final_sigmas_type="sigma_min",
    lower_order_final=False,
)

typo(
    "SolverTypeIgnored",
    "solver_type='heun' runs as midpoint.",
    DPMSolverMultistepScheduler,
    "multistep_dpm_solver_second_order_update",
    'elif self.config.solver_type == "heun": x_t = ( (sigma_t / sigma_s0) * sample '
    "- (alpha_t * (torch.exp(-h) - 1.0)) * D0 + (alpha_t * ((torch.exp(-h) - 1.0) / h + 1.0)) * D1",
    'elif self.config.solver_type == "heun":\n            x_t = ((sigma_t / sigma_s0) * sample '
    "- (alpha_t * (torch.exp(-h) - 1.0)) * D0 - 0.5 * (alpha_t * (torch.exp(-h) - 1.0)) * D1",
    solver_type="heun",
)

typo(
    "DisabledCorrector",
    "disable_corrector counts from one.",
    UniPCMultistepScheduler,
    "step",
    "self.step_index - 1 not in self.disable_corrector",
    "self.step_index not in self.disable_corrector",
    disable_corrector=[0, 3],
)

typo(
    "AlphaToOneIgnored",
    "set_alpha_to_one=False is ignored.",
    DDIMScheduler,
    "__init__",
    "torch.tensor(1.0) if set_alpha_to_one else self.alphas_cumprod[0]",
    "torch.tensor(1.0)",
    set_alpha_to_one=False,
    clip_sample=False,
    beta_start=0.01,
)

typo(
    "LargeIsSmall",
    "variance_type='fixed_large' runs as the small one.",
    DDPMScheduler,
    "_get_variance",
    "variance = current_beta_t",
    "variance = variance",
    variance_type="fixed_large",
    clip_sample=False,
)

typo(
    "SmallLogTwice",
    "variance_type='fixed_small_log' takes the root twice.",
    DDPMScheduler,
    "_get_variance",
    "variance = torch.exp(0.5 * variance)",
    "variance = torch.exp(0.25 * variance)",
    variance_type="fixed_small_log",
    clip_sample=False,
)

typo(
    "SkipPrkIgnored",
    "The Runge–Kutta start weighs its slopes 1, 1, 1, 1.",
    PNDMScheduler,
    "step_prk",
    "self.cur_model_output += 1 / 3 * model_output",
    "self.cur_model_output += 1 / 4 * model_output",
)

typo(
    "ChurnInFlow",
    "Heun's churn moves σ without adding the noise.",
    FlowMatchHeunDiscreteScheduler,
    "step",
    "sample = sample + eps * (sigma_hat**2 - sigma**2) ** 0.5",
    "sample = sample",
    when=Run(call={"s_churn": 4.0}),
)

typo(
    "SolverOrderThree",
    "solver_order=3 runs as 2.",
    DPMSolverMultistepScheduler,
    "step",
    "elif self.config.solver_order == 2 or",
    "elif self.config.solver_order >= 2 or",
    solver_order=3,
)

typo(
    "PredictX0Ignored",
    "predict_x0=False keeps the data prediction's corrector.",
    UniPCMultistepScheduler,
    "multistep_uni_c_bh_update",
    "hh = -h if self.predict_x0 else h",
    "hh = -h",
    predict_x0=False,
    final_sigmas_type="sigma_min",
)

typo(
    "BhOneIsTwo",
    "solver_type='bh1' runs as bh2.",
    UniPCMultistepScheduler,
    "multistep_uni_c_bh_update",
    "B_h = hh",
    "B_h = torch.expm1(hh)",
    solver_type="bh1",
    final_sigmas_type="sigma_min",
)
