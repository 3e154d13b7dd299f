"""What can be certified, and how what a user names becomes it."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from dfbench.errors import Unusable, short
from dfbench.outcome.expected import Predicted
from dfbench.subjects import kinds, loop
from dfbench.subjects.contract import Depth, Subject
from dfbench.subjects.library import Library, library, library_names
from dfbench.subjects.listed import Listed, listed
from dfbench.subjects.profiles import claims_of
from dfbench.subjects.program import PREFIX, Program

ACCEPTED = "LIBRARY, LIBRARY:NAME, package.module:NAME or path/to/file.py:NAME"


def libraries() -> dict[str, list[str]]:
    """The subjects of every library that is installed, by library."""
    known = map(library, library_names())
    return {each.name: each.names() for each in known if each.installed}


def excluded(name: str) -> dict[str, str]:
    """What of a library cannot be certified, and why; nothing of what is no library."""
    return library(name).excluded() if name in library_names() else {}


def of_users(name: str) -> bool:
    """Whether a name is that of somebody's own code: in a file, or in a module of no library."""
    where, colon, what = name.rpartition(":")
    if name.startswith(PREFIX):
        return True
    if not colon:
        return name.endswith(".py") or (name not in _known_libraries() and name in listed())
    return _library_name(where, what) not in library_names()


def _library_name(where: str, name: str = "") -> str:
    """Of a library as people write it: `k-diffusion` is k_diffusion, and a module of a library that
    is known as one is a library, of its names."""
    module = where.replace(".", "_")
    if module != where and module in library_names():
        known = library(module)
        if not name or name in (*known.names(), *known.others()):
            return module
    return where.replace("-", "_")


def _known_libraries() -> set[str]:
    return {*library_names(), *(name.replace("_", "-") for name in library_names())}


def resolve(
    subject: Any,
    config: dict[str, Any] | None = None,
    call: dict[str, Any] | None = None,
    configs: str = "default",
    profile: str | None = None,
) -> list[Subject]:
    """The subjects that a name stands for, or an object is.

    Args:
        subject: one of the forms in `ACCEPTED`, or a class, an instance, a function that makes
            one, or a reference method.
        config, call: arguments of the constructor and of the sampling call.
        configs: "default", or "all" for every configuration of a library's class that its
            options are worth.
        profile: the calling convention of code of one's own, see `dfbench.subjects.profiles`.

    Raises:
        Unusable: nothing that can be certified has this name.
    """
    config, call = config or {}, call or {}
    if configs not in ("default", "all"):
        raise Unusable(f"configs must be 'default' or 'all', got {configs!r}")
    if not isinstance(subject, str):
        return [_made_of(subject, None, config, call, profile)]
    if subject.startswith(PREFIX):
        program = Program(subject.removeprefix(PREFIX))
        return [_made_of(program, subject, config, call, profile)]
    where, colon, name = subject.rpartition(":") if ":" in subject else (subject, "", "")
    if (known := _library_name(where, name)) in library_names():
        if profile:
            raise Unusable(f"{subject}: a library's conventions are known; --as is for other code")
        return [*library(known).samplers(name, config, call, configs)]
    if not colon and subject.endswith(".py"):
        names, said = _held(subject)
        if len(names) != 1:
            raise Unusable(said)
        (made,) = resolve(f"{subject}:{names[0]}", config, call, configs, profile)
        return [made]
    if not colon and subject in listed():
        return [_as_listed(listed()[subject], config, call, profile)]
    if not colon:
        if subject in library("dfbench").names() + library("dfbench").others():
            raise Unusable(f"{subject}: a reference method is written dfbench:{subject}")
        known = ", ".join(library_names())
        raise Unusable(f"{subject}: not a known library ({known}); give {ACCEPTED}")
    if not where or not name:
        raise Unusable(f"{subject!r}: give {ACCEPTED}")
    from dfbench.loading import load_module

    module = load_module(where)
    if not hasattr(module, name):
        offered = [n for n, v in vars(module).items() if inspect.isclass(v) and _recognising(v)]
        hint = f"; it has {', '.join(offered[:8])}" if offered else ""
        raise Unusable(f"{where} has no {name}{hint}")
    return [_made_of(getattr(module, name), subject, config, call, profile)]


def _as_listed(
    one: Listed, config: dict[str, Any], call: dict[str, Any], profile: str | None
) -> Subject:
    """A subject of `dfbench.toml`."""
    (made,) = resolve(
        one.code, one.config | config, one.call | call, profile=profile or one.profile
    )
    made.name = one.name
    if one.declare:
        made.declare(one.declare)
    return made


def _held(path: str) -> tuple[list[str], str]:
    """The names in a file of what can be certified, and what each thing in it is taken for."""
    from dfbench.loading import load_module

    module = load_module(path)
    own = {n: v for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__}
    lines, found = [], []
    for name, thing in own.items():
        like, claims = _recognising(thing), _declared(thing)
        if like is not None:
            taken, why = f"a {like.word} like those of {like.name}", ""
        elif not callable(thing) or name.startswith("_"):
            continue
        elif (kind := kinds.kind_of(thing, claims)) is not None:
            taken, why = f"a {kind}", ""
        else:
            why = loop.why_not(thing, claims)
            taken = f"no sampler ({why})" if why else f"a sampler: {loop.taken_for(thing)}"
        lines.append(f"{path}:{name}: {taken}")
        found += [] if why else [name]
    if not lines:
        return [], f"{path} holds nothing that can be certified"
    return found, "\n  ".join([f"{path}: give the name of what it holds:", *lines])


MOST_STEPS = 4096  # the table of as many has four thousand rows of as many columns


@dataclass(frozen=True)
class Asked:
    """How subjects are made, and what is asked of all of them; see `dfbench.certify`.

    Raises:
        Unusable: a step count is not a positive whole number, or there is no such depth.
    """

    config: dict[str, Any] | None = None
    call: dict[str, Any] | None = None
    configs: str = "default"
    steps: Sequence[int] = ()
    declare: dict[str, Any] | None = None
    expected: Predicted = field(default_factory=dict)
    depth: Depth = "quick"
    profile: str | None = None

    def __post_init__(self) -> None:
        if self.depth not in get_args(Depth):
            known = " or ".join(map(repr, get_args(Depth)))
            raise Unusable(f"depth must be {known}, got {self.depth!r}")
        given = tuple(dict.fromkeys(self.steps))
        wrong = [n for n in given if not isinstance(n, int) or isinstance(n, bool) or n < 1]
        if wrong:
            raise Unusable(f"steps must be positive whole numbers, got {wrong[0]!r}")
        if max(given, default=0) > MOST_STEPS:
            raise Unusable(f"steps must be at most {MOST_STEPS}, got {short(max(given))}")
        object.__setattr__(self, "steps", given)

    @property
    def given(self) -> dict[str, Any]:
        """How subjects are made, as arguments of `dfbench.certify`."""
        names = ("config", "call", "steps", "declare", "profile")
        deep = {"depth": self.depth} if self.depth != "quick" else {}
        return {name: value for name in names if (value := getattr(self, name))} | deep

    def samplers(self, subject: Any) -> list[Subject]:
        """What one subject stands for.

        Raises:
            Unusable: there are none.
        """
        profile = self.profile
        kind = (self.declare or {}).get("kind")
        if kind in kinds.KINDS and (not isinstance(subject, str) or of_users(subject)):
            profile = profile or kind  # the profiles of kinds have their names
        found = resolve(subject, self.config, self.call, self.configs, profile)
        if self.declare and len(found) > 1:
            raise Unusable("--declare needs one subject")
        return [self._asked(sampler) for sampler in found]

    def _asked(self, sampler: Subject) -> Subject:
        """The sampler with what is asked of it, which leaves one that was handed in as it is."""
        expected = {**self.expected.get("", {}), **self.expected.get(sampler.name, {})}
        if not self.steps and not self.declare and not expected and self.depth == "quick":
            return sampler
        made = copy.copy(sampler)
        made.depth = self.depth
        if self.steps:
            made.steps = tuple(self.steps)
        if self.declare:
            made.declare(self.declare)
        made.expected = {**made.expected, **expected}
        return made

    @property
    def said(self) -> dict[str, Any]:
        """What a certificate says of it besides."""
        deep = {"depth": self.depth} if self.depth != "quick" else {}
        return ({"steps": list(self.steps)} if self.steps else {}) | deep


def _recognising(thing: Any) -> Library | None:
    """The library whose samplers are like a thing."""
    return next((each for each in map(library, library_names()) if each.recognises(thing)), None)


def _made_of(
    thing: Any,
    name: str | None,
    config: dict[str, Any],
    call: dict[str, Any],
    profile: str | None = None,
) -> Subject:
    if isinstance(thing, Subject):
        return thing
    name = name or _name(thing)
    claims = {**(claims_of(profile, thing) if profile else {}), **_declared(thing)}
    if _recognising(thing) is None and (found := kinds.kind_of(thing, claims)) is not None:
        return kinds.made(found, thing, name, config, call, claims)
    if profile or (_recognising(thing) is None and loop.recognises(thing, claims, call)):
        return loop.LoopSampler(thing, name, config, call, claims)
    kind, maker = _recognising(thing), None
    if kind is None and callable(thing) and not inspect.isclass(thing):
        thing, config, maker = _made_by(thing, name, config, call), {}, config
        kind = _recognising(thing)
    if kind is None:
        shapes = " nor ".join(filter(None, (library(each).shape for each in library_names())))
        raise Unusable(
            f"{name} is not something that can be certified: it is neither {shapes}, nor a sampler "
            f"that is called with a network and a state ({loop.why_not(thing, claims, call)}); "
            f"if it is none of these, say what: --as {', '.join(kinds.KINDS)}"
        )
    made = kind.made_of(thing, name, config, call)
    made.maker = maker
    if claims := _declared(thing):
        made.declare(claims)
    return made


def _declared(thing: Any) -> dict[str, Any]:
    """What its owner declares of it, where it stands."""
    found = getattr(thing, "dfbench", None)
    return dict(found) if isinstance(found, Mapping) else {}


def _name(thing: Any) -> str:
    """What an object is called by its class, or a function by itself."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    package = named.__module__.partition(".")[0]
    where = package if package in library_names() else named.__module__
    return f"{where}:{named.__qualname__}"


def _made_by(function: Any, name: str, config: dict[str, Any], call: dict[str, Any]) -> Any:
    """What a user's function makes of the configuration."""
    try:
        return function(**config)
    except Exception as error:
        raise Unusable(
            f"{name} is not something that can be certified, and makes nothing that can: "
            f"{type(error).__name__}: {error}; nor is it a sampler: "
            f"{loop.why_not(function, {}, call)}; if it is something else, say what: "
            f"--as {', '.join(kinds.KINDS)}"
        ) from error


__all__ = ["ACCEPTED", "Asked", "excluded", "libraries", "of_users", "resolve"]
