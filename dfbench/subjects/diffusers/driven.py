"""A scheduler whose `step` is called the way a protocol says."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from dfbench.errors import SubjectError
from dfbench.protocols import Protocol
from dfbench.subjects.protocols import previewed

#: What `step` calls the network's output, the time and the state: in this order, where they have
#: other names.
ROLES = (
    ("model_output", "output", "noise_pred", "eps", "epsilon", "velocity", "v", "v_pred"),
    ("timestep", "t", "time", "timesteps"),
    ("sample", "x", "x_t", "xt", "latents", "latent", "state", "z"),
)


def places(step: Any) -> tuple[int, int, int]:
    """Where among the arguments of `step` output, time and state are."""
    names = list(inspect.signature(step).parameters)
    found = [next((names.index(n) for n in role if n in names), None) for role in ROLES]
    known = [at for at in found if at is not None]
    if len(known) < 3:
        return 0, 1, 2
    return known[0], known[1], known[2]


def given_by_role(step: Any, values: tuple[Any, Any, Any]) -> list[Any]:
    """Output, time and state in the order in which `step` takes them."""
    ordered = sorted(zip(places(step), values, strict=True), key=lambda pair: pair[0])
    return [value for _, value in ordered]


class Driven:
    """Stands for a scheduler; what it has, this has.

    Args:
        scheduler: its steps are set.
        protocol: how it is called.
        middle: the call after which `meanwhile` is called.
        meanwhile: scheduler → the one that goes on.
    """

    def __init__(
        self, scheduler: Any, protocol: Protocol, middle: int, meanwhile: Callable[[Any], Any]
    ) -> None:
        self.__dict__.update(
            _scheduler=scheduler, _protocol=protocol, _middle=middle, _calls=0, _meanwhile=meanwhile
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_scheduler"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_scheduler"], name, value)

    def scale_model_input(self, x: torch.Tensor, t: Any) -> torch.Tensor:
        scale = getattr(self.__dict__["_scheduler"], "scale_model_input", None)
        out: torch.Tensor = x if scale is None else scale(x, self._told(t, len(x)))
        return out

    def step(self, *args: Any, **options: Any) -> Any:
        """One step; what it is given must be as before when it returns."""
        own = self.__dict__
        protocol: Protocol = own["_protocol"]
        where = places(own["_scheduler"].step)
        at = dict(zip(("model_output", "timestep", "sample"), where, strict=True))
        given = list(args)
        as_tuple = protocol.returns == "tuple" and "return_dict" not in options
        if as_tuple:
            options["return_dict"] = False
        rows = len(given[at["sample"]])
        given[at["timestep"]] = self._told(given[at["timestep"]], rows)
        kept = {name: given[at[name]].clone() for name in ("model_output", "sample")}
        out = own["_scheduler"].step(*given, **options)
        for name, before in kept.items():
            # what is not a number is another claim's to tell
            if not torch.allclose(before, given[at[name]], rtol=0, atol=0, equal_nan=True):
                raise SubjectError(f"step changes the {name} that it is given")
        if as_tuple:
            if not isinstance(out, tuple):
                raise SubjectError(f"return_dict=False returns {type(out).__name__}, not a tuple")
            out = SimpleNamespace(prev_sample=out[0], pred_original_sample=previewed(out))
        own["_calls"] += 1
        if own["_calls"] == own["_middle"]:
            own["_scheduler"] = own["_meanwhile"](own["_scheduler"])
        return out

    def _told(self, t: Any, rows: int) -> Any:
        """The time as the protocol gives it."""
        kind = self.__dict__["_protocol"].time
        if kind == "own" or (isinstance(t, torch.Tensor) and t.ndim > 0):
            return t
        if kind == "row":
            return torch.as_tensor(t).expand(rows).clone()
        return t.item() if isinstance(t, torch.Tensor) else t
