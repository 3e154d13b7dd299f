"""Data: known truths, files of a user, and what cannot be used."""

import numpy as np
import pytest
import torch

from analytic import GaussianMixture
from dfbench.errors import Unusable
from dfbench.training import data
from dfbench.training.mixtures import MIXTURES, ExactDraws, standardised, total_variance

SMALL = [name for name in MIXTURES if name != "image-32"]


@pytest.mark.parametrize("name", SMALL)
def test_named_mixtures(name):
    made = data.mixture(0, name=name, held_out=500)
    assert made.fresh
    assert made.held_out.shape == (500, *made.shape)
    assert made.truth.dim == np.prod(made.shape)
    assert made.std == pytest.approx(1.0, rel=1e-9)
    np.testing.assert_allclose(made.truth.mean, 0, atol=1e-12)
    again = data.mixture(0, name=name, held_out=500)
    np.testing.assert_array_equal(made.held_out, again.held_out)
    assert not np.array_equal(made.train[:500], made.held_out)


@pytest.mark.parametrize("name", SMALL)
def test_draws_on_a_device_have_the_law(name):
    """Mean and covariance within five standard errors in ten directions."""
    truth = MIXTURES[name][0]()
    draws = ExactDraws(truth, torch.device("cpu"), torch.float64)
    n, rng = 20_000, np.random.default_rng(0)
    x = draws(n, torch.Generator().manual_seed(1)).numpy()
    for direction in rng.standard_normal((10, truth.dim)):
        law = truth.marginal(direction)
        along, var = x @ direction, float(law.covariance[0, 0])
        assert abs(along.mean() - law.mean[0]) < 5 * (var / n) ** 0.5
        assert abs(along.var() - var) < 5 * along.std() ** 2 * (2 / n) ** 0.5 * 1.5
    wrong = ExactDraws(MIXTURES["two-1d"][0](), torch.device("cpu"), torch.float64)
    assert wrong(5, torch.Generator()).shape == (5, 1)


def test_standardised():
    rough = GaussianMixture.diagonal([0.25, 0.75], [[1.0, 2.0], [0.0, 5.0]], [[1, 2], [3, 0.5]])
    made = standardised(rough)
    np.testing.assert_allclose(made.mean, 0, atol=1e-12)
    assert np.trace(made.covariance) == pytest.approx(2)
    parts = rough.weights, rough.means, rough.spectra
    assert total_variance(*parts) == pytest.approx(np.trace(rough.covariance))
    # nothing else changes: a point is as likely as the one it came from, per volume
    scale = (2 / np.trace(rough.covariance)) ** 0.5
    x = np.array([[0.3, 4.0]])
    there = made.log_density((x - rough.mean) * scale)
    np.testing.assert_allclose(there + 2 * np.log(scale), rough.log_density(x))


def test_images_of_low_rank():
    """12 directions of 64 have variance in each mode, and only they are drawn."""
    truth = MIXTURES["image-8"][0]()
    assert ((truth.spectra > 0).sum(1) == 12).all()
    draws = ExactDraws(truth, torch.device("cpu"), torch.float64)
    assert draws.factors.shape == (4, 64, 12)
    x = draws(200, torch.Generator().manual_seed(0)).numpy()
    assert np.isfinite(truth.log_density(x, 1.0, 1e-6)).all()
    assert np.linalg.matrix_rank(x - x.mean(0)) <= 4 * 12 + 3


def test_digits():
    digits = data.digits(0)
    assert digits.train.shape == (1438, 1, 8, 8)
    assert digits.held_out.shape == (359, 1, 8, 8)
    assert digits.train.min() == -1.0
    assert digits.train.max() == 1.0
    assert digits.truth is None
    both = np.concatenate([digits.train, digits.held_out]).reshape(1797, -1)
    assert len(both) == 1797
    assert data.digits(0, padding=4).shape == (1, 16, 16)
    assert not np.array_equal(data.digits(1).held_out, digits.held_out)


def test_an_array_is_split_without_loss(tmp_path):
    points = np.arange(40.0).reshape(20, 2)
    np.save(tmp_path / "a.npy", points)
    made = data.array(0, path=tmp_path / "a.npy", held_out=0.25)
    assert (len(made.train), len(made.held_out)) == (15, 5)
    both = np.concatenate([made.train, made.held_out])
    np.testing.assert_array_equal(both[np.argsort(both[:, 0])], points)
    scaled = data.array(0, path=tmp_path / "a.npy", standardise=True)
    assert np.concatenate([scaled.train, scaled.held_out]).std() == pytest.approx(1)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (np.zeros(3), "shape"),
        (np.zeros((1, 2)), "shape"),
        (np.zeros((4, 2, 2)), "shape"),
        (np.array([["a", "b"], ["c", "d"]]), "numbers"),
        (np.array([[1.0, np.nan], [0, 0]]), "finite"),
        (b"not an array", "not an array of numbers"),
        (None, "no such file"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path, content, told):
    file = tmp_path / "a.npy"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        np.save(file, content)
    with pytest.raises(Unusable, match=told):
        data.array(0, path=file)


def test_a_folder_of_images(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for i in range(4):
        pixels = np.full((20, 30, 3), 60 * i, dtype=np.uint8)
        image.fromarray(pixels).save(tmp_path / f"{i}.png")
    made = data.images(0, path=tmp_path, side=8, held_out=0.5)
    assert made.train.shape == (2, 3, 8, 8)
    values = np.sort(np.concatenate([made.train, made.held_out])[:, 0, 0, 0])
    np.testing.assert_allclose(values, np.arange(4) * 60 / 127.5 - 1, atol=1e-6)
    assert data.images(0, path=tmp_path, side=4, grey=True).shape == (1, 4, 4)
    (tmp_path / "5.png").write_bytes(b"broken")
    with pytest.raises(Unusable, match=r"5\.png: cannot be read"):
        data.images(0, path=tmp_path)
    with pytest.raises(Unusable, match="at least two images"):
        data.images(0, path=tmp_path / "none")


def test_an_unknown_mixture_is_named():
    with pytest.raises(ValueError, match="no mixture 'x'; there are ring-2d"):
        data.mixture(0, name="x")
