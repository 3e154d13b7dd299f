"""Paths, fields and scores: each part of a check is needed, and its tools are right."""

from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytic import GaussianMixture
from dfbench.levels import Level
from dfbench.literature import ROWS
from dfbench.literature import c03_continuity_and_fokker_planck as c03
from dfbench.literature import c06_brownian_motion as c06
from dfbench.literature import c07_sde_extension as c07
from dfbench.literature import c09_chain_tends_to_sde as c09
from dfbench.literature import c10_posterior_is_reverse_sde as c10
from dfbench.literature import c11_time_and_couplings as c11
from dfbench.literature.calculus import (
    derivative,
    divergence,
    laplacian,
    order,
    second_derivative,
)
from dfbench.literature.posterior import moments
from dfbench.literature.transport import Motion
from dfbench.samplers.method import brownian_covariance
from dfbench.schedules import LinearVP
from dfbench.testing import couplings, schedules


@pytest.mark.slow(quick=4)
@pytest.mark.parametrize(
    ("number", "broken"),
    [
        (3, c03.Fields(velocity=1 + 1e-6)),
        (3, c03.Fields(diffusion=1 + 1e-6)),
        (6, c06.BrownianNoise(eta=1e-3)),
        (6, c06.BrownianNoise(power=0.501)),
        (6, c06.BrownianNoise(covariance=lambda spans: 2 * np.asarray(brownian_covariance(spans)))),
        (7, c07.Extension(score=0.0)),
        (7, c07.Extension(score=-1.0)),
        (10, c10.reverse_step(0.9)),
        (10, c10.reverse_step(0.0)),
        (11, c11.TwoSided(other_end=0.0)),
        (11, c11.TwoSided(reversed_sign=1.0)),
    ],
)
def test_every_part_is_needed(number, broken):
    assert ROWS[number](broken).verdict == "fail"


def test_published_sizes():
    """The numbers that the report quotes."""
    chain = c09.check(c09.ddpm_chain())
    lost = chain.quantities["relative error of α² at DDPM's N = 1000"]
    betas = np.linspace(1e-4, 0.02, 1000)
    assert lost == pytest.approx(np.exp(np.log1p(-betas).sum() + 10.05) - 1, rel=1e-9)
    spread = c07.check(c07.Extension()).quantities
    # Without the score the relative excess of variance is ∫ ε²/V dt.
    t = np.linspace(0.06, 0.95, 20001)
    v = LinearVP().alpha(t) ** 2 * 0.25 + LinearVP().sigma(t) ** 2
    excess = np.trapezoid(4.0 / v, t)
    dropped, kept = (f"variance at t = 0.06, {how}" for how in ("score left out", "marginal"))
    ratio = spread[dropped] / spread[kept]
    assert ratio == pytest.approx(1 + excess, rel=1e-4)


def test_differences_have_order_eight():
    h = 0.2 * 0.5 ** np.arange(3)
    first = np.array([abs(derivative(np.sin, 0.7, x) - np.cos(0.7)) for x in h])
    second = np.array([abs(second_derivative(np.cos, 0.7, x) + np.cos(0.7)) for x in h])
    assert order(h[:2], first[:2]) == pytest.approx(8, abs=0.2)
    assert order(h[:2], second[:2]) == pytest.approx(8, abs=0.2)
    z = np.array([[0.3, -0.5], [1.0, 0.2]])
    found = divergence(lambda y: np.stack([y[:, 0] ** 2 * y[:, 1], np.sin(y[:, 1])], 1), z, 1e-2)
    np.testing.assert_allclose(found, 2 * z[:, 0] * z[:, 1] + np.cos(z[:, 1]), atol=1e-12)
    found = laplacian(lambda y: y[:, 0] ** 3 * y[:, 1] ** 2, z, 1e-2)
    truth = 6 * z[:, 0] * z[:, 1] ** 2 + 2 * z[:, 0] ** 3
    np.testing.assert_allclose(found, truth, atol=1e-10)


@pytest.mark.slow
def test_posterior_moments_against_mpmath():
    target = GaussianMixture.isotropic([0.3, 0.7], [[-1.0], [0.8]], [0.04, 0.5])
    level, z = Level(0.6, 0.5), np.array([-1.3, 0.4])
    for i, point in enumerate(z):

        def weight(x, point=point):
            p = sum(
                w * mp.npdf(x, m, mp.sqrt(v))
                for w, m, v in zip(
                    target.weights, target.means[:, 0], target.spectra[:, 0], strict=True
                )
            )
            return p * mp.npdf(point, level.alpha * x, level.sigma)

        span = [-8, -1.6, -1, -0.4, 1, 8]
        mass = mp.quad(weight, span)
        mean = mp.quad(lambda x, w=weight: x * w(x), span) / mass
        spread = mp.quad(lambda x, w=weight, m=mean: (x - m) ** 2 * w(x), span) / mass
        found = [float(part[i]) for part in moments(target, level, z)]
        np.testing.assert_allclose(found, [float(mass), float(mean), float(spread)], rtol=1e-12)


def test_motion_of_the_heat_kernel():
    """p = N(0, 1 + t) obeys ∂p = ½ Δp, and does not obey ∂p = ½ 1.001 Δp."""

    def density(t, z):
        return np.exp(-0.5 * z[:, 0] ** 2 / (1 + t)) / np.sqrt(1 + t)

    motion = Motion(density, 0.5, np.linspace(-3, 3, 9)[:, None], 1.0, 1.0)
    assert motion.residual(lambda z: 0 * z, 1.0) < 1e-11
    assert motion.residual(lambda z: 0 * z, 1.001) > 1e-4
    assert replace(motion, t=1.0).residual(lambda z: z / 4) < 1e-11  # the flow of the same law


@given(schedule=schedules(), t=st.floats(0.01, 0.99))
def test_drawn_schedules_are_schedules(schedule, t):
    alpha, sigma = schedule.level(t)
    assert alpha > 0
    assert sigma > 0
    assert schedule.log_snr_dot(t) < 0
    assert schedule.g2(t) > 0


@given(coupling=couplings())
def test_drawn_couplings_have_the_marginals(coupling):
    np.testing.assert_allclose(coupling.coupling.sum(1), coupling.x.weights, atol=1e-12)
    np.testing.assert_allclose(coupling.coupling.sum(0), coupling.y.weights, atol=1e-12)
