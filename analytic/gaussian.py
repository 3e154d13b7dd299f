"""Closed forms for one Gaussian `N(mean, covariance)`.

A covariance is a matrix (d, d), or its spectrum (d,) where coordinates are taken in the eigenbasis.
Levels are pairs (alpha, sigma); `V = alpha^2 s + sigma^2` is the variance of z along an
eigenvector. Sources: PG (the Gaussian laws), GAO (the family of reverse SDEs, row 37), SDE
(probability flow).
"""

import numpy as np
from numpy.typing import ArrayLike

from analytic import _checks
from analytic._checks import Array


def gaussian_flow_map(
    z: ArrayLike,
    mean: ArrayLike,
    covariance: ArrayLike,
    start: tuple[float, float],
    stop: tuple[float, float],
) -> Array:
    """Probability-flow ODE between two levels, either way, in the shape of z: (n, d) or (d,).

    Along each eigenvector `z' = alpha' mu + sqrt(V'/V) (z - alpha mu)`. (PG, SDE)
    """
    mu, spectrum, basis = _law(mean, covariance)
    (alpha, sigma), (alpha1, sigma1) = _checks.level("start", start), _checks.level("stop", stop)
    x, single = _checks.points(z, len(mu))
    v, v1 = alpha**2 * spectrum + sigma**2, alpha1**2 * spectrum + sigma1**2
    if ((v == 0) & (v1 > 0)).any():
        raise ValueError("the flow does not leave sigma = 0 where the covariance is singular")
    gain = np.sqrt(v1 / np.where(v > 0, v, 1.0))
    out = alpha1 * mu + _rotate(_rotate(x - alpha * mu, basis) * gain, basis, back=True)
    return out[0, ...] if single else out


def reverse_sde_law(
    mean: ArrayLike,
    covariance: ArrayLike,
    start: tuple[float, float],
    stop: tuple[float, float],
    eta: float,
    initial_mean: ArrayLike,
    initial_covariance: ArrayLike,
) -> tuple[Array, Array]:
    """Law at `stop` of `dz = (f z - (1 + eta^2)/2 g^2 score) dt + eta g dw`, run down from `start`.

    The state starts as N(initial_mean, initial_covariance), which need not be the marginal; the
    score is that of data N(mean, covariance); eta is constant. With `m = m - alpha mu` and V per
    eigenvector,

        m'_i = p_i m_i,   C'_ij = V'_i [i=j] + p_i p_j (C_ij - V_i [i=j]),
        p = (V'/V)^((1 + eta^2)/2) (alpha/alpha')^(eta^2):

    in y = z/alpha the marginal variance W = s + (sigma/alpha)^2 is a clock, the deviation obeys
    `dm/dW = (1 + eta^2)/2 m/W`, and C - W the same twice over, for C = W is the marginal itself.
    eta = 0 is the probability flow. For eta > 0 and alpha = 0 the start is forgotten altogether.
    Returns mean (d,) and covariance, (d,) if both covariances were given as spectra, else (d, d).
    (row 37: GAO, SDE; PG)
    """
    mu, spectrum, basis = _law(mean, covariance)
    m = _vector("initial_mean", initial_mean, len(mu))
    c = _checks.finite("initial_covariance", initial_covariance)
    if c.shape != np.shape(covariance):
        raise ValueError(f"initial_covariance must have shape {np.shape(covariance)}")
    if (c < 0).any() if c.ndim == 1 else (_checks.spectral("initial_covariance", c)[0] < 0).any():
        raise ValueError("initial_covariance must be non-negative")
    rate = float(_checks.per_row("eta", eta, 1)[0]) ** 2
    (alpha, sigma), (alpha1, sigma1) = _checks.level("start", start), _checks.level("stop", stop)
    if rate > 0 and (sigma1 * alpha > sigma * alpha1 or sigma == 0):
        raise ValueError(
            "with eta > 0 the reverse SDE runs from noise to data: sigma/alpha must fall"
        )
    v, v1 = alpha**2 * spectrum + sigma**2, alpha1**2 * spectrum + sigma1**2
    if (v == 0).any():
        raise ValueError("the flow does not leave sigma = 0 where the covariance is singular")
    if alpha1 == alpha == 0:
        p = np.full(len(mu), sigma1 / sigma)
    else:
        memory = (alpha / alpha1) ** rate if rate > 0 else 1.0
        p = (v1 / v) ** ((1 + rate) / 2) * memory
    out_mean = alpha1 * mu + _rotate(p * _rotate(m - alpha * mu, basis), basis, back=True)
    if c.ndim == 1:
        return out_mean, v1 + p**2 * (c - v)
    assert basis is not None
    excess = basis.T @ c @ basis - np.diag(v)
    inner = np.diag(v1) + p[:, None] * excess * p
    out = basis @ inner @ basis.T
    return out_mean, 0.5 * (out + out.T)


def gaussian_w2(
    mean_a: ArrayLike, covariance_a: ArrayLike, mean_b: ArrayLike, covariance_b: ArrayLike
) -> float:
    """Wasserstein-2 distance (Bures), `sqrt(|m_a - m_b|^2 + min_U |A^1/2 - B^1/2 U|^2)`.

    The orthogonal U is the polar factor of `B^1/2 A^1/2`. Unlike the trace formula this subtracts
    before it squares, so nearly equal laws keep an absolute error of rounding, not of its square
    root. Both covariances (d, d), or both spectra (d,) in one common eigenbasis. (PG)
    """
    (ma, sa, va), (mb, sb, vb) = _pair(mean_a, covariance_a, mean_b, covariance_b)
    if va is None or vb is None:
        shape = float(np.linalg.norm(np.sqrt(sa) - np.sqrt(sb)))
    else:
        root_a, root_b = (va * np.sqrt(sa)) @ va.T, (vb * np.sqrt(sb)) @ vb.T
        left, _, right = np.linalg.svd(root_b @ root_a)
        shape = float(np.linalg.norm(root_a - root_b @ (left @ right)))
    return float(np.hypot(np.linalg.norm(ma - mb), shape))


def gaussian_kl(
    mean_a: ArrayLike, covariance_a: ArrayLike, mean_b: ArrayLike, covariance_b: ArrayLike
) -> float:
    """`KL(a | b) = 1/2 sum_i (q_i - log(1 + q_i)) + 1/2 |B^-1/2 (m_a - m_b)|^2`.

    q are the eigenvalues of `B^-1/2 (A - B) B^-1/2`, so nearly equal laws keep their digits.
    Infinite for a singular A; a singular B is refused. Both covariances (d, d), or both spectra in
    one eigenbasis.
    """
    (ma, sa, va), (mb, sb, vb) = _pair(mean_a, covariance_a, mean_b, covariance_b)
    if (sb == 0).any():
        raise ValueError("covariance_b must not be singular")
    if (sa == 0).any():
        return float("inf")
    shift = _rotate(ma - mb, vb) / np.sqrt(sb)
    if va is None or vb is None:
        q = (sa - sb) / sb
    else:
        whiten = vb / np.sqrt(sb)
        difference = _checks.finite("a", covariance_a) - _checks.finite("b", covariance_b)
        inner = whiten.T @ difference @ whiten
        values = np.linalg.eigvalsh(0.5 * (inner + inner.T))
        q = np.maximum(values, np.finfo(np.float64).eps - 1)
    return float(0.5 * (_minus_log1p(q).sum() + shift @ shift))


def gaussian_entropy(covariance: ArrayLike) -> float:
    """Differential entropy `1/2 sum log(2 pi e s)`, -inf if singular.

    The covariance is (d, d), or a spectrum (d,).
    """
    c = _checks.finite("covariance", covariance)
    _, spectrum, _ = _law(np.zeros(c.shape[:1]), c)
    if (spectrum == 0).any():
        return float("-inf")
    return float(0.5 * (np.log(spectrum) + np.log(2 * np.pi) + 1).sum())


def _minus_log1p(q: Array) -> Array:
    """`q - log(1 + q)` without cancellation at small q, where it is `q^2/2 - q^3/3 + ...`."""
    small = np.abs(q) < 0.02
    r = np.where(small, q, 0.0)
    series = np.zeros_like(r)
    for k in range(11, 1, -1):  # 0.02^10 / 12 is below rounding
        series = 1 / k - r * series
    return np.where(small, r**2 * series, q - np.log1p(np.where(small, 0.0, q)))


def _rotate(vectors: Array, basis: Array | None, back: bool = False) -> Array:
    if basis is None:
        return vectors
    rotated: Array = vectors @ (basis.T if back else basis)
    return rotated


def _vector(name: str, value: ArrayLike, dim: int) -> Array:
    vector = _checks.finite(name, value)
    if vector.shape != (dim,):
        raise ValueError(f"{name} must have shape ({dim},), got {vector.shape}")
    return vector


def _law(mean: ArrayLike, covariance: ArrayLike) -> tuple[Array, Array, Array | None]:
    """Mean (d,), spectrum (d,), and eigenvectors (d, d) or None if the spectrum was given."""
    c = _checks.finite("covariance", covariance)
    if c.ndim not in (1, 2) or not c.size:
        raise ValueError(f"covariance must be (d, d), or a spectrum (d,), got shape {c.shape}")
    mu = _vector("mean", mean, len(c))
    if c.ndim == 2:
        return mu, *_checks.spectral("covariance", c)
    if (c < 0).any():
        raise ValueError("a spectrum must be non-negative")
    return mu, c, None


def _pair(
    mean_a: ArrayLike, covariance_a: ArrayLike, mean_b: ArrayLike, covariance_b: ArrayLike
) -> tuple[tuple[Array, Array, Array | None], tuple[Array, Array, Array | None]]:
    shapes = [
        _checks.finite("covariance", c, copy=False).shape for c in (covariance_a, covariance_b)
    ]
    if shapes[0] != shapes[1]:
        raise ValueError("both covariances must be matrices (d, d), or both spectra (d,)")
    return _law(mean_a, covariance_a), _law(mean_b, covariance_b)
