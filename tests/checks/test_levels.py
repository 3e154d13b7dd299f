"""The levels that options ask for: tables that are wrong, though the run keeps to them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dfbench.checks.bookkeeping import bookkeeping_check
from dfbench.checks.levels import levels_check
from dfbench.subjects import resolve

diffusers = pytest.importorskip("diffusers")
DDIM, Euler = diffusers.DDIMScheduler, diffusers.EulerDiscreteScheduler
DPM, Flow = diffusers.DPMSolverMultistepScheduler, diffusers.FlowMatchEulerDiscreteScheduler

UniPC = diffusers.UniPCMultistepScheduler
SD = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


class KarrasOf5(Euler):
    """ρ = 5."""

    def _convert_to_karras(self, in_sigmas, num_inference_steps):
        ramp = np.linspace(0, 1, num_inference_steps)
        high, low = in_sigmas[0] ** 0.2, in_sigmas[-1] ** 0.2
        return (high + ramp * (low - high)) ** 5


class NoOffset(DDIM):
    """Takes steps_offset and leaves it out."""

    def set_timesteps(self, n, *args, **options):
        super().set_timesteps(n, *args, **options)
        self.timesteps = self.timesteps - self.config.steps_offset


class TrailingFromTheEnd(DDIM):
    """Counts the trailing times from T, not from T − 1: off by one but for the first."""

    def set_timesteps(self, n, *args, **options):
        super().set_timesteps(n, *args, **options)
        self.timesteps[1:] = self.timesteps[1:] + 1


class ScaledIsLinear(DDIM):
    """ "scaled_linear" is β linear between the same ends."""

    def __init__(self, **config):
        super().__init__(**config)
        self.betas = torch.linspace(self.config.beta_start, self.config.beta_end, 1000)
        self.alphas_cumprod = torch.cumprod(1 - self.betas, dim=0)


class ShiftOfTheRoot(Flow):
    """Shifts by √s."""

    def set_timesteps(self, *args, **options):
        self._shift = self.config.shift**0.5
        super().set_timesteps(*args, **options)


class EndsAtTheLeast(DPM):
    """Lands at σ_min whatever `final_sigmas_type` says."""

    def set_timesteps(self, *args, **options):
        super().set_timesteps(*args, **options)
        self.sigmas[-1] = 0.0100005


class ExponentialOfTheTimes(Euler):
    """Equal ratios of σ + 1."""

    def _convert_to_exponential(self, in_sigmas, num_inference_steps):
        ends = np.log(1 + in_sigmas[0]), np.log(1 + in_sigmas[-1])
        return np.exp(np.linspace(*ends, num_inference_steps)) - 1


WRONG = [
    (KarrasOf5, {"use_karras_sigmas": True}),
    (NoOffset, {"steps_offset": 1}),
    (TrailingFromTheEnd, {"timestep_spacing": "trailing"}),
    (ScaledIsLinear, SD),
    (ShiftOfTheRoot, {"shift": 3.0}),
    (EndsAtTheLeast, {}),
    (ExponentialOfTheTimes, {"use_exponential_sigmas": True}),
]


@pytest.mark.parametrize(("cls", "config"), WRONG, ids=lambda x: getattr(x, "__name__", ""))
def test_a_grid_that_nobody_asked_for_is_seen(cls, config):
    (subject,) = resolve(cls, config)
    finding = levels_check(subject)
    assert finding.verdict == "fail", finding
    assert "should be" in finding.where


def test_the_books_of_such_a_grid_are_kept():
    (subject,) = resolve(KarrasOf5, {"use_karras_sigmas": True})
    assert bookkeeping_check(subject).verdict == "pass"


class KarrasByItself(Euler):
    """The formula in another form, σ = (a + (1 − t) (b − a))⁷ with t from 1 to 0."""

    def _convert_to_karras(self, in_sigmas, num_inference_steps):
        low, high = float(in_sigmas[-1]) ** (1 / 7), float(in_sigmas[0]) ** (1 / 7)
        return np.array(
            [(low + t * (high - low)) ** 7 for t in np.linspace(1, 0, num_inference_steps)]
        )


RIGHT = [
    (KarrasByItself, {"use_karras_sigmas": True}),
    (Euler, {"timestep_spacing": "leading", "steps_offset": 1}),
    (Euler, SD | {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}),
    (DDIM, {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}),
    (DDIM, {"beta_schedule": "squaredcos_cap_v2"}),
    (DDIM, {"trained_betas": list(np.linspace(1e-4, 3e-2, 1000))}),
    (DPM, {"use_karras_sigmas": True, "timestep_spacing": "leading"}),
    (DPM, {"use_lu_lambdas": True}),
    (DPM, {"use_beta_sigmas": True, "final_sigmas_type": "sigma_min"}),
    (DPM, {"lambda_min_clipped": -5.1, "beta_schedule": "squaredcos_cap_v2"}),
    (UniPC, {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": 3.0}),
    (DPM, {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": 3.0}),
    (UniPC, {"use_karras_sigmas": True, "sigma_min": 0.02, "sigma_max": 100.0}),
    (Flow, {"shift": 3.0}),
    (Flow, {"shift_terminal": 0.02}),
]


@pytest.mark.parametrize(("cls", "config"), RIGHT)
def test_what_is_asked_for_passes(cls, config):
    (subject,) = resolve(cls, config)
    finding = levels_check(subject)
    assert finding.verdict == "pass", finding


@pytest.mark.parametrize("kind", ["exponential", "linear"])
def test_a_dynamic_shift_follows_mu(kind):
    config = {"use_dynamic_shifting": True, "time_shift_type": kind}
    (subject,) = resolve(Flow, config, {"mu": 1.1})
    assert levels_check(subject).verdict == "pass"
