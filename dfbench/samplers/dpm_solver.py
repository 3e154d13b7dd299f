"""DPM-Solver: exponential integrators of the probability-flow ODE in the noise prediction.

With λ = log(α/σ), half the log-SNR, as in the papers, the exact flow between two levels is

    z_t = (α_t/α_s) z_s − α_t ∫_{λ_s}^{λ_t} e^{−λ} ε̂(λ) dλ,

and the methods differ in how they expand ε̂ in λ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from dfbench.levels import Grid, Level
from dfbench.samplers.method import Model, Noise, Output, Traits, method
from dfbench.schedules import SCALES, at_log_snr

#: Of a multistep method: the polynomial through more of them is lost to rounding in float64.
MOST_OUTPUTS = 9


def phi(k: int, x: float) -> float:
    """φ_k(x) = ∫₀¹ e^{(1−s)x} s^{k−1}/(k−1)! ds, so that φ_{k+1} = (φ_k − 1/k!)/x and φ_0 = eˣ."""
    if k == 0:
        return math.exp(x)
    if abs(x) < 1:  # the recursion would cancel
        return sum(x**n / math.factorial(n + k) for n in range(18))
    return (phi(k - 1, x) - 1 / math.factorial(k - 1)) / x


def log_step(s: Level, t: Level) -> float:
    """h = λ_t − λ_s; ∞ from α = 0 and to σ = 0."""
    return t.half_log_snr - s.half_log_snr


def spread(variance: float) -> float:
    """The standard deviation of a step's noise; 0 between two levels that are equal to float32.

    Raises:
        ValueError: the step goes back towards noise.
    """
    if variance < -1e-6:
        raise ValueError("a step of a stochastic solver goes back towards noise")
    return math.sqrt(max(0.0, variance))


def growth(s: Level, t: Level) -> float:
    """σ_t (e^h − 1), finite at σ_t = 0 too."""
    return t.alpha * (s.ratio - t.ratio)


def ddim_step(out: Output, z: Any, s: Level, t: Level) -> Any:
    """(α_t/α_s) z − σ_t (e^h − 1) ε̂, which is α_t x̂ + σ_t ε̂ from α_s = 0, where x̂ is known."""
    if s.alpha == 0:
        return t.alpha * out.x + t.sigma * out.eps
    return t.alpha / s.alpha * z - growth(s, t) * out.eps


def between(grid: Grid, s: Level, t: Level, r: float) -> Level:
    """The level at λ_s + r (λ_t − λ_s).

    On the grid's schedule if it has one. Else on the scale that both ends share: α = 1 stays
    α = 1, α² + σ² = 1 and α + σ = 1 stay so. Else √(α² + σ²) is interpolated geometrically. The
    methods here do not depend on the choice.
    """
    lam = s.log_snr + r * (t.log_snr - s.log_snr)
    if grid.schedule is not None:
        return grid.schedule.level(grid.schedule.t_of_log_snr(lam))
    for scale in SCALES:
        level = Level(*at_log_snr(lam, scale))
        sizes = [_size(scale, end) / _size(scale, level) for end in (s, t)]
        if math.isclose(*sizes, rel_tol=1e-12):
            return Level(sizes[0] * level.alpha, sizes[0] * level.sigma)
    level = Level(*at_log_snr(lam, "vp"))
    size = math.hypot(*s) ** (1 - r) * math.hypot(*t) ** r
    return Level(size * level.alpha, size * level.sigma)


def _size(scale: str, level: Level) -> float:
    sizes = {"vp": math.hypot(*level), "ve": level.alpha, "flow": level.alpha + level.sigma}
    return sizes[scale]


def step_orders(
    grid: Grid, order: int, lower_order_final: bool = False, euler_at_final: bool = False
) -> list[int]:
    """The order of every step of a multistep method.

    Never more than the outputs there are. `lower_order_final` lowers it towards the end so that
    the last step is of order 1 (the released code of DPM-Solver does so below 10 steps, that of
    diffusers below 15); `euler_at_final` lowers the last step alone, and so does σ = 0.
    """
    n = grid.n_steps
    orders = [min(order, i + 1, n - i if lower_order_final else n) for i in range(n)]
    if euler_at_final or grid[-1].sigma == 0:
        orders[-1] = 1
    return orders


def multistep_order(order: int, lower_order_final: bool, euler_at_final: bool = False) -> int:
    """Order of convergence: one step of order 1 has an error of h², whatever the others do."""
    return min(order, 2) if lower_order_final or euler_at_final else order


def fast_orders(evaluations: int, order: int = 3) -> list[int]:
    """How DPM-Solver-fast spends an odd number of evaluations: steps of 3, then 2 and 1.

    (2206.00927; steps of 2, then 1, for order 2.)
    """
    n = evaluations
    if order == 3:
        return [3] * (n // 3 - 1) + [2, 1] if n % 3 == 0 else [3] * (n // 3) + [n % 3]
    return [order] * (n // order) + [1] * (n % order)


def singlestep_blocks(
    grid: Grid,
    order: int,
    orders: Sequence[int] | None,
    nodes: Sequence[float | None],
    on_grid: bool,
) -> Iterator[list[Level]]:
    """The levels s, s_1, …, t of each step: those of its evaluations, and where it ends.

    With `on_grid` the grid holds the level of every evaluation, and a step of order k takes k of
    its intervals: `orders` must sum to N, and is by default that of `fast_orders`. Otherwise each
    interval is a step, with inner levels at the fractions `nodes` of h; a step from α = 0 or to
    σ = 0, where h = ∞, is of order 1.
    """
    levels = list(grid)
    if on_grid:
        blocks = list(orders) if orders is not None else fast_orders(grid.n_steps, order)
        if orders is None and levels[-1].sigma == 0 and blocks[-1] > 1:
            blocks[-1:] = [blocks[-1] - 1, 1]
        if sum(blocks) != grid.n_steps:
            raise ValueError(f"orders must sum to {grid.n_steps} evaluations, got {blocks}")
        start = 0
        for k in blocks:
            block = levels[start : start + k + 1]
            if k > 1 and math.isinf(log_step(block[0], block[-1])):
                raise ValueError("a step from α = 0 or to σ = 0 must be of order 1")
            yield block
            start += k
        return
    blocks = [order] * grid.n_steps if orders is None else list(orders)
    if len(blocks) != grid.n_steps:
        raise ValueError(f"orders must have {grid.n_steps} entries, got {len(blocks)}")
    for (s, t), k in zip(grid.steps(), blocks, strict=True):
        default = {1: [], 2: [1 / 2], 3: [1 / 3, 2 / 3]}[k if log_step(s, t) < math.inf else 1]
        given = [r if mine is None else mine for r, mine in zip(default, nodes, strict=False)]
        yield [s, *(between(grid, s, t, r) for r in given), t]


def singlestep_traits(
    order: int, orders: Sequence[int] | None, on_grid: bool, r2: float | None
) -> Traits:
    """One or two steps of a lower order k have an error of h^{k+1}, which is of order k + 1.

    The first inner stage of order 3 is a step of order 1, and only r2 = ⅔ keeps the error of it
    out of the result.
    """
    evaluations = None if on_grid or orders is not None else order
    if order == 3 and r2 is not None and not math.isclose(r2, 2 / 3):
        order = 2
    if orders is not None:
        order = min(k if list(orders).count(k) > 2 else k + 1 for k in {*orders, order})
    elif on_grid:  # `fast_orders` ends with a step of order 1 at most step counts
        order = min(order, 2)
    return Traits(order=order, evaluations=evaluations)


def check(order: int, solver_type: str, solver_types: tuple[str, str]) -> None:
    """Refuse an order that does not exist, or an unknown solver type."""
    if order not in (1, 2, 3):
        raise ValueError(f"order must be 1, 2 or 3, got {order}")
    if solver_type not in solver_types:
        raise ValueError(f"solver_type must be one of {solver_types}, got {solver_type!r}")


def need_signal(grid: Grid) -> None:
    """Refuse α = 0, for methods that need the state's signal there."""
    if (grid.alpha[:-1] == 0).any():
        raise ValueError("this method cannot start at α = 0")


@method(
    "Lu et al. 2022, arXiv 2206.00927: DPM-Solver-1, and -2 and -3 with general r1, r2",
    lambda order, orders, on_grid, r2, **_: singlestep_traits(order, orders, on_grid, r2),
)
def dpm_solver(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    order: int = 2,
    r1: float | None = None,
    r2: float | None = None,
    solver_type: str = "dpmsolver",
    orders: Sequence[int] | None = None,
    on_grid: bool = False,
    inner: str = "exact",
) -> Any:
    """DPM-Solver-1, -2 and -3, singlestep.

    Args:
        order, r1, r2: of every step; its inner levels, ½ for 2, ⅓ and ⅔ for 3 (which is of order
            2 with another r2).
        solver_type: "dpmsolver" as in the paper; "taylor" integrates the interpolating
            polynomial exactly (released code).
        orders, on_grid: see `singlestep_blocks`.
        inner: "midpoint" takes ½ (e^{r₂h} − 1) for the slope in the second stage of order 3
            (diffusers' singlestep scheduler, solver type "midpoint").
    """
    check(order, solver_type, ("dpmsolver", "taylor"))
    for s, *stages, t in singlestep_blocks(grid, order, orders, (r1, r2), on_grid):
        z = _noise_step(model, z, [s, *stages, t], solver_type == "taylor", inner == "midpoint")
    return z


def _noise_step(model: Model, z: Any, levels: list[Level], taylor: bool, midpoint: bool) -> Any:
    s, *stages, t = levels
    h = log_step(s, t)
    r = [log_step(s, u) / h for u in stages]
    out = model(z, s)
    eps = out.eps

    def first(u: Level) -> Any:
        return ddim_step(out, z, s, u)

    def slope(u: Level, halved: bool) -> float:  # half of, or exactly, σ_u ∫ e^{h−v} v/h dv
        k = log_step(s, u)
        return growth(s, u) / 2 if halved else u.sigma * k * phi(2, k)

    if not stages:
        return first(t)
    d1 = model(first(stages[0]), stages[0]).eps - eps
    if len(stages) == 1:
        return first(t) - slope(t, not taylor) / r[0] * d1
    u2 = first(stages[1]) - r[1] / r[0] * slope(stages[1], midpoint) * d1
    d2 = model(u2, stages[1]).eps - eps
    if not taylor:
        return first(t) - slope(t, False) / r[1] * d2
    first_derivative = (r[1] / r[0] * d1 - r[0] / r[1] * d2) * (1 / (r[1] - r[0]))
    second_derivative = (d2 * (1 / r[1]) - d1 * (1 / r[0])) * (2 / (r[1] - r[0]))
    curve = t.sigma * h * phi(3, h)
    return first(t) - slope(t, False) * first_derivative - curve * second_derivative


@method(
    "Lu et al. 2022, arXiv 2206.00927 (noise prediction) in the multistep form of 2211.01095",
    lambda order, halved, lower_order_final, euler_at_final, **_: Traits(
        order=multistep_order(min(order, 2) if halved else order, lower_order_final, euler_at_final)
    ),
)
def dpm_solver_multistep(
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
    """DPM-Solver multistep in ε, orders 1 to 3 ("dpmsolver" of the released code).

    Args:
        order: outputs used; the first steps use those there are.
        solver_type: of order 2: "midpoint" or "heun" (the exact integral).
        halved: see `sde_dpm_solver`.
        lower_order_final, euler_at_final: see `step_orders`.
    """
    orders = step_orders(grid, order, lower_order_final, euler_at_final)
    return _multistep(model, z, grid, noise, order, orders, solver_type, halved, 0.0)


@method(
    "Lu et al. 2022, arXiv 2211.01095: SDE-DPM-Solver-1 and -2M",
    lambda order, **_: Traits(order=min(order, 2), stochastic=True, exact_on_points=False),
)
def sde_dpm_solver(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    order: int = 2,
    solver_type: str = "midpoint",
    eta: float = 1.0,
    halved: bool = False,
    lower_order_final: bool = False,
    euler_at_final: bool = False,
) -> Any:
    """SDE-DPM-Solver: the reverse SDE in ε. It cannot land at σ = 0, where noise would be left.

    Args:
        order: outputs used. The paper has 1 and 2.
        eta: the SDE whose score term is (1 + η)/2 g² and whose noise is √η g; the paper's is 1.
        halved: of order 3, weigh the second derivative by ½, as released code does. The
            polynomial through three outputs is D0 + D1 u/h + D2 (u/h)², and the integral of its
            last term is 2 h φ_3 D2, where released code has h φ_3 D2: of order 2, not 3.
        solver_type, lower_order_final, euler_at_final: as in `dpm_solver_multistep`.
    """
    if eta and grid[-1].sigma == 0:
        raise ValueError("SDE-DPM-Solver in ε cannot land at σ = 0")
    orders = step_orders(grid, order, lower_order_final, euler_at_final)
    return _multistep(model, z, grid, noise, order, orders, solver_type, halved, eta)


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
) -> Any:
    check(order, solver_type, ("midpoint", "heun"))
    if eta:
        need_signal(grid)
    past: list[tuple[Level, Any]] = []
    for (s, t), k in zip(grid.steps(), orders, strict=True):
        out = model(z, s)
        past.append((s, out.eps))
        h = log_step(s, t)
        z = ddim_step(out, z, s, t)
        if eta:
            z = z - eta * growth(s, t) * out.eps
        if k > 1:
            d1, d2 = differences(past[-k:], h)
            midpoint = k == 2 and solver_type == "midpoint"
            z = z - (1 + eta) * (growth(s, t) / 2 if midpoint else t.sigma * h * phi(2, h)) * d1
            if k == 3:
                z = z - (1 + eta) * (1 if halved else 2) * t.sigma * h * phi(3, h) * d2
        if eta:  # σ_t √(e^{2h} − 1)
            z = z + spread(eta * growth(s, t) * (t.alpha * s.ratio + t.sigma)) * noise()
    return z


def differences(past: list[tuple[Level, Any]], h: float) -> tuple[Any, Any]:
    """D1 and D2 of the polynomial D0 + D1 (u/h) + D2 (u/h)² through the last two or three outputs.

    An output at α = 0 lies infinitely far back and drops out.
    """
    (s0, m0), (s1, m1) = past[-1], past[-2]
    r0 = log_step(s1, s0) / h
    d1 = (m0 - m1) * (1 / r0)
    if len(past) == 2:
        return d1, 0.0 * d1
    s2, m2 = past[-3]
    r1 = log_step(s2, s1) / h
    d2 = (d1 - (m1 - m2) * (1 / r1)) * (1 / (r0 + r1))
    return d1 + r0 * d2, d2
