"""A scheduler whose `step` is called the way a protocol says."""

from __future__ import annotations

import copy
import inspect
from types import SimpleNamespace
from typing import Any

import torch

from dfbench.errors import SubjectError
from dfbench.subjects.protocols import Protocol

ROLES = ("model_output", "timestep", "sample")  # in this order, where they have other names


class Driven:
    """Stands for a scheduler; what it has, this has.

    Args:
        scheduler: its steps are set.
        protocol: how it is called.
        middle: the call after which a copy goes on, where the protocol says so.
    """

    def __init__(self, scheduler: Any, protocol: Protocol, middle: int) -> None:
        self.__dict__.update(_scheduler=scheduler, _protocol=protocol, _middle=middle, _calls=0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_scheduler"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_scheduler"], name, value)

    def scale_model_input(self, x: torch.Tensor, t: Any) -> torch.Tensor:
        scale = getattr(self.__dict__["_scheduler"], "scale_model_input", None)
        out: torch.Tensor = x if scale is None else scale(x, self._told(t))
        return out

    def step(self, *args: Any, **options: Any) -> Any:
        """One step; what it is given must be as before when it returns."""
        own = self.__dict__
        protocol: Protocol = own["_protocol"]
        names = list(inspect.signature(own["_scheduler"].step).parameters)
        at = {role: names.index(role) if role in names else k for k, role in enumerate(ROLES)}
        given = list(args)
        as_tuple = protocol.returns == "tuple" and "return_dict" not in options
        if as_tuple:
            options["return_dict"] = False
        given[at["timestep"]] = self._told(given[at["timestep"]])
        kept = {name: given[at[name]].clone() for name in ("model_output", "sample")}
        out = own["_scheduler"].step(*given, **options)
        for name, before in kept.items():
            if not torch.equal(before, given[at[name]]):
                raise SubjectError(f"step changes the {name} that it is given")
        if as_tuple:
            if not isinstance(out, tuple):
                raise SubjectError(f"return_dict=False returns {type(out).__name__}, not a tuple")
            out = SimpleNamespace(prev_sample=out[0])
        own["_calls"] += 1
        if protocol.copied and own["_calls"] == own["_middle"]:
            own["_scheduler"] = copy.deepcopy(own["_scheduler"])
        return out

    def _told(self, t: Any) -> Any:
        """The time as the protocol gives it."""
        number = self.__dict__["_protocol"].time == "number"
        return t.item() if number and isinstance(t, torch.Tensor) and t.ndim == 0 else t
