"""`add_noise`, `scale_noise`, `get_velocity`: what training, image-to-image and inpainting call."""

from __future__ import annotations

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.own import FlowEuler, HandAncestral, HandDDIM
from tests.defects.plain import Noised

TRAINING = Noised(steps=None, at=(7, 500))
VELOCITY = Noised("get_velocity", steps=None, at=(7, 500))
SCALED = Noised("scale_noise")

typo(
    "FirstTimeForAll",
    "Of the times of a batch the first serves all rows.",
    DDPMScheduler,
    "add_noise",
    "timesteps = timesteps.to(original_samples.device)",
    "timesteps = timesteps[:1].expand(len(timesteps))",
    when=TRAINING,
    hidden=True,
)

typo(
    "VarianceForDeviationInTraining",
    "The noise is weighed by 1 − ᾱ, without the root.",
    DDIMScheduler,
    "add_noise",
    "(1 - alphas_cumprod[timesteps]) ** 0.5",
    "(1 - alphas_cumprod[timesteps])",
    when=TRAINING,
    hidden=True,
)

typo(
    "AlphasForTheirProduct",
    "α_t for ᾱ_t.",
    DDPMScheduler,
    "add_noise",
    "alphas_cumprod = self.alphas_cumprod.to(dtype=original_samples.dtype)",
    "alphas_cumprod = self.alphas.to(dtype=original_samples.dtype)",
    when=TRAINING,
    hidden=True,
)

typo(
    "NextTime",
    "Training noises to t + 1.",
    DDIMScheduler,
    "add_noise",
    "timesteps = timesteps.to(original_samples.device)",
    "timesteps = (timesteps + 1).clamp(max=999)",
    when=TRAINING,
    hidden=True,
)


@wrong(when=Noised(steps=None, at=(7, 500), dtype=torch.float16), hidden=True)
class TrainingInHalf(DDPMScheduler):
    """In half precision ᾱ is cast before it is taken from 1, and at early times rounded down."""

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        made = super().add_noise(x, noise, t)
        return made if x.dtype != torch.float16 else (made * 16).round() / 16


@wrong(when=Noised(steps=None, at=(7, 500), time=torch.int32), hidden=True)
class IntTimesWrap(DDPMScheduler):
    """Times of 32 bits are taken for bytes."""

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        if t.dtype == torch.int32:
            t = t.to(torch.uint8).long()
        return super().add_noise(x, noise, t.long())


@wrong(when=Noised(shape=(2, 3, 2, 4, 4)), hidden=True)
class VideosNoisedLess(DDIMScheduler):
    """Videos get 2 % less noise."""

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return super().add_noise(x, 0.98 * noise if noise.ndim == 5 else noise, t)


@wrong(when=Noised(steps=None, at=(995, 999)), hidden=True)
class LastTimesClamped(DDPMScheduler):
    """In training the times beyond 990 get the noise of 990."""

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return super().add_noise(x, noise, t.clamp(max=990))


@wrong(when=Noised(at=(3, 6)), hidden=True)
class NoisedByTheCounter(HandAncestral):
    """Own: noise of the level at which the counter is, not of the time given."""

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return x + self.sigmas[self.i].to(x.dtype) * noise


@wrong(when=Noised(begin=5), hidden=True)
class BeginIndexForgotten(EulerDiscreteScheduler):
    """With a begin index the start is noised to the first level."""

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        kept, self._begin_index = self._begin_index, 0 if self._begin_index else None
        try:
            return super().add_noise(x, noise, t)
        finally:
            self._begin_index = kept


@wrong(when=Noised(begin=2, done=3), hidden=True)
class InpaintingOneBehind(DPMSolverMultistepScheduler):
    """In the middle of a run what is kept is noised to the level before."""

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        if not self._step_index:
            return super().add_noise(x, noise, t)
        self._step_index -= 1
        try:
            return super().add_noise(x, noise, t)
        finally:
            self._step_index += 1


typo(
    "ScaledTheOtherWay",
    "σ x + (1 − σ) ε.",
    FlowMatchEulerDiscreteScheduler,
    "scale_noise",
    "sample = sigma * noise + (1.0 - sigma) * sample",
    "sample = sigma * sample + (1.0 - sigma) * noise",
    when=SCALED,
    hidden=True,
)

typo(
    "ScaledWithoutTheData",
    "x is not multiplied by 1 − σ.",
    FlowMatchEulerDiscreteScheduler,
    "scale_noise",
    "sample = sigma * noise + (1.0 - sigma) * sample",
    "sample = sigma * noise + sample",
    when=SCALED,
    hidden=True,
)


@wrong(when=SCALED, hidden=True)
class OwnScaleAlongRows(FlowEuler):
    """Own: the first time serves all rows."""

    def scale_noise(self, x: torch.Tensor, t: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return super().scale_noise(x, t[:1], noise)


typo(
    "VelocitySign",
    "v = σ x − α ε.",
    DDPMScheduler,
    "get_velocity",
    "sqrt_alpha_prod * noise - sqrt_one_minus_alpha_prod * sample",
    "sqrt_one_minus_alpha_prod * sample - sqrt_alpha_prod * noise",
    when=VELOCITY,
    hidden=True,
)

typo(
    "VelocityPlus",
    "v = α ε + σ x.",
    DDIMScheduler,
    "get_velocity",
    "sqrt_alpha_prod * noise - sqrt_one_minus_alpha_prod * sample",
    "sqrt_alpha_prod * noise + sqrt_one_minus_alpha_prod * sample",
    when=VELOCITY,
    hidden=True,
)


@wrong(when=TRAINING, hidden=True)
class NoiseInPlace(DDPMScheduler):
    """The noise is multiplied in place: the target of the loss changes with it."""

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        made = super().add_noise(x, noise, t)
        noise.copy_(made)
        return made


@wrong(when=TRAINING, hidden=True)
class OwnTrainingOffByOne(HandDDIM):
    """Own: training levels are those of t − 1."""

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return super().add_noise(x, noise, (t - 1).clamp(min=0))


typo(
    "NoiseUnscaled",
    "A variance-preserving scheduler noises as an exploding one.",
    UniPCMultistepScheduler,
    "add_noise",
    "noisy_samples = alpha_t * original_samples + sigma_t * noise",
    "noisy_samples = original_samples + sigma_t / alpha_t * noise",
    when=Noised(),
    hidden=True,
)


@wrong(when=Noised(at=(4, 4)), hidden=True)
class RoundedToTraining(EulerAncestralDiscreteScheduler):
    """Times of a run are rounded to training steps of the constructor's table, upside down."""

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        table = ((1 - self.alphas_cumprod) / self.alphas_cumprod) ** 0.5
        sigma = table[999 - t.round().long()].to(x.dtype)
        return x + noise * sigma.reshape(-1, *[1] * (x.ndim - 1))


@wrong(when=Noised(at=(5, 7)), hidden=True)
class HeunNoisedToTheNext(HeunDiscreteScheduler):
    """Of a time that comes twice the level after it is taken."""

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        kept = self.sigmas
        self.sigmas = torch.cat([kept[1:], kept[-1:]])
        try:
            return super().add_noise(x, noise, t)
        finally:
            self.sigmas = kept


@wrong(when=Noised(steps=4, at=(0, 2)), hidden=True)
class LcmOfTheOriginalGrid(LCMScheduler):
    """After `set_timesteps` the level is that of the nearest of the 50 original steps."""

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        if self.num_inference_steps:
            t = (t // 30) * 30
        return super().add_noise(x, noise, t)


@wrong(when=Noised(steps=None, at=(7, 500), shape=(2, 6)), hidden=True)
class FourAxesAlways(DDPMScheduler):
    """Weights are shaped (B, 1, 1, 1), also for vectors."""

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        if x.ndim == 4:
            return super().add_noise(x, noise, t)
        level = self.alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x.dtype)
        return level.sqrt() * x + (1 - level).sqrt() * noise
