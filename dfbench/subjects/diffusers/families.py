"""Which family a scheduler class belongs to.

A class is found by its own name or that of a base, and if neither is known (a renamed copy) by
the arguments of its constructor and of `step`, which the families do not share; if those are not
known either, by the tables that it keeps.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from dfbench.errors import Unusable
from dfbench.samplers.method import Traits
from dfbench.subjects.diffusers import scheduler_levels as levels
from dfbench.subjects.diffusers.sampler import REGISTERED, SchedulerSampler

FILES = ("discrete", "solvers", "exploding", "flow", "consistency")


def family_of(cls: type) -> type[SchedulerSampler]:
    """By name, by signature, or `Unregistered`."""
    for base in cls.__mro__:
        if found := _named(base.__name__):
            return found
    import diffusers

    for name, family in REGISTERED.items():
        known = getattr(diffusers, name, None)
        if isinstance(known, type) and _signature(known) == _signature(cls):
            return family
    return Unregistered


def _named(name: str) -> type[SchedulerSampler] | None:
    """The family of a name, looked for in one file after another."""
    for file in FILES:
        importlib.import_module(f"dfbench.subjects.diffusers.{file}")
        if name in REGISTERED:
            return REGISTERED[name]
    return None


def _signature(cls: Any) -> tuple[set[str], set[str]]:
    """What tells the families apart when the name does not."""
    of = cls.__init__, cls.step
    constructor, step = (set(inspect.signature(each).parameters) for each in of)
    return constructor, step


class Unregistered(SchedulerSampler):
    """A scheduler that nobody knows: certified as far as its tables tell its levels.

    Where nobody says whether it draws noise, the read-out tells.
    """

    _draws: bool | None = None  # seen in the read-out; None: not looked yet

    @property
    def traits(self) -> Traits:
        if self._draws is None:
            self._draws = False  # also where the run breaks, which is another claim's to tell
            with contextlib.suppress(Exception):
                reading = self.reading(self.counts((10,))[0])
                self._draws = bool(np.abs(reading.table.C).max(initial=0.0) > 0)
        return replace(self._claimed, stochastic=self._claimed.stochastic or self._draws)

    @traits.setter
    def traits(self, claimed: Traits) -> None:
        self._claimed = claimed

    def declare(self, claims: Mapping[str, Any]) -> None:
        if {"stochastic", "reference"} & {*claims}:
            self._draws = False
        super().declare(claims)

    def levels_of(self, scheduler: Any) -> type[levels.SchedulerLevels]:
        sigmas = getattr(scheduler, "sigmas", None)
        cumprod = getattr(scheduler, "alphas_cumprod", None)
        if isinstance(sigmas, torch.Tensor):
            if getattr(scheduler.config, "use_flow_sigmas", False):
                return levels.FlowSigmas
            if cumprod is None:
                return levels.FlowMatchSigmas if float(sigmas.max()) <= 1 else levels.VESigmas
            exploding = float(getattr(scheduler, "init_noise_sigma", 1.0)) > 1
            return levels.VESigmas if exploding else levels.VPSigmas
        if isinstance(cumprod, torch.Tensor):
            return levels.TrainingSteps
        raise Unusable(f"{self.name}: no family of schedulers keeps its levels this way")
