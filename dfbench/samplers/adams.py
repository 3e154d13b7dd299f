"""Adams–Bashforth methods: the past outputs are interpolated and integrated.

In y = z/α and ρ = σ/α the probability-flow ODE is dy/dρ = ε̂, so that

    z_t = α_t (z_s/α_s + ∫_{ρ_s}^{ρ_t} ε̂ dρ).

LMS and DEIS integrate the polynomial through the past outputs exactly, in ρ, log ρ or t. PNDM and
iPNDM take the classical weights of equal steps and give their mean output to the DDIM step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import gammainc

from dfbench.levels import Array, Grid, Level
from dfbench.samplers.dpm_solver import between, ddim_step, growth, multistep_order, need_signal
from dfbench.samplers.method import Model, Noise, Traits, method

WeightsOf = Callable[[list[int], int], Sequence[float] | Array]


def _integrate(model: Model, z: Any, grid: Grid, orders: Sequence[int], weights: WeightsOf) -> Any:
    """z_t/α_t = z_s/α_s + Σ_j w_j ε̂_j, where w = weights(indices of the nodes, index of t)."""
    outputs: list[Any] = []
    for i, ((s, t), k) in enumerate(zip(grid.steps(), orders, strict=True)):
        out = model(z, s)
        outputs.append(out.eps)
        if s.alpha == 0:
            z = ddim_step(out, z, s, t)
            continue
        nodes = [i - j for j in range(k)]
        z = t.alpha / s.alpha * z
        for j, w in zip(nodes, weights(nodes, i + 1), strict=True):
            z = z + t.alpha * float(w) * outputs[j]
    return z


def lagrange_integrals(nodes: Sequence[float] | Array, start: float, stop: float) -> list[float]:
    """∫ l_j over [start, stop] of the Lagrange polynomials of at most 8 nodes (Gauss, exact).

    A node at infinity (α = 0) drops out.
    """
    roots, weights = np.polynomial.legendre.leggauss(4)
    x = (start + stop) / 2 + (stop - start) / 2 * roots
    total = []
    for j, a in enumerate(nodes):
        others = [b for i, b in enumerate(nodes) if i != j and b < math.inf]
        l_j = np.prod([x**0, *((x - b) / (a - b) for b in others)], axis=0)
        total.append(float((stop - start) / 2 * weights @ l_j) if a < math.inf else 0.0)
    return total


@method(
    "Katherine Crowson's k-diffusion, `sample_lms`; Zhang & Chen 2022, arXiv 2204.13902 (ρAB)",
    lambda order: Traits(order=order),
)
def lms(model: Model, z: Any, grid: Grid, noise: Noise, *, order: int = 4) -> Any:
    """Linear multistep: Adams–Bashforth in ρ = σ/α, with the weights of the steps really taken.

    Args:
        order: outputs used, 1 to 4; the first steps use those there are.
    """
    _check(order)
    orders = [min(order, i + 1) for i in range(grid.n_steps)]
    rho = grid.ratio
    return _integrate(
        model, z, grid, orders, lambda j, to: lagrange_integrals(rho[j], rho[to - 1], rho[to])
    )


@method(
    "Zhang & Chen 2022, arXiv 2204.13902: tAB-DEIS and ρAB-DEIS",
    lambda order, lower_order_final, **_: Traits(order=multistep_order(order, lower_order_final)),
)
def deis(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    order: int = 3,
    variable: str = "rho",
    lower_order_final: bool = False,
) -> Any:
    """DEIS: Adams–Bashforth with a polynomial in any variable.

    Args:
        order: outputs used, 1 to 4: the paper's tAB-DEIS of polynomial degree `order` − 1.
        variable: "t" is the paper's tAB and needs a grid with t and a schedule; "rho" its ρAB,
            the same method as `lms`; "log_rho" is not in the paper but what diffusers has, the
            same as the exact multistep DPM-Solver in ε.
        lower_order_final: see `dpm_solver.step_orders`.
    """
    _check(order)
    n = grid.n_steps
    orders = [min(order, i + 1, n - i if lower_order_final else n) for i in range(n)]
    return _integrate(model, z, grid, orders, _deis_weights(grid, variable))


def _deis_weights(grid: Grid, variable: str) -> WeightsOf:
    rho = grid.ratio
    if variable == "rho":
        return lambda j, to: lagrange_integrals(rho[j], rho[to - 1], rho[to])
    if variable == "log_rho":
        return lambda j, to: _log_weights(rho[j], rho[to - 1], rho[to])
    if variable != "t":
        raise ValueError(f"variable must be 'rho', 'log_rho' or 't', got {variable!r}")
    if grid.t is None or grid.schedule is None:
        raise ValueError("DEIS in t needs a grid with times and a schedule")
    t, log_snr = grid.t, grid.schedule.log_snr
    return lambda j, to: _time_weights(lambda u: np.exp(-log_snr(u) / 2), t[j], t[to - 1], t[to])


def _log_weights(nodes: Array, start: float, stop: float) -> Array:
    """∫ l_j dρ with l_j polynomials in u = log(start/ρ); stop = 0 is legal.

    The moments are ∫_stop^start u^k dρ = start · k! P(k + 1, h), P the incomplete Γ function.
    A node at infinity (α = 0) drops out.
    """
    if np.isinf(nodes[-1]):
        return np.append(_log_weights(nodes[:-1], start, stop), 0.0)
    u = np.log(start / nodes)
    h = math.inf if stop == 0 else math.log(start / stop)
    unit = -u[1] if len(u) > 1 else 1.0  # of u, so that the moments are of one size
    k = np.arange(len(u))
    moments = -start * gammainc(k + 1, h) * [math.factorial(i) / unit**i for i in k]
    return np.linalg.solve((u / unit) ** k[:, None], moments)


def _time_weights(rho: Callable[[Array], Array], nodes: Array, s: float, t: float) -> list[float]:
    """∫ l_j(u) ρ'(u) du over [s, t], by parts: [l_j ρ] − ∫ l_j' ρ du."""
    roots, weights = np.polynomial.legendre.leggauss(32)
    u = (s + t) / 2 + (t - s) / 2 * roots
    (rho_s, rho_t), inside = rho(np.array([s, t])), rho(u)
    total = []
    for j, node in enumerate(nodes):
        others = np.delete(nodes, j)
        l_j = np.poly1d(np.poly(others - s) / np.prod(node - others))  # in u − s
        ends = l_j(t - s) * rho_t - l_j(0.0) * rho_s
        total.append(float(ends - (t - s) / 2 * weights @ (l_j.deriv()(u - s) * inside)))
    return total


ADAMS_BASHFORTH = {
    1: (1.0,),
    2: (3 / 2, -1 / 2),
    3: (23 / 12, -16 / 12, 5 / 12),
    4: (55 / 24, -59 / 24, 37 / 24, -9 / 24),
}


def _ddim(z: Any, s: Level, t: Level, eps: Any) -> Any:
    """φ of 2202.09778: (α_t/α_s) z − α_t (ρ_s − ρ_t) ε̂."""
    return t.alpha / s.alpha * z - growth(s, t) * eps


def _blend(outputs: list[Any], order: int) -> Any:
    """The Adams–Bashforth combination of the last `order` outputs."""
    mean = ADAMS_BASHFORTH[order][0] * outputs[-1]
    for weight, output in zip(ADAMS_BASHFORTH[order][1:], outputs[-2::-1], strict=False):
        mean = mean + weight * output
    return mean


@method(
    "Liu et al. 2022, arXiv 2202.09778: F-PNDM and S-PNDM",
    # Weights of equal steps are applied to steps in ρ that are not: second order, as proved there.
    lambda order, **_: Traits(order=min(order, 2), evaluations=None),
)
def pndm(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    order: int = 4,
    start: str = "prk",
    halfway: Sequence[Level] | None = None,
) -> Any:
    """Pseudo numerical methods: `order` 4 is F-PNDM, order 2 with `start="plms"` is S-PNDM.

    Args:
        order: outputs used once there are enough, 1 to 4.
        start: "prk": `order` − 1 pseudo Runge–Kutta steps of four evaluations each. "plms": one
            pseudo improved Euler step of two, then Adams–Bashforth of rising order (latent
            diffusion; "skip_prk_steps" of diffusers).
        halfway: the middle levels of the Runge–Kutta steps. By default the middle in t if the
            grid has times and a schedule, else the middle in λ.
    """
    _check(order)
    need_signal(grid)
    if start not in ("prk", "plms"):
        raise ValueError(f"start must be 'prk' or 'plms', got {start!r}")
    outputs: list[Any] = []
    for i, (s, t) in enumerate(grid.steps()):
        eps = model(z, s).eps
        outputs.append(eps)
        if i == 0 and start == "plms" and order > 1:
            eps = 0.5 * (eps + model(_ddim(z, s, t, eps), t).eps)
        elif i < order - 1 and start == "prk":
            mid = halfway[i] if halfway is not None else _halfway(grid, i)
            eps2 = model(_ddim(z, s, mid, eps), mid).eps
            eps3 = model(_ddim(z, s, mid, eps2), mid).eps
            eps4 = model(_ddim(z, s, t, eps3), t).eps
            eps = (1 / 6) * (eps + 2 * eps2 + 2 * eps3 + eps4)
        else:
            eps = _blend(outputs, min(order, i + 1))
        z = _ddim(z, s, t, eps)
    return z


def _halfway(grid: Grid, i: int) -> Level:
    if grid.t is not None and grid.schedule is not None:
        return grid.schedule.level(float(grid.t[i] + grid.t[i + 1]) / 2)
    return between(grid, grid[i], grid[i + 1], 0.5)


@method(
    "Zhang & Chen 2022, arXiv 2204.13902: iPNDM",
    lambda order: Traits(order=min(order, 2)),
)
def ipndm(model: Model, z: Any, grid: Grid, noise: Noise, *, order: int = 4) -> Any:
    """PNDM without a special start: Adams–Bashforth of rising order, one evaluation a step.

    Args:
        order: outputs used, 1 to 4; the first steps use those there are.
    """
    _check(order)
    outputs: list[Any] = []
    for i, (s, t) in enumerate(grid.steps()):
        out = model(z, s)
        outputs.append(out.eps)
        if i == 0:
            z = ddim_step(out, z, s, t)
        else:
            z = _ddim(z, s, t, _blend(outputs, min(order, i + 1)))
    return z


def _check(order: int) -> None:
    if order not in ADAMS_BASHFORTH:
        raise ValueError(f"order must be 1 to 4, got {order}")
