"""How the defects and the right subjects are written down; the files beside this one list them."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import torch

from tests.defects import plain
from tests.defects.plain import PLAIN, Noised, Run

#: By what a user would notice them in.
ROOMS = (
    *("steps", "history", "shapes", "noise", "dtypes", "times", "middle", "explicit", "grids"),
    *("starts", "predictions", "options", "clipping", "companions", "returns", "formulas"),
    "objects",
)

C = TypeVar("C", bound=Callable[..., Any])
DEFECTS: dict[str, Defect] = {}
RIGHT: dict[str, Right] = {}


@dataclass(frozen=True)
class Defect:
    """Something wrong, beside the same thing right.

    Attributes:
        name: "room/name".
        says: what is wrong, in a sentence.
        wrong: a class, or a function that makes an object.
        right: the class or function that it is compared with.
        config: of both.
        when: the run in which it shows.
        hidden: it does not show in the plain run (with the same arguments of the calls).
    """

    name: str
    says: str
    wrong: Callable[..., Any]
    right: Callable[..., Any]
    config: dict[str, Any] = field(default_factory=dict)
    when: Run | Noised = PLAIN
    hidden: bool = False

    def of(self, make: Callable[..., Any]) -> Callable[[], Any]:
        """Makes one of the two with the configuration."""
        return lambda: make(**self.config)

    @cached_property
    def effect(self) -> tuple[float, str]:
        """How far it is from right where it shows, and in what; measured without dfbench."""
        return plain.effect(self.of(self.wrong), self.of(self.right), self.when)

    def otherwise(self) -> tuple[float, str]:
        """The same in the plain run."""
        ordinary = Run(call=self.when.call if isinstance(self.when, Run) else {})
        return plain.effect(self.of(self.wrong), self.of(self.right), ordinary)


@dataclass(frozen=True)
class Right:
    """Something right: nothing may be said against it.

    Attributes:
        name, says, make, config: as of a defect.
        call: arguments of `step`, or of `set_timesteps`.
        like: the class or function that it has to run as, with the same arguments.
        point: the network for data at a point, (scheduler, input, time) → output.
        known: claims that a real configuration fails → the defect of the release, by its entry in
            `reports/diffusers/adjudication.json`.
    """

    name: str
    says: str
    make: Callable[..., Any]
    config: dict[str, Any] = field(default_factory=dict)
    call: dict[str, Any] = field(default_factory=dict)
    like: Callable[..., Any] | None = None
    point: Callable[[Any, torch.Tensor, Any], torch.Tensor] | None = None
    known: dict[str, str] = field(default_factory=dict)


def wrong(
    right: Callable[..., Any] | None = None,
    *,
    when: Run | Noised = PLAIN,
    hidden: bool = False,
    **config: Any,
) -> Callable[[C], C]:
    """Enters a class that is wrong; its docstring says how. Right is by default its base."""

    def enter(cls: C) -> C:
        for name in {"step", "set_timesteps"} & vars(
            cls
        ).keys():  # what `*args` hides is the base's
            known = inspect.signature(getattr(cls.__bases__[0], name))
            vars(cls)[name].__signature__ = known
        says = inspect.cleandoc(cls.__doc__ or "")
        name = f"{cls.__module__.rpartition('.')[2]}/{cls.__name__}"
        _enter(Defect(name, says, cls, right or cls.__bases__[0], config, when, hidden))
        return cls

    return enter


def _keep_signatures(cls: Any) -> None:
    """What `*args` hides is the base's."""
    for name in {"step", "set_timesteps"} & vars(cls).keys():
        vars(cls)[name].__signature__ = inspect.signature(getattr(cls.__bases__[0], name))


def made(right: type, *, when: Run | Noised = PLAIN, **config: Any) -> Callable[[C], C]:
    """Enters an object of a right class to which a function does something wrong."""

    def enter(spoil: C) -> C:
        def spoilt(**given: Any) -> Any:
            scheduler = right(**given)
            spoil(scheduler)
            return scheduler

        says = inspect.cleandoc(spoil.__doc__ or "")
        name = f"{spoil.__module__.rpartition('.')[2]}/{spoil.__name__}"
        _enter(Defect(name, says, spoilt, right, config, when))
        return spoil

    return enter


def typo(
    name: str,
    says: str,
    right: type,
    method: str,
    *changes: str,
    when: Run | Noised = PLAIN,
    hidden: bool = False,
    **config: Any,
) -> None:
    """Enters a released class with places of one method written otherwise.

    `changes` are old, new, old, new …; white space in what is old counts as any other.
    """
    room = sys._getframe(1).f_globals["__name__"].rpartition(".")[2]
    _enter(
        Defect(
            f"{room}/{name}",
            says,
            edited(name, right, method, *changes),
            right,
            config,
            when,
            hidden,
        )
    )


def edited(name: str, base: type, method: str, *changes: str) -> type:
    """A subclass with places of one method's source written otherwise.

    Raises:
        ValueError: the source has no such place: the library has changed.
    """
    source = textwrap.dedent(inspect.getsource(getattr(base, method)))
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        pattern = r"\s+".join(map(re.escape, old.split()))
        source, count = re.subn(pattern, lambda _, new=new: new, source)
        if not count:
            raise ValueError(f"{base.__name__}.{method} has no {old!r}")
    owner = next(cls for cls in base.__mro__ if method in vars(cls))
    space = dict(vars(sys.modules[owner.__module__]))
    exec(compile("from __future__ import annotations\n" + source, f"<{name}>", "exec"), space)
    return type(name, (base,), {method: space[method], "__module__": __name__})


def _enter(defect: Defect) -> None:
    if defect.name in DEFECTS:
        raise ValueError(f"{defect.name} twice")
    DEFECTS[defect.name] = defect


def defects() -> dict[str, Defect]:
    """All of them, by name."""
    for room in ROOMS:
        importlib.import_module(f"tests.defects.{room}")
    return DEFECTS


def right(
    name: str,
    says: str,
    make: Callable[..., Any],
    *,
    call: dict[str, Any] | None = None,
    like: Callable[..., Any] | None = None,
    point: Callable[[Any, torch.Tensor, Any], torch.Tensor] | None = None,
    known: dict[str, str] | None = None,
    **config: Any,
) -> None:
    """Enters something right."""
    if name in RIGHT:
        raise ValueError(f"{name} twice")
    RIGHT[name] = Right(name, says, make, config, call or {}, like, point, known or {})


def like(other: Callable[..., Any], **config: Any) -> Callable[[C], C]:
    """Enters a class that does in another way what a right one does."""

    def enter(cls: C) -> C:
        _keep_signatures(cls)
        says = inspect.cleandoc(cls.__doc__ or "")
        right(f"variant/{cls.__name__}", says, cls, like=other, **config)
        return cls

    return enter


def subjects() -> dict[str, Right]:
    """All right subjects, by name."""
    importlib.import_module("tests.defects.right")
    return RIGHT
