"""Weightings against each paper's loss, estimated as the paper draws it, and their closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from dfbench.schedules import SCHEDULES, VE, Cosine, FlowMatching, LinearVP
from dfbench.weightings import (
    P2,
    WEIGHTINGS,
    EDMWeighting,
    LogitNormal,
    MinSNR,
    effective_weighting,
    log_snr_density,
    normalised,
    total_variation,
)

LAM = np.linspace(-12, 12, 25)


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_named(name: str) -> None:
    weight = WEIGHTINGS[name]()
    assert weight.source
    assert weight.formula
    value = weight(LAM)
    assert value.shape == LAM.shape
    assert (value >= 0).all()
    assert weight(0.0).shape == ()
    assert float(weight(0.0)) == pytest.approx(value[12])
    assert not np.isnan(weight([-2000.0, 2000.0])).any()


def eps_loss(lam: np.ndarray) -> np.ndarray:
    """Some E|ε̂ − ε|² that falls fast at both ends."""
    return np.asarray(np.exp(-((lam - 0.5) ** 2) / 4))


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        # (λ of a uniform or normal draw, factor in front of |x̂ − x|² or of what is predicted)
        ("edm", lambda n: (2.4 - 2.4 * n, lambda lam: (np.exp(-lam) + 0.25) / (np.exp(-lam) / 4))),
        ("sd3", lambda n: (-2 * n, lambda lam: (1 + np.exp(lam / 2)) ** 2)),
    ],
)
def test_normal_draws(name: str, drawn: object) -> None:
    """The paper's expectation over its own variable, factors of |x̂ − x|² = e^(−λ)|ε̂ − ε|²."""

    def integrand(n: float) -> float:
        lam, factor = drawn(n)  # type: ignore[operator]
        density = np.exp(-n * n / 2) / np.sqrt(2 * np.pi)
        return float(density * factor(lam) * np.exp(-lam) * eps_loss(np.asarray(lam)))

    direct = quad(integrand, -10, 10, limit=200, epsabs=1e-12)[0]
    weight = WEIGHTINGS[name]()
    by_lam = quad(lambda at: float(weight(at) * eps_loss(np.asarray(at))), -12, 12, limit=200)[0]
    assert by_lam == pytest.approx(direct, rel=1e-8)


def test_uniform_draws_on_the_flow() -> None:
    """E_t|û − u|² with t uniform: |û − u|² = |ε̂ − ε|²/(1 − t)²."""

    def integrand(t: float) -> float:
        return float(eps_loss(2 * np.log((1 - t) / np.asarray(t))) / (1 - t) ** 2)

    direct = quad(integrand, 1e-6, 1 - 1e-6, limit=400)[0]
    weight = WEIGHTINGS["flow_matching"]()
    assert quad(lambda at: float(weight(at) * eps_loss(np.asarray(at))), -20, 20)[
        0
    ] == pytest.approx(direct, rel=1e-7)


@pytest.mark.parametrize("name", ["flow_matching", "cosine", "linear_vp", "sub_vp", "ve", "edm"])
def test_density_is_the_slope_of_the_inverse(name: str) -> None:
    schedule = SCHEDULES[name]()
    lam = np.array([-1.5, 0.0, 1.5])
    slope = (schedule.t_of_log_snr(lam - 1e-5) - schedule.t_of_log_snr(lam + 1e-5)) / 2e-5
    np.testing.assert_allclose(log_snr_density(schedule, lam), slope, rtol=1e-6)


def test_outside_the_schedule() -> None:
    schedule = VE(0.1, 10.0)
    lam = np.array([-5.0, 0.0, 5.0])
    assert (log_snr_density(schedule, lam) > 0).tolist() == [False, True, False]
    assert (effective_weighting("x", schedule)(lam) > 0).tolist() == [False, True, False]


def test_effective() -> None:
    """Score under VP: c² = 1/σ²; velocity on the flow is u; factor and density multiply."""
    vp = LinearVP()
    sigma2 = 1 / (1 + np.exp(LAM))
    inside = vp.log_snr(1.0) < LAM
    ratio = effective_weighting("score", vp)(LAM) / log_snr_density(vp, LAM).clip(1e-300)
    np.testing.assert_allclose(ratio[inside], 1 / sigma2[inside], rtol=1e-9)
    u, velocity = (effective_weighting(kind, FlowMatching())(LAM) for kind in ("u", "velocity"))
    np.testing.assert_allclose(u, velocity, rtol=1e-12)
    made = effective_weighting("eps", Cosine(), lambda lam: 3 + 0 * lam, lambda lam: 2 + 0 * lam)
    np.testing.assert_allclose(made(LAM), 6.0)


def test_edm_monotonic() -> None:
    lam = np.linspace(-15, 15, 3001)
    plain, flat = EDMWeighting()(lam), WEIGHTINGS["edm_monotonic"]()(lam)
    assert (np.diff(flat) <= 1e-15).all()
    np.testing.assert_allclose(flat, np.maximum.accumulate(plain[::-1])[::-1], rtol=1e-5)


def test_normalised_and_total_variation() -> None:
    density = normalised(EDMWeighting(), -30, 30)
    assert quad(lambda at: float(density(np.asarray(at))), -30, 30)[0] == pytest.approx(1, rel=1e-8)
    assert total_variation(EDMWeighting(), EDMWeighting(), -9, 9) == 0
    box = [lambda lam, a=a: (np.abs(lam - a) < 1).astype(float) for a in (-4.0, 4.0)]
    assert total_variation(box[0], box[1], -8, 8) == pytest.approx(1)
    with pytest.raises(ValueError, match="integral"):
        normalised(lambda lam: 0 * lam, 0, 1)
    with pytest.raises(ValueError, match="low < high"):
        normalised(EDMWeighting(), 1, 0)


@pytest.mark.parametrize(
    "make",
    [lambda: EDMWeighting(p_std=0), lambda: MinSNR(0), lambda: P2(k=0), lambda: LogitNormal(std=0)],
)
def test_refuses(make: object) -> None:
    with pytest.raises(ValueError, match="need"):
        make()  # type: ignore[operator]
