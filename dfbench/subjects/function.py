"""A function, or an object, that is no sampler: what subjects of the smaller kinds share."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from dfbench.errors import Unusable
from dfbench.outcome import Finding
from dfbench.subjects.blamed import blamed
from dfbench.subjects.conventions import ASSUMED
from dfbench.subjects.roles import parameters
from dfbench.subjects.subject import Subject
from dfbench.wording import listed

DOUBLE = "torch.set_default_dtype(torch.float64)\n"


class FunctionSubject(Subject):
    """Something that is called, under certification.

    Args:
        thing: a function; an object; a class, which is constructed once.
        name, config, call: as of a loop.
        claims: see `dfbench.subjects.declared`.
        library, version: whose it is.
    """

    kind = "function"

    def __init__(
        self,
        thing: Any,
        name: str,
        config: dict[str, Any] | None = None,
        call: dict[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
        library: str = "",
        version: str = "",
    ) -> None:
        super().__init__(config, call)
        self.name, self.library, self.version = name, library, version
        with blamed(f"the {self.kind}"):
            self.thing = thing(**self.config) if inspect.isclass(thing) else thing
        self.declare(claims or {})

    def declare(self, claims: Mapping[str, Any]) -> None:
        super().declare(claims)
        assert self.declared is not None
        if not self.declared.given:
            self.notes = []
        self.notes = [note for note in self.notes if not note.startswith(ASSUMED)]
        self.forget()
        self.settle()

    def settle(self) -> None:
        """What follows from what is declared, and what has to be read."""

    def reproducer(self, claim: str, finding: Finding) -> str | None:
        """A call with the arguments of the counterexample, where it has any."""
        given = (finding.counterexample or {}).get("arguments")
        if given is None or self.library or (fetched := fetching(self.name)) is None:
            return None
        arguments = ", ".join(f"{name}={_written(value)}" for name, value in given.items())
        made = f"thing = thing(**{self.config!r})\n" if self.config else ""
        method = (finding.counterexample or {}).get("method")
        called = f"thing.{method}" if method else "thing"
        lines = [f"found = {called}({arguments})", 'print("found    ", found)']
        if "should be" in (finding.counterexample or {}):
            lines.append(f'print("should be", {finding.counterexample["should be"]!r})')  # type: ignore[index]
        return fetched + made + "\n".join(lines) + "\n"


def fetching(name: str) -> str | None:
    """Python that makes `thing` of `path/to/file.py:NAME` or `package.module:NAME`."""
    where, _, attribute = name.rpartition(":")
    if not where or not attribute.isidentifier():
        return None
    head = "import torch\n\n"
    if where.endswith(".py"):
        return f"import runpy\n\n{head}thing = runpy.run_path({where!r})[{attribute!r}]\n{DOUBLE}"
    if not all(part.isidentifier() for part in where.split(".")):
        return None
    return f"{head}from {where} import {attribute} as thing\n\n{DOUBLE}"


def _written(value: Any) -> str:
    """Nested lists are tensors in the notation of a counterexample."""
    return f"torch.tensor({value!r})" if isinstance(value, list) else repr(value)


def arguments(
    function: Any,
    names: Mapping[str, Sequence[str]],
    declared: Mapping[str, str],
    given: Mapping[str, Any],
    needed: Sequence[str],
    who: str,
) -> dict[str, str]:
    """Role → name of the argument.

    Args:
        names: role → what people call it, the roles that go first before the others.
        declared: role → name, which goes before these.
        given: arguments that the user gives, which have no role.
        needed: roles that there have to be.
        who: in messages.

    Raises:
        Unusable: an argument that has to be given, or a role that is needed, is not known.
    """
    found: dict[str, str] = {}
    unknown = []
    for name, parameter in parameters(function).items():
        if name in given or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        plain = name.lower().lstrip("_")
        said = [role for role, called in declared.items() if called == name]
        known = said or [role for role, called in names.items() if plain in called]
        role = next((r for r in known if r not in found), None)
        if role is not None:
            found[role] = name
        elif parameter.default is parameter.empty:
            unknown.append(name)
    missing = [role for role in needed if role not in found]
    if unknown or missing:
        what = f"what {listed(unknown)} is" if unknown else f"which argument is the {missing[0]}"
        raise Unusable(
            f"{who}: nobody says {what}; it has {', '.join(parameters(function)) or 'none'}: "
            f"give it in the call, or declare its role, one of {', '.join(names)}"
        )
    return found
