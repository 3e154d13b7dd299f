"""Paths from one Gaussian mixture to another, coupled or not: `z = alpha x + beta y`.

With x from a mixture of components N(mu_k, S_k), y from one of components N(nu_l, T_l), the pair
(k, l) of probability pi_kl and, given the pair, cross-covariance C_kl = Cov[x, y | k, l], the law
of z is again a mixture, a component per pair:

    m_kl = alpha mu_k + beta nu_l,   V_kl = alpha^2 S_k + beta^2 T_l + alpha beta (C_kl + C_kl').

Its velocity is the posterior mean of that of the conditional path, `E[alpha' x + beta' y | z]`.
With y ~ N(0, I) and no coupling this is diffusion, beta the sigma. Sources: HE, ALB, LIU, TONG
(row 11).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analytic import _checks
from analytic._checks import Array
from analytic.mixture import GaussianMixture


class CoupledMixtures:
    """A joint law of x and y, each a Gaussian mixture in d dimensions.

    Args:
        x, y: the mixtures, of K and L components.
        coupling: probabilities pi (K, L) of the pairs of components, whose sums over l and k are
            the weights of x and y within 1e-6; independent where None.
        cross: cross-covariances C (K, L, d, d) of x and y given the pair; zero where None.
    """

    def __init__(
        self,
        x: GaussianMixture,
        y: GaussianMixture,
        coupling: ArrayLike | None = None,
        cross: ArrayLike | None = None,
    ) -> None:
        _checks.mixture(x)
        _checks.mixture(y)
        if x.dim != y.dim:
            raise ValueError(f"x and y must have one dimension, got {x.dim} and {y.dim}")
        pairs, d = (x.size, y.size), x.dim
        pi = np.outer(x.weights, y.weights)
        if coupling is not None:
            pi = _checks.finite("coupling", coupling)
            if pi.shape != pairs or (pi < 0).any():
                raise ValueError(f"coupling must be non-negative of shape {pairs}")
            gaps = np.append(pi.sum(1) - x.weights, pi.sum(0) - y.weights)
            if np.abs(gaps).max() > 1e-6:
                raise ValueError("the sums of the coupling must be the weights of x and y")
        c = np.zeros((*pairs, d, d)) if cross is None else _checks.finite("cross", cross)
        if c.shape != (*pairs, d, d):
            raise ValueError(f"cross must have shape {(*pairs, d, d)}, got {c.shape}")
        self._x, self._y, self._pi, self._cross = x, y, pi, c
        self._xx, self._yy = _covariances(x), _covariances(y)
        joint = np.zeros((*pairs, 2 * d, 2 * d))
        joint[..., :d, :d], joint[..., d:, d:] = self._xx[:, None], self._yy
        joint[..., :d, d:], joint[..., d:, :d] = c, np.swapaxes(c, -1, -2)
        _checks.spectral("the joint covariance of x and y", joint)  # refuses what is none

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self._x.dim

    @property
    def x(self) -> GaussianMixture:
        """The law of x."""
        return self._x

    @property
    def y(self) -> GaussianMixture:
        """The law of y."""
        return self._y

    @property
    def coupling(self) -> Array:
        """Probabilities of the pairs of components, (K, L)."""
        return self._pi.copy()

    def marginal(self, alpha: float, beta: float) -> GaussianMixture:
        """The law of `z = alpha x + beta y`: a mixture of K L components, pair by pair.

        alpha and beta are any numbers, of either sign.
        """
        a, b, d = _number("alpha", alpha), _number("beta", beta), self.dim
        means = a * self._x.means[:, None] + b * self._y.means
        both = self._cross + np.swapaxes(self._cross, -1, -2)
        v = a**2 * self._xx[:, None] + b**2 * self._yy + a * b * both
        return GaussianMixture.full(self._pi.reshape(-1), means.reshape(-1, d), v.reshape(-1, d, d))

    def log_density(self, z: ArrayLike, alpha: float, beta: float) -> Array:
        """Log-density of z, (n,) for z (n, d)."""
        return self.marginal(alpha, beta).log_density(z)

    def score(self, z: ArrayLike, alpha: float, beta: float) -> Array:
        """`grad log p(z)`, (n, d); refused where z has a direction without variance."""
        return self.marginal(alpha, beta).score(z)

    def posterior_means(self, z: ArrayLike, alpha: float, beta: float) -> tuple[Array, Array]:
        """`E[x|z]` and `E[y|z]`, each (n, d), at a level where no V_kl is singular.

        Per pair `E[x|z] = mu + (alpha S + beta C) V^-1 (z - m)`, and likewise
        `E[y|z] = nu + (beta T + alpha C') V^-1 (z - m)`.
        """
        law, (points, single) = self.marginal(alpha, beta), _checks.points(z, self.dim)
        if law.singular:
            raise ValueError("posterior means need a law of z without singular components")
        a, b, d = float(alpha), float(beta), self.dim
        weight = law.responsibilities(points)
        spectra, bases = law.spectra, law.bases
        assert bases is not None
        y = np.einsum("kij,nki->nkj", bases, points[:, None] - law.means) / spectra
        whitened = np.einsum("kij,nkj->nki", bases, y)  # V^-1 (z - m), per pair
        gain_x = (a * self._xx[:, None] + b * self._cross).reshape(-1, d, d)
        gain_y = (b * self._yy + a * np.swapaxes(self._cross, -1, -2)).reshape(-1, d, d)
        mean_x = np.repeat(self._x.means, self._y.size, axis=0)
        mean_y = np.tile(self._y.means, (self._x.size, 1))
        means = []
        for mean, gain in ((mean_x, gain_x), (mean_y, gain_y)):
            each = mean + np.einsum("kij,nkj->nki", gain, whitened)
            total = np.einsum("nk,nki->ni", weight, each)
            means.append(total[0, ...] if single else total)
        return means[0], means[1]

    def velocity(
        self, z: ArrayLike, alpha: float, beta: float, alpha_dot: float, beta_dot: float
    ) -> Array:
        """`u = alpha_dot E[x|z] + beta_dot E[y|z]`, (n, d): what carries the marginals."""
        x, y = self.posterior_means(z, alpha, beta)
        return _number("alpha_dot", alpha_dot) * x + _number("beta_dot", beta_dot) * y

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """n draws of the pair (x, y), each (n, d)."""
        n, rng = _checks.count("n", n), _checks.generator(rng)
        d, width = self.dim, self._y.size
        pair = rng.choice(self._pi.size, size=n, p=self._pi.reshape(-1) / self._pi.sum())
        noise = rng.standard_normal((n, 2 * d))
        for p in np.unique(pair):
            k, l = divmod(int(p), width)  # noqa: E741
            cov = np.block([[self._xx[k], self._cross[k, l]], [self._cross[k, l].T, self._yy[l]]])
            values, vectors = _checks.spectral("the joint covariance", cov)
            mean = np.append(self._x.means[k], self._y.means[l])
            rows = pair == p
            noise[rows] = mean + noise[rows] @ (vectors * np.sqrt(values)).T
        return noise[:, :d], noise[:, d:]


def _covariances(mixture: GaussianMixture) -> Array:
    """Covariances (K, d, d)."""
    bases = mixture.bases
    if bases is None:
        return mixture.spectra[..., None] * np.eye(mixture.dim)
    full: Array = np.matmul(bases * mixture.spectra[:, None], np.swapaxes(bases, 1, 2))
    return full


def _number(name: str, value: float) -> float:
    return float(_checks.per_row(name, value, 1)[0])
