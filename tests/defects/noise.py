"""Fresh noise that is not fresh, not unit, not independent, or not the caller's."""

from __future__ import annotations

import math
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSinglestepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    KDPM2AncestralDiscreteScheduler,
    LCMScheduler,
    TCDScheduler,
)
from diffusers.utils.torch_utils import randn_tensor

from tests.defects.catalogue import typo, wrong
from tests.defects.own import HandAncestral, HandDDIM, Stepped
from tests.defects.plain import Run

ETA = {"eta": 1.0}

_DDPM = """variance_noise = randn_tensor(
    model_output.shape, generator=generator, device=device, dtype=model_output.dtype,
)"""
_ANCESTRAL = (
    "noise = randn_tensor(model_output.shape, dtype=model_output.dtype, device=device, "
    "generator=generator)"
)


def _drawn(shape: str, rest: str = "") -> str:
    return f"noise = randn_tensor({shape}, dtype=model_output.dtype, generator=generator){rest}"


typo(
    "OneForAllChannels",
    "One draw serves all channels.",
    EulerAncestralDiscreteScheduler,
    "step",
    _ANCESTRAL,
    _drawn("model_output[:, :1].shape", ".expand(model_output.shape)"),
)

typo(
    "OneForAllRows",
    "One draw serves all rows of the batch.",
    EulerAncestralDiscreteScheduler,
    "step",
    _ANCESTRAL,
    _drawn("model_output[:1].shape", ".expand(model_output.shape)"),
)

typo(
    "OneForAllFrames",
    "One draw serves all frames of a video.",
    EulerAncestralDiscreteScheduler,
    "step",
    _ANCESTRAL,
    _ANCESTRAL + "\n    if noise.ndim == 5:\n        noise = noise[:, :, :1].expand(noise.shape)",
    when=Run(shape=(2, 3, 4, 4, 4)),
    hidden=True,
)

typo(
    "UniformInstead",
    "rand instead of randn: uniform in [0, 1), with a mean.",
    EulerAncestralDiscreteScheduler,
    "step",
    _ANCESTRAL,
    "noise = torch.rand(model_output.shape, dtype=model_output.dtype, generator=generator)",
)

typo(
    "UniformOfUnitVariance",
    "Uniform noise of mean 0 and variance 1: right in its first two moments only.",
    DDPMScheduler,
    "step",
    _DDPM,
    "variance_noise = (torch.rand(model_output.shape, dtype=model_output.dtype, "
    "generator=generator) - 0.5) * 12**0.5",
    clip_sample=False,
)

typo(
    "GlobalInstead",
    "The caller's generator is ignored: a seed does not repeat the images.",
    EulerAncestralDiscreteScheduler,
    "step",
    ", generator=generator)",
    ")",
)

typo(
    "VarianceForDeviation",
    "The noise is multiplied by its variance, not by the deviation.",
    DDPMScheduler,
    "step",
    "variance = (self._get_variance(t, predicted_variance=predicted_variance) ** 0.5)",
    "variance = (self._get_variance(t, predicted_variance=predicted_variance))",
    clip_sample=False,
)

typo(
    "BetaForPosterior",
    "The variance of the small kind is β, that of the large.",
    DDPMScheduler,
    "_get_variance",
    "variance = variance",
    "variance = current_beta_t",
    clip_sample=False,
)

typo(
    "DrawnInHalf",
    "Noise is drawn in float16 and cast: 2048 values for each power of two.",
    DPMSolverMultistepScheduler,
    "step",
    "dtype=torch.float32, )",
    "dtype=torch.float16).float()",
    algorithm_type="sde-dpmsolver++",
)


@wrong()
class SeededEachStep(EulerAncestralDiscreteScheduler):
    """The generator is put back to its seed at every step: all draws of a run are one."""

    def step(self, *args: Any, generator: Any = None, **kwargs: Any) -> Any:
        if isinstance(generator, torch.Generator):
            generator.manual_seed(generator.initial_seed())
        return super().step(*args, generator=generator, **kwargs)


@wrong(when=Run(generator="none"), hidden=True)
class SeededWithoutGenerator(EulerAncestralDiscreteScheduler):
    """Without a generator the same noise is used in every step."""

    def step(self, *args: Any, generator: Any = None, **kwargs: Any) -> Any:
        generator = generator or torch.Generator().manual_seed(0)
        return super().step(*args, generator=generator, **kwargs)


@wrong(when=Run(generator="rows"), hidden=True)
class GeneratorsBackwards(EulerAncestralDiscreteScheduler):
    """A list of generators is taken from its end: rows have each other's noise."""

    def step(self, *args: Any, generator: Any = None, **kwargs: Any) -> Any:
        if isinstance(generator, list):
            generator = generator[::-1]
        return super().step(*args, generator=generator, **kwargs)


@wrong(when=Run(generator="rows"), hidden=True)
class FirstGeneratorOnly(DDPMScheduler):
    """Of a list of generators the first serves all rows."""

    def step(self, *args: Any, generator: Any = None, **kwargs: Any) -> Any:
        if isinstance(generator, list):
            generator = generator[0]
        return super().step(*args, generator=generator, **kwargs)


@wrong(when=Run(before="same"), hidden=True)
class KeptForTheNextRun(HandAncestral):
    """Noise is drawn once for each step and kept for later runs of the object."""

    def step(
        self, output: torch.Tensor, t: Any, sample: torch.Tensor, generator: Any = None
    ) -> Stepped:
        self.kept = getattr(self, "kept", {})
        i = self.i
        if i not in self.kept:
            self.kept[i] = torch.randn(output.shape, generator=generator, dtype=output.dtype)
        now, then = self.sigmas[i], self.sigmas[i + 1]
        up = (then**2 * (now**2 - then**2) / now**2).sqrt()
        self.i += 1
        down = (then**2 - up**2).sqrt()
        return Stepped(sample + (down - now) * output + up * self.kept[i])


@wrong(when=Run(call=ETA))
class NoiseTooSmall(HandDDIM):
    """The deviation of the fresh noise lacks the root of its second factor."""

    def step(
        self,
        output: torch.Tensor,
        t: Any,
        sample: torch.Tensor,
        eta: float = 0.0,
        generator: Any = None,
    ) -> Stepped:
        now, then = self.levels(t)
        x = (sample - (1 - now).sqrt() * output) / now.sqrt()
        fresh = eta * ((1 - then) / (1 - now)).sqrt() * (1 - now / then)
        new = then.sqrt() * x + (1 - then - fresh**2).sqrt() * output
        if eta > 0:
            new = new + fresh * torch.randn(output.shape, generator=generator, dtype=output.dtype)
        return Stepped(new)


typo(
    "DirectionKeepsAll",
    "DDIM with η adds noise without taking it from the direction.",
    DDIMScheduler,
    "step",
    "(1 - alpha_prod_t_prev - std_dev_t**2) ** (0.5)",
    "(1 - alpha_prod_t_prev) ** (0.5)",
    when=Run(call=ETA),
    clip_sample=False,
)

typo(
    "UpForDown",
    "σ_down is computed from σ_up without squares.",
    EulerAncestralDiscreteScheduler,
    "step",
    "(sigma_to**2 - sigma_up**2) ** 0.5",
    "(sigma_to - sigma_up).abs()",
)

typo(
    "ChurnWithoutRoot",
    "Churn adds σ̂ − σ, not the root of the difference of the squares.",
    EulerDiscreteScheduler,
    "step",
    "(sigma_hat**2 - sigma**2) ** 0.5",
    "(sigma_hat - sigma)",
    when=Run(call={"s_churn": 5.0}),
)

typo(
    "NoiseOfTheStart",
    "SDE steps scale the noise by the level they start from.",
    DPMSolverMultistepScheduler,
    "multistep_dpm_solver_second_order_update",
    "+ sigma_t * torch.sqrt(1.0 - torch.exp(-2 * h)) * noise",
    "+ sigma_s0 * torch.sqrt(1.0 - torch.exp(-2 * h)) * noise",
    algorithm_type="sde-dpmsolver++",
)

typo(
    "HalfTheExponent",
    "SDE steps of second order use e^−h where e^−2h belongs, in the noise alone.",
    DPMSolverMultistepScheduler,
    "multistep_dpm_solver_second_order_update",
    "torch.sqrt(1.0 - torch.exp(-2 * h)) * noise",
    "torch.sqrt(1.0 - torch.exp(-1 * h)) * noise",
    algorithm_type="sde-dpmsolver++",
)

typo(
    "LcmNoiseOfThisLevel",
    "LCM noises to the level it is at, not to the next.",
    LCMScheduler,
    "step",
    "denoised + beta_prod_t_prev.sqrt() * noise",
    "denoised + beta_prod_t.sqrt() * noise",
)

typo(
    "TcdNoiseVariance",
    "TCD's fresh noise lacks its root.",
    TCDScheduler,
    "step",
    "1 - alpha_prod_t_prev / alpha_prod_s ).sqrt() * noise",
    "1 - alpha_prod_t_prev / alpha_prod_s) * noise",
)

typo(
    "SinglestepNoiseReused",
    "Both halves of a single step use the noise of the first.",
    DPMSolverSinglestepScheduler,
    "step",
    "order = self.order_list[self.step_index]",
    "order = self.order_list[self.step_index]\n"
    "    self.kept = noise if order == 1 or noise is None else self.kept\n"
    "    noise = self.kept\n",
    algorithm_type="sde-dpmsolver++",
)


@wrong()
class DrawnFromTheSample(HandAncestral):
    """Noise is seeded by the sample: the same state gets the same noise in every row."""

    def step(
        self, output: torch.Tensor, t: Any, sample: torch.Tensor, generator: Any = None
    ) -> Stepped:
        seed = int(abs(float(sample.sum())) * 1e6) % 2**31
        return super().step(output, t, sample, torch.Generator().manual_seed(seed))


@wrong()
class TwiceAsMuch(KDPM2AncestralDiscreteScheduler):
    """Both halves of a step add the noise, each with a weight of its own."""

    def step(self, *args: Any, generator: Any = None, **kwargs: Any) -> Any:
        made = super().step(*args, generator=generator, **kwargs)
        if not self.state_in_first_order:
            extra = randn_tensor(made.prev_sample.shape, generator=generator)
            made.prev_sample = made.prev_sample + 0.05 * extra.to(made.prev_sample.dtype)
        return made


@wrong(when=Run(call=ETA), clip_sample=False)
class Truncated(DDIMScheduler):
    """Noise beyond two deviations is clipped."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        drawn = randn_tensor(
            sample.shape, generator=kwargs.pop("generator", None), dtype=sample.dtype
        )
        kwargs["variance_noise"] = drawn.clamp(-2, 2)
        return super().step(model_output, timestep, sample, *args, **kwargs)


@wrong()
class Correlated(HandAncestral):
    """Neighbouring columns share a tenth of their noise, with unit variance all the same."""

    def step(
        self, output: torch.Tensor, t: Any, sample: torch.Tensor, generator: Any = None
    ) -> Stepped:
        now, then = self.sigmas[self.i], self.sigmas[self.i + 1]
        made = super().step(output, t, sample, generator)
        up = (then**2 * (now**2 - then**2) / now**2).sqrt()
        mean = sample + ((then**2 - up**2).sqrt() - now) * output
        if up > 0:
            xi = (made.prev_sample - mean) / up
            xi = (xi + 0.1 * xi.roll(1, -1)) / math.sqrt(1.01)
            made.prev_sample = mean + up * xi
        return made
