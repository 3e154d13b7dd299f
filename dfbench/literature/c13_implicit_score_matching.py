"""13. Implicit score matching is explicit score matching up to a constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from analytic import GaussianMixture
from analytic.information import expectation
from dfbench.literature.parts import within
from dfbench.literature.statement import row, worst_of
from dfbench.losses import explicit_score_matching, implicit_score_matching
from dfbench.outcome import Finding
from dfbench.testing import Field, fields, mixtures

ImplicitLoss = Callable[[Any, Any], Any]  # (s, tr ∇s) → a number per row


def broken(size: float) -> ImplicitLoss:
    """The trace of the Jacobian with a wrong factor."""
    return lambda score, divergence: implicit_score_matching(score, (1 + size) * divergence)


@row(
    "13",
    r"\mathbb E\left[\operatorname{tr}\nabla s+\tfrac12|s|^2\right]"
    r"=\tfrac12\mathbb E|s-\nabla\log p|^2-\tfrac12\mathbb E|\nabla\log p|^2\quad\forall s",
    title="Implicit score matching",
    source="HYV",
    condition="p s → 0 at infinity; on a bounded support the flux of p s through the boundary "
    "stays (for U(0, 1) it is s(1) − s(0), which depends on s)",
    subject=lambda: implicit_score_matching,
    control=broken,
    control_size=1e-8,
)
def check(loss: ImplicitLoss) -> Finding:
    """One and two dimensions, any s, whether it is a gradient or not."""
    derivation = "quadrature to 1e-11 of the integral of the size of the integrand"

    @within(1e-10, "of 1 + E|∇ log p|²/2", derivation)
    def gap(target: GaussianMixture, s: Field) -> float:
        def terms(z: np.ndarray) -> np.ndarray:
            value, true = s(z), target.score(z)
            implicit = loss(value, s.divergence(z))
            explicit = explicit_score_matching(value, true)
            constant = (true**2).sum(-1) / 2
            return np.stack([implicit - explicit + constant, constant], -1)

        difference, size = expectation(target, terms)
        return float(abs(difference) / (1 + size))

    return worst_of(
        gap.for_all(examples=25, target=mixtures(dim=1), s=fields()),
        gap.for_all(examples=5, target=mixtures(dim=2, smallest=0.7), s=fields()),
    )
