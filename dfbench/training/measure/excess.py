"""Excess loss: what a network loses beyond what no network could avoid.

For m̂ any function of z, E|m̂ − m|² = E|m̂ − E[m|z]|² + E tr Cov[m|z]: the excess, and the
irreducible loss. With the posterior of a mixture known, both are known at every log-SNR λ:

    excess(λ) = E|ε̂(z) − E[ε|z]|²,      irreducible(λ) = E tr Cov[ε|z] = d + σ² E Δ log p(z),

and ∫ w(λ) · dλ of each is what the weighting w makes of them (KG). The second is an average of
conditional variances, no draw of the noise; `analytic.information.eps_mmse` is the same number
by quadrature, for one and two dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analytic import GaussianMixture
from analytic.distances import Estimate
from dfbench.levels import Array, Level
from dfbench.schedules import at_log_snr
from dfbench.training.measure.network import PredictingNetwork, mean_of, predicts, ratio_of_means
from dfbench.weightings import FlowMatchingWeighting

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, eq=False)
class Excess:
    """Losses of ε̂ per dimension and level, and their ratio under a weighting.

    Attributes:
        log_snr: the nodes, shape (L,).
        irreducible: E tr Cov[ε|z]/d, shape (L,).
        excess: E|ε̂ − E[ε|z]|²/d with its interval, an `Estimate` each.
        fraction: ∫ w excess dλ / ∫ w irreducible dλ, w that of flow matching.
        density: w · irreducible, normalised: which λ the fraction looks at; shape (L,).
    """

    log_snr: Array
    irreducible: Array
    excess: tuple[Estimate, ...]
    fraction: Estimate
    density: Array

    def table(self) -> DataFrame:
        """A row a level: log_snr, irreducible, excess, low, high, fraction, weight."""
        import pandas as pd

        values = np.array([[e.value, e.low, e.high] for e in self.excess])
        return pd.DataFrame(
            {
                "log_snr": self.log_snr,
                "irreducible": self.irreducible,
                "excess": values[:, 0],
                "low": values[:, 1],
                "high": values[:, 2],
                "fraction": values[:, 0] / self.irreducible,
                "weight": self.density,
            }
        )


def excess_loss(
    network: PredictingNetwork,
    truth: GaussianMixture,
    rng: np.random.Generator,
    *,
    low: float = -10.0,
    high: float = 10.0,
    n: int = 4096,
) -> Excess:
    """Excess over irreducible loss of ε̂ at forty log-SNRs, and the ratio of their integrals.

    Each of n draws of (x, ε) is followed over all λ (Gauss–Legendre, panels of width 2), so that
    a draw is one estimate of the integrals and the interval is that of n independent ones.

    Args:
        network: asked at variance-preserving levels.
        truth: the law of the data, with a density at every level.
        low, high: range of λ.
    """
    lam, panel = _panels(low, high)
    weight = panel * FlowMatchingWeighting()(lam)
    eps_of = predicts(network, "eps")
    x, eps = truth.sample(n, rng), rng.standard_normal((n, truth.dim))
    lost, left = np.empty((2, len(lam), n))
    for i, value in enumerate(lam):
        level = Level(*at_log_snr(float(value)))
        z = level.alpha * x + level.sigma * eps
        gap = eps_of(z, level) - truth.posterior_eps(z, *level)
        lost[i] = (gap**2).mean(-1)
        left[i] = 1 + level.sigma**2 / truth.dim * truth.score_divergence(z, *level)
    share = weight * left.mean(1) / panel
    return Excess(
        lam,
        left.mean(1),
        tuple(mean_of(row) for row in lost),
        ratio_of_means(weight @ lost, weight @ left),
        share / (panel @ share),
    )


def _panels(low: float, high: float) -> tuple[Array, Array]:
    """Gauss–Legendre, four nodes on panels of width at most 2."""
    if not low < high:
        raise ValueError(f"need low < high, got {low} and {high}")
    edges = np.linspace(low, high, int(np.ceil((high - low) / 2)) + 1)
    node, weight = np.polynomial.legendre.leggauss(4)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + node)).reshape(-1), (half * weight).reshape(-1)
