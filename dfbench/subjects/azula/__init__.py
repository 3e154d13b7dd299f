"""azula: samplers of a denoiser and a schedule, from time 1 (noise) to 0."""

from __future__ import annotations

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
            | {"pc": Loop(partial(_made, "PCSampler"), {})}
        )

    def excluded(self) -> dict[str, str]:
        return {"pc": _PC}


def level(t: float) -> tuple[float, float]:
    """(α, σ) of its variance-preserving schedule, as released."""
    from azula.noise import VPSchedule

    alpha, sigma = VPSchedule()(torch.tensor(t, dtype=torch.float64))
    return float(alpha), float(sigma)


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
