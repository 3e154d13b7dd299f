"""Grids against their formulas and against released schedulers; each with a control."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dfbench import grids
from dfbench.levels import Grid
from dfbench.schedules import (
    Cosine,
    DiscreteSchedule,
    FlowMatching,
    LinearVP,
    Schedule,
    Shifted,
    SubVP,
)

SCHEDULES: list[Schedule] = [FlowMatching(), Cosine(), LinearVP(), SubVP(), Shifted(Cosine(), 2.0)]


def descends(grid: Grid) -> bool:
    return bool((np.diff(grid.log_snr) > 0).all())


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.floats(0.3, 1), st.floats(0, 0.2), st.sampled_from(SCHEDULES))
def test_grids_in_time(n: int, start: float, stop: float, schedule: Schedule) -> None:
    makers: list[Callable[..., Grid]] = [grids.uniform_t, grids.quadratic, grids.beta]
    for make in makers:
        grid = make(schedule, n, t_start=start, t_stop=stop)
        assert grid.n_steps == n
        assert grid.t is not None
        assert grid.schedule is schedule
        assert (grid.t[0], grid.t[-1]) == pytest.approx((start, stop), rel=1e-15, abs=1e-300)
        assert descends(grid)
        assert all(grid[i] == schedule.level(grid.t[i]) for i in range(n + 1))


def test_their_spacings() -> None:
    t = grids.uniform_t(Cosine(), 7, 0.9, 0.2).t
    root = np.sqrt(grids.quadratic(Cosine(), 7, 0.9, 0.2).t)
    quantile = stats.beta(0.6, 0.6).cdf(grids.beta(Cosine(), 7).t)
    for values in (t, root, quantile):
        np.testing.assert_allclose(np.diff(values), (values[-1] - values[0]) / 7, rtol=1e-12)
    assert np.ptp(np.diff(grids.quadratic(Cosine(), 7, 0.9, 0.2).t)) > 0.01  # control


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.floats(-8, -1), st.floats(-0.5, 12), st.sampled_from(SCHEDULES))
def test_uniform_log_snr(n: int, low: float, high: float, schedule: Schedule) -> None:
    grid = grids.uniform_log_snr(schedule, n, low, high)
    np.testing.assert_allclose(grid.log_snr, np.linspace(low, high, n + 1), atol=1e-11)
    assert all(grid[i] == schedule.level(grid.t[i]) for i in range(n + 1))
    uniform = grids.uniform_t(schedule, 9, 0.9, 0.1)  # control
    assert np.ptp(np.diff(uniform.log_snr)) > 0.01


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 40), st.floats(-20, 0), st.floats(0.1, 20), st.sampled_from(["vp", "ve", "flow"])
)
def test_regular(n: int, low: float, high: float, scale: Any) -> None:
    grid = grids.regular(low, high, n, scale)
    np.testing.assert_allclose(grid.log_snr, np.linspace(low, high, n + 1), rtol=0, atol=1e-13)
    total = {"vp": np.hypot(grid.alpha, grid.sigma), "ve": grid.alpha}
    np.testing.assert_allclose(total.get(scale, grid.alpha + grid.sigma), 1, rtol=1e-15)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.floats(1, 200), st.floats(1e-4, 0.5), st.floats(0.5, 20))
def test_karras_and_its_limit(n: int, high: float, low: float, rho: float) -> None:
    grid = grids.karras(high, low, n, rho)
    assert grid.n_steps == n
    assert (grid.sigma[0], grid.sigma[-2], grid.sigma[-1]) == (high, low, 0)
    power = grid.sigma[:-1] ** (1 / rho)
    np.testing.assert_allclose(np.diff(power), (power[-1] - power[0]) / (n - 1), rtol=1e-9)
    assert descends(grid)
    exponential = grids.exponential(high, low, n)
    np.testing.assert_allclose(grids.karras(high, low, n, 1e7).sigma, exponential.sigma, rtol=1e-5)
    open_ended = grids.karras(high, low, n, rho, final_zero=False)
    assert (open_ended.n_steps, open_ended.sigma[-1]) == (n, low)
    beta = grids.beta_ratios(high, low, n)
    spread = (beta.sigma[:-1] - low) / (high - low)
    np.testing.assert_allclose(stats.beta(0.6, 0.6).cdf(spread), np.linspace(1, 0, n), atol=1e-9)


def test_karras_as_edm_prints_it() -> None:
    """The 18 steps of EDM from 80 to 0.002."""
    sigma = grids.karras(80, 0.002, 18).sigma
    i = np.arange(18)
    expected = (80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    np.testing.assert_allclose(sigma[:-1], expected, rtol=1e-13)
    assert grids.karras(80, 0.002, 1).sigma.tolist() == [80, 0]
    assert grids.karras(80, 0.002, 1, final_zero=False).sigma.tolist() == [80, 0.002]


FLOW = FlowMatching()
TABLE = DiscreteSchedule.linear()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: grids.uniform_t(FLOW, 0), "number of steps"),
        (lambda: grids.uniform_t(FLOW, 2.0), "number of steps"),
        (lambda: grids.uniform_t(FLOW, True), "number of steps"),
        (lambda: grids.uniform_t(FLOW, 3, 0.1, 0.9), "t_start > t_stop"),
        (lambda: grids.uniform_t(FLOW, 3, math.nan), "t_start must be finite"),
        (lambda: grids.uniform_t(FLOW, 3, 1.5), "t_start > t_stop"),
        (lambda: grids.uniform_t(Shifted(FLOW, 1.0, "ve"), 3), "no finite level"),
        (lambda: grids.quadratic(FLOW, 3, 0.1, 0.1), "t_start > t_stop"),
        (lambda: grids.beta(FLOW, 3, 0.0), "a and b"),
        (lambda: grids.beta_ratios(2, 1, 3, b=math.nan), "b must be finite"),
        (lambda: grids.uniform_log_snr(FLOW, 3, 2.0, 1.0), "rise"),
        (lambda: grids.uniform_log_snr(FLOW, 3, -math.inf, 1.0), "log-SNR must be finite"),
        (lambda: grids.uniform_log_snr(LinearVP(), 3, -30.0, 1.0), "must be in"),
        (lambda: grids.regular(1.0, 1.0, 3), "rise"),
        (lambda: grids.regular(0.0, 1.0, 3, "v"), "scale"),
        (lambda: grids.karras(0.002, 80, 3), "sigma_min < sigma_max"),
        (lambda: grids.karras(80, 0, 3), "sigma_min < sigma_max"),
        (lambda: grids.karras(80, math.nan, 3), "sigma_min must be finite"),
        (lambda: grids.karras(80, 1, 3, 0), "rho"),
        (lambda: grids.exponential(math.inf, 1, 3), "sigma_max must be finite"),
        (lambda: grids.leading(1000, 1000, 1), "outside"),
        (lambda: grids.leading(1000, 1000, family="dpm"), "do not fit"),
        (lambda: grids.leading(10, 11), "do not fit"),
        (lambda: grids.trailing(10, 3, family="ddpm"), "family"),
        (lambda: grids.linspace(0, 1), "number of steps"),
        (lambda: grids.at_indices(TABLE, []), "indices"),
        (lambda: grids.at_indices(TABLE, [1, 2]), "indices"),
        (lambda: grids.at_indices(TABLE, [1000]), "time index"),
        (lambda: grids.at_indices(TABLE, [math.nan, 1]), "indices"),
    ],
)
def test_refusals(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_at_indices() -> None:
    grid = grids.at_indices(TABLE, [999, 500, 1])
    assert list(grid) == [TABLE.level(999), TABLE.level(500), TABLE.level(1), (1, 0)]
    assert grids.at_indices(TABLE, [5], final_zero=False)[-1] == TABLE.level(0)


# Released schedulers ------------------------------------------------------------------------------

STEPS = [1, 2, 3, 7, 10, 20, 31, 50, 99, 100, 127, 250, 333, 498, 500]
RUNAWAY = [61, 103, 121, 122, 201]  # "trailing" of the released code returns n + 1 indices


def released(name: str, n: int, spacing: str, offset: int = 0) -> Any:
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    scheduler = getattr(diffusers, name)(timestep_spacing=spacing, steps_offset=offset)
    scheduler.set_timesteps(n)
    return scheduler


FAMILIES: list[tuple[str, Any]] = [
    ("DDIMScheduler", "ddim"),
    ("DDPMScheduler", "ddim"),
    ("EulerDiscreteScheduler", "euler"),
    ("EulerAncestralDiscreteScheduler", "euler"),
    ("LMSDiscreteScheduler", "euler"),
    ("DPMSolverMultistepScheduler", "dpm"),
    ("UniPCMultistepScheduler", "dpm"),
    ("DEISMultistepScheduler", "dpm"),
]


@pytest.mark.parametrize("n", STEPS)
@pytest.mark.parametrize(("name", "family"), FAMILIES)
def test_indices_are_those_of_diffusers(name: str, family: Any, n: int) -> None:
    for offset in (0, 1):
        theirs = released(name, n, "leading", offset).timesteps.numpy()
        np.testing.assert_array_equal(grids.leading(1000, n, offset, family=family), theirs)
    theirs = released(name, n, "trailing").timesteps.numpy()
    np.testing.assert_array_equal(grids.trailing(1000, n, family=family), theirs)
    theirs = released(name, n, "linspace").timesteps.numpy()
    # Euler's are float32
    np.testing.assert_allclose(grids.linspace(1000, n, family=family), theirs, rtol=2e-7)


def test_control_the_families_differ() -> None:
    n = 20
    assert (grids.leading(1000, n) != grids.leading(1000, n, family="dpm")).all()
    assert (grids.linspace(1000, n) != grids.linspace(1000, n, family="euler")).any()
    assert (grids.linspace(1000, n) != grids.linspace(1000, n, family="dpm")).any()


@pytest.mark.parametrize(("name", "family"), FAMILIES)
def test_trailing_of_the_released_code_runs_one_past_the_end(name: str, family: Any) -> None:
    """A finding: `arange(N, 0, -N/n)` has n + 1 entries for these n, and the last index is −1."""
    for n in RUNAWAY:
        ours = grids.trailing(1000, n, family=family)
        assert (len(ours), ours.min()) >= (n, 0)
        theirs = released(name, n, "trailing").timesteps.numpy()
        if len(theirs) == n:
            pytest.skip("this release of diffusers has mended it")
        assert (len(theirs), theirs[-1]) == (n + 1, -1)
        np.testing.assert_array_equal(theirs[:-1], ours)


def test_how_often_trailing_runs_past_the_end() -> None:
    past = [n for n in range(1, 1001) if len(np.arange(1000, 0, -1000 / n)) != n]
    assert (past[:5], len(past)) == (RUNAWAY, 62)
    ours = [grids.trailing(1000, n) for n in range(1, 1001)]
    assert [len(indices) for indices in ours] == list(range(1, 1001))
    assert all(indices[0] == 999 and (np.diff(indices) < 0).all() for indices in ours)


@pytest.mark.parametrize("flag", ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"])
def test_sigmas_of_diffusers(flag: str) -> None:
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    scheduler = diffusers.EulerDiscreteScheduler(**{flag: True})
    scheduler.set_timesteps(13)
    theirs = scheduler.sigmas.numpy()
    make: Callable[..., Grid] = {
        "use_karras_sigmas": grids.karras,
        "use_exponential_sigmas": grids.exponential,
        "use_beta_sigmas": grids.beta_ratios,
    }[flag]
    ends = DiscreteSchedule(scheduler.alphas_cumprod).ratios
    ours = make(float(ends[-1]), float(ends[0]), 13).sigma
    np.testing.assert_allclose(ours, theirs, rtol=2e-5)  # tables of float32, 1 − ᾱ_0 ≈ 1e-4
    assert (
        np.abs(ours[1:-2] / grids.karras(ends[-1], ends[0], 13, 6.9).sigma[1:-2] - 1).max() > 1e-3
    )


def test_grid_of_euler_between_training_times() -> None:
    """Euler's linspace interpolates σ/α linearly, its inverse logarithmically: they disagree."""
    scheduler = released("EulerDiscreteScheduler", 10, "linspace")
    table = DiscreteSchedule(scheduler.alphas_cumprod)
    n = grids.linspace(1000, 10, family="euler")
    ours = grids.at_indices(table, n).ratio
    gap = np.abs(scheduler.sigmas.numpy()[:-1] / ours[:-1] - 1)
    assert gap.max() < 2e-5
    told = scheduler._sigma_to_t(scheduler.sigmas.numpy()[:-1], np.log(table.ratios))
    assert np.abs(told - n).max() < 0.02
