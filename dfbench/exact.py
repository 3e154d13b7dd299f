"""The exact model of a target, in the form that a table or a sampler asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analytic import GaussianMixture
from dfbench.errors import Undefined
from dfbench.levels import Array, Level
from dfbench.predictions import affine, weights


def exact_model(
    target: GaussianMixture, prediction: str, sigma_data: float | None = None
) -> Callable[[Any, Level], Array]:
    """The prediction of a perfectly trained network: `model(z, level)`, z of shape (n, d).

    From E[ε|z] where noise is predicted and from E[x|z] elsewhere, so that nothing cancels.
    """

    def model(z: Any, level: Level) -> Array:
        alpha, sigma = level
        if prediction in ("eps", "score"):
            eps: Array = target.posterior_eps(z, alpha, sigma)
            return eps if prediction == "eps" else -eps / sigma
        x: Array = target.posterior_mean(z, alpha, sigma)
        c_z, c_m = affine("x", prediction, alpha, sigma, sigma_data=sigma_data)
        m: Array = c_z * z + c_m * x
        return m

    return model


def exact_slope(
    variance: ArrayLike, level: Level, prediction: str, sigma_data: float | None = None
) -> Array:
    """∂m/∂z of the exact model of N(μ, s) along directions: (p α s + q σ)/(α² s + σ²).

    For m = p x + q ε, because there x̂ = μ + α s y/V and ε̂ = σ y/V with y = z − α μ, V = α² s + σ².
    Zero at V = 0, where the state is α μ and the model the constant p μ.

    Raises:
        Undefined: the prediction does not exist at this level.
    """
    s, (alpha, sigma) = np.asarray(variance, dtype=np.float64), level
    try:
        p, q = weights(prediction, alpha, sigma, sigma_data=sigma_data)
    except ValueError as reason:
        raise Undefined(str(reason)) from reason
    total = alpha**2 * s + sigma**2
    return np.asarray((p * alpha * s + q * sigma) / np.where(total > 0, total, 1.0))
