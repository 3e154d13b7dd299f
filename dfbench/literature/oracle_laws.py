"""Closed laws, quadratures and reference flow of `analytic` against independent means."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import expit

from analytic import GaussianMixture
from analytic.flow import Trajectory, flow_map, log_likelihood, quantile_flow
from analytic.gaussian import (
    gaussian_entropy,
    gaussian_flow_map,
    gaussian_kl,
    gaussian_w2,
    reverse_sde_law,
)
from analytic.information import (
    discrete_diffusion_loss,
    elbo_gap,
    entropy,
    eps_mmse,
    expectation,
    joint,
    mmse,
    mmse_slope,
    mutual_information,
)
from dfbench.levels import Array
from dfbench.literature.oracle import fields, root, some
from dfbench.literature.statement import largest


def gaussian_gap(seed: int) -> float:
    """Flow map, distances and entropy of Gaussians against textbook formulas of dense matrices."""
    law, other = some(seed, 1, 3), some(seed + 1, 1, 3)
    mean, a, start, stop = law.means[0], law.covariances[0], (0.6, 0.8), (0.9, 0.3)
    b, shift = other.covariances[0], other.means[0] - mean
    z = np.array([[0.3, -1, 2], [1.0, 0.5, -0.2]])
    v, w = (r[0] ** 2 * a + r[1] ** 2 * np.eye(3) for r in (start, stop))
    carried = stop[0] * mean + (z - start[0] * mean) @ (root(w) @ np.linalg.inv(root(v))).T
    spectrum, values = np.diag(a), np.diag(b)
    inverse, inner = np.linalg.inv(b), root(root(a) @ b @ root(a))
    w2 = np.sqrt(shift @ shift + np.trace(a + b - 2 * inner))
    kl = 0.5 * (
        np.trace(inverse @ a)
        - 3
        + np.linalg.slogdet(b)[1]
        - np.linalg.slogdet(a)[1]
        + shift @ inverse @ shift
    )
    flat = 0.5 * (
        (spectrum / values - 1 + np.log(values / spectrum)).sum() + shift**2 @ (1 / values)
    )
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * a)[1]
    near = a * (1 + 1e-5)
    gaps = [
        np.abs(gaussian_flow_map(z, mean, a, start, stop) - carried).max(),
        np.abs(gaussian_flow_map(z[0], mean, a, start, stop) - carried[0]).max(),
        # between clean levels x stays; in a direction without variance it is the mean
        np.abs(
            gaussian_flow_map(z[:, :2], mean[:2], [0.5, 0.0], (1.0, 0.0), (0.4, 0.0))
            - [[0.4 * x, 0.4 * mean[1]] for x in z[:, 0]]
        ).max(),
        gaussian_w2(mean, a, other.means[0], b) - w2,
        gaussian_w2(mean, spectrum, other.means[0], values)
        - np.sqrt(shift @ shift + ((np.sqrt(spectrum) - np.sqrt(values)) ** 2).sum()),
        gaussian_kl(mean, a, other.means[0], b) - kl,
        gaussian_kl(mean, spectrum, other.means[0], values) - flat,
        1e9 * (gaussian_kl(mean, near, mean, a) - 1.5 * (1e-5 - np.log1p(1e-5))),
        gaussian_kl([0.0], [1.0], [0.0], [2.0]) - 0.5 * (np.log(2) - 0.5),
        0.0 if gaussian_kl([0.0], [0.0], [0.0], [2.0]) == np.inf else np.inf,
        gaussian_entropy(a) - entropy,
        gaussian_entropy(spectrum) - 0.5 * np.log(2 * np.pi * np.e * spectrum).sum(),
        gaussian_entropy([1.0, 0.5]) - np.log(2 * np.pi * np.e) + 0.5 * np.log(2),
        0.0 if gaussian_entropy([1.0, 0.0]) == -np.inf else np.inf,
    ]
    return largest(np.abs(gaps))


def reverse_gap(seed: int, eta: float) -> float:
    """The law of the reverse SDE against its moments' equation, integrated.

    It starts from a law that is not the marginal. With α = 1 and ρ = σ/α for clock,
    dm = (1 + η²) ρ W⁻¹ m dρ, and alike for the covariance.
    """
    law, other = some(seed, 1, 3), some(seed + 1, 1, 3)
    mean, s, first, c = law.means[0], law.covariances[0], other.means[0], other.covariances[0]
    high, low, more = 1.4, 0.2, 1 + eta**2

    def rate(rho: float, y: Array) -> Array:
        pull = more * rho * np.linalg.inv(s + rho**2 * np.eye(3))
        cov = y[3:].reshape(3, 3)
        spread = pull @ cov + cov @ pull - 2 * eta**2 * rho * np.eye(3)
        return np.append(pull @ (y[:3] - mean), spread)

    begin = np.append(first, c)
    end = solve_ivp(rate, (high, low), begin, "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    a, b = 0.7, 1.3  # the scales of the two levels
    found = reverse_sde_law(mean, s, (a, a * high), (b, b * low), eta, a * first, a**2 * c)
    gaps = [
        np.abs(found[0] / b - end[:3]).max(),
        np.abs(found[1] / b**2 - end[3:].reshape(3, 3)).max(),
    ]
    flat = reverse_sde_law(
        mean, np.diag(s), (a, a * high), (b, b * low), eta, a * first, a**2 * np.diag(c)
    )
    full = reverse_sde_law(
        mean,
        np.diag(np.diag(s)),
        (a, a * high),
        (b, b * low),
        eta,
        a * first,
        a**2 * np.diag(np.diag(c)),
    )
    gaps += [np.abs(flat[0] - full[0]).max(), np.abs(np.diag(flat[1]) - full[1]).max()]
    noise = reverse_sde_law(mean, s, (0.0, 2.0), (0.0, 3.0), eta, first, c)
    gaps += [
        np.abs(noise[0] - 1.5 * first).max(),  # between levels of pure noise all scales
        np.abs(noise[1] - 2.25 * c).max(),
    ]
    if eta:  # and from pure noise to a signal the start is forgotten
        gone = reverse_sde_law(mean, s, (0.0, 1.0), (1.0, low), eta, first, c)
        gaps += [np.abs(gone[0] - mean).max(), np.abs(gone[1] - s - low**2 * np.eye(3)).max()]
    else:  # the flow also goes the other way, onto pure noise
        pure = reverse_sde_law(mean, s, (1.0, low), (0.0, 2.0), 0.0, first, c)
        white = 2 * np.linalg.inv(root(s + low**2 * np.eye(3)))
        gaps += [
            np.abs(pure[0] - white @ (first - mean)).max(),
            np.abs(pure[1] - white @ c @ white).max(),
        ]
    return largest(gaps)


def information_gap(seed: int) -> float:
    """Expectations, entropies and the losses of finitely many steps, by sums on dense grids."""
    law, line = some(seed, 2, 2), some(seed, 2, 1)
    k = np.array([0.3, -0.2])
    thin = np.stack([np.outer(k, k), np.zeros((2, 2)), law.covariances[2]])  # a line and a point
    gaps = []
    for dense in (law, law._replace(covariances=thin)):
        mixture = dense.mixture()
        spread = np.einsum("i,nij,j->n", k, dense.covariances, k)
        wave = dense.weights @ np.exp(dense.means @ k + 0.5 * spread)
        second = dense.covariance() + np.outer(dense.mean(), dense.mean())
        gaps += [
            abs(expectation(mixture, lambda x: np.exp(x @ k)) / wave - 1),
            np.abs(expectation(mixture, lambda x: x[:, :, None] * x[:, None]) - second).max(),
            np.abs(mixture.mean - dense.mean()).max(),
        ]
        pair = joint(mixture)  # of x and ε in the plane
        true = np.block([[dense.covariance(), np.zeros((2, 2))], [np.zeros((2, 2)), np.eye(2)]])
        gaps += [np.abs(pair.covariance - true).max(), np.abs(pair.mean[:2] - dense.mean()).max()]
    x = np.linspace(-14, 14, 20_001)
    step = x[1] - x[0]
    for mixture in (
        line.mixture(),
        GaussianMixture.isotropic(*line[:2], line.covariances[:, 0, 0]),
    ):
        density = np.exp(fields(line, x[:, None], 1.0, 1e-12, (0, 0))["log_density"])
        gaps.append(entropy(mixture) + step * (density * np.log(np.maximum(density, 1e-300))).sum())
        pair = joint(mixture)
        gaps += [
            np.abs(pair.covariance - np.diag([line.covariance()[0, 0], 1])).max(),
            np.abs(pair.mean - [line.mean()[0], 0]).max(),
        ]
        lam = np.array([-2.0, -0.5, 0.3, 1.9])
        levels = [(float(expit(v) ** 0.5), float(expit(-v) ** 0.5)) for v in lam]
        errors, slopes = [], []
        for alpha, sigma in levels:
            at = fields(line, x[:, None], alpha, sigma, (0, 0))
            mass, cov = step * np.exp(at["log_density"]), at["posterior_covariance"][:, 0, 0]
            errors.append(mass @ cov)
            slopes.append(mass @ cov**2)
        snr = np.exp(lam)
        steps = 0.5 * (np.diff(snr) * errors[:-1]).sum()
        gaps += [
            np.abs(mmse(mixture, lam) - errors).max(),
            np.abs(mmse_slope(mixture, lam) - slopes).max(),
            np.abs(eps_mmse(mixture, lam) - snr * errors).max(),
            discrete_diffusion_loss(mixture, lam) - steps,
        ]
        whole = mutual_information(mixture, lam)[[0, -1]]
        gaps.append(elbo_gap(mixture, lam) - steps + whole[1] - whole[0])
    return largest(np.abs(gaps))


def flow_gap(seed: int) -> tuple[float, float]:
    """The reference flow against closed forms; and its own estimates of errors, in units of what
    they may be (the true error, and 1e-10)."""
    law, line = some(seed, 1, 2), some(seed, 3, 1)
    line = line._replace(
        weights=line.weights[:3], means=line.means[:3], covariances=line.covariances[:3]
    )
    mixture = line.mixture()
    z = np.linspace(-3, 3, 60)[:, None]
    gaps, estimates = [], []

    def against(flow: Trajectory, true: Array) -> None:
        wrong = np.abs(flow.z - true).max(-1)
        gaps.append(wrong.max())
        estimates.append(np.max(flow.error) / 1e-10)
        estimates.append(np.max(wrong / np.maximum(10 * flow.error, 1e-13)))

    for start, stop in (
        ((0.3, 1.2), (0.9, 0.1)),
        ((1.0, 0.0), (0.0, 1.0)),
        ((0.0, 2.0), (1.0, 0.0)),
    ):
        own = 1.0 if start[1] > 0.5 else 0.3
        against(
            flow_map(mixture, own * z, start, stop), quantile_flow(mixture, own * z, start, stop)
        )
    one = flow_map(mixture, z[7], (0.3, 1.2), (0.9, 0.1))
    against(one, quantile_flow(mixture, z[7], (0.3, 1.2), (0.9, 0.1)))
    normal, two = law.mixture(), np.array([[0.2, 1.0], [-1.0, 0.4]])
    true = gaussian_flow_map(two, law.means[0], law.covariances[0], (0.2, 1.0), (1.0, 0.0))
    against(flow_map(normal, two, (0.2, 1.0), (1.0, 0.0)), true)
    points = GaussianMixture.points(np.array([[-1.0], [0.5], [2.0]]), [0.2, 0.5, 0.3])
    against(
        flow_map(points, z, (0.1, 1.0), (1.0, 0.0)),
        quantile_flow(points, z, (0.1, 1.0), (1.0, 0.0)),
    )
    for start, stop in (((1.0, 0.0), (0.0, 1.0)), ((0.9, 0.3), (0.2, 1.4))):
        found = log_likelihood(mixture, z[::6], start, stop)
        wrong = np.abs(found.log_density - mixture.log_density(z[::6], *start))
        gaps.append(wrong.max())
        estimates += [
            np.max(found.error) / 1e-9,
            np.max(wrong / np.maximum(10 * found.error, 1e-13)),
        ]
        gaps.append(np.abs(found.z - quantile_flow(mixture, z[::6], start, stop)).max())
    alone = log_likelihood(mixture, z[0])
    gaps += [
        abs(alone.log_density - mixture.log_density(z[0])),
        np.abs(alone.z - quantile_flow(mixture, z[0], (1.0, 0.0), (0.0, 1.0)))[0],
    ]
    estimates.append(np.max(alone.error) / 1e-9)
    return largest(gaps), largest(estimates)
