"""flow_matching: its ODE solver with the methods of fixed step, and its paths.

Time 0 is noise, 1 is data. A path is certified as the loss that it is made for.
"""

from __future__ import annotations

import math
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
ADAPTIVE = ("dopri5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun")


_SCHEDULE = {"kind": "schedule"}
#: path → scheduler and its arguments.
PATHS: dict[str, tuple[str, tuple[float, ...]]] = {
    "conditional_ot": ("CondOTScheduler", ()),
    "polynomial": ("PolynomialConvexScheduler", (2.0,)),
    "vp": ("VPScheduler", ()),
    "linear_vp": ("LinearVPScheduler", ()),
    "cosine": ("CosineScheduler", ()),
}


#: method of a path → the kinds that it converts between.
CONVERSIONS = {
    "target_to_velocity": ("x", "velocity"),
    "epsilon_to_velocity": ("eps", "velocity"),
    "velocity_to_target": ("velocity", "x"),
    "epsilon_to_target": ("eps", "x"),
    "target_to_epsilon": ("x", "eps"),
    "velocity_to_epsilon": ("velocity", "eps"),
}


class FlowMatching(Loops):
    name = "flow_matching"
    word = "method"
    module = "flow_matching.solver"
    claims = MappingProxyType({"predicts": "velocity", "level": "flow-up"})

    def loops(self) -> dict[str, Loop]:
        found = {name: Loop(partial(_made, name), claims) for name, claims in METHODS.items()}
        found |= {f"path_{name}": Loop(partial(_path, name), _of_path(name)) for name in PATHS}
        found |= {f"schedule_{n}": Loop(partial(_schedule, n), _SCHEDULE) for n in PATHS}
        found |= {
            f"{name}_{path}": Loop(
                partial(_conversion, name, path),
                {"kind": "conversion", "predicts": a, "gives": b, "level": _level(path)},
            )
            for name, (a, b) in CONVERSIONS.items()
            for path in PATHS
        }
        found |= {
            f"likelihood_{name}": Loop(partial(_likelihood, exact), {"kind": "likelihood"})
            for name, exact in (("exact", True), ("hutchinson", False))
        }
        adaptive = {"kind": "integrator"}
        return found | {name: Loop(partial(_adaptive, name), adaptive) for name in ADAPTIVE}


def _scheduler(name: str) -> Any:
    from flow_matching.path import scheduler

    cls, given = PATHS[name]
    return getattr(scheduler, cls)(*given)


def _schedule(name: str, module: ModuleType) -> Any:
    return _scheduler(name)


def _level(name: str) -> Callable[[float], tuple[float, float]]:
    def level(t: float) -> tuple[float, float]:
        out = _scheduler(name)(torch.tensor(t, dtype=torch.float64))
        return float(out.alpha_t), float(out.sigma_t)

    return level


def _of_path(name: str) -> dict[str, Any]:
    return {"kind": "loss", "predicts": "velocity", "level": _level(name)}


def _conversion(name: str, path: str, module: ModuleType) -> Any:
    from flow_matching.path import AffineProbPath

    return getattr(AffineProbPath(_scheduler(path)), name)


def _path(name: str, module: ModuleType) -> Callable[..., torch.Tensor]:
    """E|v(x_t, t) − ẋ_t|² on a path."""

    def loss(model: Any, x: torch.Tensor) -> torch.Tensor:
        from flow_matching.path import AffineProbPath

        noise, t = torch.randn_like(x), torch.rand(len(x), dtype=x.dtype)
        sample = AffineProbPath(_scheduler(name)).sample(x_0=noise, x_1=x, t=t)
        return torch.mean((model(x=sample.x_t, t=sample.t) - sample.dx_t) ** 2)

    return loss


def _likelihood(exact: bool, module: ModuleType) -> Callable[..., Any]:
    """log p of data, nats, by the midpoint rule."""

    def log_likelihood(model: Any, x: torch.Tensor, steps: int) -> Any:
        def log_prior(z: torch.Tensor) -> torch.Tensor:
            return -0.5 * (z**2 + math.log(2 * math.pi)).flatten(1).sum(1)

        solver = module.ODESolver(velocity_model=model)
        _, found = solver.compute_likelihood(
            x_1=x,
            log_p0=log_prior,
            step_size=1 / steps,
            method="midpoint",
            exact_divergence=exact,
        )
        return found

    return log_likelihood


def _adaptive(method: str, module: ModuleType) -> Callable[..., Any]:
    def sample(
        model: Any, x: torch.Tensor, times: torch.Tensor, rtol: float = 1e-5, atol: float = 1e-5
    ) -> Any:
        solver = module.ODESolver(velocity_model=model)
        return solver.sample(
            x_init=x, step_size=None, method=method, time_grid=times, rtol=rtol, atol=atol
        )

    return sample


def _made(method: str, module: ModuleType) -> Callable[..., Any]:
    def sample(model: Any, x: torch.Tensor, times: torch.Tensor) -> Any:
        solver = module.ODESolver(velocity_model=model)
        return solver.sample(x_init=x, step_size=None, method=method, time_grid=times)

    return sample


LIBRARY = FlowMatching()
