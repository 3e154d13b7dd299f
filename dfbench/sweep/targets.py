"""The laws that samplers are measured against, each made from a plain description."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from analytic import GaussianMixture
from dfbench.exact import exact_model
from dfbench.levels import Array, Network
from dfbench.sweep.kept import Kept

REFERENCES = 24  # that are kept of one target


@dataclass(frozen=True, eq=False)
class Target:
    """Data with a known law, and the model that a sampler asks for it.

    Attributes:
        name: its label.
        dim: dimension of the data.
        law: the exact law.
        spectrum, mean: of Gaussian data in its eigenbasis, (d,) each, and `law` is in that basis
            too; None otherwise.
        learned: eigenvalues of the Gaussian that the model has learned, where that is another.
        network: a `dfbench.training.trained.Trained`; None: the exact model.
        kept: what measures need of it, the same for all runs; it lives as long as the target.
    """

    name: str
    dim: int
    law: GaussianMixture
    spectrum: Array | None = None
    mean: Array | None = None
    learned: Array | None = None
    network: Any = None
    kept: Kept[Any] = field(default_factory=lambda: Kept(REFERENCES), init=False, repr=False)

    def model(self, prediction: str, sigma_data: float | None = None) -> Network:
        """`model(z, level)`: the prediction asked for, z of shape (n, d).

        The exact posterior mean under `law` (of the learned Gaussian where there is one), or what
        the network returns, converted.
        """
        if self.network is not None:
            model: Network = self.network.as_prediction(prediction)
            return model
        law = self.law
        if self.learned is not None and self.mean is not None:
            law = GaussianMixture.diagonal([1.0], self.mean[None], self.learned[None])
        return exact_model(law, prediction, sigma_data)
