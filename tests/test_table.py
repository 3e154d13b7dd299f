"""Tables: execution, conversion, law, bookkeeping, comparison; each against something written
independently of `dfbench.table`.
"""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from analytic import GaussianMixture
from dfbench.errors import Undefined
from dfbench.exact import exact_model, exact_slope
from dfbench.grids import karras
from dfbench.levels import Grid, Level
from dfbench.samplers import METHODS
from dfbench.samplers.method import Output, brownian_covariance
from dfbench.steps import BLOCK
from dfbench.table import Table, relative

EPS = float(np.finfo(np.float64).eps)
PREDICTIONS = ("eps", "x", "v", "u", "score")
#: They integrate in t, or take hundreds of evaluations a step.
ELSEWHERE = {
    "probability_flow",
    "velocity",
    "reverse_sde",
    "interpolant_sde",
    "tcd",
    "annealed_langevin",
}
NAMES = sorted(set(METHODS) - ELSEWHERE)
ETA = {"ddim": {"eta": 0.7}, "edm": {"s_churn": 3.0}, "euler_ancestral": {"eta": 0.6}}


def ratios(n: int) -> Any:
    return np.geomspace(6.0, 0.1, n + 1)


def vp(n: int) -> Grid:
    r = ratios(n)
    return Grid(1 / np.hypot(1, r), r / np.hypot(1, r))


@st.composite
def grids(draw: st.DrawFn, steps: tuple[int, int] = (1, 6)) -> Grid:
    """Falling noise-to-signal ratios, every level on a scale of its own."""
    n = draw(st.integers(*steps))
    fall = draw(st.lists(st.floats(0.1, 1.5), min_size=n, max_size=n))
    first = draw(st.floats(0.5, 3.0))
    ratio = np.exp(first - np.concatenate([[0.0], np.cumsum(fall)]))
    scale = np.array(draw(st.lists(st.floats(0.2, 5.0), min_size=n + 1, max_size=n + 1)))
    return Grid(scale, scale * ratio)


def field(z: Any, level: Level) -> Any:
    """A nonlinear prediction of x, bounded, different at every level."""
    y = z / (level.alpha + level.sigma)
    return 0.8 * y / (1 + 0.3 * y * y) + 0.1 * level.sigma / (level.alpha + level.sigma)


def predicted(prediction: str, z: Any, x: Any, level: Level) -> Any:
    """The model output of a kind whose x-prediction is x, from the definitions."""
    alpha, sigma = level
    eps = (z - alpha * x) / sigma
    return {
        "x": x,
        "eps": eps,
        "v": alpha * eps - sigma * x,
        "u": eps - x,
        "score": -eps / sigma,
    }[prediction]


def model_of(prediction: str) -> Any:
    return lambda z, level: predicted(prediction, z, field(z, level), level)


def direct(name: str, grid: Grid, z: Any, draws: list[Any], **options: Any) -> Any:
    """The method's own function on the states, no table in between."""
    given = iter(draws)
    return METHODS[name](
        lambda state, level: Output(field(state, level), state, level, "x"),
        z,
        grid,
        lambda start=None, stop=None: next(given),
        **options,
    )


# Execution ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_execution_is_the_method(name: str) -> None:
    grid, options = vp(7), ETA.get(name, {})
    rng = np.random.default_rng(1)
    z = rng.standard_normal((4, 3))
    for prediction in ("x", "eps", "v"):
        table = METHODS[name].table(grid, prediction, **options)
        draws = [rng.standard_normal(z.shape) for _ in range(table.n_draws)]
        expected = direct(name, grid, z, draws, **options)
        got = table.run(model_of(prediction), z, draws.__getitem__)
        assert np.abs(got - expected).max() < 1e-12
        tensors = [torch.tensor(draw) for draw in draws]
        on_torch = table.run(model_of(prediction), torch.tensor(z), tensors.__getitem__)
        assert on_torch.dtype == torch.float64
        assert np.abs(on_torch.numpy() - expected).max() < 1e-12


@pytest.mark.parametrize("name", ["ddim", "unipc", "dpmpp_sde", "heun"])
def test_execution_keeps_single_precision(name: str) -> None:
    rng = np.random.default_rng(2)
    table = METHODS[name].table(vp(7), "x")
    z = rng.standard_normal((4, 3)).astype(np.float32)
    draws = [rng.standard_normal(z.shape).astype(np.float32) for _ in range(table.n_draws)]
    expected = table.run(model_of("x"), z.astype(np.float64), lambda k: draws[k].astype(np.float64))
    for got in (
        table.run(model_of("x"), z, draws.__getitem__),
        table.run(model_of("x"), torch.tensor(z), lambda k: torch.tensor(draws[k])).numpy(),
    ):
        assert got.dtype == np.float32
        gap = np.abs(got - expected).max()
        assert 0 < gap < 1e-5  # 0 would mean that it was computed in float64


def test_execution_starts_again_from_the_initial_state() -> None:
    """A state may lose z_T and a later one use it again."""
    rows = [[1, 0, 0, 0], [0, 2, 0, 0], [0.5, 1, 3, 0], [0.25, 0, 0, 1]]
    table = Table(np.array(rows), vp(3), "x")
    z = np.array([1.0, -2.0])
    m0 = field(z, table.levels[0])
    m1 = field(2 * m0, table.levels[1])
    m2 = field(0.5 * z + m0 + 3 * m1, table.levels[2])
    assert np.allclose(table.run(model_of("x"), z), 0.25 * z + m2, rtol=1e-14, atol=0)


def test_execution_asks_for_every_draw_once_and_only_if_used() -> None:
    table = METHODS["sa_solver"].table(vp(6), "x")
    asked: list[int] = []

    def draws(k: int) -> Any:
        asked.append(k)
        return np.zeros(2)

    table.run(model_of("x"), np.ones(2), draws)
    assert asked == list(range(table.n_draws))
    asked.clear()
    again = Table(np.array([[1.0, 0, 0, 0, 0], [1, 0, 0, 1, 0], [1, 0, 0, 3, 1]]), vp(2), "x")
    again.run(model_of("x"), np.ones(2), draws)
    assert asked == [0, 1]
    with pytest.raises(ValueError, match="draws noise 6 times"):
        table.run(model_of("x"), np.ones(2))


def test_execution_lets_go_of_what_is_used_up() -> None:
    alive: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()
    most = 0

    def draws(k: int) -> torch.Tensor:
        made = torch.ones(3, dtype=torch.float64)
        alive.add(made)
        return made

    def model(z: torch.Tensor, level: Level) -> torch.Tensor:
        nonlocal most
        most = max(most, len(alive))
        made = torch.tanh(z)
        alive.add(made)
        return made

    METHODS["sde_dpm_solver_pp"].table(vp(30), "x").run(model, torch.ones(3), draws)
    assert 0 < most <= 4  # two outputs, a draw, and what the loop still names


@pytest.mark.parametrize("backend", [np.asarray, torch.tensor])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_execution_writes_to_nothing_it_was_given(backend: Any, dtype: str, order: Any) -> None:
    """Models may return their input, keep it, or return the same array every time."""
    table = METHODS["dpmpp_sde"].table(vp(5), "x")
    z = backend(np.asarray(np.linspace(-1, 1, 12).reshape(4, 3), dtype, order=order))
    noise = backend(np.asarray(np.full((4, 3), 0.5), dtype, order=order))
    seen: list[tuple[Any, Any]] = [(z, z + 0), (noise, noise + 0)]

    def model(state: Any, level: Level) -> Any:
        seen.append((state, state + 0))
        return state

    out = table.run(model, z, lambda k: noise)
    assert out.dtype == z.dtype
    assert out.shape == z.shape
    assert all(bool((kept == copy).all()) for kept, copy in seen)
    exact = table.run(
        lambda s, level: s, np.linspace(-1, 1, 12).reshape(4, 3), lambda k: np.full((4, 3), 0.5)
    )
    assert np.allclose(
        np.asarray(out), exact, rtol=30 * np.finfo(dtype).eps, atol=30 * np.finfo(dtype).eps
    )


def test_execution_leaves_mixed_types_and_shapes_to_arithmetic() -> None:
    table = METHODS["unipc"].table(vp(5), "x")
    expected = table.run(lambda s, level: np.full((2, 3), 0.25), np.ones((2, 3)))
    for z, m in (
        (np.ones((2, 3)), 0.25),
        (np.ones((2, 3), np.float32), np.full((1, 3), 0.25)),
        (torch.ones(2, 3), torch.full((3,), 0.25, dtype=torch.float64)),
        (torch.ones((), dtype=torch.float64), torch.full((2, 3), 0.25)),
    ):
        out = table.run(lambda s, level, m=m: m, z)
        assert out.shape == (2, 3)
        assert np.allclose(np.asarray(out), expected, rtol=1e-6, atol=0)


def test_execution_can_be_differentiated() -> None:
    table = METHODS["dpm_solver_pp_multistep"].table(vp(5), "eps")
    for dtype in (torch.float32, torch.float64):
        z = torch.full((3,), 0.3, dtype=dtype, requires_grad=True)
        (slope,) = torch.autograd.grad(table.run(model_of("eps"), z).sum(), z)
        near = [table.run(model_of("eps"), np.array([0.3 + h])) for h in (-1e-5, 1e-5)]
        assert np.allclose(slope.numpy(), (near[1] - near[0]) / 2e-5, rtol=1e-4)


def test_execution_in_single_precision_takes_few_outputs() -> None:
    """The weights of ε̂ are dense for a method that is short in x̂."""
    table = METHODS["dpm_solver_pp_multistep"].table(vp(40), "eps")
    steps, factors = table._single
    assert factors == [table.affine("eps", "x", level) for level in table.evaluated]
    assert max(len(step.outputs) for step in steps) == 2
    z = np.linspace(-1, 1, 5)
    exact = table.run(model_of("eps"), z)
    single = table.run(model_of("eps"), torch.tensor(z, dtype=torch.float32))
    assert np.abs(single.numpy() - exact).max() < 40 * np.finfo(np.float32).eps


@pytest.mark.parametrize("prediction", ["eps", "x", "v"])
@pytest.mark.parametrize("name", NAMES)
def test_steps_reproduce_the_rows(name: str, prediction: str) -> None:
    table = METHODS[name].table(vp(9), prediction, **ETA.get(name, {}))
    e, previous = table.nfe, np.eye(table.rows.shape[1])[0]
    for row, step in zip(table.rows, table.steps(), strict=True):
        rebuilt = step.carry * previous
        rebuilt[0] += step.start
        for i, weight in step.outputs.items():
            rebuilt[1 + i] += weight
        for k, weight in step.draws.items():
            rebuilt[1 + e + k] += weight
        size = np.abs(row).max() + np.abs(step.carry * previous).max()
        assert np.abs(rebuilt - row).max() <= 16 * EPS * size
        previous = row


@pytest.mark.parametrize("name", ["ddpm", "dpm_solver_pp_multistep", "heun"])
def test_steps_of_a_long_run_are_those_of_its_parts(name: str) -> None:
    """Rows are taken apart block by block: no step knows where a block ends."""
    table = METHODS[name].table(vp(400), "x")
    assert table.nfe > BLOCK
    previous = table.rows[BLOCK - 2 : BLOCK + 2]
    for before, row, step in zip(previous, previous[1:], table.steps()[BLOCK - 1 :], strict=False):
        assert step.carry == row[0] / before[0]
        assert 1 <= len(step.outputs) <= 2
        rest = row - step.carry * before
        for i, weight in step.outputs.items():
            assert weight == rest[1 + i]


def test_the_states_of_a_run_are_the_rows_applied() -> None:
    table = METHODS["dpmpp_sde"].table(vp(5), "x")
    rng = np.random.default_rng(4)
    z, normals = rng.standard_normal(3), rng.standard_normal((table.n_draws, 3))
    draws = table.drawn(normals.__getitem__)
    outputs: list[Any] = []

    def model(state: Any, level: Level) -> Any:
        outputs.append(field(state, level))
        return outputs[-1]

    states = list(table.states(model, z, draws))
    inputs = np.stack([z, *outputs, *(draws(k) for k in range(table.n_draws))])
    assert np.abs(np.stack(states) - table.rows @ inputs).max() < 1e-13
    assert np.abs(states[-1] - table.run(model, z, draws)).max() == 0


def test_draws_have_the_covariance_of_the_table() -> None:
    table = METHODS["dpmpp_sde"].table(vp(4), "x")
    root = table.noise_root
    assert np.abs(root @ root.T - table.covariance).max() < 1e-14
    assert np.abs(table.covariance - np.eye(table.n_draws)).max() > 0.1
    unit = np.eye(table.n_draws)
    drawn = table.drawn(lambda k: unit[k])  # array k of the standard normals is all but k zero
    assert np.allclose([drawn(k) for k in range(table.n_draws)], root, atol=0)
    plain = METHODS["ddpm"].table(vp(4), "x").drawn(unit.__getitem__)
    assert np.array_equal(plain(2), unit[2])


def test_steps_are_few() -> None:
    """A multistep method needs its few last outputs, however long the run."""
    for step in METHODS["dpm_solver_pp_multistep"].table(vp(40), "x").steps():
        assert len(step.outputs) <= 2
        assert not step.start


# Conversion -----------------------------------------------------------------------------------


@pytest.mark.slow
@given(st.data(), grids(), st.sampled_from(NAMES))
@settings(max_examples=60)
def test_conversion_keeps_what_the_sampler_does(data: Any, grid: Grid, name: str) -> None:
    source, target = (data.draw(st.sampled_from(PREDICTIONS)) for _ in range(2))
    table = METHODS[name].table(grid, source)
    converted = table.convert(target)
    assert converted.prediction == target
    rng = np.random.default_rng(3)
    z = grid[0].sigma * rng.standard_normal(5)
    draws = rng.standard_normal((table.n_draws, 5))
    before = table.run(model_of(source), z, draws.__getitem__)
    after = converted.run(model_of(target), z, draws.__getitem__)
    size = max(np.hypot(level.alpha, level.sigma) for level in grid)
    assert np.abs(before - after).max() <= 1e-11 * size
    back = converted.convert(source)
    worst = np.abs(converted.rows).max() * max(1.0, np.abs(table.rows).max())
    assert np.abs(back.rows - table.rows).max() <= 1e-12 * worst * size


def test_conversion_that_does_not_exist_says_so() -> None:
    clean = Grid([1.0, 1.0, 1.0], [1.0, 0.0, 0.0])
    with pytest.raises(Undefined, match="σ = 0"):
        Table(np.eye(3), clean, "eps").convert("x").convert("score")
    with pytest.raises(ValueError, match="banana"):
        Table(np.eye(3), vp(2), "eps").convert("banana")


@given(grids(), st.sampled_from(["ddim", "unipc", "euler_ancestral", "heun"]))
@settings(max_examples=30)
def test_the_canonical_form_does_not_know_the_scale(grid: Grid, name: str) -> None:
    assert METHODS[name].traits_of().scale_invariant
    one = METHODS[name].table(grid, "v").canonical()
    two = METHODS[name].table(Grid.from_ratios(grid.ratio), "eps").canonical()
    assert np.allclose(one.levels.alpha, 1)
    assert one.gaps(two).max() <= 1e-11 * (1 + np.abs(two.rows).max())


def test_rescaling_is_refused_where_outputs_would_change() -> None:
    with pytest.raises(ValueError, match="convert 'v' to 'x' or 'eps'"):
        METHODS["ddim"].table(vp(3), "v").rescaled(2.0)


# Law ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prediction", [*PREDICTIONS, "edm"])
@pytest.mark.parametrize("level", [Level(0.6, 0.8), Level(0.0, 1.0), Level(3.0, 0.01)])
def test_the_slope_is_that_of_the_exact_model(prediction: str, level: Level) -> None:
    s = np.array([0.0, 1e-6, 0.3, 40.0])
    data = GaussianMixture.diagonal([1.0], np.zeros((1, 4)), s[None])
    model = exact_model(data, prediction, 0.5)
    slope = exact_slope(s, level, prediction, 0.5)
    assert slope == pytest.approx(model(np.ones((1, 4)), level)[0], rel=1e-9, abs=1e-9)


def test_the_slope_has_its_limits_where_data_is_clean() -> None:
    """At σ = 0: x̂ is z/α, ε̂ is nothing; and the model of a point is a constant."""
    clean, s = Level(2.0, 0.0), np.array([0.0, 1.0])
    assert exact_slope(s, clean, "x").tolist() == [0.0, 0.5]
    assert exact_slope(s, clean, "eps").tolist() == [0.0, 0.0]
    with pytest.raises(Undefined, match="σ = 0"):
        exact_slope(s, clean, "score")


def propagated(table: Table, s: float, mu: float) -> tuple[Any, Any]:
    """Mean and variance of every state for data N(mu, s): each state as a vector over
    (1, z_T, ξ_0, …), the exact prediction from its definition.
    """
    e, k = table.nfe, table.n_draws
    first = table.levels[0]
    outputs: list[Any] = []
    states: list[Any] = []
    for j, row in enumerate(table.rows):
        state = np.zeros(2 + k)
        state[1] = row[0]
        state[2:] = row[1 + e :]
        for weight, m in zip(row[1 : 1 + e], outputs, strict=False):
            state = state + weight * m
        states.append(state)
        if j < e:
            level = table.levels[j]
            one = np.eye(2 + k)[0]
            gain = level.alpha * s / (level.alpha**2 * s + level.sigma**2)
            x = mu * one + gain * (state - level.alpha * mu * one)
            outputs.append(predicted(table.prediction, state, x, level))
    basis = np.array(states)
    cov = np.zeros((2 + k, 2 + k))
    cov[1, 1] = first.alpha**2 * s + first.sigma**2
    cov[2:, 2:] = np.eye(k) if table.noise_cov is None else table.noise_cov
    mean = basis[:, 0] + basis[:, 1] * first.alpha * mu
    return mean, np.einsum("ji,ik,jk->j", basis, cov, basis)


@pytest.mark.slow
@given(
    st.data(),
    grids(),
    st.sampled_from(NAMES),
    st.floats(-3, 3),
    st.sampled_from([0.0, 1e-4, 0.3, 1.0, 50.0]),
)
@settings(max_examples=80)
def test_law_against_propagation(data: Any, grid: Grid, name: str, mu: float, s: float) -> None:
    prediction = data.draw(st.sampled_from(PREDICTIONS))
    table = METHODS[name].table(grid, prediction)
    mean, variance = propagated(table, s, mu)
    law = table.law([s, 1.0], [mu, 0.0])
    scale = 1 + np.abs(table.rows).max()
    assert law.mean.shape == law.variance.shape == (2,)
    assert abs(law.mean[0] - mean[-1]) <= 1e-11 * scale * (1 + abs(mean[-1]))
    assert abs(law.variance[0] - variance[-1]) <= 1e-11 * scale**2 * (1 + variance[-1])


def test_law_from_another_start() -> None:
    table = METHODS["heun"].table(vp(5), "x")
    gain = (
        table.law(0.4, 0.0, start_variance=3.0).variance
        - table.law(0.4, 0.0, start_variance=2.0).variance
    )
    shifted = table.law(0.4, 0.0, start_mean=1.0)
    assert shifted.mean == pytest.approx(np.sqrt(gain), rel=1e-12)
    assert shifted.mean[0] != 0


FALSE_ALARM = 1e-7


@pytest.mark.parametrize("name", ["dpmpp_sde", "sa_solver"])
def test_law_against_simulation(name: str) -> None:
    """The method itself on 4·10⁵ samples; four two-sided tests in all, false alarms below 1e-6.

    Power: an error of 1.5 % in the variance is seen with probability 0.9.
    """
    grid, s, mu, n = vp(4), 0.6, 0.8, 400_000
    rng = np.random.default_rng(11)
    first = grid[0]
    x = mu + np.sqrt(s) * rng.standard_normal(n)
    z = first.alpha * x + first.sigma * rng.standard_normal(n)
    # what each call of noise() asks for is a pair of levels: one path, made of its pieces
    table = METHODS[name].table(grid, "x")
    draws = iter(np.linalg.cholesky(table.covariance) @ rng.standard_normal((table.n_draws, n)))

    def model(state: Any, level: Level) -> Output:
        gain = level.alpha * s / (level.alpha**2 * s + level.sigma**2)
        return Output(mu + gain * (state - level.alpha * mu), state, level, "x")

    out = METHODS[name](model, z, grid, lambda start=None, stop=None: next(draws))
    law = table.law(s, mu)
    limit = stats.norm.isf(FALSE_ALARM / 2)
    assert abs(out.mean() - law.mean[0]) < limit * np.sqrt(law.variance[0] / n)
    assert abs(out.var() / law.variance[0] - 1) < limit * np.sqrt(2 / n)


def test_wasserstein_of_gaussians() -> None:
    law = METHODS["ddim"].table(vp(5), "x").law([0.25, 4.0], [1.0, 0.0])
    w = law.wasserstein(law.mean + 3.0, (np.sqrt(law.variance) + 4.0) ** 2)
    assert w == pytest.approx([5.0, 5.0])
    assert law.wasserstein(law.mean, law.variance) == pytest.approx([0.0, 0.0])


@pytest.mark.parametrize(
    ("variance", "mean"), [(-1.0, 0.0), (np.nan, 0.0), (1.0, np.inf), ([1.0, -1e-9], 0.0)]
)
def test_law_refuses_what_is_no_law(variance: Any, mean: float) -> None:
    with pytest.raises(ValueError, match=r"(variance|mean) must be"):
        METHODS["ddim"].table(vp(3)).law(variance, mean)


# Bookkeeping and weights ----------------------------------------------------------------------


@pytest.mark.slow
@given(st.data(), grids(), st.sampled_from(NAMES))
@settings(max_examples=60)
def test_point_response(data: Any, grid: Grid, name: str) -> None:
    prediction = data.draw(st.sampled_from(PREDICTIONS))
    table = METHODS[name].table(grid, prediction)
    mean, variance = table.point_response()
    expected_mean, expected_variance = propagated(table, 0.0, 1.0)
    scale = 1 + np.abs(table.rows).max()
    assert np.abs(mean - expected_mean).max() <= 1e-11 * scale
    assert np.abs(variance - expected_variance).max() <= 1e-11 * scale**2
    if METHODS[name].traits_of().exact_on_points:
        assert np.abs(mean - table.levels.alpha).max() <= 1e-11 * scale
        assert np.abs(variance - table.levels.sigma**2).max() <= 1e-11 * scale**2


def test_point_response_of_correlated_draws() -> None:
    cov = np.array([[1.0, -0.5], [-0.5, 1.0]])
    table = Table(np.array([[1.0, 0, 0, 0], [0.0, 1.0, 2.0, 3.0]]), vp(1), "x", cov)
    mean, variance = table.point_response()
    assert mean == pytest.approx([vp(1).alpha[0], 1.0])
    assert variance == pytest.approx([vp(1).sigma[0] ** 2, 4 + 9 - 6])


@pytest.mark.parametrize("name", [n for n in NAMES if METHODS[n].traits_of().exact_on_points])
def test_weights_obey_the_sum_rules(name: str) -> None:
    """Data at one point: the x-weights carry the mean, and without noise the ε-weights the
    standard deviation (CLAIMS 36)."""
    grid = vp(8)
    table = METHODS[name].table(grid, "v")
    x = table.convert("x")
    assert table.weights("x") == pytest.approx(x.rows[-1, 1 : 1 + x.nfe], abs=1e-14)
    total = x.a[-1] * grid[0].alpha + table.weights("x").sum()
    assert total == pytest.approx(grid[-1].alpha, abs=1e-12)
    if not table.n_draws:
        eps = table.convert("eps")
        total = eps.a[-1] * grid[0].sigma + table.weights("eps").sum()
        assert eps.a[-1] * grid[0].alpha == pytest.approx(grid[-1].alpha, abs=1e-12)
        assert total == pytest.approx(grid[-1].sigma, abs=1e-12)


@pytest.mark.slow
@given(grid=grids(), prediction=st.sampled_from(PREDICTIONS))
def test_weights_of_ddim_in_closed_form(grid: Grid, prediction: str) -> None:
    """w_i = σ_N (α_{i+1}/σ_{i+1} − α_i/σ_i) for x̂: DDIM's recursion unrolled. Whatever the
    prediction, a network that is right along the whole path gives a sample that is."""
    table = METHODS["ddim"].table(grid, "x").convert(prediction)
    w, start, x, eps = table.weights(), float(table.a[-1]), 0.7, -1.3
    if prediction == "x":
        assert w == pytest.approx(grid.sigma[-1] * np.diff(grid.alpha / grid.sigma), rel=1e-9)
        assert start == pytest.approx(grid.sigma[-1] / grid.sigma[0])
    assert table.noise_left == 0
    z = grid.alpha * x + grid.sigma * eps
    m = np.array([predicted(prediction, z[i], x, grid[i]) for i in range(grid.n_steps)])
    size = 1 + abs(start * z[0]) + np.abs(w * m).sum()
    assert start * z[0] + w @ m == pytest.approx(z[-1], abs=1e-12 * size)


def test_the_noise_that_is_left() -> None:
    """The draws do not depend on what the network predicts; correlated ones add up as such."""
    rows = np.array([[1.0, 0, 0, 0], [0.0, 1.0, 2.0, 3.0]])
    cov = np.array([[1.0, -0.5], [-0.5, 1.0]])
    assert Table(rows, vp(1), "x").noise_left == pytest.approx(np.sqrt(4 + 9))
    assert Table(rows, vp(1), "x", cov).noise_left == pytest.approx(np.sqrt(4 + 9 - 6))
    table = METHODS["ddpm"].table(vp(5), "x")
    assert 0 < METHODS["ddpm"].table(vp(5), "x").noise_left < vp(5).sigma[-1]
    assert table.convert("v").convert("x").noise_left == pytest.approx(table.noise_left, rel=1e-12)


# Comparison -----------------------------------------------------------------------------------


@given(st.data(), st.sampled_from(["ddpm", "unipc", "heun", "sa_solver"]))
@settings(max_examples=50)
def test_comparison_names_the_first_coefficient(data: Any, name: str) -> None:
    table = METHODS[name].table(vp(5).scaled(3.0), "x")
    e, width = table.nfe, table.rows.shape[1]
    row = data.draw(st.integers(0, e))
    legal = [0, *range(1, 1 + min(row, e)), *range(1 + e, width)]
    column = data.draw(st.sampled_from(legal))
    later = data.draw(st.integers(row, e))
    size = data.draw(st.floats(1e-9, 1.0))
    rows = table.rows.copy()
    rows[row, column] += size
    if later > row:
        rows[later, 0] += 100 * size
    broken = Table(rows, table.levels, "x")
    unit = 3.0 if column else 1.0  # the first column is in units of z_T
    for tolerance in (0.0, 1e-12, np.full(table.rows.shape, 1e-12)):
        found = broken.compare(table, tolerance)
        assert found is not None
        assert (found.row, found.column) == (row, column)
        assert found.size == pytest.approx(size / unit, rel=1e-6, abs=1e-15)
        assert (found.value, found.expected) == (rows[row, column], table.rows[row, column])
    place = "the sample" if row == e else f"evaluation {row}"
    what = (
        "weight of the initial state"
        if column == 0
        else f"weight of output {column - 1}"
        if column <= e
        else f"weight of draw {column - 1 - e}"
    )
    assert found.where.startswith(f"{place}, {what}: ")
    assert broken.compare(table, 1e3) is None
    largest = broken.compare(table)
    assert largest is not None
    assert largest.size == broken.gaps(table).max()


def test_equal_tables_have_no_difference() -> None:
    table = METHODS["unipc"].table(vp(5))
    assert table.compare(table, 0.0) is None
    assert not table.gaps(table).any()


def test_what_is_not_finite_is_infinitely_far() -> None:
    table = METHODS["ddim"].table(vp(3))
    rows = table.rows.copy()
    rows[2, 1] = np.nan
    found = Table(rows, table.levels).compare(table, 1.0)
    assert found is not None
    assert (found.row, found.column, found.size) == (2, 1, np.inf)


@pytest.mark.parametrize(
    ("one", "two", "words"),
    [
        (("ddim", 3, "eps"), ("ddim", 4, "eps"), "nfe: 3, should be 4"),
        (("ddim", 3, "eps"), ("ddim", 3, "x"), "prediction: eps, should be x"),
        (("ddpm", 3, "eps"), ("ddim", 3, "eps"), "n_draws: 3, should be 0"),
    ],
)
def test_comparing_what_cannot_be_compared(one: Any, two: Any, words: str) -> None:
    tables = [METHODS[name].table(vp(n), prediction) for name, n, prediction in (one, two)]
    with pytest.raises(ValueError, match=words):
        tables[0].compare(tables[1])


# Draws ----------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=6),
    st.sets(st.integers(0, 5)),
)
@settings(max_examples=80)
def test_brownian_covariance(ends: list[tuple[float, float]], plain: set[int]) -> None:
    """Against increments summed over the pieces that all end points cut the line into."""
    assume(all(abs(b - a) > 1e-6 for a, b in ends))
    spans = [None if i in plain else span for i, span in enumerate(ends)]
    cut = np.unique(np.concatenate([np.array(span) for span in ends]))
    left, right = cut[:-1], cut[1:]
    columns = len(left) + len(ends)
    mixing = np.zeros((len(ends), columns))
    for i, span in enumerate(spans):
        if span is None:
            mixing[i, len(left) + i] = 1.0
            continue
        low, high = min(span), max(span)
        inside = (left >= low) & (right <= high)
        sign = 1.0 if span[1] > span[0] else -1.0
        mixing[i, : len(left)] = sign * inside * np.sqrt(right - left) / np.sqrt(high - low)
    cov = brownian_covariance(spans)
    expected = mixing @ mixing.T
    if all(span is None for span in spans):
        assert cov is None
    else:
        assert cov == pytest.approx(expected, abs=1e-12)


def test_draws_in_standard_form() -> None:
    """The law is kept; draws of no weight go, and the sign of the others is a convention."""
    table = METHODS["dpmpp_sde"].table(vp(4), "x")
    e, k = table.nfe, table.n_draws
    rows = np.concatenate([table.rows, np.zeros((e + 1, 1))], axis=1)
    rows[:, 1 + e + 2] *= -1
    cov = np.eye(k + 1)
    cov[:k, :k] = table.covariance
    cov[2, :] *= -1
    cov[:, 2] *= -1
    standard = Table(rows, table.levels, "x", cov).normal_draws()
    assert standard.n_draws == k
    assert standard.compare(table, 1e-14) is None
    assert standard.covariance == pytest.approx(table.covariance, abs=1e-14)


# Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        (np.eye(3)[:2], {}, r"2 evaluations need rows \(3, 1 \+ 2 \+ K\), got \(2, 3\)"),
        (np.zeros((3, 2)), {}, r"got \(3, 2\)"),
        (np.zeros(3), {}, r"got \(3,\)"),
        (np.ones((3, 3)), {}, "an evaluation may use earlier outputs only"),
        (np.array([[1.0, 0, 0], [1, 1, 1], [0, 0, 1]]), {}, "an evaluation may use earlier"),
        (np.eye(3, 5), {"noise_cov": np.eye(3)}, r"noise_cov must be \(2, 2\)"),
    ],
)
def test_a_table_that_is_none(rows: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Table(rows, vp(2), **options)


def test_options_that_a_method_has_not() -> None:
    with pytest.raises(ValueError, match="ddim has no option etaa; it has eta"):
        METHODS["ddim"].table(vp(2), etaa=1.0)
    with pytest.raises(ValueError, match="euler has no option eta; it has none"):
        METHODS["euler"].table(vp(2), eta=1.0)


def test_the_law_starts_where_z_does() -> None:
    """Churn before the first evaluation raises the level of the state, not that of z_T."""
    variance = np.array([0.25, 1.0, 9.0])
    right, wrong = [], []
    for n in (40, 80):
        grid = karras(20.0, 0.05, n, final_zero=False)
        table = METHODS["edm"].table(grid, "x", s_churn=8.0)
        assert table.start == grid[0]
        assert table.levels[0].sigma > grid[0].sigma
        mean, spread = table.point_response()
        assert np.allclose(mean, table.levels.alpha, rtol=1e-12)
        assert np.allclose(np.sqrt(spread), table.levels.sigma, rtol=1e-9)
        exact = variance + grid[-1].sigma ** 2
        right.append(np.abs(table.law(variance).variance / exact - 1).max())
        # the control: as if z_T were at the raised level
        raised = replace(table, start=None).point_response()[1]
        wrong.append(np.abs(np.sqrt(raised) / table.levels.sigma - 1).max())
    assert right[1] < 0.3 * right[0]  # second order
    assert min(wrong) > 1e-3


def test_the_states_up_to_one_are_a_table() -> None:
    table = METHODS["dpm_solver_pp_multistep"].table(karras(80.0, 0.002, 6), "x", order=2)
    part = table.until(4)
    mean, variance = table.point_response()
    own_mean, own_variance = part.point_response()
    assert part.nfe == 4
    np.testing.assert_array_equal(own_mean, mean[:5])
    np.testing.assert_array_equal(own_variance, variance[:5])
    assert table.until(table.nfe) is table


@pytest.mark.parametrize(
    ("cov", "said"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], "positive semi-definite"),
        ([[-1.0, 0.0], [0.0, 1.0]], "positive semi-definite"),
        ([[1.0, 0.5], [0.4, 1.0]], "symmetric"),
        ([[1.0, np.nan], [np.nan, 1.0]], "finite"),
        (np.eye(3), r"must be \(2, 2\)"),
    ],
)
def test_what_is_no_covariance_is_refused(cov: Any, said: str) -> None:
    rows = np.array([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.1, 0.2]])
    levels = Grid(np.array([0.6, 1.0]), np.array([0.8, 0.0]))
    with pytest.raises(ValueError, match=said):
        Table(rows, levels, noise_cov=np.asarray(cov))
    for fits in (np.eye(2), np.ones((2, 2)), np.zeros((2, 2)), np.diag([1.0, 0.0])):
        assert Table(rows, levels, noise_cov=fits).n_draws == 2


def test_a_direction_without_variance_is_right_if_nothing_comes_out() -> None:
    """Onto σ = 0 the truth is 0: nothing is right, and anything infinitely wrong."""
    levels = vp(6)
    levels = Grid(np.append(levels.alpha, 1.0), np.append(levels.sigma, 0.0))
    table = METHODS["ddim"].table(levels, "x")
    found = table.response(np.array([0.0, 1.0]))
    assert not np.isnan(found).any()
    assert relative(np.array([0.0, 0.1]), np.array([0.0, 0.0])).tolist() == [0.0, np.inf]
