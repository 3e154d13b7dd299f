"""Exact laws and Wasserstein errors on a spectrum, against independent means."""

from __future__ import annotations

import runpy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from analytic import gaussian_w2
from dfbench.grids import regular, uniform_t
from dfbench.levels import Grid, Level
from dfbench.samplers import METHODS
from dfbench.samplers.method import Output, brownian_covariance
from dfbench.schedules import VE, FlowMatching, LinearVP
from dfbench.wasserstein import SCHEMES, SOURCES, error, errors, law, response, split

SPECTRUM = np.geomspace(1e-3, 10.0, 7)
MEAN = np.linspace(-1.0, 1.0, 7)
EXAMPLE = Path(__file__).parents[1] / "benchmarks" / "examples" / "wasserstein_from_spectrum.py"


def on_schedule(n: int, stop: float = 1e-3) -> Grid:
    return uniform_t(LinearVP(), n, 1.0, stop)


def carried_along(name: str, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the sample by the method itself: it runs on states whose rows are the
    weights of z_T, of a constant and of every draw, under the exact model from its definition."""
    spans: list[tuple[float, float] | None] = []
    weights = np.zeros((1002, 1, len(SPECTRUM)))  # annealed Langevin dynamics draws 1000 times
    constant = weights + 0
    constant[1] = 1.0

    def model(z: np.ndarray, level: Level) -> Output:
        total = level.alpha**2 * SPECTRUM + level.sigma**2
        gain = level.alpha * SPECTRUM / total
        x = gain * z + (1 - level.alpha * gain) * MEAN * constant
        return Output(x, z, level, "x")

    def noise(start: float | None = None, stop: float | None = None) -> np.ndarray:
        spans.append(None if start is None or stop is None else (start, stop))
        drawn = weights + 0
        drawn[1 + len(spans)] = 1.0
        return drawn

    z = weights + 0
    z[0] = 1.0
    end = METHODS[name](model, z, grid, noise)[:, 0]
    draws, cov = end[2 : 2 + len(spans)], brownian_covariance(spans)
    (alpha, sigma), paired = grid[0], draws if cov is None else cov @ draws
    spread = end[0] ** 2 * (alpha**2 * SPECTRUM + sigma**2) + (draws * paired).sum(axis=0)
    return end[0] * alpha * MEAN + end[1], spread


@pytest.mark.parametrize("name", sorted(METHODS))
def test_the_law_is_that_of_the_method(name: str) -> None:
    """Two algorithms: coefficients carried along, or weights carried back through a table."""
    grid = on_schedule(9, 0.02)
    mean, variance = carried_along(name, grid)
    for sampler in (name, METHODS[name].table(grid, "eps")):
        found = law(sampler, grid, SPECTRUM, mean=MEAN, on=("discretisation",))
        np.testing.assert_allclose(found.variance, variance, rtol=1e-10)
        np.testing.assert_allclose(found.mean, mean, atol=1e-10)


def recursion(scheme: str, n: int, stop: float) -> np.ndarray:
    """Variances of the schemes of Pierret and Galerne, written as recursions in β and Σ_t."""
    times = np.linspace(1.0, stop, n + 1)
    dt = times[0] - times[1]

    def beta(t: float) -> float:
        return 0.05 + 9.95 * t

    def big(t: float) -> float:
        return 0.05 * t + 9.95 * t**2 / 2

    def total(t: float) -> np.ndarray:
        return np.exp(-2 * big(t)) * SPECTRUM - np.expm1(-2 * big(t))

    def slope(t: float) -> np.ndarray:
        return beta(t) * (1 - 1 / total(t))

    v = np.ones_like(SPECTRUM)
    for t, s in pairwise(times):
        b = 2 * dt * beta(t)
        if scheme == "EM":
            v = (1 + dt * beta(t) * (1 - 2 / total(t))) ** 2 * v + b
        elif scheme == "EI":
            gain = np.expm1(big(t) - big(s))
            v = (1 + gain * (1 - 2 / total(t))) ** 2 * v + np.expm1(2 * (big(t) - big(s)))
        elif scheme == "DDPM":
            v = (1 - b / total(t)) ** 2 / (1 - b) * v + b
        elif scheme == "Euler":
            v = (1 + dt * slope(t)) ** 2 * v
        elif scheme == "Heun":
            v = (1 + dt / 2 * (slope(t) + slope(s) * (1 + dt * slope(t)))) ** 2 * v
        else:
            mid = (t + s) / 2
            k1 = slope(t)
            k2 = slope(mid) * (1 + dt / 2 * k1)
            k3 = slope(mid) * (1 + dt / 2 * k2)
            v = (1 + dt / 6 * (k1 + 2 * k2 + 2 * k3 + slope(s) * (1 + dt * k3))) ** 2 * v
    return v


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_published_schemes(scheme: str) -> None:
    sampler, options = SCHEMES[scheme]
    found = law(sampler, on_schedule(49), SPECTRUM, **options)
    np.testing.assert_allclose(found.variance, recursion(scheme, 49, 1e-3), rtol=1e-10)
    table = errors({scheme: SCHEMES[scheme]}, {50: on_schedule(49)}, SPECTRUM)
    w2 = gaussian_w2(0 * MEAN, recursion(scheme, 49, 1e-3), 0 * MEAN, SPECTRUM)
    assert table.w2[0] == pytest.approx(w2, rel=1e-9)
    assert table.nfe[0] == {"Heun": 98, "RK4": 196}.get(scheme, 49)


@pytest.mark.slow
def test_each_source_alone() -> None:
    grid = on_schedule(30)
    apart = split("probability_flow", grid, SPECTRUM, mean=MEAN, learned=2 * SPECTRUM)
    assert apart["none"] == pytest.approx(0.0, abs=1e-12)
    (alpha, sigma), s = grid[-1], SPECTRUM
    marginal = alpha**2 * s + sigma**2
    assert apart["truncation"] == pytest.approx(gaussian_w2(alpha * MEAN, marginal, MEAN, s))
    assert set(apart) == {"none", *SOURCES, "all"}
    many = split("probability_flow", on_schedule(3000), SPECTRUM, mean=MEAN)
    assert many["discretisation"] < 0.02 * apart["discretisation"]
    assert many["score"] == pytest.approx(0.0, abs=1e-12)  # none was given


def test_a_learned_spectrum_is_what_a_perfect_sampler_samples() -> None:
    """From α = 0 to σ = 0 without discretisation, the law is the model's."""
    grid = uniform_t(FlowMatching(), 5)
    found = law("ddim", grid, SPECTRUM, on=("score",), learned=3 * SPECTRUM, learned_mean=MEAN)
    np.testing.assert_allclose(found.variance, 3 * SPECTRUM, rtol=1e-12)
    np.testing.assert_allclose(found.mean, MEAN, atol=1e-12)
    wrong = error("ddim", grid, SPECTRUM, on=("score",), learned=3 * SPECTRUM)
    assert wrong == pytest.approx((np.sqrt(3) - 1) * np.sqrt(SPECTRUM.sum()))


def test_noise_makes_the_start_forgotten() -> None:
    grid = on_schedule(50)
    ode, sde = (
        error("reverse_sde", grid, SPECTRUM, on=("initialisation",), eta=eta) for eta in (0.0, 1.0)
    )
    assert sde < 0.01 * ode


def test_a_draw_of_no_weight_forgets_nothing() -> None:
    table = METHODS["ddim"].table(on_schedule(50), "x")
    idle = replace(table, rows=np.hstack([table.rows, np.zeros((table.nfe + 1, 1))]))
    assert idle.n_draws == 1
    for source in SOURCES:
        plain = error(table, None, SPECTRUM, on=(source,), learned=2 * SPECTRUM)
        assert error(idle, None, SPECTRUM, on=(source,), learned=2 * SPECTRUM) == plain


def test_the_start_is_of_the_scale_of_the_levels() -> None:
    exploding = uniform_t(VE(0.01, 50.0), 10)
    same = law("ddim", exploding, SPECTRUM, start=50.0**2)
    np.testing.assert_array_equal(law("ddim", exploding, SPECTRUM).variance, same.variance)
    one = law("ddim", on_schedule(10), SPECTRUM, start=1.0)
    np.testing.assert_array_equal(law("ddim", on_schedule(10), SPECTRUM).variance, one.variance)


def test_a_sampler_that_churns_starts_at_the_grid() -> None:
    """Its first evaluation is above the level at which it starts."""
    errs = []
    for n in (32, 64):
        grid = regular(-6.0, 4.0, n)
        table = METHODS["edm"].table(grid, "x", s_churn=2.0)
        errs.append(error(table, grid, SPECTRUM, on=("discretisation",)))
        direct = error("edm", grid, SPECTRUM, on=("discretisation",), s_churn=2.0)
        assert errs[-1] == pytest.approx(direct)
    assert errs[0] / errs[1] > 3.5


def test_response_is_the_error_of_each_standard_deviation() -> None:
    grid = on_schedule(20)
    found = response("ddim", grid, SPECTRUM, on=("discretisation",))
    truth = grid[-1].alpha ** 2 * SPECTRUM + grid[-1].sigma ** 2
    table = METHODS["ddim"].table(grid, "x")
    np.testing.assert_allclose(found, np.sqrt(table.law(SPECTRUM).variance / truth) - 1, rtol=1e-12)
    np.testing.assert_array_equal(table.response(SPECTRUM), found)
    norm = np.linalg.norm(found * np.sqrt(truth))
    assert norm == pytest.approx(error("ddim", grid, SPECTRUM, on=("discretisation",)))


def test_thousands_of_directions_and_steps() -> None:
    spectrum, grid = np.geomspace(1e-4, 10, 3072), on_schedule(500)
    assert 0 < error("reverse_sde", grid, spectrum) < 1
    assert METHODS["heun"].evaluations(grid) == 1000


def test_refusals() -> None:
    grid = on_schedule(3)
    with pytest.raises(ValueError, match="sources of error"):
        law("ddim", grid, SPECTRUM, on=("rounding",))
    with pytest.raises(ValueError, match="a spectrum must be"):
        law("ddim", grid, [-1.0])
    with pytest.raises(ValueError, match="needs a grid"):
        law("ddim", None, SPECTRUM)
    with pytest.raises(ValueError, match="no method"):
        law("dimd", grid, SPECTRUM)
    with pytest.raises(ValueError, match="more steps"):
        law(*SCHEMES["DDPM"][:1], grid, SPECTRUM)
    with pytest.raises(ValueError, match="no option"):
        law("ddim", grid, SPECTRUM, steps=3)


def test_the_example_on_the_digits() -> None:
    pytest.importorskip("sklearn")
    example = runpy.run_path(str(EXAMPLE))
    table = example["table"](example["digits"](), (40, 80))
    assert table.shape == (18, 6)
    assert np.isfinite(table.to_numpy()).all()
    row = table.loc[("Euler", 1e-3)]
    assert row[("W2 from p_T", 80)] < row[("W2 from p_T", 40)] < 1
    assert list(table.loc[("RK4", 1e-3), "evaluations"]) == [36, 76]
    assert list(table.loc[("Heun", 1e-3), "evaluations"]) == [78, 158]
