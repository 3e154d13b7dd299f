"""Annealed Langevin dynamics is in x = z/α."""

import numpy as np

from dfbench.levels import Grid
from dfbench.samplers import METHODS
from tests.formulas.dense import close


def test_on_levels_with_other_alpha_coefficients_are_those_times_alpha():
    ratios, method = np.array([9.0, 4.0, 1.5, 0.5]), METHODS["annealed_langevin"]
    alpha = 1 / np.hypot(1, ratios)
    plain, other = (
        method.table(Grid(a, a * ratios), "eps", step=0.1, n_steps=2).rows[-1]
        for a in (np.ones(4), alpha)
    )
    factor = np.full(plain.shape, alpha[-1])
    factor[0] /= alpha[0]
    close(other / (factor * plain), 1, 1e-12)
