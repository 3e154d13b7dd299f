"""The pairs of rectified flow: noise with what a trained network's sampler makes of it. (LIU)"""

from __future__ import annotations

import numpy as np

from dfbench.errors import Unusable
from dfbench.grids import uniform_t
from dfbench.samplers import METHODS
from dfbench.training.data import DataPoints
from dfbench.training.pairs import Reflow
from dfbench.training.trained import Trained
from dfbench.trajectories import trajectory


def reflow_pairs(plan: Reflow, seed: int) -> tuple[DataPoints, DataPoints]:
    """(noise, data) of a reflow, each (count, *shape): the sampler's x̂ for its initial noise.

    Raises:
        Unusable: the folder holds no trained network, or the method cannot be used.
    """
    trained = Trained.load(plan.run)
    if plan.method not in METHODS:
        raise Unusable(f"[pairs] no method {plan.method!r}; there are {', '.join(sorted(METHODS))}")
    if METHODS[plan.method].traits_of().stochastic:
        raise Unusable(f"[pairs] {plan.method} draws noise: reflow needs a deterministic sampler")
    t_start, t_stop = (float(trained.schedule.t_of_log_snr(lam)) for lam in trained.log_snr_range)
    grid = uniform_t(trained.schedule, plan.steps, t_start, t_stop)
    noise = np.random.default_rng([seed, 3]).standard_normal((plan.count, trained.dim))
    network = trained.as_prediction("x")
    block = max(1, (1 << 22) // (trained.dim * (plan.steps + 1)))
    data = []
    for first in range(0, plan.count, block):
        start = grid[0].sigma * noise[first : first + block]
        end = trajectory(plan.method, network, grid, prediction="x", z=start).samples
        data.append(network(end, grid[-1]))  # what noise is left at the last level is removed
    shape = (plan.count, *trained.shape)
    return (
        noise.astype(np.float32).reshape(shape),
        np.concatenate(data).astype(np.float32).reshape(shape),
    )
