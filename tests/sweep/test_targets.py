"""Targets have the law that their description says."""

from __future__ import annotations

import numpy as np
import pytest

from dfbench.errors import Unusable
from dfbench.levels import Level
from dfbench.sweep import data, laws
from dfbench.sweep.laws import TARGETS


def law(kind, **options):
    return TARGETS[kind](**options)


def test_a_power_law_has_its_exponent_and_its_variance():
    target = law("power_law", dimension=100, exponent=1.5, variance=0.25)
    assert target.spectrum.mean() == pytest.approx(0.25, rel=1e-14)
    slope = np.polyfit(np.log(np.arange(1, 101)), np.log(target.spectrum), 1)[0]
    assert slope == pytest.approx(-1.5, abs=1e-12)
    np.testing.assert_allclose(target.law.spectra[0], target.spectrum)


def test_the_gaussian_of_a_data_set_has_its_mean_and_covariance(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 5)) @ rng.standard_normal((5, 5)) + 3.0
    np.save(tmp_path / "x.npy", x)
    np.savetxt(tmp_path / "x.csv", x, delimiter=",", header="a,b,c,d,e", comments="", fmt="%.17g")
    for name in ("x.npy", "x.csv"):
        target = law("covariance", data=str(tmp_path / name))
        expected = np.sort(np.linalg.eigvalsh(np.cov(x.T, bias=True)))[::-1]
        np.testing.assert_allclose(target.spectrum, expected, rtol=1e-12)
        # in the eigenbasis: lengths and Mahalanobis lengths survive, the mean's too
        assert np.linalg.norm(target.mean) == pytest.approx(np.linalg.norm(x.mean(0)), rel=1e-12)
        assert (target.mean**2 / target.spectrum).sum() == pytest.approx(
            x.mean(0) @ np.linalg.solve(np.cov(x.T, bias=True), x.mean(0)), rel=1e-10
        )


def test_fewer_samples_than_dimensions_leave_directions_without_variance(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((4, 2, 3)))
    target = law("covariance", data=str(tmp_path / "x.npy"))
    assert target.dim == 6
    assert (target.spectrum > 0).sum() == 3


@pytest.mark.slow
def test_digits_are_a_gaussian_and_an_empirical_law():
    pytest.importorskip("sklearn")
    gaussian, empirical = law("covariance", data="digits"), law("points", data="digits", limit=100)
    assert gaussian.dim == empirical.dim == 64
    assert (gaussian.spectrum == 0).sum() == 3  # pixels that are always blank
    assert empirical.law.size == 100
    assert not empirical.law.spectra.any()
    x = data.dataset("digits")
    assert (x.min(), x.max()) == (-1.0, 1.0)
    np.testing.assert_allclose(gaussian.spectrum.sum(), x.var(axis=0).sum(), rtol=1e-12)


@pytest.mark.parametrize("kind", ["separated", "many", "manifold", "scales", "unequal"])
@pytest.mark.parametrize("dimension", [1, 2, 16, 300, 3072])
def test_mixtures_exist_in_every_dimension_at_unit_scale(kind, dimension):
    components = 64 if kind == "many" else 5
    options = {"rank": 1} if kind == "manifold" else {}
    target = law(kind, dimension=dimension, components=components, **options)
    assert target.dim == target.law.dim == dimension
    assert target.law.size == components
    size = np.sqrt((target.law.means**2).mean())
    assert 0.5 < size < 1.5
    again = law(kind, dimension=dimension, components=components, **options)
    np.testing.assert_array_equal(again.law.means, target.law.means)
    model = target.model("x")
    z = np.zeros((3, dimension))
    assert np.isfinite(model(z, Level(0.8, 0.6))).all()


def test_each_mixture_is_hard_in_its_own_way():
    far = law("separated", dimension=16)
    gaps = np.linalg.norm(far.law.means[:, None] - far.law.means, axis=-1)[np.triu_indices(4, 1)]
    assert gaps.min() > 20 * np.sqrt(far.law.spectra.max())
    assert law("many").law.size == 256
    thin = law("manifold", dimension=16, rank=2)
    assert thin.law.singular
    assert ((thin.law.spectra > 0).sum(axis=1) == 2).all()
    spread = np.sqrt(law("scales", components=3).law.spectra)
    np.testing.assert_allclose(np.unique(spread), [0.01, 0.1, 1.0], rtol=1e-12)
    weights = law("unequal", components=3, ratio=0.5).law.weights
    np.testing.assert_allclose(weights, np.array([4, 2, 1]) / 7)


def test_a_mixture_written_out_is_what_was_written():
    target = law("mixture", means=[-1.0, 2.0], variances=[0.1, 0.2], weights=[0.25, 0.75])
    np.testing.assert_allclose(target.law.mean, [1.25])
    assert target.dim == 1
    with pytest.raises(ValueError, match="sum to 1"):
        law("mixture", means=[0.0, 1.0], weights=[0.5, 0.6])


def test_a_model_that_learned_another_spectrum_answers_so():
    target = law("isotropic", dimension=2, variance=1.0, learned=4.0)
    level = Level(0.6, 0.8)
    z = np.array([[1.0, -2.0]])
    gain = 0.6 * 4.0 / (0.36 * 4.0 + 0.64)
    np.testing.assert_allclose(target.model("x")(z, level), gain * z, rtol=1e-14)
    np.testing.assert_allclose(target.law.spectra, 1.0)


def test_scikit_learn_missing_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(Unusable, match="come with scikit-learn, which is not installed"):
        law("covariance", data="digits")


def test_every_kind_says_what_it_is():
    for kind, function in TARGETS.items():
        assert function.__doc__, kind
    assert set(laws.FILES) <= set(TARGETS)
