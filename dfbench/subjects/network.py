"""What stands for the network in somebody's sampler: it is asked for outputs, and for no more."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from dfbench.errors import SubjectError
from dfbench.subjects import foreign

#: What the time is called where it is passed by name.
TIMES: tuple[str, ...] = (
    "t",
    "time",
    "timestep",
    "timesteps",
    "sigma",
    "sigmas",
    "noise_level",
    "noise_labels",
)
TIMES += ("tau", "s", "ts", "noise_cond", "log_snr", "lam", "level", "c_noise")
STATES = ("x", "z", "x_t", "xt", "sample", "latents", "input", "img", "z_t", "state", "y")

Asked = Callable[[torch.Tensor, float], torch.Tensor]
"""(state, time) → output."""


class Network(torch.nn.Module):
    """A network that whoever calls it may call in any of the usual ways.

    By position or by name, the time before or after the state; the time a number, a tensor of no
    dimension, or one number for each row, in any shape that broadcasts; arrays of torch or NumPy.

    Args:
        asked: what it answers.
        shape: of the states.
    """

    # what EDM's sampler asks of a network
    sigma_min = 0.0
    sigma_max = math.inf

    def __init__(self, asked: Asked, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.asked, self.shape = asked, shape
        # some look at the first parameter for device and type
        self.weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64), requires_grad=False)

    def forward(self, *given: Any, **named: Any) -> Any:
        state, time = self._told(given, named)
        asked, copies = self._once(foreign.tensor(state))
        out = self.asked(asked, _number(time))
        if copies > 1:
            out = out.repeat(copies, *[1] * (out.ndim - 1))
        return foreign.given(out, foreign.kind_of(state) or "torch")

    def _once(self, state: torch.Tensor) -> tuple[torch.Tensor, int]:
        """The state, and how many copies of it guidance has put below each other."""
        copies = len(state) // self.shape[0]
        if copies == 1:
            return state, 1
        parts = state.chunk(copies)
        if not all(torch.equal(part, parts[0]) for part in parts):
            raise SubjectError("asks the network about several states at once")
        return parts[0], copies

    def round_sigma(self, sigma: Any) -> Any:
        """EDM's networks know every level."""
        return torch.as_tensor(sigma)

    @property
    def inner_model(self) -> Network:
        """Where ComfyUI's samplers look for `model_sampling`, through its patcher in newer ones."""
        return self

    model_patcher = model_sampling = inner_model

    def get_model_object(self, name: str) -> Any:
        """ComfyUI's patcher: an object of the model by its name."""
        return getattr(self, name)

    def sigma(self, timestep: Any) -> Any:
        """ComfyUI's `model_sampling`: times of these samplers are σ themselves."""
        return torch.as_tensor(timestep)

    timestep = sigma

    def _told(self, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any]:
        """State and time among the arguments."""
        states = [named[n] for n in STATES if n in named and self._is_state(named[n])]
        states += [each for each in (*given, *named.values()) if self._is_state(each)]
        if not states:
            shapes = [tuple(getattr(x, "shape", ())) for x in (*given, *named.values())]
            raise SubjectError(
                f"asks the network about no state of shape {self.shape}: its arguments have the "
                f"shapes {shapes}"
            )
        state = states[0]
        times = [named[n] for n in TIMES if n in named]
        times += [x for x in given if x is not state and _is_time(x)]
        times += [x for n, x in named.items() if x is not state and _is_time(x)]
        if not times:
            raise SubjectError("asks the network about a state, and tells it no time")
        return state, times[0]

    def _is_state(self, value: Any) -> bool:
        if foreign.kind_of(value) is None or value.ndim != len(self.shape):
            return False
        shape = tuple(value.shape)
        return shape[1:] == self.shape[1:] and shape[0] > 0 and shape[0] % self.shape[0] == 0


def _is_time(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float | np.number) or foreign.kind_of(value) is not None


def _number(time: Any) -> float:
    """The time, which is one and the same for all rows."""
    if isinstance(time, int | float):
        return float(time)
    values = foreign.tensor(time).detach().double().reshape(-1)
    if not bool(values.isfinite().all()):
        raise SubjectError(f"tells the network a time that is not finite ({values[0]:g})")
    if not len(values) or not bool((values == values[0]).all()):
        raise SubjectError(f"tells the rows different times: {values[:4].tolist()} …")
    return float(values[0])
