"""Mixtures to train on, by name: their truth is known, and a batch of them is drawn on any device.

Each has mean zero up to rounding and a root-mean-square of one per dimension, so that one choice
of levels suits all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.fft import idct
from torch import Tensor

from analytic import GaussianMixture
from dfbench.levels import Array

Shape = tuple[int, ...]


def standardised(mixture: GaussianMixture) -> GaussianMixture:
    """The mixture moved to mean zero and scaled to E|x|² = d."""
    parts = (mixture.weights, mixture.means, mixture.spectra, mixture.bases)
    return _standard(*parts)


def _standard(weights: Array, means: Array, spectra: Array, bases: Array | None) -> GaussianMixture:
    means = means - weights @ means
    scale = math.sqrt(means.shape[1] / total_variance(weights, means, spectra))
    return GaussianMixture.spectral(weights, means * scale, spectra * scale**2, bases)


def total_variance(weights: Array, means: Array, spectra: Array) -> float:
    """The trace of a mixture's covariance, which need not be formed for it."""
    centred = means - weights @ means
    return float(weights @ (spectra.sum(1) + (centred**2).sum(1)))


def _ring_2d() -> GaussianMixture:
    """Eight equal modes on a circle, each an eighth of its radius wide."""
    angle = 2 * np.pi * np.arange(8) / 8
    means = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return GaussianMixture.isotropic(np.full(8, 1 / 8), means, 1 / 64)


def _uneven_2d() -> GaussianMixture:
    """Three modes of weights ½, ⅓, ⅙, flat in different directions."""
    means = np.array([[-1.0, 0.0], [1.0, 0.6], [0.8, -1.0]])
    angles = np.array([0.3, 1.2, 2.4])
    c, s = np.cos(angles), np.sin(angles)
    bases = np.stack([np.stack([c, -s], 1), np.stack([s, c], 1)], axis=1)
    spectra = np.array([[0.2, 0.02], [0.1, 0.01], [0.05, 0.05]])
    return GaussianMixture.spectral(np.array([3, 2, 1]) / 6, means, spectra, bases)


def _two_1d() -> GaussianMixture:
    """Two modes on a line, of weights ⅓ and ⅔."""
    return GaussianMixture.isotropic([1 / 3, 2 / 3], [[-1.0], [1.0]], [0.04, 0.01])


def _mixture_64d() -> GaussianMixture:
    """Ten modes in 64 dimensions, with covariances that fall like a power of the index."""
    rng = np.random.default_rng(64)
    means = rng.standard_normal((10, 64)) * 0.7
    bases = np.stack([np.linalg.qr(rng.standard_normal((64, 64)))[0] for _ in range(10)])
    spectra = np.tile(1.0 / (1 + np.arange(64)) ** 1.0, (10, 1))
    return GaussianMixture.spectral(np.full(10, 0.1), means, spectra, bases)


def image_mixture(side: int, channels: int = 3, modes: int = 4, rank: int = 96) -> GaussianMixture:
    """Random smooth images: each mode's covariance has the given rank, and falls like 1/f².

    The eigenvectors are waves (the cosine transform's) times directions of colour; those of the
    lowest frequencies have variance, all others none, and the modes differ in their colours, in
    the direction that their waves prefer, and in their means, which are smooth images too.
    """
    rng = np.random.default_rng(side)
    wave = idct(np.eye(side), axis=0, norm="ortho")  # columns: orthonormal cosines
    waves = np.einsum("ia,jb->ijab", wave, wave).reshape(side**2, side**2)
    row, column = np.divmod(np.arange(side**2), side)
    d = channels * side**2
    bases, spectra, means = [], [], []
    for k in range(modes):
        mixed = 0.4 * rng.standard_normal((channels, channels))
        mixed[:, 0] += 1  # the first direction is near grey
        colours = np.linalg.qr(mixed)[0]
        stretch = 4.0 ** math.cos(math.pi * k / modes)
        f2 = 1 + row**2 * stretch + column**2 / stretch
        power = (np.array([1.0, 0.25, 0.1, 0.05])[:channels, None] / f2).reshape(-1)
        keep = np.zeros(d, dtype=bool)
        keep[np.argsort(-power, kind="stable")[:rank]] = True
        basis = np.kron(colours, waves)
        shape = rng.standard_normal(d) * np.sqrt(power) * keep
        bases.append(basis)
        spectra.append(np.where(keep, power, 0.0))
        means.append(basis @ shape)
    weights = np.full(modes, 1 / modes)
    return _standard(weights, np.stack(means), np.stack(spectra), np.stack(bases))


MIXTURES: dict[str, tuple[Callable[[], GaussianMixture], Shape]] = {
    "ring-2d": (lambda: standardised(_ring_2d()), (2,)),
    "uneven-2d": (lambda: standardised(_uneven_2d()), (2,)),
    "two-1d": (lambda: standardised(_two_1d()), (1,)),
    "mixture-64d": (lambda: standardised(_mixture_64d()), (64,)),
    "image-8": (lambda: image_mixture(8, 1, 4, 12), (1, 8, 8)),
    "image-32": (lambda: image_mixture(32), (3, 32, 32)),
}
"""Name → the mixture, and the shape in which a network sees its points."""


class ExactDraws:
    """Exact draws of a mixture on a device, from a torch generator.

    Only directions with variance are kept: a mode of low rank costs its rank.
    """

    def __init__(self, mixture: GaussianMixture, device: torch.device, dtype: torch.dtype) -> None:
        def put(value: Array) -> Tensor:
            return torch.as_tensor(value, dtype=dtype, device=device)

        self.weights, self.means = put(mixture.weights), put(mixture.means)
        spectra, bases = mixture.spectra, mixture.bases
        rank = int((spectra > 0).sum(1).max())
        self.scales: Tensor | None = None
        self.factors: Tensor | None = None
        if bases is None:
            self.scales = put(np.sqrt(spectra))
        else:
            order = np.argsort(-spectra, axis=1)[:, :rank]
            roots = np.sqrt(np.take_along_axis(spectra, order, 1))
            columns = np.take_along_axis(bases, order[:, None, :], 2)
            self.factors = put(columns * roots[:, None, :])
        self.rank = mixture.dim if bases is None else rank

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        """n draws, shape (n, d)."""
        label = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        xi = torch.randn(
            (n, self.rank), generator=generator, device=self.means.device, dtype=self.means.dtype
        )
        if self.factors is None:
            assert self.scales is not None
            return self.means[label] + self.scales[label] * xi
        x = self.means[label]
        for k in range(len(self.weights)):
            chosen = (label == k).unsqueeze(1)
            x = x + torch.where(chosen, xi, 0) @ self.factors[k].T
        return x
