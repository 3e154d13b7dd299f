"""What a sampler does on the way: its states, and how straight its paths are.

from analytic import GaussianMixture
from dfbench.grids import uniform_t
from dfbench.schedules import Cosine
from dfbench.trajectories import straightness, trajectory

grid = uniform_t(Cosine(), 20, 0.99, 0.01)
paths = trajectory("heun", GaussianMixture.points([[-1.0], [1.0]]), grid, n=50, rng=rng)
straightness(paths)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analytic import GaussianMixture, flow_map, gaussian_flow_map, quantile_flow
from dfbench.errors import expect, short
from dfbench.exact import exact_model
from dfbench.levels import Array, Grid, Level, Network, grid_of
from dfbench.reals import finite, shaped
from dfbench.samplers import Method, named
from dfbench.samplers.method import HasTable, Output
from dfbench.table import Table


@dataclass(frozen=True, eq=False)
class Paths:
    """The states of n runs.

    Attributes:
        states: z at every level, shape (L, n, d), noise first.
        levels: the L levels of the states (with their times where the grid has them).
    """

    states: Array
    levels: Grid

    @property
    def samples(self) -> Array:
        """The ends of the paths, shape (n, d)."""
        return np.asarray(self.states[-1])

    def rescaled(self, factors: ArrayLike) -> Paths:
        """The paths c_j z_j of the levels (c_j α_j, c_j σ_j); c is scalar or of shape (L,).

        The times stay: they are what `straightness` measures against. The schedule goes.
        """
        c = shaped("factors", finite("factors", factors), (len(self.levels),))
        grid = Grid(c * self.levels.alpha, c * self.levels.sigma, self.levels.t)
        return Paths(self.states * c[:, None, None], grid)


def trajectory(
    sampler: HasTable | Callable[..., Any],
    target: GaussianMixture | Network,
    grid: Grid,
    *,
    prediction: str = "x",
    z: ArrayLike | None = None,
    n: int = 1,
    rng: np.random.Generator | None = None,
    stages: bool = False,
    **options: Any,
) -> Paths:
    """Run a sampler and keep its states.

    Args:
        sampler: name of a reference method or the method itself; a `Table` (for instance one
            read out of somebody else's code), whose own levels must visit those of `grid`; or a
            function `sampler(model, z, grid, noise, **options)` as `dfbench.samplers.method` has
            it, for what has no table.
        target: a mixture, of which the exact prediction is taken, or any `model(z, level)`.
        grid: levels, noise first.
        prediction: what the model returns (a table has its own).
        z: where to start, shape (n, d) or (d,); by default n exact draws at the first level.
        n: number of runs, where z is not given.
        rng: draws z where it is not given, and the noise of stochastic samplers.
        stages: keep the state at every evaluation instead of one for each level of the grid.
        options: the sampler's own.

    Returns:
        States at the levels of the grid, the sample last. Of several evaluations at one level the
        last counts, which is where the next step starts; levels between that the sampler never
        evaluates at are left out (EDM's churn leaves each one upwards). Or, with `stages`, the
        states at all evaluations.

    Raises:
        ValueError: z and rng are both missing, or the sampler draws noise and there is no rng.
    """
    expect("grid", grid, Grid)
    if isinstance(sampler, str | Method):
        sampler = named(sampler).table(grid, prediction, **options)
    elif options and isinstance(sampler, Table):
        raise ValueError("a table has no options: they are in it")
    if isinstance(sampler, Table):
        prediction = sampler.prediction
    known = sampler.sigma_data if isinstance(sampler, Table) else None
    network = (
        exact_model(target, prediction, known) if isinstance(target, GaussianMixture) else target
    )
    for name, given in (("target", network), ("sampler", sampler)):
        if not callable(given) and not isinstance(given, Table):
            raise TypeError(f"{name} is nothing that can be called: {short(given)}")
    start = _start(target, grid, z, n, rng)
    if isinstance(sampler, Table):
        draws = sampler.drawn(lambda k: _noise(rng).standard_normal(start.shape))
        states = np.stack(list(sampler.states(network, start, draws)))
        paths = Paths(states, sampler.levels)
    else:
        paths = _run_code(sampler, network, prediction, start, grid, rng, options)
    return paths if stages else _on_grid(paths, grid, start)


def exact_trajectory(
    target: GaussianMixture,
    grid: Grid,
    *,
    z: ArrayLike | None = None,
    n: int = 1,
    rng: np.random.Generator | None = None,
) -> Paths:
    """The probability flow itself at the levels of a grid; arguments as in `trajectory`.

    In closed form for a single Gaussian, by quantiles in one dimension, else by `analytic`'s ODE.
    """
    expect("target", target, GaussianMixture)
    expect("grid", grid, Grid)
    start = _start(target, grid, z, n, rng)
    levels = list(grid)
    states = [start]
    for level in levels[1:]:
        if target.size == 1:
            cov = target.spectra[0]
            if target.bases is not None:
                cov = (target.bases[0] * cov) @ target.bases[0].T
            end = gaussian_flow_map(start, target.mean, cov, levels[0], level)
        elif target.dim == 1:
            end = quantile_flow(target, start, levels[0], level)
        else:
            end = flow_map(target, states[-1], levels[len(states) - 1], level).z
        states.append(end)
    return Paths(np.stack(states), grid)


def straightness(paths: Paths | ArrayLike, t: ArrayLike | None = None) -> float:
    """∫ E|ż − (z_1 − z_0)/(t_1 − t_0)|² dt: zero for paths straight and uniform in time (LIU).

    What Euler's method cannot follow, so it depends on the time as well as on the curve. The
    norm is per dimension, and the velocity that of the chords between the states: with L states
    of a smooth path the value is low by O(1/L²).

    Args:
        paths: with times, or states of shape (L, n, d).
        t: times of the states, shape (L,); by default those of the paths' levels.
    """
    states = finite("paths", paths.states if isinstance(paths, Paths) else paths)
    if t is None and isinstance(paths, Paths):
        t = paths.levels.t
    if t is None:
        raise ValueError("straightness is against time: give t")
    if states.ndim != 3 or not states.size:
        raise ValueError(f"paths must have shape (L, n, d), got {states.shape}")
    times = finite("t", t)
    dt = np.diff(times) if times.ndim == 1 else np.zeros(0)
    if not len(dt) or len(dt) != len(states) - 1 or not ((dt > 0).all() or (dt < 0).all()):
        raise ValueError("t must rise or fall strictly, one entry for each state")
    velocity = np.diff(states, axis=0) / dt[:, None, None]
    bend = velocity - (states[-1] - states[0]) / dt.sum()
    return float((np.abs(dt) * (bend**2).mean(axis=(1, 2))).sum())


def _start(
    target: Any, grid: Grid, z: ArrayLike | None, n: int, rng: np.random.Generator | None
) -> Array:
    if z is not None:
        start = np.atleast_2d(finite("z", z))
        if start.ndim != 2 or not start.size:
            raise ValueError(f"z must have shape (n, d) or (d,), got {start.shape}")
        if isinstance(target, GaussianMixture) and start.shape[1] != target.dim:
            raise ValueError(f"z must have shape (n, {target.dim}), got {start.shape}")
        return start
    if rng is None or not isinstance(target, GaussianMixture):
        raise ValueError("give z, or a mixture and a generator to draw it with")
    return target.sample_diffused(n, *grid[0], rng)


def _noise(rng: np.random.Generator | None) -> np.random.Generator:
    if rng is None:
        raise ValueError("the sampler draws noise: pass rng")
    return rng


def _run_code(
    sampler: Callable[..., Any],
    network: Network,
    prediction: str,
    z: Array,
    grid: Grid,
    rng: Any,
    options: dict[str, Any],
) -> Paths:
    """Every state that a function asks the model about."""
    states: list[Array] = []
    levels: list[Level] = []

    def model(state: Array, level: Level) -> Output:
        states.append(np.array(state, dtype=np.float64))
        levels.append(level)
        return Output(network(state, level), state, level, prediction)

    def noise(start: float | None = None, stop: float | None = None) -> Array:
        if start is not None:
            raise ValueError("increments of one Brownian path need a table: use its Method")
        return np.asarray(_noise(rng).standard_normal(z.shape))

    states.append(np.asarray(sampler(model, z, grid, noise, **options), dtype=np.float64))
    return Paths(np.stack(states), grid_of([*levels, grid[-1]]))


def _on_grid(paths: Paths, grid: Grid, start: Array) -> Paths:
    """The last state at every level of the grid that was visited, with the grid's times."""
    visited, sample, begin = list(paths.levels)[:-1], len(paths.levels) - 1, 0
    found = {0: start}
    for i, level in enumerate(list(grid)[:-1]):
        same = [
            j for j in range(begin, sample) if np.allclose(visited[j], level, rtol=1e-9, atol=0)
        ]
        if same:
            begin = same[-1] + 1
            found[i] = paths.states[same[-1]]
    found[len(grid) - 1] = paths.samples
    index = list(found)
    times = None if grid.t is None else grid.t[index]
    levels = Grid(grid.alpha[index], grid.sigma[index], times, grid.schedule)
    return Paths(np.stack(list(found.values())), levels)
