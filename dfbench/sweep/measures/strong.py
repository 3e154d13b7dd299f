"""The error of each trajectory: how far a deterministic run ends from the exact flow."""

from __future__ import annotations

import numpy as np

from analytic.distances.estimate import rooted
from dfbench.levels import Array, grid_of
from dfbench.sweep.measurement import Value
from dfbench.sweep.measures.measure import measure
from dfbench.sweep.measures.reference import start_variance, wrong_model
from dfbench.sweep.samplers import Run
from dfbench.sweep.sampling import Samples
from dfbench.sweep.targets import Target
from dfbench.trajectories import exact_trajectory

CLOSED = 4096  # starts where the flow is in closed form
NUMBERS = 1 << 15  # starts × components × dimensions where it is integrated
LARGEST = 1 << 13  # components × dimensions


def _closed(target: Target) -> bool:
    return target.law.size == 1 or target.dim == 1


def no_flow(target: Target, run: Run) -> str | None:
    """Why there is no exact end to compare with."""
    if run.stochastic:
        return "the sampler draws noise: it follows no flow"
    if reason := wrong_model(target, run):
        return reason
    if not _closed(target) and target.law.size * target.dim > LARGEST:
        return f"the exact flow of {target.law.size} components takes too long"
    return None


@measure(
    "strong_error",
    what="root-mean-square distance to the end of the exact probability flow from the same start",
    unit="of the data",
    exact=False,
    source="SDE (probability flow)",
    applies=no_flow,
)
def strong_error(target: Target, run: Run, samples: Samples) -> list[Value]:
    """|x − x*| over all directions, both at the last level of the run, from its own initial law.

    The interval is normal, over starts; the exact ends are good to 1e-11 and shared by all
    samplers between the same levels.
    """
    law = target.law
    found = next(iter(samples))
    most = CLOSED if _closed(target) else max(32, NUMBERS // (law.size * law.dim))
    n = min(len(found), most if _closed(target) else min(most, 256))
    ends = grid_of([run.grid[0], run.grid[-1]])
    variance = start_variance(run)

    def exact() -> Array:
        starts = next(samples.starts())[:n]
        return exact_trajectory(law, ends, z=starts).samples

    key = ("flow", tuple(run.grid[0]), tuple(run.grid[-1]), variance, samples.seed, samples.n, n)
    error = ((found[:n] - target.kept.of(key, exact)) ** 2).sum(axis=1)
    value = rooted(float(error.mean()), float(error.var()) / n, n)
    return [
        Value(
            "strong_error",
            value.value,
            "of the data",
            source="discretisation",
            low=value.low,
            high=value.high,
            n=n,
        )
    ]


@measure(
    "path",
    what="states on the way, in the scale and time of flow matching: z/(α+σ) at σ/(α+σ)",
    unit="of the data",
    exact=True,
    source="GAO",
    applies=lambda target, run: (
        wrong_model(target, run)
        or (None if target.dim == 1 else "the data is not on the line")
        or (None if run.affine else "the sampler is not affine: it has no table")
    ),
)
def path(target: Target, run: Run, samples: Samples) -> list[Value]:
    """Nine starts at the quantiles 0.1 … 0.9 of the initial law (`series`), at every level; the
    exact flow from the same starts as source "none". The noise of a stochastic sampler is one
    draw, the same for all samplers of a seed."""
    from dfbench.trajectories import trajectory

    law = target.law
    normal = _quantiles(9)
    z = run.initial(normal[:, None])
    runs = {"all": trajectory(run.table, law, run.grid, z=z, rng=samples.generator(7))}
    runs["none"] = exact_trajectory(law, run.grid, z=z)
    return [
        Value.exact(
            "path",
            states[i, 0] / (level.alpha + level.sigma),
            "of the data",
            source=source,
            at=level.sigma / (level.alpha + level.sigma),
            series=i,
        )
        for source, paths in runs.items()
        for states, level in zip(paths.states, paths.levels, strict=True)
        for i in range(len(normal))
    ]


def _quantiles(n: int) -> Array:
    from scipy.special import ndtri

    return np.asarray(ndtri(np.arange(1, n + 1) / (n + 1)))
