"""flow_matching: its ODE solver, from time 0 (noise) to 1, with the methods of fixed step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType, ModuleType
from typing import Any

import torch

from dfbench.subjects.loops import Loop, Loops

#: method → what is declared of it.
METHODS: dict[str, dict[str, Any]] = {
    method: {"reference": "flow_matching", "options": {"solver": solver, "to_the_end": True}}
    for method, solver in (
        ("euler", "euler"),
        ("midpoint", "midpoint"),
        ("heun2", "heun"),
        ("heun3", "heun3"),
        ("rk4", "three-eighths"),  # Kutta's other rule
    )
}
ADAPTIVE = dict.fromkeys(
    ("dopri5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun"),
    "its steps depend on the state: there is no table",
)


class FlowMatching(Loops):
    name = "flow_matching"
    word = "method"
    module = "flow_matching.solver"
    claims = MappingProxyType({"predicts": "velocity", "level": "flow-up"})

    def loops(self) -> dict[str, Loop]:
        found = {name: Loop(partial(_made, name), claims) for name, claims in METHODS.items()}
        return found | {name: Loop(partial(_made, name)) for name in ADAPTIVE}

    def excluded(self) -> dict[str, str]:
        return ADAPTIVE


def _made(method: str, module: ModuleType) -> Callable[..., Any]:
    def sample(model: Any, x: torch.Tensor, times: torch.Tensor) -> Any:
        solver = module.ODESolver(velocity_model=model)
        return solver.sample(x_init=x, step_size=None, method=method, time_grid=times)

    return sample


LIBRARY = FlowMatching()
