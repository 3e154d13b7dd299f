"""torchcfm: matchers; time 0 is noise, 1 is data.

Those that pair rows across the batch are couplings, the others losses that they are made for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType, ModuleType
from typing import Any

import torch

from dfbench.subjects.loops import Loop, Loops

#: name → class, and what is declared of it.
_MATCHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "conditional": ("ConditionalFlowMatcher", {"level": "flow-up", "weighting": "flow_matching"}),
    "target": (
        "TargetConditionalFlowMatcher",
        {"level": "flow-up", "weighting": "flow_matching"},
    ),
    "variance_preserving": ("VariancePreservingConditionalFlowMatcher", {"level": "cosine-up"}),
}
_BRIDGE = "SchrodingerBridgeConditionalFlowMatcher"
_OPTIMAL = {"kind": "coupling", "plan": "optimal"}
#: What pairs rows across the batch: name → class, arguments, and what is declared of it.
_PAIRS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "exact_optimal_transport": ("ExactOptimalTransportConditionalFlowMatcher", {}, _OPTIMAL),
    "schrodinger_bridge": (_BRIDGE, {"sigma": 0.5}, _OPTIMAL),
    "schrodinger_bridge_sinkhorn": (
        _BRIDGE,
        {"sigma": 2.0, "ot_method": "sinkhorn"},
        {"kind": "coupling", "plan": "entropic", "reg": 8.0},  # 2 σ²
    ),
}


class TorchCFM(Loops):
    name = "torchcfm"
    word = "matcher"
    module = "torchcfm.conditional_flow_matching"
    claims = MappingProxyType({"kind": "loss", "predicts": "velocity"})

    def loops(self) -> dict[str, Loop]:
        found = {n: Loop(partial(_made, cls), claims) for n, (cls, claims) in _MATCHERS.items()}
        return found | {
            name: Loop(partial(_matcher, cls, options), claims)
            for name, (cls, options, claims) in _PAIRS.items()
        }


def _matcher(cls: str, options: dict[str, Any], module: ModuleType) -> Any:
    return getattr(module, cls)(**options)


def _made(cls: str, module: ModuleType) -> Callable[..., torch.Tensor]:
    """E|v(x_t, t) − u_t|², with the noise of the matcher's source."""

    def loss(model: Callable[..., torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        matcher = getattr(module, cls)(sigma=0.0)
        t, xt, ut = matcher.sample_location_and_conditional_flow(_source(cls, x), x)
        return torch.mean((model(xt, t) - ut) ** 2)

    return loss


def _source(cls: str, x: torch.Tensor) -> torch.Tensor:
    """Noise; the target matcher draws its own."""
    return torch.zeros_like(x) if cls.startswith("Target") else torch.randn_like(x)


LIBRARY = TorchCFM()
