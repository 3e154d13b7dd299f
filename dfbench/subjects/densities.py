"""Densities of the times that networks are trained at, by their quantiles."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
from scipy.special import expit, logit, ndtri

from dfbench.errors import Unusable
from dfbench.levels import Array


def _uniform(u: Array, low: float = 0.0, high: float = 1.0) -> Array:
    return low + (high - low) * u


def _steps(u: Array, count: float = 1000.0) -> Array:
    return np.floor(u * count)


def _logit_normal(u: Array, mean: float = 0.0, std: float = 1.0) -> Array:
    return np.asarray(expit(mean + std * ndtri(u)))


def _log_normal(u: Array, mean: float = 0.0, std: float = 1.0) -> Array:
    return np.asarray(np.exp(mean + std * ndtri(u)))


def _log_uniform(u: Array, low: float, high: float) -> Array:
    return np.asarray(low * (high / low) ** u)


def _log_logistic(u: Array, mean: float = 0.0, scale: float = 1.0) -> Array:
    return np.asarray(np.exp(mean + scale * logit(u)))


def _v(u: Array, data: float = 1.0) -> Array:
    return data * np.tan(u * math.pi / 2)


def _split_log_normal(u: Array, mean: float, left: float, right: float) -> Array:
    part = left / (left + right)
    below = left * ndtri(np.minimum(u / part, 1) / 2)
    above = right * ndtri((np.maximum(u - part, 0) / (1 - part) + 1) / 2)
    return np.asarray(np.exp(mean + np.where(u < part, below, above)))


def _mode(u: Array, scale: float = 1.29) -> Array:
    return 1 - u - scale * (np.cos(math.pi / 2 * u) ** 2 - 1 + u)


def _cosmap(u: Array) -> Array:
    return 1 - 1 / (np.tan(math.pi / 2 * u) + 1)


DENSITIES: dict[str, Callable[..., Array]] = {
    "uniform": _uniform,
    "steps": _steps,
    "logit-normal": _logit_normal,
    "log-normal": _log_normal,
    "log-uniform": _log_uniform,
    "log-logistic": _log_logistic,
    "split-log-normal": _split_log_normal,
    "v": _v,
    "mode": _mode,
    "cosmap": _cosmap,
}
"""Quantile functions of densities that people train with, by name; the numbers of `name(a, b)` are
their other arguments. "steps" are whole numbers below a count; "mode" and "cosmap" those of SD3
(arXiv 2403.03206, section 3.1); "v" is that of an even angle, σ = σ_data tan(π u/2)."""


def density_of(text: str) -> Callable[[Array], Array]:
    """The quantile function of "name(a, b)".

    Raises:
        Unusable: there is none, or not with as many numbers.
    """
    found = re.fullmatch(r"([a-z-]+)(?:\(([^()]*)\))?", text.strip())
    if found is None or found[1] not in DENSITIES:
        raise Unusable(f"no density {text!r}; there are {', '.join(DENSITIES)}, as name(a, b)")
    try:
        numbers = [float(each) for each in (found[2] or "").split(",") if each.strip()]
        DENSITIES[found[1]](np.array([0.5]), *numbers)
    except (TypeError, ValueError) as error:
        raise Unusable(f"density {text!r}: {error}") from error
    return lambda u: DENSITIES[found[1]](u, *numbers)


def below(quantile: Callable[[Array], Array], times: Array) -> tuple[Array, Array]:
    """P(T < t) and P(T ≤ t) of a density that is known by its quantiles."""
    u = expit(np.linspace(-23, 23, 400_001))
    with np.errstate(all="ignore"):
        known = quantile(u)
    if known[0] > known[-1]:  # it falls with what is drawn
        known, u = known[::-1], 1 - u[::-1]
    slack = 1e-6 * np.maximum(abs(times), 1e-6)  # float32
    low = np.interp(np.searchsorted(known, times - slack, "left"), np.arange(len(u)), u)
    high = np.interp(np.searchsorted(known, times + slack, "right"), np.arange(len(u)), u)
    return low, high
