"""16. Every prediction gives every other, and errors scale by known factors."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np

from dfbench.levels import Level
from dfbench.literature.parts import within
from dfbench.literature.statement import largest, row, worst_of
from dfbench.outcome import Finding
from dfbench.predictions import affine, convert, mse_factor, weights
from dfbench.testing import floats, levels

Factor = Callable[..., Any]  # (source, target, α, σ, rates=) → factor of the squared error
PAIRS = list(permutations(["eps", "x", "v", "u", "velocity", "score", "denoised", "edm"], 2))
SIGMA_DATA = 0.6


def broken(size: float) -> Factor:
    """The factor's square is not quite taken."""
    return lambda *case, **more: mse_factor(*case, **more) ** (1 - size)


def written(kind: str, level: Level, rates: tuple[float, float], x: Any, eps: Any) -> Any:
    """The prediction, from x and ε that are known: GAO; for the last EDM, table 1."""
    alpha, sigma = level
    if kind == "edm":
        ratio = sigma / alpha
        # (D − c_skip z)/c_out with the x of both terms put together: 1 − c_skip = ratio²/total
        return (ratio * x / SIGMA_DATA - SIGMA_DATA * eps) / (ratio**2 + SIGMA_DATA**2) ** 0.5
    return {
        "eps": eps,
        "x": x,
        "denoised": x,
        "v": alpha * eps - sigma * x,
        "u": eps - x,
        "velocity": rates[0] * x + rates[1] * eps,
        "score": -eps / sigma,
    }[kind]


def from_eps(kind: str, level: Level) -> float:
    """The factors as GAO states them, in λ."""
    lam = level.log_snr
    return {
        "x": math.exp(-lam),
        "v": level.alpha**2 * (math.exp(-lam) + 1) ** 2,
        "u": (math.exp(-lam / 2) + 1) ** 2,
    }[kind]


@row(
    "16",
    r"|\hat x-x|^2=e^{-\lambda}|\hat\epsilon-\epsilon|^2,\;"
    r"|\hat v-v|^2=\alpha^2(e^{-\lambda}+1)^2|\hat\epsilon-\epsilon|^2,\;"
    r"|\hat u-u|^2=(e^{-\lambda/2}+1)^2|\hat\epsilon-\epsilon|^2",
    title="Conversions and MSE factors",
    source="GAO",
    condition="α > 0 and σ > 0; on any scale of (α, σ)",
    subject=lambda: mse_factor,
    control=broken,
    control_size=1e-12,
)
def check(factor: Factor) -> Finding:
    """Each of the 56 ordered pairs at every level, from x and ε that are written down."""
    derivation = "round-off in float64: a few dozen operations"

    @within(1e-14, "relative", derivation)
    def conversion(level: Level, x: float, eps: float) -> float:
        return largest(converted(level, pair, x, eps) for pair in PAIRS)

    def converted(level: Level, pair: tuple[str, str], x: float, eps: float) -> float:
        rates = (-level.sigma, 1.5 * level.alpha)
        z = level.alpha * x + level.sigma * eps
        more: dict[str, Any] = {"rates": rates, "sigma_data": SIGMA_DATA}
        (p, q), (p_t, q_t) = (weights(kind, *level, **more) for kind in pair)
        m, true = (written(kind, level, rates, x, eps) for kind in pair)
        found = convert(np.array([m]), np.array([z]), *pair, *level, **more)[0]
        # rounding z and m to float64 costs what their terms are worth, times the coefficients
        _, c_m = affine(*pair, *level, **more)
        # c_z = (p' q − q' p)/(α q − σ p) is zero between u and edm at σ/α = σ_data²: its rounding
        # is that of the two terms, not of what they leave
        c_z = (abs(p_t * q) + abs(q_t * p)) / abs(level.alpha * q - level.sigma * p)
        size = abs(p_t * x) + abs(q_t * eps) + c_z * (abs(level.alpha * x) + abs(level.sigma * eps))
        size += abs(c_m) * (abs(p * x) + abs(q * eps))
        return float(abs(found - true) / (1e-300 + size))

    @within(1e-13, "relative", derivation)
    def error(level: Level) -> float:
        """x + σ d and ε − α d share z; their predictions differ by (p σ − q α) d."""
        return largest(factors(level, pair) for pair in PAIRS)

    def factors(level: Level, pair: tuple[str, str]) -> float:
        rates = (-level.sigma, 1.5 * level.alpha)
        apart = [
            p * level.sigma - q * level.alpha
            for p, q in (ends(kind, level, rates) for kind in pair)
        ]
        known = factor(*pair, *level, rates=rates, sigma_data=SIGMA_DATA)
        return float(abs(known / (apart[1] / apart[0]) ** 2 - 1))

    def ends(kind: str, level: Level, rates: tuple[float, float]) -> tuple[float, float]:
        return written(kind, level, rates, 1.0, 0.0), written(kind, level, rates, 0.0, 1.0)

    @within(1e-13, "relative", derivation)
    def stated(level: Level) -> float:
        return largest(
            abs(factor("eps", kind, *level) / from_eps(kind, level) - 1) for kind in ("x", "v", "u")
        )

    cases: dict[str, Any] = {"level": levels()}
    return worst_of(
        conversion.for_all(**cases, x=floats(-3, 3), eps=floats(-3, 3)),
        error.for_all(**cases),
        stated.for_all(**cases),
    )
