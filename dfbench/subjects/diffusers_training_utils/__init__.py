"""diffusers' utilities for training: signal to noise, times and weights of SD3, averages, DREAM.

The averages are asked as numbers of the step k: the decay, and the shadow after k steps beside a
parameter that is 1, 2, … k.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import torch

from dfbench.levels import Array
from dfbench.subjects.loops import Loop, Loops

SIGMAS = (0.01, 0.05, 0.2, 0.5, 0.7, 0.95, 1.0)
STEPS = (1, 2, 3, 6, 10, 31, 100)
TIMES = (0, 1, 10, 250, 500, 900, 999)
DENSITIES: dict[str, tuple[dict[str, Any], str]] = {
    "logit_normal": ({"logit_mean": -0.3, "logit_std": 1.2}, "logit-normal(-0.3, 1.2)"),
    "mode": ({"mode_scale": 1.29}, "mode(1.29)"),
    "none": ({}, "uniform"),
}
#: scheme → weight of flow's σ: σ⁻², and that of SD3 (arXiv 2403.03206, section 3.1).
WEIGHTS: dict[str, Callable[[Array], Array]] = {
    "sigma_sqrt": lambda s: s**-2,
    "cosmap": lambda s: 2 / (np.pi - 2 * np.pi * s + 2 * np.pi * s**2),
    "none": np.ones_like,
}
#: name → arguments of `EMAModel`.
AVERAGES: dict[str, dict[str, Any]] = {
    "": {},
    "_warmup": {"use_ema_warmup": True, "inv_gamma": 2.0, "power": 0.75, "decay": 0.9},
    "_late": {"update_after_step": 4, "min_decay": 0.3},
    "_mean": {"use_ema_warmup": True, "power": 1.0},  # the plain mean, as its notes say
    "_foreach": {"foreach": True, "use_ema_warmup": True},
}


class TrainingUtils(Loops):
    name = "diffusers_training_utils"
    word = "utility"
    module = "diffusers.training_utils"

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec("diffusers") is not None

    @property
    def distribution(self) -> str:
        return "diffusers"

    def loops(self) -> dict[str, Loop]:
        found = {"snr": _of(_snr, snr, TIMES)}
        for scheme, (given, density) in DENSITIES.items():
            found[f"density_{scheme}"] = Loop(
                lambda module: module.compute_density_for_timestep_sampling,
                {"kind": "times", "density": density, "span": (0.0, 1.0)},
                {"weighting_scheme": scheme, **given},
            )
        for scheme, weight in WEIGHTS.items():
            found[f"weighting_{scheme}"] = _of(partial(_weight, scheme), weight, SIGMAS)
        for name, given in AVERAGES.items():
            found[f"ema_decay{name}"] = _of(partial(_decay, given), decays(**given), STEPS)
            found[f"ema_average{name}"] = _of(partial(_average, given), left(**given), STEPS)
        found["ema_frozen"] = _of(_frozen, np.ones_like, STEPS)
        found["ema_restored"] = _of(_restored, np.ones_like, STEPS)
        for part, power in (("target", 1), ("latents", 2)):
            found[f"dream_{part}"] = _of(partial(_dream, part), partial(_rest, power), TIMES)
        return found


def _of(
    made: Callable[[ModuleType], Any], formula: Callable[[Array], Array], at: tuple[float, ...]
) -> Loop:
    return Loop(made, {"kind": "formula", "formula": formula, "at": at})


def _scheduler() -> Any:
    import diffusers

    made: Any = diffusers.DDPMScheduler
    return made()


# What they should be ------------------------------------------------------------------------------


def _kept(t: Array) -> Array:
    """ᾱ of `DDPMScheduler`, as its table has it."""
    return np.asarray(_scheduler().alphas_cumprod.double().numpy()[t.astype(int)])


def snr(t: Array) -> Array:
    """ᾱ/(1 − ᾱ) of training steps."""
    return _kept(t) / (1 - _kept(t))


def _rest(power: float, t: Array) -> Array:
    """√(1 − ᾱ) to a power: λ of DREAM (arXiv 2312.00210, p = 1), and λ √(1 − ᾱ)."""
    return np.asarray((1 - _kept(t)) ** (power / 2))


def decays(
    decay: float = 0.9999,
    min_decay: float = 0.0,
    update_after_step: int = 0,
    use_ema_warmup: bool = False,
    inv_gamma: float = 1.0,
    power: float = 2 / 3,
    foreach: bool = False,
) -> Callable[[Array], Array]:
    """The decay of step k = 1, 2, …: with s = k − 1 − update_after_step, 0 up to s = 0, then
    1 − (1 + s/γ)⁻ᵖ or (1 + s)/(10 + s), between min_decay and decay."""

    def at(k: Array) -> Array:
        s = np.maximum(k - 1 - update_after_step, 0)
        rising = 1 - (1 + s / inv_gamma) ** -power if use_ema_warmup else (1 + s) / (10 + s)
        return np.asarray(np.where(s == 0, 0.0, np.clip(rising, min_decay, decay)))

    return at


def left(**given: Any) -> Callable[[Array], Array]:
    """The shadow after k steps beside a parameter that is k = 1, 2, …, of `decays(…)`."""
    decay = decays(**given)

    def at(k: Array) -> Array:
        shadow, found = 0.0, []
        for step in range(1, int(k.max()) + 1):
            d = float(decay(np.array([float(step)]))[0])
            shadow = d * shadow + (1 - d) * step
            found.append(shadow)
        return np.asarray(np.array(found)[k.astype(int) - 1])

    return at


# What they are ------------------------------------------------------------------------------------


def _snr(module: ModuleType) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda t: module.compute_snr(_scheduler(), t.long())


def _weight(scheme: str, module: ModuleType) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda s: module.compute_loss_weighting_for_sd3(scheme, sigmas=s)


def _each(value: Callable[[int], float]) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of a step, for a tensor of them."""

    def at(k: torch.Tensor) -> torch.Tensor:
        found = [value(int(step)) for step in k.flatten()]
        return torch.tensor(found, dtype=torch.float64).reshape(k.shape)

    return at


def _decay(given: dict[str, Any], module: ModuleType) -> Callable[[torch.Tensor], torch.Tensor]:
    return _each(lambda k: module.EMAModel([], **given).get_decay(k))


def _parameter(learns: bool = True) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.zeros((), dtype=torch.float64), requires_grad=learns)


def _average(given: dict[str, Any], module: ModuleType) -> Callable[[torch.Tensor], torch.Tensor]:
    """The shadow after k steps, copied out, beside a parameter that is the number of the step."""

    def after(k: int) -> float:
        parameter = _parameter()
        average = module.EMAModel([parameter], **given)
        for step in range(1, k + 1):
            parameter.data.fill_(step)
            average.step([parameter])
        average.copy_to([parameter])
        return float(parameter)

    return _each(after)


def _frozen(module: ModuleType) -> Callable[[torch.Tensor], torch.Tensor]:
    """What does not learn is copied: shadow over parameter."""

    def after(k: int) -> float:
        parameter = _parameter(learns=False)
        average = module.EMAModel([parameter])
        for step in range(1, k + 1):
            parameter.data.fill_(step)
            average.step([parameter])
        return float(average.shadow_params[0]) / k

    return _each(after)


def _restored(module: ModuleType) -> Callable[[torch.Tensor], torch.Tensor]:
    """Stored, overwritten by the average of a state that was saved and loaded, and restored."""

    def after(k: int) -> float:
        parameter = _parameter()
        first = module.EMAModel([parameter])
        for step in range(1, k + 1):
            parameter.data.fill_(step)
            first.step([parameter])
        second = module.EMAModel([_parameter()])
        second.load_state_dict(first.state_dict())
        second.store([parameter])
        second.copy_to([parameter])
        same = float(parameter) == float(first.shadow_params[0])
        second.restore([parameter])
        return float(same and second.optimization_step == k) * float(parameter) / k

    return _each(after)


def _dream(part: str, module: ModuleType) -> Callable[[torch.Tensor], torch.Tensor]:
    """How far target and state are moved where the network is wrong by 1 everywhere."""

    def moved(t: torch.Tensor) -> torch.Tensor:
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

        zero = torch.zeros(t.numel(), 1, 1, 1)
        latents, target = module.compute_dream_and_update_latents(
            lambda z, t, condition: UNet2DConditionOutput(sample=zero.clone()),
            _scheduler(),
            t.flatten().long(),
            zero + 1,
            zero.clone(),
            zero.clone(),
            zero,
        )
        found: torch.Tensor = target if part == "target" else latents
        return found.reshape(t.shape)

    return moved


LIBRARY = TrainingUtils()
