"""torchsde: its solvers on the reverse SDE of a diffusion, with a network and one Brownian path.

The noise of that SDE does not depend on the state, so that Itô's and Stratonovich's solvers solve
the same; each is held to its formula on such an SDE. A step is a call of `sdeint`, as steps of
unequal length are taken with it, and every element of the state an SDE of its own, of one channel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import torch

from dfbench.schedules import VE, LinearVP, Schedule
from dfbench.subjects.loops import Loop, Loops

#: method → the solver of `reverse_sde` that it is, and the Lévy area that it asks of its path.
METHODS = {
    "euler": ("euler", "none"),
    "milstein": ("euler", "none"),
    "srk": ("sra1", "space-time"),
    "euler_heun": ("euler_heun", "none"),
    "heun": ("heun", "none"),
    "midpoint": ("midpoint", "none"),
}
ITO = ("euler", "milstein", "srk")
#: process → its schedule, and what is declared of its network.
_EXPLODING = VE(0.01, 100.0)
PROCESSES: dict[str, tuple[Schedule, dict[str, Any]]] = {
    "vp": (LinearVP(0.1, 20.0), {"predicts": "eps", "level": "vp"}),
    "ve": (_EXPLODING, {"predicts": "score", "level": _EXPLODING.level}),
}


class TorchSDE(Loops):
    name = "torchsde"
    word = "method"
    module = "torchsde"

    def loops(self) -> dict[str, Loop]:
        return {
            f"{process}_{method}": Loop(
                partial(_made, schedule, claims["predicts"], method),
                {"reference": "reverse_sde", "options": {"solver": solver}} | claims,
            )
            for process, (schedule, claims) in PROCESSES.items()
            for method, (solver, _) in METHODS.items()
            if process == "vp" or method in ("euler", "srk", "midpoint")
        }

    def excluded(self) -> dict[str, str]:
        return {
            "srk_diagonal": "with noise that is said to be diagonal its weights have squares of "
            "increments in them: it is not affine",
            "log_ode": "it draws a Lévy area for every pair of elements, which noise that does not "
            "depend on the state does not use: its step is that of `midpoint`",
            "reversible_heun": "it damps nothing, whatever its steps, where the reverse SDE does: "
            "at the step counts that are asked its errors grow",
            "adaptive": "its steps depend on the state: there is no table",
            "adjoint_reversible_heun": "it integrates gradients, and makes no samples",
        }


class Reverse:
    """The SDE from noise to data over s = −t, as torchsde takes it.

    torchsde asks for the drift more often than a method has stages: for its shape at the start of
    every `sdeint`, and `srk` for its first stage again. The network is asked once for each.
    """

    noise_type = "additive"

    def __init__(
        self, model: Any, predicts: str, schedule: Schedule, shape: torch.Size, method: str
    ) -> None:
        self.model, self.predicts, self.schedule, self.shape = model, predicts, schedule, shape
        self.sde_type = "ito" if method in ITO else "stratonovich"
        self.last: tuple[torch.Tensor, float, torch.Tensor] | None = None

    def f(self, s: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        t = -float(s)
        if self.last is not None and self.last[0] is y and self.last[1] == t:
            return self.last[2]
        out = self.model(y.reshape(self.shape), t).reshape(y.shape)
        score = out if self.predicts == "score" else -out / float(self.schedule.sigma(t))
        drift: torch.Tensor = float(self.schedule.g2(t)) * score - float(self.schedule.f(t)) * y
        self.last = y, t, drift
        return drift

    def g(self, s: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return y.new_full((len(y), 1, 1), float(self.schedule.g2(-float(s))) ** 0.5)


class Elements:
    """A Brownian path of (rows, elements) as one of a row an element."""

    def __init__(self, path: Any) -> None:
        self.path, self.levy_area_approximation = path, path.levy_area_approximation
        self.shape = (path.shape[0] * path.shape[1], 1)

    def __call__(self, *given: Any, **more: Any) -> Any:
        made = self.path(*given, **more)
        if not isinstance(made, tuple):
            return made.reshape(-1, 1)
        return tuple(each.reshape(-1, 1) for each in made)


def _made(
    schedule: Schedule, predicts: str, method: str, module: ModuleType
) -> Callable[..., torch.Tensor]:
    def sample(
        model: Any,
        x: torch.Tensor,
        times: torch.Tensor,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        y, at = x.reshape(-1, 1), -times
        path = module.BrownianInterval(
            t0=at[0],
            t1=at[-1],
            size=tuple(x.flatten(1).shape),
            dtype=x.dtype,
            entropy=int(torch.randint(2**62, (), generator=generator)),
            levy_area_approximation=METHODS[method][1],
        )
        sde = Reverse(model, predicts, schedule, x.shape, method)
        for i in range(len(at) - 1):
            states = module.sdeint(
                sde,
                y,
                at[i : i + 2],
                bm=Elements(path),
                method=method,
                dt=2 * float(at[i + 1] - at[i]),  # cut at the end, which rounding may miss
            )
            y = states[-1]
        return y.reshape(x.shape)

    return sample


LIBRARY = TorchSDE()
