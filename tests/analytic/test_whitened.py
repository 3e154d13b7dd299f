"""Components one by one against the careful form over all, and against 60 digits."""

import tracemalloc

import mpmath as mp
import numpy as np
import pytest

from analytic import GaussianMixture, _whitened, mixture

LEVELS = [(0.8, 0.6), (1.0, 0.0), (0.0, 1.3), (1.0, 1e-3), (0.01, 1.0)]
WEIGHTS = [0.3, 0.0, 0.2, 0.5]


def law(kind, dim, scale=(0.05, 2.0)):
    rng = np.random.default_rng(3)
    means = rng.normal(size=(4, dim))
    spectra = np.exp(rng.uniform(*np.log(scale), size=(4, dim)))
    bases = np.linalg.qr(rng.normal(size=(4, dim, dim)))[0] if kind == "full" else None
    return GaussianMixture.spectral(WEIGHTS, means, spectra, bases)


def fields(target, z, alpha, sigma):
    return {
        "log_density": target.log_density(z, alpha, sigma),
        "responsibilities": target.responsibilities(z, alpha, sigma),
        "score": target.score(z, alpha, sigma),
        "velocity": target.velocity(z, alpha, sigma, -0.7, 1.3),
        "posterior_mean": target.posterior_mean(z, alpha, sigma),
    }


@pytest.mark.parametrize("level", LEVELS, ids=str)
@pytest.mark.parametrize("dim", [1, 3, 20])
@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_components_one_by_one_are_all_of_them(kind, dim, level, rng, monkeypatch):
    target = law(kind, dim)
    z = target.sample_diffused(70, *level, rng)
    found = fields(target, z, *level)
    monkeypatch.setattr(mixture, "_MANY", 1000)  # the careful form
    careful = fields(target, z, *level)
    other = fields(target, z, level[0] + 1e-6, level[1] + 1e-6)
    for name, value in careful.items():
        size = np.abs(value).max()
        assert np.abs(found[name] - value).max() <= 1e-12 * size, name
        if level[0] > 0 and name in ("log_density", "score"):  # the control: a level a little off
            assert np.abs(found[name] - other[name]).max() > 1e-9 * size, name


def test_against_60_digits_where_widths_differ_a_million_times(rng):
    """Each logarithm within what the head of the file says, each score within what that does."""
    target = law("full", 3, (1e-8, 1e4))
    alpha, sigma = 0.9, 1e-5
    z = target.sample_diffused(40, alpha, sigma, rng)
    density, score = target.log_density(z, alpha, sigma), target.score(z, alpha, sigma)
    worst = 0.0
    for i, point in enumerate(z):
        true, pull, bound = exact(target, point, alpha, sigma)
        assert abs(density[i] - true) <= bound + 4e-16 * abs(true)
        worst = max(worst, np.abs(score[i] - pull).max() / np.abs(pull).max() / bound)
    assert worst < 10


def exact(target, z, alpha, sigma):
    a, s = mp.mpf(alpha), mp.mpf(sigma)
    logs, pulls, bounds = [], [], []
    rows = zip(target.weights, target.means, target.spectra, target.bases, strict=True)
    for w, mean, spectrum, basis in rows:
        if w == 0:
            continue
        apart = mp.matrix(z.tolist()) - a * mp.matrix(mean.tolist())
        turn = mp.matrix(basis.tolist())
        y, v = turn.T * apart, [a * a * mp.mpf(float(x)) + s * s for x in spectrum]
        square = sum(y[j] ** 2 / v[j] for j in range(3))
        norm = sum(mp.log(2 * mp.pi * x) for x in v)
        logs.append(mp.log(mp.mpf(float(w))) - square / 2 - norm / 2)
        pulls.append(-turn * mp.matrix([y[j] / v[j] for j in range(3)]))
        wide = float(mp.sqrt(sum(1 / x for x in v)) * mp.norm(apart))
        bounds.append(2.0**-53 * (6 * wide * float(mp.sqrt(square)) + 3 * float(square) + 50))
    total = mp.log(sum(mp.exp(x) for x in logs))
    share = [mp.exp(x - total) for x in logs]
    pull = [sum(r * p[j] for r, p in zip(share, pulls, strict=True)) for j in range(3)]
    here = max(b for b, r in zip(bounds, share, strict=True) if r > 1e-30)
    return float(total), np.array([float(x) for x in pull]), 2 * here


def test_a_narrow_component_counts_by_its_slope(rng, monkeypatch):
    """At a share of 1e-19 it still pulls, for it is a million times as steep as the others."""
    target = GaussianMixture.diagonal(
        [0.5, 0.5], [[0.0, 0.0], [1.0, 0.0]], [[1e-14, 1.0], [4.0, 1.0]]
    )
    z = np.column_stack([1e-7 * np.linspace(9.2, 11, 50), rng.normal(size=50)])
    found = target.score(z)
    monkeypatch.setattr(mixture, "_MANY", 1000)
    careful = target.score(z)
    assert np.abs(found - careful).max() < 1e-11 * np.abs(careful).max()
    gaps = np.abs(found - careful).max(1) / np.abs(careful).max(1)
    assert gaps.max() < 1e-9
    monkeypatch.setattr(mixture, "_MANY", 1)
    monkeypatch.setattr(_whitened, "_LOST", 10.0)  # the control
    cut = target.score(z)
    assert (np.abs(cut - careful).max(1) / np.abs(careful).max(1)).max() > 1e-9


@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_blocks_and_memory(kind, rng, monkeypatch):
    target = law(kind, 3)
    z = target.sample_diffused(5000, 0.8, 0.6, rng)
    whole = fields(target, z, 0.8, 0.6)
    monkeypatch.setattr(_whitened, "_ROWS", 37)
    for name, value in fields(target, z, 0.8, 0.6).items():
        np.testing.assert_allclose(value, whole[name], rtol=1e-12, atol=1e-14)
    monkeypatch.undo()
    many = law(kind, 30)
    z = many.sample_diffused(20_000, 0.8, 0.6, rng)  # 4.8 MB; with components, 19 MB
    tracemalloc.start()
    many.score(z, 0.8, 0.6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < z.nbytes + 9e6
