"""Wasserstein-2 on the line against exact quantiles, by dense quadrature of the same."""

from itertools import pairwise

import numpy as np
import ot
import pytest

from analytic import GaussianMixture
from analytic.distances import SlicedWasserstein
from analytic.distances.projections import Projected
from analytic.distances.sliced import _quantile_means

LAWS = {
    "normal": GaussianMixture.isotropic([1.0], [[0.7]], 2.0),
    "far": GaussianMixture.isotropic([0.3, 0.7], [[-30.0], [2.0]], [0.5, 0.01]),
    "atom": GaussianMixture.isotropic([0.4, 0.6], [[0.2], [0.0]], [0.0, 1.0]),
}


def by_quadrature(law, x):
    """int (F_n^-1 - F^-1)^2 with Gauss-Legendre nodes in every step, graded at both ends."""
    node, weight = np.polynomial.legendre.leggauss(40)
    n, total = len(x), 0.0
    for i, value in enumerate(np.sort(x)):
        edges = [i / n, (i + 1) / n]
        if i == 0:
            edges = [*(edges[1] * 0.5 ** np.arange(60, 0, -1)), edges[1]]
        if i == n - 1:
            edges = [edges[0], *(1 - (1 - edges[0]) * 0.5 ** np.arange(1, 48))]
        if law.size > 1 and edges[0] < law.weights[0] < edges[-1]:  # the gap between the modes
            middle = law.weights[0]
            grade = 0.5 ** np.arange(40, -1, -1.0)
            edges = [
                *(middle - (middle - edges[0]) * grade[::-1]),
                middle,
                *(middle + (edges[-1] - middle) * grade),
            ]
        for a, b in pairwise(edges):
            q = law.quantile(0.5 * (a + b) + 0.5 * (b - a) * node)
            total += 0.5 * (b - a) * weight @ (value - q) ** 2
    return total


@pytest.mark.parametrize("name", ["normal", "far"])
def test_line_against_quadrature_of_the_quantiles(name):
    law = LAWS[name]
    x = law.sample(31, np.random.default_rng(1)) * 1.1
    found = SlicedWasserstein(law).of(x)
    assert found.value**2 == pytest.approx(by_quadrature(law, x[:, 0]), rel=1e-9)
    assert SlicedWasserstein(law).of(x + 0.01).value != pytest.approx(found.value, rel=1e-5)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("n", [2, 7, 64])
def test_means_of_the_quantile_function(name, n):
    law = LAWS[name]
    q = _quantile_means(law.weights, law.means[:, 0], np.sqrt(law.spectra[:, 0]), n)
    u = (np.arange(n * 1000) + 0.5) / (n * 1000)
    middle = law.quantile(u).reshape(n, 1000).mean(1)
    assert q == pytest.approx(middle, abs=0.03 if name == "far" else 5e-3)
    assert q.mean() == pytest.approx(float(law.mean[0]), abs=1e-12)
    assert (np.diff(q) >= -1e-12).all()
    if name == "atom" and n == 64:
        assert (np.abs(q - 0.2) < 1e-13).sum() >= 24  # two fifths of the parts are in the atom
        assert np.ptp(q) > 1


def test_point_masses_against_exact_transport():
    rng = np.random.default_rng(2)
    atoms, weights = rng.standard_normal((9, 1)), rng.dirichlet(np.ones(9))
    x = rng.standard_normal((40, 1))
    truth = ot.emd2_1d(x[:, 0], atoms[:, 0], np.full(40, 1 / 40), weights)
    found = SlicedWasserstein(GaussianMixture.points(atoms, weights)).of(x)
    assert found.value**2 == pytest.approx(truth, rel=1e-12)
    swapped = SlicedWasserstein(GaussianMixture.points(atoms, weights[::-1])).of(x)
    assert swapped.value**2 != pytest.approx(truth, rel=1e-3)


def test_shift_of_many_samples_is_the_shift():
    """W2 between laws that differ by a shift is its length; sliced, its projections."""
    law = GaussianMixture.isotropic([0.5, 0.5], [[-1.0, 0.0], [1.0, 2.0]], 0.3)
    directions = np.array([[1.0, 0.0], [0.0, 2.0]])
    x = law.sample(100_000, np.random.default_rng(3)) + np.array([3.0, 4.0])
    found = SlicedWasserstein(law, directions).of(x)
    assert found.low < np.sqrt(12.5) < found.high
    assert found.high - found.low < 0.02


def test_projection_is_the_joint_law():
    rng = np.random.default_rng(4)
    a = rng.standard_normal((2, 5, 5))
    law = GaussianMixture.full([0.3, 0.7], rng.standard_normal((2, 5)), a @ np.swapaxes(a, 1, 2))
    seen = Projected(law, rng.standard_normal((3, 5)))
    for i, u in enumerate(seen.directions):
        assert np.linalg.norm(u) == pytest.approx(1)
        assert seen.scales[:, i] ** 2 == pytest.approx(law.marginal(u).spectra[:, 0])
    full = np.einsum("id,kde,je->kij", seen.directions, a @ np.swapaxes(a, 1, 2), seen.directions)
    assert seen.covariances() == pytest.approx(full)
    drawn = seen.sample(200_000, rng)
    whole = law.sample(200_000, rng) @ seen.directions.T
    scale = np.sqrt(np.diag(np.cov(whole.T)))
    assert (np.abs(drawn.mean(0) - whole.mean(0)) < 5 * scale * np.sqrt(2 / 200_000)).all()
    assert np.abs(np.cov(drawn.T) - np.cov(whole.T)).max() < 0.05 * scale.max() ** 2
    assert np.abs(np.cov(drawn.T) - np.diag(scale**2)).max() > 0.1 * scale.max() ** 2
