"""What a claim on trained networks is: a claim of the literature, held on what was really trained.

It is one file, `c34_…_trained.py`, beside the claim on formulas. Its check gets the formula under
test and a `Lab` that trains the networks it asks for; its control breaks the formula, or what is
trained.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from analytic import GaussianMixture
from dfbench.errors import Unsupported
from dfbench.levels import Array
from dfbench.literature.statement import Literature
from dfbench.outcome import Finding
from dfbench.training.measure.network import PredictingNetwork


class Trainable(PredictingNetwork, Protocol):
    """A trained network and its parameters."""

    @property
    def module(self) -> Any:
        """F(z, λ), a torch module; its parameters take gradients."""

    def as_prediction(self, kind: str) -> Any:
        """The network as one of another prediction."""


class Lab(Protocol):
    """Trains networks on one law, and remembers those it has trained."""

    @property
    def truth(self) -> GaussianMixture:
        """The law of the data.

        Raises:
            Unsupported: nobody knows it.
        """

    @property
    def dim(self) -> int:
        """Elements of a point."""

    def network(self, **changes: Any) -> Trainable:
        """The network of the study, in float64, or one trained with these changes."""

    def where(self, **changes: Any) -> Path:
        """The folder of a network."""


def rows(lab: Lab, n: int) -> int:
    """n samples of small points, few of large ones: what holds to rounding holds for each."""
    return n if lab.dim <= 8 else 16


def pairs(lab: Lab, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """n points of the data's law, and the noise to add to each."""
    return lab.truth.sample(n, rng), rng.standard_normal((n, lab.truth.dim))


def planar(lab: Lab) -> GaussianMixture:
    """The law of the data, for checks that integrate over the plane or draw in it.

    Raises:
        Unsupported: nobody knows it, or it is not in the plane.
    """
    truth = lab.truth
    if truth.dim != 2:
        raise Unsupported(f"needs data in the plane; these have {truth.dim} dimensions")
    return truth


def trained(
    row: Literature, statement: str = "", **changes: Any
) -> Callable[[Callable[[Any, Lab], Finding]], Literature]:
    """Make a check `(formula, lab) → finding` what a row of the list says of trained networks.

    Args:
        row: the claim on formulas.
        statement: where it is another than the row's.
        changes: the fields that differ from the row's; a figure is not taken over.
    """

    def made(check: Callable[[Any, Lab], Finding]) -> Literature:
        @wraps(check)
        def on(given: tuple[Any, Lab]) -> Finding:
            return check(*given)

        changes["statement"] = statement or row.statement
        own = {"id": f"T{row.number}", "figure": None, "slider": None, "kind": "trained network"}
        return replace(row, check=on, **own | changes)

    return made
