"""smalldiffusion: one generator of states, which three settings make three samplers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any

import torch

from dfbench.subjects.loops import Loop, Loops

#: name → (γ, μ), and what is declared of it.
_SAMPLERS: dict[str, tuple[float, float, dict[str, Any]]] = {
    "ddim": (1.0, 0.0, {"reference": "ddim"}),
    "ddpm": (1.0, 0.5, {"reference": "ddim", "options": {"eta": 1.0}}),
    "accelerated": (2.0, 0.0, {"order": 1}),
}


class SmallDiffusion(Loops):
    name = "smalldiffusion"
    word = "sampler"
    module = "smalldiffusion.diffusion"
    claims = MappingProxyType({"predicts": "eps", "level": "sigma"})

    def loops(self) -> dict[str, Loop]:
        return {
            name: Loop(partial(_made, gam, mu), claims)
            for name, (gam, mu, claims) in _SAMPLERS.items()
        }


def _made(gam: float, mu: float, module: ModuleType) -> Callable[..., Any]:
    def sample(model: Any, x: torch.Tensor, sigmas: torch.Tensor) -> Iterator[torch.Tensor]:
        network = SimpleNamespace(
            eval=lambda: None,
            predict_eps_cfg=lambda x, sigma, cond, scale: model(x, sigma),
            rand_input=lambda rows: torch.randn(rows, *x.shape[1:], dtype=x.dtype),
        )
        here = SimpleNamespace(device=x.device)
        states: Iterator[torch.Tensor] = module.samples(
            network, sigmas, gam, mu, xt=x, accelerator=here
        )
        return states

    return sample


LIBRARY = SmallDiffusion()
