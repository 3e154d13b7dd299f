"""Does any spectrum give the printed table? `python -m dfbench.sweep.published`, a minute or two.

Prints the least misfit over all spectra, in half-widths of the printed rounding, under the grids of
the released code and under others; and for every scheme the numbers that the other five schemes
leave room for.
"""

from __future__ import annotations

import math

import numpy as np

from dfbench.sweep.published.consistency import as_released, predicted, spread, squares
from dfbench.sweep.published.tables import PrintedNumber, table

DIMENSION = 3072
SUPPORT = np.concatenate([[0.0], np.geomspace(1e-7, 3e3, 241)])


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
