"""Integrands by hand, expected losses against sums over draws, couplings against brute force."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch

from analytic import GaussianMixture
from analytic.information import expectation, joint
from dfbench.couplings import crossing_fraction, minibatch_pairs, optimal_pairs
from dfbench.exact import exact_model
from dfbench.levels import Array, Level
from dfbench.losses import (
    conditional_target,
    denoising_score_matching,
    expected_loss,
    explicit_score_matching,
    implicit_score_matching,
    squared_error,
    training_loss,
    weighted_loss,
)
from dfbench.schedules import Cosine
from dfbench.testing import Field
from dfbench.weightings import VCosine

LINE = GaussianMixture.isotropic([0.3, 0.7], [[-2.0], [1.0]], [0.1, 0.4])
LEVEL = Level(0.6, 0.8)


def test_integrands() -> None:
    s, true = np.array([[1.0, 2.0]]), np.array([[0.5, -1.0]])
    assert squared_error(s, true) == pytest.approx(9.25)
    assert explicit_score_matching(s, true) == pytest.approx(4.625)
    assert implicit_score_matching(s, np.array([3.0])) == pytest.approx(5.5)
    assert denoising_score_matching(s, -0.5 * true, 0.5) == pytest.approx(4.625)
    as_torch = explicit_score_matching(torch.tensor(s), torch.tensor(true))
    assert as_torch.item() == pytest.approx(4.625)
    assert conditional_target("v", s, true, LEVEL) == pytest.approx(0.6 * true - 0.8 * s)


@pytest.mark.parametrize("kind", ["eps", "x", "v", "u", "score", "velocity"])
def test_expected_loss_is_the_mean_over_pairs(kind: str) -> None:
    """Integrated over x and ε instead of over z with the exact posterior."""
    rates = (-1.5, 2.0)

    def model(z: Array, _: Level) -> Array:
        return np.tanh(z) + 0.2

    def loss(pair: Array) -> Array:
        x, eps = pair[:, :1], pair[:, 1:]
        z = LEVEL.alpha * x + LEVEL.sigma * eps
        target = conditional_target(kind, x, eps, LEVEL, rates)
        return np.asarray(squared_error(model(z, LEVEL), target))

    direct = float(expectation(joint(LINE), loss))
    assert expected_loss(model, LINE, kind, LEVEL, rates) == pytest.approx(direct, rel=1e-9)


def test_expected_loss_in_the_plane() -> None:
    plane = GaussianMixture.isotropic([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.5]], [0.2, 0.5])
    rng = np.random.default_rng(1)
    x, eps = plane.sample(200_000, rng), rng.standard_normal((200_000, 2))
    drawn = squared_error(np.sin(LEVEL.alpha * x + LEVEL.sigma * eps), eps)
    value = expected_loss(lambda z, _: np.sin(z), plane, "eps", LEVEL)
    assert abs(drawn.mean() - value) < 5.5 * drawn.std() / np.sqrt(len(drawn))  # 4e-8


def test_exact_model_has_the_least_loss() -> None:
    exact = exact_model(LINE, "v")
    least = expected_loss(exact, LINE, "v", LEVEL)
    assert expected_loss(lambda z, at: exact(z, at) + 0.1, LINE, "v", LEVEL) == pytest.approx(
        least + 0.01, rel=1e-9
    )


def test_losses_in_t_and_in_lam() -> None:
    schedule = Cosine()
    node, weight = np.polynomial.legendre.leggauss(20)
    low, high = (float(schedule.t_of_log_snr(lam)) for lam in (2.0, -2.0))
    times = (low + (high - low) * (1 + node) / 2, (high - low) * weight / 2)
    in_t = training_loss(lambda z, at: 0.5 * z, LINE, "v", schedule, times)

    def eps(z: Array, at: Level) -> Array:
        return np.asarray(at.sigma * z + at.alpha * (0.5 * z))  # ε = σ z + α v

    in_lam = weighted_loss(eps, LINE, VCosine(), (2 * node, 2 * weight))
    assert in_t == pytest.approx(in_lam, rel=1e-8)


def test_optimal_pairs_are_the_best_of_all() -> None:
    rng = np.random.default_rng(2)
    noise, data = rng.standard_normal((2, 6, 2))
    cost = {p: ((data[list(p)] - noise) ** 2).sum() for p in permutations(range(6))}
    for solver in ("scipy", "pot"):
        pairs = optimal_pairs(noise, data, solver)  # type: ignore[arg-type]
        assert tuple(pairs) == min(cost, key=lambda p: cost[p])


def test_minibatch_pairs() -> None:
    rng = np.random.default_rng(3)
    noise, data = rng.standard_normal((2, 11, 1))
    pairs = minibatch_pairs(noise, data, 4)
    assert sorted(pairs) == list(range(11))
    assert pairs[8:].tolist() == [8, 9, 10]  # left over
    for rows in (slice(0, 4), slice(4, 8)):  # by rank as by assignment
        assert (pairs[rows] - rows.start).tolist() == optimal_pairs(
            noise[rows], data[rows]
        ).tolist()
    assert minibatch_pairs(noise, data, 1).tolist() == list(range(11))
    wide = rng.standard_normal((2, 8, 3))
    assert minibatch_pairs(*wide, 8).tolist() == optimal_pairs(*wide).tolist()


def test_crossing_fraction() -> None:
    rng = np.random.default_rng(4)
    noise, data = rng.standard_normal((2, 30, 1))
    crossed = [
        (noise[i, 0] - noise[j, 0]) * (data[i, 0] - data[j, 0]) < 0
        for i in range(30)
        for j in range(i)
    ]
    assert crossing_fraction(noise, data) == pytest.approx(np.mean(crossed))
    assert crossing_fraction(np.sort(noise, 0), np.sort(data, 0)) == 0
    assert crossing_fraction(noise, -noise) == 1


def test_refuses() -> None:
    one, two = np.zeros((3, 1)), np.zeros((3, 2))
    with pytest.raises(ValueError, match="two samples"):
        optimal_pairs(one, two)
    with pytest.raises(ValueError, match="one dimension"):
        crossing_fraction(two, two)
    with pytest.raises(ValueError, match="batch"):
        minibatch_pairs(one, one, 0)
    with pytest.raises(ValueError, match="solver"):
        optimal_pairs(one, one, "sinkhorn")  # type: ignore[arg-type]


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_divergence_of_the_drawn_fields(dim: int) -> None:
    field, h = Field((0.3, -0.7, 0.9, 0.5)), 1e-5
    z = np.random.default_rng(5).standard_normal((4, dim))
    slopes = [
        (field(z + h * e) - field(z - h * e))[:, i] / (2 * h) for i, e in enumerate(np.eye(dim))
    ]
    np.testing.assert_allclose(field.divergence(z), np.sum(slopes, axis=0), atol=1e-8)
