"""What a network returns, and how to go from one prediction to another.

With the state z = α x + σ ε every prediction is m = p x + q ε for a pair of numbers (p, q):

    kind        m                            p                       q
    eps         ε                            0                       1
    x           x                            1                       0
    denoised    D(z/α; σ/α) = x              1                       0             (EDM's denoiser)
    v           α ε − σ x                    −σ                      α             (2202.00512)
    u           ε − x                        −1                      1             (flow matching)
    velocity    α̇ x + σ̇ ε                    α̇                       σ̇             (needs `rates`)
    score       −ε/σ                         0                       −1/σ
    edm         (D − c_skip z/α)/c_out       r/(s √(r² + s²))        −s/√(r² + s²)

with r = σ/α and s = `sigma_data` in the last row, the raw output F of EDM's preconditioned network
(EDM, table 1; s = 1 on variance-preserving levels gives −v). So z and m are two linear equations
for x and ε, and any prediction follows from them: target = c_z z + c_m m. By Cramer's rule, with
D_k = α q_k − σ p_k,

    c_m = D_target/D_source,    c_z = (p_target q_source − q_target p_source)/D_source.

Every D is a closed sum of terms of one sign (for velocity where α̇ ≤ 0 ≤ σ̇), so that the formulas
lose no digits at either end. Where x and ε stand for the posterior means E[x|z] and E[ε|z], the
same numbers convert predictions.

α and σ may be floats, NumPy arrays or torch tensors; torch is not imported.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import numpy as np

from dfbench.errors import short
from dfbench.reals import number

Prediction = Literal["eps", "x", "v", "u", "velocity", "score", "denoised", "edm"]
KINDS: tuple[str, ...] = get_args(Prediction)


def known(kind: Any) -> str:
    """The kind of prediction, if there is such.

    Raises:
        ValueError: there is none.
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"prediction must be one of {', '.join(KINDS)}, got {short(kind)}")
    return kind


def weights(
    kind: str,
    alpha: Any,
    sigma: Any,
    *,
    rates: tuple[Any, Any] | None = None,
    sigma_data: float | None = None,
) -> tuple[Any, Any]:
    """(p, q) with m = p x + q ε: the table at the head of this module.

    Args:
        kind: one of `KINDS`.
        alpha, sigma: the level; numbers or arrays of one shape.
        rates: (α̇, σ̇) of the schedule, for `velocity`.
        sigma_data: standard deviation of the data, for `edm`.

    Raises:
        ValueError: unknown kind; not a level (negative, not finite, or α = σ = 0); `rates` or
            `sigma_data` is missing; or σ = 0, where the score is infinite.
    """
    known(kind)
    _check_level(alpha, sigma)
    if sigma_data is not None:
        _sigma_data(sigma_data)
    zero, one = 0 * alpha, 1 + 0 * alpha
    if kind == "eps":
        return zero, one
    if kind in ("x", "denoised"):
        return one, zero
    if kind == "v":
        return -sigma, alpha
    if kind == "u":
        return -one, one
    if kind == "velocity":
        alpha_dot, sigma_dot = _rates(rates)
        return alpha_dot + zero, sigma_dot + zero
    if kind == "score":
        if _any(sigma == 0):
            raise ValueError("the score −ε/σ does not exist at σ = 0")
        return zero, -1 / sigma
    s = _sigma_data(sigma_data)
    norm = _root(sigma * sigma + s * s * alpha * alpha)
    return sigma / (s * norm), -s * alpha / norm


def _determinant(kind: str, alpha: Any, sigma: Any, rates: Any, sigma_data: float | None) -> Any:
    """D = α q − σ p in closed form."""
    if kind == "eps":
        return 1 * alpha
    if kind in ("x", "denoised"):
        return -sigma
    if kind == "v":
        return alpha * alpha + sigma * sigma
    if kind == "u":
        return alpha + sigma
    if kind == "edm":
        s = _sigma_data(sigma_data)
        return -_root(sigma * sigma + s * s * alpha * alpha) / s
    alpha_dot, sigma_dot = _rates(rates)
    return alpha * sigma_dot - sigma * alpha_dot


def affine(
    source: str,
    target: str,
    alpha: Any,
    sigma: Any,
    *,
    rates: tuple[Any, Any] | None = None,
    sigma_data: float | None = None,
) -> tuple[Any, Any]:
    """(c_z, c_m) with target = c_z z + c_m m, where m is the `source` prediction at state z.

    Args:
        source, target: kinds, of `KINDS`. The two may be the same: (0, 1).
        alpha, sigma: the level; numbers or arrays of one shape, which the results have too.
        rates, sigma_data: as in `weights`.

    Raises:
        ValueError: as `weights`, or the source does not determine the target at this level:
            from ε to another at α = 0 (z is ε), from x at σ = 0 (z is α x), to the score at σ = 0.
            A conversion that stays finite there is made: score → x at σ = 0 is z/α.
    """
    known(source)
    known(target)
    _check_level(alpha, sigma)
    if sigma_data is not None:
        _sigma_data(sigma_data)
    zero, one = 0 * alpha, 1 + 0 * alpha
    if source == target or {source, target} == {"x", "denoised"}:
        return zero, one
    if source == "score":  # ε = −σ score: finite at σ = 0
        c_z, c_m = affine("eps", target, alpha, sigma, rates=rates, sigma_data=sigma_data)
        return c_z, -sigma * c_m
    if target == "score":
        if _any(sigma == 0):
            raise ValueError(f"{source} → score does not exist at σ = 0: the score is −ε/σ")
        c_z, c_m = affine(source, "eps", alpha, sigma, rates=rates, sigma_data=sigma_data)
        return -c_z / sigma, -c_m / sigma
    p_s, q_s = weights(source, alpha, sigma, rates=rates, sigma_data=sigma_data)
    p_t, q_t = weights(target, alpha, sigma, rates=rates, sigma_data=sigma_data)
    d_s = _determinant(source, alpha, sigma, rates, sigma_data)
    if _any(d_s == 0):
        where = {"eps": "α = 0", "x": "σ = 0", "denoised": "σ = 0"}.get(source, "α σ̇ = σ α̇")
        raise ValueError(
            f"{source} → {target} does not exist at {where}: z and {source} are then the same "
            f"combination of x and ε"
        )
    d_t = _determinant(target, alpha, sigma, rates, sigma_data)
    return (p_t * q_s - q_t * p_s) / d_s, d_t / d_s


def convert(
    m: Any,
    z: Any,
    source: str,
    target: str,
    alpha: Any,
    sigma: Any,
    *,
    rates: tuple[Any, Any] | None = None,
    sigma_data: float | None = None,
) -> Any:
    """The `target` prediction from the `source` prediction m at the state z.

    Args:
        m, z: floats, NumPy arrays or torch tensors, shape (...) or (rows, ...).
        source, target: kinds, of `KINDS`.
        alpha, sigma: numbers, or one per row of z: shape (rows,).
        rates, sigma_data: as in `weights`; rates are numbers or one per row.

    Returns:
        Of z's type, shape, dtype and device. The coefficients are computed in the precision of
        `alpha` and `sigma` and cast to z's once.

    Raises:
        ValueError: as `affine`, or α and σ are neither numbers nor one per row of z.
    """
    c_z, c_m = affine(source, target, alpha, sigma, rates=rates, sigma_data=sigma_data)
    return _over_rows(c_z, z) * z + _over_rows(c_m, z) * m


def mse_factor(
    source: str,
    target: str,
    alpha: Any,
    sigma: Any,
    *,
    rates: tuple[Any, Any] | None = None,
    sigma_data: float | None = None,
) -> Any:
    """c_m² in |target̂ − target|² = c_m² |sourcê − source|², the same z on both sides.

    From ε (GAO; CLAIMS 16, P5), λ = log(α²/σ²): x e^(−λ), v α² (e^(−λ) + 1)², u (e^(−λ/2) + 1)²:
    as printed, at any scale of (α, σ). Arguments and errors as in `affine`.
    """
    _, c_m = affine(source, target, alpha, sigma, rates=rates, sigma_data=sigma_data)
    return c_m * c_m


def _over_rows(c: Any, like: Any) -> Any:
    """c as a factor for `like`: a float, or of its library and dtype in shape (rows, 1, …)."""
    if getattr(c, "ndim", 0) == 0:
        return float(c)
    shape = tuple(getattr(like, "shape", ()))
    if c.ndim != 1 or (shape and len(c) != shape[0]):
        raise ValueError(
            f"α, σ and rates must be numbers or one per row; z has shape {shape}, "
            f"they have shape {tuple(c.shape)}"
        )
    if hasattr(like, "new_tensor"):  # torch
        c = c.to(like) if hasattr(c, "new_tensor") else like.new_tensor(c)
    elif isinstance(like, np.ndarray):
        c = np.asarray(c)
        c = c.astype(like.dtype) if like.dtype.kind == "f" else c
    return c.reshape((-1,) + (1,) * (len(shape) - 1))


def _check_level(alpha: Any, sigma: Any) -> None:
    try:
        if any(np.iscomplexobj(each) for each in (alpha, sigma) if not hasattr(each, "new_tensor")):
            raise TypeError
        finite = (alpha >= 0) & (alpha < math.inf) & (sigma >= 0) & (sigma < math.inf)
        legal = _all(finite & (alpha + sigma > 0))
    except (
        TypeError,
        ValueError,
        RuntimeError,
        OverflowError,
    ) as error:  # text, a list; two shapes
        raise TypeError(
            "α and σ must be numbers, or arrays of one shape, got "
            f"α = {short(alpha)}, σ = {short(sigma)}"
        ) from error
    if not legal:
        raise ValueError(
            "a level needs finite α ≥ 0 and σ ≥ 0, not both zero, got "
            f"α = {short(alpha)}, σ = {short(sigma)}"
        )


def _rates(rates: tuple[Any, Any] | None) -> tuple[Any, Any]:
    if rates is None:
        raise ValueError("the velocity α̇ x + σ̇ ε needs rates=(α̇, σ̇)")
    try:
        alpha_dot, sigma_dot = rates
        legal = _all(abs(alpha_dot) < math.inf) and _all(abs(sigma_dot) < math.inf)
    except (TypeError, ValueError) as error:
        raise TypeError(f"rates must be a pair (α̇, σ̇) of numbers, got {short(rates)}") from error
    if not legal:
        raise ValueError(f"the velocity needs finite rates, got {short(rates)}")
    return alpha_dot, sigma_dot


def _sigma_data(sigma_data: float | None) -> float:
    if sigma_data is None or not 0 < number("sigma_data", sigma_data, infinite=True) < math.inf:
        raise ValueError(f"the edm output needs a positive sigma_data, got {short(sigma_data)}")
    return sigma_data


def _root(value: Any) -> Any:
    return value**0.5


def _all(condition: Any) -> bool:
    return bool(condition.all() if hasattr(condition, "all") else condition)


def _any(condition: Any) -> bool:
    return bool(condition.any() if hasattr(condition, "any") else condition)
