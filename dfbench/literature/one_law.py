"""Samples of several samplers through one trained network: is it one law?"""

from __future__ import annotations

import numpy as np

from dfbench.levels import Array, Level
from dfbench.literature.trained import Lab
from dfbench.outcome import Finding, judge
from dfbench.training.measure.law import ExactLaw

#: Sliced W₂ that samples of a trained network may have beyond the floor, of the data's deviation.
TOLERANCE = 0.06


class Laws:
    """The exact law at a level, for samples of that level."""

    def __init__(self, lab: Lab, level: Level, seed: int, n: int = 2000) -> None:
        diffused = lab.truth.diffused(*level)
        self.n, self.spread = n, float(np.sqrt(np.trace(diffused.covariance) / diffused.dim))
        self.law = ExactLaw(diffused, n, np.random.default_rng(seed))

    def distance(self, samples: Array) -> float:
        """Sliced W₂ to the exact law; infinite where samples are not finite."""
        if not np.isfinite(samples).all():
            return float("inf")
        return self.law.sliced_w2(samples).value

    def one_law(self, found: dict[str, float]) -> Finding:
        """Whether all distances are within the floor and the tolerance."""
        worst = max(found, key=lambda name: found[name])
        return judge(
            found[worst],
            self.law.floor_high + TOLERANCE * self.spread,
            where=worst,
            unit="sliced W₂ to the exact law",
            derivation=f"what 19 of 20 sets of {self.n} exact samples get, and {TOLERANCE:.0%} of "
            "the data's deviation for the network's own error and the finite steps",
        )
