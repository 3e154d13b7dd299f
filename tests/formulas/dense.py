"""Mixtures, their fields and their pairs a second time, with dense matrices and their inverses.

It shares no formula with `analytic`, which diagonalises each covariance once: any covariances,
weights of zero, and pairs with cross-covariances of any kind.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.linalg import sqrtm
from scipy.special import logsumexp, ndtr

from analytic import CoupledMixtures, GaussianMixture


class Dense(NamedTuple):
    """Weights (K,), means (K, d) and covariances (K, d, d)."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    def diffused(self, alpha, sigma):
        noise = sigma**2 * np.eye(self.means.shape[1])
        return Dense(self.weights, alpha * self.means, alpha**2 * self.covariances + noise)

    def mixture(self):
        return GaussianMixture.full(*self)

    def mean(self):
        return np.einsum("k,ki->i", self.weights, self.means)

    def covariance(self):
        """E x x' less the square of the mean."""
        second = self.covariances + np.einsum("ki,kj->kij", self.means, self.means)
        return np.einsum("k,kij->ij", self.weights, second) - np.outer(self.mean(), self.mean())

    def cdf(self, direction, x):
        """P(<direction, X> ≤ x)."""
        std = np.sqrt(np.einsum("i,kij,j->k", direction, self.covariances, direction))
        return ndtr((x[:, None] - self.means @ direction) / std) @ self.weights


def some(seed, size=3, dim=2):
    """A mixture of order one with any covariances; one component more has no weight."""
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((size + 1, dim, dim)) / np.sqrt(dim)
    weights = np.append(rng.uniform(0.2, 1, size), 0.0)
    covariances = roots @ np.swapaxes(roots, 1, 2) + 0.05 * np.eye(dim)
    return Dense(weights / weights.sum(), 2 * rng.standard_normal((size + 1, dim)), covariances)


def diagonal(law):
    """The same with the axes for eigenvectors, as `analytic` has it too."""
    variances = np.einsum("kii->ki", law.covariances)
    dense = law._replace(covariances=variances[:, :, None] * np.eye(variances.shape[1]))
    return dense, GaussianMixture.diagonal(law.weights, law.means, variances)


#: How `analytic` is given the covariances → (seed, dim) → the dense law, and the mixture.
FORMS = {
    "full": lambda seed, dim: (some(seed, dim=dim), some(seed, dim=dim).mixture()),
    "diagonal": lambda seed, dim: diagonal(some(seed, dim=dim)),
}


def fields(law, z, alpha, sigma, rates=(0.0, 0.0)):
    """Every field at points z (n, d), with inverses of dense matrices."""
    w, m, s = law
    v = law.diffused(alpha, sigma).covariances
    away = z[:, None] - alpha * m
    white = np.linalg.solve(v, away[..., None])[..., 0]
    with np.errstate(divide="ignore"):
        log_joint = np.log(w) - 0.5 * ((away * white).sum(-1) + np.linalg.slogdet(2 * np.pi * v)[1])
    log_density = logsumexp(log_joint, axis=1)
    r = np.exp(log_joint - log_density[:, None])
    score = -np.einsum("nk,nki->ni", r, white)
    hessian = np.einsum("nk,nki,nkj->nij", r, white, white) - np.einsum(
        "nk,kij->nij", r, np.linalg.inv(v)
    )
    hessian -= score[:, :, None] * score[:, None]
    means = m + alpha * np.einsum("kij,nkj->nki", s, white)
    x, eps = np.einsum("nk,nki->ni", r, means), sigma * np.einsum("nk,nki->ni", r, white)
    within = s - alpha**2 * s @ np.linalg.solve(v, s)
    off = means - x[:, None]
    covariance = np.einsum("nk,kij->nij", r, within) + np.einsum("nk,nki,nkj->nij", r, off, off)
    spread = np.trace(covariance, axis1=1, axis2=2)
    return {
        "log_density": log_density,
        "responsibilities": r,
        "score": score,
        "score_jacobian": hessian,
        "score_divergence": np.trace(hessian, axis1=1, axis2=2),
        "posterior_mean": x,
        "posterior_eps": eps,
        "posterior_covariance": covariance,
        "velocity": rates[0] * x + rates[1] * eps,
        # ∂E[x|z] = (α/σ²) Cov[x|z], and E[ε|z] = (z − α E[x|z])/σ
        "velocity_divergence": rates[0] * alpha / sigma**2 * spread
        + rates[1] / sigma * (z.shape[1] - (alpha / sigma) ** 2 * spread),
    }


def root(matrix):
    """The symmetric square root."""
    return np.real(sqrtm(matrix))


@cache
def coupling(seed, dim=3):
    """A pair of mixtures with any covariances, coupled, and cross-covariances of any kind; with
    the mixtures, the probabilities (K, L) and the joint covariances (K, L, 2d, 2d)."""
    rng = np.random.default_rng(seed)
    x, y = some(seed, 2, dim), some(seed + 1, 2, dim)
    pi = np.outer(x.weights, y.weights)
    pi[:2, :2] += 0.5 * pi[:2, :2].min() * np.array([[1, -1], [-1, 1]])
    cross = np.empty((3, 3, dim, dim))
    joint = np.empty((3, 3, 2 * dim, 2 * dim))
    for k, m in np.ndindex(3, 3):
        turn = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
        c = 0.7 * root(x.covariances[k]) @ turn @ root(y.covariances[m])
        cross[k, m] = c
        joint[k, m] = np.block([[x.covariances[k], c], [c.T, y.covariances[m]]])
    return CoupledMixtures(x.mixture(), y.mixture(), pi, cross), (x, y), pi, joint


def close(found, true, bound):
    """No element further off than the bound; a NaN is."""
    np.testing.assert_allclose(found, true, rtol=0, atol=bound, equal_nan=False)


# Draws --------------------------------------------------------------------------------------------

DRAWS = 20_000
#: Kolmogorov–Smirnov distance that 20 000 draws exceed once in 1e9 tests: a shift of a tenth of a
#: standard deviation shows.
ALLOWED = np.sqrt(np.log(2 / 1e-9) / (2 * DRAWS))


def distance(cdf, draws):
    """Kolmogorov–Smirnov, of draws from a distribution function."""
    true, n = cdf(np.sort(draws)), len(draws)
    return max(np.abs(np.arange(1, n + 1) / n - true).max(), np.abs(np.arange(n) / n - true).max())
