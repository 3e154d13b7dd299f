"""denoising-diffusion-pytorch: objects that draw their start, and clamp what is predicted."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from importlib import import_module
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
_EDM: dict[str, Any] = _SAMPLES | {
    "predicts": "x",
    "level": "sigma",
    "least": 2,
    "shape": [1, 4, 4],  # its images are square
}
#: name → method of `ElucidatedDiffusion`, arguments of the constructor, what is declared of it.
_ELUCIDATED: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "heun": ("sample", {"S_churn": 0}, {"reference": "heun"}),
    "dpmpp": (
        "sample_using_dpmpp",
        {},
        {"reference": "dpm_solver_pp_multistep", "options": {"order": 2}},
    ),
}


def _linear(t: float) -> float:
    """log α²/σ² of a linear β, as released."""
    return -math.log(math.expm1(1e-4 + 10 * t**2))


def _linear_back(value: torch.Tensor) -> torch.Tensor:
    return torch.sqrt(torch.clamp(torch.log1p(torch.exp(-value)) - 1e-4, min=0) / 10)


def _cosine(t: float, s: float = 0.008) -> float:
    """The same of the cosine schedule."""
    return -2 * math.log(math.tan((t + s) / (1 + s) * math.pi / 2))


def _cosine_back(value: torch.Tensor, s: float = 0.008) -> torch.Tensor:
    return torch.atan(torch.exp(-value / 2)) * 2 / math.pi * (1 + s) - s


_PLAIN = "continuous_time_gaussian_diffusion", "ContinuousTimeGaussianDiffusion"
_V = f"v_param_{_PLAIN[0]}", f"VParam{_PLAIN[1]}"
#: name → file, class, arguments, log SNR of the time, its inverse, and what the network returns.
_CONTINUOUS: dict[str, tuple[str, str, dict[str, Any], Callable[..., Any], Callable[..., Any], str]]
_CONTINUOUS = {
    "linear": (*_PLAIN, {}, _linear, _linear_back, "eps"),
    "cosine": (*_PLAIN, {"noise_schedule": "cosine"}, _cosine, _cosine_back, "eps"),
    "v": (*_V, {}, _cosine, _cosine_back, "v"),
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
            | {
                f"edm_{name}": Loop(partial(_edm, method, config), _EDM | claims)
                for name, (method, config, claims) in _ELUCIDATED.items()
            }
            | {
                "loss_edm": Loop(
                    _edm_loss,
                    {"kind": "loss", "predicts": "x", "level": "sigma", "weighting": "edm"},
                )
            }
            | {
                f"loss_continuous_{name}": Loop(
                    partial(_continuous_loss, file, cls, config, back),
                    {"kind": "loss", "level": partial(_at, log_snr), "predicts": kind},
                )
                for name, (file, cls, config, log_snr, back, kind) in _CONTINUOUS.items()
            }
        )

    def excluded(self) -> dict[str, str]:
        return {
            "learned": "its `model_predictions` calls `partial` and `identity`, which nothing "
            "imports; its loss has a logarithm of the variance in it, and is no square",
            "edm_churn": "its network is told the levels to which noise is added, and nobody those "
            "of its steps",
            "continuous": "its last step leaves out the noise of a level that is not clean: no "
            "level of the sample is known",
        }


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


def _at(log_snr: Callable[[float], float], t: float) -> tuple[float, float]:
    """(α, σ) of unit variance."""
    value = log_snr(t)
    return 1 / math.sqrt(1 + math.exp(-value)), 1 / math.sqrt(1 + math.exp(value))


def _elucidated(model: Any, shape: tuple[int, ...], config: dict[str, Any]) -> Any:
    from denoising_diffusion_pytorch.elucidated_diffusion import ElucidatedDiffusion

    channels, size = shape[1], shape[2]
    network = _Preconditioned(model, channels)
    made = ElucidatedDiffusion(network, image_size=size, channels=channels, **config)
    forward = made.preconditioned_network_forward

    def wide(z: torch.Tensor, sigma: Any, *given: Any, **named: Any) -> Any:
        """In the type of the state: a number would become float32."""
        level = torch.as_tensor(sigma, dtype=z.dtype).expand(len(z))
        return forward(z, level, *given, **named)

    made.preconditioned_network_forward = wide
    return made


def _edm(method: str, config: dict[str, Any], module: ModuleType) -> Callable[..., Any]:
    def sample(model: Any, shape: tuple[int, ...], steps: int) -> Any:
        return getattr(_elucidated(model, shape, config), method)(shape[0], num_sample_steps=steps)

    return sample


def _edm_loss(module: ModuleType) -> Callable[..., Any]:
    def loss(model: Any, x: torch.Tensor) -> Any:
        return _elucidated(model, tuple(x.shape), {})((x + 1) / 2)

    return loss


def _continuous_loss(
    file: str, cls: str, config: dict[str, Any], back: Callable[..., Any], module: ModuleType
) -> Callable[..., Any]:
    def loss(model: Any, x: torch.Tensor) -> Any:
        made = getattr(import_module(f"denoising_diffusion_pytorch.{file}"), cls)
        network = _OfLevels(lambda z, log_snr: model(z, back(log_snr.double())), x.shape[1])
        return made(network, image_size=x.shape[2], channels=x.shape[1], **config)((x + 1) / 2)

    return loss


class _Module(torch.nn.Module):
    """A network with what the constructor asks of one."""

    self_condition = False

    def __init__(self, model: Any, channels: int) -> None:
        super().__init__()
        self.asked, self.channels, self.out_dim = SimpleNamespace(model=model), channels, channels
        self.weight = torch.nn.Parameter(torch.zeros(1))  # whose device is asked for

    def forward(self, x: torch.Tensor, t: torch.Tensor, *_: Any) -> Any:
        return self.asked.model(x, t)


class _OfLevels(_Module):
    """One that is told a level, and no step."""

    random_or_learned_sinusoidal_cond = True


class _Preconditioned(_OfLevels):
    """F of a network that returns x̂: EDM's table 1 backwards, σ_data = ½."""

    def forward(self, x: torch.Tensor, t: torch.Tensor, *_: Any) -> Any:
        sigma = torch.exp(4 * t.double())
        size = torch.sqrt(sigma**2 + 0.25).reshape(-1, *[1] * (x.ndim - 1))
        z = size * x
        out = self.asked.model(z.to(x), sigma)
        wide = sigma.reshape(size.shape)
        return ((out - 0.25 / size**2 * z) / (wide * 0.5 / size)).to(x)


LIBRARY = DenoisingDiffusion()
