"""Schedulers as people write them: plain classes with `set_timesteps` and `step`, no library."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch


@dataclass
class Stepped:
    """What a step returns."""

    prev_sample: torch.Tensor


def randn(like: torch.Tensor, generator: Any) -> torch.Tensor:
    """Unit noise; a list of generators has one for each row."""
    if isinstance(generator, list):
        rows = [torch.randn(like.shape[1:], generator=g, dtype=like.dtype) for g in generator]
        return torch.stack(rows)
    return torch.randn(like.shape, generator=generator, dtype=like.dtype)


class FlowEuler:
    """Flow matching by Euler's method: z = (1 − t) x + t ε, the network returns ε − x, t from 1."""

    def set_timesteps(self, n: int) -> None:
        self.sigmas = torch.linspace(1, 0, n + 1, dtype=torch.float64)
        self.timesteps = self.sigmas[:-1]
        self.i = 0

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        dt = self.sigmas[self.i + 1] - self.sigmas[self.i]
        self.i += 1
        return Stepped(sample + float(dt) * output)

    def scale_noise(self, x: torch.Tensor, t: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        t = t.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))
        return (1 - t) * x + t * noise


class FlowUp(FlowEuler):
    """The same with the time from 0 at noise to 1 at data, and the velocity x − ε."""

    def set_timesteps(self, n: int) -> None:
        self.timesteps = torch.arange(n, dtype=torch.float64) / n
        self.n = n

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        return Stepped(sample + output / self.n)

    def scale_noise(self, x: torch.Tensor, t: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return super().scale_noise(x, 1 - t, noise)


class FlowHeun(FlowEuler):
    """Flow matching by Heun's method, two evaluations a step, one in the last."""

    dfbench: ClassVar[dict[str, Any]] = {
        "reference": "flow_matching",
        "options": {"solver": "heun"},
    }

    def set_timesteps(self, n: int) -> None:
        levels = torch.linspace(1, 0, n + 1, dtype=torch.float64)
        inner = levels[1:-1].repeat_interleave(2)
        self.sigmas = torch.cat([levels[:1], inner, levels[-1:]])
        self.timesteps = self.sigmas[:-1]
        self.i, self.first = 0, None

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        if self.first is None:
            dt = float(self.sigmas[self.i + 1] - self.sigmas[self.i])
            self.first = (sample, output, dt)
            if self.i == len(self.timesteps) - 1:
                self.first = None
            new = sample + dt * output
        else:
            start, slope, dt = self.first
            self.first = None
            new = start + dt * (slope + output) / 2
        self.i += 1
        return Stepped(new)


class HandDDIM:
    """DDIM by its paper on a cosine schedule in float64; ε; η."""

    def __init__(self, train: int = 1000) -> None:
        t = (torch.arange(train, dtype=torch.float64) + 1) / train
        angle = (t + 0.008) / 1.008 * math.pi / 2
        self.alphas_cumprod = (angle.cos() ** 2).clamp(min=1e-5)
        self.train = train

    def set_timesteps(self, n: int) -> None:
        self.timesteps = torch.linspace(self.train - 1, 0, n + 1)[:-1].round().long()
        if n == self.train:
            self.timesteps = torch.arange(n - 1, -1, -1)

    def levels(self, t: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """ᾱ at a time and at the next."""
        where = int((self.timesteps == int(t)).nonzero()[0])
        one = torch.ones((), dtype=torch.float64)
        last = where == len(self.timesteps) - 1
        return self.alphas_cumprod[int(t)], (
            one if last else self.alphas_cumprod[self.timesteps[where + 1]]
        )

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
        fresh = eta * ((1 - then) / (1 - now) * (1 - now / then)).sqrt()
        new = then.sqrt() * x + (1 - then - fresh**2).sqrt() * output
        if eta > 0:
            new = new + fresh * randn(output, generator)
        return Stepped(new.to(sample.dtype))

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        level = self.alphas_cumprod[t.long()].reshape(-1, *[1] * (x.ndim - 1))
        return (level.sqrt() * x + (1 - level).sqrt() * noise).to(x.dtype)


class HandDPM(HandDDIM):
    """DPM-Solver++(2M) by its paper, first order at both ends."""

    dfbench: ClassVar[dict[str, Any]] = {"reference": "dpm_solver_pp_multistep"}

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        self.i, self.old, self.old_lambda = 0, None, None

    def step(
        self, output: torch.Tensor, t: Any, sample: torch.Tensor, return_dict: bool = True
    ) -> Any:
        now, then = self.levels(t)
        x = (sample - (1 - now).sqrt() * output) / now.sqrt()
        lam = (now / (1 - now)).log() / 2
        if then == 1:
            new = x
        else:
            h = (then / (1 - then)).log() / 2 - lam
            mixed = x
            if self.old is not None:
                r = (lam - self.old_lambda) / h
                mixed = x + (x - self.old) / (2 * r)
            new = ((1 - then) / (1 - now)).sqrt() * sample - then.sqrt() * torch.expm1(-h) * mixed
        self.old, self.old_lambda = x, lam
        self.i += 1
        new = new.to(sample.dtype)
        return Stepped(new) if return_dict else (new,)


class HandAncestral:
    """Euler ancestral on Karras' σ: state x + σ ε, the network sees z/√(1 + σ²) and ¼ log σ."""

    dfbench: ClassVar[dict[str, Any]] = {"reference": "euler_ancestral"}

    order = 1

    def __init__(self, low: float = 0.02, high: float = 80.0) -> None:
        self.low, self.high = low, high

    @property
    def init_noise_sigma(self) -> float:
        return float((self.sigmas[0] ** 2 + 1).sqrt())

    def set_timesteps(self, n: int) -> None:
        u = torch.linspace(0, 1, n, dtype=torch.float64)
        low, high = self.low ** (1 / 7), self.high ** (1 / 7)
        self.sigmas = torch.cat([(high + u * (low - high)) ** 7, u.new_zeros(1)])
        self.timesteps = self.sigmas[:-1].log() / 4
        self.i = 0

    def scale_model_input(self, sample: torch.Tensor, t: Any) -> torch.Tensor:
        return sample / (self.sigmas[self.i] ** 2 + 1).sqrt()

    def step(
        self, output: torch.Tensor, t: Any, sample: torch.Tensor, generator: Any = None
    ) -> Stepped:
        now, then = self.sigmas[self.i], self.sigmas[self.i + 1]
        up = (then**2 * (now**2 - then**2) / now**2).sqrt()
        down = (then**2 - up**2).sqrt()
        self.i += 1
        new = sample + (down - now) * output
        if up > 0:
            new = new + up * randn(output, generator)
        return Stepped(new.to(sample.dtype))

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return x + (4 * t).exp().reshape(-1, *[1] * (x.ndim - 1)).to(x.dtype) * noise
