"""The law of samples against the exact law, by the distances of `analytic`.

A value is above the noise where it is above the floor's 95 % quantile: what exact samples of the
same number get.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analytic import GaussianMixture
from analytic.distances import (
    Distance,
    EnergyDistance,
    Estimate,
    Floor,
    ModeWeights,
    SlicedWasserstein,
)
from dfbench.levels import Array

DIRECTIONS = 32  #: projections that are averaged over


class ExactLaw:
    """A mixture, prepared to be compared with sets of n samples.

    Attributes:
        floors: of every distance, by name: "sliced_w2", "energy_distance", and "mode_weights" where
            there are two modes or more.

    Args:
        truth: the law.
        n: samples in a set.
        rng: draws the directions, and the exact samples that make the floors.
        names: of the distances; all where None.
    """

    def __init__(
        self,
        truth: GaussianMixture,
        n: int,
        rng: np.random.Generator,
        *,
        names: tuple[str, ...] | None = ("sliced_w2",),
    ) -> None:
        self.truth, self.n = truth, n
        made: dict[str, Any] = {
            "sliced_w2": lambda: SlicedWasserstein(truth, DIRECTIONS, rng),
            "energy_distance": lambda: EnergyDistance(truth),
        }
        if truth.size > 1:
            made["mode_weights"] = lambda: ModeWeights(truth)
        self._distances: dict[str, Distance] = {
            name: make() for name, make in made.items() if names is None or name in names
        }
        self.floors: dict[str, Floor] = {
            name: distance.floor(n, rng) for name, distance in self._distances.items()
        }

    @property
    def floor(self) -> float:
        """Sliced W₂ that n exact samples get, on average."""
        return self.floors["sliced_w2"].mean

    @property
    def floor_high(self) -> float:
        """Sliced W₂ below which 19 of 20 sets of n exact samples are."""
        return self.floors["sliced_w2"].high

    def distance(self, name: str, samples: Array) -> Estimate:
        """One of the distances of samples (n, d) to the law.

        Raises:
            ValueError: the samples have another shape, or are not finite.
        """
        if samples.shape != (self.n, self.truth.dim):
            raise ValueError(
                f"expected samples of shape {(self.n, self.truth.dim)}, got {samples.shape}"
            )
        return self._distances[name].of(samples)

    def sliced_w2(self, samples: Array) -> Estimate:
        """√ of the mean over directions of W₂² between samples (n, d) and the law."""
        return self.distance("sliced_w2", samples)
