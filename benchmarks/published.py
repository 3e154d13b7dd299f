"""Whether any spectrum at all gives a printed table: a check of schemes and grids without the data.

`python -m benchmarks.published`, a minute or two, prints the least misfit over all spectra, in
half-widths of the printed rounding, under the grids of the released code and under others; and for
every scheme the numbers that the other five schemes leave room for. How many numbers come out for a
given spectrum: `dfbench published --spectrum FILE`.

For Gaussian data the squared W2 of a column is linear in the spectrum: Σ n(λ) e(λ)², with e(λ) the
error along a direction of eigenvalue λ and n(λ) ≥ 0 how many there are. A printed value with its
rounding is two linear inequalities in n. Whether a table of them has a solution is a linear
program, and so is the range that the other numbers leave for one of them. If the grids or the
evaluations behind a column were others than assumed, no spectrum would do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dfbench.levels import Array
from dfbench.published.spectra import PrintedNumber, as_released, squares, table

DIMENSION = 3072
SUPPORT = np.concatenate([[0.0], np.geomspace(1e-7, 3e3, 241)])


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


def as_labelled(cell: PrintedNumber) -> int:
    """Heun on as many points as its column's label says."""
    points = as_released(cell)
    return points // 2 if cell.scheme == "Heun" and cell.label else points


def one_more(cell: PrintedNumber) -> int:
    """N steps where the released code takes N points."""
    return as_released(cell) + 1


def main() -> None:
    """Print what was found."""
    cells = [c for c in table("pierret_galerne") if c.half and math.isfinite(c.value)]
    matrix = squares(cells, SUPPORT)
    print(f"{len(cells)} printed numbers; misfit of the best spectrum, at most 1 if one gives all:")
    print(f"  as the released code runs   {spread(cells, matrix, DIMENSION):8.3g}")
    for name, points in (("N steps for N points", one_more), ("Heun as labelled", as_labelled)):
        print(f"  {name:26s}  {spread(cells, squares(cells, SUPPORT, points), DIMENSION):8.3g}")
    print("Each scheme from the numbers of the other five:")
    for scheme in dict.fromkeys(cell.scheme for cell in cells):
        kept = [i for i, c in enumerate(cells) if c.scheme != scheme]
        others, known = [cells[i] for i in kept], matrix[kept]
        inside, widths = 0, []
        wanted = [i for i, c in enumerate(cells) if c.scheme == scheme and c.label]
        for i in wanted:
            low, high = predicted(others, known, DIMENSION, matrix[i])
            inside += (
                low <= cells[i].value + cells[i].half and high >= cells[i].value - cells[i].half
            )
            widths.append((high - low) / cells[i].value)
        print(
            f"  {scheme:6s} {inside} of {len(wanted)} agree; the range left is "
            f"{100 * float(np.median(widths)):.1f} % wide in the median"
        )


if __name__ == "__main__":
    main()
