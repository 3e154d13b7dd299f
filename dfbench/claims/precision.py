"""Bounds that follow from the arithmetic a sampler is computed in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from dfbench.levels import Array, Grid
from dfbench.readout import Reading
from dfbench.table import Table

#: Unit round-off of the tables that released samplers keep (float32), whatever the state's dtype.
TABLES = 2.0**-24


def unit_roundoff(dtype: torch.dtype) -> float:
    """Half the distance from 1 to the next number."""
    return float(torch.finfo(dtype).eps) / 2


def condition(table: Table) -> Array:
    """How much larger the terms of each state are than the state, shape (E + 1,).

    κ_j = Σ |coefficient| · |what it multiplies| / √(α_j² + σ_j²), for data, noise and draws of
    unit size. Relative errors u in the coefficients change state j by at most u κ_j.
    """
    levels = table.levels
    size = np.hypot(levels.alpha, levels.sigma)
    output = np.ones(table.nfe)
    for j, level in enumerate(table.evaluated):
        # a score is −ε/σ; the other predictions are of unit size
        output[j] = 1 / level.sigma if table.prediction == "score" else 1.0
    terms = np.abs(table.rows).copy()
    terms[:, 0] *= size[0]
    terms[:, 1 : 1 + table.nfe] *= output
    return np.array(terms.sum(axis=1) / size)


def accumulated(reading: Reading, u: float) -> Array:
    """Bound on the error of each state when every step rounds with unit u, shape (E + 1,).

    A state passes through as many steps as came before it; each rounds a handful of operations
    (8 is counted) on terms that are at most the largest κ so far.
    """
    kappa = np.maximum.accumulate(condition(reading.table))
    step = np.array([*reading.steps, reading.steps[-1] + 1 if reading.steps else 1])
    return np.array(8 * u * (step + 1) * kappa)


def rounding_gain(table: Table, amplitude: float = 0.25) -> float:
    """Error of the sample per unit round-off, when outputs and draws are given numbers.

    Step j rounds terms of size T_j = |carry| S_{j−1} + Σ |weights| (S the root-sum-square size
    of a state, inputs of size `amplitude`, draws of size 1), and what it leaves is carried to
    the sample by a_E/a_j: √(Σ_j (T_j a_E/a_j)²).
    """
    weight = np.full(table.rows.shape[1], amplitude)
    weight[1 + table.nfe :] = 1.0
    size = np.sqrt(((table.rows * weight) ** 2).sum(axis=1))
    total, before = 0.0, amplitude
    for j, step in enumerate(table.steps()):
        terms = abs(step.carry) * before
        terms += amplitude * sum(map(abs, step.outputs.values()))
        terms += sum(map(abs, step.draws.values()))
        carried = table.a[-1] / table.a[j] if table.a[j] else 1.0
        total += (terms * max(abs(carried), 1e-3)) ** 2
        before = size[j]
    return float(np.sqrt(total))


def sensitivity(reference: Callable[[Grid], Table], grid: Grid, u: float, seed: int = 0) -> Array:
    """How far coefficients move when the levels are known to relative precision u only.

    The largest change of every coefficient, in units of the state (`Table.gaps`), over random
    perturbations of α and σ by ±4u; shape of the table's rows. Cancellation in formulas like
    e^h − 1 shows here as it does in the code that is certified.
    """
    rng = np.random.default_rng(seed)
    exact = reference(grid)
    largest = np.zeros_like(exact.rows)
    for _ in range(4):
        up = 1 + 4 * u * rng.choice([-1.0, 1.0], size=(2, len(grid)))
        moved = Grid(grid.alpha * up[0], grid.sigma * up[1])
        largest = np.maximum(largest, reference(moved).gaps(exact))
    return np.asarray(largest)
