"""What a method declares of itself, against its tables: neither more nor less."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from dfbench.convergence import exact_flow, target
from dfbench.exact import exact_model
from dfbench.levels import Array, Grid
from dfbench.samplers import METHODS
from dfbench.schedules import Cosine
from dfbench.table import Table
from tests.formulas.variants import VARIANTS, Variant, cases, levels

STEPS = (32, 64)
MANY = (96, 192)  # where a step takes several of the grid's
#: Options that depend on the number of steps n: methods that may take steps of different orders.
MIXED: dict[str, Callable[[int], dict[str, Any]]] = {
    "order 2, the last 1": lambda n: {"orders": (2,) * (n - 1) + (1,)},
    "order 3, the last two 1": lambda n: {"orders": (3,) * (n - 2) + (1, 1)},
    "orders 1 and 2 in turn": lambda n: {"orders": (1, 2) * (n // 2)},
    "orders 2 and 3 in turn": lambda n: {"orders": (2, 3) * (n // 2)},
    "order 3, r2 = ½": lambda n: {"order": 3, "r2": 0.5},
    "order 3, r2 = ⅔": lambda n: {"order": 3, "r2": 2 / 3},
    "order 2, an interval each": lambda n: {"order": 2, "on_grid": True},
    "order 3, an interval each": lambda n: {"order": 3, "on_grid": True},  # ends with 2 and 1
}
#: Multistep methods that take their last step onto clean data like the others, besides `ONTO_DATA`.
ALIKE = (
    *("deis", "ipndm", "lms", "pndm", "sa_solver", "unipc"),
    *("dpm_solver_multistep", "dpm_solver_pp_multistep", "sde_dpm_solver_pp"),
)
ALL = cases() | {
    f"{each.name} onto clean data": (each._replace(clean=True), False)
    for each in VARIANTS
    if each.method in ALIKE and not each.bare and each.options.get("predict_x0") is not False
}
VARIANCES = np.geomspace(0.05, 20.0, 9)


def name_of(variant: Variant) -> str:
    return variant.name


@cache
def even(n: int) -> Grid:
    """n steps regular in λ between σ/α = 40 and 0.1, as in `dfbench.convergence`, with times."""
    ratio = np.geomspace(40.0, 0.1, n + 1)
    t = 2 / np.pi * np.arctan(ratio)
    return Grid(Cosine().alpha(t), Cosine().sigma(t), t, Cosine())


def scaled(grid: Grid) -> Grid:
    """The same λ and times on another scale of the levels."""
    assert grid.t is not None
    schedule = Cosine().scaled(lambda t: 1 + 2 * t**2, lambda t: 4 * t)
    return Grid(schedule.alpha(grid.t), schedule.sigma(grid.t), grid.t, schedule)


@pytest.mark.slow(quick=277)
@pytest.mark.parametrize(("variant", "pure"), ALL.values(), ids=ALL)
def test_traits_are_those_of_the_tables(variant: Variant, pure: bool) -> None:
    """Evaluations, draws, books for data at a point and the scale of the levels, on a few steps."""
    method = METHODS[variant.method]
    said = method.traits_of(**variant.options)
    grid = levels(variant.steps, pure, variant.clean)
    table = method.table(grid, "x", **variant.options)
    other = method.table(scaled(grid), "x", **variant.options)
    assert (table.n_draws > 0) == said.stochastic
    assert zero(apart(table, other, grid, scaled(grid)), 1e-10) == said.scale_invariant
    mean, variance = table.point_response()
    books = np.append(np.abs(mean - table.levels.alpha), np.abs(variance - table.levels.sigma**2))
    assert zero(books.max(), 1e-12) == said.exact_on_points
    if said.evaluations is not None and not variant.clean:  # onto clean data some spend fewer
        assert table.nfe / variant.steps == said.evaluations
    assert said.order is not None or said.biased


def zero(size: float, rounding: float) -> bool:
    """Whether it is; what is not zero is clearly another number."""
    assert size < rounding or size > 1e-4
    return size < rounding


def apart(one: Table, two: Table, a: Grid, b: Grid) -> float:
    """How far two tables are from differing in the scale of their states only."""
    if one.rows.shape != two.rows.shape:
        return np.inf
    sizes = [np.hypot(t.levels.alpha, t.levels.sigma)[:, None] for t in (one, two)]
    rows = [table.rows / size for table, size in zip((one, two), sizes, strict=True)]
    for row, grid in zip(rows, (a, b), strict=True):
        row[:, 0] *= np.hypot(*grid[0])
    return float(np.abs(rows[0] - rows[1]).max())


def error(table: Table) -> float:
    """RMS distance to the exact flow of a mixture; with noise, of the standard deviation."""
    if table.n_draws:
        level = table.levels[-1]
        truth = level.alpha**2 * VARIANCES + level.sigma**2
        return float(np.abs(np.sqrt(table.law(VARIANCES).variance / truth) - 1).max())
    start, stop = exact_flow()
    out: Array = table.run(exact_model(target(), "x"), start * table.origin.alpha)
    return float(np.sqrt(np.mean((out / table.levels[-1].alpha - stop) ** 2)))


def representatives() -> list[Variant]:
    """A variant for each set of traits that a method declares, with an order or a wrong noise; and
    for each number of outputs that it uses, unless noise or a last step hides what they gain."""
    chosen: dict[Any, Variant] = {}
    for variant in VARIANTS:
        said = METHODS[variant.method].traits_of(**variant.options)
        if not variant.fixed and (said.order is not None or not said.biased):
            hidden = said.stochastic or variant.options.get("lower_order_final")
            used = () if hidden else tuple(map(variant.options.get, ("order", "halved")))
            chosen.setdefault((variant.method, said, used), variant)
    return list(chosen.values())


def order_gap(
    name: str, few: dict[str, Any], many: dict[str, Any], steps: tuple[int, int] = STEPS
) -> float:
    """The order between two numbers of steps, with the options for few and for many, less the
    declared one; 0 where noise of another size than was removed leaves a bias."""
    method = METHODS[name]
    said = method.traits_of(**many)
    pairs = zip(steps, (few, many), strict=True)
    coarse, fine = (error(method.table(even(n), "x", **options)) for n, options in pairs)
    order = np.log(coarse / fine) / np.log(steps[1] / steps[0])
    return float(order - (0.0 if said.biased or said.order is None else said.order))


@pytest.mark.slow(quick=44)
@pytest.mark.parametrize("variant", representatives(), ids=name_of)
def test_order_is_the_declared_one(variant: Variant) -> None:
    """The next order is one away."""
    assert abs(order_gap(variant.method, variant.options, variant.options)) < 0.45


@pytest.mark.slow(quick=9)
@pytest.mark.parametrize("method", ["dpm_solver", "dpm_solver_pp"])
@pytest.mark.parametrize("options", MIXED.values(), ids=MIXED)
def test_order_of_steps_of_several_orders_is_the_declared_one(
    method: str, options: Callable[[int], dict[str, Any]]
) -> None:
    assert abs(order_gap(method, options(MANY[0]), options(MANY[1]), MANY)) < 0.45
