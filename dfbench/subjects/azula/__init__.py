"""azula: samplers of a denoiser and a schedule, from time 1 (noise) to 0."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import torch

from dfbench.subjects.loops import Loop, Loops

#: name → class, and what is declared of it: the method of its source.
_SAMPLERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddpm": ("DDPMSampler", {"reference": "ddim", "options": {"eta": 1.0}}),
    "ddim": ("DDIMSampler", {"reference": "ddim"}),
    "euler": ("EulerSampler", {"reference": "ddim"}),
    "heun": ("HeunSampler", {"reference": "heun"}),
    "ito": ("ItoSampler", {"order": 1, "stochastic": True}),
    "zab": ("zABSampler", {"order": 2}),
    "vab": ("vABSampler", {"order": 2}),
    "zeab": ("zEABSampler", {"order": 2}),
    "xeab": ("xEABSampler", {"order": 2}),
    "reab": ("REABSampler", {"order": 2}),
}
_LEVELS = {"kind": "schedule"}
#: schedule → class.
_OF = {
    "vp": "VPSchedule",
    "ve": "VESchedule",
    "cosine": "CosineSchedule",
    "rectified": "RectifiedSchedule",
    "decay": "DecaySchedule",
}
#: denoiser → class, and what its backbone returns; it is told log σ/α.
_LOSSES: dict[str, tuple[str, dict[str, Any]]] = {
    "simple": ("SimpleDenoiser", {"predicts": "x"}),
    "karras": ("KarrasDenoiser", {"predicts": "-v"}),
}
_PC = "its corrector divides by the norm of the network's output: it is not affine"


class Azula(Loops):
    name = "azula"
    word = "sampler"
    module = "azula.sample"

    def loops(self) -> dict[str, Loop]:
        return (
            {
                name: Loop(
                    partial(_made, cls), {"predicts": "x", "level": level, "lands": 0.0} | claims
                )
                for name, (cls, claims) in _SAMPLERS.items()
            }
            | {f"schedule_{n}": Loop(partial(_schedule, cls), _LEVELS) for n, cls in _OF.items()}
            | {
                f"loss_{n}": Loop(partial(_loss, cls), _LOSS | of)
                for n, (cls, of) in _LOSSES.items()
            }
            | {"pc": Loop(partial(_made, "PCSampler"), {})}
        )

    def excluded(self) -> dict[str, str]:
        return {"pc": _PC}


def level(t: float) -> tuple[float, float]:
    """(α, σ) of its variance-preserving schedule, as released."""
    from azula.noise import VPSchedule

    alpha, sigma = VPSchedule()(torch.tensor(t, dtype=torch.float64))
    return float(alpha), float(sigma)


def of_unit_size(t: float) -> tuple[float, float]:
    """(α, σ) of its variance-preserving schedule, of a state that is scaled to unit variance."""
    alpha, sigma = level(t)
    size = math.hypot(alpha, sigma)
    return alpha / size, sigma / size


def _time(log_ratio: torch.Tensor) -> torch.Tensor:
    """The time of log σ/α: α² + σ² = 1 + σ_min², and log α = t² log α_min, with both 1e-3."""
    log_alpha = 0.5 * (math.log1p(1e-6) - torch.log1p(torch.exp(2 * log_ratio)))
    return torch.sqrt(torch.clamp(log_alpha / math.log(1e-3), min=0))


_LOSS: dict[str, Any] = {"kind": "loss", "level": of_unit_size}


def _loss(cls: str, module: ModuleType) -> Callable[..., torch.Tensor]:
    def loss(model: Callable[..., torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        from azula import denoise
        from azula.noise import VPSchedule

        class Backbone(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.weight = torch.nn.Parameter(torch.zeros(1, dtype=x.dtype))

            def forward(self, z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
                return model(z, _time(t.double()))

        made = getattr(denoise, cls)(Backbone(), VPSchedule())
        out: torch.Tensor = made.loss(x, torch.rand(len(x), dtype=x.dtype))
        return out

    return loss


def _schedule(cls: str, module: ModuleType) -> Any:
    from azula import noise

    return getattr(noise, cls)()


def _made(cls: str, module: ModuleType) -> Callable[..., Any]:
    """A sampler as a function of a network and times, which azula spaces evenly by itself."""

    def sample(
        model: Callable[..., torch.Tensor], x: torch.Tensor, times: torch.Tensor, **options: Any
    ) -> torch.Tensor:
        from azula.denoise import Denoiser, DiracPosterior
        from azula.noise import Schedule, VPSchedule

        def time(t: torch.Tensor) -> torch.Tensor:
            """Of the position in the run, 1 to 0: between the given times in proportion."""
            at = (1 - t) * (len(times) - 1)
            if torch.all(at == at.round()):
                return times.to(at)[at.long()]
            below = at.floor().clamp(0, len(times) - 2).long()
            part = at - below
            given = times.to(at)
            return given[below] * (1 - part) + given[below + 1] * part

        class Through(Schedule):  # type: ignore[misc]
            def __call__(self, t: torch.Tensor) -> Any:
                return VPSchedule()(time(t))

        class Network(Denoiser):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.schedule = Through()

            def forward(self, x_t: torch.Tensor, t: torch.Tensor, **_: Any) -> Any:
                return DiracPosterior(mean=model(x_t, time(t)))

        made = getattr(module, cls)(
            Network(), steps=len(times) - 1, silent=True, dtype=times.dtype, **options
        )
        out: torch.Tensor = made(x)
        return out

    return sample


LIBRARY = Azula()
