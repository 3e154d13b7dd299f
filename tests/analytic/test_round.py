"""The two matrix products against 60 digits, at the edge of where they are used."""

import mpmath as mp
import numpy as np
import pytest

from analytic import GaussianMixture, _round
from analytic._round import Round
from analytic._state import State

MEANS = np.array([[-1.0, 0.5, 2.0], [1.5, -0.5, 0.0], [1.4, -0.2, 0.3], [-0.5, 3.0, -1.0]])
WEIGHTS = np.array([0.1, 0.2, 0.3, 0.4])
KINDS = {"equal": np.zeros(4), "unequal": np.array([0.0, 1e-3, 2e-4, 5e-3])}
LEVEL = 0.9


def truth(mixture, z, sigma):
    """log p, responsibilities, score and E[x|z], as the formulas stand."""
    a, s = mp.mpf(LEVEL), mp.mpf(float(sigma))
    x = [mp.mpf(float(c)) for c in z]
    logs, pulls, means = [], [], []
    rows = zip(mixture.weights, mixture.means, mixture.spectra[:, 0], strict=True)
    for w, mean, variance in rows:
        m = [mp.mpf(float(c)) for c in mean]
        v = a**2 * mp.mpf(float(variance)) + s**2
        apart = [p - a * q for p, q in zip(x, m, strict=True)]
        square = sum(c * c for c in apart)
        logs.append(mp.log(mp.mpf(float(w))) - square / v / 2 - len(x) * mp.log(2 * mp.pi * v) / 2)
        pulls.append([-c / v for c in apart])
        gain = a * mp.mpf(float(variance)) / v
        means.append([q + gain * c for q, c in zip(m, apart, strict=True)])
    total = mp.log(sum(mp.exp(each) for each in logs))
    r = [mp.exp(each - total) for each in logs]

    def average(rows):
        columns = zip(*rows, strict=True)
        return np.array([float(sum(p * q for p, q in zip(r, c, strict=True))) for c in columns])

    return float(total), np.array([float(p) for p in r]), average(pulls), average(means)


def at_the_edge(law, sigma, factor, rng):
    """Points between two components whose logarithms are off by `factor` of what is allowed."""
    least, most = 1e-3, 1e3
    pair = LEVEL * 0.5 * (MEANS[1] + MEANS[2])
    way = MEANS[1] - MEANS[2]
    across = np.cross(way, rng.standard_normal((20, 3)))  # there neither of the two wins
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    for _ in range(60):
        middle = np.sqrt(least * most)
        y = pair + middle * across - LEVEL * law.center
        high = law._error((y**2).sum(1)).max() > factor * _round._LOGIT
        least, most = (least, middle) if high else (middle, most)
    return pair + least * across


@pytest.fixture
def asked(monkeypatch):
    """How many points went the careful way."""
    counts = []
    made = State.__init__

    def counting(self, components, z, *level):
        counts.append(len(z))
        made(self, components, z, *level)

    monkeypatch.setattr(State, "__init__", counting)
    return counts


def worst(mixture, z, sigma):
    """The largest errors of log p and the responsibilities; of score and mean, of their lengths."""
    found = (
        mixture.log_density(z, LEVEL, sigma),
        mixture.responsibilities(z, LEVEL, sigma),
        mixture.score(z, LEVEL, sigma),
        mixture.posterior_mean(z, LEVEL, sigma),
    )
    errors = []
    for i, point in enumerate(z):
        true = truth(mixture, point, sigma)
        gaps = [np.abs(f[i] - t).max() for f, t in zip(found, true, strict=True)]
        sizes = 1 + abs(true[0]), 1.0, np.linalg.norm(true[2]), np.linalg.norm(true[3])
        errors.append([g / s for g, s in zip(gaps, sizes, strict=True)])
    return np.max(errors, axis=0)


# Each responsibility moves by the error of two logarithms, and a mean by that of its own terms.
BOUND = 2 * _round._LOGIT + _round._RESULT


@pytest.mark.parametrize("kind", KINDS)
def test_at_the_edge_the_products_are_as_good_as_they_say(kind, rng, asked):
    mixture = GaussianMixture.isotropic(WEIGHTS, MEANS, KINDS[kind])
    law = Round(mixture._components, LEVEL, 0.6)
    z = at_the_edge(law, 0.6, 1.0, rng)
    assert (worst(mixture, z, 0.6) < BOUND).all()
    assert not asked  # nothing went the careful way
    beyond = at_the_edge(law, 0.6, 1.5, rng)
    assert (worst(mixture, beyond, 0.6) < BOUND).all()
    assert sum(asked) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_far_beyond_the_edge_the_products_would_lose_digits(kind, rng, monkeypatch):
    """The control: allowed everything, the same points are wrong; careful, they are not."""
    variances = np.array([0.0, 1e-7, 1e-7, 5e-7]) * (kind == "unequal")
    mixture, sigma = GaussianMixture.isotropic(WEIGHTS, MEANS, variances), 1e-3
    middle = LEVEL * 0.5 * (MEANS[1] + MEANS[2])
    z = middle + 1e-6 * rng.standard_normal((20, 3))
    careful = mixture.responsibilities(z, LEVEL, sigma)
    true = [truth(mixture, point, sigma)[1] for point in z]
    # The careful form takes a difference of points near each other, rounded once.
    allowed = 8 * 2.0**-53 * 3 * 0.3 / sigma**2
    assert np.abs(careful - true).max() < allowed
    monkeypatch.setattr(_round, "_LOGIT", 1.0)
    assert np.abs(mixture.responsibilities(z, LEVEL, sigma) - true).max() > 2e-12


def test_what_is_left_out_of_a_large_mixture_does_not_count(rng, asked):
    """Point masses in parts, at low and high noise, against the careful form over all of them."""
    points = rng.standard_normal((2500, 5))
    mixture = GaussianMixture.points(points)
    for sigma in (0.02, 0.3, 0.9):
        level = np.sqrt(1 - sigma**2), sigma
        z = mixture.sample_diffused(70, *level, rng)
        kept = mixture.posterior_mean(z, *level), mixture.log_density(z, *level)
        whole = State(mixture._components, z, np.array([level[0]]), np.array([sigma]))
        one, zero = np.ones((1, 1)), np.zeros((1, 1))
        size = np.linalg.norm(whole.combine(one, zero), axis=1, keepdims=True)
        # Both sum 2500 terms, and round exponents of up to |z|^2/sigma^2.
        bound = 5e-12 + 4e-16 * 30 / sigma**2
        assert (np.abs(kept[0] - whole.combine(one, zero)) < bound * size).all()
        assert np.abs(kept[1] - whole.log_density).max() < 10 * bound
        others = np.delete(points, whole.responsibilities[:, 0].argmax(), axis=0)
        control = GaussianMixture.points(others).posterior_mean(z[:1], *level)
        assert np.abs(control - kept[0][:1]).max() > 1e-6  # the heaviest component does count


def test_memory_does_not_grow_with_the_components(rng):
    """Points × components is 240 MB here; what is held at once is a block."""
    import tracemalloc

    mixture = GaussianMixture.points(rng.standard_normal((3000, 2)))
    z = mixture.sample_diffused(10_000, 0.8, 0.6, rng)
    tracemalloc.start()
    mixture.posterior_mean(z, 0.8, 0.6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6
