"""Gaussian mixtures of any covariance, and every field of their diffusion in closed form.

Throughout, `z = alpha x + sigma eps` with x from the mixture and eps ~ N(0, I). Per component k, in
its eigenbasis, `v = alpha^2 s + sigma^2`, `y = V'(z - alpha mu)`, and with responsibilities
`r_k = w_k N(z; alpha mu_k, v) / sum_j w_j N(z; alpha mu_j, v)` everything is a weighted sum over k.

Both ends of a path are legal levels. At `alpha = 0` the state is noise: `E[x|z]` is the prior mean
and `E[eps|z] = z/sigma`. At `sigma = 0` it is data: `E[x|z] = z/alpha`, `Cov[x|z] = 0`, and z says
nothing of the noise, `E[eps|z] = 0`. If moreover a component is singular, the law has no density
there: `log_density` is +inf on its support and -inf off every support, `responsibilities` are the
limit sigma -> 0 (the nearest support), and scores and divergences raise.

Isotropic components at one level take a faster way at the points where its errors are proven to be
at most the larger of 2e-13 and `8 d (d + 8) u` in each logarithm of `r_k` (u = 1.1e-16), and 1e-12
of the length of a score or mean besides what these do to it. `analytic._round` says how. So do
diagonal components, and full ones in the plane, if they are many: `analytic._expanded`. Others at
one level go one by one where there are many points, as exact: `analytic._whitened`.

Sources: HE, SU (the path and its marginals), LIP (velocity), SU, VIN (Tweedie).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike

from analytic import _checks, _univariate
from analytic._checks import Array
from analytic._expanded import Expanded
from analytic._round import Round
from analytic._state import Components, State
from analytic._whitened import Whitened

Level = Round | Whitened
_MANY = 32  # points from which on components are worth a loop
_BLOCK = 1 << 17  # numbers per temporary: a few temporaries stay in cache


class GaussianMixture:
    """`sum_k w_k N(mu_k, Sigma_k)` in d dimensions; covariances may be singular or zero.

    GaussianMixture(weights, means, covariances): weights (K,), not negative, summing to 1 within
    1e-6; means (K, d); covariances () or (K,) isotropic, (K, d) diagonal, (K, d, d) full. A shape
    that could be read in two ways (K = d) is refused: say `isotropic`, `diagonal`, `full` or
    `points`.
    """

    _components: Components

    def __init__(self, weights: ArrayLike, means: ArrayLike, covariances: ArrayLike) -> None:
        means = _checks.finite("means", means, copy=False)
        covariances = _checks.finite("covariances", covariances, copy=False)
        shape, mu = covariances.shape, means.shape
        if len(mu) == 2 and mu[0] == mu[1] > 1 and len(shape) in (1, 2):
            raise ValueError(
                f"covariances of shape {shape} are ambiguous for {mu[0]} components in {mu[1]} "
                "dimensions: use GaussianMixture.isotropic, .diagonal or .full"
            )
        kinds = {0: self.isotropic, 1: self.isotropic, 2: self.diagonal, 3: self.full}
        if len(shape) not in kinds:
            raise ValueError(f"covariances must have 0 to 3 dimensions, got shape {shape}")
        self._components = kinds[len(shape)](weights, means, covariances)._components

    @classmethod
    def _of(cls, components: Components) -> GaussianMixture:
        mixture = cls.__new__(cls)
        mixture._components = components
        return mixture

    @classmethod
    def spectral(
        cls, weights: ArrayLike, means: ArrayLike, spectra: ArrayLike, bases: ArrayLike | None
    ) -> GaussianMixture:
        """Covariances `V_k diag(spectra_k) V_k'`: spectra (K, d) or (K, 1), bases V (K, d, d) or
        None.

        Keeps eigenvalues that a dense matrix could not resolve (1e-12 beside 1e12).
        """
        return cls._of(Components.checked(weights, means, spectra, bases))

    @classmethod
    def isotropic(
        cls, weights: ArrayLike, means: ArrayLike, variances: ArrayLike
    ) -> GaussianMixture:
        """Covariances `variances_k I`: one number, or one per component (K,)."""
        means = _checks.finite("means", means, copy=False)
        s, size = _checks.finite("variances", variances), len(np.atleast_1d(means))
        if s.shape not in ((), (size,)):
            raise ValueError(f"isotropic variances must be () or ({size},), got shape {s.shape}")
        return cls.spectral(weights, means, np.broadcast_to(s, (size,))[:, None], None)

    @classmethod
    def diagonal(
        cls, weights: ArrayLike, means: ArrayLike, variances: ArrayLike
    ) -> GaussianMixture:
        """Covariances `diag(variances_k)`: variances (K, d), as means."""
        means = _checks.finite("means", means, copy=False)
        variances = _checks.finite("variances", variances, copy=False)
        if variances.shape != means.shape:
            raise ValueError(
                f"diagonal variances must have the shape of means, {means.shape}, "
                f"got {variances.shape}"
            )
        return cls.spectral(weights, means, variances, None)

    @classmethod
    def full(cls, weights: ArrayLike, means: ArrayLike, covariances: ArrayLike) -> GaussianMixture:
        """Symmetric positive semi-definite covariances (K, d, d)."""
        covariances = _checks.finite("covariances", covariances, copy=False)
        if covariances.ndim != 3:
            raise ValueError(f"full covariances must have shape (K, d, d), got {covariances.shape}")
        return cls.spectral(weights, means, *_checks.spectral("covariances", covariances))

    @classmethod
    def points(cls, points: ArrayLike, weights: ArrayLike | None = None) -> GaussianMixture:
        """Point masses at `points` (K, d), by default of equal weight. (row 5: SU)"""
        points = _checks.finite("points", points, copy=False)
        size = max(len(np.atleast_1d(points)), 1)
        w = np.full(size, 1 / size) if weights is None else weights
        return cls.isotropic(w, points, 0.0)

    def __repr__(self) -> str:
        return f"GaussianMixture({self.size} components in {self.dim} dimensions)"

    @property
    def weights(self) -> Array:
        """(K,)."""
        return self._components.weights.copy()

    @property
    def means(self) -> Array:
        """(K, d)."""
        return self._components.means.copy()

    @property
    def spectra(self) -> Array:
        """Eigenvalues of the covariances, (K, d)."""
        return np.broadcast_to(self._components.spectra, self._components.means.shape).copy()

    @property
    def bases(self) -> Array | None:
        """Eigenvectors in columns, (K, d, d); None where the axes are the eigenvectors."""
        return None if self._components.bases is None else self._components.bases.copy()

    @property
    def size(self) -> int:
        """Number of components K."""
        return int(self._components.weights.size)

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self._components.dim

    @property
    def singular(self) -> bool:
        """Whether a component that has weight has a direction without variance."""
        return self._components.singular

    @property
    def mean(self) -> Array:
        """`sum_k w_k mu_k`, (d,)."""
        c = self._components
        mean: Array = c.weights @ c.means
        return mean

    @property
    def covariance(self) -> Array:
        """`sum_k w_k (Sigma_k + (mu_k - mean)(mu_k - mean)')`, (d, d)."""
        c = self._components
        spread = np.sqrt(c.weights)[:, None] * (c.means - self.mean)
        total: Array = spread.T @ spread
        inner = c.weights[:, None] * self.spectra
        if c.bases is None:
            return total + np.diag(inner.sum(0))
        for basis, values in zip(c.bases, inner, strict=True):
            total += (basis * values) @ basis.T
        return total

    # Fields of the law of z -----------------------------------------------------------------------

    def log_density(self, z: ArrayLike, alpha: ArrayLike = 1.0, sigma: ArrayLike = 0.0) -> Array:
        """`log sum_k w_k N(z; alpha mu_k, alpha^2 Sigma_k + sigma^2 I)`, (n,). (row 1: HE, SU)"""
        return self._map(
            lambda state: state.log_density,
            z,
            alpha,
            sigma,
            fast=lambda law, z, out: law.log_density(z, out),
        )

    def responsibilities(
        self, z: ArrayLike, alpha: ArrayLike = 1.0, sigma: ArrayLike = 0.0
    ) -> Array:
        """Posterior probability of each component given z, (n, K). (row 5: SU)"""
        return self._map(
            lambda state: state.responsibilities.T,
            *(z, alpha, sigma, (self.size,)),
            fast=lambda law, z, out: law.responsibilities(z, out),
        )

    def score(self, z: ArrayLike, alpha: ArrayLike = 1.0, sigma: ArrayLike = 0.0) -> Array:
        """`grad log p(z) = -sum_k r_k V (y/v)`, (n, d). (row 4: HE, SU)"""
        self._refuse_singular("the score", alpha, sigma)
        return self._map(
            State.score, z, alpha, sigma, (self.dim,), fast=lambda law, z, out: law.score(z, out)
        )

    def score_jacobian(self, z: ArrayLike, alpha: ArrayLike = 1.0, sigma: ArrayLike = 0.0) -> Array:
        """Hessian of log p, `-sum_k r_k V v^-1 V' + Cov_k[score_k]`, (n, d, d). (row 4: HE, SU)"""
        self._refuse_singular("the score", alpha, sigma)
        shape = (self.dim, self.dim)
        return self._map(
            lambda state: state.quadratic(-1 / state.v, state.spreads[1]), z, alpha, sigma, shape
        )

    def score_divergence(
        self, z: ArrayLike, alpha: ArrayLike = 1.0, sigma: ArrayLike = 0.0
    ) -> Array:
        """Laplacian of log p: the trace of `score_jacobian`, never formed, (n,). (row 13: HYV)"""
        self._refuse_singular("the score", alpha, sigma)
        return self._map(State.score_divergence, z, alpha, sigma)

    def posterior_mean(self, z: ArrayLike, alpha: ArrayLike, sigma: ArrayLike) -> Array:
        """`E[x|z] = sum_k r_k V (alpha s V'z + sigma^2 V'mu)/v`, (n, d). (rows 4, 5: HE, SU)"""
        return self._combine(z, alpha, sigma, 1.0, 0.0)

    def posterior_eps(self, z: ArrayLike, alpha: ArrayLike, sigma: ArrayLike) -> Array:
        """`E[eps|z] = sum_k r_k V (sigma y/v)`, not `(z - alpha E[x|z])/sigma`, (n, d). (row 4)"""
        return self._combine(z, alpha, sigma, 0.0, 1.0)

    def posterior_covariance(self, z: ArrayLike, alpha: ArrayLike, sigma: ArrayLike) -> Array:
        """`Cov[x|z] = sum_k r_k V (s sigma^2/v) V' + Cov_k[E[x|z,k]]`, (n, d, d). (row 4)"""
        spectra = self._components.spectra[:, None]
        return self._map(
            lambda state: state.quadratic(
                spectra * state.sigma**2 / state.v,
                np.where(state.sigma > 0, state.spreads[0], 0.0),
            ),
            *(z, alpha, sigma, (self.dim, self.dim)),
        )

    def velocity(
        self,
        z: ArrayLike,
        alpha: ArrayLike,
        sigma: ArrayLike,
        alpha_dot: ArrayLike,
        sigma_dot: ArrayLike,
    ) -> Array:
        """`u = alpha_dot E[x|z] + sigma_dot E[eps|z]`, (n, d). (row 2: HE, LIP)

        At sigma = 0 this is `alpha_dot z/alpha`, although trajectories that reach a point mass do
        so with their own direction: the limit along them is not a function of z.
        """
        return self._combine(z, alpha, sigma, alpha_dot, sigma_dot)

    def velocity_divergence(
        self,
        z: ArrayLike,
        alpha: ArrayLike,
        sigma: ArrayLike,
        alpha_dot: ArrayLike,
        sigma_dot: ArrayLike,
    ) -> Array:
        """Divergence in z of `velocity`, (n,): what the likelihood integrates. (row 44: HE)"""
        self._refuse_singular("the divergence of the velocity", alpha, sigma)
        rates = {"alpha_dot": alpha_dot, "sigma_dot": sigma_dot}
        return self._map(State.divergence, z, alpha, sigma, (), rates)

    # Laws derived from this one -------------------------------------------------------------------

    def diffused(self, alpha: float, sigma: float) -> GaussianMixture:
        """The law of z: means `alpha mu_k`, covariances `alpha^2 Sigma_k + sigma^2 I`. (row 1)"""
        a, s = _checks.level("level", (alpha, sigma))
        c = self._components
        return self._of(Components(c.weights, a * c.means, a**2 * c.spectra + s**2, c.bases))

    def marginal(self, direction: ArrayLike) -> GaussianMixture:
        """The one-dimensional law of `<direction, x>`; direction (d,) may have any length."""
        u = _checks.finite("direction", direction)
        if u.shape != (self.dim,) or not u.any():
            raise ValueError(f"direction must be a non-zero vector of shape ({self.dim},)")
        c = self._components
        coordinates = c.into_basis(np.broadcast_to(u, (self.size, 1, self.dim)))[:, 0]
        variances = (coordinates**2 * c.spectra).sum(-1, keepdims=True)
        return self._of(Components(c.weights, (c.means @ u)[:, None], variances, None))

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """n draws of x, (n, d)."""
        n, rng, c = _checks.count("n", n), _checks.generator(rng), self._components
        label = rng.choice(self.size, size=n, p=c.weights)
        x = rng.standard_normal((n, self.dim))
        for rows in _blocks(n, self.dim):
            x[rows] *= np.sqrt(c.spectra[label[rows]])
        if c.bases is not None:
            for k in np.unique(label):
                x[label == k] = x[label == k] @ c.bases[k].T
        for rows in _blocks(n, self.dim):
            x[rows] += c.means[label[rows]]
        return x

    def sample_diffused(
        self, n: int, alpha: ArrayLike, sigma: ArrayLike, rng: np.random.Generator
    ) -> Array:
        """n draws of z = alpha x + sigma eps, (n, d); alpha and sigma numbers or one per draw."""
        a, s = _checks.levels(alpha, sigma, _checks.count("n", n))
        z = self.sample(n, rng)
        z *= a[:, None]
        z += s[:, None] * rng.standard_normal(z.shape)
        return z

    def cdf(self, x: ArrayLike) -> Array:
        """`P(X <= x)` for a one-dimensional mixture, in the shape of x."""
        return np.exp(_univariate.log_tails(*self._line(), _checks.finite("x", x))[0])

    def quantile(self, p: ArrayLike) -> Array:
        """Smallest x with `cdf(x) >= p`, for a one-dimensional mixture and 0 < p < 1, shaped as p.

        Bracketed, to a few units in the last place of the cdf at p (of the upper tail for p > 1/2).
        """
        q = _checks.finite("p", p)
        if ((q <= 0) | (q >= 1)).any():
            raise ValueError("p must be strictly between 0 and 1")
        return _univariate.quantile(*self._line(), np.log(q), np.log1p(-q))

    # Internals ------------------------------------------------------------------------------------

    def _line(self) -> tuple[Array, Array, Array]:
        if self.dim != 1:
            raise ValueError(
                f"needs a one-dimensional mixture, this one has {self.dim}: use marginal"
            )
        c = self._components
        return c.weights, c.means[:, 0], np.sqrt(c.spectra[:, 0])

    def _combine(
        self, z: ArrayLike, alpha: ArrayLike, sigma: ArrayLike, a: ArrayLike, b: ArrayLike
    ) -> Array:
        a, b = _checks.finite("alpha_dot", a), _checks.finite("sigma_dot", b)
        rates: dict[str, ArrayLike] = {"alpha_dot": a, "sigma_dot": b}
        fast = None
        if a.ndim == b.ndim == 0:
            x, eps = float(a), float(b)

            def fast(law: Level, z: Array, out: Array) -> None:
                law.combine(z, x, eps, out)

        return self._map(State.combine, z, alpha, sigma, (self.dim,), rates, fast=fast)

    def _refuse_singular(self, what: str, alpha: ArrayLike, sigma: ArrayLike) -> None:
        if self.singular and np.any(np.asarray(sigma) == 0):
            raise ValueError(f"{what} does not exist at sigma = 0 where a covariance is singular")

    def _map(
        self,
        function: Callable[..., Array],
        z: ArrayLike,
        alpha: ArrayLike,
        sigma: ArrayLike,
        shape: tuple[int, ...] = (),
        rates: dict[str, ArrayLike] | None = None,
        fast: Callable[[Level, Array, Array], None] | None = None,
    ) -> Array:
        """`function` of every point, in blocks of rows so that memory stays bounded.

        `fast`: what is done instead at one level, of K + d numbers a point and not K d.
        """
        x, single = _checks.points(z, self.dim)
        n = len(x)
        level = _checks.levels(alpha, sigma, n)
        extra = [_checks.per_row(name, rate, n) for name, rate in (rates or {}).items()]
        out: Array = np.empty((n, *shape))
        form: type[Level] = Round if self._components.round else Whitened
        if form is Whitened and Expanded.fits(self._components):
            form = Expanded
        one = level[0].size == level[1].size == 1 and n >= (1 if form is Round else _MANY)
        if fast is not None and one and (level[1][0] > 0 or (self._components.spectra > 0).all()):
            fast(form(self._components, float(level[0][0]), float(level[1][0])), x, out)
            return out[0, ...] if single else out
        for rows in _blocks(n, max(self.size * self.dim, int(np.prod(shape)))):
            a, s, *more = (value if len(value) == 1 else value[rows] for value in (*level, *extra))
            state = State(self._components, x[rows], a, s)
            out[rows] = function(state, *(value[:, None] for value in more))
        return out[0, ...] if single else out


def _blocks(n: int, per_row: int) -> Iterator[slice]:
    step = max(1, _BLOCK // per_row)
    for start in range(0, n, step):
        yield slice(start, start + step)
