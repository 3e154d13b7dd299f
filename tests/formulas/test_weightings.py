"""Every named weighting from its paper's loss, and what weightings are compared by."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from dfbench.schedules import Cosine, FlowMatching
from dfbench.weightings import (
    P2,
    WEIGHTINGS,
    EDMMonotonic,
    EDMWeighting,
    LogitNormal,
    MinSNR,
    cosine_density,
    effective_weighting,
    log_snr_density,
    normalised,
    total_variation,
)
from tests.formulas.dense import close

LAM = np.linspace(-20.0, 20.0, 401)
BOUND = 1e-10  # round-off: at |λ| = 20 a time keeps 1e-16/e^(−10) = 5e-12 of its distance to 1
COSINE, FLOW = Cosine(), FlowMatching()


def snr(lam):
    return np.exp(lam)


def edm(law, sigma_data):
    """EDM's loss, with λ drawn from a law."""
    return effective_weighting("edm", FLOW, None, law.pdf, sigma_data=sigma_data)


def held(weight):
    """A weighting with one maximum, held at it below its place."""
    top = minimize_scalar(
        lambda at: -float(weight(np.array(at))),
        bounds=(-10, 10),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return lambda lam: np.where(lam < top.x, -top.fun, weight(lam))


#: Losses in t: prediction, schedule, factor and density of λ. Other constants than the named ones
#: too: a constant that is one or zero hides where it stands.
LOSSES = {
    "elbo": (WEIGHTINGS["elbo"](), lambda lam: np.full_like(lam, 0.5)),
    "sigmoid": (WEIGHTINGS["sigmoid"](), lambda lam: 0.5 / (1 + np.exp(lam - 2))),
    "eps_cosine": (WEIGHTINGS["eps_cosine"](), effective_weighting("eps", COSINE)),
    "v_cosine": (WEIGHTINGS["v_cosine"](), effective_weighting("v", COSINE)),
    "flow_matching": (WEIGHTINGS["flow_matching"](), effective_weighting("u", FLOW)),
    "indi": (WEIGHTINGS["indi"](), effective_weighting("x", FLOW)),
    "min_snr": (
        WEIGHTINGS["min_snr"](),
        effective_weighting("x", COSINE, lambda lam: np.minimum(snr(lam), 5.0)),
    ),
    "min_snr, γ = 2": (
        MinSNR(gamma=2.0),
        effective_weighting("x", COSINE, lambda lam: np.minimum(snr(lam), 2.0)),
    ),
    "truncated_snr": (
        WEIGHTINGS["truncated_snr"](),
        effective_weighting("x", COSINE, lambda lam: np.maximum(snr(lam), 1)),
    ),
    "p2": (
        WEIGHTINGS["p2"](),
        effective_weighting("eps", COSINE, lambda lam: 1 / (1 + snr(lam))),
    ),
    "p2, γ = ½ and k = 0.3": (
        P2(gamma=0.5, k=0.3),
        effective_weighting("eps", COSINE, lambda lam: (0.3 + snr(lam)) ** -0.5),
    ),
    "sd3": (WEIGHTINGS["sd3"](), effective_weighting("u", FLOW, None, norm(0.0, 2.0).pdf)),
    # logit t ~ N(0.3, 0.8²), σ/α = 2 t/(1 − t): λ = −2 logit t − 2 log 2
    "sd3, other constants": (
        LogitNormal(mean=0.3, std=0.8, shift=2.0),
        effective_weighting("u", FLOW, None, norm(-0.6 - 2 * math.log(2.0), 1.6).pdf),
    ),
    "edm": (WEIGHTINGS["edm"](), edm(norm(2.4, 2.4), 0.5)),
    "edm, other constants": (EDMWeighting(-0.4, 1.0, 0.7), edm(norm(0.8, 2.0), 0.7)),
    "edm_monotonic": (WEIGHTINGS["edm_monotonic"](), held(edm(norm(2.4, 2.4), 0.5))),
    "edm_monotonic, other constants": (
        EDMMonotonic(-0.4, 1.0, 0.7),
        held(edm(norm(0.8, 2.0), 0.7)),
    ),
}


def test_every_named_weighting_is_derived():
    assert set(WEIGHTINGS) <= set(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_a_weighting_is_that_of_its_papers_loss(name):
    weighting, derived = LOSSES[name]
    close(derived(LAM) / weighting(LAM), 1, BOUND)


@pytest.mark.parametrize(
    ("density", "schedule"),
    [(cosine_density, COSINE), (lambda lam: 1 / (8 * np.cosh(lam / 4) ** 2), FLOW)],
    ids=["cosine", "flow"],
)
def test_density_of_a_schedule(density, schedule):
    close(log_snr_density(schedule, LAM) / density(LAM), 1, BOUND)


def test_at_the_ends_of_a_part_of_a_schedule_and_beyond():
    """On which t is uniform."""
    ends = np.array([-5.0, 6.0])
    part = float(np.diff(2 / np.pi * np.arctan(np.exp(ends / 2)))[0])
    cut = effective_weighting("v", Cosine(*ends))
    close(cut(ends) * part / effective_weighting("v", COSINE)(ends), 1, BOUND)
    close(cut(np.array([-5.1, 6.1, 9.0])), 0, 0)
    close(log_snr_density(Cosine(*ends), np.array([-5.1, 6.1])), 0, 0)


def test_a_normalised_weighting_has_mass_one():
    """Over a range that cuts it at both ends; Gauss–Legendre of an entire function."""
    bell = normalised(lambda lam: 3 * norm.pdf(lam, 1, 2), -2.0, 6.0)
    close(quad(bell, -2.0, 6.0, epsabs=1e-13)[0], 1, 1e-12)


def test_total_variation_of_two_bells():
    """2 Φ(¼) − 1 of N(0, 2²) and N(1, 2²), whatever their factors; a kink in one panel of 0.3."""
    found = total_variation(lambda lam: 3 * norm.pdf(lam, 0, 2), norm(1, 2).pdf, -30.0, 30.0)
    close(found, 2 * norm.cdf(0.25) - 1, 1e-5)
