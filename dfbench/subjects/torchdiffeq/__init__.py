"""torchdiffeq: a flow's velocity and an integrator, from time 0 (noise) to 1.

Methods of fixed step are samplers; those that choose their steps are integrators.
"""

from __future__ import annotations

from operator import attrgetter
from types import MappingProxyType
from typing import Any

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
ADAPTIVE = ("dopri5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun")


class TorchDiffEq(Loops):
    name = "torchdiffeq"
    word = "method"
    module = "torchdiffeq"
    claims = MappingProxyType({"predicts": "velocity", "level": "flow-up"})

    def loops(self) -> dict[str, Loop]:
        made = attrgetter("odeint")
        found = {name: Loop(made, claims, {"method": name}) for name, claims in METHODS.items()}
        adaptive = {"kind": "integrator"}
        found |= {name: Loop(made, adaptive, {"method": name}) for name in ADAPTIVE}
        return found | {name: Loop(made, {}, {"method": name}) for name in self.excluded()}

    def excluded(self) -> dict[str, str]:
        return {
            "explicit_adams": "its weights are those of equal steps, and its order hangs on them",
            "implicit_adams": "it iterates until it is near enough: there is no table",
        }


LIBRARY = TorchDiffEq()
