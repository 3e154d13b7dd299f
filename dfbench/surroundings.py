"""What code may change around itself: defaults of torch and NumPy, and functions of others."""

from __future__ import annotations

import builtins
import inspect
import math
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

import numpy as np
import torch

OURS = ("dfbench", "analytic")
KINDS = property, classmethod, staticmethod
TRUSTED = (builtins, math, np, np.linalg, torch, torch.Tensor, torch.linalg)


class Defaults:
    """The defaults as they are when it is made."""

    def __init__(self) -> None:
        self.known = self._now()

    @staticmethod
    def _now() -> dict[str, Any]:
        return {
            "torch's default dtype": torch.get_default_dtype(),
            "torch's default device": torch.get_default_device(),
            "torch's gradients": torch.is_grad_enabled(),
            "NumPy's errors": np.geterr(),
        }

    def put_back(self) -> list[str]:
        """Make them as they were; the names of those that were not."""
        now = self._now()
        changed = [name for name, value in self.known.items() if now[name] != value]
        if changed:
            dtype, device, gradients, errors = self.known.values()
            torch.set_default_dtype(dtype)
            torch.set_default_device(device if device.type != "cpu" else None)
            torch.set_grad_enabled(gradients)
            np.seterr(**errors)
        return changed


class Functions:
    """What checks are made of: functions, classes and registers of ours, and those they use."""

    def __init__(self) -> None:
        self.known = dict(_functions())

    def replaced(self) -> list[str]:
        """The names of those that are another now."""
        now = dict(_functions())
        return [name for name, value in self.known.items() if now.get(name) is not value]


def _functions() -> Iterator[tuple[str, Any]]:
    """All of our modules and classes; of others, the operators and what ours call by its name."""
    modules = [m for name, m in sorted(sys.modules.items()) if name.partition(".")[0] in OURS]
    ours: list[Any] = []
    for module in modules:
        classes = (value for value in vars(module).values() if inspect.isclass(value))
        ours += [module, *(each for each in classes if each.__module__ == module.__name__)]
    used: set[str] = set()
    for owner in ours:
        inside = f"{owner.__module__}." if inspect.isclass(owner) else ""
        for name, value in list(vars(owner).items()):
            if isinstance(value, KINDS) or (callable(value) and not name.startswith("__pydantic")):
                used |= _called(getattr(inspect.unwrap(value), "__code__", None))
                yield f"{inside}{owner.__name__}.{name}", value
            elif isinstance(value, dict) and not name.startswith("__"):
                register = list(value.items())
                yield from (
                    (f"{owner.__name__}.{name}[{k!r}]", v) for k, v in register if callable(v)
                )
    for owner in TRUSTED:
        for name in dir(owner):
            if name in used or name.startswith("__"):  # inherited ones, too
                value = inspect.getattr_static(owner, name)
                if callable(value):
                    yield f"{owner.__name__}.{name}", value


def _called(code: Any) -> set[str]:
    """The names that code uses, and the code in it."""
    if not isinstance(code, CodeType):
        return set()
    inner = (_called(each) for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*inner)
