"""The tables of Pierret and Galerne, and what a spectrum gives for them.

For Gaussian data the squared W2 of a column is linear in the spectrum: Σ n(λ) e(λ)², with e(λ) the
error along a direction of eigenvalue λ and n(λ) how many there are. The authors' spectra are not
in this package; what they give is kept in `pierret_galerne_computed.csv`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike

from dfbench.grids import uniform_t
from dfbench.levels import Array
from dfbench.published.rule import Numbers, half_unit
from dfbench.samplers import METHODS
from dfbench.samplers.ode import STAGES, STEPS
from dfbench.schedules import LinearVP
from dfbench.table import Law
from dfbench.wasserstein import SCHEMES, law

SCHEDULE = LinearVP(0.1, 20.0)
LABELS = (50, 250, 500, 1000)
#: Key of a table in `SOURCES` → file of its numbers, and the spectrum that it was made from.
TABLES = {"pg2025": "pierret_galerne", "pg2024": "pierret_galerne_2024"}
NO_SCORE = (
    "no number: where an eigenvalue is 0 the data has no score, which {scheme} looks at in σ = 0"
)


@dataclass(frozen=True)
class PrintedNumber:
    """A number of a table.

    Attributes:
        scheme, epsilon: row; as printed (ε is text, "1e-3").
        label: what the column calls NFE (N in the edition of 2024); None: the continuous limit.
        start: "p_T" (a perfect start) or "N_0" (a standard normal).
        value: inf where "-" is printed.
        half: half a unit of the last digit; 0 for an exact 0 and for "-".
        text: as printed.
    """

    scheme: str
    epsilon: str
    label: int | None
    start: str
    value: float
    half: float
    text: str = ""

    @property
    def points(self) -> int | None:
        """Points of the grid behind the column, as the released code runs it."""
        if self.label is None:
            return None
        return self.label // 4 if self.scheme == "RK4" else self.label

    @property
    def solver(self) -> str | None:
        """The solver that looks at the score in σ = 0, where the column ends there."""
        onto = self.label is not None and float(self.epsilon) == 0
        return self.scheme.lower() if onto and self.scheme in ("Heun", "RK4") else None


GridPoints = Callable[[PrintedNumber], int]


@cache
def table(name: str) -> tuple[PrintedNumber, ...]:
    """The numbers of a printed table.

    Args:
        name: of its file, "pierret_galerne" or "pierret_galerne_2024".
    """
    text = (resources.files("dfbench.published") / f"{name}.csv").read_text("utf-8")
    found = []
    for row in csv.DictReader(text.splitlines()):
        scheme, epsilon = row.pop("scheme"), row.pop("epsilon")
        for column, content in row.items():
            label, start = column.split("_", 1)
            found.append(
                PrintedNumber(
                    scheme,
                    epsilon,
                    None if label == "continuous" else int(label),
                    start,
                    math.inf if content == "-" else float(content),
                    0.0 if content in ("0", "-") else half_unit(content),
                    content,
                )
            )
    return tuple(found)


def as_released(cell: PrintedNumber) -> int:
    """Points of a column's grid, as the released code runs it."""
    return cell.points or 2


def squares(
    cells: Sequence[PrintedNumber], eigenvalues: ArrayLike, points: GridPoints = as_released
) -> Array:
    """Squared W2 of every cell along directions of these eigenvalues, (cells, directions).

    Onto σ = 0, Heun and RK4 look at the score of the data, as the released code does, and nan
    stands where it does not exist: at an eigenvalue of 0.

    Args:
        cells: of a table.
        points: cell → points of its grid.
    """
    s = np.asarray(eigenvalues, dtype=np.float64)
    runs: dict[tuple[str, str, int], tuple[Array, Array]] = {}
    rows = []
    for cell in cells:
        key = cell.scheme, cell.epsilon, points(cell)
        if cell.label is None:
            rows.append(continuous(cell, s).wasserstein(0.0, s) ** 2)
            continue
        if key not in runs:
            runs[key] = run(cell, s, key[2])
        kept, noise = runs[key]
        first = SCHEDULE.level(1.0)
        start = 1.0 if cell.start == "N_0" else first[0] ** 2 * s + first[1] ** 2
        rows.append((np.sqrt(kept**2 * start + noise) - np.sqrt(s)) ** 2)
    return np.array(rows)


def continuous(cell: PrintedNumber, s: Array) -> Law:
    """The law of the SDE or ODE behind a scheme, solved exactly."""
    chosen, options = SCHEMES[cell.scheme]
    grid = uniform_t(SCHEDULE, 1, 1.0, float(cell.epsilon))
    on = ["truncation"] + ["initialisation"] * (cell.start == "N_0")
    return law(chosen, grid, s, on=on, **options)


def run(cell: PrintedNumber, s: Array, points: int) -> tuple[Array, Array]:
    """(factor of the start, variance of the noise that was added) of a column, one a direction."""
    chosen, options = SCHEMES[cell.scheme]
    method = METHODS[chosen] if isinstance(chosen, str) else chosen
    steps, stop = points - 1, float(cell.epsilon)
    if cell.solver:  # the last step looks at the score of the data, of which a table knows nothing
        steps, stop = points - 2, 1 / (points - 1)
    gain, noise = method.table(uniform_t(SCHEDULE, steps, 1.0, stop), "x", **options).sensitivity(s)
    added = np.asarray((noise**2).sum(axis=0))
    return (gain * onto_data(cell.solver, s, stop) if cell.solver else gain), added


def onto_data(solver: str, eigenvalues: Array, t: float) -> Array:
    """|factor| of z in the last step of the probability flow from t to 0, one a direction.

    The step looks at dz/dt = ½ β (1/V − 1) z in t = 0, too, where V is the eigenvalue itself.

    Returns:
        nan at an eigenvalue of 0, of which there is no score.
    """

    def rate(z: Array, at: float) -> Array:
        alpha, sigma = SCHEDULE.alpha(at), SCHEDULE.sigma(at)
        variance = alpha**2 * eigenvalues + sigma**2
        with np.errstate(divide="ignore"):
            return np.asarray(0.5 * SCHEDULE.g2(at) * (1 / variance - 1) * z)

    with np.errstate(invalid="ignore"):
        factor = np.abs(STEPS[solver](rate, np.ones_like(eigenvalues), t, 0.0))
    return np.where(eigenvalues > 0, factor, np.nan)


def errors(eigenvalues: ArrayLike) -> dict[tuple[str, PrintedNumber], float]:
    """(table, number) → W2 of this spectrum; nan where there is no score to look at.

    Args:
        eigenvalues: of the data's covariance; below 0 by rounding counts as 0.
    """
    cells = [(name, cell) for name in TABLES for cell in shown(name)]
    s = np.maximum(np.asarray(eigenvalues, dtype=np.float64), 0.0)
    found = np.sqrt(squares([cell for _, cell in cells], s).sum(axis=1))
    return dict(zip(cells, found.tolist(), strict=True))


def shown(name: str) -> list[PrintedNumber]:
    """The numbers of a table that are neither an exact 0 nor "-"."""
    return [cell for cell in table(TABLES[name]) if cell.half and math.isfinite(cell.value)]


def kept() -> dict[tuple[str, PrintedNumber], float]:
    """What the authors' spectrum of each edition gave, as it is kept in this package."""
    text = (resources.files("dfbench.published") / "pierret_galerne_computed.csv").read_text()
    read = iter(csv.DictReader(text.splitlines()))
    cells = [(name, cell) for name in TABLES for cell in shown(name)]
    return {key: float(row["w2"]) for key, row in zip(cells, read, strict=True)}


def written(values: dict[tuple[str, PrintedNumber], float]) -> str:
    """The file that `kept` reads."""
    lines = ["table,scheme,epsilon,label,start,printed,w2"]
    for (name, cell), value in values.items():
        where = f"{name},{cell.scheme},{cell.epsilon},{cell.label or 'continuous'},{cell.start}"
        lines.append(f"{where},{cell.text},{value:.9g}")
    return "\n".join(lines) + "\n"


def compare(eigenvalues: ArrayLike | None = None) -> Iterator[Numbers]:
    """A set a row: W2 of this spectrum, or what the authors' gave; and what columns call NFE."""
    found = kept() if eigenvalues is None else errors(eigenvalues)
    grouped: dict[tuple[str, str, str], list[tuple[PrintedNumber, float]]] = {}
    for (name, cell), value in found.items():
        grouped.setdefault((name, cell.scheme, cell.epsilon), []).append((cell, value))
    for (name, scheme, epsilon), pairs in grouped.items():
        missing = any(math.isnan(value) for _, value in pairs)
        yield Numbers(
            name,
            f"{scheme}, ε = {epsilon}",
            "W2",
            tuple(cell.text for cell, _ in pairs),
            tuple(value for _, value in pairs),
            reason=NO_SCORE.format(scheme=scheme)
            if missing
            else ("the spectrum is another" if eigenvalues is not None else ""),
        )
    yield from evaluations()


def evaluations() -> Iterator[Numbers]:
    """What the columns of 2025 call NFE beside the evaluations that are made."""
    for scheme in SCHEMES:
        cells = [PrintedNumber(scheme, "1e-3", label, "p_T", 1.0, 0.0) for label in LABELS]
        stages = STAGES.get(scheme.lower(), 1)
        spent = tuple(float(stages * (as_released(cell) - 1)) for cell in cells)
        reason = {
            "Heun": "run on as many points as the label says, with two evaluations a step",
            "RK4": "a quarter as many points as the label says, and a step less",
        }.get(scheme, "as many points as the label says, and a step less")
        yield Numbers(
            "pg_nfe",
            scheme,
            "evaluations of the columns",
            tuple(map(str, LABELS)),
            spent,
            reason=reason,
        )
