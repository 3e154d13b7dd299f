"""Reading a description strictly: every error names the key, what was there and what may be."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn

from dfbench.errors import Unusable

_REQUIRED = object()


def refuse(path: str, message: str) -> NoReturn:
    """Raise the one error there is: `path: message`."""
    raise Unusable(f"{path}: {message}" if path else message)


def hint(name: str, known: Collection[str]) -> str:
    """What is accepted, and what was probably meant."""
    close = difflib.get_close_matches(name, list(known), 3, 0.5)
    guess = f"; do you mean {' or '.join(close)}?" if close else ""
    return f"accepted: {', '.join(known) or 'none'}{guess}"


def one_of(path: str, name: Any, known: Collection[str], what: str) -> str:
    """A name out of those there are."""
    if not isinstance(name, str) or name not in known:
        refuse(path, f"no {what} {name!r}; {hint(str(name), known)}")
    return name


class Section:
    """A mapping whose keys are taken one by one; `close` refuses those that nobody took."""

    def __init__(self, path: str, content: Any) -> None:
        if not isinstance(content, Mapping):
            refuse(path, f"must be a table of keys and values, got {_shown(content)}")
        self.path, self._left = path, dict(content)
        self._known: list[str] = []

    def at(self, key: str) -> str:
        """The path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def take(self, key: str, default: Any = _REQUIRED) -> Any:
        """A value of any kind."""
        self._known.append(key)
        if key not in self._left and default is _REQUIRED:
            refuse(self.at(key), "is missing")
        return self._left.pop(key, default)

    def text(self, key: str, default: Any = _REQUIRED) -> str:
        """A string that is not empty."""
        value = self.take(key, default)
        if value is not default and not (isinstance(value, str) and value.strip()):
            refuse(self.at(key), f"must be a text, got {_shown(value)}")
        return str(value)

    def integer(self, key: str, least: int, default: Any = _REQUIRED) -> int:
        """A whole number of at least `least`."""
        return _integer(self.at(key), self.take(key, default), least)

    def integers(self, key: str, least: int, default: Any = _REQUIRED) -> tuple[int, ...]:
        """Whole numbers, each once; there may be none if that is the default."""
        values = self.any(key) if default == () else self.several(key, default)
        whole = [_integer(f"{self.at(key)}[{i}]", v, least) for i, v in enumerate(values)]
        return tuple(dict.fromkeys(whole))

    def several(self, key: str, default: Any = _REQUIRED) -> list[Any]:
        """A list that is not empty; what is no list is a list of one."""
        values = _list(self.take(key, default))
        if not values:
            refuse(self.at(key), "is missing or empty")
        return values

    def any(self, key: str) -> list[Any]:
        """A list that may be empty or missing."""
        return _list(self.take(key, ()))

    def keys(self) -> list[str]:
        """The keys that are there and were not taken."""
        return list(self._left)

    def copy(self) -> Section:
        """The same keys, as yet to be taken."""
        return Section(self.path, self._left)

    def rest(self) -> dict[str, Any]:
        """All keys that were not taken, for whoever checks them."""
        left, self._left = self._left, {}
        return left

    def close(self) -> None:
        """Refuse keys that mean nothing."""
        for key in self._left:
            refuse(self.at(str(key)), f"no such key; {hint(str(key), self._known)}")


def called(path: str, function: Callable[..., Any], given: Mapping[str, Any], *first: Any) -> Any:
    """`function(*first, **given)`, with arguments checked against its signature.

    Raises:
        Unusable: an argument that it has not got, one of another kind than its default, or
            whatever ValueError the function raises, all with the path.
    """
    parameters = dict(list(inspect.signature(function).parameters.items())[len(first) :])
    for key, value in given.items():
        if key not in parameters:
            refuse(f"{path}.{key}", f"no such key; {hint(key, parameters)}")
        _same_kind(f"{path}.{key}", value, parameters[key])
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in given:
            refuse(f"{path}.{key}", "is missing")
    try:
        return function(*first, **given)
    except (ValueError, TypeError) as error:
        refuse(path, str(error))


def _same_kind(path: str, value: Any, parameter: inspect.Parameter) -> None:
    said = str(parameter.annotation)
    default = parameter.default
    if isinstance(default, bool):
        if not isinstance(value, bool):
            refuse(path, f"must be true or false, got {_shown(value)}")
    elif isinstance(value, float) and not math.isfinite(value):
        refuse(path, f"must be finite, got {value}")
    elif "list" in said:  # the function looks at it itself
        return
    elif said == "int" or (isinstance(default, int) and said != "float"):
        _integer(path, value, None)
    elif isinstance(default, float) or said == "float":
        if isinstance(value, bool) or not isinstance(value, int | float):
            refuse(path, f"must be a number, got {_shown(value)}")
    elif said == "str" and not isinstance(value, str):
        refuse(path, f"must be a text, got {_shown(value)}")


def _integer(path: str, value: Any, least: int | None) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        refuse(path, f"must be a whole number, got {_shown(value)}")
    if least is not None and value < least:
        refuse(path, f"must be at least {least}, got {value}")
    return value


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
