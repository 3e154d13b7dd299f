"""DPM-Solver++: exponential integrators in the data prediction, for the ODE and the SDE.

With λ = log(α/σ) and h = λ_t − λ_s the exact flow between two levels is

    z_t = (σ_t/σ_s) z_s + σ_t ∫_{λ_s}^{λ_t} e^λ x̂(λ) dλ,

and every method here is of first order into σ = 0, where h = ∞.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dfbench.levels import Grid, Level
from dfbench.samplers.ancestral import renoised
from dfbench.samplers.dpm_solver import (
    check,
    differences,
    log_step,
    multistep_order,
    phi,
    singlestep_blocks,
    singlestep_traits,
    spread,
    step_orders,
)
from dfbench.samplers.method import Model, Noise, Traits, method


@method(
    "Lu et al. 2022, arXiv 2211.01095, algorithm 1 (2S); 3S from the authors' code",
    lambda order, orders, on_grid, r2, **_: singlestep_traits(order, orders, on_grid, r2),
)
def dpm_solver_pp(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    order: int = 2,
    r1: float | None = None,
    r2: float | None = None,
    solver_type: str = "midpoint",
    orders: Sequence[int] | None = None,
    on_grid: bool = False,
    inner: str = "exact",
) -> Any:
    """DPM-Solver++(2S) and (3S), singlestep.

    Args:
        order, r1, r2: of every step; its inner levels, ½ for 2, ⅓ and ⅔ for 3 (which is of order
            2 with another r2).
        solver_type: "midpoint" as in the paper; "heun" integrates the interpolating polynomial
            exactly ("taylor" of the authors' code).
        orders, on_grid: see `dpm_solver.singlestep_blocks`.
        inner: "midpoint" takes ½ (1 − e^{−r₂h}) for the slope in the second stage of order 3
            (diffusers' singlestep scheduler, solver type "midpoint").
    """
    check(order, solver_type, ("midpoint", "heun"))
    for levels in singlestep_blocks(grid, order, orders, (r1, r2), on_grid):
        z = _data_step(model, z, levels, solver_type == "heun", inner == "midpoint")
    return z


def _data_step(model: Model, z: Any, levels: list[Level], heun: bool, midpoint: bool) -> Any:
    s, *stages, t = levels
    h = log_step(s, t)
    r = [log_step(s, u) / h for u in stages]
    x = model(z, s).x

    def first(u: Level) -> Any:
        return u.sigma / s.sigma * z - u.alpha * math.expm1(-log_step(s, u)) * x

    def slope(u: Level, halved: bool) -> float:  # half of, or exactly, α_u ∫ e^{v−h} v/h dv
        k = log_step(s, u)
        return u.alpha * (-math.expm1(-k) / 2 if halved else k * phi(2, -k))

    if not stages:
        return first(t)
    d1 = model(first(stages[0]), stages[0]).x - x
    if len(stages) == 1:
        return first(t) + slope(t, not heun) / r[0] * d1
    u2 = first(stages[1]) + r[1] / r[0] * slope(stages[1], midpoint) * d1
    d2 = model(u2, stages[1]).x - x
    if not heun:
        return first(t) + slope(t, False) / r[1] * d2
    first_derivative = (r[1] / r[0] * d1 - r[0] / r[1] * d2) * (1 / (r[1] - r[0]))
    second_derivative = (d2 * (1 / r[1]) - d1 * (1 / r[0])) * (2 / (r[1] - r[0]))
    curve = t.alpha * h * phi(3, -h)
    return first(t) + slope(t, False) * first_derivative + curve * second_derivative


@method(
    "Lu et al. 2022, arXiv 2211.01095, algorithm 2 (2M); 3M from the authors' code",
    lambda order, halved, lower_order_final, euler_at_final, **_: Traits(
        order=multistep_order(min(order, 2) if halved else order, lower_order_final, euler_at_final)
    ),
)
def dpm_solver_pp_multistep(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    order: int = 2,
    solver_type: str = "midpoint",
    halved: bool = False,
    lower_order_final: bool = False,
    euler_at_final: bool = False,
) -> Any:
    """DPM-Solver++(2M) and (3M).

    Args:
        order: outputs used; the first steps use those there are.
        solver_type: of order 2: "midpoint" (the paper's) or "heun" (the exact integral).
        halved: of order 3, the released weight of the second derivative; see `sde_dpm_solver`.
        lower_order_final, euler_at_final: see `dpm_solver.step_orders`.
    """
    orders = step_orders(grid, order, lower_order_final, euler_at_final)
    return _multistep(model, z, grid, noise, order, orders, solver_type, halved, 0.0, 1.0)


@method(
    "Lu et al. 2022, arXiv 2211.01095: SDE-DPM-Solver++1 and ++2M",
    lambda order, eta, s_noise, halved, lower_order_final, euler_at_final, **_: renoised(
        min(order, 2)
        if eta or halved
        else multistep_order(order, lower_order_final, euler_at_final),
        1,
        eta,
        s_noise,
    ),
)
def sde_dpm_solver_pp(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    order: int = 2,
    solver_type: str = "midpoint",
    eta: float = 1.0,
    s_noise: float = 1.0,
    halved: bool = False,
    lower_order_final: bool = False,
    euler_at_final: bool = False,
) -> Any:
    """SDE-DPM-Solver++(2M): the reverse SDE in x̂ (`dpmpp_2m_sde`, `dpmpp_3m_sde` of k-diffusion).

    Of order 2 in law with two outputs or three: the slope taken from them carries the noise of
    the step before instead of that of its own, which the sum over steps forgives. With η = 0 it is
    `dpm_solver_pp_multistep`.

    Args:
        order: outputs used. The paper has 1 and 2; 3 is k-diffusion's.
        s_noise: factor on the noise.
        eta: the SDE whose score term is (1 + η)/2 g² and whose noise is √η g; the paper's is 1.
        solver_type, halved, lower_order_final, euler_at_final: as in `dpm_solver_pp_multistep`.
    """
    orders = step_orders(grid, order, lower_order_final, euler_at_final)
    return _multistep(model, z, grid, noise, order, orders, solver_type, halved, eta, s_noise)


def _multistep(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    order: int,
    orders: list[int],
    solver_type: str,
    halved: bool,
    eta: float,
    s_noise: float,
) -> Any:
    check(order, solver_type, ("midpoint", "heun"))
    past: list[tuple[Level, Any]] = []
    for (s, t), k in zip(grid.steps(), orders, strict=True):
        past.append((s, model(z, s).x))
        h = log_step(s, t)
        big = (1 + eta) * h
        kept = math.exp(-eta * h) if eta else 1.0
        z = t.sigma / s.sigma * kept * z - t.alpha * math.expm1(-big) * past[-1][1]
        if k > 1:
            d1, d2 = differences(past[-k:], h)
            midpoint = k == 2 and solver_type == "midpoint"
            z = z + t.alpha * (-math.expm1(-big) / 2 if midpoint else big * phi(2, -big)) * d1
            if k == 3:
                z = z + (1 if halved else 2) * t.alpha * big * phi(3, -big) * d2
        if eta * s_noise * t.sigma:
            z = z + s_noise * t.sigma * spread(-math.expm1(-2 * eta * h)) * noise()
    return z
