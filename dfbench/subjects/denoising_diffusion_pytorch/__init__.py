"""denoising-diffusion-pytorch: objects that draw their start, and clamp what is predicted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any

import torch

from dfbench.subjects.loops import Loop, Loops

_CLAMPS = {"affine": "x̂ is clamped to [−1, 1] by design"}
_SAMPLES: dict[str, Any] = {
    "start": "drawn",
    "dims": 4,
    "output": [0.5, 0.5],
    "expected": _CLAMPS,
}
_OBJECTIVES = {"pred_noise": "eps", "pred_x0": "x", "pred_v": "v"}


class DenoisingDiffusion(Loops):
    name = "denoising_diffusion_pytorch"
    word = "sampler"
    module = "denoising_diffusion_pytorch.denoising_diffusion_pytorch"
    claims = MappingProxyType({"level": "ddpm-linear"})

    def loops(self) -> dict[str, Loop]:
        return (
            {
                f"ddim_{kind}": Loop(
                    partial(_ddim, objective, 0.0),
                    _SAMPLES | {"predicts": kind, "reference": "ddim"},
                )
                for objective, kind in _OBJECTIVES.items()
            }
            | {
                f"loss_{kind}": Loop(partial(_loss, objective), {"kind": "loss", "predicts": kind})
                for objective, kind in _OBJECTIVES.items()
            }
            | {
                "ddim_eta": Loop(
                    partial(_ddim, "pred_noise", 1.0),
                    _SAMPLES | {"predicts": "eps", "reference": "ddim", "options": {"eta": 1.0}},
                )
            }
        )


def _ddim(objective: str, eta: float, module: ModuleType) -> Callable[..., Any]:
    def sample(model: Any, shape: tuple[int, ...], steps: int) -> Any:
        network = _Module(model, shape[1])
        made = module.GaussianDiffusion(
            network,
            image_size=tuple(shape[2:4]),
            sampling_timesteps=steps,
            objective=objective,
            beta_schedule="linear",
            ddim_sampling_eta=eta,
        )
        return made.ddim_sample(shape)

    return sample


def _loss(objective: str, module: ModuleType) -> Callable[..., Any]:
    def loss(model: Any, x: torch.Tensor) -> Any:
        made = module.GaussianDiffusion(
            _Module(model, x.shape[1]),
            image_size=tuple(x.shape[2:4]),
            objective=objective,
            beta_schedule="linear",
            auto_normalize=False,
        )
        return made(x)

    return loss


class _Module(torch.nn.Module):
    """A network with what the constructor asks of one."""

    self_condition = False

    def __init__(self, model: Any, channels: int) -> None:
        super().__init__()
        self.asked, self.channels, self.out_dim = SimpleNamespace(model=model), channels, channels

    def forward(self, x: torch.Tensor, t: torch.Tensor, *_: Any) -> Any:
        return self.asked.model(x, t)


LIBRARY = DenoisingDiffusion()
