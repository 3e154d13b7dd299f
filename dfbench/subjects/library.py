"""What a library says to become subjects, and where those are found that say it.

A library is a folder of `dfbench/subjects` with an object `LIBRARY`; nothing outside the folder
names it, and it is imported when somebody asks for it. A package has one of its own by an entry
point of the group `dfbench.subjects`: its name, and the object.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from typing import Any

from dfbench.errors import Unusable
from dfbench.subjects.contract import Sampler, Subject


class Library(ABC):
    """Somebody's samplers.

    Attributes:
        name: the folder, what a user writes before the colon, and the package to be installed.
        word: what the library calls one of its samplers.
        heavy: modules that its samplers need and that take long to load.
        shape: what an object is that is one of them, in the words of "it is neither …".
    """

    name: str
    word: str = "sampler"
    heavy: tuple[str, ...] = ()
    shape: str

    @property
    def installed(self) -> bool:
        """Whether it can be imported."""
        return importlib.util.find_spec(self.name) is not None

    @abstractmethod
    def names(self) -> list[str]:
        """What of it is certified when the whole library is."""

    def others(self) -> list[str]:
        """What else it has: what needs a configuration, or is excluded."""
        return []

    def excluded(self) -> dict[str, str]:
        """What of it cannot be certified → why."""
        return {}

    def configurations(self, name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """(constructor arguments, call arguments) that are worth a certificate, defaults first."""
        return [({}, {})]

    @abstractmethod
    def named(self, name: str, config: dict[str, Any], call: dict[str, Any]) -> Subject:
        """What one of its names stands for.

        Raises:
            Unusable: it refuses the configuration, or the arguments of the call.
        """

    @abstractmethod
    def recognises(self, thing: Any) -> bool:
        """Whether a class or object offers what its samplers offer, wherever it is defined."""

    @abstractmethod
    def made_of(
        self, thing: Any, name: str, config: dict[str, Any], call: dict[str, Any]
    ) -> Sampler:
        """The sampler that a class or object is which it recognises, under this name.

        Raises:
            Unusable: as `named`, or it cannot be run after all.
        """

    def samplers(
        self, name: str, config: dict[str, Any], call: dict[str, Any], configs: str
    ) -> Sequence[Subject]:
        """What a name stands for, or the whole library if it is empty; see `resolve`.

        Raises:
            Unusable: it is not installed, or has no such name; or one of `named`.
        """
        if not self.installed:
            raise Unusable(f"{self.name} is not installed (pip install 'dfbench[{self.name}]')")
        known = [*self.names(), *self.others()]
        if name and name not in known:
            close = [each for each in known if name.lower() in each.lower()][:4]
            hint = f"do you mean {' or '.join(close)}?" if close else f"it has {', '.join(known)}"
            raise Unusable(f"{self.name} has no {self.word} {name}; {hint}")
        if name in self.excluded():
            raise Unusable(f"{self.name}:{name} cannot be certified: {self.excluded()[name]}")
        if config or call:
            if not name:
                raise Unusable("--config and --call need one subject: LIBRARY:NAME")
            return [self.named(name, config, call)]
        return [
            self.named(each, *pair)
            for each in ([name] if name else self.names())
            for pair in self.configurations(each)[: None if configs == "all" else 1]
        ]


@cache
def _announced() -> dict[str, metadata.EntryPoint]:
    """The libraries that installed packages announce, in the group `dfbench.subjects`."""
    return {each.name: each for each in metadata.entry_points(group="dfbench.subjects")}


@cache
def library_names() -> tuple[str, ...]:
    """The libraries that are known, installed or not; those of other packages come last."""
    folder = importlib.import_module("dfbench.subjects").__path__
    own = [each.name for each in pkgutil.iter_modules(folder) if each.ispkg]
    return (*own, *(name for name in sorted(_announced()) if name not in own))


def library(name: str) -> Library:
    """The library of a name, one of `library_names()`.

    Raises:
        Unusable: a package announces something else.
    """
    if name not in _announced():
        return importlib.import_module(f"dfbench.subjects.{name}").LIBRARY  # type: ignore[no-any-return]
    entry = _announced()[name]
    try:  # `entry.load()`, of which `surroundings` would take every `load` for one that we use
        found = getattr(importlib.import_module(entry.module), entry.attr)
    except Exception as error:  # of somebody else's code
        raise Unusable(f"{name}: cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(found, Library):
        raise Unusable(f"{name} announces {type(found).__name__}, which is no Library")
    return found
