"""Does it converge, and at the order it says?"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from scipy import stats

from analytic import GaussianMixture, flow_map
from dfbench.claims.base import Finding, claim, inconclusive, skip
from dfbench.claims.precision import accumulated, unit_roundoff
from dfbench.errors import NotAffine, Unsupported
from dfbench.exact import exact_model
from dfbench.grids import regular
from dfbench.levels import Array, Grid
from dfbench.schedules import Scale
from dfbench.subjects.base import Sampler
from dfbench.subjects.reference import MethodSampler

STEPS = (8, 12, 16, 24, 32, 48, 64)
MORE = (96, 128, 192)  # where these do not decide, or decide against it
# σ/α between which orders are judged. The first is large, because there the field is nearly
# linear and the low-order start of a multistep method leaves no error of its own.
NOISE, CLEAN = 40.0, 0.1
WINDOW = 5  # step counts that the fit uses, the largest
DATA = 0.3  # variance at which the floor of round-off is taken
SLACK = 0.3  # an order this far below the claim is another order


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
def exact_flow() -> tuple[Array, Array]:
    """Start and end points z/α of the exact probability flow, 24 of them, shape (24, 2)."""
    rng = np.random.default_rng(7)
    start = target().sample_diffused(24, 1.0, NOISE, rng)
    end = flow_map(target(), start, (1.0, NOISE), (1.0, CLEAN))
    return start, end.z


def deterministic_error(subject: Sampler, n: int) -> tuple[float, float]:
    """RMS distance (in z/α) to the exact flow from the same points, and the round-off floor."""
    levels = grid(n, subject.scale)
    start, end = exact_flow()
    reading = subject.affine_reading(n, grid=levels)
    table = reading.table.normal_draws(1e-9)
    if table.n_draws:
        raise NotAffine("declared deterministic, but draws noise")
    model = exact_model(target(), table.prediction, table.sigma_data)
    z = start * table.origin.alpha
    out = table.run(model, z) / table.levels[-1].alpha
    floor = float(accumulated(table, unit_roundoff(torch.float64), DATA)[-1])
    return float(np.sqrt(np.mean((out - end) ** 2))), floor


def weak_error(subject: Sampler, n: int) -> tuple[float, float]:
    """Largest relative error of the output's standard deviation over Gaussian data."""
    reading = subject.affine_reading(n, grid=grid(n, subject.scale))
    variance = np.geomspace(0.05, 20.0, 13)
    level = reading.table.levels[-1]
    law = reading.table.law(variance)
    truth = level.alpha**2 * variance + level.sigma**2
    error = np.abs(np.sqrt(law.variance / truth) - 1).max()
    return float(error), float(accumulated(reading.table, unit_roundoff(torch.float64), DATA)[-1])


def fit(steps: Array, error: Array, floor: Array) -> tuple[float, float, int]:
    """Order and half-width of its 95 % interval from errors against steps.

    Regression of log error on log h and h (the next term of an asymptotic expansion
    e = C hᵖ (1 + c h + …)), over the longest tail above 30 round-off floors; also the number of
    points used.
    """
    usable = (error > 30 * floor) & np.isfinite(error)
    if usable.sum() < 4:
        return float("nan"), float("inf"), int(usable.sum())
    last = int(np.flatnonzero(usable)[-1])
    window = [i for i in range(last + 1) if usable[i]][-WINDOW:]
    h = 1.0 / steps[window]
    design = np.stack([np.ones(len(h)), np.log(h), h], axis=1)
    solution, *_ = np.linalg.lstsq(design, np.log(error[window]), rcond=None)
    residual = np.log(error[window]) - design @ solution
    freedom = len(h) - 3
    cov = np.linalg.inv(design.T @ design) * (residual @ residual) / freedom
    width = float(stats.t.ppf(0.975, freedom) * np.sqrt(cov[1, 1]))
    return float(solution[1]), width, len(window)


def _euler_called_second_order(size: float) -> Sampler:
    """DDIM is first order; this one claims 1 + size."""
    return MethodSampler("ddim", claimed={"order": 1.0 + size})


@claim(
    "order",
    "Between two noise levels the sampler converges at its declared order: to the exact "
    "probability flow from the same points, or, if it draws noise, to the exact law.",
    source="CLAIMS 27, 39, 42 and the method's paper",
    control=_euler_called_second_order,
    control_size=1.0,
    rows=(27, 39, 42),
)
def order_check(subject: Sampler) -> Finding:
    """Errors over step counts on a λ-regular grid; the fitted order against the declared one."""
    if subject.traits.biased:
        return skip(f"does not converge by design: {subject.traits.biased}")
    measure = weak_error if subject.traits.stochastic else deterministic_error
    measured: list[tuple[int, float, float]] = []
    finding = inconclusive("no step count could be run")
    for counts in (STEPS, *((n,) for n in MORE)):
        try:
            measured += [(n, *measure(subject, n)) for n in counts]
        except Unsupported as reason:
            return skip(f"cannot visit a grid of one's own: {reason}")
        steps, error, floor = np.array(measured, dtype=float).T
        finding = _verdict(subject, steps, error, floor)
        if finding.verdict == "pass":
            break
    return finding


def _verdict(subject: Sampler, steps: Array, error: Array, floor: Array) -> Finding:
    """The fitted order against the declared one."""
    declared = subject.traits.order
    bound = (1.0 if declared is None else declared) - SLACK
    kind = "weak order" if subject.traits.stochastic else "order"
    order, width, used = fit(steps, error, floor)
    stated = "no order is declared, so 1" if declared is None else f"declared {declared:g}"
    details: dict[str, Any] = {
        "unit": kind, "bound": bound, "measured": order,
        "series": {"steps": list(steps), "error": list(error),
                   "interval": [order - width, order + width]},
        "derivation": f"{stated}, less {SLACK}; 95 % interval ± {width:.2f} from {used} step "
        f"counts between σ/α = {NOISE:g} and {CLEAN:g}",
    }  # fmt: skip
    where = f"{steps[0]:.0f}–{steps[-1]:.0f} steps"
    if not np.isfinite(error).all():
        return Finding("", "fail", why="the sample is not finite", where=where, **details)
    if not np.isfinite(order):
        if error[-1] <= 30 * floor[-1]:
            details |= {"measured": error[-1], "bound": 30 * floor[-1], "unit": "error"}
            return Finding("", "pass", why="exact to round-off at every step count", **details)
        return inconclusive("fewer than four step counts above round-off", **details)
    if order >= bound:
        return Finding("", "pass", **details)
    if order + width < bound or error[-1] > error[0]:
        why = f"converges at {kind} {order:.2f} ± {width:.2f}, {stated}"
        return Finding("", "fail", why=why, where=where, **details)
    why = f"{kind} {order:.2f} ± {width:.2f}: the interval reaches {bound}"
    return inconclusive(why, **details)
