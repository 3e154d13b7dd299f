"""Copies of an object, and whether two objects are the same but for their identity."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch

Memo = dict[int, Any]


def duplicate(thing: Any) -> Any:
    """A deep copy whose own functions act on it, as those of the original act on the original.

    A `step` that was put in the place of the class's, and calls the one it replaces, is a function
    that remembers the object: `copy.deepcopy` hands out the same function, which goes on to act on
    the original.

    Raises:
        Exception: whatever copying raises, of the object's own code, too.
    """
    memo: Memo = {}
    made = copy.deepcopy(thing, memo)
    own = getattr(made, "__dict__", {})
    for name, value in list(own.items()):
        if isinstance(value, FunctionType):
            own[name] = _rebound(value, thing, made, memo)
    return made


def _rebound(function: FunctionType, thing: Any, made: Any, memo: Memo) -> FunctionType:
    """The function with the copy where it has the original: closure, defaults and globals."""

    def moved(value: Any) -> Any:
        if isinstance(value, FunctionType):
            return value if value.__closure__ is None else _rebound(value, thing, made, memo)
        return copy.deepcopy(value, memo) if _mentions(value, thing) else value

    cells = function.__closure__ and tuple(
        CellType(moved(cell.cell_contents)) for cell in function.__closure__
    )
    known = function.__globals__
    used = {name: known[name] for name in _names(function.__code__) if name in known}
    if theirs := {name: moved(value) for name, value in used.items() if _mentions(value, thing)}:
        known = known | theirs
    defaults = function.__defaults__ and tuple(map(moved, function.__defaults__))
    found = FunctionType(function.__code__, known, function.__name__, defaults, cells)
    found.__kwdefaults__ = function.__kwdefaults__ and {
        key: moved(value) for key, value in function.__kwdefaults__.items()
    }
    found.__dict__.update(function.__dict__)
    return found


def _names(code: CodeType) -> set[str]:
    """Names of globals that a function may use, those that are defined in it among them."""
    inner = (_names(each) for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*inner)


def _mentions(value: Any, thing: Any) -> bool:
    """Whether a value is an object, or one of its methods."""
    return value is thing or getattr(value, "__self__", None) is thing


def difference(one: Any, two: Any, but: Collection[str] = ()) -> str | None:
    """Where two objects differ, like ".alphas_cumprod"; None where nothing tells them apart.

    Numbers, tensors and arrays are the same if they are equal to the bit, with one type; functions
    if their code and what they remember is; objects if their class and their attributes are.

    Args:
        one, two: each has attributes.
        but: attributes that do not count.
    """
    if type(one) is not type(two):
        return "its class"
    mine, its = ({k: v for k, v in vars(each).items() if k not in but} for each in (one, two))
    if more := sorted(mine.keys() ^ its.keys()):
        return f".{more[0]}"
    seen: set[tuple[int, int]] = {(id(one), id(two))}
    places = (_apart(mine[name], its[name], f".{name}", seen) for name in mine)
    return next((place for place in places if place is not None), None)


def same(one: Any, two: Any) -> bool:
    """Whether nothing tells two values apart."""
    return _apart(one, two, "", set()) is None


def _apart(one: Any, two: Any, at: str, seen: set[tuple[int, int]]) -> str | None:
    if one is two or (id(one), id(two)) in seen:
        return None
    seen.add((id(one), id(two)))
    if type(one) is not type(two):
        return at
    if isinstance(one, torch.Tensor | np.ndarray | np.generic):
        if one.dtype != two.dtype or one.shape != two.shape:
            return at
        equal = (one == two) | ((one != one) & (two != two))  # NaN is NaN
        return None if bool(equal.all()) else at
    if isinstance(one, Mapping):
        if one.keys() != two.keys():
            return at + "".join(f"[{k!r}]" for k in sorted(one.keys() ^ two.keys(), key=repr)[:1])
        pairs = [(one[key], two[key], f"{at}[{key!r}]") for key in one]
    elif isinstance(one, list | tuple):
        if len(one) != len(two):
            return at
        pairs = [(a, b, f"{at}[{i}]") for i, (a, b) in enumerate(zip(one, two, strict=True))]
    elif isinstance(one, FunctionType):
        names = ("__code__", "__defaults__", "__kwdefaults__", "__closure__")
        pairs = [(getattr(one, name), getattr(two, name), at) for name in names]
    elif isinstance(one, MethodType):
        pairs = [(one.__func__, two.__func__, at), (one.__self__, two.__self__, at)]
    elif isinstance(one, CellType):
        pairs = [(one.cell_contents, two.cell_contents, at)]
    elif isinstance(one, torch.Generator):
        pairs = [(one.get_state(), two.get_state(), at)]
    elif hasattr(one, "__dict__"):
        pairs = [(vars(one), vars(two), at)]
    else:
        return None if one == two or one != one else at
    places = (_apart(*pair, seen) for pair in pairs)
    return next((place for place in places if place is not None), None)
