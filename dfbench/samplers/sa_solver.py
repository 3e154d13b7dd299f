"""SA-Solver: stochastic Adams predictor and corrector with any amount of noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dfbench.levels import Array, Grid, Level
from dfbench.samplers.dpm_solver import (
    MOST_OUTPUTS,
    growth,
    log_step,
    multistep_order,
    need_signal,
    phi,
    spread,
    step_orders,
)
from dfbench.samplers.method import Model, Noise, Traits, method

Tau = float | Sequence[float] | Callable[[Level], float]
Past = list[tuple[Level, Any]]  # outputs with their levels, the newest first


def _traits(
    tau: Tau, predictor_order: int, corrector_order: int, predict_x0: bool, **options: Any
) -> Traits:
    noisy = callable(tau) or bool(np.any(tau))
    order = predictor_order
    if corrector_order:  # through c points; the predicted one is of order p, times h
        order = min(corrector_order, predictor_order + 1)
    return Traits(
        order=min(order, 2) if noisy else multistep_order(order, options["lower_order_final"]),
        stochastic=noisy,
        exact_on_points=predict_x0 or not noisy,
    )


@method("Xue et al. 2023, arXiv 2309.05019: SA-Predictor and SA-Corrector, algorithm 1", _traits)
def sa_solver(
    model: Model,
    z: Any,
    grid: Grid,
    noise: Noise,
    *,
    predictor_order: int = 2,
    corrector_order: int = 2,
    tau: Tau = 1.0,
    predict_x0: bool = True,
    few_steps: bool = False,
    lower_order_final: bool = False,
) -> Any:
    """z_t = e^{−τ²h} (σ_t/σ_s) z_s + Σ_j b_j x̂_j + σ_t √(1 − e^{−2τ²h}) ξ, then corrected.

    The b_j are exact integrals of the polynomials through past outputs; the corrector's also pass
    through the output at the predicted state, and it uses the predictor's ξ. The last step is
    not corrected.

    Args:
        predictor_order: outputs used; the first steps use those there are.
        corrector_order: outputs used, the new one among them; 0 for no corrector.
        tau: noise, constant over a step: one number, one for each step, or a function of the
            level at which the step starts. The paper integrates τ(t) over the step.
        predict_x0: data or noise prediction (appendix).
        few_steps: the authors' code, where two outputs are used with data prediction, takes
            (1 + τ²) h²/2 for the integral of their slope.
        lower_order_final: see `dpm_solver.step_orders`. Released code has it on.
    """
    if not (1 <= predictor_order <= MOST_OUTPUTS and corrector_order <= MOST_OUTPUTS):
        raise ValueError(
            f"predictor_order must be 1 to {MOST_OUTPUTS} and corrector_order 0 to {MOST_OUTPUTS}, "
            f"got {predictor_order}, {corrector_order}"
        )
    taus = _taus(tau, grid)
    if not predict_x0:
        need_signal(grid)
        if grid[-1].sigma == 0 and taus[-1]:
            raise ValueError("SA-Solver in ε cannot land at σ = 0 with τ > 0")
    predictor = step_orders(grid, predictor_order, lower_order_final)
    update = _data_update if predict_x0 else _noise_update
    past: Past = []
    start = xi = z
    for i, (s, t) in enumerate(grid.steps()):
        out = model(z, s)
        past.insert(0, (s, out.x if predict_x0 else out.eps))
        if i and corrector_order:
            last = grid[i - 1]
            left = grid.n_steps - i + 2 if lower_order_final else i + 1
            used = past[: min(corrector_order, i + 1, left)]
            z = update(start, last, s, taus[i - 1], used, few_steps, xi)
        start = z
        xi = noise() if taus[i] * t.sigma else 0.0 * z
        z = update(z, s, t, taus[i], past[: predictor[i]], few_steps, xi)
    return z


def _taus(tau: Tau, grid: Grid) -> list[float]:
    if callable(tau):
        return [float(tau(level)) for level in list(grid)[:-1]]
    if isinstance(tau, Sequence | np.ndarray):
        if len(tau) != grid.n_steps:
            raise ValueError(f"tau must have {grid.n_steps} entries, got {len(tau)}")
        return [float(x) for x in tau]
    return [float(tau)] * grid.n_steps


def _data_update(
    z: Any, s: Level, t: Level, tau: float, outputs: Past, few_steps: bool, xi: Any
) -> Any:
    """b_j = α_t ∫₀ʰ (1 + τ²) e^{−(1 + τ²)(h − u)} l_j(u) du."""
    h = log_step(s, t)
    big = (1 + tau**2) * h
    moments = [_moment(k, big) for k in range(len(outputs))]
    if few_steps and len(outputs) == 2 and math.isfinite(h):
        moments[1] = big / 2
    lost = tau**2 * h if tau else 0.0
    z = math.exp(-lost) * t.sigma / s.sigma * z
    for b, (_, x) in zip(_weights(outputs, s, t, moments), outputs, strict=True):
        z = z + t.alpha * float(b) * x
    return z + t.sigma * spread(-math.expm1(-2 * lost)) * xi


def _noise_update(
    z: Any, s: Level, t: Level, tau: float, outputs: Past, few_steps: bool, xi: Any
) -> Any:
    """b_j = −(1 + τ²) σ_t ∫₀ʰ e^{h − u} l_j(u) du, noise τ σ_t √(e^{2h} − 1) ξ."""
    h = log_step(s, t)
    moments = [growth(s, t)]
    moments += [t.sigma * h * math.factorial(k) * phi(k + 1, h) for k in range(1, len(outputs))]
    z = t.alpha / s.alpha * z
    for b, (_, eps) in zip(_weights(outputs, s, t, moments), outputs, strict=True):
        z = z - (1 + tau**2) * float(b) * eps
    return z + tau * spread(growth(s, t) * (t.alpha * s.ratio + t.sigma)) * xi


def _moment(k: int, big: float) -> float:
    """∫₀ʰ c e^{−c(h − u)} (u/h)^k du with ch = `big`; 1 for h = ∞."""
    return 1.0 if math.isinf(big) else big * math.factorial(k) * phi(k + 1, -big)


def _weights(outputs: Past, s: Level, t: Level, moments: list[float]) -> Array:
    """Weights of the outputs such that the moments of u/h come out right.

    An output at α = 0 lies infinitely far back and drops out, except where the step starts there.
    """
    h = log_step(s, t)
    x = np.array([0.0 if m == s else 1.0 if m == t else log_step(s, m) / h for m, _ in outputs])
    near = np.isfinite(x)
    weights = np.zeros(len(x))
    k = np.arange(near.sum())
    weights[near] = np.linalg.solve(x[near] ** k[:, None], np.array(moments)[: len(k)])
    return weights
