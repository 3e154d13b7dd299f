"""The step counts that people use: mistakes that short runs do not show, and their true size."""

from __future__ import annotations

import pytest
import torch

from dfbench.checks import CLAIMS
from dfbench.checks.cases import STEPS
from dfbench.subjects import resolve

diffusers = pytest.importorskip("diffusers")
DDIM, DDPM, Euler = (
    diffusers.DDIMScheduler,
    diffusers.DDPMScheduler,
    diffusers.EulerDiscreteScheduler,
)
DPM, UniPC = diffusers.DPMSolverMultistepScheduler, diffusers.UniPCMultistepScheduler
ASKED = ("counts", "bookkeeping", "told-level", "landing", "identity")


class FirstOrderAbove16(DPM):
    """Takes many steps for a reason to save the second-order term."""

    def set_timesteps(self, n=None, *args, **options):
        super().set_timesteps(n, *args, **options)
        self.config.solver_order = 1 if n > 16 else 2


class WholeTimesAbove25(Euler):
    """Rounds down the times that the network is told, not the levels."""

    def set_timesteps(self, n=None, *args, **options):
        super().set_timesteps(n, *args, **options)
        if n > 25:
            self.timesteps = (self.timesteps - 1).clamp(min=0)


class LandsEarlyFrom40(Euler):
    """Keeps the last noise in long runs."""

    def set_timesteps(self, n=None, *args, **options):
        super().set_timesteps(n, *args, **options)
        if n >= 40:
            self.sigmas[-1] = 0.015


class LouderAt30(DDPM):
    """The variance of fresh noise is that of a run of another length."""

    def _get_variance(self, t, predicted_variance=None, variance_type=None):
        found = super()._get_variance(t, predicted_variance, variance_type)
        return found * (0.9 if self.num_inference_steps == 30 else 1.0)


class RepeatsATimeAt1000(Euler):
    """Rounds one more time than it needs, as DPM-Solver does."""

    def set_timesteps(self, n=None, *args, **options):
        super().set_timesteps(n, *args, **options)
        if n == 1000:
            self.sigmas[501] = self.sigmas[500]


class DriftsWithTheSteps(DDIM):
    """Every step leaves out a little."""

    def step(self, model_output, timestep, sample, **options):
        return super().step(model_output, timestep, (1 - 1e-4) * sample, **options)


WRONG = [
    (FirstOrderAbove16, "identity", 18),
    (WholeTimesAbove25, "told-level", 28),
    (LandsEarlyFrom40, "landing", 40),
    (LouderAt30, "bookkeeping", 30),
    (RepeatsATimeAt1000, "counts", 1000),
]


@pytest.mark.slow(quick=4)
@pytest.mark.parametrize(("cls", "id", "steps"), WRONG, ids=lambda x: getattr(x, "__name__", x))
def test_a_mistake_in_long_runs_is_seen(cls, id, steps):
    (subject,) = resolve(cls)
    finding = CLAIMS[id](subject)
    assert finding.verdict == "fail", finding
    assert finding.counterexample["steps"] == steps


def test_the_size_is_the_worst_and_the_counterexample_the_smallest():
    (subject,) = resolve(DriftsWithTheSteps)
    finding = CLAIMS["bookkeeping"](subject)
    assert finding.counterexample == {"steps": 1}
    # the share of a start of size 1 that is missing after 100 steps, in noise that has been
    # taken out since: no less than in the state after one step
    assert finding.measured > 5e-3
    assert finding.where.startswith("1 steps, ")
    assert "; largest in 100 steps, " in finding.where


class OwnFormula(DDIM):
    """DDIM in the form of its paper: x̂ and ε̂, and nothing of the class's own step."""

    def step(self, model_output, timestep, sample, return_dict=True, **options):
        before = timestep - self.config.num_train_timesteps // self.num_inference_steps
        now = self.alphas_cumprod[timestep]
        after = self.alphas_cumprod[before] if before >= 0 else self.final_alpha_cumprod
        ratio = (1 - now).sqrt() / now.sqrt()
        to = (1 - after).sqrt() / after.sqrt()
        moved = after.sqrt() * (sample / now.sqrt() + (to - ratio) * model_output)
        return diffusers.schedulers.scheduling_ddim.DDIMSchedulerOutput(moved)


class InDouble(UniPC):
    """The same tables, in double precision."""

    def set_timesteps(self, *args, **options):
        super().set_timesteps(*args, **options)
        self.sigmas = self.sigmas.double()


class FinalOrderByItself(DPM):
    """Lowers its last order below 15 steps by its own count."""

    def set_timesteps(self, n=None, *args, **options):
        super().set_timesteps(n, *args, **options)
        self.timesteps = torch.tensor(self.timesteps.tolist())


@pytest.mark.slow(quick=2)
@pytest.mark.parametrize("cls", [OwnFormula, InDouble, FinalOrderByItself, DDPM, Euler])
def test_right_code_passes(cls):
    (subject,) = resolve(cls, {"clip_sample": False} if issubclass(cls, DDIM) else None)
    for id in ASKED:
        finding = CLAIMS[id](subject)
        if id == "counts" and issubclass(cls, DPM | UniPC):  # 1000 of 1001 rounded times
            assert "1000 steps: steps 499 and 500 start at the same level" in finding.where
        else:
            assert finding.verdict == "pass", finding


def test_whoever_uses_it_is_asked():
    used = {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 16, 18, 20, 25, 28, 30, 40, 50, 100}
    assert used <= set(STEPS)
