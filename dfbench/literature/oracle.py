"""The closed forms of `analytic` against dense linear algebra and other independent means.

Claims judge samplers, schedules and losses by these closed forms, so the forms are on trial too:
with any covariances, weights of zero, points that are many or one, a level for each, and at both
ends of a path.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import sqrtm
from scipy.special import log_ndtr, logsumexp, ndtr

from analytic import CoupledMixtures, GaussianMixture, flow_map
from dfbench.levels import Array
from dfbench.literature.statement import largest

FALSE_ALARM = 1e-9  # of one test of draws; the Kolmogorov–Smirnov distance that it allows:
DRAWS = 20_000
KOLMOGOROV = float(np.sqrt(np.log(2 / FALSE_ALARM) / (2 * DRAWS)))


class Dense(NamedTuple):
    """Weights (K,), means (K, d) and covariances (K, d, d)."""

    weights: Array
    means: Array
    covariances: Array

    def diffused(self, alpha: float, sigma: float) -> Dense:
        noise = sigma**2 * np.eye(self.means.shape[1])
        return Dense(self.weights, alpha * self.means, alpha**2 * self.covariances + noise)

    def mixture(self) -> GaussianMixture:
        return GaussianMixture.full(*self)

    def mean(self) -> Array:
        return np.asarray(np.einsum("k,ki->i", self.weights, self.means))

    def covariance(self) -> Array:
        """E x x' less the square of the mean."""
        second = self.covariances + np.einsum("ki,kj->kij", self.means, self.means)
        total = np.einsum("k,kij->ij", self.weights, second)
        return np.asarray(total - np.outer(self.mean(), self.mean()))

    def cdf(self, direction: Array, x: Array) -> Array:
        """P(<direction, X> ≤ x)."""
        mean = self.means @ direction
        std = np.sqrt(np.einsum("i,kij,j->k", direction, self.covariances, direction))
        return np.asarray(ndtr((x[:, None] - mean) / std) @ self.weights)


def some(seed: int, size: int = 3, dim: int = 2) -> Dense:
    """A mixture of order one with any covariances; one component more has no weight."""
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((size + 1, dim, dim)) / np.sqrt(dim)
    weights = np.append(rng.uniform(0.2, 1, size), 0.0)
    covariances = roots @ np.swapaxes(roots, 1, 2) + 0.05 * np.eye(dim)
    return Dense(weights / weights.sum(), 2 * rng.standard_normal((size + 1, dim)), covariances)


def diagonal(law: Dense) -> tuple[Dense, GaussianMixture]:
    """The same with the axes for eigenvectors."""
    variances = np.einsum("kii->ki", law.covariances)
    dense = law._replace(covariances=variances[:, :, None] * np.eye(variances.shape[1]))
    return dense, GaussianMixture.diagonal(law.weights, law.means, variances)


def fields(
    law: Dense, z: Array, alpha: float, sigma: float, rates: tuple[float, float]
) -> dict[str, Array]:
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


def fields_gap(seed: int, dim: int, alpha: float, sigma: float) -> float:
    """All fields of a mixture with full covariances, and with diagonal ones: of many points at one
    level, of each point at its own, and of one point."""
    law = some(seed, dim=dim)
    rates, gaps = (-0.7, 1.3), []
    for dense, mixture in ((law, law.mixture()), diagonal(law)):
        z = alpha * dense.means + sigma * np.linspace(-1.2, 1, dim)
        own = np.linspace(0.8, 1.2, len(z)), np.linspace(1.1, 0.9, len(z))
        true = fields(dense, z, alpha, sigma, rates)
        single = [
            fields(dense, z[i : i + 1], alpha * own[0][i], sigma * own[1][i], rates)
            for i in range(len(z))
        ]
        for name, value in true.items():
            method, size = getattr(mixture, name), np.abs(value).max() + 1
            more = rates if name.startswith("velocity") else ()
            each = [np.full(len(z), rate) for rate in more]
            gaps.append(np.abs(method(z, alpha, sigma, *more) - value).max() / size)
            moved = method(z, alpha * own[0], sigma * own[1], *each)
            gaps.append(np.abs(moved - np.concatenate([one[name] for one in single])).max() / size)
            gaps.append(np.abs(method(z[1], alpha, sigma, *more) - value[1]).max() / size)
        data = fields(dense, z, 1.0, 1e-12, rates)  # the level of data where none is given
        for name in (
            "log_density",
            "responsibilities",
            "score",
            "score_jacobian",
            "score_divergence",
        ):
            size = np.abs(data[name]).max() + 1
            gaps.append(np.abs(getattr(mixture, name)(z) - data[name]).max() / size)
    return float(largest(gaps))


def blocks_gap() -> float:
    """So many points that they are taken in parts, at levels of their own: as one by one."""
    law, n = some(1).mixture(), 40_000
    isotropic = GaussianMixture.isotropic(law.weights, law.means, 0.3)
    z = np.linspace(-3, 3, 2 * n).reshape(n, 2)
    alpha, sigma = np.linspace(0.2, 1, n), np.linspace(1, 0.3, n)
    at = [0, 1, 16_383, 16_384, 20_000, 32_767, 32_768, n - 1]
    gaps = []
    for method in (law.posterior_mean, law.posterior_covariance, law.log_density, law.score):
        whole = method(z, alpha, sigma)
        gaps += [np.abs(whole[i] - method(z[i], alpha[i], sigma[i])).max() for i in at]
    u = law.velocity(z, alpha, sigma, sigma, alpha)
    gaps += [
        np.abs(u[i] - law.velocity(z[i], alpha[i], sigma[i], sigma[i], alpha[i])).max() for i in at
    ]
    for a, s in ((alpha, 0.5), (0.5, sigma)):
        whole = isotropic.posterior_mean(z, a, s)
        rows = np.broadcast_to(a, n), np.broadcast_to(s, n)
        gaps += [
            np.abs(whole[i] - isotropic.posterior_mean(z[i], *(c[i] for c in rows))).max()
            for i in at
        ]
    pair = isotropic.posterior_mean(z[:2], alpha[:2], sigma[:2])
    gaps += [
        np.abs(pair[i] - isotropic.posterior_mean(z[i], alpha[i], sigma[i])).max() for i in (0, 1)
    ]
    ends = (0.6, 0.8), (1.0, 0.1)
    whole = flow_map(law, z[::200], *ends).z  # of 200 points, more than are integrated together
    gaps += [
        np.abs(whole[i] - flow_map(law, z[200 * i], *ends).z).max() for i in (0, 127, 128, 199)
    ]
    return largest(gaps)


def laws_gap(seed: int, dim: int) -> float:
    """Mean, covariance, the law at a level, and the law of a projection."""
    law, direction = some(seed, dim=dim), np.linspace(-1.0, 1.5, dim)
    gaps = []
    for dense, mixture in ((law, law.mixture()), diagonal(law)):
        gaps += [
            np.abs(mixture.mean - dense.mean()).max(),
            np.abs(mixture.covariance - dense.covariance()).max(),
        ]
        form = dense.covariances if mixture.bases is not None else mixture.spectra
        if dim != len(dense.means):
            gaps.append(
                np.abs(GaussianMixture(*dense[:2], form).covariance - dense.covariance()).max()
            )
        diffused, true = mixture.diffused(0.6, 0.8), dense.diffused(0.6, 0.8)
        gaps.append(np.abs(diffused.covariance - true.covariance()).max())
        x = np.linspace(-6, 6, 25)
        line = mixture.marginal(direction)
        gaps += [np.abs(line.cdf(x) - dense.cdf(direction, x)).max(), abs(line.dim - 1.0)]
    means, each = law.means, np.trace(law.covariances, axis1=1, axis2=2)
    for given in (each, np.asarray(each[0])):  # one variance for each component, or for all
        found = GaussianMixture(law.weights, means, given).spectra
        gaps.append(np.abs(found - np.broadcast_to(given, len(means))[:, None]).max())
    return largest(gaps)


def draws_gap(seed: int, dim: int) -> float:
    """Kolmogorov–Smirnov distances of draws along axes and diagonals, in units of what is allowed
    at a false-alarm rate of 1e-9."""
    law, rng = some(seed, dim=dim), np.random.default_rng(seed)
    gaps = []
    for dense, mixture in ((law, law.mixture()), diagonal(law)):
        halves = np.repeat([0.6, 0.3], DRAWS // 2), np.repeat([0.8, 1.5], DRAWS // 2)
        x = mixture.sample(DRAWS, rng)
        z = mixture.sample_diffused(DRAWS, *halves, rng)
        pair = dense.diffused(0.6, 0.8), dense.diffused(0.3, 1.5)
        for u in np.vstack([np.eye(dim), np.ones(dim), (-1.0) ** np.arange(dim)]):
            at, later = np.sort(x @ u), np.sort(z @ u)
            gaps += [
                _distance(dense.cdf(u, at)),
                _distance(sum(one.cdf(u, later) for one in pair) / 2),
            ]
    return largest(gaps) / KOLMOGOROV


def _distance(true: Any) -> float:
    """Kolmogorov–Smirnov, from the distribution function at the sorted draws."""
    n = len(true)
    return float(
        max(np.abs(np.arange(1, n + 1) / n - true).max(), np.abs(np.arange(n) / n - true).max())
    )


def pairs_gap(law: CoupledMixtures, seed: int) -> float:
    """Draws of a coupled pair: α x + β y is the mixture that the path has there."""
    x, y = law.sample(DRAWS, np.random.default_rng(seed))
    gaps = []
    for alpha, beta in ((1.0, 0.0), (0.0, 1.0), (0.6, 0.8), (0.6, -0.8)):
        z, marginal = alpha * x + beta * y, law.marginal(alpha, beta)
        for direction in np.vstack([np.eye(law.dim), np.ones(law.dim)]):
            gaps.append(_distance(marginal.marginal(direction).cdf(np.sort(z @ direction))))
    return largest(gaps) / KOLMOGOROV


def tails_gap(seed: int) -> float:
    """The distribution function and its inverse in one dimension, to the ends of float64."""
    law = some(seed, dim=1)
    w, m, s = law.weights[:3], law.means[:3, 0], np.sqrt(law.covariances[:3, 0, 0])
    line = GaussianMixture.isotropic(law.weights, law.means, law.covariances[:, 0, 0])

    def tails(x: Array) -> tuple[Array, Array]:
        u = (x[:, None] - m) / s
        return (
            logsumexp(np.log(w) + log_ndtr(u), axis=1),
            logsumexp(np.log(w) + log_ndtr(-u), axis=1),
        )

    x = np.linspace(-40, 40, 161)
    with np.errstate(under="ignore"):
        gaps = [np.abs(line.cdf(x) - np.exp(tails(x)[0])).max()]
    p = np.concatenate([10.0 ** -np.linspace(300, 0.31, 40), np.linspace(0.49, 0.9999, 9)])
    q = line.quantile(p)
    gaps.append(np.abs(tails(q)[0] / np.log(p) - 1)[p < 0.5].max())
    above = 10.0 ** -np.linspace(15, 0.31, 20)
    gaps.append(np.abs(np.exp(tails(line.quantile(1 - above))[1]) / (1 - (1 - above)) - 1).max())
    many = np.linspace(0.001, 0.999, 60_000)
    gaps.append(np.abs(line.cdf(line.quantile(many)) - many).max())
    return largest(gaps)


def atoms_gap() -> float:
    """Points with weights: the distribution function jumps, the quantile is where it does."""
    points = GaussianMixture.points(np.array([[-1.0], [0.5], [2.0]]), [0.2, 0.5, 0.3])
    x = np.array([-1.1, -1.0, 0.4, 0.5, 1.9, 2.0, 3.0])
    gaps = [np.abs(points.cdf(x) - [0, 0.2, 0.2, 0.7, 0.7, 1, 1]).max()]
    p = np.array([0.1, 0.19, 0.21, 0.5, 0.69, 0.71, 0.99])
    gaps.append(np.abs(points.quantile(p) - [-1, -1, 0.5, 0.5, 0.5, 2, 2]).max())
    mixed = GaussianMixture.isotropic([0.5, 0.5], [[0.0], [1.0]], [0.0, 0.04])
    bell = 0.5 * ndtr((x - 1) / 0.2)
    gaps.append(np.abs(mixed.cdf(x) - bell - 0.5 * (x >= 0)).max())
    gaps.append(np.abs(mixed.quantile([0.2, 0.4, 0.75]) - [0, 0, 1]).max())
    return largest(gaps)


def limits_gap() -> float:
    """σ = 0 and α = 0, where singular components have no density: the limits of small σ and α."""
    line = np.diag([0.5, 0.0])
    laws = {
        "points": Dense(
            np.array([0.3, 0.5, 0.2]), np.array([[0.0, 0], [1, 0], [0, 2]]), np.zeros((3, 2, 2))
        ),
        "a line": Dense(
            np.array([0.3, 0.5, 0.2, 0.0]),
            np.array([[0.2, 0], [1, 0], [0, 2], [3, 3]]),
            np.stack([0 * line, line, 0 * line, 0 * line]),
        ),
        "a plane": Dense(
            np.array([0.4, 0.35, 0.25]),
            np.array([[0.0, 0], [1, 0], [0, 1]]),
            np.stack([0 * line, np.eye(2), 0.5 * np.eye(2)]),
        ),
    }
    z = np.array([[0.2, 0], [0.7, 0], [0, 2], [0.4, 0.3], [3, 3], [0, 0], [1.0, 1.0]])
    gaps = []
    for law in laws.values():
        mixture, (alpha, small) = law.mixture(), (0.7, 1e-6)
        at = alpha * z
        gaps.append(
            np.abs(
                mixture.responsibilities(at, alpha, 0.0)
                - mixture.responsibilities(at, alpha, small)
            ).max()
        )
        densities = [mixture.log_density(at, alpha, s) for s in (1e-5, small)]
        change = np.round(densities[1] - densities[0], 1)
        found, rest = mixture.log_density(at, alpha, 0.0), change == 0
        gaps.append(0.0 if (found[~rest] == np.copysign(np.inf, change[~rest])).all() else np.inf)
        gaps.append(np.abs(found[rest] - densities[1][rest]).max(initial=0.0))
        gaps += [
            np.abs(mixture.posterior_mean(at, alpha, 0.0) - z).max(),
            np.abs(mixture.posterior_eps(at, alpha, 0.0)).max(),
            np.abs(mixture.posterior_covariance(at, alpha, 0.0)).max(),
            np.abs(mixture.velocity(at, alpha, 0.0, 0.3, 0.4) - 0.3 * z).max(),
            np.abs(mixture.posterior_mean(z, 0.0, 0.5) - law.mean()).max(),
            np.abs(mixture.posterior_eps(z, 0.0, 0.5) - z / 0.5).max(),
            np.abs(mixture.posterior_covariance(z, 0.0, 0.5) - law.covariance()).max(),
        ]
    return largest(gaps)


def coupling(seed: int, dim: int = 3) -> tuple[CoupledMixtures, tuple[Dense, Dense], Array, Array]:
    """A pair of mixtures with any covariances, coupled, and cross-covariances of any kind; with
    the mixtures, the probabilities (K, L) and the joint covariances (K, L, 2d, 2d)."""
    rng = np.random.default_rng(seed)
    x, y = some(seed, 2, dim), some(seed + 1, 2, dim)
    pi = np.outer(x.weights, y.weights)
    swing = 0.5 * pi[:2, :2].min() * np.array([[1, -1], [-1, 1]])
    pi[:2, :2] += swing
    cross = np.empty((3, 3, dim, dim))
    joint = np.empty((3, 3, 2 * dim, 2 * dim))
    for k, l in np.ndindex(3, 3):  # noqa: E741
        turn = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
        c = 0.7 * root(x.covariances[k]) @ turn @ root(y.covariances[l])
        cross[k, l] = c
        joint[k, l] = np.block([[x.covariances[k], c], [c.T, y.covariances[l]]])
    return CoupledMixtures(x.mixture(), y.mixture(), pi, cross), (x, y), pi, joint


def independent_gap(seed: int) -> float:
    """Without a coupling x and y are independent: probabilities multiply."""
    x, y = some(seed, 2, 2), some(seed + 1, 1, 2)
    found = CoupledMixtures(x.mixture(), y.mixture()).coupling
    true = x.weights[:, None] * y.weights
    return float(np.abs(found - true).max()) if found.shape == true.shape else float("inf")


def coupled_gap(seed: int, alpha: float, beta: float) -> float:
    """E[x|z], E[y|z], the density, score and velocity of z = α x + β y, by dense inverses."""
    law, (x, y), pi, joint = coupling(seed)
    d = law.dim
    mix = np.hstack([alpha * np.eye(d), beta * np.eye(d)])
    means = np.concatenate([np.repeat(x.means, 3, axis=0), np.tile(y.means, (3, 1))], axis=1)
    joint = joint.reshape(-1, 2 * d, 2 * d)
    path = Dense(pi.reshape(-1), means @ mix.T, mix @ joint @ mix.T)
    z = path.means[:6] + np.linspace(-1, 1, d)
    true = fields(path, z, 1.0, 1e-9, (0, 0))
    gaps = [
        np.abs(law.log_density(z, alpha, beta) - true["log_density"]).max(),
        np.abs(law.score(z, alpha, beta) - true["score"]).max(),
    ]
    white = np.linalg.solve(path.covariances, (z[:, None] - path.means)[..., None])[..., 0]
    each = means + np.einsum("kij,nkj->nki", joint @ mix.T, white)
    both = np.einsum("nk,nki->ni", true["responsibilities"], each)
    found = law.posterior_means(z, alpha, beta)
    gaps += [np.abs(np.hstack(found) - both).max()]
    one = law.posterior_means(z[0], alpha, beta)
    gaps.append(np.abs(np.hstack(one) - both[0]).max())
    u = law.velocity(z, alpha, beta, 0.3, -0.8)
    gaps.append(np.abs(u - 0.3 * both[:, :d] + 0.8 * both[:, d:]).max())
    return largest(gaps)


def root(matrix: Array) -> Array:
    """The symmetric square root."""
    return np.asarray(np.real(sqrtm(matrix)))
