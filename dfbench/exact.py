"""The exact model of a target, in the form that a table or a sampler asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from analytic import GaussianMixture
from dfbench.levels import Array, Level
from dfbench.predictions import affine


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
