"""What the measures have in common."""

from __future__ import annotations

import numpy as np

from dfbench.sweep.samplers import Run
from dfbench.sweep.targets import Target


def wrong_model(target: Target, run: Run) -> str | None:
    """Why an error is not the sampler's alone."""
    wrong = target.network is not None or target.learned is not None
    return "the model is not the exact one" if wrong else None


def start_variance(run: Run) -> float:
    """Variance of the initial state along every direction."""
    return float(run.initial(np.ones((1, 1)))[0, 0] ** 2)
