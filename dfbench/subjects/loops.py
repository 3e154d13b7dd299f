"""A library of whole loops and of losses: which there are, and what is known of each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

from dfbench.environment import version
from dfbench.errors import Unusable
from dfbench.subjects import kinds
from dfbench.subjects.contract import Sampler
from dfbench.subjects.library import Library
from dfbench.subjects.loop import LoopSampler
from dfbench.subjects.stubs import imported
from dfbench.subjects.subject import Subject

AS_RELEASED = ("reference", "options", "stochastic")  # of claims: options may change it


@dataclass(frozen=True)
class Loop:
    """One of a library's samplers or losses.

    Attributes:
        made: of the library's module, the function, class or object.
        claims: what it declares, as a user's own would: see `dfbench.subjects.declared`.
        call: arguments that it is called with, beside those of a user.
        more: (configuration, call) pairs that are worth a certificate beside the defaults.
    """

    made: Callable[[ModuleType], Any]
    claims: Mapping[str, Any] = field(default_factory=dict)
    call: Mapping[str, Any] = field(default_factory=dict)
    more: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = ()


class Loops(Library):
    """A library whose samplers are whole loops.

    Attributes:
        module: where they are.
        claims: that all of them make.
        needed: packages that have to be there, beside those that are not needed.
    """

    module: str
    claims: Mapping[str, Any] = {}
    shape = ""

    @abstractmethod
    def loops(self) -> dict[str, Loop]:
        """Its samplers by name; nothing is imported for it."""

    def names(self) -> list[str]:
        return sorted(name for name in self.loops() if name not in self.excluded())

    def others(self) -> list[str]:
        return list(self.excluded())

    def configurations(self, name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        return [({}, {}), *self.loops()[name].more]

    def recognises(self, thing: Any) -> bool:
        return False  # its functions are recognised as anybody's are

    def made_of(
        self, thing: Any, name: str, config: dict[str, Any], call: dict[str, Any]
    ) -> Sampler:
        raise Unusable(f"{name} is no sampler of {self.name}")

    def named(self, name: str, config: dict[str, Any], call: dict[str, Any]) -> Subject:
        loop = self.loops()[name]
        module, missing = _module(self.module)
        try:
            thing = loop.made(module)
        except AttributeError as error:
            raise Unusable(f"{self.name}:{name}: this release has none: {error}") from error
        claims = {**self.claims, **loop.claims}
        if config or call:  # it is said to be a method as it is released
            claims = {k: v for k, v in claims.items() if k not in AS_RELEASED}
        known = self.name, version(self.distribution) or ""
        given = thing, f"{self.name}:{name}", config
        made: Subject
        if (kind := claims.get("kind")) in kinds.KINDS:
            made = kinds.made(kind, *given, {**loop.call, **call}, claims, *known)
        else:
            made = LoopSampler(*given, call, claims, *known, loop.call)
        if missing:
            made.notes.append(f"without {', '.join(missing)}, which it imports and does not need")
        return made

    @property
    def distribution(self) -> str:
        """The name under which it is installed."""
        return self.name.replace("_", "-")


@cache
def _module(name: str) -> tuple[ModuleType, tuple[str, ...]]:
    return imported(name)
