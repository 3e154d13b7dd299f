"""diffusers' schedulers, and anything that behaves like one."""

from __future__ import annotations

import importlib
from typing import Any

from dfbench.subjects.diffusers.catalogue import ENTRIES
from dfbench.subjects.diffusers.configurations import configurations
from dfbench.subjects.diffusers.excluded import EXCLUDED
from dfbench.subjects.diffusers.sampler import SchedulerSampler

for _family in ("discrete", "solvers", "exploding", "flow", "consistency"):
    importlib.import_module(f"dfbench.subjects.diffusers.{_family}")


def recognises(thing: Any) -> bool:
    """Whether a class or instance offers what a scheduler offers."""
    return all(callable(getattr(thing, name, None)) for name in ("set_timesteps", "step"))


def classes() -> dict[str, type]:
    """The scheduler classes of the installed diffusers, by name.

    Raises:
        ImportError: diffusers is not installed.
    """
    schedulers = importlib.import_module("diffusers.schedulers")
    names = [name for name in dir(schedulers) if name.endswith("Scheduler")]
    # without transformers, a name is listed (ScoreSdeVpScheduler, in 0.42) that is not there
    found = {name: getattr(schedulers, name, None) for name in names}
    return {name: cls for name, cls in found.items() if isinstance(cls, type)}


__all__ = ["ENTRIES", "EXCLUDED", "SchedulerSampler", "classes", "configurations", "recognises"]
