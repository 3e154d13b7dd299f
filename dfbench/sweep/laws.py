"""The kinds of target that a study can name, as functions of their parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from analytic import GaussianMixture
from dfbench.errors import short
from dfbench.levels import Array
from dfbench.sweep import data as files
from dfbench.sweep.targets import Target

CIRCLE = 16  # components that lie evenly on a circle in two dimensions
HELD_OUT = 2000  # points of a law that nobody knows otherwise
MOST = 10_000_000  # dimensions, or components times dimensions
LARGEST_BASES = 256  # dimensions up to which components get bases of their own

TARGETS: dict[str, Callable[..., Target]] = {}
"""Kind → function of the parameters that a study gives."""

FILES = {"eigenvalues": "file", "covariance": "data", "points": "data", "trained": "directory"}
"""Kinds that read something, and the parameter that says where."""


def kind(function: Callable[..., Target]) -> Callable[..., Target]:
    """Register a kind of target under the function's name."""
    TARGETS[function.__name__] = function
    return function


# Gaussians ----------------------------------------------------------------------------------------


@kind
def power_law(
    dimension: int = 3072, exponent: float = 1.0, variance: float = 0.25, learned: float = 1.0
) -> Target:
    """Gaussian, eigenvalues k^(−exponent) as natural images have (1: 1/f² power in two dimensions).

    Args:
        variance: mean of the eigenvalues (0.25: pixels in [−1, 1] as EDM takes them).
        learned: the model has learned eigenvalues this many times as large: its score is wrong.
    """
    _at_least_one("dimension", dimension)
    spectrum = np.arange(1, dimension + 1, dtype=np.float64) ** -exponent
    spectrum *= _positive("variance", variance) / spectrum.mean()
    return _gaussian(spectrum, learned=learned)


@kind
def isotropic(dimension: int = 1, variance: float = 1.0, learned: float = 1.0) -> Target:
    """Gaussian, N(0, variance I)."""
    _at_least_one("dimension", dimension)
    return _gaussian(np.full(dimension, _positive("variance", variance)), learned=learned)


@kind
def eigenvalues(
    file: str | None = None,
    values: list[float] | None = None,
    counts: list[int] | None = None,
    learned: float = 1.0,
) -> Target:
    """Gaussian, eigenvalues from a .npy or .csv file, or given here as `values`.

    Args:
        counts: how many times each of `values` occurs; by default once.
    """
    if (file is None) == (values is None):
        raise ValueError("give either file or values")
    if file is not None:
        if counts is not None:
            raise ValueError("counts go with values, not with a file")
        return _gaussian(files.spectrum(file), learned=learned)
    found = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if found.ndim != 1 or not found.size or not (np.isfinite(found) & (found >= 0)).all():
        raise ValueError(f"values must be finite eigenvalues ≥ 0, got {values}")
    if counts is not None:
        if len(counts) != len(found) or not all(isinstance(k, int) and k > 0 for k in counts):
            raise ValueError("counts must be whole numbers > 0, one for each of values")
        found = np.repeat(found, counts)
    return _gaussian(np.sort(found)[::-1].copy(), learned=learned)


@kind
def covariance(data: str, learned: float = 1.0) -> Target:
    """Gaussian, mean and covariance of a data set: a file with a row a sample, or "digits"."""
    x = files.dataset(data)
    mean = x.mean(axis=0)
    _, singular, basis = np.linalg.svd(x - mean, full_matrices=True)
    spectrum = np.zeros(x.shape[1])
    spectrum[: len(singular)] = singular**2 / len(x)
    spectrum[spectrum < 1e-12 * spectrum.max(initial=0.0)] = 0.0  # rounding where there is nothing
    return _gaussian(spectrum, basis @ mean, learned)


def _gaussian(spectrum: Array, mean: Array | None = None, learned: float = 1.0) -> Target:
    mu = np.zeros_like(spectrum) if mean is None else mean
    law = GaussianMixture.diagonal([1.0], mu[None], spectrum[None])
    wrong = None if learned == 1.0 else _positive("learned", learned) * spectrum
    return Target("", len(spectrum), law, spectrum, mu, wrong)


# Mixtures, from easy to hard ----------------------------------------------------------------------


@kind
def separated(
    dimension: int = 2, components: int = 4, spread: float = 1.0, std: float = 0.1, seed: int = 0
) -> Target:
    """Mixture, well separated: equal components far from each other."""
    means = _means(dimension, components, spread, seed)
    return _mixture(None, means, np.full(len(means), _positive("std", std) ** 2))


@kind
def many(
    dimension: int = 2, components: int = 256, spread: float = 1.0, std: float = 0.03, seed: int = 0
) -> Target:
    """Mixture, many small components."""
    return separated(dimension, components, spread, std, seed)


@kind
def manifold(
    dimension: int = 16,
    components: int = 8,
    rank: int = 2,
    spread: float = 1.0,
    std: float = 0.5,
    seed: int = 0,
) -> Target:
    """Mixture, thin manifolds: only `rank` directions of each component have variance."""
    if not 0 <= rank <= dimension:
        raise ValueError(f"rank must be from 0 to the dimension, {dimension}, got {rank}")
    means = _means(dimension, components, spread, seed)
    spectra = np.zeros_like(means)
    spectra[:, :rank] = _positive("std", std) ** 2
    rng = np.random.default_rng([seed, 1])
    if dimension > LARGEST_BASES:  # along axes: a basis for each component would not fit
        return _mixture(None, means, np.stack([rng.permutation(row) for row in spectra]))
    bases = np.linalg.qr(rng.standard_normal((components, dimension, dimension)))[0]
    law = GaussianMixture.spectral(np.full(components, 1 / components), means, spectra, bases)
    return Target("", dimension, law)


@kind
def scales(
    dimension: int = 2,
    components: int = 4,
    smallest: float = 0.01,
    largest: float = 1.0,
    spread: float = 1.0,
    seed: int = 0,
) -> Target:
    """Mixture, heavy spread of scales: standard deviations geometric from smallest to largest."""
    means = _means(dimension, components, spread, seed)
    std = np.geomspace(_positive("smallest", smallest), _positive("largest", largest), components)
    return _mixture(None, means, std**2)


@kind
def unequal(
    dimension: int = 2,
    components: int = 6,
    ratio: float = 0.4,
    spread: float = 1.0,
    std: float = 0.1,
    seed: int = 0,
) -> Target:
    """Mixture, unequal weights: each component `ratio` times as heavy as the one before."""
    if not 0 < ratio <= 1:
        raise ValueError(f"ratio must be in (0, 1], got {ratio}")
    means = _means(dimension, components, spread, seed)
    weights = ratio ** np.arange(components, dtype=np.float64)
    return _mixture(weights / weights.sum(), means, np.full(components, std**2))


@kind
def mixture(
    means: list[Any], variances: list[float] | float = 0.01, weights: list[float] | None = None
) -> Target:
    """Mixture, isotropic, written out: means (K lists of d numbers, or K numbers), variances."""
    mu = np.asarray(means, dtype=np.float64)
    mu = mu[:, None] if mu.ndim == 1 else mu
    if mu.ndim != 2 or not mu.size:
        raise ValueError("means must be a list of numbers, or of lists of one length")
    spread = np.broadcast_to(np.asarray(variances, dtype=np.float64), (len(mu),))
    return _mixture(None if weights is None else np.asarray(weights), mu, spread)


@kind
def points(data: str, limit: int | None = None) -> Target:
    """The empirical distribution of a data set: every sample a point mass of equal weight.

    Args:
        data: a file with a row a sample, or "digits".
        limit: only this many of them, spread evenly.
    """
    x = files.dataset(data)
    if limit is not None:
        _at_least_one("limit", limit)
        x = x[np.linspace(0, len(x) - 1, min(limit, len(x))).round().astype(int)]
    return Target("", x.shape[1], GaussianMixture.points(x))


# Networks -----------------------------------------------------------------------------------------


@kind
def trained(directory: str) -> Target:
    """A network of a `dfbench train` directory, and the data that it was trained on.

    Where nobody knows the law, it is measured against the empirical one of the data held out.
    """
    from dfbench.training.trained import Trained

    network = Trained.load(directory)
    law = network.data.truth
    if law is None:
        held_out = np.asarray(network.data.held_out, dtype=np.float64)
        law = GaussianMixture.points(held_out.reshape(len(held_out), -1)[:HELD_OUT])
    return Target("", network.dim, law, network=network)


def _mixture(weights: Array | None, means: Array, variances: Array) -> Target:
    size, dim = means.shape
    w = np.full(size, 1 / size) if weights is None else weights
    make = GaussianMixture.isotropic if variances.ndim == 1 else GaussianMixture.diagonal
    return Target("", dim, make(w, means, variances))


def _means(dimension: int, components: int, spread: float, seed: int) -> Array:
    """Component means of root mean square `spread` per coordinate: evenly on a line in one
    dimension, a few evenly on a circle in two, else random."""
    _at_least_one("dimension", dimension)
    _at_least_one("components", components)
    _at_least_one("components times dimensions", components * dimension)
    size = _positive("spread", spread)
    if dimension == 1:
        line = np.linspace(-1, 1, components) if components > 1 else np.zeros(1)
        return np.asarray((size * line / max(float(line.std()), 1e-3))[:, None])
    if dimension == 2 and components <= CIRCLE:
        angle = 2 * np.pi * (np.arange(components) + 0.25) / components
        return np.asarray(size * np.sqrt(2) * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    means = np.random.default_rng(seed).standard_normal((components, dimension))
    if dimension > 2:  # on a sphere: none is in the middle of the others
        means /= np.sqrt((means**2).mean(axis=1, keepdims=True))
    return np.asarray(size * means)


def _at_least_one(name: str, value: int) -> None:
    if not 1 <= value <= MOST:
        raise ValueError(f"{name} must be from 1 to {MOST}, got {short(value)}")


def _positive(name: str, value: float) -> float:
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return float(value)
