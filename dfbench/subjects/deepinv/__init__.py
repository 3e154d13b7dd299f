"""deepinv: solvers of a reverse diffusion, from time 1 (noise) to 0, with a denoiser in float32."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import torch

from dfbench.subjects.loops import Loop, Loops

#: process → the times that its users run between: it has no score at σ = 0, nor flow at α = 0.
_SPAN = {
    "VarianceExplodingDiffusion": (1.0, 0.0),
    "VariancePreservingDiffusion": (1.0, 1e-3),
    "FlowMatching": (0.99, 1e-3),
}
_DDIM = {"reference": "ddim"}
_DDPM = {"reference": "ddim", "options": {"eta": 1.0}}
#: name → process, solver, its arguments, those of the process, and what is declared of it.
_SAMPLERS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "ve_ddim": ("VarianceExplodingDiffusion", "DDIMSolver", {}, {}, _DDIM),
    "ve_ddpm": ("VarianceExplodingDiffusion", "DDPMSolver", {}, {}, _DDPM),
    "vp_ddim": ("VariancePreservingDiffusion", "DDIMSolver", {}, {}, _DDIM),
    "vp_ddpm": ("VariancePreservingDiffusion", "DDPMSolver", {}, {}, _DDPM),
    "vp_ancestral": ("VariancePreservingDiffusion", "AncestralSolver", {}, {}, _DDIM),
    "vp_ancestral_sde": (
        "VariancePreservingDiffusion",
        "AncestralSolver",
        {},
        {"alpha": 1.0},
        _DDPM,
    ),
    "flow_ddim": ("FlowMatching", "DDIMSolver", {}, {}, _DDIM),
    "flow_euler": ("FlowMatching", "EulerSolver", {}, {}, _DDIM),
    "flow_heun": ("FlowMatching", "HeunSolver", {}, {}, {"order": 2}),
}
_MOMENTS = "it solves an SDE in t, and keeps no moments by design: no level of its states is known"
_EXCLUDED = dict.fromkeys(("ve_euler", "ve_heun", "vp_euler", "vp_heun"), _MOMENTS)
_WIDE = {"dtype": "computes in float64, and returns it, whatever it is given, by design"}


class DeepInv(Loops):
    name = "deepinv"
    word = "sampler"
    module = "deepinv.sampling"

    def loops(self) -> dict[str, Loop]:
        found = {}
        for name, (process, solver, given, of, claims) in _SAMPLERS.items():
            said = {"predicts": "x", "level": partial(level, process), "lands": 0.0}
            if process == "FlowMatching":  # starts where little of the data is left, and draws that
                said |= {"start": "drawn", "roles": {"shape": "x"}}
            else:
                said |= {"expected": _WIDE}
            found[name] = Loop(partial(_made, process, solver, given, of), said | claims)
        return found

    def excluded(self) -> dict[str, str]:
        return _EXCLUDED


def level(process: str, time: float) -> tuple[float, float]:
    """(α, σ) = (s(t), s(t) σ(t)) of a process as released, at a part of the times that it runs."""
    from deepinv import sampling

    made = getattr(sampling, process)(denoiser=torch.nn.Identity())
    t = _own(process, time)
    scale = float(made.scale_t(t))
    return scale, scale * float(made.sigma_t(t))


def _own(process: str, time: Any) -> Any:
    first, last = _SPAN[process]
    return last + (first - last) * time


def _part(process: str, t: Any) -> Any:
    first, last = _SPAN[process]
    return (t - last) / (first - last)


def _made(
    process: str, solver: str, given: dict[str, Any], of: dict[str, Any], module: ModuleType
) -> Callable[..., torch.Tensor]:
    """A solver of a process, whose network is told the part of the times, and shown the state."""

    def sample(
        model: Callable[..., torch.Tensor],
        x: Any,
        times: torch.Tensor,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        class Told(getattr(module, process)):  # type: ignore[misc]
            def score(self, x: torch.Tensor, t: Any, *more: Any, **named: Any) -> Any:
                self.now = t
                return super().score(x, t, *more, **named)

        def denoiser(x: torch.Tensor, sigma: Any, *more: Any, **named: Any) -> torch.Tensor:
            return model(x * sde.scale_t(sde.now), _part(process, sde.now))

        way = getattr(module, solver)(timesteps=_own(process, times), rng=generator, **given)
        sde = Told(denoiser=denoiser, solver=way, minus_one_one=False, **of)
        out: torch.Tensor = sde.sample(x)
        return out

    return sample


LIBRARY = DeepInv()
