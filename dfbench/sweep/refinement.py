"""A run with every step halved, and the noise of the coarse run made of the fine one's.

Multilevel Monte Carlo (Giles 2008): an expectation under N steps minus that under 2N has a small
variance if both runs share their initial states and their Brownian paths. Here a coarse draw is

    ξ = Σ w_k ξ_k / |w|   over the fine draws of its step,

a standard normal whatever the weights w, so the coarse run keeps its law. w_k is the weight of a
fine draw in the final sample for Gaussian data, the model's response included: what a Brownian
path would give, and the best there is on such data.
"""

from __future__ import annotations

import numpy as np

from dfbench.levels import Array, Grid, Level, grid_of
from dfbench.samplers import Method
from dfbench.sweep.samplers import Run, reference
from dfbench.table import Table


def refined(run: Run) -> Run:
    """The same reference method with every step halved, in λ where both its ends are finite.

    Raises:
        ValueError: not a reference method, or it does not exist on the finer levels.
    """
    if not isinstance(run.sampler, Method):
        raise ValueError("its levels are its own: only reference methods can halve their steps")
    return reference(
        run.sampler.name, halved(run.grid), run.options, run.prediction, f"{run.label}, halved"
    )


def halved(grid: Grid) -> Grid:
    """The grid with a level put into every step: half-way in λ on its schedule.

    Without a schedule at the geometric mean of α and of σ; half-way in t, or at half of σ, on a
    step from or to a level without noise or signal.
    """
    schedule = grid.schedule if grid.t is not None else None
    levels, times = [grid[0]], [0.0 if grid.t is None else float(grid.t[0])]
    for i, (now, to) in enumerate(grid.steps()):
        finite = np.isfinite([now.log_snr, to.log_snr]).all()
        if schedule is not None:
            assert grid.t is not None
            middle = 0.5 * (grid.t[i] + grid.t[i + 1])
            if finite:
                middle = float(schedule.t_of_log_snr(0.5 * (now.log_snr + to.log_snr)))
            between = Level(float(schedule.alpha(middle)), float(schedule.sigma(middle)))
        else:
            middle, between = 0.0, _between(now, to)
        levels += [between, to]
        times += [middle, 0.0 if grid.t is None else float(grid.t[i + 1])]
    fine = grid_of(levels)
    return fine if schedule is None else Grid(fine.alpha, fine.sigma, np.array(times), schedule)


def _between(now: Level, to: Level) -> Level:
    def middle(a: float, b: float) -> float:
        return (a * b) ** 0.5 if a > 0 and b > 0 else 0.5 * (a + b)

    return Level(middle(now.alpha, to.alpha), middle(now.sigma, to.sigma))


def coupling(coarse: Table, fine: Table, variance: float) -> Array:
    """Unit rows (K_coarse, K_fine): the coarse draws as combinations of the fine ones.

    Args:
        variance: of the Gaussian data whose response weighs the draws.

    Raises:
        ValueError: a step of the coarse run draws more than once, or draws are correlated.
    """
    if coarse.noise_cov is not None or fine.noise_cov is not None:
        raise ValueError("its draws are increments of a path of its own")
    weight = fine.sensitivity(np.array([variance]))[1][:, 0]
    where_coarse, where_fine = _first_uses(coarse), _first_uses(fine)
    starts = np.concatenate([[-np.inf], where_coarse])
    if (np.diff(where_coarse) <= 0).any():
        raise ValueError("it draws more than once in a step")
    rows = np.zeros((coarse.n_draws, fine.n_draws))
    for k, (low, high) in enumerate(zip(starts[:-1], where_coarse, strict=True)):
        mine = (where_fine > low + 1e-9) & (where_fine <= high + 1e-9)
        rows[k, mine] = weight[mine]
    length = np.linalg.norm(rows, axis=1)
    if (length == 0).any():
        raise ValueError("a step draws noise where its halves do not")
    return np.asarray(rows / length[:, None])


def _first_uses(table: Table) -> Array:
    """λ of the state in which each draw is first used."""
    first = np.argmax(np.abs(table.C) > 0, axis=0)
    return np.asarray(np.minimum(table.levels.log_snr, 1e3)[first])
