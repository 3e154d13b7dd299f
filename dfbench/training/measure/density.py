"""Score error against the density of the data: poor where data is rare (NCSN; CLAIMS 26)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analytic import GaussianMixture
from dfbench.levels import Level
from dfbench.schedules import at_log_snr
from dfbench.training.measure.network import PredictingNetwork, mean_of, predicts

if TYPE_CHECKING:
    from pandas import DataFrame

#: Nats per dimension below the densest place at which a bin ends.
EDGES = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)


def score_error_by_density(
    network: PredictingNetwork,
    truth: GaussianMixture,
    rng: np.random.Generator,
    *,
    log_snrs: Sequence[float] = (6.0, 3.0, 0.0, -3.0),
    n: int = 4096,
) -> DataFrame:
    """Root mean square of σ(ŝ − ∇ log p) per dimension, binned by log p(z) at each level.

    Half of the points are drawn from p, half from a Gaussian of twice its spread, which goes
    where p does not. σ times the score is what a network of ε has to return, so that 1 is the
    size of the whole.

    Returns:
        A row a bin that holds ten points or more: log_snr, below (nats per dimension below the
        densest point seen, the middle of the bin), error, low, high, n.
    """
    import pandas as pd

    eps_of = predicts(network, "eps")
    rows = []
    for value in log_snrs:
        level = Level(*at_log_snr(float(value)))
        near = truth.sample_diffused(n - n // 2, *level, rng)
        law = truth.diffused(*level)
        wide = GaussianMixture.full([1.0], law.mean[None], 4 * law.covariance[None])
        z = np.concatenate([near, wide.sample(n // 2, rng)])
        log_p = truth.log_density(z, *level)
        below = (log_p.max() - log_p) / truth.dim
        square = ((eps_of(z, level) - truth.posterior_eps(z, *level)) ** 2).mean(-1)
        place = np.digitize(below, EDGES)
        for i in range(1, len(EDGES)):
            here = square[place == i]
            if len(here) < 10:
                continue
            found = mean_of(here)
            error, low, high = np.sqrt(np.maximum([found.value, found.low, found.high], 0.0))
            rows.append((value, (EDGES[i - 1] + EDGES[i]) / 2, error, low, high, len(here)))
    return pd.DataFrame(rows, columns=["log_snr", "below", "error", "low", "high", "n"])
