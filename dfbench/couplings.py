"""Couplings of noise and data for flow matching: which noise is paired with which data point.

Both arguments are samples (n, d); a coupling is a permutation `p`, pairing `noise[i]` with
`data[p[i]]`, so that both marginals stay what they are, to the point. (TONG)
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from dfbench.errors import short
from dfbench.levels import Array

Permutation = NDArray[np.intp]


def optimal_pairs(
    noise: Array, data: Array, solver: Literal["scipy", "pot"] = "scipy"
) -> Permutation:
    """The permutation with the least Σ|data[p[i]] − noise[i]|².

    Args:
        solver: "scipy" (assignment) or "pot" (the network simplex of POT); equal in cost.
    """
    _check(noise, data)
    cost = ((noise[:, None] - data[None]) ** 2).sum(-1)
    if solver == "scipy":
        return np.asarray(linear_sum_assignment(cost)[1])
    if solver != "pot":
        raise ValueError(f"solver must be 'scipy' or 'pot', got {solver!r}")
    import ot

    return np.asarray(ot.emd([], [], cost).argmax(axis=1))


def minibatch_pairs(noise: Array, data: Array, batch: int) -> Permutation:
    """Optimal pairs within consecutive batches; what is left over is paired as it came.

    `batch` = 1 is the independent coupling, `batch` = n the optimal one. In one dimension the
    optimal pairs are those of equal rank, and no assignment is solved. (TONG, section 3.2)
    """
    _check(noise, data)
    if isinstance(batch, bool) or not isinstance(batch, int | np.integer) or batch < 1:
        raise ValueError(f"batch must be a whole number of at least 1, got {short(batch)}")
    n, dim = noise.shape
    pairs = np.arange(n)
    whole = n - n % batch
    if dim == 1:
        order = [np.argsort(a[:whole, 0].reshape(-1, batch), axis=1) for a in (noise, data)]
        start = np.arange(0, whole, batch)[:, None]
        pairs[(start + order[0]).reshape(-1)] = (start + order[1]).reshape(-1)
        return pairs
    for first in range(0, whole, batch):
        rows = slice(first, first + batch)
        pairs[rows] = first + optimal_pairs(noise[rows], data[rows])
    return pairs


def crossing_fraction(noise: Array, data: Array) -> float:
    """Fraction of pairs of straight paths noise[i] → data[i] in one dimension that cross.

    They cross where the order at one end is not the order at the other: (1 − Kendall's τ)/2.
    """
    _check(noise, data)
    if noise.shape[1] != 1:
        raise ValueError("paths cross generically in one dimension only")
    ranks = rankdata(data[np.argsort(noise[:, 0]), 0], method="ordinal")
    later = np.tril(ranks[:, None] < ranks[None], -1)
    n = len(ranks)
    return float(later.sum() / (n * (n - 1) / 2))


def _check(noise: Array, data: Array) -> None:
    for name, sample in (("noise", noise), ("data", data)):
        if not isinstance(sample, np.ndarray) or sample.dtype.kind not in "fiu":
            raise TypeError(f"{name} must be an array of numbers (n, d), got {short(sample)}")
        if not np.isfinite(sample).all():
            raise ValueError(f"{name} must be finite")
    if noise.ndim != 2 or noise.shape != data.shape:
        raise ValueError(f"need two samples (n, d), got {noise.shape} and {data.shape}")
