"""Values that have no meaning where a number, an array, a word or a thing is asked for."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

NUMBERS: list[Any] = [
    float("nan"), float("inf"), -float("inf"), -1.0, -1, 0, 0.0, 1e308, -1e-300, 1 + 1j, "x", "",
    None, [], {}, (), [1.0, "x"], [float("nan")], b"1", object(), True, np.float64("nan"), 10**400,
    np.array([]), np.array("a"), np.ones((2, 2, 2)), lambda x: x, 0.5, 3, "3",
]  # fmt: skip
ARRAYS: list[Any] = [
    *NUMBERS,
    [[1.0], [1.0, 2.0]], np.array([1.0, np.nan]), np.array([np.inf, 1.0]), np.array([-1.0, 1.0]),
    np.zeros((0, 2)), np.zeros((2, 0)), np.ones((3, 4)), np.ones(7), np.array([1j, 2.0]),
    np.array(["a", "b"]), np.array([None, 1.0], dtype=object), np.ones((2, 2)), -np.eye(2),
    np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 2.0], [0.0, 1.0]]), np.full((2, 2), 1e308),
    ["1", "2"],
]  # fmt: skip
WORDS: list[Any] = ["nope", "", "EPS", "ε", None, 3, 0.5, b"eps", [], ["eps"], object(), "eps\n"]
THINGS: list[Any] = [None, 3, "x", object(), [], {}, np.ones(2), type, lambda *a, **k: None]
FUNCTIONS: list[Any] = [
    None, 3, "x", [], np.ones(2), lambda: 1.0, lambda *a: "x", lambda *a: np.full(7, np.nan),
    lambda *a: None,
]  # fmt: skip
GENERATORS: list[Any] = [None, 0, "x", np.random, random.Random(0), np.random.RandomState(0), []]
ENTRIES = [float("nan"), float("inf"), -float("inf"), -1.0, 0.0, 1e308, -1e308, 5e-324, 1e-300]


def spoiled(value: Any, rng: random.Random) -> Any:
    """A right array with one thing changed: an entry, an axis, the order, the dtype."""
    array = np.array(value, dtype=np.float64)
    flat = array.reshape(-1)
    if flat.size and rng.random() < 0.5:
        flat[rng.randrange(flat.size)] = rng.choice(ENTRIES)
        return array
    return rng.choice(
        [
            lambda: -array,
            lambda: array[None],
            lambda: array[..., None],
            lambda: array[:-1] if array.ndim else array,
            lambda: np.concatenate([array, array]) if array.ndim else array.reshape(1),
            lambda: array[::-1].copy() if array.ndim else array,
            lambda: np.ascontiguousarray(array.T),
            lambda: np.asfortranarray(array),
            lambda: array + 1j,
            lambda: array.astype(str),
            lambda: array.astype(object),
            lambda: array.astype(np.float32),
            lambda: array.tolist(),
            lambda: array * 1e150,
            lambda: array * 1e-200,
            lambda: array[:0] if array.ndim else array,
            lambda: np.ma.masked_invalid(array),
        ]
    )()


def meaningless(value: Any) -> str | None:
    """Why a value cannot be a number or an array of numbers; None if it can."""
    if isinstance(value, str | bytes | dict) or callable(value):
        return "text, a table or a function"
    try:
        array = np.asarray(value)
    except (ValueError, RuntimeError):
        return "rows of several lengths"
    if array.dtype.kind not in "fiub":
        return f"numbers of kind {array.dtype}"
    return "NaN" if array.size and bool(np.isnan(array).any()) else None
