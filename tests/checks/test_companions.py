"""add_noise and its kin: times of a batch, what they are given, and the shape of what they give."""

from __future__ import annotations

import pytest
import torch

from dfbench.checks.companions import companions_check
from dfbench.subjects import resolve

diffusers = pytest.importorskip("diffusers")
DDIM, DDPM, Heun = (
    getattr(diffusers, f"{name}Scheduler") for name in ("DDIM", "DDPM", "HeunDiscrete")
)
Ancestral = diffusers.EulerAncestralDiscreteScheduler


class FirstTimeForAll(DDIM):
    """Takes the first row's time for the batch."""

    def add_noise(self, original_samples, noise, timesteps):
        return super().add_noise(original_samples, noise, timesteps[:1].expand(len(timesteps)))


class AlongTheWrongAxis(DDPM):
    """The time of a row multiplies the last axis, where that has one entry a row."""

    def add_noise(self, original_samples, noise, timesteps):
        alpha = self.alphas_cumprod[timesteps].double().sqrt()
        return (alpha[0] * original_samples) + ((1 - alpha**2).sqrt().mean()) * noise


class WorksInPlace(DDPM):
    def add_noise(self, original_samples, noise, timesteps):
        out = super().add_noise(original_samples, noise, timesteps)
        noise.mul_(0.5)
        return out


class SortsTheTimes(Ancestral):
    """Looks its steps up in one pass, in the order of its table."""

    def add_noise(self, original_samples, noise, timesteps):
        return super().add_noise(original_samples, noise, timesteps.sort(descending=True).values)


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (FirstTimeForAll, "a time a row"),
        (AlongTheWrongAxis, "a time a row"),
        (WorksInPlace, "add_noise"),
        (SortsTheTimes, "a time a row"),
    ],
)
def test_a_wrong_companion_is_seen(cls, words):
    finding = companions_check(resolve(cls)[0])
    assert finding.verdict == "fail", finding
    assert words in finding.where


class OwnFormula(DDIM):
    def add_noise(self, original_samples, noise, timesteps):
        bar = self.alphas_cumprod[timesteps].reshape(-1, *[1] * (original_samples.ndim - 1))
        bar = bar.to(original_samples.dtype)
        return torch.sqrt(bar) * original_samples + torch.sqrt(1 - bar) * noise


@pytest.mark.parametrize("cls", [OwnFormula, DDIM, DDPM, Heun, Ancestral])
def test_right_code_passes(cls):
    finding = companions_check(resolve(cls)[0])
    assert finding.verdict == "pass", finding
