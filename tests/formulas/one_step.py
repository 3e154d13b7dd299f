"""Solvers without memory, as their papers print a step.

Where nothing else is said a state is x = z/α at a noise level a = σ/α, from which a step goes to b;
`see(x, a)` is the model's output there. The schedule is the cosine one, α = cos(πt/2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import cos, exp, log, pi, sin, sqrt
from typing import Any

from dfbench.levels import Grid, Level
from dfbench.samplers.method import Output

See = Callable[[Any, float], Output]
Step = Callable[[See, Any, float, float, Any], Any]  # see, x, a, b, noise → x


def exploding(step: Step) -> Any:
    """A method from its step in x = z/α."""

    def method(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
        own = {level.sigma / level.alpha: level for level in levels}

        def see(x: Any, a: float) -> Output:
            level = own.get(a, Level(1.0, a))
            return model(level.alpha * x, level)  # type: ignore[no-any-return]

        x = 1 / levels[0].alpha * z
        for t, s in levels.steps():
            x = step(see, x, t.sigma / t.alpha, s.sigma / s.alpha, noise)
        return levels[-1].alpha * x

    return method


def posterior(a: float, b: float, eta: float = 1.0) -> tuple[float, float]:
    """(down, up), down² + up² = b²: up is η times the spread of q(x_b | x_a, x), at most b."""
    up = min(b, eta * sqrt(b**2 * (a**2 - b**2) / a**2))
    return sqrt(b**2 - up**2), up


def ancestral(eta: float, s_noise: float = 1.0) -> Any:
    """2010.02502, eq. 16 in κ = b/a, which is 0 from pure noise: Euler's step down, noise up."""

    def method(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
        for t, s in levels.steps():
            kept, out = t.alpha * s.sigma / (s.alpha * t.sigma), model(z, t)
            up = min(1.0, eta * sqrt(1 - kept**2))
            z = s.alpha * out.x + s.sigma * sqrt(1 - up**2) * out.eps
            if s_noise * up:
                z = z + s.sigma * s_noise * up * noise()
        return z

    return method


def middle(a: float, b: float, rho: float | None) -> float:
    """The middle in log σ, or in σ^{1/ρ}."""
    return sqrt(a * b) if rho is None else (0.5 * a ** (1 / rho) + 0.5 * b ** (1 / rho)) ** rho


def dpm2(rho: float | None, eta: float = 0.0, s_noise: float = 1.0) -> Any:
    """Midpoint rule in σ down to the ancestral level."""

    def step(see: See, x: Any, a: float, b: float, noise: Any) -> Any:
        down, up = posterior(a, b, eta)
        c = middle(a, down, rho)
        x = x + (down - a) * see(x + (c - a) * see(x, a).eps, c).eps
        return x + s_noise * up * noise() if s_noise * up else x

    return exploding(step)


def dpmpp_2s(eta: float, s_noise: float) -> Any:
    """2211.01095, algorithm 1 with r = ½ down to the ancestral level."""

    def step(see: See, x: Any, a: float, b: float, noise: Any) -> Any:
        down, up = posterior(a, b, eta)
        c = sqrt(a * down)
        inner = c / a * x + (1 - c / a) * see(x, a).x
        x = down / a * x + (1 - down / a) * see(inner, c).x
        return x + s_noise * up * noise() if s_noise * up else x

    return exploding(step)


def dpmpp_sde(eta: float, s_noise: float, r: float, brownian: bool) -> Any:
    """2211.01095, section 5: to λ + r h and to the end, on one Brownian path over σ."""

    def step(see: See, x: Any, a: float, b: float, noise: Any) -> Any:
        def to(c: float, denoised: Any) -> Any:
            down, up = posterior(a, c, eta)
            mean = down / a * x + (1 - down / a) * denoised
            if not s_noise * up:
                return mean
            return mean + s_noise * up * (noise(a, c) if brownian else noise())

        first, c = see(x, a).x, exp((1 - r) * log(a) + r * log(b))
        second = see(to(c, first), c).x
        return to(b, first + (second - first) * (1 / (2 * r)))

    return exploding(step)


def edm(
    churn: float,
    low: float,
    high: float,
    s_noise: float,
    second: bool,
    stale: str | None,
) -> Any:
    """2206.00364, algorithm 2 with γ = min(churn, √2 − 1) inside [low, high]."""

    def step(see: See, x: Any, a: float, b: float, noise: Any) -> Any:
        gamma = min(churn, sqrt(2) - 1) if low <= a <= high else 0.0
        hat, old = a * (1 + gamma), see(x, a) if gamma and stale else None
        if gamma:
            x = x + s_noise * sqrt(hat**2 - a**2) * noise()
        if old is None:
            d = (x - see(x, hat).x) * (1 / hat)
        else:
            d = old.eps if stale == "eps" else (x - old.x) * (1 / hat)
        ahead = x + (b - hat) * d
        if not second:
            return ahead
        return x + (b - hat) / 2 * (d + (ahead - see(ahead, b).x) * (1 / b))

    return exploding(step)


def held(eta: float, what: str) -> Any:
    """The reverse SDE solved exactly with x̂ or ε̂ held."""

    def step(see: See, x: Any, a: float, b: float, noise: Any) -> Any:
        out = see(x, a)
        if what == "x":
            kept = (b / a) ** (eta**2)
            x, fresh = out.x + b * kept * out.eps, b * sqrt(1 - kept**2)
        else:
            x, fresh = x + (1 + eta**2) * (b - a) * out.eps, eta * sqrt(a**2 - b**2)
        return x + fresh * noise() if fresh else x

    return exploding(step)


#: nodes, weights and matrix of Runge–Kutta methods
RUNGE_KUTTA: dict[str, tuple[list[float], list[float], list[list[float]]]] = {
    "euler": ([0], [1], [[]]),
    "midpoint": ([0, 1 / 2], [0, 1], [[], [1 / 2]]),
    "heun": ([0, 1], [1 / 2, 1 / 2], [[], [1]]),
    "rk4": (
        [0, 1 / 2, 1 / 2, 1],
        [1 / 6, 1 / 3, 1 / 3, 1 / 6],
        [[], [1 / 2], [0, 1 / 2], [0, 0, 1]],
    ),
    "heun3": ([0, 1 / 3, 2 / 3], [1 / 4, 0, 3 / 4], [[], [1 / 3], [0, 2 / 3]]),
    "three-eighths": (
        [0, 1 / 3, 2 / 3, 1],
        [1 / 8, 3 / 8, 3 / 8, 1 / 8],
        [[], [1 / 3], [-1 / 3, 1], [1, -1, 1]],
    ),
}


def runge_kutta(name: str, field: Callable[[Any, float], Any], y: Any, a: float, b: float) -> Any:
    nodes, weights, matrix = RUNGE_KUTTA[name]
    slopes: list[Any] = []
    for c, row in zip(nodes, matrix, strict=True):
        at = y + sum((b - a) * w * k for w, k in zip(row, slopes, strict=True)) if any(row) else y
        slopes.append(field(at, a + c * (b - a)))
    return y + sum((b - a) * w * k for w, k in zip(weights, slopes, strict=True))


def in_ratio(name: str) -> Any:
    """2206.00364, eq. 1 with σ(t) = t."""
    return exploding(
        lambda see, x, a, b, noise: runge_kutta(name, lambda y, c: see(y, c).eps, x, a, b)
    )


def in_flow_time(name: str) -> Any:
    """2210.02747: dy/dτ = û of y = z/(α + σ) at τ = σ/(α + σ)."""

    def method(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
        total = levels.alpha + levels.sigma
        own = dict(zip((levels.sigma / total).tolist(), levels, strict=True))

        def field(y: Any, tau: float) -> Any:
            level = own.get(tau, Level(1 - tau, tau))
            out = model((level.alpha + level.sigma) * y, level)
            return out.eps - out.x

        tau, y = levels.sigma / total, 1 / total[0] * z
        for a, b in pairwise(tau.tolist()):
            y = runge_kutta(name, field, y, a, b)
        return total[-1] * y

    return method


def cosine(t: float) -> Level:
    return Level(sin(pi / 2 * (1 - t)), sin(pi * t / 2))  # 0 at t = 1, which cos(π/2) is not


def in_time(name: str) -> Any:
    """2011.13456, eq. 13 on the cosine schedule: ż = (π/2) (α ε̂ − σ x̂)."""

    def method(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
        def field(y: Any, t: float) -> Any:
            out, (alpha, sigma) = model(y, cosine(t)), cosine(t)
            return pi / 2 * alpha * out.eps - pi / 2 * sigma * out.x

        assert levels.t is not None
        for a, b in pairwise(levels.t.tolist()):
            z = runge_kutta(name, field, z, a, b)
        return z

    return method


def over(step: Callable[[Any, Any, float, float, Any], Any]) -> Any:
    """A method from its step in the time of the cosine schedule: model, z, t, s, noise → z."""

    def method(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
        assert levels.t is not None
        for t, s in pairwise(levels.t.tolist()):
            z = step(model, z, t, s, noise)
        return z

    return method


def reverse(eta: float, solver: str = "euler") -> Any:
    """2011.13456, eq. 6 with η, where f = −(π/2) tan(πt/2) and g² = π tan(πt/2)."""
    return over(lambda *given: _reverse(solver, eta, *given))


def _reverse(solver: str, eta: float, model: Any, z: Any, t: float, s: float, noise: Any) -> Any:
    """A step with F(z, t), the slope towards data, and G(t), over d = t − s > 0."""

    def F(z: Any, t: float) -> Any:
        tan, eps = sin(pi * t / 2) / cos(pi * t / 2), model(z, cosine(t)).eps
        return pi / 2 * tan * (z - (1 + eta**2) / sin(pi * t / 2) * eps)

    def G(t: float) -> float:
        return eta * sqrt(pi * sin(pi * t / 2) / cos(pi * t / 2))

    d = t - s
    w = sqrt(d) * noise() if eta else 0.0
    if solver == "euler":
        return z + d * F(z, t) + G(t) * w
    if solver == "euler_heun":
        return z + d * F(z, t) + (G(t) + G(s)) / 2 * w
    if solver == "heun":
        first = F(z, t)
        return z + d / 2 * (first + F(z + d * first + G(t) * w, s)) + (G(t) + G(s)) / 2 * w
    if solver == "midpoint":
        m = (t + s) / 2
        return z + d * F(z + (d * F(z, t) + G(t) * w) / 2, m) + G(m) * w
    assert solver == "sra1"  # J = ∫ w over the step
    J = d / 2 * w + (d**1.5 / sqrt(12) * noise() if eta else 0.0)
    first = F(z, t)
    second = F(z + 3 / 4 * d * first + 3 / 2 * G(s) * J * (1 / d), t - 3 / 4 * d)
    return z + d * (1 / 3 * first + 2 / 3 * second) + G(s) * w + (G(t) - G(s)) * (J * (1 / d))


def interpolant(epsilon: Callable[[float], float]) -> Any:
    """2303.08797: dz = (u − ½ ε² s) dt + ε dw backwards."""

    def step(model: Any, z: Any, t: float, s: float, noise: Any) -> Any:
        (alpha, sigma), out, e = cosine(t), model(z, cosine(t)), epsilon(t)
        u = pi / 2 * alpha * out.eps - pi / 2 * sigma * out.x
        z = z + (s - t) * (u + e**2 / (2 * sigma) * out.eps)
        return z + e * sqrt(t - s) * noise() if e else z

    return over(step)


def score_held(eta: float) -> Any:
    """2405.14250: the score held; ∫ (α_s/α_τ) g² dτ = 2 (α_s/α_t − 1) on the cosine schedule."""

    def step(model: Any, z: Any, t: float, s: float, noise: Any) -> Any:
        (alpha, sigma), (low, clean) = cosine(t), cosine(s)
        out, passed = model(z, cosine(t)), 2 * (low / alpha - 1)
        z = low / alpha * z - (1 + eta**2) / 2 * passed / sigma * out.eps
        fresh = eta * sqrt((low * sigma / alpha) ** 2 - clean**2)
        return z + fresh * noise() if fresh else z

    return over(step)


def ddpm(variance: str | float) -> Any:
    """2006.11239, eq. 7 and 11, with β between the levels; 2102.09672, eq. 15."""

    def step(model: Any, z: Any, t: float, s: float, noise: Any) -> Any:
        (alpha, sigma), (low, clean) = cosine(t), cosine(s)
        beta = 1 - (alpha / low) ** 2
        tilde = clean**2 / sigma**2 * beta
        x = model(z, cosine(t)).x
        z = (1 - beta) ** 0.5 * clean**2 / sigma**2 * z + low * beta / sigma**2 * x
        powers = {"beta": 1.0, "beta_tilde": 0.0}
        v = powers[variance] if isinstance(variance, str) else variance
        return z + sqrt(beta**v * tilde ** (1 - v)) * noise()

    return over(step)


def predictor_corrector(predictor: str, count: int, snr: float, first: bool, denoise: bool) -> Any:
    """2011.13456, algorithms 3 and 5, the norms of the corrector those of a single point."""

    def method(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
        n = levels.n_steps

        def correct(z: Any, i: int) -> Any:
            kept = (levels[i].alpha / levels[i + 1].alpha) ** 2 if i < n else 1.0
            size = 2 * kept * snr**2 * levels[i].sigma ** 2
            for _ in range(count if snr else 0):
                score = model(z, levels[i]).eps * (-1 / levels[i].sigma)
                z = z + size * score + sqrt(2 * size) * noise()
            return z

        for i, ((alpha, sigma), (low, clean)) in enumerate(levels.steps()):
            z = correct(z, i) if first else z
            a = alpha / low
            square = sigma**2 - a**2 * clean**2
            score = model(z, levels[i]).eps * (-1 / sigma)
            if predictor == "ancestral":
                z, std = (z + square * score) * (1 / a), clean / sigma * sqrt(square)
            else:
                z, std = (2 - a) * z + square * score, sqrt(square)
            z = z if denoise and i == n - 1 else z + std * noise()
            z = z if first else correct(z, i + 1)
        return z

    return method


def annealed(size: float, count: int) -> Any:
    """1907.05600, algorithm 1, in x = z/α."""

    def method(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
        last, x = levels[-1].sigma / levels[-1].alpha, 1 / levels[0].alpha * z
        for level in levels:
            a = level.sigma / level.alpha
            step = size * a**2 / last**2
            for _ in range(count):
                eps = model(level.alpha * x, level).eps
                x = x - step / 2 / a * eps + sqrt(step) * noise()
        return levels[-1].alpha * x

    return method


def flow_ancestral(eta: float, s_noise: float) -> Any:
    """Euler down to τ_s (1 + η (τ_s/τ_t − 1)), then forward noising along the flow path."""

    def step(see: See, x: Any, a: float, b: float, noise: Any) -> Any:
        t, s, out = a / (1 + a), b / (1 + b), see(x, a)
        down = s * (1 + eta * (s / t - 1))
        ratio = down / (1 - down)
        x = out.x + ratio * out.eps  # on the flow path x is y/(1 − τ)
        return x + s_noise * sqrt(max(0.0, b**2 - ratio**2)) * noise() if eta * s_noise else x

    return exploding(step)


def consistency(skip: Sequence[float], weight: Sequence[float], least: float = 0.0) -> Any:
    """2303.01469, algorithm 1: f = c_skip z + c_out x̂ lands at `least`, noise √(b² − least²)."""

    def method(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
        for i, (t, s) in enumerate(levels.steps()):
            f = weight[i % len(weight)] * model(z, t).x + skip[i % len(skip)] * z
            z = s.alpha * (f + sqrt((s.sigma / s.alpha) ** 2 - least**2) * noise())
        return z

    return method


def jump(gamma: float) -> Any:
    """2402.19159: DDIM to the time (1 − γ) s, then noise up to s."""

    def step(model: Any, z: Any, t: float, s: float, noise: Any) -> Any:
        out, (low, less), (alpha, sigma) = model(z, cosine(t)), cosine((1 - gamma) * s), cosine(s)
        z = low * out.x + less * out.eps
        if not gamma:
            return z
        return alpha / low * z + sqrt(sigma**2 - (alpha / low * less) ** 2) * noise()

    return over(step)


def drop(share: float) -> Any:
    """2402.19159: DDIM to this share of the next σ/α, then noise up to it."""

    def method(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
        for t, s in levels.steps():
            out, ratio = model(z, t), s.sigma / s.alpha
            x = out.x + share * ratio * out.eps
            z = s.alpha * (x + sqrt(1 - share**2) * ratio * noise())
        return z

    return method


def pseudo(order: int, start: str, middles: Callable[[Grid, int], Level]) -> Any:
    """2202.09778, eq. 11 to 13: improved Euler or Runge–Kutta to begin with, then Adams's."""
    past_weights: dict[int, list[float]] = {
        1: [1],
        2: [3 / 2, -1 / 2],
        3: [23 / 12, -4 / 3, 5 / 12],
        4: [55 / 24, -59 / 24, 37 / 24, -3 / 8],
    }

    def method(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
        past: list[Any] = []
        for i, (t, s) in enumerate(levels.steps()):

            def to(level: Level, eps: Any, t: Level = t, z: Any = z) -> Any:
                x = 1 / t.alpha * z + (level.sigma / level.alpha - t.sigma / t.alpha) * eps
                return level.alpha * x

            past = [model(z, t).eps, *past]
            e = past[0]
            if i < order - 1 and start == "prk":
                mid = middles(levels, i)
                two = model(to(mid, e), mid).eps
                three = model(to(mid, two), mid).eps
                e = (e + 2 * two + 2 * three + model(to(s, three), s).eps) * (1 / 6)
            elif i == 0 and start == "plms" and order > 1:
                e = (e + model(to(s, e), s).eps) * (1 / 2)
            else:
                weights = past_weights[min(order, i + 1)]
                e = sum(w * m for w, m in zip(weights, past, strict=False))
            z = to(s, e)
        return z

    return method
