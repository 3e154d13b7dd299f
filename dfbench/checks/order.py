"""Does it converge, and at the order it says?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dfbench.checks.precision import accumulated, unit_roundoff
from dfbench.convergence import CLEAN, NOISE, exact_flow, fit, grid, target
from dfbench.errors import NotAffine, Unsupported
from dfbench.exact import exact_model
from dfbench.levels import Array
from dfbench.outcome import Finding, claim, fail, inconclusive, judge, skip
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import MethodSampler

STEPS = (8, 12, 16, 24, 32, 48, 64)
MORE = (96, 128, 192)  # where these do not decide, or decide against it
DATA = 0.3  # variance at which the floor of round-off is taken
SLACK = 0.3  # an order this far below the claim is another order


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
    table = subject.affine_reading(n, grid=grid(n, subject.scale)).table
    error = np.abs(table.response(np.geomspace(0.05, 20.0, 13))).max()
    return float(error), float(accumulated(table, unit_roundoff(torch.float64), DATA)[-1])


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
            return skip(f"cannot visit a grid of one's own: {reason}", "not asked")
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
        "measured": order,
        "bound": bound,
        "sense": "at least",
        "unit": kind,
        "series": {
            "steps": list(steps),
            "error": list(error),
            "interval": [order - width, order + width],
        },
        "derivation": f"{stated}, less {SLACK}; 95 % interval ± {width:.2f} from {used} step "
        f"counts between σ/α = {NOISE:g} and {CLEAN:g}",
    }
    where = f"{steps[0]:.0f}–{steps[-1]:.0f} steps"
    if not np.isfinite(error).all():
        return fail("the sample is not finite", where=where, **details)
    if not np.isfinite(order):
        if error[-1] > 30 * floor[-1]:
            return inconclusive("fewer than four step counts above round-off", **details)
        small = {"measured": error[-1], "bound": 30 * floor[-1], "sense": "at most"}
        why = "exact to round-off at every step count"
        return judge(**(details | small | {"unit": "error", "why": why}))
    if order < bound <= order + width and error[-1] <= error[0]:
        why = f"{kind} {order:.2f} ± {width:.2f}: the interval reaches {bound}"
        return inconclusive(why, **details)
    why = f"converges at {kind} {order:.2f} ± {width:.2f}, {stated}"
    return judge(failing={"why": why, "where": where}, **details)
