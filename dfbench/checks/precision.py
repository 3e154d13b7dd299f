"""Bounds that follow from the arithmetic a sampler is computed in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular

from dfbench.levels import Array, Grid
from dfbench.table import Table

#: Unit round-off of the tables that released samplers keep (float32), whatever the state's dtype.
TABLES = 2.0**-24


def unit_roundoff(dtype: torch.dtype) -> float:
    """Half the distance from 1 to the next number."""
    return float(torch.finfo(dtype).eps) / 2


def accumulated(table: Table, u: float, variance: float = 0.0, levels: ArrayLike = 1.0) -> Array:
    """Bound on the round-off in every state, in units of the state, shape (E + 1,).

    `levels`: relative precision to which α_j and σ_j are known, in units of u, (E + 1, 2).
    A step may be computed in the model's own form, in x̂, or (v, u, EDM) in ε̂; the largest count.

    Step j (`Table.steps`) rounds its terms: δ_j = 8 u (|carry_j| S_{j−1} + Σ |weights| + S_j),
    eight operations on inputs of unit size, S_j = √(α_j² + σ_j²). What it leaves is passed on
    by the steps after it and by the exact model, whose slope is that for data of the given
    variance: the states obey z = L z + …, so state j is off by at most Σ_i |(I − L)⁻¹|_ji δ_i.
    """
    size = np.hypot(table.levels.alpha, table.levels.sigma)
    slopes, e = table.slopes(variance), table.nfe
    local, delta = np.zeros((e + 1, e + 1)), np.zeros(e + 1)
    for j, step in enumerate(table.steps()):
        if j:
            local[j, j - 1] = step.carry
        for i, weight in step.outputs.items():
            local[j, i] += weight * slopes[i]
    relative = np.broadcast_to(np.asarray(levels, dtype=np.float64).T, (2, len(size)))
    known = relative[0] * table.levels.alpha + relative[1] * table.levels.sigma
    before = np.concatenate([[np.hypot(*table.origin)], size[:-1]])
    for form in (table, *table.converted()):
        for j, step in enumerate(form.steps()):
            terms = abs(step.carry) * before[j] + size[j] + known[j]
            terms += sum(map(abs, step.outputs.values())) + sum(map(abs, step.draws.values()))
            delta[j] = max(delta[j], terms)
    gain = np.abs(solve_triangular(np.eye(e + 1) - local, np.eye(e + 1), lower=True))
    return np.asarray(8 * u * (gain @ delta) / size)


def sensitivity(
    reference: Callable[[Grid], Table],
    grid: Grid,
    u: float,
    levels: ArrayLike = 1.0,
    seed: int = 0,
) -> Array:
    """How far coefficients move when the levels are known to relative precision u only.

    The largest change of every coefficient, in units of the state (`Table.gaps`), over random
    perturbations of α and σ by ±4u times `levels`, (N + 1, 2); shape of the table's rows.
    Cancellation in formulas like e^h − 1 shows here as it does in the code that is certified.
    """
    rng = np.random.default_rng(seed)
    exact = reference(grid)
    largest = np.zeros_like(exact.rows)
    for _ in range(4):
        up = 4 * u * rng.choice([-1.0, 1.0], size=(len(grid), 2)) * np.asarray(levels)
        try:
            moved = reference(Grid(grid.alpha * (1 + up[:, 0]), grid.sigma * (1 + up[:, 1])))
        except (ValueError, ZeroDivisionError):  # two equal levels come out of order
            continue
        if moved.n_draws == exact.n_draws:  # a draw of weight zero may come or go
            largest = np.maximum(largest, moved.gaps(exact))
    return np.asarray(largest)
