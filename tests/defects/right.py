"""What is right: real configurations, own classes, and the right way of what went wrong elsewhere.

Nothing may be said against the samples of any of these.
"""

from __future__ import annotations

import inspect
import math
from typing import Any, ClassVar

import diffusers
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    UniPCMultistepScheduler,
)

from tests.defects.catalogue import like, right
from tests.defects.own import (
    FlowEuler,
    FlowHeun,
    FlowUp,
    HandAncestral,
    HandDDIM,
    HandDPM,
    Stepped,
    randn,
)

# Real configurations -----------------------------------------------------------------------------

SD: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "trained_betas": None,
    "clip_sample": False,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
}
FLOW = {"num_train_timesteps": 1000, "shift": 3.0}


#: Where trailing times are not T/n apart, a step of DDIM goes T // n down all the same.
STRIDES = {"bookkeeping": "previous-time-by-stride", "identity": "previous-time-by-stride"}


def real(
    name: str,
    says: str,
    kind: str,
    *,
    call: dict[str, Any] | None = None,
    known: dict[str, str] | None = None,
    **file: Any,
) -> None:
    """A `scheduler_config.json`, without what other classes put into it (`from_config`)."""
    cls = getattr(diffusers, kind)
    taken = inspect.signature(cls.__init__).parameters
    config = {k: v for k, v in file.items() if k in taken}
    right(f"real/{name}", says, cls, call=call, known=known, **config)


real("sd15", "Stable Diffusion 1.5", "PNDMScheduler", **SD)
real("sd15-ddim", "Stable Diffusion 1.5 with DDIM", "DDIMScheduler", **SD)
real("sd15-ddim-eta", "the same with η = 1", "DDIMScheduler", call={"eta": 1.0}, **SD)
real("sd21", "Stable Diffusion 2.1", "DDIMScheduler", prediction_type="v_prediction", **SD)
real("sdxl", "SDXL", "EulerDiscreteScheduler", timestep_spacing="leading", **SD)
real(
    "sdxl-lightning", "SDXL Lightning", "EulerDiscreteScheduler", timestep_spacing="trailing", **SD
)
real(
    "sdxl-turbo", "SDXL Turbo", "EulerAncestralDiscreteScheduler", timestep_spacing="trailing", **SD
)
real(
    "sd-2m-karras",
    "DPM++ 2M Karras of many galleries",
    "DPMSolverMultistepScheduler",
    use_karras_sigmas=True,
    algorithm_type="dpmsolver++",
    solver_order=2,
    **SD,
)
real(
    "sd-2m-sde-karras",
    "DPM++ 2M SDE Karras",
    "DPMSolverMultistepScheduler",
    use_karras_sigmas=True,
    algorithm_type="sde-dpmsolver++",
    **SD,
)
real("sd-unipc", "UniPC with Stable Diffusion's betas", "UniPCMultistepScheduler", **SD)
real("sd-heun", "Heun with Stable Diffusion's betas", "HeunDiscreteScheduler", **SD)
real("sd-lms", "LMS with Stable Diffusion's betas", "LMSDiscreteScheduler", **SD)
real(
    "sd-dpm2",
    "DPM2 Karras",
    "KDPM2DiscreteScheduler",
    known={"counts": "kdpm2-karras-times"},
    use_karras_sigmas=True,
    **SD,
)
real(
    "sd-zero-snr",
    "zero terminal SNR, trailing, v",
    "DDIMScheduler",
    known=STRIDES,
    rescale_betas_zero_snr=True,
    timestep_spacing="trailing",
    prediction_type="v_prediction",
    **SD,
)
real(
    "svd",
    "Stable Video Diffusion",
    "EulerDiscreteScheduler",
    prediction_type="v_prediction",
    sigma_max=700.0,
    sigma_min=0.002,
    timestep_type="continuous",
    timestep_spacing="leading",
    use_karras_sigmas=True,
    **SD,
)
real(
    "playground-25",
    "Playground 2.5",
    "EDMDPMSolverMultistepScheduler",
    sigma_min=0.002,
    sigma_max=80.0,
    sigma_data=0.5,
    rho=7.0,
    solver_order=2,
)
real("sd3", "Stable Diffusion 3", "FlowMatchEulerDiscreteScheduler", **FLOW)
real("auraflow", "AuraFlow", "FlowMatchEulerDiscreteScheduler", shift=1.73)
real(
    "flux-dev",
    "FLUX.1 dev at 1024 pixels",
    "FlowMatchEulerDiscreteScheduler",
    call={"mu": 1.15},
    base_image_seq_len=256,
    base_shift=0.5,
    max_image_seq_len=4096,
    max_shift=1.15,
    use_dynamic_shifting=True,
    **FLOW,
)
real(
    "ltx",
    "LTX-Video",
    "FlowMatchEulerDiscreteScheduler",
    known={"counts": "shift-terminal-one-step"},
    call={"mu": 2.05},
    base_shift=0.95,
    max_shift=2.05,
    shift_terminal=0.1,
    use_dynamic_shifting=True,
)
real(
    "wan",
    "Wan 2.1",
    "UniPCMultistepScheduler",
    known={"told-level": "truncated-times"},
    prediction_type="flow_prediction",
    use_flow_sigmas=True,
    flow_shift=3.0,
    solver_order=2,
)
real(
    "sana",
    "Sana",
    "DPMSolverMultistepScheduler",
    known={"told-level": "truncated-times"},
    prediction_type="flow_prediction",
    use_flow_sigmas=True,
    flow_shift=3.0,
)
real("lcm", "LCM of Dreamshaper", "LCMScheduler", original_inference_steps=50, **SD)
real(
    "cifar",
    "DDPM of CIFAR-10",
    "DDPMScheduler",
    beta_start=0.0001,
    beta_end=0.02,
    clip_sample=True,
    variance_type="fixed_large",
)
real(
    "hunyuan-dit",
    "Hunyuan-DiT",
    "DDPMScheduler",
    **{**SD, "beta_end": 0.03, "prediction_type": "v_prediction"},
)
real(
    "cogvideox",
    "CogVideoX 2B",
    "CogVideoXDDIMScheduler",
    known=STRIDES,
    **{**SD, "set_alpha_to_one": True, "steps_offset": 0},
    prediction_type="v_prediction",
    rescale_betas_zero_snr=True,
    snr_shift_scale=3.0,
    timestep_spacing="trailing",
)
real("edm", "EDM", "EDMEulerScheduler", sigma_min=0.002, sigma_max=80.0, sigma_data=0.5)

# Own classes -------------------------------------------------------------------------------------
# Their proof: with data at the point x the network is known, and the sample has to be x.

POINT = 0.5


def velocity(scheduler: Any, seen: torch.Tensor, t: Any) -> torch.Tensor:
    """(z − x)/t."""
    return (seen - POINT) / float(t)


def up(scheduler: Any, seen: torch.Tensor, t: Any) -> torch.Tensor:
    """(x − z)/(1 − t)."""
    return (POINT - seen) / (1 - float(t))


def epsilon(scheduler: Any, seen: torch.Tensor, t: Any) -> torch.Tensor:
    """(z − √ᾱ x)/√(1 − ᾱ)."""
    level = scheduler.alphas_cumprod[int(t)]
    return (seen - level.sqrt() * POINT) / (1 - level).sqrt()


def exploding(scheduler: Any, seen: torch.Tensor, t: Any) -> torch.Tensor:
    """(z − x)/σ, where √(1 + σ²) of the state is seen and the time is ¼ log σ."""
    sigma = math.exp(4 * float(t))
    return (seen * math.sqrt(1 + sigma**2) - POINT) / sigma


class FlowShifted(FlowEuler):
    """Levels shifted by 3, the time is the level."""

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        self.sigmas = 3 * self.sigmas / (1 + 2 * self.sigmas)
        self.timesteps = self.sigmas[:-1]


class FlowByTime(FlowShifted):
    """Nothing is counted: a step goes from the time given to the one below it."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        below = self.sigmas[self.sigmas < float(t) - 1e-9]
        return Stepped(sample + (float(below.max()) - float(t)) * output)


class FlowThousand(FlowEuler):
    """Times are 1000 t."""

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        self.timesteps = 1000 * self.sigmas[:-1]

    def scale_noise(self, x: torch.Tensor, t: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return super().scale_noise(x, t / 1000, noise)


class FlowTuple(FlowEuler):
    """`step` returns a tuple where it is asked to."""

    def step(
        self, output: torch.Tensor, t: Any, sample: torch.Tensor, return_dict: bool = True
    ) -> Any:
        made = super().step(output, t, sample)
        return made if return_dict else (made.prev_sample,)


class FlowAdamsBashforth(FlowEuler):
    """Second order by the slope before, first at the start."""

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        self.old: torch.Tensor | None = None

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        slope = output if self.old is None else (3 * output - self.old) / 2
        self.old = output.clone()
        return super().step(slope, t, sample)


class FlowStochastic(FlowShifted):
    """Denoise, then noise to the next level."""

    def step(
        self, output: torch.Tensor, t: Any, sample: torch.Tensor, generator: Any = None
    ) -> Stepped:
        now, then = float(self.sigmas[self.i]), float(self.sigmas[self.i + 1])
        self.i += 1
        x = sample - now * output
        return Stepped((1 - then) * x + then * randn(output, generator))


class FlowCosine(FlowEuler):
    """A grid that is fine at both ends, of a configuration that is a dict."""

    config: ClassVar[dict[str, Any]] = {"num_train_timesteps": 1, "grid": "cosine"}

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        self.sigmas = (torch.linspace(0, math.pi, n + 1, dtype=torch.float64).cos() + 1) / 2
        self.timesteps = self.sigmas[:-1]


class LevelsWithoutZero(FlowEuler):
    """The table has no last 0; the last step knows."""

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        self.sigmas = self.sigmas[:-1]

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        last = self.i == len(self.sigmas) - 1
        then = 0.0 if last else float(self.sigmas[self.i + 1])
        dt = then - float(self.sigmas[self.i])
        self.i += 1
        return Stepped(sample + dt * output)


class HandEuler(HandAncestral):
    """Euler's method on Karras' σ."""

    dfbench: ClassVar[dict[str, Any]] = {"reference": "euler"}

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        now, then = self.sigmas[self.i], self.sigmas[self.i + 1]
        self.i += 1
        return Stepped((sample + (then - now) * output).to(sample.dtype))


class HandDDPM(HandDDIM):
    """DDPM by its posterior."""

    def step(
        self, output: torch.Tensor, t: Any, sample: torch.Tensor, generator: Any = None
    ) -> Stepped:
        now, then = self.levels(t)
        alpha = now / then
        x = (sample - (1 - now).sqrt() * output) / now.sqrt()
        mean = (
            then.sqrt() * (1 - alpha) / (1 - now) * x
            + alpha.sqrt() * (1 - then) / (1 - now) * sample
        )
        deviation = ((1 - then) / (1 - now) * (1 - alpha)).sqrt()
        if deviation > 0:
            mean = mean + deviation * randn(output, generator)
        return Stepped(mean.to(sample.dtype))


class HandV(HandDDIM):
    """DDIM of a network that returns v."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor, **kw: Any) -> Stepped:
        now, _ = self.levels(t)
        return super().step(now.sqrt() * output + (1 - now).sqrt() * sample, t, sample, **kw)


class HandX(HandDDIM):
    """DDIM of a network that returns the clean sample."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor, **kw: Any) -> Stepped:
        now, _ = self.levels(t)
        return super().step((sample - now.sqrt() * output) / (1 - now).sqrt(), t, sample, **kw)


def v(scheduler: Any, seen: torch.Tensor, t: Any) -> torch.Tensor:
    """(√ᾱ z − x)/√(1 − ᾱ)."""
    level = scheduler.alphas_cumprod[int(t)]
    return (level.sqrt() * seen - POINT) / (1 - level).sqrt()


def clean(scheduler: Any, seen: torch.Tensor, t: Any) -> torch.Tensor:
    """x."""
    return torch.full_like(seen, POINT)


right("own/flow", "flow Euler, time from 1 down", FlowEuler, point=velocity)
right("own/flow-up", "flow Euler, time from 0 up", FlowUp, point=up)
right("own/flow-heun", "flow Heun", FlowHeun, point=velocity)
right("own/flow-shifted", "shifted levels", FlowShifted, point=velocity)
right("own/flow-by-time", "no counter", FlowByTime, point=velocity, like=FlowShifted)
right(
    "own/flow-thousand",
    "times of 1000 t",
    FlowThousand,
    point=lambda s, z, t: velocity(s, z, float(t) / 1000),
)
right("own/flow-tuple", "a tuple where it is asked for", FlowTuple, point=velocity, like=FlowEuler)
right("own/flow-multistep", "Adams–Bashforth", FlowAdamsBashforth, point=velocity)
right("own/flow-stochastic", "denoise and noise again", FlowStochastic, point=velocity)
right("own/flow-cosine", "a grid of one's own, config a dict", FlowCosine, point=velocity)
right(
    "own/no-zero", "a table without its last 0", LevelsWithoutZero, point=velocity, like=FlowEuler
)
right("own/ddim", "DDIM", HandDDIM, point=epsilon)
right("own/ddim-eta", "DDIM with η = 1", HandDDIM, call={"eta": 1.0}, point=epsilon)
right("own/ddim-half-eta", "DDIM with η = ½", HandDDIM, call={"eta": 0.5}, point=epsilon)
right("own/ddim-short", "DDIM on 200 training steps", HandDDIM, train=200, point=epsilon)
right("own/ddpm", "DDPM", HandDDPM, point=epsilon)
right("own/ddim-v", "DDIM with v", HandV, point=v)
right("own/ddim-x", "DDIM with x", HandX, point=clean)
right("own/2m", "DPM-Solver++(2M)", HandDPM, point=epsilon)
right("own/ancestral", "Euler ancestral, ¼ log σ", HandAncestral, point=exploding)
right("own/euler", "Euler on Karras' σ", HandEuler, point=exploding)
right("own/euler-low", "the same from σ = 10", HandEuler, high=10.0, point=exploding)

# The right way of what is wrong in the catalogue -------------------------------------------------


@like(FlowMatchEulerDiscreteScheduler)
class AboveSixteenToo(FlowMatchEulerDiscreteScheduler):
    """Another path above 16 steps, with the same result."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        if self.num_inference_steps <= 16:
            return super().step(model_output, timestep, sample, *args, **kwargs)
        whole = 0.5 * model_output + 0.5 * model_output
        return super().step(whole, timestep, sample, *args, **kwargs)


@like(FlowMatchEulerDiscreteScheduler)
class VideoInFrames(FlowMatchEulerDiscreteScheduler):
    """Video is stepped frame by frame and put together."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        if sample.ndim != 5:
            return super().step(model_output, timestep, sample, *args, **kwargs)
        frames = zip(model_output.unbind(2), sample.unbind(2), strict=True)
        made = []
        for output, frame in frames:
            found = super().step(output, timestep, frame, *args, **kwargs)
            made.append(found.prev_sample if hasattr(found, "prev_sample") else found[0])
            self._step_index -= 1
        self._step_index += 1
        whole = torch.stack(made, 2)
        if hasattr(found, "prev_sample"):
            found.prev_sample = whole
            return found
        return (whole,)


@like(DDIMScheduler, clip_sample=False)
class RowByRow(DDIMScheduler):
    """Rows are stepped one by one."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        made = [
            super(RowByRow, self).step(m[None], timestep, z[None], *args, **kwargs)
            for m, z in zip(model_output, sample, strict=True)
        ]
        if not kwargs.get("return_dict", True):
            return tuple(map(torch.cat, zip(*made, strict=True)))
        made[0].prev_sample = torch.cat([m.prev_sample for m in made])
        made[0].pred_original_sample = torch.cat([m.pred_original_sample for m in made])
        return made[0]


@like(EulerDiscreteScheduler)
class LevelsOnce(EulerDiscreteScheduler):
    """Grids are kept by their number of steps and given out as copies."""

    def set_timesteps(self, num_inference_steps=None, device=None, **kwargs):  # type: ignore[no-untyped-def]
        self.grids = getattr(self, "grids", {})
        super().set_timesteps(num_inference_steps, device, **kwargs)
        if not kwargs and num_inference_steps is not None:
            kept = self.grids.setdefault(num_inference_steps, (self.sigmas, self.timesteps))
            self.sigmas, self.timesteps = kept[0].clone(), kept[1].clone()


@like(HeunDiscreteScheduler)
class CopiesWhatItKeeps(HeunDiscreteScheduler):
    """Everything that comes in is copied."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        return super().step(model_output.clone(), timestep, sample.clone(), *args, **kwargs)


@like(DPMSolverMultistepScheduler)
class HistoryForgottenAtTheEnd(DPMSolverMultistepScheduler):
    """The history is dropped after the last step, and at the start of a run as well."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        made = super().step(model_output, timestep, sample, *args, **kwargs)
        if self.step_index == len(self.timesteps):
            self.model_outputs = [None] * self.config.solver_order
            self.lower_order_nums = 0
        return made


@like(UniPCMultistepScheduler)
class CopiesItsMemory(UniPCMultistepScheduler):
    """What is remembered is copied after every step."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        made = super().step(model_output, timestep, sample, *args, **kwargs)
        self.model_outputs = [m if m is None else m.clone() for m in self.model_outputs]
        self.last_sample = self.last_sample.clone()
        return made


@like(EulerAncestralDiscreteScheduler)
class NoiseByTorch(EulerAncestralDiscreteScheduler):
    """Noise is drawn by torch.randn, from the generator given."""

    def step(self, model_output, timestep, sample, generator=None, return_dict=True):  # type: ignore[no-untyped-def]
        if self.step_index is None:
            self._init_step_index(timestep)
        now, then = self.sigmas[self.step_index], self.sigmas[self.step_index + 1]
        wide = sample.to(torch.float32)
        x = wide - now * model_output
        if self.config.prediction_type == "v_prediction":
            x = model_output * (-now / (now**2 + 1) ** 0.5) + wide / (now**2 + 1)
        rise = (then**2 * (now**2 - then**2) / now**2) ** 0.5
        down = (then**2 - rise**2) ** 0.5
        new = wide + (wide - x) / now * (down - now) + randn(model_output, generator) * rise
        self._step_index += 1
        new = new.to(model_output.dtype)
        if not return_dict:
            return new, x
        kind = diffusers.schedulers.scheduling_euler_ancestral_discrete
        return kind.EulerAncestralDiscreteSchedulerOutput(prev_sample=new, pred_original_sample=x)


@like(DDIMScheduler, clip_sample=False)
class NoiseAsAnArgument(DDIMScheduler):
    """The noise is drawn outside and handed over."""

    def step(
        self,
        model_output,
        timestep,
        sample,
        eta=0.0,
        use_clipped_model_output=False,  # type: ignore[no-untyped-def]
        generator=None,
        variance_noise=None,
        return_dict=True,
    ):
        if eta and variance_noise is None:
            variance_noise = randn(model_output, generator)
        return super().step(
            model_output,
            timestep,
            sample,
            eta,
            use_clipped_model_output,
            None,
            variance_noise,
            return_dict,
        )


@like(DDPMScheduler, clip_sample=False)
class TimesAsInts(DDPMScheduler):
    """Times are turned into Python ints first."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        return super().step(model_output, int(timestep), sample, *args, **kwargs)


@like(FlowMatchEulerDiscreteScheduler)
class IndexByTheTime(FlowMatchEulerDiscreteScheduler):
    """The step is looked up anew each time, unless a begin index was set."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        if self._begin_index is None:
            self._step_index = int((self.timesteps - float(timestep)).abs().argmin())
        return super().step(model_output, timestep, sample, *args, **kwargs)


@like(DDIMScheduler, clip_sample=False)
class KeywordsOnly(DDIMScheduler):
    """Options are passed through keywords only."""

    def step(self, model_output, timestep, sample, **kwargs):  # type: ignore[no-untyped-def]
        return super().step(model_output=model_output, timestep=timestep, sample=sample, **kwargs)


@like(DDPMScheduler, clip_sample=False)
class NoiseOfTheWholeBatch(DDPMScheduler):
    """add_noise is computed from (B,) weights by einsum."""

    def add_noise(self, original_samples, noise, timesteps):  # type: ignore[no-untyped-def]
        level = self.alphas_cumprod.to(original_samples.dtype)[timesteps]
        x = torch.einsum("b...,b->b...", original_samples, level.sqrt())
        return x + torch.einsum("b...,b->b...", noise, (1 - level).sqrt())


@like(DDIMScheduler, clip_sample=False)
class ProductsInDouble(DDIMScheduler):
    """ᾱ is turned into float64 in the constructor."""

    def set_timesteps(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        super().set_timesteps(*args, **kwargs)
        self.alphas_cumprod = self.alphas_cumprod.double()


@like(DDIMScheduler, clip_sample=False)
class Renamed(DDIMScheduler):
    """Nothing is changed."""
