"""The oracle in float64: scores of a million points against the bytes that must move, and flows.

The floor of a score: read the points, write the scores, at the bandwidth of plain copies. A second
yardstick: the exponentials, one a point and component, which no formula avoids.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from analytic import GaussianMixture
from analytic.flow import flow_map
from benchmarks.timing import copies, report, seconds

POINTS = 1_000_000


def mixture(size: int, dim: int, kind: str) -> GaussianMixture:
    rng = np.random.default_rng(0)
    weights, means = np.full(size, 1 / size), rng.standard_normal((size, dim))
    if kind == "full":
        root = rng.standard_normal((size, dim, dim)) / np.sqrt(dim)
        return GaussianMixture.full(weights, means, root @ root.swapaxes(1, 2) + 0.1 * np.eye(dim))
    return GaussianMixture.isotropic(weights, means, 0.1)


@pytest.mark.parametrize("kind", ["isotropic", "full"])
@pytest.mark.parametrize(("size", "dim"), [(1, 2), (8, 2), (8, 16)])
def test_score(benchmark: Any, size: int, dim: int, kind: str) -> None:
    target = mixture(size, dim, kind)
    z = np.random.default_rng(1).standard_normal((POINTS, dim))
    exponents = -np.abs(np.random.default_rng(2).standard_normal((1 << 17, 1)))

    def score() -> Any:
        return target.score(z, 0.8, 0.6)

    best = seconds(
        {
            "score": score,
            "copies": copies(z.shape, torch.float64, "cpu", 1),
            "exp": lambda: np.exp(exponents),
        },
        budget=1.0,
    )
    report(
        benchmark,
        score,
        rounds=2,
        nanoseconds_per_point=1e9 * best["score"] / POINTS,
        score_over_copy=best["score"] / best["copies"],
        score_over_exponentials=best["score"] / (best["exp"] * POINTS * size / len(exponents)),
    )


@pytest.mark.parametrize("points", [16, 256])
@pytest.mark.parametrize(("size", "dim"), [(4, 2), (8, 16)])
def test_flow_map(benchmark: Any, size: int, dim: int, points: int) -> None:
    """To 1e-13, with its error: in units of one evaluation of the field at the same points."""
    target = mixture(size, dim, "isotropic")
    z = target.sample_diffused(points, 0.0, 1.0, np.random.default_rng(3))

    def flow() -> Any:
        return flow_map(target, z, (0.0, 1.0), (1.0, 0.0))

    best = seconds({"flow": flow, "field": lambda: target.score(z, 0.8, 0.6)}, budget=0.5)
    report(
        benchmark,
        flow,
        rounds=2,
        milliseconds=1e3 * best["flow"],
        flow_over_one_evaluation=best["flow"] / best["field"],
        largest_error=float(flow().error.max()),
    )
