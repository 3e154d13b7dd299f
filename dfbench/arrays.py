"""A user's numbers, from .npy and .csv files; and the digits of scikit-learn."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from dfbench.errors import Unusable
from dfbench.files import refuse_larger
from dfbench.levels import Array

LARGEST = 1 << 32  # bytes of a data set


def array(path: Path) -> Array:
    """What a .npy or .csv file holds, float64 and finite.

    Raises:
        Unusable: no such file, no numbers in it, or some of them are not finite.
    """
    try:
        refuse_larger(path, LARGEST)
        if path.suffix == ".npy":
            found = np.load(path, allow_pickle=False)
        elif path.suffix == ".csv":
            found = _csv(path)
        else:
            raise Unusable(f"{path.name}: give a .npy or .csv file")
        values = np.asarray(found, dtype=np.float64)
    except OSError as error:
        raise Unusable(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, TypeError, EOFError, MemoryError) as error:
        raise Unusable(f"{path.name}: not an array of numbers ({error})") from error
    if not values.size:
        raise Unusable(f"{path.name}: is empty")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        where = ", ".join(str(int(i)) for i in bad[0])
        raise Unusable(f"{path.name}: not finite ({values[tuple(bad[0])]}) at index {where}")
    return values


def _csv(path: Path) -> Array:
    """Numbers separated by commas; one line of headings is passed over."""
    with path.open(encoding="utf-8") as file:
        first = file.readline().split(",")
    try:
        [float(cell) for cell in first]
        heading = 0
    except ValueError:
        heading = 1
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "loadtxt: input contained no data")  # `array` says so
        return np.loadtxt(path, delimiter=",", skiprows=heading, ndmin=1, encoding="utf-8")


def digits() -> Array:
    """The 1797 handwritten digits of scikit-learn, (1797, 8, 8) in [−1, 1].

    Raises:
        Unusable: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise Unusable(
            "the digits come with scikit-learn, which is not installed "
            "(pip install 'dfbench[train]')"
        ) from error
    return np.asarray(load_digits().images, dtype=np.float64) / 8 - 1
