"""Where λ is drawn: the density is that of the draws, and the adaptive one lowers the variance."""

import numpy as np
import pytest

from dfbench.schedules import Cosine, FlowMatching
from dfbench.training import noise_levels
from dfbench.training.noise_levels import Setting
from dfbench.weightings import FlowMatchingWeighting

KINDS = ("schedule", "uniform", "importance", "adaptive")


def made(kind, schedule=None, low=-8.0, high=5.0, **options):
    setting = Setting(schedule or Cosine(), FlowMatchingWeighting(), 1.0)
    return noise_levels.KINDS[kind](setting, low=low, high=high, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_is_that_of_the_draws(kind):
    """|dλ/du| q = 1 for u uniform, away from the edges of bins; and λ fills the interval."""
    levels = made(kind)
    u, step = np.linspace(0.01, 0.99, 4001), 1e-9
    lam, density = levels.draw(u)
    slope = np.abs(levels.draw(u + step)[0] - levels.draw(u - step)[0]) / (2 * step)
    assert np.median(np.abs(slope * density - 1)) < 1e-5
    assert np.mean(np.abs(slope * density - 1) > 1e-4) < 0.2
    ends = levels.draw(np.array([0.0, 1.0]))[0]
    np.testing.assert_allclose(sorted(ends), [-8.0, 5.0], atol=1e-6)
    assert ((lam >= -8) & (lam <= 5)).all()


def test_another_density_is_seen():
    levels = made("schedule", Cosine())
    u = np.linspace(0.01, 0.99, 1001)
    lam, _ = levels.draw(u)
    other = made("schedule", FlowMatching())
    slope = np.abs(levels.draw(u + 1e-9)[0] - levels.draw(u - 1e-9)[0]) / 2e-9
    density = noise_levels.log_snr_density(other.schedule, lam) / other.span
    assert np.median(np.abs(slope * density - 1)) > 0.05


def test_geometric_levels():
    levels = made("geometric", low=-6.0, high=4.0, count=6)
    lam, density = levels.draw(np.linspace(0, 1, 6001))
    ratios = np.exp(-np.unique(lam) / 2)
    np.testing.assert_allclose(ratios[1:] / ratios[:-1], np.exp(-1.0))
    assert np.allclose(density, 0.1)
    assert np.unique(lam, return_counts=True)[1].min() >= 1000
    lam, density = made("geometric", low=2.0, high=2.0, count=1).draw(np.array([0.3]))
    assert (lam == 2.0).all()
    assert (density == 1.0).all()


def losses(levels, rng, n=2000):
    """w|ε̂ − ε|² of a model that is bad in the middle, and its estimate w/q|ε̂ − ε|²."""
    lam, density = levels.draw(rng.random(n))
    loss = np.exp(-((lam - 1) ** 2)) * rng.chisquare(4, n)
    return lam, loss, loss / density


def test_the_adaptive_schedule_lowers_the_variance():
    rng = np.random.default_rng(0)
    levels, uniform = made("adaptive"), made("uniform")
    before = losses(levels, rng)[2].var()
    for _ in range(400):
        lam, loss, _ = losses(levels, rng)
        levels.update(lam, loss)
    after, flat = losses(levels, rng, 50_000)[2], losses(uniform, rng, 50_000)[2]
    assert abs(after.mean() - flat.mean()) < 5 * flat.std() / 50_000**0.5
    assert after.var() < 0.25 * flat.var()
    assert after.var() < 0.5 * before
    # at the fixed point only the chi-squared draw is left to vary: 8/16 of the squared mean
    assert after.var() / after.mean() ** 2 < 0.7


def test_its_state_comes_back_and_nonsense_is_not_learnt():
    rng = np.random.default_rng(1)
    levels, other = made("adaptive"), made("adaptive")
    for _ in range(3):
        levels.update(*losses(levels, rng)[:2])
    assert not np.array_equal(levels.mass, other.mass)
    other.load(levels.state())
    assert np.array_equal(levels.mass, other.mass)
    levels.update(np.array([0.0]), np.array([np.nan]))
    assert np.array_equal(levels.mass, other.mass)


@pytest.mark.parametrize(
    "make",
    [
        lambda: made("uniform", low=1.0, high=1.0),
        lambda: made("geometric", low=0.0, high=1.0, count=1),
        lambda: made("geometric", low=0.0, high=0.0, count=3),
        lambda: made("adaptive", decay=1.0),
        lambda: made("adaptive", uniform=0.0),
    ],
)
def test_what_cannot_be(make):
    with pytest.raises(ValueError, match=r"need|must"):
        make()
