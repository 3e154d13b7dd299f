"""DDIM, DDPM, PNDM and their kin: whole training steps, levels from `alphas_cumprod`."""

from __future__ import annotations

import math
from typing import Any

import torch

from dfbench.errors import Unsupported
from dfbench.levels import Grid, Level
from dfbench.samplers.ddim import posterior_std
from dfbench.subjects.diffusers.catalogue import Entry, Named, Stepper, register
from dfbench.subjects.diffusers.forms import Discrete, Form, Inverse, vp

EVERY = {"timestep_spacing": "leading", "steps_offset": 0}  # times n − 1 … 0 of n


class DiscreteEntry(Entry):
    """Levels are imposed by making the training table the grid."""

    def clean(self, n: int) -> dict[str, Any]:
        return {"num_train_timesteps": n, **EVERY}


@register("DDIMScheduler", "DDIMParallelScheduler")
class DDIM(DiscreteEntry):
    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "ddim", {"eta": float(call.get("eta", 0.0))}


@register("CogVideoXDDIMScheduler")
class CogVideoXDDIM(DiscreteEntry):
    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "ddim", {"eta": float(call.get("eta", 0.0))}

    def clean(self, n: int) -> dict[str, Any]:
        return {**super().clean(n), "snr_shift_scale": 1.0}


@register("DDIMInverseScheduler")
class DDIMInverse(DiscreteEntry):
    form_class = Inverse
    ascending = True
    imposable = False
    why_fixed = "it goes from clean to noise; orders are judged from noise to clean"

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "ddim", {}

    def expected(self, settings: dict[str, Any], call: dict[str, Any]) -> dict[str, str]:
        return {
            **super().expected(settings, call),
            "told-level": "DDIM inversion asks the model at the time it goes to, not the one it "
            "is at (ε(z_t, t + Δ)), as the inversion code it follows does: first order all the "
            "same, and the reason that inverting and sampling do not close exactly",
        }


@register("DDPMScheduler", "DDPMParallelScheduler")
class DDPM(DiscreteEntry):
    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        kind = settings.get("variance_type", "fixed_small")
        variance: str | float = {
            "fixed_small": "beta_tilde", "fixed_small_log": "beta_tilde",
            "fixed_large": "beta", "fixed_large_log": "beta", "learned": "beta_tilde",
        }.get(kind, 0.5)  # fmt: skip  # learned_range: the model answers 0, half way
        return "ddpm", {"variance": variance}

    def output(self, session: Any, m: torch.Tensor, i: int) -> torch.Tensor:
        """With a learned variance the network answers β̃ itself, or half way in the range."""
        if session.scheduler.config.get("variance_type") != "learned":
            return super().output(session, m, i)
        form = session.form
        to = form.own(i + 1) if i + 1 < session.calls else form.final
        return torch.cat([m, torch.full_like(m, posterior_std(form.own(i), to) ** 2)], dim=1)


@register("UnCLIPScheduler")
class UnCLIP(DDPM):
    special = True

    def clean(self, n: int) -> dict[str, Any]:
        return {"num_train_timesteps": n}

    def predictions(self, settings: dict[str, Any]) -> dict[str, str]:
        return {"epsilon": "eps", "sample": "x"}

    def stepper(self, session: Any, generator: torch.Generator | None) -> Stepper:
        times = session.form.times

        def step(i: int, m: torch.Tensor, t: Any, x: torch.Tensor) -> torch.Tensor:
            before = int(times[i + 1]) if i + 1 < len(times) else None
            out: torch.Tensor = session.scheduler.step(
                m, t, x, prev_timestep=before, generator=generator
            ).prev_sample
            return out

        return step


class CosineTimes(Form):
    """Würstchen: continuous t from 1 to 0, ᾱ(t) = cos²((t + s)/(1 + s) π/2)/cos²(s/(1 + s) π/2)."""

    time_tolerance = 1e-6
    time_derivation = "the time is continuous"

    @property
    def times(self) -> list[Any]:
        return list(self.s.timesteps[:-1])

    def _level(self, t: float) -> Level:
        scaler, s = self.s.config.scaler, self.s.config.s
        if scaler > 1:
            t = 1 - (1 - t) ** scaler
        elif scaler < 1:
            t = t**scaler

        def signal(u: float) -> float:
            return math.cos((u + s) / (1 + s) * math.pi / 2) ** 2

        cumprod = min(max(signal(t) / signal(0.0), 1e-4), 0.9999)
        return Level(math.sqrt(cumprod), math.sqrt(1 - cumprod))

    cleanest = 0.01  # ᾱ is clamped to 0.9999

    def own(self, i: int) -> Level:
        return self._level(float(self.times[i]))

    told = own

    @property
    def final(self) -> Level:
        return self._level(float(self.s.timesteps[-1]))

    def gap(self, told: Level, own: Level) -> float:
        return abs(told.log_snr - own.log_snr)


@register("DDPMWuerstchenScheduler")
class Wuerstchen(DDPM):
    form_class = CosineTimes
    imposable = False
    why_fixed = "its levels are those of one cosine"
    special = True

    def expected(self, settings: dict[str, Any], call: dict[str, Any]) -> dict[str, str]:
        reason = (
            "its table ends at ᾱ = 0.9999 (clamped), and the last step adds no noise: the sample "
            "is the mean at that level, 5e-5 too small and without the noise of σ = 0.01"
        )
        known = dict.fromkeys(("bookkeeping", "identity", "law"), reason)
        if settings.get("scaler", 1.0) != 1.0:
            known["counts"] = (
                "ᾱ is clamped to [1e-4, 0.9999], as written: where scaler crowds the times at one "
                "end, the first levels are equal and the step between them is the identity"
            )
        return known

    def stepper(self, session: Any, generator: torch.Generator | None) -> Stepper:
        def step(i: int, m: torch.Tensor, t: Any, x: torch.Tensor) -> torch.Tensor:
            at = t.reshape(1).expand(len(x))
            out: torch.Tensor = session.scheduler.step(m, at, x, generator=generator).prev_sample
            return out

        return step


class Pseudo(Discrete):
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
        ratio = grid.ratio
        cumprod = torch.tensor(1 / (1 + ratio**2), dtype=torch.float64)
        self.s.alphas_cumprod = cumprod[:-1].flip(0)
        self.s.final_alpha_cumprod = cumprod[-1]


@register("PNDMScheduler")
class PNDM(DiscreteEntry):
    form_class = Pseudo

    def clean(self, n: int) -> dict[str, Any]:
        return {**super().clean(n), "skip_prk_steps": True}

    def predictions(self, settings: dict[str, Any]) -> dict[str, str]:
        return {"epsilon": "eps", "v_prediction": "v"}

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        if settings.get("skip_prk_steps"):
            single = session is not None and session.n == 1  # no second evaluation in one step
            return "pndm", {"order": 1 if single else 4, "start": "plms"}
        options: dict[str, Any] = {"order": 4, "start": "prk"}
        if session is not None:
            ratios = [session.form.own(i) for i in (1, 5, 9) if i < session.calls]
            options["halfway"] = ratios
        return "pndm", options


class SineTimes(Form):
    """iPNDM: α and σ are tables of their own, σ = sin²(π u/2)."""

    cleanest = 0.0

    time_tolerance = 1e-5
    time_derivation = "the time is (2/π) atan(σ/α) in float32"

    def own(self, i: int) -> Level:
        return Level(float(self.s.alphas[i]), float(self.s.betas[i]))

    def told(self, i: int) -> Level:
        angle = float(self.times[i]) * math.pi / 2
        return Level(max(0.0, math.cos(angle)), math.sin(angle))

    @property
    def final(self) -> Level:
        return Level(float(self.s.alphas[-1]), float(self.s.betas[-1]))

    def gap(self, told: Level, own: Level) -> float:
        angle = math.atan2(told.sigma, told.alpha) - math.atan2(own.sigma, own.alpha)
        return abs(angle) * 2 / math.pi

    def impose(self, grid: Grid) -> None:
        levels = [vp(r) for r in grid.ratio]
        self.s.alphas = torch.tensor([x.alpha for x in levels], dtype=torch.float64)
        self.s.betas = torch.tensor([x.sigma for x in levels], dtype=torch.float64)
        self.s.timesteps = torch.arange(grid.n_steps, 0, -1, dtype=torch.float32)
        self.s._step_index = None


@register("IPNDMScheduler")
class IPNDM(Entry):
    form_class = SineTimes
    default_prediction = "v_prediction"

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "ipndm", {"order": 4}


@register("CogVideoXDPMScheduler")
class CogVideoXDPM(CogVideoXDDIM):
    special = True

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "sde_dpm_solver_pp", {"order": 2, "euler_at_final": True}

    def stepper(self, session: Any, generator: torch.Generator | None) -> Stepper:
        times, kept = session.form.times, None

        def step(i: int, m: torch.Tensor, t: Any, x: torch.Tensor) -> torch.Tensor:
            nonlocal kept
            before = times[i - 1] if i else None
            x, kept = session.scheduler.step(
                m, kept, t, before, x, generator=generator, return_dict=False
            )
            return x

        return step
