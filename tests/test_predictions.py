"""Conversions against explicit x and ε, high precision and the printed factors; with controls."""

from __future__ import annotations

import itertools
import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfbench.predictions import KINDS, affine, convert, mse_factor, weights
from dfbench.schedules import FlowMatching, LinearVP, at_log_snr

LEVELS = st.tuples(st.floats(1e-3, 10), st.floats(1e-3, 10))
RATES = st.tuples(st.floats(-30, -1e-3), st.floats(1e-3, 30))
NUMBER = st.floats(-3, 3)
PAIRS = list(itertools.product(KINDS, KINDS))


def by_definition(kind: str, x: Any, eps: Any, level: Any, rates: Any, s: Any) -> Any:
    """Each prediction written as its paper writes it."""
    alpha, sigma = level
    if kind == "score":
        return -eps / sigma
    if kind == "edm":  # F = (D − c_skip y)/c_out at y = x + r ε
        r = sigma / alpha
        c_skip = s**2 / (r**2 + s**2)
        c_out = r * s / (r**2 + s**2) ** 0.5
        return (x - c_skip * (x + r * eps)) / c_out
    return {
        "eps": eps,
        "x": x,
        "denoised": x,
        "v": alpha * eps - sigma * x,
        "u": eps - x,
        "velocity": rates[0] * x + rates[1] * eps,
    }[kind]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(level=LEVELS, rates=RATES, s=st.floats(0.1, 3), x=NUMBER, eps=NUMBER)
def test_weights(kind: str, level: Any, rates: Any, s: float, x: float, eps: float) -> None:
    p, q = weights(kind, *level, rates=rates, sigma_data=s)
    with mp.workdps(40):
        args = [mp.mpf(x), mp.mpf(eps), [mp.mpf(c) for c in level]]
        true = by_definition(kind, *args, [mp.mpf(c) for c in rates], mp.mpf(s))
    assert abs(p * x + q * eps - true) <= 1e-14 * (1e-3 + abs(p * x) + abs(q * eps))


@pytest.mark.slow(quick=36)
@pytest.mark.parametrize(("source", "target"), PAIRS)
@settings(max_examples=40, deadline=None)
@given(level=LEVELS, rates=RATES, s=st.floats(0.1, 3), x=NUMBER, eps=NUMBER)
def test_every_pair(
    source: str, target: str, level: Any, rates: Any, s: float, x: float, eps: float
) -> None:
    alpha, sigma = level
    z = alpha * x + sigma * eps
    with mp.workdps(40):  # EDM's definition takes the difference of two numbers that nearly agree
        exactly = [[mp.mpf(c) for c in pair] for pair in (level, rates)]
        m, true = (
            float(by_definition(kind, mp.mpf(x), mp.mpf(eps), *exactly, mp.mpf(s)))
            for kind in (source, target)
        )
    c_z, c_m = affine(source, target, alpha, sigma, rates=rates, sigma_data=s)
    found = convert(m, z, source, target, alpha, sigma, rates=rates, sigma_data=s)
    # the input m carries its own rounding, which c_m passes on
    scale = abs(c_z) * (abs(alpha * x) + abs(sigma * eps))
    p, q = weights(source, alpha, sigma, rates=rates, sigma_data=s)
    scale += abs(c_m) * (abs(p * x) + abs(q * eps)) + abs(true)
    assert abs(found - true) <= 1e-13 * (scale + 1e-3)


@pytest.mark.parametrize(("source", "target"), [p for p in PAIRS if p[0] != p[1]])
def test_round_trip_and_control(source: str, target: str) -> None:
    kwargs: dict[str, Any] = {"rates": (-0.7, 1.3), "sigma_data": 0.5}
    rng = np.random.default_rng(0)
    z, m = rng.standard_normal((2, 5))
    there = convert(m, z, source, target, 0.8, 0.6, **kwargs)
    np.testing.assert_allclose(convert(there, z, target, source, 0.8, 0.6, **kwargs), m, rtol=1e-12)
    wrong = convert(there, z, target, source, 0.8, 0.61, **kwargs)  # control
    if {source, target} != {"x", "denoised"}:
        assert np.abs(wrong - m).max() > 1e-3


@settings(max_examples=60, deadline=None)
@given(st.floats(-600, 600), st.sampled_from(["vp", "flow"]), st.sampled_from(PAIRS))
def test_coefficients_keep_their_digits_at_both_ends(lam: float, scale: Any, pair: Any) -> None:
    """c_m to 1e-13 of 60 digits at σ/α from e^(−300) to e^300."""
    source, target = pair
    alpha, sigma = at_log_snr(lam, scale)
    c_z, c_m = affine(source, target, alpha, sigma, rates=(-1.0, 2.0), sigma_data=0.5)
    with mp.workdps(400):
        a, s, d = mp.mpf(alpha), mp.mpf(sigma), mp.mpf("0.5")
        columns = [
            [by_definition(k, x, e, (a, s), (mp.mpf(-1), mp.mpf(2)), d) for k in (source, target)]
            for x, e in ((mp.mpf(1), mp.mpf(0)), (mp.mpf(0), mp.mpf(1)))
        ]
        (p_s, p_t), (q_s, q_t) = columns
        det = a * q_s - s * p_s
        true_z, true_m = (p_t * q_s - q_t * p_s) / det, (a * q_t - s * p_t) / det
        assert abs(c_m - true_m) <= 1e-13 * abs(true_m)
        terms = (abs(p_t * q_s) + abs(q_t * p_s)) / abs(det)
        assert abs(c_z - true_z) <= 1e-13 * terms


def test_control_two_conversions_in_a_row_lose_the_digits() -> None:
    """v → x → ε gives c_z = (1 − α²)/σ, which is 0 and not σ where σ² is below rounding."""
    alpha, sigma = at_log_snr(60.0)
    (first_z, first_m), (second_z, second_m) = (
        affine("v", "x", alpha, sigma),
        affine("x", "eps", alpha, sigma),
    )
    c_z, c_m = affine("v", "eps", alpha, sigma)
    assert c_z == pytest.approx(sigma, rel=1e-15)
    assert second_m * first_m == pytest.approx(c_m, rel=1e-15)
    assert abs((second_z + second_m * first_z) / sigma - 1) > 0.9


def test_ends() -> None:
    assert affine("v", "eps", 0.0, 1.0) == (1, 0)  # z is ε
    assert affine("v", "x", 0.0, 1.0) == (0, -1)
    assert affine("v", "x", 1.0, 0.0) == (1, 0)
    assert affine("eps", "x", 1.0, 0.0) == (1, 0)
    assert affine("u", "x", 0.0, 1.0) == (1, -1)
    assert affine("edm", "x", 0.0, 1.0, sigma_data=0.5) == (0, 0.5)
    assert affine("edm", "x", 1.0, 0.0, sigma_data=0.5) == (1, 0)
    assert affine("score", "x", 1.0, 0.0) == (1, 0)  # Tweedie without noise
    assert affine("score", "eps", 1.0, 0.0) == (0, 0)
    assert affine("x", "denoised", 1.0, 0.0) == (0, 1)
    assert affine("eps", "eps", 0.0, 1.0) == (0, 1)


@pytest.mark.parametrize(
    ("source", "target", "level", "words"),
    [
        ("eps", "x", (0.0, 1.0), "α = 0"),
        ("score", "x", (0.0, 1.0), "α = 0"),
        ("x", "eps", (1.0, 0.0), "σ = 0"),
        ("denoised", "v", (1.0, 0.0), "σ = 0"),
        ("x", "score", (1.0, 0.0), "σ = 0"),
        ("velocity", "x", (1.0, 1.0), "α σ̇ = σ α̇"),
        ("x", "y", (1.0, 1.0), "must be one of"),
        ("y", "x", (1.0, 1.0), "must be one of"),
        ("x", "eps", (0.0, 0.0), "a level needs"),
        ("x", "eps", (-1.0, 1.0), "a level needs"),
        ("x", "eps", (math.nan, 1.0), "a level needs"),
        ("x", "eps", (1.0, math.inf), "a level needs"),
        ("x", "x", (0.0, 0.0), "a level needs"),
    ],
)
def test_what_does_not_exist_raises(source: str, target: str, level: Any, words: str) -> None:
    for pair in (level, (np.array([0.5, level[0]]), np.array([0.7, level[1]]))):
        rates = (1.0, 1.0) if source == "velocity" else None
        with pytest.raises(ValueError, match=words):
            affine(source, target, *pair, rates=rates)


def test_what_is_missing_raises() -> None:
    with pytest.raises(ValueError, match="rates"):
        affine("velocity", "x", 0.5, 0.5)
    with pytest.raises(ValueError, match="finite rates"):
        affine("x", "velocity", 0.5, 0.5, rates=(1.0, math.inf))
    for sigma_data in (None, 0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="sigma_data"):
            weights("edm", 0.5, 0.5, sigma_data=sigma_data)
    with pytest.raises(ValueError, match="σ = 0"):
        weights("score", 1.0, 0.0)
    with pytest.raises(ValueError, match="must be one of"):
        weights("epsilon", 1.0, 1.0)


# Identities of the literature ---------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(lam=st.floats(-20, 20), c=st.floats(0.1, 10))
def test_claim_16_factors_hold_as_printed_at_any_scale(lam: float, c: float) -> None:
    alpha, sigma = (c * value for value in at_log_snr(lam))
    factor = {target: mse_factor("eps", target, alpha, sigma) for target in ("x", "v", "u")}
    assert factor["x"] == pytest.approx(math.exp(-lam), rel=1e-12)
    assert factor["v"] == pytest.approx(alpha**2 * (math.exp(-lam) + 1) ** 2, rel=1e-12)
    assert factor["u"] == pytest.approx((math.exp(-lam / 2) + 1) ** 2, rel=1e-12)
    # controls: u with λ for λ/2; v's shorter form 1 + e^(−λ), which is the VP one
    if 0.1 < abs(lam) < 10:
        assert factor["u"] != pytest.approx((math.exp(-lam) + 1) ** 2, rel=1e-3)
    short = pytest.approx(1 + math.exp(-lam), rel=1e-12)
    assert (factor["v"] == short) == (abs(c - 1) < 1e-12)


def test_claim_16_by_predictions_that_err() -> None:
    rng = np.random.default_rng(1)
    x, eps, eps_hat = rng.standard_normal((3, 1000))
    alpha, sigma = 0.3, 1.1
    z = alpha * x + sigma * eps
    for target in ("x", "v", "u", "score"):
        error = convert(eps_hat, z, "eps", target, alpha, sigma)
        error = error - by_definition(target, x, eps, (alpha, sigma), (0, 0), None)
        measured = np.mean(error**2) / np.mean((eps_hat - eps) ** 2)
        assert measured == pytest.approx(mse_factor("eps", target, alpha, sigma), rel=1e-12)


def test_edm_output_is_minus_v_on_vp_levels_with_unit_data() -> None:
    for lam in (-9.0, 0.3, 8.0):
        alpha, sigma = at_log_snr(lam)
        p, q = weights("edm", alpha, sigma, sigma_data=1.0)
        v = weights("v", alpha, sigma)
        assert (-p, -q) == pytest.approx(v, rel=1e-14)
        other = weights("edm", alpha, sigma, sigma_data=0.5)  # control
        assert other != pytest.approx((p, q), rel=1e-2)


def test_velocity_on_the_flow_path_is_u_and_on_vp_it_is_v_times_the_angular_rate() -> None:
    flow, vp = FlowMatching(), LinearVP()
    for t in (0.1, 0.6):
        level = flow.level(t)
        assert weights("velocity", *level, rates=flow.rates(t)) == weights("u", *level)
        level, rates = vp.level(t), vp.rates(t)
        rate = rates[1] / level.alpha  # σ = sin φ: σ̇ = α φ̇
        v = weights("v", *level)
        expected = (rate * v[0], rate * v[1])
        assert weights("velocity", *level, rates=rates) == pytest.approx(expected, rel=1e-12)


def test_claim_2_conditional_velocity() -> None:
    """u(z|x) = (α̇ − σ̇ α/σ) x + (σ̇/σ) z: the pair x → velocity."""
    alpha, sigma, rates = 0.4, 0.9, (-1.1, 0.7)
    c_z, c_x = affine("x", "velocity", alpha, sigma, rates=rates)
    assert c_z == pytest.approx(rates[1] / sigma, rel=1e-15)
    assert c_x == pytest.approx(rates[0] - rates[1] * alpha / sigma, rel=1e-15)


def test_edm_precondition_of_diffusers() -> None:
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    torch = pytest.importorskip("torch", reason="torch is not installed")
    scheduler = diffusers.EDMEulerScheduler(sigma_data=0.5)
    generator = torch.Generator().manual_seed(0)
    z, m = torch.randn(2, 3, 4, dtype=torch.float64, generator=generator)
    for sigma in (0.002, 0.5, 80.0):
        theirs = scheduler.precondition_outputs(z, m, torch.tensor(sigma, dtype=torch.float64))
        ours = convert(m, z, "edm", "denoised", 1.0, sigma, sigma_data=0.5)
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


# Kinds of arrays ----------------------------------------------------------------------------------


def test_one_level_per_row_numpy() -> None:
    rng = np.random.default_rng(2)
    z, m = rng.standard_normal((2, 4, 3, 2))
    alpha, sigma = at_log_snr(np.array([-3.0, 0.0, 1.0, 9.0]))
    rates = (-np.ones(4), np.arange(1.0, 5.0))
    for source, target in PAIRS:
        rows = convert(m, z, source, target, alpha, sigma, rates=rates, sigma_data=0.5)
        assert rows.shape == z.shape
        for i in range(4):
            each = (rates[0][i], rates[1][i])
            one = convert(
                m[i], z[i], source, target, alpha[i], sigma[i], rates=each, sigma_data=0.5
            )
            np.testing.assert_allclose(rows[i], one, rtol=1e-13, atol=1e-13)


def test_dtypes_stay() -> None:
    z = np.ones((2, 3), dtype=np.float32)
    for alpha in (0.6, np.float64(0.6), np.full(2, 0.6)):
        assert convert(z, z, "eps", "x", alpha, alpha).dtype == np.float32
    assert isinstance(convert(1.0, 2.0, "eps", "x", 0.6, 0.8), float)
    assert convert(1.0, 2.0, "eps", "x", np.full(5, 0.6), np.full(5, 0.8)).shape == (5,)


def test_wrong_number_of_rows_raises() -> None:
    z = np.ones((2, 3))
    with pytest.raises(ValueError, match="one per row"):
        convert(z, z, "eps", "x", np.full(3, 0.5), np.full(3, 0.5))
    with pytest.raises(ValueError, match="one per row"):
        convert(z, z, "eps", "x", np.full((2, 3), 0.5), np.full((2, 3), 0.5))


@pytest.mark.parametrize("levels_in_torch", [True, False])
@pytest.mark.parametrize("name", ["float64", "float32", "bfloat16"])
def test_torch(name: str, levels_in_torch: bool) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    dtype = getattr(torch, name)
    z = torch.linspace(-1, 1, 12, dtype=dtype).reshape(3, 2, 2).requires_grad_()
    m = torch.linspace(2, -1, 12, dtype=dtype).reshape(3, 2, 2)
    alpha, sigma = at_log_snr(np.array([-1.0, 0.0, 2.0]))
    expected = convert(m.double().numpy(), z.detach().double().numpy(), "v", "score", alpha, sigma)
    if levels_in_torch:
        alpha, sigma = torch.from_numpy(alpha), torch.from_numpy(sigma)
    found = convert(m, z, "v", "score", alpha, sigma)
    assert found.dtype == dtype
    assert found.shape == z.shape
    (gradient,) = torch.autograd.grad(found.sum(), z)
    assert gradient.shape == z.shape
    bound = 8 * torch.finfo(dtype).eps
    np.testing.assert_allclose(
        found.detach().double().numpy(), expected, rtol=bound, atol=bound * 5
    )
    scalar = convert(m, z, "v", "score", 0.5, 0.5)
    assert scalar.dtype == dtype


def test_modules_do_not_import_torch() -> None:
    import subprocess
    import sys

    modules = "dfbench.predictions, dfbench.schedules, dfbench.grids"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
