"""What a network is trained on: arrays with a held-out part, and the truth where it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytic import GaussianMixture
from dfbench import arrays
from dfbench.errors import Unusable
from dfbench.training.mixtures import MIXTURES, Shape, total_variance

DataPoints = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Points to train on, and others to judge by.

    Attributes:
        name: for the reader.
        train, held_out: shape (n, *shape), float32.
        truth: the law that both are drawn from, as points of shape (d,) in row-major order; None
            where nobody knows it.
        fresh: every batch is drawn from the truth anew; `train` is then a sample of it.
    """

    name: str
    train: DataPoints
    held_out: DataPoints
    truth: GaussianMixture | None = None
    fresh: bool = False

    @property
    def shape(self) -> Shape:
        """Of one point."""
        return tuple(self.train.shape[1:])

    @property
    def std(self) -> float:
        """Root of the mean variance of the elements: the `sigma_data` of EDM."""
        if self.truth is not None:
            law = self.truth
            return float(np.sqrt(total_variance(law.weights, law.means, law.spectra) / law.dim))
        return float(np.sqrt(self.train.var(axis=0, dtype=np.float64).mean()))


def mixture(seed: int, *, name: str = "ring-2d", count: int = 0, held_out: int = 10000) -> Dataset:
    """A mixture of known truth.

    Args:
        seed: of the points.
        name: of `dfbench.training.mixtures.MIXTURES`.
        count: training points; 0 draws every batch anew.
        held_out: points to judge by.
    """
    if name not in MIXTURES:
        raise ValueError(f"no mixture {name!r}; there are {', '.join(MIXTURES)}")
    make, shape = MIXTURES[name]
    return of_mixture(name, make(), shape, seed, count, held_out)


def of_mixture(
    name: str,
    truth: GaussianMixture,
    shape: Shape,
    seed: int,
    count: int = 0,
    held_out: int = 10000,
) -> Dataset:
    """Points of any mixture, in a shape of as many elements as it has dimensions."""
    if count < 0 or held_out < 1:
        raise ValueError(f"count must be at least 0 and held_out 1, got {count} and {held_out}")
    parts = []
    for part, n in enumerate((count or min(held_out, 10000), held_out)):
        points = truth.sample(n, np.random.default_rng([seed, part]))
        parts.append(points.astype(np.float32).reshape(n, *shape))
    return Dataset(name, parts[0], parts[1], truth, fresh=count == 0)


def digits(seed: int, *, held_out: float = 0.2, padding: int = 0) -> Dataset:
    """The 1797 handwritten digits of scikit-learn, (1, 8, 8) in [−1, 1].

    Args:
        held_out: fraction kept from training.
        padding: pixels of background added on every side.
    """
    pad = ((0, 0), (padding, padding), (padding, padding))
    images = np.pad(arrays.digits(), pad, constant_values=-1.0)[:, None]
    return split("digits", images, held_out, seed)


def array(seed: int, *, path: Path, held_out: float = 0.1, standardise: bool = False) -> Dataset:
    """A user's .npy or .csv file, points along the first axis: (n, d) or (n, c, h, w).

    Args:
        path: the file.
        held_out: fraction kept from training.
        standardise: subtract the mean and divide by the standard deviation of all elements.
    """
    points = arrays.array(path)
    if points.ndim not in (2, 4) or len(points) < 2:
        raise Unusable(
            f"{path}: points must have shape (n, d) or (n, c, h, w) with n ≥ 2, got {points.shape}"
        )
    if standardise:
        if not points.std() > 0:
            raise Unusable(f"{path}: all numbers are the same")
        points = (points - points.mean()) / points.std()
    return split(path.stem, points, held_out, seed)


def images(
    seed: int, *, path: Path, side: int = 32, grey: bool = False, held_out: float = 0.1
) -> Dataset:
    """A folder of images, cut to the central square, resized, in [−1, 1]: (c, side, side).

    Args:
        path: the folder; images below it count too.
        side: in pixels.
        grey: one channel instead of three.
        held_out: fraction kept from training.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise Unusable("images need pillow (pip install 'dfbench[train]')") from error
    if side < 1:
        raise ValueError(f"side must be at least 1, got {side}")
    known = Image.registered_extensions()
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in known)
    if len(files) < 2:
        raise Unusable(f"{path}: no folder with at least two images")
    found = []
    for file in files:
        try:
            with Image.open(file) as image:
                square = ImageOps.fit(image.convert("L" if grey else "RGB"), (side, side))
                pixels = np.asarray(square, dtype=np.float64) / 127.5 - 1
        except (OSError, ValueError) as error:
            raise Unusable(f"{file}: cannot be read as an image") from error
        found.append(pixels.reshape(side, side, -1).transpose(2, 0, 1))
    return split(path.name, np.stack(found), held_out, seed)


def split(name: str, points: NDArray[Any], held_out: float, seed: int) -> Dataset:
    """Points divided at random: a fraction is held out, at least one and never all."""
    if not 0 < held_out < 1:
        raise ValueError(f"held_out must be between 0 and 1, got {held_out}")
    n = len(points)
    kept = min(n - 1, max(1, round(n * held_out)))
    order = np.random.default_rng([seed, 2]).permutation(n)
    shuffled = points[order].astype(np.float32)
    return Dataset(name, shuffled[kept:], shuffled[:kept])


KINDS: dict[str, Callable[..., Dataset]] = {
    "mixture": mixture,
    "digits": digits,
    "array": array,
    "images": images,
}
"""Kind → function of the seed and its options."""
