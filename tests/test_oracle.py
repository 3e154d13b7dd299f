"""The oracle in torch against the oracle: every kind of covariance, both dtypes, extreme levels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analytic import GaussianMixture
from dfbench.levels import Array
from dfbench.oracle import TorchMixture

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
]
LEVELS = [(1.0, 0.02), (0.7, 0.7), (0.02, 1.0), (0.0, 1.0), (1.0, 80.0)]
U = {torch.float32: 2.0**-24, torch.float64: 2.0**-53}


def target(kind: str) -> GaussianMixture:
    rng = np.random.default_rng(1)
    k, d = 7, 4
    weights, means = rng.dirichlet(np.ones(k)), 3 + 2 * rng.standard_normal((k, d))
    if kind == "round":
        return GaussianMixture.isotropic(weights, means, rng.uniform(0.01, 2, k))
    if kind == "equal":
        return GaussianMixture.isotropic(weights, means, 0.3)
    if kind == "diagonal":
        return GaussianMixture.diagonal(weights, means, rng.uniform(0.01, 2, (k, d)))
    if kind == "points":
        return GaussianMixture.points(means)
    a = rng.standard_normal((k, d, d))
    return GaussianMixture.full(weights, means, a @ a.transpose(0, 2, 1) + 0.01 * np.eye(d))


def states(mixture: GaussianMixture, alpha: float, sigma: float) -> Array:
    rng = np.random.default_rng(2)
    z = alpha * mixture.sample(200, rng) + sigma * rng.standard_normal((200, mixture.dim))
    return np.asarray(z)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", list(U))
@pytest.mark.parametrize("kind", ["round", "equal", "diagonal", "points", "full"])
@pytest.mark.parametrize(("alpha", "sigma"), LEVELS)
def test_it_is_the_oracle(
    kind: str, alpha: float, sigma: float, dtype: torch.dtype, device: str
) -> None:
    mixture = target(kind)
    made = TorchMixture(mixture, dtype=dtype, device=device)
    z = torch.as_tensor(states(mixture, alpha, sigma), dtype=dtype, device=device)
    at = z.double().cpu().numpy()
    size = float(np.abs(at).max() + np.abs(mixture.means).max())
    # a logit is off by 4 u (|z|² + α²|μ|²)/v, in double precision; a mean by that share of them
    least = (alpha**2 * mixture.spectra + sigma**2).min()
    logit = 16 * U[torch.float64] * mixture.dim * size**2 / least
    x = made.posterior_mean(z, alpha, sigma).double().cpu().numpy()
    off = np.abs(x - mixture.posterior_mean(at, alpha, sigma)).max()
    assert off <= (32 * U[dtype] + logit) * size
    log = made.log_density(z, alpha, sigma).cpu().numpy()
    assert np.abs(log - mixture.log_density(at, alpha, sigma)).max() <= logit + 1e-12 * (
        1 + np.abs(log).max()
    )
    score = made.score(z, alpha, sigma).double().cpu().numpy()
    exact = mixture.score(at, alpha, sigma)
    assert np.abs(score - exact).max() <= (64 * U[dtype] + logit) * size * max(alpha, 1) / sigma**2


def test_blocks_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = target("round")
    z = torch.as_tensor(states(mixture, 0.7, 0.7))
    made = TorchMixture(mixture, dtype=torch.float64)
    whole = made.score(z, 0.7, 0.7)
    monkeypatch.setattr("dfbench.oracle.BLOCK", 50)
    assert torch.allclose(made.score(z, 0.7, 0.7), whole, rtol=1e-12, atol=0)


def test_a_wrong_mixture_is_not_the_oracle() -> None:
    """The control: a mean that is off by 1e-4."""
    mixture = target("full")
    moved = GaussianMixture.spectral(
        mixture.weights, mixture.means + 1e-4, mixture.spectra, mixture.bases
    )
    z = states(mixture, 0.7, 0.7)
    x = (
        TorchMixture(moved, dtype=torch.float64)
        .posterior_mean(torch.as_tensor(z), 0.7, 0.7)
        .numpy()
    )
    assert np.abs(x - mixture.posterior_mean(z, 0.7, 0.7)).max() > 1e-6


@pytest.mark.parametrize(
    ("shape", "dtype", "level"),
    [
        ((3, 5), torch.float32, (1.0, 1.0)),
        ((3, 4), torch.float64, (1.0, 1.0)),
        ((3, 4), torch.float32, (0.0, 0.0)),
        ((3, 4), torch.float32, (-1.0, 1.0)),
        ((3, 4), torch.float32, (1.0, 0.0)),
    ],
)
def test_what_has_no_meaning_is_refused(
    shape: tuple[int, ...], dtype: torch.dtype, level: tuple[float, float]
) -> None:
    with pytest.raises(ValueError, match=r"states must|no level|no density"):
        TorchMixture(target("points")).posterior_mean(torch.zeros(shape, dtype=dtype), *level)
    with pytest.raises(ValueError, match="dtype must"):
        TorchMixture(target("points"), dtype=torch.float16)
