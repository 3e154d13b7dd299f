"""The oracle in float64: scores of a million points against the bytes that must move, and flows.

The floor of a score: read the points, write the scores, at the bandwidth of plain copies. A second
yardstick: the exponentials, one a point and component, which no formula avoids.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

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


HUNDRED = [
    *[("isotropic", *shape) for shape in ((65536, 2), (65536, 64), (8192, 784))],
    *[(kind, *shape) for kind in ("diagonal", "full") for shape in ((65536, 2), (4096, 64))],
]


@pytest.mark.parametrize(("kind", "points", "dim"), HUNDRED)
def test_score_of_100_components(benchmark: Any, kind: str, points: int, dim: int) -> None:
    """Beside the matrix products alone, in blocks of 1024 points that stay in cache.

    Expanded: of K by F and F by n, and back, F = d isotropic, 2 d diagonal, d (d + 3)/2 full.
    Whitened, where full: of d by d and d by n for each component, and back.
    """
    rng = np.random.default_rng(0)
    means, size, block = rng.standard_normal((100, dim)), 100, 1024
    weights = np.full(size, 1 / size)
    if kind == "diagonal":
        variances = rng.uniform(0.1, 1, (size, dim))
        target = GaussianMixture.diagonal(weights, means, variances)
    else:
        target = mixture(size, dim, kind)
    z = target.sample_diffused(points, 0.8, 0.6, rng)
    columns = {"isotropic": dim, "diagonal": 2 * dim, "full": dim * (dim + 3) // 2}[kind]
    table, one = rng.standard_normal((size, columns)), rng.standard_normal((columns, block))
    shares = rng.random((size, block))
    roots, vectors = rng.standard_normal((size, dim, dim)), rng.standard_normal((dim, block))

    def score() -> Any:
        return target.score(z, 0.8, 0.6)

    def expanded() -> None:
        for _ in range(points // block):
            np.matmul(table, one)
            np.matmul(table.T, shares)

    def whitened() -> None:
        for _ in range(points // block):
            for root in roots:
                np.matmul(root, vectors)
                np.matmul(root, vectors)

    actions = {"score": score, "expanded": expanded}
    if kind == "full":
        actions["whitened"] = whitened
    best = seconds(actions, budget=1.0)
    report(
        benchmark,
        score,
        rounds=2,
        nanoseconds_per_point=1e9 * best["score"] / points,
        **{f"score_over_{name}": best["score"] / best[name] for name in [*actions][1:]},
    )


@pytest.mark.parametrize("points", [16, 256])
@pytest.mark.parametrize(("size", "dim"), [(4, 2), (8, 16)])
def test_flow_map(benchmark: Any, size: int, dim: int, points: int) -> None:
    """With and without its error: in units of one evaluation of the field at the same points."""
    target = mixture(size, dim, "isotropic")
    z = target.sample_diffused(points, 0.0, 1.0, np.random.default_rng(3))

    def flow() -> Any:
        return flow_map(target, z, (0.0, 1.0), (1.0, 0.0))

    best = seconds(
        {
            "flow": flow,
            "with error": lambda: flow().error,
            "field": lambda: target.score(z, 0.8, 0.6),
        },
        budget=0.5,
    )
    report(
        benchmark,
        flow,
        rounds=2,
        milliseconds=1e3 * best["flow"],
        with_error_over_flow=best["with error"] / best["flow"],
        flow_over_one_evaluation=best["flow"] / best["field"],
        largest_error=float(flow().error.max()),
    )


@pytest.mark.parametrize("kind", ["equal", "mixed"])
def test_flow_map_beside_dop853(benchmark: Any, kind: str) -> None:
    """1000 points of 8 components in the plane, sigma from 10 to 0.02 at alpha = 1.

    The peer is SciPy's DOP853 at rtol 1e-12, one state of all points, with a right-hand side of
    two matrix products and one exponential, and without a care for digits.
    """
    rng = np.random.default_rng(0)
    weights, means = rng.dirichlet(np.full(8, 20.0)), 2 * rng.standard_normal((8, 2))
    variances = np.full(8, 0.01) if kind == "equal" else rng.uniform(0.005, 0.2, 8)
    target = GaussianMixture.isotropic(weights, means, variances)
    z = target.sample_diffused(1000, 1.0, 10.0, rng)

    def rate(sigma: float, flat: Any) -> Any:
        y, v = flat.reshape(2, -1), (variances + sigma**2)[:, None]
        r = (means / v) @ y
        r += np.log(weights)[:, None] - 0.5 * (means**2).sum(1)[:, None] / v - np.log(v)
        if kind == "mixed":
            r -= 0.5 / v * (y * y).sum(0)
        r -= r.max(0)
        np.exp(r, out=r)
        scale = sigma / r.sum(0)
        return ((y * ((1 / v).T @ r) - (means / v).T @ r) * scale).reshape(-1)

    def peer() -> Any:
        start = z.T.reshape(-1)
        found = solve_ivp(rate, (10.0, 0.02), start, "DOP853", rtol=1e-12, atol=1e-12)
        return found.y[:, -1].reshape(2, -1).T

    def flow() -> Any:
        return flow_map(target, z, (1.0, 10.0), (1.0, 0.02))

    actions = {"flow": flow, "with error": lambda: flow().error, "peer": peer}
    best = seconds(actions, budget=2.0)
    result = flow()
    apart = np.abs(result.z - peer()).max(1)
    assert np.median(apart) < 1e-11  # the same problem; the peer is further off where paths part
    report(
        benchmark,
        flow,
        rounds=2,
        milliseconds=1e3 * best["flow"],
        flow_over_peer=best["flow"] / best["peer"],
        with_error_over_peer=best["with error"] / best["peer"],
        largest_error=float(result.error.max()),
        apart=float(apart.max()),
    )
