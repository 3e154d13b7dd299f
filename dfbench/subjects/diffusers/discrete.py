"""DDIM, DDPM, PNDM and their kin: whole training steps, levels from `alphas_cumprod`."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from dfbench.errors import Unsupported
from dfbench.levels import Array, Grid, Level
from dfbench.outcome import Expected
from dfbench.samplers.ddim import posterior_std
from dfbench.subjects.diffusers import asked
from dfbench.subjects.diffusers import scheduler_levels as levels
from dfbench.subjects.diffusers.sampler import Published, SchedulerSampler, register
from dfbench.subjects.diffusers.session import SchedulerSession


class Discrete(SchedulerSampler):
    """Levels are imposed by making the training table the grid: times n − 1 … 0 of n."""

    def asked(self, settings: dict[str, Any], n: int) -> Array | None:
        if "timestep_spacing" not in settings:
            return None
        return asked.discrete(settings, n, self.call.get("timesteps"))

    def clean(self, n: int) -> dict[str, Any]:
        every = {"timestep_spacing": "leading", "steps_offset": 0}
        return {**super().clean(n), "num_train_timesteps": n, **every}


@register("DDIMScheduler", "DDIMParallelScheduler")
class DDIM(Discrete):
    @property
    def keeps_eps(self) -> bool:  # type: ignore[override]
        """Unless it is asked to derive ε̂ anew."""
        return not self.call.get("use_clipped_model_output")

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        return "ddim", {"eta": float(self.call.get("eta", 0.0))}


@register("CogVideoXDDIMScheduler")
class CogVideoXDDIM(DDIM):
    def clean(self, n: int) -> dict[str, Any]:
        return {**super().clean(n), "snr_shift_scale": 1.0}


@register("CogVideoXDPMScheduler")
class CogVideoXDPM(CogVideoXDDIM):
    also = None

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        return "sde_dpm_solver_pp", {"order": 2, "euler_at_final": True}

    def step(self, session: SchedulerSession, i: int, m: Tensor, x: Tensor) -> Tensor:
        before = session.times[i - 1] if i else None
        x, session.previous = session.scheduler.step(
            *(m, session.previous, session.times[i], before, x),
            generator=session.generator,
            return_dict=False,
        )
        return x


@register("DDIMInverseScheduler")
class DDIMInverse(Discrete):
    level_class = levels.InverseSteps
    published = "ddim"
    ascending = True
    fixed = "it goes from clean to noise; orders are judged from noise to clean"

    def asked(self, settings: dict[str, Any], n: int) -> None:
        """From clean to noise there is no formula but the code's own."""

    def by_design(self) -> dict[str, Expected]:
        stride = Expected(
            "DDIM inversion asks the model at the time it goes to, not the one it is at "
            "(ε(z_t, t + Δ)), as the inversion code it follows does: first order all the same, and "
            "the reason that inverting and sampling do not close exactly",
            within=float(self.settings["num_train_timesteps"]),  # all of them, in one step
            unit="training steps",
        )
        return {**super().by_design(), "told-level": stride}


@register("DDPMScheduler", "DDPMParallelScheduler")
class DDPM(Discrete):
    keeps_eps = False

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        kind = str(settings.get("variance_type", "fixed_small")).removesuffix("_log")
        known = {"fixed_small": "beta_tilde", "fixed_large": "beta", "learned": "beta_tilde"}
        return "ddpm", {"variance": known.get(kind, 0.5)}  # a range: the model says 0, half way

    def output(self, session: SchedulerSession, m: Tensor, i: int) -> Tensor:
        """With a learned variance the network answers β̃ itself, or half way in the range."""
        if self.settings.get("variance_type") != "learned":
            return super().output(session, m, i)
        level, to = session.grid[i], session.grid[i + 1]
        return torch.cat([m, torch.full_like(m, posterior_std(level, to) ** 2)], dim=1)


@register("UnCLIPScheduler")
class UnCLIP(DDPM):
    also = (
        ", prev_timestep=int(scheduler.timesteps[i + 1]) if t > scheduler.timesteps[-1] else None"
    )

    def clean(self, n: int) -> dict[str, Any]:
        return {**SchedulerSampler.clean(self, n), "num_train_timesteps": n}

    def other_predictions(self) -> dict[str, str]:
        return {"epsilon": "eps", "sample": "x"}

    def step(self, session: SchedulerSession, i: int, m: Tensor, x: Tensor) -> Tensor:
        t, *after = session.times[i : i + 2]
        options = {"prev_timestep": int(after[0]) if after else None}
        step = session.scheduler.step(m, t, x, **options, generator=session.generator)
        return step.prev_sample  # type: ignore[no-any-return]


class WuerstchenTimes(levels.ContinuousTimes):
    """t from 1 to 0, ᾱ(t) = cos²((t + s)/(1 + s) π/2)/cos²(s/(1 + s) π/2)."""

    cleanest = 0.01  # ᾱ is clamped to 0.9999

    def told(self, time: float) -> Level:
        scaler, s, t = self.s.config.scaler, self.s.config.s, time
        if scaler > 1:
            t = 1 - (1 - t) ** scaler
        elif scaler < 1:
            t = t**scaler

        def signal(u: float) -> float:
            return math.cos((u + s) / (1 + s) * math.pi / 2) ** 2

        cumprod = min(max(signal(t) / signal(0.0), 1e-4), 0.9999)
        return Level(math.sqrt(cumprod), math.sqrt(1 - cumprod))

    def gap(self, told: Level, own: Level) -> float:
        return abs(told.log_snr - own.log_snr)


@register("DDPMWuerstchenScheduler")
class Wuerstchen(DDPM):
    level_class = WuerstchenTimes
    fixed = "its levels are those of one cosine"
    also = None

    def by_design(self) -> dict[str, Expected]:
        reason = (
            "its table ends at ᾱ = 0.9999 (clamped), and the last step adds no noise: the sample "
            "is the mean at that level, 5e-5 too small and without the noise of σ = 0.01"
        )
        known = {
            "bookkeeping": Expected(reason, within=0.02, unit="of the state's size"),
            "identity": Expected(reason, within=1.0, unit="Gaussian draws more or fewer"),
            # all of what is narrower than that noise
            "law": Expected(reason, within=1.0, unit="relative error of the standard deviation"),
        }
        if self.settings.get("scaler", 1.0) != 1.0:
            known["counts"] = Expected(
                "ᾱ is clamped to [1e-4, 0.9999], as written: where scaler crowds the times at one "
                "end, the first levels are equal and the step between them is the identity",
                within=26.0,
                unit="step counts that go wrong",
            )
        return known

    def step(self, session: SchedulerSession, i: int, m: Tensor, x: Tensor) -> Tensor:
        t = session.times[i].reshape(1).expand(len(x))
        step = session.scheduler.step(m, t, x, generator=session.generator)
        return step.prev_sample  # type: ignore[no-any-return]


class PseudoSteps(levels.TrainingSteps):
    """PNDM: the first three steps take four calls each, or the first step takes two."""

    def step_of(self, i: int) -> int:
        if self.s.config.skip_prk_steps:
            return max(0, i - 1)
        return i // 4 if i < 12 else i - 9

    def impose(self, grid: Grid) -> None:
        if not self.s.config.skip_prk_steps:
            raise Unsupported("the Runge–Kutta start needs training steps half way between levels")
        times, n = [int(t) for t in self.times], grid.n_steps
        if times != [n - 1, *([n - 2] * min(1, n - 1)), *range(n - 2, -1, -1)]:
            raise Unsupported(f"visits times {times[:4]}…, not every one of {n} once")
        cumprod = levels.float64(1 / (1 + grid.ratio**2))
        self.s.alphas_cumprod, self.s.final_alpha_cumprod = cumprod[:-1].flip(0), cumprod[-1]


@register("PNDMScheduler")
class PNDM(Discrete):
    level_class = PseudoSteps

    def clean(self, n: int) -> dict[str, Any]:
        return {**super().clean(n), "skip_prk_steps": True}

    def other_predictions(self) -> dict[str, str]:
        return {"epsilon": "eps", "v_prediction": "v"}

    def method(
        self, settings: dict[str, Any], session: SchedulerSession | None
    ) -> Published | None:
        if session is not None and session.first:
            return None  # no paper starts it without its history
        if settings.get("skip_prk_steps"):
            single = session is not None and session.n == 1  # no second evaluation in one step
            return "pndm", {"order": 1 if single else 4, "start": "plms"}
        options: dict[str, Any] = {"order": 4, "start": "prk"}
        if session is not None:
            options["halfway"] = [session.calls[i].own for i in (1, 5, 9) if i < len(session.calls)]
        return "pndm", options


class SineTables(levels.SchedulerLevels):
    """iPNDM: α and σ are tables of their own, σ = sin²(π u/2)."""

    cleanest = 0.0
    time_tolerance = 1e-5
    time_derivation = "the time is (2/π) atan(σ/α) in float32"

    def own(self, i: int, time: float) -> Level:
        return Level(float(self.s.alphas[i]), float(self.s.betas[i]))

    def told(self, time: float) -> Level:
        angle = time * math.pi / 2
        return Level(max(0.0, math.cos(angle)), math.sin(angle))

    @property
    def final(self) -> Level:
        return self.own(-1, 0.0)

    def gap(self, told: Level, own: Level) -> float:
        return levels.angle_gap(told, own) * 2 / math.pi

    def impose(self, grid: Grid) -> None:
        alpha, sigma = zip(*map(levels.vp, grid.ratio), strict=True)
        self.s.alphas, self.s.betas = levels.float64(alpha), levels.float64(sigma)
        self.s.timesteps = torch.arange(grid.n_steps, 0, -1, dtype=torch.float32)
        self.s._step_index = None


@register("IPNDMScheduler")
class IPNDM(SchedulerSampler):
    level_class = SineTables
    default_prediction = "v_prediction"

    def asked(self, settings: dict[str, Any], n: int) -> Array | None:
        return asked.angles(n)

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        return "ipndm", {"order": 4}
