"""Methods that are one: equality of tables, each with a control that is not equal."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, sqrt
from typing import Any

import numpy as np
import pytest

from dfbench.levels import Grid, Level
from dfbench.samplers import METHODS, Traits
from dfbench.samplers.ddim import posterior_std
from dfbench.samplers.method import Method, Model, Noise, Output
from dfbench.schedules import VE, Cosine, FlowMatching, LinearVP
from tests.samplers.laws import grid, same

EXACT, APART = 1e-12, 1e-4


def table(name: str, levels: Grid, **options: Any) -> Any:
    return METHODS[name].table(levels, "x", **options)


def of(function: Callable[..., Any], levels: Grid) -> Any:
    return Method("local", function, "", lambda: Traits()).table(levels, "x")


def test_ddim_on_the_flow_schedule_is_flow_matching_euler() -> None:
    """CLAIMS 29; the control is Euler in t under another schedule."""
    flow = grid(9, FlowMatching())
    ddim = table("ddim", flow)
    for name in ("flow_matching", "velocity", "probability_flow"):
        assert same(table(name, flow), ddim) < EXACT
    other = grid(9, Cosine())
    assert same(table("velocity", other), table("ddim", other)) > APART


def test_ddim_is_euler_in_sigma() -> None:
    for scale in ("ve", "vp", "flow"):
        levels = grid(9, scale=scale)
        assert same(table("euler", levels), table("ddim", levels)) < EXACT
        assert same(table("edm", levels, second_order=False), table("ddim", levels)) < EXACT
        assert same(table("heun", levels), table("edm", levels)) < EXACT
    assert same(table("ddim", levels, eta=0.0), table("velocity", grid(9, VE(0.1, 10.0)))) > APART


def test_the_two_forms_of_the_probability_flow() -> None:
    """f z − ½ g² s against α̇ x̂ + σ̇ ε̂ (CLAIMS 2, 45), and the SDEs without their noise."""
    for schedule in (LinearVP(), Cosine(), VE(0.05, 12.0)):
        levels = grid(6, schedule)
        for solver in ("euler", "midpoint", "heun", "rk4"):
            one, two = (table(n, levels, solver=solver) for n in ("velocity", "probability_flow"))
            assert same(one, two) < EXACT
        euler = table("velocity", levels)
        assert same(table("reverse_sde", levels, eta=0.0), euler) < EXACT
        assert same(table("interpolant_sde", levels, epsilon=0.0), euler) < EXACT
        assert same(table("velocity", levels, solver="heun"), table("heun", levels)) > APART


def test_the_interpolant_sde_with_epsilon_eta_g_is_the_reverse_sde() -> None:
    """CLAIMS 37, 38, 45."""
    schedule = LinearVP()
    levels = grid(8, schedule)
    for eta in (0.5, 1.0):
        sde = table("reverse_sde", levels, eta=eta)
        g = table("interpolant_sde", levels, epsilon=lambda t, e=eta: e * sqrt(schedule.g2(t)))
        assert same(g, sde) < EXACT
    wrong = table("interpolant_sde", levels, epsilon=lambda t: schedule.g2(t))
    assert np.abs(wrong.rows - sde.rows).max() > APART


def test_ddim_with_eta_one_is_ddpm_with_the_posterior_variance() -> None:
    for levels in (grid(9), grid(9, scale="ve"), grid(9, scale="flow")):
        ddpm = table("ddpm", levels)
        assert same(table("ddim", levels, eta=1.0), ddpm) < EXACT
        assert same(table("euler_ancestral", levels), ddpm) < EXACT
        assert same(table("exponential_sde", levels, hold="x"), ddpm) < EXACT
        pc = {"predictor": "ancestral", "n_corrector": 0, "denoise": False}
        assert same(table("predictor_corrector", levels, **pc), ddpm) < EXACT
        for other in (table("ddpm", levels, variance="beta"), table("ddim", levels, eta=0.9)):
            assert same(other, ddpm) > APART


def test_euler_ancestral_is_ddim_with_the_same_eta() -> None:
    levels = grid(9)
    for eta in (0.0, 0.4, 1.0):
        ddim = table("ddim", levels, eta=eta)
        assert same(table("euler_ancestral", levels, eta=eta), ddim) < EXACT
    other = table("flow_ancestral", levels, eta=0.4)
    assert np.abs(other.rows - table("ddim", levels, eta=0.4).rows).max() > APART


def beyond_and_back(share: float) -> Callable[..., Any]:
    """DDIM from λ to λ + share·2Δ with the output at λ, then forward noising to λ + Δ."""

    def function(model: Model, z: Any, levels: Grid, noise: Noise) -> Any:
        for t, s in levels.steps():
            out = model(z, t)
            ratio = t.ratio * (s.ratio / t.ratio) ** (2 * share)  # λ = −2 log ratio
            z = s.alpha * (out.x + ratio * out.eps)
            z = z + s.alpha * sqrt(s.ratio**2 - ratio**2) * noise()
        return z

    return function


def test_ddpm_is_ddim_of_twice_the_step_and_renoising() -> None:
    """CLAIMS 34 and P6.

    "Exactly equivalent" is right for every step length, with two provisos that the sentence
    leaves out: the variance is β̃, and the DDIM step is one step with the one output at λ.
    """
    for levels in (grid(7), grid(7, scale="ve"), grid(7, FlowMatching())):
        renoised = of(beyond_and_back(1.0), levels)
        assert same(renoised, table("ddpm", levels)) < EXACT
        assert same(renoised, table("ddpm", levels, variance="beta")) > APART
        assert same(of(beyond_and_back(0.9), levels), table("ddpm", levels)) > APART


def test_two_ddim_steps_beyond_are_not_ddpm() -> None:
    """The proviso of P6: evaluating the model again at λ + Δ gives another law."""

    def two(model: Model, z: Any, levels: Grid, noise: Noise) -> Any:
        for t, s in levels.steps():
            for now, to in ((t, s), (s, Level(s.alpha, s.alpha * s.ratio**2 / t.ratio))):
                out = model(z, now)
                z = to.alpha * out.x + to.sigma * out.eps
            z = z + sqrt(s.sigma**2 - to.sigma**2) * noise()
        return z

    levels = grid(7, scale="ve")
    one, other = (t.law(0.25).variance for t in (of(two, levels), table("ddpm", levels)))
    assert abs(one - other)[0] > 1e-3


def test_tcd_without_gamma_is_ddim_and_with_gamma_one_consistency_sampling() -> None:
    levels = grid(7, Cosine())
    assert same(table("tcd", levels, gamma=0.0), table("ddim", levels)) < EXACT
    consistency = table("tcd", levels, gamma=1.0)
    assert same(consistency, table("lcm", levels)) < 1e-9  # the schedule's σ(0) is not quite 0
    assert same(table("scm", levels), table("lcm", levels)) < EXACT
    assert np.abs(table("tcd", levels, gamma=0.5).rows - consistency.rows).max() > APART
    below = [Level(*Cosine().level(0.7 * t)).ratio for t in levels.t[1:]]
    assert same(table("tcd", levels, down=below), table("tcd", levels, gamma=0.3)) < EXACT


def test_dpmpp_2s_and_dpmpp_sde_agree_without_noise() -> None:
    levels = grid(7)
    one = table("dpmpp_2s_ancestral", levels, eta=0.0)
    assert same(table("dpmpp_sde", levels, eta=0.0), one) < EXACT
    assert same(table("dpm2", levels), one) > APART


def test_ddim_inverts_itself_when_the_output_is_constant() -> None:
    """CLAIMS 30: there and back, from clean data to pure noise; not so when it varies."""
    alpha = np.array([1.0, 0.9, 0.5, 0.1])
    up = Grid(alpha, np.sqrt(1 - alpha**2))
    down = Grid(up.alpha[::-1], up.sigma[::-1])

    def back_and_forth(prediction: Callable[[Any], Any]) -> float:
        def model(z: Any, level: Level) -> Output:
            return Output(prediction(z), z, level, "eps")

        noisy = METHODS["ddim"](model, 0.7, up, None)
        return abs(METHODS["ddim"](model, noisy, down, None) - 0.7)

    assert back_and_forth(lambda z: 0.3) < 1e-14
    assert back_and_forth(np.tanh) > 1e-2
    to_noise = METHODS["ddim"].table(Grid(np.array([1.0, 0.6, 0.0]), np.array([0, 0.8, 1])), "eps")
    assert to_noise.rows[-1] == pytest.approx([0, 0, 1])  # all that is left is the noise


# Coefficients worked out by hand, for the step from (0.6, 0.8) to (0.8, 0.6)

STEP = Grid(np.array([0.6, 0.8]), np.array([0.8, 0.6]))
Z, EPS, BETA = 4 / 3, 0.6 - 0.64 / 0.6, 1 - 0.36 / 0.64


@pytest.mark.parametrize(
    ("name", "options", "row"),
    [
        ("ddim", {}, [Z, EPS]),
        # HO eq. 11 and 7: (z − β ε/√(1−ᾱ))/√α with √α = 3/4, β̃ = β 0.36/0.64
        ("ddpm", {}, [Z, -Z * BETA / 0.8, sqrt(BETA) * 0.75]),
        ("ddpm", {"variance": "beta"}, [Z, -Z * BETA / 0.8, sqrt(BETA)]),
        ("ddpm", {"variance": 0.5}, [Z, -Z * BETA / 0.8, sqrt(BETA) * 0.75**0.5]),
        # DDIM eq. 12: √(1 − ᾱ_s − σ²) ε + …, σ² = β̃/4
        (
            "ddim",
            {"eta": 0.5},
            [Z, sqrt(0.36 - 0.140625 * BETA) - 0.64 / 0.6, 0.5 * 0.75 * sqrt(BETA)],
        ),
        # Score SDE eq. 46 with a = 3/4, G² = β: (2 − a) z − β ε/σ + √β ξ
        (
            "predictor_corrector",
            {"n_corrector": 0, "denoise": False},
            [1.25, -BETA / 0.8, sqrt(BETA)],
        ),
        # consistency: α_s (c_skip z + c_out (z − σ ε)/α) + σ_s ξ
        ("lcm", {"c_skip": 0.1, "c_out": 0.9}, [0.08 + 1.2, -0.96, 0.6]),
    ],
)
def test_one_step_by_hand(name: str, options: dict[str, Any], row: list[float]) -> None:
    made = METHODS[name].table(STEP, "eps", **options).rows[-1]
    assert made == pytest.approx(row, abs=1e-14)


@pytest.mark.parametrize(
    ("name", "options", "levels", "rows"),
    [
        # σ: 4 → 1. Heun: x + ½ h (ε_0 + ε_1), h = −3
        ("heun", {}, [4, 1], [[1, -3, 0], [1, -1.5, -1.5]]),
        # middle at √(4·1) = 2
        ("dpm2", {}, [4, 1], [[1, -2, 0], [1, 0, -3]]),
        # middle at ((27^⅓ + 1)/2)³ = 8
        ("dpm2", {"rho": 3.0}, [27, 1], [[1, -19, 0], [1, 0, -26]]),
        ("dpm2", {}, [4, 0], [[1, -4]]),
        # k-diffusion: σ_up² = 1 (16 − 1)/16, σ_down = 1/4; middle 1
        ("dpm2_ancestral", {}, [4, 1], [[1, -3, 0, 0], [1, 0, -3.75, sqrt(15) / 4]]),
        ("euler_ancestral", {}, [4, 1], [[1, -3.75, sqrt(15) / 4]]),
        # s_churn/N = 0.25: σ̂ = 5, noise √(25 − 16) = 3, then h = −4
        (
            "edm",
            {"s_churn": 0.25},
            [4, 1],
            [[1, 0, 0, 3], [1, -4, 0, 3], [1, -2, -2, 3]],
        ),
        # γ is cut at √2 − 1
        ("edm", {"s_churn": 9.0, "second_order": False}, [4, 1], [[1, 1 - sqrt(32), 4]]),
    ],
)
def test_one_step_in_sigma_by_hand(
    name: str, options: dict[str, Any], levels: list[float], rows: list[list[float]]
) -> None:
    made = METHODS[name].table(Grid.from_ratios(levels), "eps", **options).rows
    expected = np.array(rows)
    assert made[-len(expected) :, : expected.shape[1]] == pytest.approx(expected, abs=1e-14)


def test_dpmpp_sde_by_hand() -> None:
    """σ: 4 → 1 in x̂ form: to the middle 2 by σ_down = 2·2/4 = 1, then to 1 by σ_down = 1/4."""
    made = METHODS["dpmpp_sde"].table(Grid.from_ratios([4, 1]), "x")
    middle, end = [1 / 4, 3 / 4, 0, sqrt(3), 0], [1 / 16, 0, 15 / 16, 0, sqrt(15) / 4]
    assert made.rows[1:] == pytest.approx(np.array([middle, end]), abs=1e-14)
    assert made.noise_cov is not None
    # |[2, 4]|/√(|[2, 4]| |[1, 4]|)
    assert made.noise_cov[0, 1] == pytest.approx(sqrt(2 / 3))


def test_flow_ancestral_by_hand() -> None:
    """t: 0.8 → 0.4 at η = ½: t_down = 0.4 (1 − ¼) = 0.3, scale 0.6/0.7."""
    levels = Grid(np.array([0.2, 0.6]), np.array([0.8, 0.4]))
    row = METHODS["flow_ancestral"].table(levels, "u", eta=0.5).rows[-1]
    shrink = 0.6 / 0.7
    assert row == pytest.approx([shrink, -0.5 * shrink, sqrt(0.16 - (0.3 * shrink) ** 2)])


def test_the_held_score_of_the_variance_preserving_sde() -> None:
    """∫ (α_s/α_τ) g² dτ = α_s ∫ α dρ² in closed form, α² = 1/(1 + ρ²)."""
    levels = grid(3, LinearVP())
    (a_t, a_s), sigma = levels.alpha[:2], levels.sigma[0]
    push = a_s * 2 * (1 / a_t - 1 / a_s)  # ∫ dρ²/√(1 + ρ²) = 2 √(1 + ρ²)
    first = METHODS["exponential_sde"].table(levels, "eps", hold="score").rows[1]
    assert first[:2] == pytest.approx([a_s / a_t, -push / sigma], rel=1e-12)


def test_learned_variance_interpolates_in_the_logarithm() -> None:
    std = METHODS["ddpm"].table(STEP, "eps", variance=0.25).rows[-1, -1]
    small, large = posterior_std(STEP[0], STEP[1]), sqrt(BETA)
    assert std == pytest.approx(exp(0.25 * np.log(large) + 0.75 * np.log(small)))
