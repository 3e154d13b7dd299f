"""Where a run starts: with as much noise as the network is told, and noise enough."""

from __future__ import annotations

import pytest

from dfbench.checks.start import start_check
from dfbench.subjects import resolve

diffusers = pytest.importorskip("diffusers")
DDIM, Euler = diffusers.DDIMScheduler, diffusers.EulerDiscreteScheduler
DPM, Heun = diffusers.DPMSolverMultistepScheduler, diffusers.HeunDiscreteScheduler
Flow = diffusers.FlowMatchEulerDiscreteScheduler


class UnitNoise(Euler):
    """Written for variance-preserving samplers."""

    init_noise_sigma = 1.0


class StableDiffusions(Euler):
    """The σ of one model, whatever the table."""

    init_noise_sigma = 14.6146


class OfTheTrainingTable(Euler):
    """The largest σ there is, not that of the first step."""

    @property
    def init_noise_sigma(self):
        return float(((1 - self.alphas_cumprod) / self.alphas_cumprod).sqrt().max())


class TooQuiet(DDIM):
    def __init__(self, **config):
        super().__init__(**config)
        self.init_noise_sigma = 0.95


class ScaledTwice(Flow):
    init_noise_sigma = 2.0


class FromTheMiddle(DPM):
    """Leaves out the first half and starts from noise all the same."""

    def set_timesteps(self, n=None, *args, **options):
        super().set_timesteps(2 * n, *args, **options)
        self.timesteps, self.sigmas = self.timesteps[-n:], self.sigmas[-n - 1 :]
        self.num_inference_steps = n


@pytest.mark.parametrize(
    ("cls", "config"),
    [
        (UnitNoise, {}),
        (StableDiffusions, {}),
        (OfTheTrainingTable, {"timestep_spacing": "leading"}),
        (TooQuiet, {}),
        (ScaledTwice, {}),
        (FromTheMiddle, {}),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_a_wrong_start_is_seen(cls, config):
    (subject,) = resolve(cls, config)
    finding = start_check(subject)
    assert finding.verdict == "fail", finding
    assert "drawn with deviation" in finding.where


class NoiseAlone(Euler):
    """σ, and not √(σ² + 1): both are drawn."""

    @property
    def init_noise_sigma(self):
        return self.sigmas.max()


class NoiseAndData(Euler):
    @property
    def init_noise_sigma(self):
        return float((self.sigmas.max() ** 2 + 1) ** 0.5)


@pytest.mark.slow(quick=7)
@pytest.mark.parametrize("spacing", ["linspace", "leading", "trailing"])
@pytest.mark.parametrize("cls", [NoiseAlone, NoiseAndData, DDIM, DPM, Heun])
def test_right_code_passes(cls, spacing):
    (subject,) = resolve(cls, {"timestep_spacing": spacing})
    finding = start_check(subject)
    assert finding.verdict == "pass", finding


@pytest.mark.parametrize("config", [{"shift": 3.0}, {"use_karras_sigmas": True}])
def test_flow_starts_from_unit_noise(config):
    assert start_check(resolve(Flow, config)[0]).verdict == "pass"


def test_one_step_of_the_cosine_solver_starts_at_its_clean_end():
    """A defect of diffusers: one point from σ_min to σ_max is σ_min; noise of σ_max is drawn."""
    finding = start_check(resolve("diffusers:CosineDPMSolverMultistepScheduler")[0])
    assert finding.verdict == "fail"
    assert finding.counterexample == {"steps": 1}
