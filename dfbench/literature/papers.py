"""Solvers as their papers print them, for comparison with the package's tables (row 42).

λ = log(α/σ) here, as in those papers, h a step in it, ε̂ and x̂ the outputs of the model.
"""

from __future__ import annotations

from math import expm1, log
from typing import Any

import numpy as np

from dfbench.levels import Grid, Level


def half(level: Level) -> float:
    return log(level.alpha / level.sigma)


def middle(t: Level, s: Level, r: float) -> Level:
    """The variance-preserving level at λ_t + r h."""
    ratio = float(np.exp(-half(t) - r * (half(s) - half(t))))
    return Level(1 / np.hypot(1, ratio), ratio / np.hypot(1, ratio))


def dpm_solver_2(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
    """2206.00927, algorithm 1 with r = ½."""
    for t, s in levels.steps():
        h, mid = half(s) - half(t), middle(t, s, 0.5)
        u = mid.alpha / t.alpha * z - mid.sigma * expm1(h / 2) * model(z, t).eps
        z = s.alpha / t.alpha * z - s.sigma * expm1(h) * model(u, mid).eps
    return z


def dpm_solver_3(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
    """2206.00927, algorithm 2: r1 = ⅓, r2 = ⅔."""
    r1, r2 = 1 / 3, 2 / 3
    for t, s in levels.steps():
        h, s1, s2 = half(s) - half(t), middle(t, s, r1), middle(t, s, r2)
        e = model(z, t).eps
        u1 = s1.alpha / t.alpha * z - s1.sigma * expm1(r1 * h) * e
        d1 = model(u1, s1).eps - e
        u2 = s2.alpha / t.alpha * z - s2.sigma * expm1(r2 * h) * e
        u2 = u2 - s2.sigma * r2 / r1 * (expm1(r2 * h) / (r2 * h) - 1) * d1
        d2 = model(u2, s2).eps - e
        z = s.alpha / t.alpha * z - s.sigma * expm1(h) * e
        z = z - s.sigma / r2 * (expm1(h) / h - 1) * d2
    return z


def dpm_solver_pp_2s(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
    """2211.01095, algorithm 1 with r = ½."""
    for t, s in levels.steps():
        h, mid = half(s) - half(t), middle(t, s, 0.5)
        u = mid.sigma / t.sigma * z - mid.alpha * expm1(-h / 2) * model(z, t).x
        z = s.sigma / t.sigma * z - s.alpha * expm1(-h) * model(u, mid).x
    return z


def dpm_solver_pp_2m(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
    """2211.01095, algorithm 2."""
    before: tuple[float, Any] | None = None
    for t, s in levels.steps():
        h, x = half(s) - half(t), model(z, t).x
        d = x
        if before is not None:
            r = before[0] / h
            d = (1 + 1 / (2 * r)) * x - 1 / (2 * r) * before[1]
        z, before = s.sigma / t.sigma * z - s.alpha * expm1(-h) * d, (h, x)
    return z


def sde_dpm_solver_pp_2m(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
    """2211.01095, section 5: SDE-DPM-Solver++(2M)."""
    before: tuple[float, Any] | None = None
    for t, s in levels.steps():
        h, x = half(s) - half(t), model(z, t).x
        d = x if before is None else x + h / (2 * before[0]) * (x - before[1])
        fresh = -expm1(-2 * h)
        z = s.sigma / t.sigma * np.exp(-h) * z + s.alpha * fresh * d
        z, before = z + s.sigma * fresh**0.5 * noise(), (h, x)
    return z


def edm_heun(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
    """2206.00364, algorithm 1 with σ(t) = t: x = z/α, D = x̂."""
    x = z * (1 / levels[0].alpha)
    for t, s in levels.steps():
        a, b = t.sigma / t.alpha, s.sigma / s.alpha
        d = (x - model(t.alpha * x, t).x) * (1 / a)
        ahead = x + (b - a) * d
        x = x + (b - a) / 2 * (d + (ahead - model(s.alpha * ahead, s).x) * (1 / b))
    return x * levels[-1].alpha


def plms(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
    """2202.09778, eq. 12 after improved Euler and Adams–Bashforth of rising order."""
    past: list[Any] = []
    for t, s in levels.steps():
        a, b = t.sigma / t.alpha, s.sigma / s.alpha
        past.append(model(z, t).eps)
        e = past[::-1]
        if len(e) == 1:
            euler = s.alpha * (z * (1 / t.alpha) + (b - a) * e[0])
            mean = (e[0] + model(euler, s).eps) * 0.5
        elif len(e) == 2:
            mean = (3 * e[0] - e[1]) * 0.5
        elif len(e) == 3:
            mean = (23 * e[0] - 16 * e[1] + 5 * e[2]) * (1 / 12)
        else:
            mean = (55 * e[0] - 59 * e[1] + 37 * e[2] - 9 * e[3]) * (1 / 24)
        z = s.alpha * (z * (1 / t.alpha) + (b - a) * mean)
    return z
