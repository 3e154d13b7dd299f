"""Values that have no meaning where a number, an array, a word or a thing is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

NUMBERS: list[Any] = [
    float("nan"), float("inf"), -float("inf"), -1.0, -1, 0, 0.0, 1e308, -1e-300, 1 + 1j, "x", "",
    None, [], {}, (), [1.0, "x"], [float("nan")], b"1", object(), True, np.float64("nan"), 10**400,
    np.array([]), np.array("a"), np.ones((2, 2, 2)), lambda x: x, 0.5, 3,
]  # fmt: skip
ARRAYS: list[Any] = [
    *NUMBERS,
    [[1.0], [1.0, 2.0]], np.array([1.0, np.nan]), np.array([np.inf, 1.0]), np.array([-1.0, 1.0]),
    np.zeros((0, 2)), np.zeros((2, 0)), np.ones((3, 4)), np.ones(7), np.array([1j, 2.0]),
    np.array(["a", "b"]), np.array([None, 1.0], dtype=object), np.ones((2, 2)), -np.eye(2),
    np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 2.0], [0.0, 1.0]]), np.full((2, 2), 1e308),
]  # fmt: skip
WORDS: list[Any] = ["nope", "", "EPS", "ε", None, 3, 0.5, b"eps", [], ["eps"], object(), "eps\n"]
THINGS: list[Any] = [None, 3, "x", object(), [], {}, np.ones(2), type, lambda *a, **k: None]
