"""Every way to make a schedule: its own quantities, its ends and the published tables."""

import math

import numpy as np
import pytest
from scipy.special import expit

from dfbench.literature.calculus import derivative
from dfbench.schedules import (
    EDM,
    SCHEDULES,
    VE,
    Cosine,
    DiscreteSchedule,
    FlowMatching,
    FunctionSchedule,
    LinearVP,
    Scaled,
    SDESchedule,
    Shifted,
    SubVP,
    TableSchedule,
)
from tests.formulas.dense import close


def rough(t):
    """No analytic function as code, and none at all outside [0, 1]."""
    inside = np.clip(np.real(t), 0, 1) == np.real(t)
    return np.where(inside, 1.5 * t + 0.3 * np.abs(t) ** 3 + 0.2 * t**4, np.nan)


ROUGH = FunctionSchedule(lambda t: 1 - t, rough)
#: Every way to make a schedule, with constants that are neither 0 nor 1.
MADE = {
    "VP": LinearVP(),
    "sub-VP": SubVP(),
    "VE": VE(),
    "flow matching": FlowMatching(),
    "cosine": Cosine(),
    "EDM": EDM(),
    "cosine, bounded": Cosine(-9.0, 12.0),
    "VP from 0": LinearVP(0.0, 12.0),
    "shifted flow": Shifted(FlowMatching(), 3.0),
    "shifted cosine": Shifted(Cosine(), 0.6),
    "shifted sub-VP": Shifted(SubVP(), 2.0),
    "VP on flow's scale": Shifted(LinearVP(), 0.7, "flow"),
    "flow on VP's scale": Shifted(FlowMatching(), 1.7, "vp"),
    "cosine with α = 1": Shifted(Cosine(), 1.3, "ve"),
    "scaled": Cosine().scaled(lambda t: 1 + 2 * t**2),
    "scaled, derivative given": SubVP().scaled(lambda t: np.exp(t), lambda t: np.exp(t)),
    "functions": FunctionSchedule(lambda t: np.exp(-2 * t), lambda t: t + t**2),
    "not analytic": ROUGH,
    "from the SDE": SDESchedule(lambda t: -1 - t, lambda t: 1 + 3 * t, alpha0=1.2, sigma0=0.1),
    "table": DiscreteSchedule.linear(8, 0.01, 0.4).as_schedule(),
}
TIMES = 0.1 + (np.arange(9) + 0.5) / 11
BOUND = 1e-10  # relative: differences of levels good to 10 ε, and the integrals' own tolerance
EVERY = pytest.mark.parametrize("schedule", MADE.values(), ids=MADE)


def slope(schedule, function, t):
    """By differences; of a table, within a segment."""
    return float(derivative(function, t, 1e-4 if isinstance(schedule, TableSchedule) else 1e-3))


def within(found, true):
    close((found - true) / (1 + abs(true)), 0, BOUND)


@EVERY
@pytest.mark.parametrize("name", ["alpha", "sigma", "log_snr"])
def test_rates_are_slopes(schedule, name):
    for t in TIMES:
        true = slope(schedule, getattr(schedule, name), t)
        within(getattr(schedule, f"{name}_dot")(t), true)
        if name != "log_snr":
            within(schedule.rates(t)[name == "sigma"], true)


@EVERY
def test_drift_and_diffusion(schedule):
    """f = ∂ log α, and g² = 2 σ (σ̇ − f σ)."""
    for t in TIMES:
        f = slope(schedule, lambda s: np.log(schedule.alpha(s)), t)
        sigma, sigma_dot = schedule.sigma(t), slope(schedule, schedule.sigma, t)
        within(schedule.f(t), f)
        close(schedule.g2(t) / (2 * sigma * (sigma_dot - sigma * f)), 1, BOUND)


@EVERY
def test_log_snr_and_its_inverse(schedule):
    for t in TIMES:
        alpha, sigma = schedule.level(t)
        if abs(alpha / sigma - 1) > 0.1:
            close(schedule.log_snr(t) / (2 * math.log(alpha / sigma)), 1, BOUND)
        close(schedule.t_of_log_snr(schedule.log_snr(t)), t, BOUND)


@EVERY
def test_levels_are_on_the_scale_that_is_declared(schedule):
    for t in TIMES:
        alpha, sigma = schedule.level(t)
        size = {"vp": alpha**2 + sigma**2, "ve": alpha, "flow": alpha + sigma, None: 1.0}
        close(size[schedule.scale], 1, BOUND)


@pytest.mark.parametrize("name", [name for name, one in MADE.items() if isinstance(one, Shifted)])
def test_a_shift_multiplies_the_ratio(name):
    schedule = MADE[name]
    for t in TIMES:
        ratio = schedule.level(t).ratio / schedule.base.level(t).ratio
        close(ratio / schedule.shift, 1, BOUND)


@pytest.mark.parametrize("name", [name for name, one in MADE.items() if isinstance(one, Scaled)])
def test_a_scaling_multiplies_the_level(name):
    schedule = MADE[name]
    for t in TIMES:
        ratio = schedule.alpha(t) / schedule.base.alpha(t)
        close(ratio / float(schedule.c(np.array(t))), 1, BOUND)


# The ends -----------------------------------------------------------------------------------------

#: (α_0, σ_0, α_1, σ_1), where rates alone leave a constant open.
ENDS = {
    "VP": (1, 0, math.exp(-5.025), math.sqrt(1 - math.exp(-10.05))),
    "VP from 0": (1, 0, math.exp(-3.0), math.sqrt(1 - math.exp(-6.0))),
    "sub-VP": (1, 0, math.exp(-5.025), 1 - math.exp(-10.05)),
    "VE": (1, 0.01, 1, 50),
    "flow matching": (1, 0, 0, 1),
    "cosine": (1, 0, 0, 1),
    "EDM": (1, 0, 1, 80),
    "cosine, bounded": tuple(expit([12.0, -12.0, -9.0, 9.0]) ** 0.5),
    "shifted flow": (1, 0, 0, 1),
    "functions": (1, 0, math.exp(-2.0), 2),
}


@pytest.mark.parametrize("name", ENDS)
def test_levels_at_the_ends(name):
    schedule, true = MADE[name], np.array(ENDS[name])
    found = np.array([*schedule.level(0.0), *schedule.level(1.0)])
    close((found - true) / np.maximum(true, 1e-3), 0, 1e-12)
    if true[1] == 0:  # nothing is noise
        assert abs(schedule.t_of_log_snr(math.inf)) < 1e-12


REST = SDESchedule(lambda t: 0 * t - 1, lambda t: 3 * t)  # from clean data


def test_rates_near_clean_data_where_a_formula_is_zero_over_zero():
    close(MADE["VP from 0"].rates(0.0)[1] / math.sqrt(6.0), 1, BOUND)
    close(REST.rates(0.0)[1] / math.sqrt(1.5), 1, BOUND)
    close(REST.level(0.0), (1.0, 0.0), BOUND)
    close(Shifted(LinearVP(), 2.0).rates(0.0)[0] / -0.2, 1, BOUND)  # −s² β_0/2, σ̇ is infinite
    steep = SDESchedule(lambda t: 0 * t - 1, lambda t: 1 + 3 * t)  # σ ≈ √t
    assert steep.rates(0.0)[1] == np.inf


@pytest.mark.parametrize("t", [0.0, 3e-4, 0.9997, 1.0])
def test_rates_where_differences_have_neighbours_on_one_side_only(t):
    close(ROUGH.rates(t)[1] / (1.5 + 0.9 * t**2 + 0.8 * t**3), 1, BOUND)
    close(ROUGH.rates(t)[0], -1, BOUND)


def test_an_sde_with_infinite_rates_at_the_end():
    """Flow matching from its SDE: λ is −∞ at t = 1."""
    found = SDESchedule(lambda t: -1 / (1 - t), lambda t: 2 * t / (1 - t))
    t = np.array([0.3, 0.7, 0.99, 0.9999])
    close(found.log_snr(t) / FlowMatching().log_snr(t), 1, 1e-9)
    close(found.alpha(t) / (1 - t), 1, 1e-9)
    assert found.log_snr(1.0) == -np.inf
    assert np.isfinite(found.log_snr(1 - 1e-9))
    close(found.t_of_log_snr(-np.inf), 1, 1e-9)


# By name ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "low", "high", "power"),
    [("ddpm_linear", 1e-4, 0.02, 1.0), ("ddpm_scaled_linear", 0.00085, 0.012, 0.5)],
)
def test_ends_of_the_named_tables(name, low, high, power):
    betas = np.linspace(low**power, high**power, 1000) ** (1 / power)
    bar = np.exp(np.log1p(-betas).sum())
    close(2 * SCHEDULES[name]().level(1.0).half_log_snr, math.log(bar / (1 - bar)), 1e-9)
    close(SCHEDULES[name]().level(0.0).sigma / low**0.5, 1, 1e-9)


def test_constants_of_the_named_schedules():
    short, cosine = SCHEDULES["cosine_truncated"](), SCHEDULES["ddpm_cosine"]()
    first = math.cos(0.009 / 1.008 * math.pi / 2) / math.cos(0.008 / 1.008 * math.pi / 2)
    for found, true in (
        (short.log_snr(0.0), 15.0),
        (short.log_snr(1.0), -15.0),
        (SCHEDULES["flow_matching_sd3"]().log_snr(0.5), -2 * math.log(3)),
        (SCHEDULES["edm"]().sigma(1.0), 80.0),
        (SCHEDULES["ve"]().sigma(0.5), math.sqrt(0.01 * 50)),
        (Shifted(VE()).sigma(0.5), math.sqrt(0.01 * 50)),  # by 1, if nothing is said
        (cosine.alpha(0.0), first),
    ):
        close(found, true, 1e-9)


@pytest.mark.parametrize("name", SCHEDULES)
def test_an_array_of_times_is_as_each_by_itself(name):
    schedule, t = SCHEDULES[name](), np.array([[0.2, 0.4, 0.6], [0.3, 0.5, 0.7]])
    each = [[schedule.sigma(float(one)) for one in row] for row in t]
    assert isinstance(each[0][0], float)
    assert schedule.sigma(t).shape == t.shape
    close(schedule.sigma(t), each, 1e-9)


# Tables -------------------------------------------------------------------------------------------

BETAS = {  # of DDPM, latent diffusion and iDDPM, entry by entry
    DiscreteSchedule.linear: lambda n: 1e-4 + (0.02 - 1e-4) * n / 999,
    DiscreteSchedule.scaled_linear: lambda n: (
        (0.00085**0.5 + (0.012**0.5 - 0.00085**0.5) * n / 999) ** 2
    ),
    DiscreteSchedule.cosine: lambda n: min(
        1
        - math.cos((n / 1000 + 0.009) / 1.008 * math.pi / 2) ** 2
        / math.cos((n / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2,
        0.999,
    ),
}
PRODUCTS = 1e-9  # relative: 1000 products, and differences of neighbours: ε · 10⁵


@pytest.mark.parametrize("make", BETAS, ids=lambda make: make.__name__)
def test_published_tables(make):
    table, bar = make(), 1.0
    for n in range(1000):
        bar *= 1 - BETAS[make](n)
        close(table.level(n).alpha / math.sqrt(bar), 1, PRODUCTS)
        close(table.level(n).sigma / math.sqrt(1 - bar), 1, PRODUCTS)
        close(table.ratios[n] / math.sqrt((1 - bar) / bar), 1, PRODUCTS)
        close(table.log_snr[n], math.log(bar / (1 - bar)), PRODUCTS)


@pytest.mark.parametrize("at", [0.0, 12.25, 500.5, 998.75, 999.0])
def test_a_table_between_its_entries(at):
    table = DiscreteSchedule.linear()
    low, high = table.level(int(at)), table.level(min(int(at) + 1, 999))
    part, level = at - int(at), table.level(at)
    close(level.ratio / (low.ratio ** (1 - part) * high.ratio**part), 1, PRODUCTS)
    close(level.alpha**2 + level.sigma**2, 1, PRODUCTS)
