"""Trajectories and straightness, against independent means."""

import numpy as np
import pytest

from analytic import GaussianMixture, flow_map
from dfbench.exact import exact_model
from dfbench.grids import karras, regular, uniform_t
from dfbench.samplers import METHODS
from dfbench.schedules import Cosine, FlowMatching, LinearVP
from dfbench.trajectories import (
    Paths,
    exact_trajectory,
    straightness,
    trajectory,
)

PLANE = GaussianMixture.isotropic([0.4, 0.6], [[-1.0, 0.2], [1.0, 0.5]], [0.1, 0.2])
LINE = GaussianMixture.isotropic([0.4, 0.6], [[-1.0], [1.0]], [0.1, 0.2])


def rng():
    return np.random.default_rng(3)


# Trajectories -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ddim", "euler", "heun", "rk4", "dpm_solver_pp", "unipc", "lms"])
def test_states_at_every_level_and_the_sample_of_the_table(name):
    grid = regular(-4, 4, 6)
    paths = trajectory(name, PLANE, grid, n=5, rng=rng())
    assert paths.states.shape == (7, 5, 2)
    np.testing.assert_allclose(paths.levels.sigma, grid.sigma)
    table = METHODS[name].table(grid, "x")
    sample = table.run(exact_model(PLANE, "x"), paths.states[0])
    np.testing.assert_allclose(paths.samples, sample, atol=1e-12)


@pytest.mark.parametrize("name", ["ddim", "heun", "rk4", "dpm_solver_pp"])
def test_a_state_is_the_sample_of_the_run_that_ends_there(name):
    """One-step methods: of the two states at a level that Heun's looks at, the one it accepts."""
    grid = regular(-4, 4, 5)
    z = PLANE.sample_diffused(4, *grid[0], rng())
    paths = trajectory(name, PLANE, grid, z=z)
    for i in range(1, 6):
        part = regular(-4, -4 + 8 * i / 5, i)
        np.testing.assert_allclose(
            trajectory(name, PLANE, part, z=z).samples, paths.states[i], atol=1e-10
        )


def test_stages_are_all_evaluations():
    grid = regular(-4, 4, 3)
    paths = trajectory("heun", PLANE, grid, n=2, rng=rng(), stages=True)
    assert paths.states.shape == (2 * 3 + 1, 2, 2)


def test_levels_that_are_never_visited_are_left_out():
    """EDM's churn looks at σ̂ > σ only: start and sample are left."""
    grid = karras(10.0, 0.1, 4)
    churned = trajectory("edm", PLANE, grid, n=2, rng=rng(), s_churn=1.0, second_order=False)
    assert churned.states.shape == (2, 2, 2)
    np.testing.assert_array_equal(churned.levels.alpha, grid.alpha[[0, -1]])
    everything = trajectory(
        "edm", PLANE, grid, n=2, rng=rng(), s_churn=1.0, second_order=False, stages=True
    )
    assert everything.states.shape == (5, 2, 2)
    assert (everything.levels.sigma[:-1] > grid.sigma[:-1]).all()


def test_a_name_a_method_a_table_and_a_function_are_one_sampler():
    grid = uniform_t(LinearVP(), 5, 0.9, 0.1)
    z = PLANE.sample_diffused(3, *grid[0], rng())
    by_name = trajectory("probability_flow", PLANE, grid, z=z, solver="heun")
    method = METHODS["probability_flow"]
    table = method.table(grid, "v", solver="heun")
    for other in (
        trajectory(method, PLANE, grid, z=z, solver="heun", prediction="eps"),
        trajectory(table, PLANE, grid, z=z),
        trajectory(method.function, PLANE, grid, z=z, solver="heun"),
        trajectory("probability_flow", exact_model(PLANE, "x"), grid, z=z, solver="heun"),
    ):
        np.testing.assert_allclose(other.states, by_name.states, atol=1e-12)
        np.testing.assert_array_equal(other.levels.t, grid.t)


def test_noise_has_the_law_of_the_table():
    grid = regular(-4, 4, 6)
    gaussian = GaussianMixture.isotropic([1.0], [[0.0]], 0.5)
    paths = trajectory("ddpm", gaussian, grid, n=40_000, rng=rng())
    variance = METHODS["ddpm"].table(grid, "x").law(0.5).variance[0]
    # standard error of a variance √(2/n), six of them: false alarm 2e-9
    assert paths.samples.var() == pytest.approx(variance, rel=6 * np.sqrt(2 / 40_000))


def test_correlated_draws():
    """Increments of one Brownian path: the covariance of the draws is taken into account."""
    grid = regular(-3, 3, 2)
    table = METHODS["dpmpp_sde"].table(grid, "x")
    assert table.noise_cov is not None
    gaussian = GaussianMixture.isotropic([1.0], [[0.0]], 0.5)
    paths = trajectory(table, gaussian, grid, n=40_000, rng=rng())
    assert paths.samples.var() == pytest.approx(table.law(0.5).variance[0], rel=0.045)


def test_the_exact_flow_three_ways():
    grid = regular(-3, 3, 4)
    for target in (PLANE, LINE, GaussianMixture.full([1.0], [[1.0, 0]], [[[1, 0.5], [0.5, 1]]])):
        paths = exact_trajectory(target, grid, n=3, rng=rng())
        direct = flow_map(target, paths.states[0], grid[0], grid[-1])
        np.testing.assert_allclose(paths.samples, direct.z, atol=1e-9)
    fine = regular(-3, 3, 40)
    start = PLANE.sample_diffused(3, *fine[0], rng())
    np.testing.assert_allclose(
        trajectory("rk4", PLANE, fine, z=start).states[::10],
        exact_trajectory(PLANE, grid, z=start).states,
        atol=1e-4,
    )


def test_rescaled_paths_keep_their_times():
    grid = uniform_t(FlowMatching(), 4, 0.9, 0.1)
    paths = trajectory("ddim", PLANE, grid, n=2, rng=rng())
    twice = paths.rescaled(2.0)
    np.testing.assert_array_equal(twice.levels.t, grid.t)
    np.testing.assert_allclose(twice.states, 2 * paths.states)
    np.testing.assert_allclose(twice.levels.alpha, 2 * grid.alpha)


def test_what_is_missing_is_said():
    grid = regular(-3, 3, 2)
    with pytest.raises(ValueError, match="give z"):
        trajectory("ddim", PLANE, grid)
    with pytest.raises(ValueError, match="give z"):
        trajectory("ddim", exact_model(PLANE, "x"), grid, rng=rng())
    with pytest.raises(ValueError, match="pass rng"):
        trajectory("ddpm", PLANE, grid, z=[[0.0, 0.0]])
    with pytest.raises(ValueError, match="no options"):
        trajectory(METHODS["ddim"].table(grid, "x"), PLANE, grid, z=[[0.0, 0.0]], eta=1.0)
    with pytest.raises(ValueError, match="one Brownian path"):
        trajectory(
            METHODS["dpmpp_sde"].function, PLANE, grid, n=1, rng=rng(), eta=1.0, s_noise=1.0, r=0.5
        )


# Straightness -------------------------------------------------------------------------------------


def test_straight_paths_have_none_and_a_parabola_has_its_own():
    t = np.linspace(1, 0, 401)
    straight = np.array([[[2.0, -1.0]]]) * t[:, None, None] + 3
    assert straightness(straight, t) < 1e-25
    parabola = (t**2)[:, None, None]  # ∫ (2t − 1)² dt = 1/3
    assert straightness(parabola, t) == pytest.approx(1 / 3, rel=1e-4)
    uneven = np.sqrt(t)  # a straight line run unevenly is not straight either
    assert straightness((uneven**2)[:, None, None], uneven) == pytest.approx(1 / 3, rel=1e-3)


def test_straightness_takes_the_times_of_the_paths():
    grid = uniform_t(Cosine(), 200)
    point = GaussianMixture.points([[0.0]])
    paths = exact_trajectory(point, grid, z=[[1.0], [-1.0]])
    # z = sin(πt/2): ∫ ż² dt − 1
    assert straightness(paths) == pytest.approx(np.pi**2 / 8 - 1, rel=1e-3)
    assert straightness(paths) == straightness(paths.states, grid.t)


def test_straightness_refuses_what_has_no_time():
    with pytest.raises(ValueError, match="against time"):
        straightness(Paths(np.zeros((3, 1, 1)), regular(-1, 1, 2)))
    with pytest.raises(ValueError, match="strictly"):
        straightness(np.zeros((3, 1, 1)), [0.0, 0.5, 0.5])
    with pytest.raises(ValueError, match="shape"):
        straightness(np.zeros((3, 1)), [0.0, 0.5, 1.0])


def test_a_table_of_a_preconditioned_network_brings_its_sigma_data():
    grid = karras(80.0, 0.002, 5, final_zero=False)
    law = GaussianMixture.isotropic([0.5, 0.5], [[-1.0], [1.0]], 0.04)
    z = np.array([[40.0], [-60.0]])
    tables = [METHODS["heun"].table(grid, kind, sigma_data=0.5) for kind in ("edm", "x")]
    one, two = (trajectory(table, law, grid, z=z).samples for table in tables)
    np.testing.assert_allclose(one, two, rtol=1e-10)
