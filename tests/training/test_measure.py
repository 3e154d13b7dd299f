"""Every measure against a network whose error is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analytic import GaussianMixture
from analytic.information import eps_mmse, expectation
from dfbench.schedules import at_log_snr
from dfbench.training.measure.density import score_error_by_density
from dfbench.training.measure.excess import excess_loss
from dfbench.training.measure.held_out import METRICS, distances
from dfbench.training.measure.law import ExactLaw
from dfbench.training.measure.likelihood import log_likelihood
from dfbench.weightings import WEIGHTINGS
from tests.training.exact_network import RING, ExactNetwork

LINE = GaussianMixture.isotropic([0.3, 0.7], [[-1.0], [1.0]], [0.09, 0.16])


def wave(size):
    return lambda z, lam: size * torch.sin(3 * z + lam)


@pytest.mark.parametrize("prediction", ["eps", "x", "v", "u"])
def test_an_exact_network_has_no_excess(prediction):
    found = excess_loss(ExactNetwork(prediction=prediction), RING, np.random.default_rng(0), n=256)
    assert found.fraction.value < 1e-12
    assert max(e.value for e in found.excess) < 1e-11


def test_the_planted_excess_is_measured():
    """Against quadrature of the same integrals, in one dimension."""
    found = excess_loss(ExactNetwork(LINE, "v", wave(0.1)), LINE, np.random.default_rng(1), n=8192)
    lam = found.log_snr
    planted = np.array(
        [
            expectation(
                LINE.diffused(*at_log_snr(value)),
                lambda z, value=value: 0.01 * np.sin(3 * z + value) ** 2 + np.array([0.0, 1.0]),
            )[0]
            for value in lam
        ]
    )
    left = eps_mmse(LINE, lam)
    weight = WEIGHTINGS["flow_matching"]()(lam)
    nodes = np.tile(np.polynomial.legendre.leggauss(4)[1], 10)  # panels of width 2
    fraction = (nodes * weight) @ planted / ((nodes * weight) @ left)
    assert found.fraction.low <= fraction <= found.fraction.high
    assert found.fraction.high - found.fraction.low < 0.1 * fraction
    assert found.irreducible == pytest.approx(left, rel=0.05)
    inside = [e.low <= p <= e.high for e, p in zip(found.excess, planted, strict=True)]
    assert np.mean(inside) > 0.7  # the same draws at every λ: they miss together
    assert len(found.table()) == len(lam)


def test_a_constant_error_is_measured_without_noise():
    found = excess_loss(
        ExactNetwork(planted=lambda z, lam: 0.1 + 0 * z), RING, np.random.default_rng(2), n=64
    )
    assert [e.value for e in found.excess] == pytest.approx([0.01] * len(found.excess))


def test_score_error_is_put_where_it_is():
    """An error planted only where the data is rare appears only in the bins of low density."""
    level = at_log_snr(3.0)
    edge = float(RING.log_density([[float(level[0]), 0.0]], *level)[0])

    def rare(z, lam):
        far = torch.as_tensor(edge - RING.log_density(z.numpy(), *level) > 5.0)
        return 0.3 * far[:, None].to(z)

    found = score_error_by_density(
        ExactNetwork(planted=rare), RING, np.random.default_rng(3), log_snrs=(3.0,)
    )
    near, far = found[found.below < 2.0], found[found.below > 3.5]
    assert len(near) > 1
    assert len(far) > 1
    assert near.error.max() < 1e-9
    assert far.error.to_numpy() == pytest.approx(0.3)


@pytest.mark.slow
def test_likelihood_of_an_exact_network_is_the_exact_one():
    level = at_log_snr(6.0)
    z = RING.sample_diffused(32, *level, np.random.default_rng(4))
    prior = RING.diffused(*at_log_snr(-8.0)).log_density
    for prediction in ("eps", "u"):
        found = log_likelihood(
            ExactNetwork(prediction=prediction), z, start=6.0, stop=-8.0, steps=300, prior=prior
        )
        assert found.log_density == pytest.approx(RING.log_density(z, *level), abs=1e-5)


@pytest.mark.slow
def test_hutchinson_is_unbiased_and_a_wrong_divergence_is_seen():
    level = at_log_snr(4.0)
    z = np.repeat(RING.sample_diffused(1, *level, np.random.default_rng(5)), 400, 0)
    network, rng = ExactNetwork(planted=wave(0.2)), np.random.default_rng(6)
    exact = log_likelihood(network, z[:1], start=4.0, stop=-6.0, steps=40).log_density[0]
    draws = log_likelihood(
        network, z, start=4.0, stop=-6.0, steps=40, divergence="hutchinson", rng=rng
    ).log_density
    error = draws.std() / 20
    assert error > 0
    assert abs(draws.mean() - exact) < 5 * error
    wrong = log_likelihood(network, z[:1], start=4.0, stop=-6.0, steps=40, of_divergence=0.9)
    assert abs(wrong.log_density[0] - exact) > 0.1


@pytest.mark.slow
def test_the_law_of_samples():
    rng = np.random.default_rng(7)
    law = ExactLaw(RING, 1000, rng, names=None)
    exact = RING.sample(1000, rng)
    for name, floor in law.floors.items():
        assert law.distance(name, exact).value < 2 * floor.mean
    away = law.sliced_w2(exact + np.array([0.3, 0.0]))
    # a shift by a moves a projection by a·u: √(|a|²/2) on average
    assert away.low < np.hypot(0.3 / np.sqrt(2), law.floor) < away.high + 0.05
    lost = RING.sample(4000, rng)
    lost = lost[lost[:, 0] < 0.5][:1000]  # the mode at (1, 0) is missing
    assert law.distance("mode_weights", lost).value == pytest.approx(0.25, abs=0.03)
    with pytest.raises(ValueError, match="shape"):
        law.sliced_w2(np.zeros((3, 2)))


@pytest.mark.parametrize("name", [n for n in METRICS if not n.startswith("distance to")])
def test_distances_of_samples_vanish_for_one_law_and_not_for_two(name):
    rng = np.random.default_rng(8)
    x, same, other = (rng.standard_normal((400, 3)) + m for m in (0.0, 0.0, 0.5))
    assert METRICS[name](x, same) < 0.5 * METRICS[name](x, other)


@pytest.mark.slow
def test_energy_distance_has_its_closed_form():
    """Two Gaussians on a line, mean m apart: 2 E|X − Y| − 4/√π with X − Y ~ N(m, 2)."""
    from scipy.stats import norm

    rng, m = np.random.default_rng(9), 1.0
    x, y = rng.standard_normal((2, 3000, 1))
    across = 2 * norm.pdf(m / 2**0.5) * 2**0.5 + m * (2 * norm.cdf(m / 2**0.5) - 1)
    assert METRICS["energy distance"](x, y + m) == pytest.approx(
        2 * across - 4 / np.sqrt(np.pi), abs=0.06
    )


@pytest.mark.slow
def test_held_out_distances_have_their_floor():
    rng = np.random.default_rng(10)
    train, held_out, x = (rng.uniform(-2, 2, (n, 4)) for n in (600, 200, 500))
    good = distances(x, train, held_out, rng, replicas=10)
    bad = distances(train[:500] + 1.0, train, held_out, rng, replicas=10)
    copies = distances(train[:500], train, held_out, rng, replicas=10)
    for metric in ("energy distance", "sliced W₂", "MMD²"):
        a, b = (t.set_index("metric").loc[metric] for t in (good, bad))
        assert a["low"] <= a["floor_high"] * 1.2
        assert b["value"] > 2 * b["floor_high"]
    near = copies.set_index("metric").loc["distance to the nearest training point"]
    assert near["value"] == 0.0
    assert near["floor"] > 0.3
