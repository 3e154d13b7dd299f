"""Code by its name: a user's module or file; the files of a package, whichever there are."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, NewType

from dfbench.errors import Unusable

CodeName = NewType("CodeName", str)
"""`path/to/file.py:NAME` or `package.module:NAME`."""


def trusted() -> bool:
    """Whether code that a received folder names may run: `--trust`, which workers inherit."""
    return os.environ.get("DFBENCH_TRUST") == "1"


def modules_of(package: str, first: Sequence[str] = ()) -> Iterator[ModuleType]:
    """The modules of a package, imported: a file that is added is found.

    Args:
        package: its dotted name.
        first: those that come first, in this order; the others follow by name.
    """
    found = {module.name for module in iter_modules(sys.modules[package].__path__)}
    for name in (*first, *sorted(found - {*first})):
        yield importlib.import_module(f"{package}.{name}")


def load_module(where: str) -> Any:
    """The module `package.module`, or the one that `path/to/file.py` is.

    Raises:
        Unusable: there is none, or it cannot be run; the message says why.
    """
    return _from_file(where) if where.endswith(".py") else _from_module(where)


def _from_module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            raise Unusable(f"no module named {error.name!r}") from error
        raise Unusable(f"{name} cannot be imported: {error}") from error
    except Exception as error:
        raise Unusable(f"{name} cannot be imported: {type(error).__name__}: {error}") from error


def _from_file(path: str) -> Any:
    file = Path(path)
    if not file.is_file():
        raise Unusable(f"{path}: no such file")
    name = f"_dfbench_file_{abs(hash(str(file.resolve())))}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise Unusable(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look it up there
    sys.path.insert(0, str(file.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise Unusable(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(file.resolve().parent))
    return module
