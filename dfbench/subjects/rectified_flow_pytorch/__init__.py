"""rectified-flow-pytorch: its sampler, told the number of times, and its losses; 1 is data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType, ModuleType
from typing import Any

import torch

from dfbench.subjects.loops import Loop, Loops

_OBJECTIVES = {"flow": "velocity", "noise": "eps"}


class RectifiedFlow(Loops):
    name = "rectified_flow_pytorch"
    word = "sampler"
    module = "rectified_flow_pytorch.rectified_flow"
    claims = MappingProxyType({"level": "flow-up", "output": [0.5, 0.5]})

    def loops(self) -> dict[str, Loop]:
        midpoint = {"reference": "flow_matching", "options": {"solver": "midpoint"}}
        return {
            f"loss_{objective}": Loop(
                partial(_loss, objective), {"kind": "loss", "predicts": predicts}
            )
            for objective, predicts in _OBJECTIVES.items()
        } | {"midpoint": Loop(_made, midpoint | {"predicts": "velocity"})}


def _made(module: ModuleType) -> Callable[..., Any]:
    """Its `steps` are the times, one more than there are steps."""

    def sample(model: Any, x: torch.Tensor, steps: int) -> Any:
        made = module.RectifiedFlow(_Network(model), odeint_kwargs={"method": "midpoint"})
        shape = tuple(x.shape[1:])
        return made.sample(batch_size=len(x), steps=steps + 1, noise=x, data_shape=shape)

    return sample


def _loss(objective: str, module: ModuleType) -> Callable[..., Any]:
    def loss(model: Any, data: torch.Tensor) -> Any:
        return module.RectifiedFlow(_Network(model), predict=objective)(data)

    return loss


class _Network(torch.nn.Module):
    """A network of the states and `times`, with a parameter, at whose device it is looked."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.asked = (model,)
        self.parameter = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, times: torch.Tensor, **_: Any) -> Any:
        return self.asked[0](x, times)


LIBRARY = RectifiedFlow()
