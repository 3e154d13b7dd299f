"""Information in diffused data: expectations by quadrature, MMSE, I-MMSE, and the ELBO's gap.

Only the log-SNR lam = log(alpha^2/sigma^2) matters here, so every function takes it alone. With
snr = e^lam, a mixture x and z = alpha x + sigma eps,

    mmse(lam)     = E|x - E[x|z]|^2,      E|eps - E[eps|z]|^2 = snr mmse,
    dI(x;z)/dsnr  = mmse/2,               -dmmse/dsnr = E|Cov[x|z]|_F^2.

The reverse process with the exact denoiser has ELBO `-log p(x) = KL(z_1|x) + recon + diffusion`;
its diffusion term is `1/2 int snr mmse dlam` in continuous time, and for T steps the upper sum
`1/2 sum (snr_s - snr_t) mmse(snr_t)` of the same integral. Sources: KG; VDM (arXiv 2107.00630,
eq. 13, 15 and 18); I-MMSE (Guo, Shamai, Verdu 2005).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from analytic import _checks
from analytic._checks import Array
from analytic.gaussian import gaussian_entropy
from analytic.mixture import GaussianMixture

_REACH = 9.0  # standard deviations: what lies beyond weighs 2e-19
_LARGEST = {1: 1 << 15, 2: 1 << 9}  # nodes per dimension


def expectation(
    mixture: GaussianMixture,
    function: Callable[[Array], Array],
    tolerance: float = 1e-11,
) -> Array:
    """`E f(x)` for x from a mixture in one or two dimensions; f maps (n, d) to (n, ...).

    The trapezoidal rule over each component in its own eigenbasis, which converges geometrically
    for analytic f; doubled until two results agree to `tolerance` of `E|f|` (of the largest, where
    f has several components: what may be all rounding comes with what it is small against).
    """
    nodes, value = _fewest(mixture), None
    if not _checks.number("tolerance", tolerance) > 0:
        raise ValueError(f"tolerance must be positive, got {tolerance}")
    if not callable(function):
        raise TypeError(f"function must be one of points (n, d), got {type(function).__name__}")
    while True:
        points, mass = _grid(mixture, nodes)
        terms = _checks.finite("what the function gives", function(points), copy=False)
        if terms.shape[:1] != (len(points),):
            raise ValueError(f"the function must give a row a point, got shape {terms.shape}")
        finer, size = np.tensordot(mass, terms, 1), np.tensordot(mass, np.abs(terms), 1)
        if value is not None and np.all(np.abs(finer - value) <= tolerance * np.max(size)):
            return finer
        nodes, value = _more(mixture, nodes), finer


def _fewest(mixture: GaussianMixture) -> int:
    """Intervals to begin with: the narrowest component is seen, if not yet resolved."""
    _checks.mixture(mixture)
    if mixture.dim not in _LARGEST:
        raise ValueError(f"quadrature needs one or two dimensions, the mixture has {mixture.dim}")
    deviations = np.sqrt(mixture.spectra[mixture.spectra > 0])
    uneven = float(deviations.max() / deviations.min()) if deviations.size else 1.0
    enough = 1 << int(np.ceil(np.log2(max(32.0, 8 * min(uneven, 1e4)))))
    return min(_LARGEST[mixture.dim] // 2, enough)


def _more(mixture: GaussianMixture, nodes: int) -> int:
    """Twice the intervals."""
    if nodes >= _LARGEST[mixture.dim]:
        raise RuntimeError("the quadrature does not converge: the integrand is not smooth")
    return 2 * nodes


def _grid(mixture: GaussianMixture, nodes: int) -> tuple[Array, Array]:
    """Points (m, d) and masses (m,): the trapezoidal rule in every direction with variance."""
    u = np.linspace(-_REACH, _REACH, nodes + 1)
    bell = np.exp(-0.5 * u**2)
    bell /= bell.sum()
    points, masses = [], []
    for k, (weight, spectrum) in enumerate(zip(mixture.weights, mixture.spectra, strict=True)):
        axes = [u if s > 0 else np.zeros(1) for s in spectrum]
        bells = [bell if s > 0 else np.ones(1) for s in spectrum]
        y = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, mixture.dim)
        y = y * np.sqrt(spectrum)
        if mixture.bases is not None:
            y = y @ mixture.bases[k].T
        points.append(mixture.means[k] + y)
        masses.append(weight * np.prod(np.meshgrid(*bells, indexing="ij"), axis=0).reshape(-1))
    return np.concatenate(points), np.concatenate(masses)


def joint(mixture: GaussianMixture) -> GaussianMixture:
    """The law of (x, eps): twice the dimensions, so `expectation` takes it for a line only."""
    _checks.mixture(mixture)
    d, size = mixture.dim, mixture.size
    means = np.concatenate([mixture.means, np.zeros((size, d))], axis=1)
    spectra = np.concatenate([mixture.spectra, np.ones((size, d))], axis=1)
    if mixture.bases is None:
        return GaussianMixture.diagonal(mixture.weights, means, spectra)
    bases = np.tile(np.eye(2 * d), (size, 1, 1))
    bases[:, :d, :d] = mixture.bases
    return GaussianMixture.spectral(mixture.weights, means, spectra, bases)


def entropy(mixture: GaussianMixture) -> float:
    """Differential entropy `-E log p(x)`: closed for one Gaussian, else by quadrature."""
    _checks.mixture(mixture)
    if mixture.size == 1:
        return gaussian_entropy(mixture.spectra[0])
    if mixture.singular:
        raise ValueError("a mixture with a singular covariance has no density")
    return float(-expectation(mixture, mixture.log_density))


def mmse(mixture: GaussianMixture, log_snr: ArrayLike) -> Array:
    """`E|x - E[x|z]|^2` in the shape of log_snr: `sum s/(1 + snr s)` for one Gaussian."""
    return _per_level(mixture, log_snr, lambda c: np.trace(c, axis1=1, axis2=2), 1)


def mmse_slope(mixture: GaussianMixture, log_snr: ArrayLike) -> Array:
    """`-dmmse/dsnr = E|Cov[x|z]|_F^2` in the shape of log_snr."""
    return _per_level(mixture, log_snr, lambda c: (c**2).sum((1, 2)), 2)


def eps_mmse(mixture: GaussianMixture, log_snr: ArrayLike) -> Array:
    """`E|eps - E[eps|z]|^2 = snr mmse`, the ELBO's integrand, in the shape of log_snr."""
    return np.asarray(np.exp(_log_snr(log_snr)) * mmse(mixture, log_snr))


def mutual_information(mixture: GaussianMixture, log_snr: ArrayLike) -> Array:
    """`I(x; z) = h(z) - h(sigma eps)` in the shape of log_snr, in nats."""
    _checks.mixture(mixture)
    lam = _log_snr(log_snr)
    found = []
    for value in lam.reshape(-1):
        alpha, sigma = _level(value)
        noise = gaussian_entropy(np.full(mixture.dim, sigma**2))
        found.append(entropy(mixture.diffused(alpha, sigma)) - noise)
    return np.array(found).reshape(lam.shape)


def point_information(mixture: GaussianMixture, x: ArrayLike, log_snr: float) -> float:
    """`KL(q(z|x) | p(z))` for one data point x (d,); its mean over x is I(x; z)."""
    alpha, sigma = _level(_checks.number("log_snr", _log_snr(log_snr)))
    at, given = _given(mixture, x, alpha, sigma)
    noise = gaussian_entropy(np.full(mixture.dim, sigma**2))
    return float(-noise - expectation(given, lambda z: mixture.log_density(z, *at)))


def point_error(mixture: GaussianMixture, x: ArrayLike, log_snr: float) -> float:
    """`E|eps - E[eps|z]|^2` given one data point x (d,): twice `d point_information/dlam`."""
    alpha, sigma = _level(_checks.number("log_snr", _log_snr(log_snr)))
    at, given = _given(mixture, x, alpha, sigma)
    mean = given.means[0]

    def error(z: Array) -> Array:
        eps = (z - mean) / sigma
        wrong = mixture.posterior_eps(z, *at) - eps
        return np.stack([(wrong**2).sum(-1), (eps**2).sum(-1)], axis=-1)

    return float(expectation(given, error)[0])


def diffusion_loss(
    mixture: GaussianMixture, low: float, high: float, x: ArrayLike | None = None
) -> float:
    """`1/2 int_low^high E|eps - E[eps|z]|^2 dlam`, the diffusion term of the ELBO (KG, eq. 6).

    In nats; of one data point where x (d,) is given, else its mean over the data.
    """
    lam, weight = _panels(low, high)
    if x is None:
        return float(0.5 * weight @ eps_mmse(mixture, lam))
    return float(0.5 * weight @ np.array([point_error(mixture, x, value) for value in lam]))


def discrete_diffusion_loss(mixture: GaussianMixture, log_snrs: ArrayLike) -> float:
    """`1/2 sum (snr_s - snr_t) mmse(snr_t)` over the steps of a rising sequence of T + 1 log-SNRs.

    What T steps cost in `KL(q(z_s|z_t, x) | q(z_s|z_t, E[x|z_t]))`. (HO; VDM, eq. 13)
    """
    lam = _log_snr(log_snrs)
    if lam.ndim != 1 or len(lam) < 2 or not (np.diff(lam) > 0).all():
        raise ValueError("log_snrs must rise strictly and have at least two entries")
    return float(0.5 * np.exp(lam[:-1]) * np.expm1(np.diff(lam)) @ mmse(mixture, lam[:-1]))


def elbo_gap(mixture: GaussianMixture, log_snrs: ArrayLike) -> float:
    """Nats by which the ELBO of the steps `log_snrs` is below that of continuous time."""
    lam = _log_snr(log_snrs)
    loss = discrete_diffusion_loss(mixture, lam)
    return loss - diffusion_loss(mixture, float(lam[0]), float(lam[-1]))


def elbo_gap_rate(mixture: GaussianMixture, low: float, high: float) -> float:
    """The limit of `T elbo_gap` for T equal steps in lam: `L/4 int snr^2 E|Cov|_F^2 dlam`.

    L = high - low: an upper sum's error is half the step times the total fall of the integrand.
    """
    lam, weight = _panels(low, high)
    slope = np.exp(2 * lam) * mmse_slope(mixture, lam)
    return float((high - low) / 4 * weight @ slope)


def _given(
    mixture: GaussianMixture, x: ArrayLike, alpha: float, sigma: float
) -> tuple[tuple[float, float], GaussianMixture]:
    """The level, and the law of z given x."""
    _checks.mixture(mixture)
    point, single = _checks.points(x, mixture.dim, "x")
    if not single:
        raise ValueError(f"x must be one point of shape ({mixture.dim},)")
    return (alpha, sigma), GaussianMixture.points(point).diffused(alpha, sigma)


def _log_snr(value: ArrayLike) -> Array:
    lam = _checks.finite("log_snr", value)
    if (np.abs(lam) > 300).any():
        raise ValueError("log_snr must be within [-300, 300]")
    return lam


def _level(lam: float) -> tuple[float, float]:
    """(alpha, sigma) with alpha^2 + sigma^2 = 1."""
    return float(np.exp(-0.5 * np.logaddexp(0, -lam))), float(np.exp(-0.5 * np.logaddexp(0, lam)))


def _per_level(
    mixture: GaussianMixture, log_snr: ArrayLike, of: Callable[[Array], Array], power: int
) -> Array:
    """`E of(Cov[x|z])` at every level; one Gaussian's covariance does not depend on z.

    To 1e-11 relative, or 1e-18 of what a Gaussian of the same covariance has.
    """
    _checks.mixture(mixture)
    lam = _log_snr(log_snr)
    if not lam.size:
        return np.zeros(lam.shape)
    if mixture.size == 1:
        s = mixture.spectra[0]
        closed: Array = ((s / (1 + np.exp(lam)[..., None] * s)) ** power).sum(-1)
        return closed
    flat = lam.reshape(-1)
    levels = [_level(value) for value in flat]
    spread = float(np.trace(mixture.covariance))
    floor = 1e-18 * (spread / (1 + np.exp(flat) * spread)) ** power
    nodes, value = _fewest(mixture), None
    while True:
        grids = [_grid(mixture.diffused(*level), nodes) for level in levels]
        points, mass = np.concatenate([z for z, _ in grids]), grids[0][1]
        alpha, sigma = np.repeat(np.array(levels).T, len(mass), axis=1)
        terms = of(mixture.posterior_covariance(points, alpha, sigma))
        finer = terms.reshape(-1, len(mass)) @ mass
        if value is not None and np.all(np.abs(finer - value) <= 1e-11 * finer + floor):
            return np.asarray(finer.reshape(lam.shape))
        nodes, value = _more(mixture, nodes), finer


def _panels(low: float, high: float, width: float = 1.0) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on panels of at most `width`, eight to a panel."""
    if not _checks.number("low", low) < _checks.number("high", high):
        raise ValueError(f"need low < high, got {low} and {high}")
    edges = np.linspace(low, high, int(np.ceil((high - low) / width)) + 1)
    node, weight = np.polynomial.legendre.leggauss(8)
    half = 0.5 * np.diff(edges)[:, None]
    lam = edges[:-1, None] + half * (1 + node)
    return lam.reshape(-1), (half * weight).reshape(-1)
