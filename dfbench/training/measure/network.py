"""What is measured: a network, as the measures ask it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from analytic.distances import Estimate
from dfbench.levels import Array, Level, Network
from dfbench.predictions import convert


class PredictingNetwork(Protocol):
    """A trained network: z (n, d) or (n, c, h, w) and a level → its prediction, of z's shape."""

    @property
    def prediction(self) -> str:
        """What it returns, a kind of `dfbench.predictions`."""

    def __call__(self, z: Any, level: Level) -> Any:
        """NumPy in, NumPy out; torch in, torch out, with gradients."""


def predicts(network: PredictingNetwork, kind: str) -> Network:
    """The network as a function of float64 rows (n, d) that returns another prediction.

    Args:
        kind: of `dfbench.predictions`, not "velocity".
    """

    def field(z: Array, level: Level) -> Array:
        m = network(z, level)
        out = convert(np.asarray(m, float).reshape(z.shape), z, network.prediction, kind, *level)
        return np.asarray(out, dtype=np.float64)

    return field


def ratio_of_means(above: Array, below: Array) -> Estimate:
    """E a/E b from paired draws (n,), with the interval of the delta method."""
    value = float(above.mean() / below.mean())
    error = float((above - value * below).std(ddof=1) / abs(below.mean()) / len(above) ** 0.5)
    return Estimate(value, value - 1.96 * error, value + 1.96 * error, len(above))


def mean_of(draws: Array) -> Estimate:
    """E a from draws (n,)."""
    return ratio_of_means(draws, np.ones_like(draws))
