"""Does it converge, and at which order: a target, a grid, the exact flow between, and the fit."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analytic import GaussianMixture, flow_map
from dfbench.grids import regular
from dfbench.levels import Array, Grid
from dfbench.schedules import Scale, at_log_snr

# σ/α between which orders are judged. The first is large, because there the field is nearly
# linear and the low-order start of a multistep method leaves no error of its own.
NOISE, CLEAN = 40.0, 0.1
WINDOW = 5  # step counts that the fit uses, the largest


@cache
def target() -> GaussianMixture:
    """Three unequal components in the plane: nonlinear, and asymptotic from 24 steps on."""
    return GaussianMixture.isotropic(
        [0.5, 0.3, 0.2], [[-1.0, 0.3], [0.9, 0.8], [0.4, -1.1]], [0.25, 0.36, 0.16]
    )


@cache
def grid(n: int, scale: Scale) -> Grid:
    """n steps regular in λ between the two noise levels; one object, so that readings are kept."""
    return regular(-2 * np.log(NOISE), -2 * np.log(CLEAN), n, scale=scale)


@cache
def uneven(n: int, scale: Scale) -> Grid:
    """The same with steps of λ that are twice as long as those before and after, in turn.

    Weights that are right for equal steps only lose their order here; on a grid whose steps change
    smoothly they would not, as neighbours become equal with n.
    """
    step = np.where(np.arange(n) % 2, 2.0, 1.0)
    at = np.append(0.0, np.cumsum(step) / step.sum())
    lam = -2 * np.log(NOISE) + at * 2 * np.log(NOISE / CLEAN)
    return Grid(*at_log_snr(lam, scale))


@cache
def exact_flow() -> tuple[Array, Array]:
    """Start and end points z/α of the exact probability flow, 24 of them, shape (24, 2)."""
    rng = np.random.default_rng(7)
    start = target().sample_diffused(24, 1.0, NOISE, rng)
    end = flow_map(target(), start, (1.0, NOISE), (1.0, CLEAN))
    return start, end.z


class Fit(NamedTuple):
    """An order, the half-width of its 95 % interval, and the number of points used."""

    order: float
    width: float
    used: int


def fit(steps: ArrayLike, error: ArrayLike, floor: ArrayLike) -> Fit:
    """The order of errors against steps.

    Regression of log error on log h and h (the next term of an asymptotic expansion
    e = C hᵖ (1 + c h + …)), over the longest tail above 30 round-off floors.

    Args:
        steps, error: one of each a run.
        floor: of round-off, one for all or one a run.
    """
    steps, error = np.asarray(steps, dtype=float), np.asarray(error, dtype=float)
    usable = (error > 30 * np.asarray(floor)) & np.isfinite(error)
    if usable.sum() < 4:
        return Fit(float("nan"), float("inf"), int(usable.sum()))
    last = int(np.flatnonzero(usable)[-1])
    window = [i for i in range(last + 1) if usable[i]][-WINDOW:]
    h = 1.0 / steps[window]
    design = np.stack([np.ones(len(h)), np.log(h), h], axis=1)
    solution, *_ = np.linalg.lstsq(design, np.log(error[window]), rcond=None)
    residual = np.log(error[window]) - design @ solution
    freedom = len(h) - 3
    cov = np.linalg.inv(design.T @ design) * (residual @ residual) / freedom
    width = float(stats.t.ppf(0.975, freedom) * np.sqrt(cov[1, 1]))
    return Fit(float(solution[1]), width, len(window))
