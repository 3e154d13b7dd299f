"""Conversions of batches, from x and ε that are written down, and of the weights of x and ε."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dfbench.levels import Level
from dfbench.literature.c16_conversions_and_mse_factors import SIGMA_DATA, written
from dfbench.predictions import KINDS, convert, weights
from dfbench.testing import levels
from tests.formulas.dense import close

BOUND = 1e-13  # absolute, of order one: round-off of a few dozen operations
RNG = np.random.default_rng(16)
X, EPS = RNG.standard_normal((2, 3, 2, 4, 4))  # a batch of images
ALPHA, SIGMA = np.array([0.9, 0.5, 0.1]), np.array([0.2, 0.7, 1.1])
SHAPED = [c[:, None, None, None] for c in (ALPHA, SIGMA)]
Z, V = SHAPED[0] * X + SHAPED[1] * EPS, SHAPED[0] * EPS - SHAPED[1] * X


@given(level=levels(), kind=st.sampled_from(KINDS))
def test_weights_of_x_and_eps(level: Level, kind: str):
    """m = p x + q ε."""
    rates = (-level.sigma, 1.5 * level.alpha)
    found = weights(kind, *level, rates=rates, sigma_data=SIGMA_DATA)
    for value, (x, eps) in zip(found, ((1.0, 0.0), (0.0, 1.0)), strict=True):
        true = written(kind, level, rates, x, eps)
        assert abs(value - true) <= 1e-12 * abs(true)


def test_an_array_with_a_level_for_each_row():
    close(convert(V, Z, "v", "x", ALPHA, SIGMA), X, BOUND)


@pytest.mark.parametrize("level", [(ALPHA, SIGMA), [torch.as_tensor(c) for c in (ALPHA, SIGMA)]])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, BOUND), (torch.float32, 1e8 * BOUND)])
def test_a_tensor_with_a_level_for_each_row(dtype, bound, level):
    state, told = (torch.as_tensor(one, dtype=dtype) for one in (Z, V))
    found = convert(told, state, "v", "x", *level)
    assert found.dtype == dtype
    close(found.double().numpy(), X, bound)


def test_integers_become_numbers():
    z, eps = np.array([[1], [3]]), np.array([[4], [2]])
    whole = convert(eps, z, "eps", "x", ALPHA[:2], SIGMA[:2])
    close(whole[:, 0], [(1 - 0.8) / 0.9, (3 - 1.4) / 0.5], BOUND)


def test_single_precision_stays():
    found = convert(V[0].astype(np.float32), Z[0].astype(np.float32), "v", "x", 0.9, 0.2)
    assert found.dtype == np.float32
    close(found, X[0], 1e8 * BOUND)
