"""How small an error a distance sees: its power, measured on samples that are wrong by so much."""

from __future__ import annotations

from typing import Literal

import numpy as np

from analytic import _checks
from analytic._checks import Array
from analytic.distances.estimate import Distance

Departure = Literal["shift", "scale"]


def detectable(
    distance: Distance,
    n: int,
    rng: np.random.Generator,
    *,
    defect: Departure = "shift",
    power: float = 0.9,
    replicates: int = 20,
    precision: float = 0.05,
) -> float:
    """Size of the smallest error that n samples show with the given power, to 5 %.

    An error is shown where the statistic exceeds `floor.high`, so one time in twenty it is where
    there is none. The same draws are used at every size, so that the answer is one number of
    (distance, n, rng).

    Args:
        distance: its mixture is the exact law.
        n: samples.
        rng: draws them.
        defect: "shift": x + size u, u the unit direction of (1, ..., 1), in units of the standard
            deviation of <u, x>; "scale": mean + (1 + size)(x - mean).
        power: the share of replicates that must show the error.
        replicates: sets of n samples.
        precision: relative, of the answer.

    Returns:
        The size; infinite where 100 is not seen.
    """
    if defect not in ("shift", "scale"):
        raise ValueError(f"defect must be 'shift' or 'scale', got {defect!r}")
    if not isinstance(distance, Distance):
        raise TypeError(f"distance must be a Distance, got {type(distance).__name__}")
    if not 0 < _checks.number("power", power) <= 1:
        raise ValueError(f"power must be in (0, 1], got {power}")
    if not _checks.number("precision", precision) > 0:
        raise ValueError(f"precision must be positive, got {precision}")
    if _checks.count("replicates", replicates) < 1:
        raise ValueError("replicates must be at least 1")
    high = distance.floor(n, _checks.generator(rng)).high
    sets = [distance.mixture.sample(n, rng) for _ in range(replicates)]
    centre, u = distance.mixture.mean, np.full(distance.mixture.dim, distance.mixture.dim**-0.5)
    unit = float(np.sqrt(distance.mixture.marginal(u).covariance[0, 0]))

    def wrong(x: Array, size: float) -> Array:
        return x + size * unit * u if defect == "shift" else centre + (1 + size) * (x - centre)

    def seen(size: float) -> bool:
        needed, misses = int(np.ceil(power * replicates)), 0
        for x in sets:
            misses += distance.of(wrong(x, size)).value <= high
            if misses > replicates - needed:
                return False
        return True

    large = 0.01
    while not seen(large):
        large *= 2
        if large > 100:
            return float("inf")
    small = large / 2 if large > 0.01 else 0.0
    while large - small > precision * large:
        middle = 0.5 * (small + large)
        small, large = (small, middle) if seen(middle) else (middle, large)
    return large
