"""Learning targets and losses: parts of checks whose control is not the claim's own."""

import numpy as np

from dfbench.literature import c18_training_schedule as c18
from dfbench.training.noise_levels import AdaptiveLevels
from dfbench.weightings import EDMWeighting

IMAGE = 1 / np.arange(1, 65) ** 2.0


class LearnsFromTheEstimate(AdaptiveLevels):
    """Its average is of w|ε̂ − ε|²/q, what the loss adds up, and not of w|ε̂ − ε|²."""

    def update(self, lam, loss):
        width = (self.high - self.low) / len(self.mass)
        super().update(lam, loss * width / self.mass[self.bin(lam)])


class LearnsNothing(AdaptiveLevels):
    """It stays what it was."""

    def update(self, lam, loss):
        pass


def test_a_density_that_adapts_to_something_else_is_seen(monkeypatch):
    weight = EDMWeighting(sigma_data=float(np.sqrt(IMAGE.mean())))
    assert c18.adapts(IMAGE, weight, -10.0, 10.0).verdict == "pass"
    for wrong in (LearnsFromTheEstimate, LearnsNothing):
        monkeypatch.setattr(c18, "AdaptiveLevels", wrong)
        assert c18.adapts(IMAGE, weight, -10.0, 10.0).verdict == "fail"
