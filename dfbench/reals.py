"""Numbers that a caller gives: what is none is refused in one line, which names it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfbench.errors import short

Array = NDArray[np.float64]


def reals(name: str, value: ArrayLike) -> Array:
    """Real numbers of any shape as a float64 array, which may be the one given; NaN stays.

    Raises:
        TypeError: complex numbers, text, objects, or lists whose rows differ in length.
    """
    try:
        raw = np.asarray(value)
    except (ValueError, RuntimeError) as error:  # ragged; a tensor that is not on the CPU
        raise TypeError(f"{name} must be real numbers, got {short(value)}") from error
    if raw.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be real numbers, got {short(value)}")
    return raw.astype(np.float64, copy=False)


def finite(name: str, value: ArrayLike) -> Array:
    """The same, without NaN and infinity.

    Raises:
        TypeError: as `reals`.
        ValueError: not finite.
    """
    found = reals(name, value)
    if not np.isfinite(found).all():
        raise ValueError(f"{name} must be finite, got {short(value)}")
    return found


def number(
    name: str, value: Any, low: float = -math.inf, high: float = math.inf, infinite: bool = False
) -> float:
    """One real number from `low` to `high`; ±∞ only where it may be `infinite`.

    Raises:
        TypeError: no number, or several.
        ValueError: NaN, infinite, or out of range.
    """
    found = reals(name, value)
    if found.ndim or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {short(value)}")
    if not low <= found <= high or not (infinite or math.isfinite(found)):
        what = ["not NaN" if infinite else "finite"]
        what += [f"≥ {low:g}"] * (low > -math.inf) + [f"≤ {high:g}"] * (high < math.inf)
        raise ValueError(f"{name} must be {' and '.join(what)}, got {short(value)}")
    return float(found)


def whole(name: str, value: Any, least: int = 0, most: int = 10**9) -> int:
    """A whole number from `least` to `most`.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number ≥ {least}, got {short(value)}")
    if value > most:
        raise ValueError(f"{name} must be at most {most}, got {short(value)}")
    return int(value)


def shaped(name: str, value: Array, shape: tuple[int, ...]) -> Array:
    """The array brought to a shape, of which it may leave out axes.

    Raises:
        ValueError: it has another.
    """
    try:
        return np.broadcast_to(value, shape)
    except ValueError as error:
        raise ValueError(f"{name} must have shape {shape}, got {value.shape}") from error
