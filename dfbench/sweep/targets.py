"""The laws that samplers are measured against, each made from a plain description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytic import GaussianMixture
from dfbench.exact import exact_model
from dfbench.levels import Array, Level

Model = Callable[[Array, Level], Array]


@dataclass(frozen=True, eq=False)
class Target:
    """Data with a known law, and the model that a sampler asks for it.

    Attributes:
        name: its label.
        dim: dimension of the data.
        law: the exact law; None where it is unknown (a network trained on a user's data).
        spectrum, mean: of Gaussian data in its eigenbasis, (d,) each, and `law` is in that basis
            too; None otherwise.
        learned: eigenvalues of the Gaussian that the model has learned, where that is another.
        network: a trained model `network(z, level)`, z (n, d), with `prediction`; None: exact.
        prediction: what the network returns.
    """

    name: str
    dim: int
    law: GaussianMixture | None = None
    spectrum: Array | None = None
    mean: Array | None = None
    learned: Array | None = None
    network: Any = None
    prediction: str | None = None

    def model(self, prediction: str, sigma_data: float | None = None) -> Model:
        """`model(z, level)`: the prediction asked for, z of shape (n, d).

        The exact posterior mean under `law` (of the learned Gaussian where there is one), or what
        the network returns, converted.
        """
        if self.network is not None:
            return trained_model(self.network, str(self.prediction), prediction, sigma_data)
        law = self.law
        if self.learned is not None and self.mean is not None:
            law = GaussianMixture.diagonal([1.0], self.mean[None], self.learned[None])
        assert law is not None
        return exact_model(law, prediction, sigma_data)


def trained_model(
    network: Any, own: str, prediction: str, sigma_data: float | None = None
) -> Model:
    """A network's output, converted from its own prediction to another."""
    from dfbench.predictions import affine

    def model(z: Array, level: Level) -> Array:
        m = np.asarray(network(z, level), dtype=np.float64)
        if prediction == own:
            return m
        c_z, c_m = affine(own, prediction, level.alpha, level.sigma, sigma_data=sigma_data)
        converted: Array = c_z * z + c_m * m
        return converted

    return model
