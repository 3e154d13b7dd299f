"""Samples against held-out data, where no law is known: how far, and how far data is from itself.

Distances between two samples x (n, d) and y (m, d); the distance of training data to held-out
data is the floor, what samples as good as data get.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.distance import cdist

from dfbench.levels import Array

if TYPE_CHECKING:
    from pandas import DataFrame

Metric = Callable[[Array, Array], float]


def energy_distance(x: Array, y: Array) -> float:
    """2 E|X − Y| − E|X − X'| − E|Y − Y'|, unbiased: below 0 by chance. (Székely & Rizzo 2013)"""

    def within(a: Array) -> float:
        return float(cdist(a, a).sum() / (len(a) * (len(a) - 1)))

    return 2 * float(cdist(x, y).mean()) - within(x) - within(y)


def mmd(x: Array, y: Array) -> float:
    """Squared maximum mean discrepancy, Gaussian kernel as wide as the median distance of y.

    Unbiased: below 0 by chance. (Gretton et al. 2012, eq. 3)
    """
    yy = cdist(y, y, "sqeuclidean")
    width = float(np.median(yy[np.triu_indices(len(y), 1)]))

    def within(squares: Array) -> float:
        n = len(squares)
        return float((np.exp(-squares / (2 * width)).sum() - n) / (n * (n - 1)))

    across = float(np.exp(-cdist(x, y, "sqeuclidean") / (2 * width)).mean())
    return within(cdist(x, x, "sqeuclidean")) + within(yy) - 2 * across


def sliced_w2(x: Array, y: Array) -> float:
    """Sliced 2-Wasserstein distance over fixed directions, by POT. (Bonneel et al. 2015)"""
    import ot

    return float(ot.sliced_wasserstein_distance(x, y, n_projections=256, seed=0))


def nearest(x: Array, y: Array) -> float:
    """Mean distance from x to the nearest of y."""
    return float(cdist(x, y).min(1).mean())


METRICS: dict[str, Metric] = {
    "energy distance": energy_distance,
    "MMD²": mmd,
    "sliced W₂": sliced_w2,
    "distance to the nearest held-out point": nearest,
}


def distances(
    samples: Any, train: Any, held_out: Any, rng: np.random.Generator, replicas: int = 40
) -> DataFrame:
    """Every metric between samples and held-out data, beside the floor and a ceiling.

    All are means over `replicas` subsets of equal size, half of the samples and of the training
    data at most; the interval holds 95 % of the subsets. "gaussian" is what draws of a Gaussian
    with the mean and the covariance of the training data get.

    Args:
        samples, train, held_out: (n, …), flattened.

    Returns:
        A row a metric: metric, value, low, high, floor, floor_high, gaussian. And the mean distance
        to the nearest training point, with that of held-out points as the floor: samples much
        closer are copies.
    """
    import pandas as pd

    x, train, y = (np.asarray(a, float).reshape(len(a), -1) for a in (samples, train, held_out))
    size = min(len(x) // 2, len(train) // 2)

    def draws(pool: Array) -> list[Array]:
        return [pool[rng.choice(len(pool), size, replace=False)] for _ in range(replicas)]

    law = rng.multivariate_normal(train.mean(0), np.cov(train.T), size=2 * size, method="eigh")
    rows = []
    pools = {"value": x, "floor": train, "gaussian": law}
    chosen = {name: draws(pool) for name, pool in pools.items()}
    for name, metric in METRICS.items():
        found = {kind: [metric(a, y) for a in sets] for kind, sets in chosen.items()}
        rows.append(_row(name, found["value"], found["floor"], found["gaussian"]))
    chosen["floor"] = [y[rng.choice(len(y), min(size, len(y)), replace=False)]]
    found = {kind: [nearest(a, train) for a in sets] for kind, sets in chosen.items()}
    rows.append(
        _row(
            "distance to the nearest training point",
            found["value"],
            found["floor"],
            found["gaussian"],
        )
    )
    return pd.DataFrame(rows)


def _row(
    name: str, values: list[float], floor: list[float], gaussian: list[float]
) -> dict[str, float | str]:
    return {
        "metric": name,
        "value": float(np.mean(values)),
        "low": float(np.quantile(values, 0.025)),
        "high": float(np.quantile(values, 0.975)),
        "floor": float(np.mean(floor)),
        "floor_high": float(np.quantile(floor, 0.95)),
        "gaussian": float(np.mean(gaussian)),
    }
