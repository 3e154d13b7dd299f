"""A public function with arguments that are right, and what kind of thing each argument is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fuzz.nonsense import ARRAYS, FUNCTIONS, GENERATORS, NUMBERS, THINGS, WORDS

#: What each kind of argument is replaced by. Of "data" NaN may come out again, as in NumPy.
KINDS: dict[str, list[Any]] = {
    "number": NUMBERS,
    "array": ARRAYS,
    "data": ARRAYS,
    "word": WORDS,
    "thing": THINGS,
    "function": FUNCTIONS,
    "rng": GENERATORS,
}


@dataclass(frozen=True)
class Call:
    """A function, and its arguments as (kind, value), the kinds those of `KINDS`."""

    name: str
    function: Callable[..., Any]
    arguments: dict[str, tuple[str, Any]]

    @property
    def right(self) -> dict[str, Any]:
        """The arguments that are right."""
        return {name: value for name, (_, value) in self.arguments.items()}


def made(calls: list[tuple[str, Callable[..., Any], dict[str, tuple[str, Any]]]]) -> list[Call]:
    return [Call(*each) for each in calls]
