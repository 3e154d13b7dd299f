"""Reading what a user wrote, strictly: errors name the key, what is there and what may be.

Tables are models of pydantic, of whose errors `Wrong` is the first in our words:

    >>> class Loop(Section):
    ...     steps: int = Field(1000, ge=1)
    >>> Loop.of({"steps": 0})
    Traceback (most recent call last):
    dfbench.reading.Wrong: steps: must be at least 1, got 0
    >>> Loop.of({"step": 5})
    Traceback (most recent call last):
    dfbench.reading.Wrong: step: no such key; accepted: steps; do you mean steps?
"""

from __future__ import annotations

import difflib
import inspect
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
    model_validator,
)

from dfbench.errors import Unusable, short
from dfbench.files import SETTINGS, content
from dfbench.loading import CodeName

T = TypeVar("T")

#: What pydantic's kinds of error say here.
_WORDS = {
    "bool_type": "must be true or false",
    "dataclass_type": "must be a table of keys and values",
    "dict_type": "must be a table of keys and values",
    "finite_number": "must be finite",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_type": "must be a whole number",
    "is_instance_of": "must be a text",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be one of {expected}",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
}


class Wrong(Unusable, ValueError):
    """Something that a user wrote is wrong; `path` leads to it from the top of the table."""

    def __init__(self, message: str, *path: str | int) -> None:
        self.message, self.path = message, path
        keys = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
        super().__init__(f"{keys.removeprefix('.')}: {message}" if keys else message)


@contextmanager
def at(*path: str | int) -> Iterator[None]:
    """Whatever is refused inside is `Wrong` at this path."""
    try:
        yield
    except Wrong as error:
        raise Wrong(error.message, *path, *error.path) from error
    except (Unusable, ValueError, TypeError) as error:
        raise Wrong(str(error), *path) from error


def hint(name: str, known: Collection[str]) -> str:
    """What is accepted, and what was probably meant."""
    close = difflib.get_close_matches(name, list(known), 3, 0.5)
    guess = f"; do you mean {' or '.join(close)}?" if close else ""
    return f"accepted: {', '.join(known) or 'none'}{guess}"


def one_of(name: Any, known: Collection[str], what: str) -> str:
    """A name out of those there are.

    Raises:
        Wrong: it is none of them.
    """
    if not isinstance(name, str) or name not in known:
        raise Wrong(f"no {what} {name!r}; {hint(str(name), known)}")
    return name


# Types --------------------------------------------------------------------------------------------


def _list(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _filled(value: tuple[T, ...]) -> tuple[T, ...]:
    if not value:
        raise Wrong("is empty")
    return value


def _once(value: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(value))


Some = Annotated[tuple[T, ...], BeforeValidator(_list)]
"""A list, which may be empty; what is no list is a list of one."""

Several = Annotated[tuple[T, ...], BeforeValidator(_list), AfterValidator(_filled)]
"""A list that is not empty."""

Distinct = Annotated[Several[T], AfterValidator(_once)]
"""The same, each once."""

Natural = Annotated[int, Field(ge=0)]

Positive = Annotated[int, Field(ge=1)]

Text = Annotated[str, Field(pattern=r"\S")]
"""A string that is not empty."""


class Section(BaseModel):
    """A table: the keys that it declares and no others, of their types, nothing converted."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        ser_json_inf_nan="constants",
        validate_default=True,
        protected_namespaces=(),
    )

    @model_validator(mode="before")
    @classmethod
    def _table(cls, content: Any) -> Any:
        if isinstance(content, cls):
            return content
        if not isinstance(content, Mapping):
            raise Wrong(f"must be a table of keys and values, got {_shown(content)}")
        for key in content:
            if key not in cls.model_fields and cls.model_config["extra"] == "forbid":
                raise Wrong(f"no such key; {hint(str(key), cls.model_fields)}", str(key))
        return dict(content)

    @classmethod
    def of(cls, content: Any, **context: Any) -> Self:
        """The table, checked.

        Raises:
            Wrong: something in it is wrong.
        """
        try:
            return cls.model_validate(content, context=context)
        except ValidationError as error:
            raise _first(error) from error


class Open(Section, extra="allow"):
    """A table with options beside its own keys."""

    @property
    def options(self) -> dict[str, Any]:
        """The keys that it does not declare."""
        return dict(self.model_extra or {})


def typed(kind: type[T], content: Any, origin: str) -> T:
    """An object of a class, a data class say, from what a program wrote.

    Members that the class does not have are passed over.

    Raises:
        Unusable: it is not one; the message starts with `origin`.
    """
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        raise Unusable(f"{origin}: {_first(error)}") from error


def _first(error: ValidationError) -> Wrong:
    """The first of pydantic's errors."""
    first = error.errors(include_url=False)[0]
    # in a union the names of the types that were tried are in the path
    path = [key for key in first["loc"] if "[" not in str(key)]
    known = first.get("ctx", {})
    cause = known.get("error")
    if isinstance(cause, Wrong):
        return Wrong(cause.message, *path, *cause.path)
    if first["type"] == "missing":
        return Wrong("is missing", *path)
    said = str(cause) if cause else _WORDS.get(first["type"], first["msg"]).format(**known)
    if first["type"] == "string_pattern_mismatch":
        said = _WORDS["string_type"]
    return Wrong(f"{said}, got {_shown(first['input'])}", *path)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# Functions ----------------------------------------------------------------------------------------


def _path(value: Any) -> Any:
    """A path that does not depend on where it is read again."""
    return Path(value).expanduser().resolve() if isinstance(value, str) else value


def _reference(value: Any) -> Any:
    """The same, before `:NAME`."""
    file, colon, name = str(value).rpartition(":")
    return f"{_path(file)}:{name}" if colon and file.endswith(".py") else value


def _hint(hint: Any) -> Any:
    """A parameter's type as it is written in TOML: strings for places, lists for tuples."""
    if hint is Path:
        return Annotated[Path, BeforeValidator(_path)]
    if hint is CodeName:
        return Annotated[str, BeforeValidator(_reference)]
    return Annotated[hint, Field(strict=False)] if get_origin(hint) is tuple else hint


class _Arguments(Section, allow_inf_nan=True):
    """Arguments of a function, which says itself whether they may be infinite."""

    @model_validator(mode="after")
    def _numbers(self) -> Self:
        for key, value in self:
            if value != value:
                raise Wrong("must be a number, got nan", key)
        return self


class _OpenArguments(_Arguments, extra="allow"):
    pass


@cache
def arguments(*functions: Callable[..., Any]) -> type[Section]:
    """The table of the arguments that a user gives: keyword-only ones, if there are such, else all.

    Args:
        functions: one that gets all arguments, or several that share them; those that the last
            takes as `**options` may have any name.
    """
    found: list[tuple[inspect.Parameter, Any]] = []
    for function in functions:
        hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
        parameters = inspect.signature(function).parameters.values()
        found += [(each, hints.get(each.name, Any)) for each in parameters]
    given = [pair for pair in found if pair[0].kind is inspect.Parameter.KEYWORD_ONLY] or [
        pair for pair in found if pair[0].kind is not inspect.Parameter.VAR_KEYWORD
    ]
    fields: dict[str, Any] = {
        each.name: (_hint(hint), ... if each.default is each.empty else each.default)
        for each, hint in given
    }
    others = found and found[-1][0].kind is inspect.Parameter.VAR_KEYWORD
    base = _OpenArguments if others else _Arguments
    return create_model(functions[-1].__name__, __base__=base, **fields)


def called(function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """`function(**given)`, its arguments checked.

    Raises:
        Wrong: an argument that it has not got, one of another type, or what it refuses itself.
    """
    arguments(function).of(given)
    with at():
        return function(**given)


# Files --------------------------------------------------------------------------------------------


def shipped(package: str) -> dict[str, Any]:
    """The studies that come with a package, by name."""
    files = (resources.files(package) / "studies").iterdir()
    found = {file.name.removesuffix(".toml"): file for file in files if file.name[-5:] == ".toml"}
    return dict(sorted(found.items()))


def toml(name: str, known: Mapping[str, Any], parse: Callable[[dict[str, Any], str], T]) -> T:
    """A study out of a TOML file, or one of those that are shipped.

    Args:
        name: of the file, or of one of `known`.
        parse: (content, text) → the study.

    Raises:
        Unusable: it is not there, or not TOML, or `parse` refuses it.
    """
    try:
        text = str(
            known[name].read_text(encoding="utf-8")
            if name in known
            else content(name, SETTINGS).decode("utf-8")
        )
        return parse(tomllib.loads(text), text)
    except OSError as error:
        reason = f"{name}: {(error.strerror or str(error)).lower()}"
        if isinstance(error, FileNotFoundError) and not name.endswith(".toml"):
            reason = f"no study {short(name)}"
        raise Unusable(
            f"{reason}; give a TOML file, or the name of a study that is shipped; "
            f"{hint(name, known)}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(f"{name}: not TOML: {error}") from error
    except Wrong as error:
        raise Unusable(f"{name}: {error}") from error
