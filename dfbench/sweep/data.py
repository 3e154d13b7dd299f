"""A user's numbers: data sets and eigenvalues from .npy and .csv files; scikit-learn's digits."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from dfbench.arrays import array, digits
from dfbench.errors import Unusable
from dfbench.levels import Array

DIGITS = "digits"


def spectrum(source: str) -> Array:
    """Eigenvalues from a file, shape (d,), in falling order.

    Raises:
        Unusable: as `array`; or a negative one, or none that is positive.
    """
    values = array(Path(source)).ravel()
    if (values < 0).any():
        at = int(np.flatnonzero(values < 0)[0])
        raise Unusable(f"{Path(source).name}: eigenvalue {values[at]:g} at index {at} is negative")
    if not values.any():
        raise Unusable(f"{Path(source).name}: no eigenvalue is positive")
    return np.sort(values)[::-1].copy()


def dataset(source: str) -> Array:
    """A data set, shape (n, d): a file with a row (or an image) for each sample, or "digits".

    The digits are the 1797 images of 8 × 8 of scikit-learn, brought to [−1, 1].

    Raises:
        Unusable: as `array`; fewer than two samples; or scikit-learn is not installed.
    """
    if source == DIGITS:
        return digits().reshape(-1, 64)
    values = array(Path(source))
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
