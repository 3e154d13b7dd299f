"""Whether any spectrum at all gives a printed table: a check of schemes and grids without the data.

For Gaussian data the squared W2 of a column is linear in the spectrum: Σ n(λ) e(λ)², with e(λ) the
error along a direction of eigenvalue λ and n(λ) ≥ 0 how many there are. A printed value with its
rounding is two linear inequalities in n. Whether a table of them has a solution is a linear
program, and so is the range that the other numbers leave for one of them. If the grids or the
evaluations behind a column were others than assumed, no spectrum would do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from dfbench.grids import uniform_t
from dfbench.levels import Array
from dfbench.samplers import METHODS
from dfbench.schedules import LinearVP
from dfbench.sweep.published.tables import PrintedNumber
from dfbench.table import Table
from dfbench.wasserstein import SCHEMES, law

GridPoints = Callable[[PrintedNumber], int]


def as_released(cell: PrintedNumber) -> int:
    """GridPoints of a column's grid, as the released code runs it."""
    return cell.points or 2


def squares(
    cells: Sequence[PrintedNumber], eigenvalues: ArrayLike, points: GridPoints = as_released
) -> Array:
    """Squared W2 of every cell along directions of these eigenvalues, (cells, directions).

    Args:
        cells: of the table of Pierret and Galerne.
        points: cell → points of its grid.
    """
    s = np.asarray(eigenvalues, dtype=np.float64)
    tables: dict[tuple[str, str, int], Table] = {}
    rows = []
    for cell in cells:
        chosen, options = SCHEMES[cell.scheme]
        method = METHODS[chosen] if isinstance(chosen, str) else chosen
        n = points(cell)
        grid = uniform_t(LinearVP(0.1, 20.0), n - 1, 1.0, float(cell.epsilon))
        on = ["truncation"]
        on += ["initialisation"] if cell.start == "N_0" else []
        if cell.label is None:
            found = law(method, grid, s, on=on, **options)
        elif method.traits_of(**options).stochastic:
            key = cell.scheme, cell.epsilon, n
            if key not in tables:
                tables[key] = method.table(grid, "x", **options)
            found = law(tables[key], None, s, on=[*on, "discretisation"])
        else:
            found = law(method, grid, s, on=[*on, "discretisation"], **options)
        rows.append(found.wasserstein(0.0, s) ** 2)
    return np.array(rows)


def spread(cells: Sequence[PrintedNumber], matrix: Array, dimension: int) -> float:
    """The least over all spectra of the largest deviation from a printed square, in half-widths of
    its rounding: at most 1 where some spectrum gives every number as printed."""
    from scipy.optimize import linprog

    middle, width = _squared(cells)
    scaled, at = matrix / width[:, None], middle / width
    slack = -np.ones((len(cells), 1))
    solution = linprog(
        np.r_[np.zeros(matrix.shape[1]), 1.0],
        A_ub=np.block([[scaled, slack], [-scaled, slack]]),
        b_ub=np.r_[at, -at],
        A_eq=np.r_[np.ones(matrix.shape[1]), 0.0][None],
        b_eq=[float(dimension)],
        method="highs",
    )
    return float(solution.fun)


def predicted(
    cells: Sequence[PrintedNumber], matrix: Array, dimension: int, wanted: Array, slack: float = 1.0
) -> tuple[float, float]:
    """The range of a W2 with these squares along directions, over all spectra that give the cells.

    Args:
        wanted: squares of the W2 that is asked for, as a row of `squares`.
        slack: deviations allowed, in half-widths of the rounding.

    Raises:
        ValueError: no spectrum gives the cells.
    """
    from scipy.optimize import linprog

    middle, width = _squared(cells)
    scaled, at = matrix / width[:, None], middle / width
    ends = []
    for sign in (1.0, -1.0):
        solution = linprog(
            sign * wanted,
            A_ub=np.vstack([scaled, -scaled]),
            b_ub=np.r_[at + slack, slack - at],
            A_eq=np.ones((1, matrix.shape[1])),
            b_eq=[float(dimension)],
            method="highs",
        )
        if solution.x is None:
            raise ValueError("no spectrum gives these numbers")
        ends.append(float(np.sqrt(max(sign * solution.fun, 0.0))))
    return ends[0], ends[1]


def _squared(cells: Sequence[PrintedNumber]) -> tuple[Array, Array]:
    """Middle and half-width of the printed intervals, squared."""
    low = np.array([max(cell.value - cell.half, 0.0) for cell in cells]) ** 2
    high = np.array([cell.value + cell.half for cell in cells]) ** 2
    return (low + high) / 2, (high - low) / 2
