"""Modules of a library without the packages that it imports and that its samplers do not need."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

MOST = 40  # packages that may be missing


class _Stub(ModuleType):
    """Has every name; what is made of one is a stub again."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing


class _Any(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing

    def __call__(cls, *args: Any, **options: Any) -> Any:
        if cls is _Nothing and len(args) == 1 and callable(args[0]):
            return args[0]  # a decorator leaves what it decorates
        return super().__call__(*args, **options)


class _Nothing(metaclass=_Any):
    """Stands for a class or a function that is never used."""

    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    def __call__(self, *args: Any, **options: Any) -> Any:
        return args[0] if len(args) == 1 and callable(args[0]) else self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing()


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes a stub of each module of the packages that are missing."""

    def __init__(self) -> None:
        self.missing: set[str] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] not in self.missing:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        made = _Stub(spec.name)
        made.__path__ = []
        vars(made)["__version__"] = "999"  # new enough for whoever asks
        return made

    def exec_module(self, module: ModuleType) -> None:
        pass


def imported(name: str) -> tuple[ModuleType, tuple[str, ...]]:
    """A module, and the packages that were missing when it was imported.

    These are there, as stubs, for the time of the import only.

    Raises:
        ImportError: the library itself is missing, or cannot be imported for another reason.
    """
    finder, root = _Finder(), name.partition(".")[0]
    sys.meta_path.append(finder)  # the last: what is there is taken
    try:
        for _ in range(MOST):
            try:
                return importlib.import_module(name), tuple(sorted(finder.missing))
            except ModuleNotFoundError as error:
                package = (error.name or "").partition(".")[0]
                if package in ("", root) or package in finder.missing:
                    raise
                finder.missing.add(package)
                for each in [m for m in sys.modules if m.partition(".")[0] == root]:
                    del sys.modules[each]
        raise ImportError(f"{name} needs more than {MOST} packages that are missing")
    finally:
        sys.meta_path.remove(finder)
        for each in [m for m in sys.modules if m.partition(".")[0] in finder.missing]:
            del sys.modules[each]
