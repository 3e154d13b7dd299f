"""UniPC: a multistep predictor and a corrector that reuses the predictor's next evaluation."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np

from dfbench.levels import Grid, Level
from dfbench.samplers.dpm_solver import (
    MOST_OUTPUTS,
    ddim_step,
    log_step,
    multistep_order,
    phi,
    step_orders,
)
from dfbench.samplers.method import Model, Noise, Output, Traits, method


@method(
    "Zhao et al. 2023, arXiv 2302.04867: UniP-p and UniC-p in multistep form",
    lambda order, corrector, lower_order_final, disable_corrector, **_: Traits(
        # UniC raises the order by one where it is applied.
        order=multistep_order(order + (corrector and not disable_corrector), lower_order_final)
    ),
)
def unipc(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    order: int = 2,
    variant: str = "bh2",
    predict_x0: bool = True,
    corrector: bool = True,
    disable_corrector: Collection[int] = (),
    lower_order_final: bool = False,
) -> Any:
    """UniP-p with UniC-p. The last step is not corrected: it would cost an evaluation.

    Args:
        order: p, of the predictor; the first steps use the outputs there are.
        variant: B(h) = h ("bh1") or e^h − 1 ("bh2"); with h → −h for data prediction.
        predict_x0: data or noise prediction.
        corrector, disable_corrector: whether to correct, and the steps (from 0) that are not.
        lower_order_final: see `dpm_solver.step_orders`. Released code always has it on.
    """
    if not 1 <= order <= MOST_OUTPUTS or variant not in ("bh1", "bh2"):
        raise ValueError(
            f"order must be 1 to {MOST_OUTPUTS} and variant 'bh1' or 'bh2', "
            f"got {order}, {variant!r}"
        )
    orders = step_orders(grid, order, lower_order_final)
    update = _data_update if predict_x0 else _noise_update
    past: list[tuple[Level, Output]] = []
    start, s_start = z, grid[0]
    for i, (s, t) in enumerate(grid.steps()):
        out = model(z, s)
        now = (s, out)
        if i and corrector and i - 1 not in disable_corrector:
            z = update(start, s_start, s, [now, *past[: orders[i - 1]]], variant)
        past.insert(0, now)
        start, s_start = z, s
        z = update(z, s, t, past[: orders[i]], variant)
    return z


def _noise_update(
    z: Any, s: Level, t: Level, outputs: list[tuple[Level, Output]], variant: str
) -> Any:
    """(α_t/α_s) z − σ_t (e^h − 1) ε̂_s − σ_t B(h) Σ a_m D_m/r_m."""
    z = ddim_step(dict(outputs)[s], z, s, t)
    if len(outputs) == 1:
        return z
    eps = [(m, out.eps) for m, out in outputs]
    return z - t.sigma * _correction(s, t, log_step(s, t), eps, variant)


def _data_update(
    z: Any, s: Level, t: Level, outputs: list[tuple[Level, Output]], variant: str
) -> Any:
    """(σ_t/σ_s) z − α_t (e^{−h} − 1) x̂_s − α_t B(−h) Σ a_m D_m/r_m."""
    h, x = log_step(s, t), dict(outputs)[s].x
    z = t.sigma / s.sigma * z - t.alpha * math.expm1(-h) * x
    if len(outputs) == 1:
        return z
    return z - t.alpha * _correction(s, t, -h, [(m, out.x) for m, out in outputs], variant)


def _correction(
    s: Level, t: Level, x: float, outputs: list[tuple[Level, Any]], variant: str
) -> Any:
    """B(x) Σ_m a_m D_m/r_m with D_m = m_m − m_s and r_m = (λ_m − λ_s)/h, x = ±h.

    a solves Σ_m a_m r_m^{k−1} = x k! φ_{k+1}(x)/B(x), k = 1 …; a single a is ½, enough for any B.
    An output at α = 0 lies infinitely far back and drops out, but its equation stays: the limit.
    """
    b = x if variant == "bh1" else math.expm1(x)
    if math.isinf(b):
        raise ValueError("a step from α = 0 cannot be corrected: put 0 in disable_corrector")
    here = dict(outputs)[s]
    r = {m: 1.0 if m == t else log_step(s, m) / log_step(s, t) for m, _ in outputs if m != s}
    used = [(m, out) for m, out in outputs if m != s and math.isfinite(r[m])]
    a = np.array([0.5])
    if len(outputs) > 2:
        k = range(1, len(used) + 1)
        powers = np.array([[r[m] ** (i - 1) for m, _ in used] for i in k])
        integrals = np.array([x * math.factorial(i) * phi(i + 1, x) / b for i in k])
        a = np.linalg.solve(powers, integrals)
    total = 0.0 * here
    for weight, (m, out) in zip(a, used, strict=False):
        total = total + b * float(weight) / r[m] * (out - here)
    return total
