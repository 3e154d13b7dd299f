"""Trained networks in samplers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dfbench.levels import Array, Grid, Level
from dfbench.literature.trained import Lab
from dfbench.predictions import convert
from dfbench.training.measure.network import PredictingNetwork


class Converted:
    """A network used as one of another prediction."""

    def __init__(self, network: PredictingNetwork, prediction: str) -> None:
        self.network, self.prediction = network, prediction

    def __call__(self, z: Any, level: Level) -> Any:
        """The converted output."""
        return convert(self.network(z, level), z, self.network.prediction, self.prediction, *level)


def rows(lab: Lab, n: int) -> int:
    """n samples of small points, few of large ones: what holds to rounding holds for each."""
    return n if lab.dim <= 8 else 16


def noise(lab: Lab, grid: Grid, n: int, seed: int) -> Array:
    """n exact draws at the first level."""
    return lab.truth.sample_diffused(n, *grid[0], np.random.default_rng(seed))


def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> Callable[[int], Array]:
    """Fresh normals for the draws of a table."""
    return lambda k: rng.standard_normal(shape)
