"""A user's numbers: data sets and eigenvalues from .npy and .csv files; scikit-learn's digits."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from dfbench.errors import Unusable
from dfbench.levels import Array

DIGITS = "digits"


def array(source: str) -> Array:
    """What a .npy or .csv file holds, float64 and finite.

    Raises:
        Unusable: no such file, no numbers in it, or some of them are not finite.
    """
    path = Path(source)
    try:
        if path.suffix == ".npy":
            found = np.load(path, allow_pickle=False)
        elif path.suffix == ".csv":
            found = _csv(path)
        else:
            raise Unusable(f"{path.name}: give a .npy or .csv file")
        values = np.asarray(found, dtype=np.float64)
    except OSError as error:
        raise Unusable(f"{source}: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, TypeError) as error:
        raise Unusable(f"{path.name}: not an array of numbers ({error})") from error
    if not values.size:
        raise Unusable(f"{path.name}: is empty")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        where = ", ".join(str(int(i)) for i in bad[0])
        raise Unusable(f"{path.name}: not finite ({values[tuple(bad[0])]}) at index {where}")
    return values


def spectrum(source: str) -> Array:
    """Eigenvalues from a file, shape (d,), in falling order.

    Raises:
        Unusable: as `array`; or a negative one, or none that is positive.
    """
    values = array(source).ravel()
    if (values < 0).any():
        at = int(np.flatnonzero(values < 0)[0])
        raise Unusable(f"{Path(source).name}: eigenvalue {values[at]:g} at index {at} is negative")
    return np.sort(values)[::-1].copy()


def dataset(source: str) -> Array:
    """A data set, shape (n, d): a file with a row (or an image) for each sample, or "digits".

    The digits are the 1797 images of 8 × 8 of scikit-learn, brought to [−1, 1].

    Raises:
        Unusable: as `array`; fewer than two samples; or scikit-learn is not installed.
    """
    if source == DIGITS:
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            message = "data = 'digits' needs scikit-learn (pip install scikit-learn)"
            raise Unusable(message) from error
        return np.asarray(load_digits().data / 8 - 1, dtype=np.float64)
    values = array(source)
    if values.ndim == 1:
        values = values[:, None]
    if len(values) < 2:
        raise Unusable(f"{Path(source).name}: a data set needs two samples or more")
    return values.reshape(len(values), -1)


def digest(source: str) -> str:
    """SHA-256 of a file's content, or of what makes the network of a `dfbench train` directory.

    Raises:
        Unusable: it cannot be read.
    """
    path = Path(source)
    parts = [path / "config.toml", path / "checkpoint" / "last.pt"]
    files = parts if path.is_dir() else [path]
    total = hashlib.sha256()
    try:
        for file in files:
            total.update(hashlib.sha256(file.read_bytes()).digest())
    except OSError as error:
        raise Unusable(f"{source}: {(error.strerror or str(error)).lower()}") from error
    return total.hexdigest()


def _csv(path: Path) -> Array:
    """Numbers separated by commas; one line of headings is passed over."""
    with path.open(encoding="utf-8") as file:
        first = file.readline().split(",")
    try:
        [float(cell) for cell in first]
        heading = 0
    except ValueError:
        heading = 1
    return np.loadtxt(path, delimiter=",", skiprows=heading, ndmin=1, encoding="utf-8")
