"""The probability-flow ODE by Runge–Kutta, in the time of a schedule and in σ."""

from __future__ import annotations

from collections.abc import Callable
from math import isinf, sqrt
from typing import Any

from dfbench.levels import Grid, Level
from dfbench.samplers.method import Model, Noise, Traits, method

Derivative = Callable[[Any, float], Any]


def euler_step(f: Derivative, y: Any, a: float, b: float) -> Any:
    return y + (b - a) * f(y, a)


def midpoint_step(f: Derivative, y: Any, a: float, b: float) -> Any:
    h = b - a
    return y + h * f(y + 0.5 * h * f(y, a), a + 0.5 * h)


def heun_step(f: Derivative, y: Any, a: float, b: float) -> Any:
    h = b - a
    k = f(y, a)
    return y + 0.5 * h * (k + f(y + h * k, b))


def rk4_step(f: Derivative, y: Any, a: float, b: float) -> Any:
    h = b - a
    k1 = f(y, a)
    k2 = f(y + 0.5 * h * k1, a + 0.5 * h)
    k3 = f(y + 0.5 * h * k2, a + 0.5 * h)
    k4 = f(y + h * k3, b)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def heun3_step(f: Derivative, y: Any, a: float, b: float) -> Any:
    h = b - a
    k1 = f(y, a)
    k2 = f(y + h / 3 * k1, a + h / 3)
    return y + h / 4 * (k1 + 3 * f(y + 2 * h / 3 * k2, a + 2 * h / 3))


def three_eighths_step(f: Derivative, y: Any, a: float, b: float) -> Any:
    h = b - a
    k1 = f(y, a)
    k2 = f(y + h / 3 * k1, a + h / 3)
    k3 = f(y + h * (k2 - 1 / 3 * k1), a + 2 * h / 3)
    k4 = f(y + h * (k1 - k2 + k3), b)
    return y + h / 8 * (k1 + 3 * k2 + 3 * k3 + k4)


STEPS = {
    "euler": euler_step,
    "midpoint": midpoint_step,
    "heun": heun_step,
    "heun3": heun3_step,
    "rk4": rk4_step,
    "three-eighths": three_eighths_step,
}
STAGES = {"euler": 1, "midpoint": 2, "heun": 2, "heun3": 3, "rk4": 4, "three-eighths": 4}
ORDERS = {"euler": 1, "midpoint": 2, "heun": 2, "heun3": 3, "rk4": 4, "three-eighths": 4}
AT_THE_END = ("heun", "rk4", "three-eighths")  # look at the end of the step


def solver_traits(**known: Any) -> Callable[..., Traits]:
    """The traits of a method whose option `solver` is one of `STEPS`, from what is known of all."""
    return lambda solver, **_: Traits(
        order=ORDERS.get(solver), evaluations=STAGES.get(solver), **known
    )


def rule(solver: str, to: Level) -> Callable[[Derivative, Any, float, float], Any]:
    """The step of a solver; Euler's onto σ = 0, where ε̂ does not exist, if it would look there.

    Raises:
        ValueError: unknown solver.
    """
    if solver not in STEPS:
        raise ValueError(f"solver must be one of {', '.join(STEPS)}, got {solver!r}")
    return euler_step if to.sigma == 0 and solver in AT_THE_END else STEPS[solver]


def times(grid: Grid) -> tuple[list[float], Any]:
    """The times and the schedule of a grid.

    Raises:
        ValueError: the grid has none.
    """
    if grid.t is None or grid.schedule is None:
        raise ValueError("a method that integrates in t needs a grid with t and schedule")
    return [float(t) for t in grid.t], grid.schedule


def exploding(z: Any, level: Level) -> tuple[Any, float]:
    """(z/α, σ/α): the variance-exploding form in which `EDM` and k-diffusion are written.

    Raises:
        ValueError: α = 0, where it does not exist.
    """
    if isinf(level.ratio):
        raise ValueError("the variance-exploding form z/α does not exist at α = 0")
    return 1 / level.alpha * z, level.ratio


def at_ratio(level: Level, ratio: float) -> Level:
    """The level with σ/α = ratio on the scale of another."""
    return Level(level.alpha, level.alpha * ratio)


def in_time(model: Model, grid: Grid, i: int, form: str) -> Derivative:
    """dz/dt over step i: "velocity" α̇ x̂ + σ̇ ε̂, or "sde" f z − ½ g² s."""
    ts, schedule = times(grid)

    def field(z: Any, t: float) -> Any:
        level = {ts[i]: grid[i], ts[i + 1]: grid[i + 1]}.get(t)
        level = level or Level(*(float(c) for c in schedule.level(t)))
        out = model(z, level)
        if form == "velocity":
            alpha_dot, sigma_dot = (float(c) for c in schedule.rates(t))
            return alpha_dot * out.x + sigma_dot * out.eps
        return float(schedule.f(t)) * z + 0.5 * float(schedule.g2(t)) / level.sigma * out.eps

    return field


def in_sigma(model: Model, t: Level, s: Level) -> Derivative:
    """d(z/α)/d(σ/α) = ε̂ over the step from t to s."""

    def field(x: Any, ratio: float) -> Any:
        level = {t.ratio: t, s.ratio: s}.get(ratio, at_ratio(t, ratio))
        return model(level.alpha * x, level).eps

    return field


@method(
    "Song et al. 2021, arXiv 2011.13456, eq. 13",
    solver_traits(scale_invariant=False, exact_on_points=False),
)
def probability_flow(
    model: Model, z: Any, grid: Grid, noise: Noise, *, solver: str = "euler"
) -> Any:
    """dz/dt = f z − ½ g² s, by "euler", "midpoint", "heun" or "rk4" in t.

    Does not exist at α = 0, where f is infinite; `velocity` is the same field without that.
    """
    ts, _ = times(grid)
    for i, (_, s) in enumerate(grid.steps()):
        z = rule(solver, s)(in_time(model, grid, i, "sde"), z, ts[i], ts[i + 1])
    return z


def _in_sigma(model: Model, z: Any, grid: Grid, solver: str) -> Any:
    for t, s in grid.steps():
        x, ratio = exploding(z, t)
        z = s.alpha * rule(solver, s)(in_sigma(model, t, s), x, ratio, s.ratio)
    return z


@method("Karras et al. 2022, arXiv 2206.00364, eq. 1 with σ(t) = t; k-diffusion", Traits(order=1))
def euler(model: Model, z: Any, grid: Grid, noise: Noise) -> Any:
    """d(z/α)/d(σ/α) = ε̂ by Euler's method: DDIM, except that α = 0 is no starting point."""
    return _in_sigma(model, z, grid, "euler")


@method(
    "Karras et al. 2022, arXiv 2206.00364, Algorithm 1; k-diffusion",
    Traits(order=2, evaluations=2),
)
def heun(model: Model, z: Any, grid: Grid, noise: Noise) -> Any:
    """d(z/α)/d(σ/α) = ε̂ by Heun's method; Euler's, with one evaluation, onto σ = 0."""
    return _in_sigma(model, z, grid, "heun")


@method("Kutta 1901 on arXiv 2206.00364, eq. 1 with σ(t) = t", Traits(order=4, evaluations=4))
def rk4(model: Model, z: Any, grid: Grid, noise: Noise) -> Any:
    """d(z/α)/d(σ/α) = ε̂ by the classical Runge–Kutta method; Euler's onto σ = 0."""
    return _in_sigma(model, z, grid, "rk4")


def middle(a: float, b: float, rho: float | None) -> float:
    """A σ between two: ((a^{1/ρ} + b^{1/ρ})/2)^ρ, or the geometric mean, its limit ρ → ∞."""
    if rho is None:
        return sqrt(a * b)
    return float(((a ** (1 / rho) + b ** (1 / rho)) / 2) ** rho)


@method(
    "Lu et al. 2022, arXiv 2206.00927, DPM-Solver-2, in the form of k-diffusion sample_dpm_2",
    Traits(order=2, evaluations=2),
)
def dpm2(model: Model, z: Any, grid: Grid, noise: Noise, *, rho: float | None = None) -> Any:
    """Midpoint method in σ with the middle at √(σ_t σ_s); Euler's onto σ = 0.

    The geometric mean is the middle in λ, which makes it DPM-Solver-2 (r = ½) coefficient by
    coefficient: α (e^h − 1) σ/α there is α times a difference of σ/α here.

    Args:
        rho: the middle of a Karras schedule instead (3 in the first releases of k-diffusion).
    """
    for t, s in grid.steps():
        x, ratio = exploding(z, t)
        slope, mid = in_sigma(model, t, s), middle(ratio, s.ratio, rho)
        d = slope(x, ratio)
        if s.sigma:
            d = slope(x + (mid - ratio) * d, mid)
        z = s.alpha * (x + (s.ratio - ratio) * d)
    return z
