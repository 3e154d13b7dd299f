"""What an option of a method may be: read off its annotation."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from functools import cache
from numbers import Integral, Real
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from dfbench.errors import short

_WORDS = {
    float: "a number ≥ 0",
    int: "a whole number ≥ 0",
    bool: "true or false",
    str: "a text",
    type(None): "none",
    Sequence: "a sequence",
    Collection: "a collection",
    Callable: "a function",
}


def check(name: str, function: Callable[..., Any], options: dict[str, Any]) -> None:
    """Refuse options that no annotation of the function allows.

    Numbers are finite, unless the default is not, and not negative; true and false are no numbers.

    Raises:
        ValueError: which option, what it may be, and what it is.
    """
    kinds = _kinds(function)
    for option, value in options.items():
        allowed = kinds.get(option, ())  # somebody's own method need not say
        if not allowed or any(_is(value, kind) for kind in allowed):
            continue
        default = (function.__kwdefaults__ or {}).get(option)
        if isinstance(value, float) and isinstance(default, float) and value == default:
            continue  # no end of a range, ∞
        words = " or ".join(dict.fromkeys(_WORDS[kind] for kind in allowed))
        raise ValueError(f"{name}: {option} must be {words}, got {short(value)}")


def _is(value: Any, kind: Any) -> bool:
    if kind is Callable:
        return callable(value)
    if kind is bool:
        return isinstance(value, bool | np.bool_)
    if kind in (float, int):
        if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
            return False
        whole = kind is float or isinstance(value, Integral)
        try:
            return whole and math.isfinite(value) and float(value) >= 0
        except OverflowError:  # a whole number beyond any other
            return False
    if kind in (Sequence, Collection):
        listed = isinstance(value, kind | np.ndarray) and not isinstance(value, str | bytes)
        if not listed or (isinstance(value, np.ndarray) and value.ndim > 1):
            return False
        return all(_is(each, float) for each in value if isinstance(each, Real))
    return isinstance(value, kind)


@cache
def _kinds(function: Callable[..., Any]) -> dict[str, tuple[Any, ...]]:
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError):  # names that are there for a type checker only
        return {}
    kinds = {name: tuple(_parts(hint)) for name, hint in hints.items()}
    return {name: each for name, each in kinds.items() if all(kind in _WORDS for kind in each)}


def _parts(hint: Any) -> list[Any]:
    if get_origin(hint) in (Union, UnionType):
        return [part for each in get_args(hint) for part in _parts(each)]
    return [get_origin(hint) or hint]
