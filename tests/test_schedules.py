"""Schedules against mpmath, differences, closed forms and round trips; each with a control."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfbench.schedules import (
    EDM,
    SCHEDULES,
    VE,
    Cosine,
    DiscreteSchedule,
    FlowMatching,
    FunctionSchedule,
    LinearVP,
    Schedule,
    SDESchedule,
    Shifted,
    SubVP,
    at_log_snr,
)
from dfbench.schedules.numerics import ComplexStep, Differences, derivative

INSIDE = np.linspace(0.02, 0.98, 25)
CLOSED = [name for name in SCHEDULES if not name.startswith("ddpm")]
Pair = tuple[mp.mpf, mp.mpf]


def vp_mp(t: mp.mpf) -> Pair:
    b = mp.mpf("0.1") * t + mp.mpf("19.9") * t**2 / 2
    return mp.exp(-b / 2), mp.sqrt(1 - mp.exp(-b))


def sub_vp_mp(t: mp.mpf) -> Pair:
    alpha, sigma = vp_mp(t)
    return alpha, sigma**2


EXACT: dict[str, Callable[[mp.mpf], Pair]] = {
    "flow_matching": lambda t: (1 - t, t),
    "flow_matching_sd3": lambda t: ((1 - t) / (1 + 2 * t), 3 * t / (1 + 2 * t)),
    "cosine": lambda t: (mp.cos(mp.pi * t / 2), mp.sin(mp.pi * t / 2)),
    "linear_vp": vp_mp,
    "sub_vp": sub_vp_mp,
    "ve": lambda t: (mp.mpf(1), mp.mpf(0.01) * (50 / mp.mpf(0.01)) ** t),
    "edm": lambda t: (mp.mpf(1), 80 * t),
}


def worst(schedule: Schedule, exact: Callable[[mp.mpf], Pair], times: list[float]) -> float:
    """Largest relative error of α, σ, α̇, σ̇, λ, λ̇, f and g² against 50 digits or more."""
    error = 0.0
    with mp.workdps(100):
        for time in times:
            t = mp.mpf(time)
            alpha, sigma = exact(t)
            h = min(t, 1 - t) * mp.mpf("1e-12")
            (alpha_m, sigma_m), (alpha_p, sigma_p) = exact(t - h), exact(t + h)
            alpha_dot, sigma_dot = (alpha_p - alpha_m) / (2 * h), (sigma_p - sigma_m) / (2 * h)
            f = alpha_dot / alpha
            pairs = [
                (schedule.alpha(time), alpha),
                (schedule.sigma(time), sigma),
                (schedule.alpha_dot(time), alpha_dot),
                (schedule.sigma_dot(time), sigma_dot),
                (schedule.log_snr_dot(time), 2 * (f - sigma_dot / sigma)),
                (schedule.f(time), f),
                (schedule.g2(time), 2 * sigma * (sigma_dot - f * sigma)),
            ]
            for value, true in pairs:
                error = max(error, float(abs(value - true) / (abs(true) if true else 1)))
            # λ crosses zero: its error is absolute where it is small
            lam = 2 * mp.log(alpha / sigma)
            error = max(error, float(abs(schedule.log_snr(time) - lam) / (1 + abs(lam))))
    return error


@pytest.mark.parametrize("name", EXACT)
def test_levels_and_rates_to_rounding_from_end_to_end(name: str) -> None:
    times = [1e-30, 1e-17, 1e-9, 1e-3, 0.1, 0.37, 0.5, 0.8, 0.999, 1 - 1e-9, 1 - 2**-53]
    assert worst(SCHEDULES[name](), EXACT[name], times) < 1e-14


def test_control_the_textbook_sigma_of_linear_vp_cancels() -> None:
    """σ = √(1 − α²) is 0 at t = 1e-17, and half its digits are gone at 1e-9."""
    vp = LinearVP()
    t = np.array([1e-17, 1e-9])
    textbook = np.sqrt(1 - vp.alpha(t) ** 2)
    assert textbook[0] == 0
    assert abs(textbook[1] / vp.sigma(t)[1] - 1) > 1e-9
    wrong = FunctionSchedule(vp.alpha, lambda s: np.sqrt(1 - vp.alpha(s) ** 2))
    assert worst(wrong, vp_mp, [1e-9]) > 1e-9


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_the_derivatives(name: str) -> None:
    schedule = SCHEDULES[name]()
    t = INSIDE[(INSIDE > 0.1) & (INSIDE < 0.9)]
    if name.startswith("ddpm"):  # away from the knots of a piecewise function
        t, h = (np.arange(10, 990, 40) + 0.5) / 999, 1e-5

        def slope(function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
            return (function(t + h) - function(t - h)) / (2 * h)

        bound = 1e-4
    else:

        def slope(function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
            return Differences(function)(t)

        bound = 1e-7
    for value, rate in (
        (schedule.alpha, schedule.alpha_dot),
        (schedule.sigma, schedule.sigma_dot),
        (schedule.log_snr, schedule.log_snr_dot),
    ):
        np.testing.assert_allclose(rate(t), slope(value), rtol=bound, atol=bound)
    with pytest.raises(AssertionError):  # control
        np.testing.assert_allclose(-schedule.log_snr_dot(t), slope(schedule.log_snr), rtol=bound)
    ratio_dot = slope(lambda s: schedule.sigma(s) / schedule.alpha(s))
    g2 = 2 * schedule.alpha(t) * schedule.sigma(t) * ratio_dot
    np.testing.assert_allclose(schedule.g2(t), g2, rtol=30 * bound)


@pytest.mark.parametrize("name", SCHEDULES)
@settings(max_examples=30, deadline=None)
@given(fraction=st.floats(0, 1))
def test_log_snr_round_trip(name: str, fraction: float) -> None:
    """t → λ → t is exact to the rounding of λ, divided by its slope."""
    schedule = SCHEDULES[name]()
    lam = schedule.log_snr(fraction)
    back = schedule.t_of_log_snr(lam)
    slope = abs(schedule.log_snr_dot(fraction))
    slack = 8e-16 * (1 + (abs(lam) / slope if math.isfinite(lam) else 0.0) + 1 / slope)
    assert abs(back - fraction) <= slack * 8
    assert abs(back - fraction * 0.9) > slack * 8 or fraction < 1e-12  # control


def test_generic_inverse_equals_the_closed_ones() -> None:
    for schedule in (FlowMatching(), Cosine(), LinearVP(), SubVP(), VE(), EDM()):
        # λ_VE(0) is finite, so that λ keeps the absolute and not the relative precision of t
        t = np.array([0.1 if isinstance(schedule, VE) else 1e-12, 0.3, 0.7, 0.9999])
        lam = schedule.log_snr(t)
        generic = Schedule._t_of_log_snr(schedule, lam)
        np.testing.assert_allclose(generic, schedule.t_of_log_snr(lam), rtol=1e-13)


def test_ends() -> None:
    assert FlowMatching().level(1) == (0, 1)
    assert FlowMatching().level(0) == (1, 0)
    assert Cosine().level(1) == (0, 1)
    assert FlowMatching().log_snr(1.0) == -math.inf
    assert FlowMatching().t_of_log_snr(-math.inf) == 1
    assert FlowMatching().t_of_log_snr(math.inf) == 0
    assert FlowMatching().g2(1.0) == math.inf
    assert LinearVP().g2(0.0) == 0.1  # 2 σ σ̇ is 0 · ∞ there
    assert LinearVP(0.0, 20.0).rates(0.0) == (0.0, pytest.approx(math.sqrt(10), rel=1e-15))
    assert LinearVP().rates(0.0)[1] == math.inf
    # α² = 1/(1 + s² (e^B − 1)): α̇(0) = −s² β_min/2, though σ = 0 and σ̇ = ∞ there
    assert Shifted(LinearVP(), 2.0).rates(0.0) == (pytest.approx(-0.2, rel=1e-15), math.inf)
    assert VE().level(1) == (1, 50)
    assert VE().level(0) == (1, 0.01)


def test_float_in_float_out_array_in_array_out() -> None:
    schedule = LinearVP()
    assert type(schedule.alpha(0.5)) is float
    assert schedule.alpha(np.full((2, 3), 0.5)).shape == (2, 3)
    assert schedule.t_of_log_snr(np.zeros((2, 1))).shape == (2, 1)
    assert schedule == pickle.loads(pickle.dumps(schedule))


@pytest.mark.parametrize("t", [-1e-9, 1.0001, math.nan, math.inf])
def test_times_outside_raise(t: float) -> None:
    for method in (FlowMatching().alpha, Cosine().log_snr, VE().f, EDM().level, SubVP().rates):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            method(t)


def test_log_snr_outside_raises() -> None:
    with pytest.raises(ValueError, match="must be in"):
        VE().t_of_log_snr(50.0)
    with pytest.raises(ValueError, match="must be in"):
        LinearVP().t_of_log_snr(math.nan)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinearVP(20, 0.1),
        lambda: LinearVP(0, 0),
        lambda: VE(1, 1),
        lambda: EDM(0),
        lambda: Cosine(3, 3),
        lambda: Shifted(VE(), 0),
        lambda: Shifted(VE(), 1, "vpp"),
        lambda: LinearVP(0.1, math.nan),
    ],
)
def test_impossible_constants_raise(make: Callable[[], Schedule]) -> None:
    with pytest.raises(ValueError, match=r"need|must"):
        make()


# Cosine, shifts, scales ---------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(low=st.floats(-60, -0.1), high=st.floats(0.1, 60), t=st.floats(0, 1))
def test_truncated_cosine_is_simple_diffusions(low: float, high: float, t: float) -> None:
    """λ(t) = −2 log tan(a + t (b − a)), a = arctan e^(−λ_max/2), b = arctan e^(−λ_min/2)."""
    with mp.workdps(40):
        a, b = mp.atan(mp.exp(-mp.mpf(high) / 2)), mp.atan(mp.exp(-mp.mpf(low) / 2))
        lam = -2 * mp.log(mp.tan(a + mp.mpf(t) * (b - a)))
        assert abs(Cosine(low, high).log_snr(t) - lam) < 2e-14 * (1 + abs(lam))
    clipped = Cosine(low, high)
    assert clipped.log_snr(0.0) == pytest.approx(high, rel=1e-13, abs=1e-13)
    assert clipped.log_snr(1.0) == pytest.approx(low, rel=1e-13, abs=1e-13)


@settings(max_examples=50, deadline=None)
@given(s=st.floats(0.05, 20), t=st.floats(0.001, 0.999))
def test_shift(s: float, t: float) -> None:
    """Every base: λ − 2 log s in the base's scale; on the flow path also SD3's time shift."""
    for base in (FlowMatching(), Cosine(), LinearVP(), SubVP(), VE(), EDM()):
        shifted = Shifted(base, s)
        lam = base.log_snr(t) - 2 * math.log(s)
        assert shifted.log_snr(t) == pytest.approx(lam, rel=1e-12, abs=1e-12)
        alpha, sigma = shifted.level(t)
        assert 2 * math.log(alpha / sigma) == pytest.approx(lam, rel=1e-12, abs=1e-12)
        if base.scale is not None:
            assert (alpha, sigma) == pytest.approx(at_log_snr(lam, base.scale), rel=1e-12)
    moved = FlowMatching().level(s * t / (1 + (s - 1) * t))
    assert Shifted(FlowMatching(), s).level(t) == pytest.approx(moved, rel=1e-12)
    if abs(s - 1) > 0.01:  # control: the reciprocal shift
        assert Shifted(FlowMatching(), 1 / s).level(t) != pytest.approx(moved, rel=1e-4)


@pytest.mark.parametrize("to_scale", ["vp", "flow", "ve"])
@pytest.mark.parametrize("name", CLOSED)
def test_rates_f_g2_of_shifted(name: str, to_scale: str) -> None:
    base = SCHEDULES[name]()
    shifted = Shifted(base, 2.5, to_scale)
    t = np.linspace(0.05, 0.9, 9)
    for value, rate in ((shifted.alpha, shifted.alpha_dot), (shifted.sigma, shifted.sigma_dot)):
        np.testing.assert_allclose(rate(t), Differences(value)(t), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(shifted.g2(t), Schedule._g2(shifted, t), rtol=1e-11)
    np.testing.assert_allclose(shifted.t_of_log_snr(shifted.log_snr(t)), t, rtol=1e-11)


def test_flow_in_vp_scale_and_the_misprinted_factor() -> None:
    """P1 (GAO): the factor that makes the flow path variance preserving is the *root* of the
    printed 1/[(1 − t)² + t²]."""
    t = INSIDE
    vp = Shifted(FlowMatching(), 1.0, "vp")
    np.testing.assert_allclose(vp.alpha(t) ** 2 + vp.sigma(t) ** 2, 1, rtol=1e-15)
    norm2 = (1 - t) ** 2 + t**2
    np.testing.assert_allclose(vp.alpha(t), (1 - t) / np.sqrt(norm2), rtol=1e-15)
    printed = FlowMatching().scaled(lambda s: 1 / ((1 - s) ** 2 + s**2))
    error = np.abs(printed.alpha(t) ** 2 + printed.sigma(t) ** 2 - 1)
    np.testing.assert_allclose(error, 1 / norm2 - 1, atol=1e-14)  # up to 1 at t = ½
    assert error.max() > 0.99


@settings(max_examples=30, deadline=None)
@given(a=st.floats(-2, 2), b=st.floats(-2, 2), t=st.floats(0.01, 0.99))
def test_scaled(a: float, b: float, t: float) -> None:
    def c(s: np.ndarray) -> np.ndarray:
        return np.exp(a * s + b * s**2)

    base = LinearVP()
    given_rate = base.scaled(c, lambda s: (a + 2 * b * s) * c(s))
    found_rate = base.scaled(c)
    factor = math.exp(a * t + b * t * t)
    assert given_rate.log_snr(t) == base.log_snr(t)
    assert given_rate.level(t) == pytest.approx(tuple(factor * np.array(base.level(t))), rel=1e-13)
    assert given_rate.f(t) == pytest.approx(base.f(t) + a + 2 * b * t, rel=1e-12, abs=1e-12)
    assert given_rate.g2(t) == pytest.approx(factor**2 * base.g2(t), rel=1e-12)
    for value, rate in ((base.alpha, given_rate.alpha_dot), (base.sigma, given_rate.sigma_dot)):
        slope = (factor * (a + 2 * b * t)) * value(t)
        slope += factor * base.rates(t)[value == base.sigma]
        assert rate(t) == pytest.approx(slope, rel=1e-12, abs=1e-12)
    assert found_rate.rates(t) == pytest.approx(given_rate.rates(t), rel=1e-12, abs=1e-12)


def test_scaling_by_a_negative_function_raises() -> None:
    with pytest.raises(ValueError, match="positive"):
        FlowMatching().scaled(lambda s: s - 0.5).alpha(0.2)


@settings(max_examples=50, deadline=None)
@given(st.floats(-1200, 1200))
def test_at_log_snr(lam: float) -> None:
    with mp.workdps(40):
        r = mp.exp(-mp.mpf(lam) / 2)
        exact = {
            "vp": (1 / mp.sqrt(1 + r * r), r / mp.sqrt(1 + r * r)),
            "flow": (1 / (1 + r), r / (1 + r)),
            "ve": (mp.mpf(1), r),
        }
        for scale, level in exact.items():
            for value, true in zip(at_log_snr(lam, scale), level, strict=True):
                assert abs(value - true) <= 1e-13 * true + mp.mpf("1e-160")


def test_at_log_snr_refuses() -> None:
    with pytest.raises(ValueError, match="scale"):
        at_log_snr(0.0, "sub")
    with pytest.raises(ValueError, match="NaN"):
        at_log_snr(math.nan)


# A user's functions -------------------------------------------------------------------------------


def test_from_functions_finds_rates_by_the_complex_step() -> None:
    user = FunctionSchedule(lambda t: np.cos(np.pi * t / 2), lambda t: np.sin(np.pi * t / 2))
    np.testing.assert_allclose(user.rates(INSIDE), Cosine().rates(INSIDE), rtol=1e-14)
    np.testing.assert_allclose(user.t_of_log_snr(user.log_snr(INSIDE)), INSIDE, rtol=1e-13)
    assert user.rates(0.0) == pytest.approx((0.0, math.pi / 2))


@pytest.mark.parametrize("alpha", [lambda t: math.cos(math.pi * t / 2), lambda t: 1.0])
def test_from_functions_of_one_number_by_differences(alpha: Callable[[float], float]) -> None:
    user = FunctionSchedule(alpha, lambda t: 2 * math.sin(math.pi * t / 2))
    exact = np.pi * np.cos(np.pi * INSIDE / 2)
    np.testing.assert_allclose(user.sigma_dot(INSIDE), exact, rtol=1e-10)
    assert user.sigma_dot(0.0) == pytest.approx(math.pi, rel=1e-10)


def test_derivative_notices_code_that_is_not_analytic() -> None:
    """|·| loses the imaginary part: the complex step alone would return zero."""

    def formula(t: np.ndarray) -> np.ndarray:
        return np.abs(np.sin(t)) + 1

    assert isinstance(derivative(np.sin), ComplexStep)
    assert isinstance(derivative(formula), Differences)
    np.testing.assert_allclose(derivative(formula)(INSIDE), np.cos(INSIDE), rtol=1e-10)
    assert np.all(ComplexStep(formula)(INSIDE) == 0)  # control


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ((lambda t: t, lambda t: 1 - t), "log-SNR must fall"),
        ((lambda t: 1 - t, lambda t: t * (1 - t)), "not both|finite and positive|must fall"),
        ((lambda t: 1 - 2 * t, lambda t: t), "finite and positive"),
        ((lambda t: 1 / (t - t), lambda t: t), "finite and positive"),
        ((lambda t: 1 - t, lambda t: t, lambda t: -1 + 0 * t, lambda t: 2 + 0 * t), "sigma_dot"),
    ],
)
def test_from_functions_refuses(pair: tuple[Callable, ...], words: str) -> None:
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=words):
        FunctionSchedule(*pair)
    with np.errstate(all="ignore"):
        FunctionSchedule(*pair, validate=False)


# The SDE and back (claims 8, 45; P3, P4) ----------------------------------------------------------


@pytest.mark.parametrize("name", CLOSED)
def test_from_sde_round_trip(name: str) -> None:
    """(α, σ) → (f, g²) → (α, σ), and (f, g²) again, to 1e-11."""
    schedule = SCHEDULES[name]()
    start = schedule.level(0)
    back = SDESchedule(schedule.f, schedule.g2, alpha0=start.alpha, sigma0=start.sigma)
    t = np.array([1e-9, 1e-4, 0.03, 0.2, 0.5, 0.77, 0.95, 0.999, 1 - 1e-6])
    np.testing.assert_allclose(back.alpha(t), schedule.alpha(t), rtol=1e-11)
    np.testing.assert_allclose(back.sigma(t), schedule.sigma(t), rtol=1e-11)
    np.testing.assert_allclose(back.alpha_dot(t), schedule.alpha_dot(t), rtol=1e-10)
    error = np.abs(back.sigma_dot(t) - schedule.sigma_dot(t))  # σ̇ = f σ + g²/2σ: they cancel
    assert (error < 1e-11 * (schedule.sigma_dot(t) + np.abs(schedule.f(t)))).all()
    np.testing.assert_allclose(Schedule._g2(back, t), schedule.g2(t), rtol=1e-9)
    assert back.level(0) == pytest.approx(start, rel=1e-15)
    assert back.rates(0.0) == pytest.approx(schedule.rates(0.0), rel=1e-12)
    log_snr = back.log_snr(0.5)
    assert back.t_of_log_snr(log_snr) == pytest.approx(0.5, rel=1e-12)


def test_p3_as_printed_gives_sigma_over_alpha() -> None:
    """GAO prints σ_t = (∫ g² exp(−2∫f))^½, which lacks the factor α_t: right for VE only."""
    vp = LinearVP()
    x, w = np.polynomial.legendre.leggauss(60)
    for t in (0.1, 0.5, 0.9):
        s = t * (x + 1) / 2
        printed = math.sqrt(t / 2 * np.sum(w * vp.g2(s) / vp.alpha(s) ** 2))  # exp(∫f) = α
        assert printed == pytest.approx(vp.sigma(t) / vp.alpha(t), rel=1e-10)
        assert abs(printed / vp.sigma(t) - 1) > 0.05
        assert printed * vp.alpha(t) == pytest.approx(vp.sigma(t), rel=1e-10)


def test_sde_refusals() -> None:
    flow = FlowMatching()
    with pytest.raises(ValueError, match="t = 1"):
        SDESchedule(flow.f, flow.g2).level(1)
    with pytest.raises(ValueError, match="integrated"):
        SDESchedule(lambda t: -1 / np.abs(t - 0.3), lambda t: 1 + 0 * t)
    with pytest.raises(ValueError, match="non-negative"):
        SDESchedule(lambda t: -t, lambda t: -t)
    with pytest.raises(ValueError, match="alpha0"):
        SDESchedule(lambda t: -t, lambda t: t, alpha0=0)


# Tables -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [DiscreteSchedule.linear, DiscreteSchedule.scaled_linear])
def test_table_against_products_in_high_precision(make: Callable[..., DiscreteSchedule]) -> None:
    table = make(100)
    betas = 1 - np.append(table.alphas_cumprod[0], np.exp(np.diff(np.log(table.alphas_cumprod))))
    with mp.workdps(30):
        lo, hi = (1e-4, 0.02) if make == DiscreteSchedule.linear else (0.00085, 0.012)
        power = 1 if make == DiscreteSchedule.linear else 2
        roots = [mp.mpf(lo) ** (mp.mpf(1) / power), mp.mpf(hi) ** (mp.mpf(1) / power)]
        bar = mp.mpf(1)
        for n in range(100):
            beta = (roots[0] + (roots[1] - roots[0]) * n / 99) ** power
            assert abs(betas[n] - beta) < 1e-14
            bar *= 1 - beta
            level = table.level(n)
            assert abs(level.alpha - mp.sqrt(bar)) < 1e-14
            assert abs(level.sigma / mp.sqrt(1 - bar) - 1) < 1e-11


def test_table_levels_exact_on_integers_and_log_linear_between() -> None:
    table = DiscreteSchedule.scaled_linear()
    for n in (0, 1, 500, 999):
        bar = table.alphas_cumprod[n]
        assert table.level(n) == (math.sqrt(bar), math.sqrt(1 - bar))
    ratio = table.level(500.25).ratio
    expected = table.ratios[500] ** 0.75 * table.ratios[501] ** 0.25
    assert ratio == pytest.approx(expected, rel=1e-13)
    linear = 0.75 * table.ratios[500] + 0.25 * table.ratios[501]  # control: as set_timesteps does
    assert abs(ratio / linear - 1) > 1e-7
    assert sum(c * c for c in table.level(500.25)) == pytest.approx(1, rel=1e-15)


def test_table_as_schedule() -> None:
    table = DiscreteSchedule.linear()
    schedule = table.as_schedule()
    n = np.arange(1000)
    np.testing.assert_allclose(schedule.alpha(n / 999) ** 2, table.alphas_cumprod, rtol=1e-11)
    np.testing.assert_allclose(schedule.sigma(n / 999), np.sqrt(1 - table.alphas_cumprod), 1e-11)
    # the continuous limit: β(t) from 0.1 to 20, HO's table times N
    vp = LinearVP(0.1, 20)
    gap = np.abs(schedule.alpha(INSIDE) - vp.alpha(INSIDE)).max()
    assert 1e-4 < gap < 5e-3


def test_ends_of_a_table() -> None:
    table = DiscreteSchedule.linear()
    with pytest.raises(ValueError, match="read-only"):
        table.alphas_cumprod[0] = 0.5
    for index in (-1, 1000, math.nan):
        with pytest.raises(ValueError, match="time index"):
            table.level(index)


def test_zero_terminal_snr() -> None:
    table = DiscreteSchedule.scaled_linear()
    zero = table.zero_terminal_snr()
    assert zero.level(999) == (0, 1)
    assert zero.level(0) == table.level(0)
    assert zero.ratios[-1] == math.inf
    root, old = np.sqrt(zero.alphas_cumprod), np.sqrt(table.alphas_cumprod)
    np.testing.assert_allclose(np.diff(root) / np.diff(old), root[0] / (old[0] - old[-1]), 1e-9)
    with pytest.raises(ValueError, match="no signal"):
        zero.level(998.5)
    with pytest.raises(ValueError, match="without signal"):
        zero.as_schedule()
    assert table.zero_terminal_snr(2**-24).as_schedule().level(1).alpha == pytest.approx(2**-12)


@pytest.mark.parametrize(
    "bad", [[0.5], [0.5, 0.6], [1.0, 0.5], [0.5, -0.1], [[0.5, 0.4]], [0.5, 0.5]]
)
def test_impossible_tables_raise(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="alphas_cumprod"):
        DiscreteSchedule(np.array(bad))


@pytest.mark.parametrize("zero_snr", [False, True])
@pytest.mark.parametrize("name", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_tables_are_diffusers(name: str, zero_snr: bool) -> None:
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    ends = {"beta_start": 0.00085, "beta_end": 0.012} if name == "scaled_linear" else {}
    theirs = diffusers.DDIMScheduler(
        beta_schedule=name, rescale_betas_zero_snr=zero_snr, **ends
    ).alphas_cumprod
    make = {
        "linear": DiscreteSchedule.linear,
        "scaled_linear": DiscreteSchedule.scaled_linear,
        "squaredcos_cap_v2": DiscreteSchedule.cosine,
    }
    ours = make[name]()
    table = (ours.zero_terminal_snr() if zero_snr else ours).alphas_cumprod
    # float32: β is rounded (1 − β by 6e-8), and a product of 1000 such factors drifts
    bound = 1000 * 2**-24
    np.testing.assert_allclose(table, theirs.numpy(), rtol=bound, atol=1e-7)
    wrong = DiscreteSchedule.linear(1000, 1e-4, 0.0201).alphas_cumprod
    if name == "linear" and not zero_snr:  # control
        assert np.abs(wrong / theirs.numpy() - 1).max() > 10 * bound
    if not zero_snr:  # a released table is taken as it is
        assert DiscreteSchedule(theirs).level(7).alpha == math.sqrt(float(theirs[7]))


def test_registry() -> None:
    for name, factory in SCHEDULES.items():
        schedule = factory()
        assert isinstance(schedule, Schedule), name
        lam = schedule.log_snr(np.linspace(0, 1, 101))
        assert (np.diff(lam) < 0).all(), name
        if schedule.scale is not None:
            alpha, sigma = schedule.alpha(INSIDE), schedule.sigma(INSIDE)
            total = {"vp": np.hypot(alpha, sigma), "flow": alpha + sigma, "ve": alpha}
            np.testing.assert_allclose(total[schedule.scale], 1, rtol=1e-14)
