"""How somebody's sampler is called: a function, a class, an object, with its arguments by role."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from torch.nn import Module

from dfbench.errors import Unusable
from dfbench.subjects.alike import duplicate
from dfbench.subjects.roles import NAMES, parameters, roles_of
from dfbench.wording import listed

#: Methods of a class that may make the samples; the first that there is.
METHODS = (
    *("__call__", "sample", "p_sample_loop", "generate", "run", "solve", "integrate"),
    *("compute_loss", "loss", "forward"),
)
#: Roles one of which says how much noise there is at the start.
STARTS = ("state", "shape", "batch")


class Entry:
    """A thing that makes samples.

    Args:
        thing: a function; a class, which is constructed for every run; an object, of which every
            run has a copy.
        name: in messages.
        roles: declared, role → name of the argument.
        config, call: other arguments of the constructor and of the call.
        method: of a class or an object that makes the samples; empty: the first of `METHODS`.

    Raises:
        Unusable: nobody says what an argument is, or where the network is to be put.

    Attributes:
        roles: those that there are, wherever.
    """

    def __init__(
        self,
        thing: Any,
        name: str,
        roles: Mapping[str, str],
        config: dict[str, Any],
        call: dict[str, Any],
        method: str = "",
    ) -> None:
        self.thing, self.name, self.config, self.call = thing, name, config, call
        self.constructor: dict[str, str] = {}
        self.put: dict[str, str] = {}  # role → attribute of the object, or global of the module
        self.method = method or method_of(thing)
        with self._said():
            if inspect.isclass(thing):
                self.constructor = roles_of(thing, roles, config)
            elif config:
                raise Unusable("it is no class, and takes no configuration")
            self.called = roles_of(self._callee, roles, call)
            _known(self._callee, call)
            self._placed(roles)
        missing = [] if "model" in self.roles else ["the network (model)"]
        if not any(role in self.roles for role in STARTS):
            missing.append("its start (state, shape or batch)")
        if missing:
            where = ", ".join(parameters(self._callee)) or "none"
            raise Unusable(
                f"{name}: nobody says which argument is {listed(missing)}; it has {where}: "
                'declare roles={"model": …, "state": …}'
            )

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except Unusable as error:
            raise Unusable(f"{self.name}: {error}") from error

    @property
    def _callee(self) -> Callable[..., Any]:
        return getattr(self.thing, self.method) if self.method else self.thing  # type: ignore[no-any-return]

    @property
    def roles(self) -> set[str]:
        return {*self.constructor, *self.called, *self.put}

    def _placed(self, declared: Mapping[str, str]) -> None:
        """Where the network is no argument, it is a global that the function uses, or an
        attribute."""
        if "model" in self.constructor or "model" in self.called:
            return
        names = (declared["model"],) if "model" in declared else NAMES["model"]
        for name in names:
            if not self.method:
                used = getattr(self.thing, "__code__", None)
                if used is not None and name in used.co_names and name in self.thing.__globals__:
                    self.put["model"] = name
                    return
            elif not inspect.isclass(self.thing) and hasattr(self.thing, name):
                self.put["model"] = name
                return

    def fresh(self) -> Any:
        """The function, a class, or a copy of the object: what runs that go on share."""
        if not self.method or inspect.isclass(self.thing):
            return self.thing
        return duplicate(self.thing)

    def __call__(self, thing: Any, values: Mapping[str, Any]) -> Any:
        """What comes of a run.

        Args:
            thing: `fresh`.
            values: by role; those that have none are not needed.
        """
        if inspect.isclass(self.thing):
            thing = thing(**self.config, **_by_name(self.constructor, values))
        function = getattr(thing, self.method) if self.method else thing
        with self._with_network(thing, values):
            known = parameters(self._callee)
            named = {**self.call, **_by_name(self.called, values)}
            first = [
                named.pop(name)
                for name, p in known.items()
                if p.kind is p.POSITIONAL_ONLY and name in named
            ]
            return function(*first, **named)

    @contextlib.contextmanager
    def _with_network(self, thing: Any, values: Mapping[str, Any]) -> Iterator[None]:
        """The network in the place of a global or an attribute."""
        if "model" not in self.put:
            yield
            return
        name = self.put["model"]
        if self.method:
            setattr(thing, name, values["model"])
            yield
            return
        namespace = self.thing.__globals__
        before = namespace[name]
        namespace[name] = values["model"]
        try:
            yield
        finally:
            namespace[name] = before


def method_of(thing: Any) -> str:
    """The method that makes the samples; empty: the thing itself is a function."""
    if (
        isinstance(thing, partial)
        or inspect.isroutine(thing)
        or not (inspect.isclass(thing) or hasattr(thing, "__dict__"))
    ):
        return ""
    if not inspect.isclass(thing) and not hasattr(type(thing), "__mro__"):
        return ""
    cls = thing if inspect.isclass(thing) else type(thing)
    return next((n for n in METHODS if callable(getattr(cls, n, None)) and _own(cls, n)), "")


def _own(cls: type, name: str) -> bool:
    """Whether a class has it by itself: every class can be called, and every module of torch."""
    return any(name in vars(base) for base in cls.__mro__ if base not in (object, Module))


def _by_name(roles: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[role] for role, name in roles.items()}


def _known(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    known = parameters(function)
    if any(p.kind is p.VAR_KEYWORD for p in known.values()):
        return
    if unknown := [name for name in given if name not in known]:
        raise Unusable(f"takes no argument {listed(unknown)}; it has {', '.join(known) or 'none'}")
