"""16. Every prediction gives every other, and errors scale by known factors."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from dfbench.levels import Level
from dfbench.literature.statement import for_all, largest, row, worst_of
from dfbench.outcome import Finding, judge
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


def rows_gap() -> float:
    """A batch of images with a level for each, as arrays and tensors: as each by itself."""
    rng = np.random.default_rng(16)
    x, eps = rng.standard_normal((2, 3, 2, 4, 4))
    alpha, sigma = np.array([0.9, 0.5, 0.1]), np.array([0.2, 0.7, 1.1])
    shaped = [c[:, None, None, None] for c in (alpha, sigma)]
    z, v = shaped[0] * x + shaped[1] * eps, shaped[0] * eps - shaped[1] * x
    gaps = [np.abs(convert(v, z, "v", "x", alpha, sigma) - x).max()]
    for kind, slack in ((torch.float64, 1.0), (torch.float32, 1e-8)):
        state, told = (torch.as_tensor(one, dtype=kind) for one in (z, v))
        for level in ((alpha, sigma), [torch.as_tensor(c) for c in (alpha, sigma)]):
            found = convert(told, state, "v", "x", *level)
            gaps.append(slack * float((found - torch.as_tensor(x)).abs().max()))
            gaps.append(0.0 if found.dtype == kind else np.inf)
    whole = convert(np.array([[4], [2]]), np.array([[1], [3]]), "eps", "x", alpha[:2], sigma[:2])
    gaps.append(np.abs(whole[:, 0] - [(1 - 0.8) / 0.9, (3 - 1.4) / 0.5]).max())
    single = convert(v[0].astype(np.float32), z[0].astype(np.float32), "v", "x", 0.9, 0.2)
    gaps += [1e-8 * np.abs(single - x[0]).max(), 0.0 if single.dtype == np.float32 else np.inf]
    return largest(gaps)


def from_eps(kind: str, level: Level) -> float:
    """The factors as GAO states them, in λ."""
    lam = level.log_snr
    return {
        "x": math.exp(-lam),
        "v": level.alpha**2 * (math.exp(-lam) + 1) ** 2,
        "u": (math.exp(-lam / 2) + 1) ** 2,
    }[kind]


@row(
    16,
    "Conversions and MSE factors",
    r"|\hat x-x|^2=e^{-\lambda}|\hat\epsilon-\epsilon|^2,\;"
    r"|\hat v-v|^2=\alpha^2(e^{-\lambda}+1)^2|\hat\epsilon-\epsilon|^2,\;"
    r"|\hat u-u|^2=(e^{-\lambda/2}+1)^2|\hat\epsilon-\epsilon|^2",
    source="GAO",
    condition="α > 0 and σ > 0; on any scale of (α, σ)",
    subject=lambda: mse_factor,
    control=broken,
    control_size=1e-6,
)
def check(factor: Factor) -> Finding:
    """All 56 ordered pairs, from x and ε that are written down."""

    def conversion(level: Level, pair: tuple[str, str], x: float, eps: float) -> float:
        rates = (-level.sigma, 1.5 * level.alpha)
        z = level.alpha * x + level.sigma * eps
        more: dict[str, Any] = {"rates": rates, "sigma_data": SIGMA_DATA}
        (p, q), (p_t, q_t) = (weights(kind, *level, **more) for kind in pair)
        m, true = (written(kind, level, rates, x, eps) for kind in pair)
        found = convert(np.array([m]), np.array([z]), *pair, *level, **more)[0]
        # rounding z and m to float64 costs what their terms are worth, times the coefficients
        c_z, c_m = affine(*pair, *level, **more)
        size = (
            abs(p_t * x)
            + abs(q_t * eps)
            + abs(c_z) * (abs(level.alpha * x) + abs(level.sigma * eps))
        )
        size += abs(c_m) * (abs(p * x) + abs(q * eps))
        return float(abs(found - true) / (1e-300 + size))

    def error(level: Level, pair: tuple[str, str]) -> float:
        """x + σ d and ε − α d share z; their predictions differ by (p σ − q α) d."""
        rates = (-level.sigma, 1.5 * level.alpha)
        apart = [
            p * level.sigma - q * level.alpha
            for p, q in (ends(kind, level, rates) for kind in pair)
        ]
        known = factor(*pair, *level, rates=rates, sigma_data=SIGMA_DATA)
        return float(abs(known / (apart[1] / apart[0]) ** 2 - 1))

    def ends(kind: str, level: Level, rates: tuple[float, float]) -> tuple[float, float]:
        return written(kind, level, rates, 1.0, 0.0), written(kind, level, rates, 0.0, 1.0)

    def weighed(level: Level, pair: tuple[str, str]) -> float:
        """m = p x + q ε."""
        rates = (-level.sigma, 1.5 * level.alpha)
        found = weights(pair[0], *level, rates=rates, sigma_data=SIGMA_DATA)
        true = ends(pair[0], level, rates)
        return largest(abs(a - b) / (1e-300 + abs(b)) for a, b in zip(found, true, strict=True))

    def stated(level: Level, kind: str) -> float:
        return float(abs(factor("eps", kind, *level) / from_eps(kind, level) - 1))

    derivation = "round-off in float64: a few dozen operations"
    cases: dict[str, Any] = {"level": levels(), "pair": st.sampled_from(PAIRS)}
    numbers: dict[str, Any] = {"x": floats(-3, 3), "eps": floats(-3, 3)}
    return worst_of(
        for_all(
            conversion,
            1e-14,
            unit="relative",
            examples=200,
            derivation=derivation,
            **cases,
            **numbers,
        ),
        for_all(error, 1e-13, unit="relative", examples=200, derivation=derivation, **cases),
        for_all(weighed, 1e-12, unit="relative", derivation=derivation, **cases),
        judge(rows_gap(), 1e-13, unit="absolute, of order one", derivation=derivation),
        for_all(
            stated,
            1e-13,
            unit="relative",
            derivation=derivation,
            level=levels(),
            kind=st.sampled_from(["x", "v", "u"]),
        ),
    )
