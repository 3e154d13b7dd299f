"""A mixture on its way to noise, as the density that the equations of rows 3 and 7 move."""

from __future__ import annotations

import numpy as np

from analytic import GaussianMixture
from dfbench.levels import Array
from dfbench.literature.transport import Motion
from dfbench.schedules import Schedule


def diffusing(target: GaussianMixture, schedule: Schedule, t: float) -> Motion:
    """p_t of z = α_t x + σ_t ε, from the schedule's levels alone: the rates are on trial."""

    def density(s: float, z: Array) -> Array:
        return np.exp(target.log_density(z, *schedule.level(s)))

    level, rates = schedule.level(t), schedule.rates(t)
    smallest = float(target.spectra.min()) ** 0.5
    length = float(np.hypot(level.alpha * smallest, level.sigma))
    reach = 3 + float(np.abs(target.means).max())
    pace = (abs(rates[0]) * reach + 3 * abs(rates[1])) / length
    # Where a schedule's own functions vary: √t near data, 1/(1 − t) near noise.
    time = min(1 / pace, t, 1 - t, 1 / 10)
    offsets = np.linspace(-2, 2, 5)
    steps = np.outer(offsets, np.arange(1, target.dim + 1) / target.dim) * np.sqrt(2)
    centres = [
        level.alpha * mean + steps * np.sqrt(level.alpha**2 * v + level.sigma**2)
        for mean, v in zip(target.means, target.spectra, strict=True)
    ]
    return Motion(density, t, np.concatenate(centres), length, time)
