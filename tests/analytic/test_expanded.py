"""The products for all components against 60 digits, at the edge of where they are used."""

import mpmath as mp
import numpy as np
import pytest

from analytic import GaussianMixture, _expanded, _round
from analytic._expanded import Expanded
from analytic._whitened import Whitened
from tests.analytic.test_whitened import LEVELS, fields

ALPHA, SIGMA = 0.9, 0.6
WEIGHTS = [0.1, 0.2, 0.3, 0.4]
# Of a logarithm, twice in a responsibility; a score moves by that and by its own terms.
BOUND = 2 * _round._LOGIT + _round._RESULT


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(_expanded, "_SIZE", 1)


def law(kind, low=0.05):
    rng = np.random.default_rng(11)
    dim = 2 if kind == "full" else 3
    means, spectra = rng.normal(size=(4, dim)), rng.uniform(low, 1, (4, dim))
    bases = np.linalg.qr(rng.normal(size=(4, dim, dim)))[0] if kind == "full" else None
    return GaussianMixture.spectral(WEIGHTS, means, spectra, bases)


def truth(target, z, alpha, sigma):
    """log p, responsibilities and score, as the formulas stand."""
    a, s, dim = mp.mpf(alpha), mp.mpf(sigma), target.dim
    bases = np.tile(np.eye(dim), (4, 1, 1)) if target.bases is None else target.bases
    logs, pulls = [], []
    for w, mean, spectrum, basis in zip(
        target.weights, target.means, target.spectra, bases, strict=True
    ):
        apart, turn = (
            mp.matrix(z.tolist()) - a * mp.matrix(mean.tolist()),
            mp.matrix(basis.tolist()),
        )
        y, v = turn.T * apart, [a * a * mp.mpf(float(x)) + s * s for x in spectrum]
        square = sum(y[j] ** 2 / v[j] for j in range(dim))
        norm = sum(mp.log(2 * mp.pi * x) for x in v)
        logs.append(mp.log(mp.mpf(float(w))) - (square + norm) / 2)
        pulls.append(-turn * mp.matrix([y[j] / v[j] for j in range(dim)]))
    total = mp.log(sum(mp.exp(x) for x in logs))
    share = [mp.exp(x - total) for x in logs]
    pull = [float(sum(r * p[j] for r, p in zip(share, pulls, strict=True))) for j in range(dim)]
    return float(total), np.array([float(x) for x in share]), np.array(pull)


def worst(target, z, alpha, sigma):
    """The largest errors of log p and the responsibilities; of the score, of its length."""
    density, share = (
        getattr(target, x)(z, alpha, sigma) for x in ("log_density", "responsibilities")
    )
    score, errors = target.score(z, alpha, sigma), []
    for i, point in enumerate(z):
        total, r, pull = truth(target, point, alpha, sigma)
        gaps = abs(density[i] - total) / (1 + abs(total)), np.abs(share[i] - r).max()
        errors.append([*gaps, np.abs(score[i] - pull).max() / np.linalg.norm(pull)])
    return np.max(errors, axis=0)


def between(target, distances, rng):
    """Points that far from the mean where two components have equal shares, or nearly."""
    z = rng.standard_normal((len(distances), target.dim))
    return ALPHA * target.mean + z / np.linalg.norm(z, axis=1, keepdims=True) * distances[:, None]


@pytest.fixture
def mended(monkeypatch):
    """How many points went to the careful form."""
    counts, mend = [], Expanded._mend

    def counting(self, careful, z, good, out):
        counts.append(np.count_nonzero(~good))
        mend(self, careful, z, good, out)

    monkeypatch.setattr(Expanded, "_mend", counting)
    return counts


@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_at_the_edge_the_products_are_as_good_as_they_say(kind, rng, mended):
    target = law(kind)
    form = Expanded(target._components, ALPHA, SIGMA)
    least, most = 0.1, 1e3
    for _ in range(60):
        middle = np.sqrt(least * most)
        high = form._error(np.array([middle**2]))[0] > _round._LOGIT
        least, most = (least, middle) if high else (middle, most)
    assert 2 < least < 30
    z = between(target, np.linspace(0.8 * least, 0.999 * least, 40), rng)
    assert (worst(target, z, ALPHA, SIGMA) < BOUND).all()
    assert sum(mended) == 0
    beyond = between(target, np.linspace(0.9 * least, 1.02 * least, 40), rng)
    assert (worst(target, beyond, ALPHA, SIGMA) < BOUND).all()
    assert sum(mended) > 0


@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_far_beyond_the_edge_the_products_would_lose_digits(kind, rng, monkeypatch):
    """The control: allowed everything, the same points are wrong; careful, they are not."""
    target, sigma = law(kind, 0.0), 1e-4
    means = target.means
    means[1] = means[0] + 1e-5
    spectra = np.full_like(means, 1e-9) * [[1.0], [2.0], [1.0], [3.0]]
    target = GaussianMixture.spectral(WEIGHTS, means, spectra, target.bases)
    z = ALPHA * means[0] + 1e-4 * rng.standard_normal((40, target.dim))
    careful = worst(target, z, ALPHA, sigma)
    assert careful[1] < 1e-10  # z is rounded: 1e-16 of one, on a width of 1e-4
    monkeypatch.setattr(_round, "_LOGIT", 1.0)
    assert worst(target, z, ALPHA, sigma)[1] > 1e-9


@pytest.mark.parametrize("level", LEVELS, ids=str)
@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_every_field_is_that_of_components_one_by_one(kind, level, rng, monkeypatch):
    target = law(kind)
    z = target.sample_diffused(3000, *level, rng)
    found = fields(target, z, *level)
    asked = []
    monkeypatch.setattr(Expanded, "fits", staticmethod(lambda _: asked.append(1)))
    for name, value in fields(target, z, *level).items():
        assert np.abs(found[name] - value).max() < 5e-12 * np.abs(value).max(), name
    assert len(asked) == 5  # the control: it was the other form
    assert issubclass(Expanded, _round.Round)
    assert not issubclass(Whitened, Expanded)
