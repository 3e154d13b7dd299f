"""Who is best where: by target and budget, with ties; Pareto fronts; fitted orders.

Two results are *tied* where their 95 % intervals overlap, where both are below what 95 % of exact
samples get (the noise floor), and, for exact values, where they agree to rounding.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dfbench.report.sweep.data import runs

if TYPE_CHECKING:
    from pandas import DataFrame

#: Measures of error that compare laws, in the order in which one is chosen for a target.
PREFERENCE = (
    "w2",
    "w2_1d",
    "sliced_w2",
    "energy_distance",
    "mmd",
    "ksd",
    "kl",
    "total_variation_1d",
    "rosenblatt",
    "mode_weights",
    "strong_error",
)
ROUNDING = 1e-6  # relative difference below which two exact values are one


@dataclass(frozen=True)
class Result:
    """A configuration's error at a number of evaluations."""

    config: str
    sampler: str
    method: str
    nfe: int
    value: float
    low: float
    high: float
    floor: float | None
    floor_high: float | None

    @property
    def in_noise(self) -> bool:
        """Whether exact samples would do no better."""
        return self.floor_high is not None and self.value <= self.floor_high

    @property
    def exact(self) -> bool:
        return self.low == self.high

    def ties(self, other: Result) -> bool:
        """Whether the two cannot be told apart."""
        if self.in_noise and other.in_noise:
            return True
        slack = ROUNDING * max(abs(self.value), abs(other.value))
        return self.low <= other.high + slack and other.low <= self.high + slack


@dataclass(frozen=True)
class Contest:
    """All configurations on a target at a budget, best first."""

    target: str
    metric: str
    unit: str
    budget: int
    results: list[Result]

    @cached_property
    def best(self) -> list[Result]:
        """The least error, and all that are tied with it."""
        return [each for each in self.results if each.ties(self.results[0])]

    @cached_property
    def next(self) -> Result | None:
        """The least error of another sampler that is not tied with the best."""
        heads = {each.sampler for each in self.best}
        return next(
            (each for each in self.results if each not in self.best and each.sampler not in heads),
            None,
        )

    @property
    def lead(self) -> float | None:
        """How many times the best error the next one is."""
        if self.next is None or not self.results[0].value > 0:
            return None
        return self.next.value / self.results[0].value

    @property
    def winner(self) -> str | None:
        """The sampler that is alone at the head; None where several are tied."""
        heads = {each.sampler for each in self.best}
        return self.results[0].sampler if len(heads) == 1 and self.next else None


def primary(rows: DataFrame) -> dict[str, str]:
    """The metric by which a target is judged: the first of `PREFERENCE` that it has."""
    found = {}
    for target, names in (
        rows[rows.source.isin(["all", ""])].groupby("target").metric.unique().items()
    ):
        known = [name for name in PREFERENCE if name in names]
        if known:
            found[str(target)] = known[0]
    return found


def errors(rows: DataFrame) -> DataFrame:
    """Runs by their target's primary metric, all sources on."""
    metrics = primary(rows)
    wanted = rows.metric == rows.target.map(metrics)
    return runs(rows[wanted & rows.source.isin(["all", ""]) & rows.nfe.notna()])


def budgets(rows: DataFrame) -> list[int]:
    """The numbers of evaluations that the study asks for; of steps where it asks for steps."""
    asked = {
        (kind, int(number))
        for text in rows.budget.astype(str).unique()
        for number, kind in re.findall(r"(\d+)\s*(nfe|step)", text)
    }
    found = {n for kind, n in asked if kind == "nfe"} or {n for _, n in asked}
    return sorted(found or {int(n) for n in rows.nfe.dropna().unique()})


def contests(rows: DataFrame, table: DataFrame | None = None) -> list[Contest]:
    """Every target at every budget B: of each configuration the run with most evaluations ≤ B.

    A run that spends half the budget or less does not take part; a budget needs two that do.

    Args:
        rows: all measurements.
        table: `errors(rows)`, where it is known already.
    """
    table = errors(rows) if table is None else table
    metrics = primary(rows)
    found = []
    asked = budgets(rows)
    for target, of_target in table.groupby("target", sort=False):
        for budget in asked:
            inside = of_target[(of_target.nfe <= budget) & (of_target.nfe > budget / 2)]
            best = inside.sort_values("nfe").groupby("config").tail(1)
            if len(best) >= 2:
                results = [result(row) for row in best.itertuples()]
                results.sort(key=lambda each: (not math.isfinite(each.value), each.value))
                unit = str(best.unit.iloc[0] or "")
                found.append(Contest(str(target), metrics[str(target)], unit, budget, results))
    return found


def result(row: Any) -> Result:
    """A row of `runs`."""

    def number(x: float) -> float | None:
        return float(x) if math.isfinite(x) else None

    value, low, high = (float(x) for x in (row.value, row.low, row.high))
    return Result(
        row.config,
        row.sampler,
        row.method,
        int(row.nfe),
        value,
        low,
        high,
        number(row.floor),
        number(row.floor_high),
    )


def featured(found: list[Contest], count: int = 5) -> list[str]:
    """The samplers that are in colour throughout: most often best, ties counted in part."""
    score: dict[str, float] = {}
    for contest in found:
        best = contest.best
        for place, each in enumerate(contest.results):
            share = 1 / len(best) if place < len(best) else 0.0
            score[each.sampler] = score.get(each.sampler, 0.0) + share + 1e-3 / (1 + place)
    return sorted(score, key=lambda name: -score[name])[:count]


def one_each(table: DataFrame) -> dict[str, list[str]]:
    """Of every target each sampler's configuration with the least error, by its mean logarithm."""
    chosen: dict[str, list[str]] = {}
    positive = table[table.value > 0]
    mean = (
        np.log(positive.value).groupby([positive.target, positive.sampler, positive.config]).mean()
    )
    best = mean.groupby(level=[0, 1]).idxmin()
    for (target, _), (_, _, config) in best.items():
        chosen.setdefault(str(target), []).append(str(config))
    return chosen


# Pareto fronts ------------------------------------------------------------------------------------


def front(results: list[Result]) -> list[Result]:
    """Results that no other beats with as few evaluations: error falls as evaluations rise."""
    kept: list[Result] = []
    for each in sorted(results, key=lambda r: (r.nfe, r.value)):
        if math.isfinite(each.value) and (not kept or each.value < kept[-1].value):
            if kept and kept[-1].nfe == each.nfe:
                kept.pop()
            kept.append(each)
    return kept


# Orders -------------------------------------------------------------------------------------------

UNSURE = 1.0  # half an interval

#: Errors that vanish with the step, without a floor of initialisation or truncation; the same
#: starts at every step count, so that what is random in them has no part in the slope.
VANISHING = (("strong_error", "discretisation"), ("w2", "discretisation"))


@dataclass(frozen=True)
class Order:
    """Fitted to errors against steps; `width` is half the 95 % interval."""

    target: str
    config: str
    metric: str
    order: float
    width: float
    points: int
    steps: tuple[int, int]
    declared: float | None


def orders(rows: DataFrame) -> list[Order]:
    """An order for every target and configuration with four step counts or more; those whose
    interval is wider than ± `UNSURE` say nothing, and are left out."""
    from dfbench.convergence import fit

    found = []
    for metric, source in VANISHING:
        chosen = rows[(rows.metric == metric) & (rows.source == source) & rows.steps.notna()]
        if chosen.empty:
            continue
        table = runs(chosen, ["target", "config", "steps", "metric"])
        for (target, config), group in table.groupby(["target", "config"], sort=False):
            group = group.sort_values("steps")
            steps, error = group.steps.to_numpy(float), group.value.to_numpy(float)
            if len(steps) < 4 or not np.isfinite(error).any():
                continue
            floor = np.full(len(steps), 1e-14 * float(np.nanmax(np.abs(error))))
            order, width, points = fit(steps, error, floor)
            if math.isfinite(order) and width <= UNSURE:
                found.append(
                    Order(
                        str(target),
                        str(config),
                        metric,
                        order,
                        width,
                        points,
                        (int(steps[0]), int(steps[-1])),
                        _declared(group.iloc[0]),
                    )
                )
    return found


def _declared(row: Any) -> float | None:
    """The order that the method's paper claims, where the method is one of ours."""
    import json

    from dfbench.samplers import METHODS

    library, _, name = str(row.method).partition(":")
    if library != "dfbench" or name not in METHODS:
        return None
    try:
        given = json.loads(row.options or "{}")
        known = {key: value for key, value in given.items() if key in METHODS[name].defaults}
        order = METHODS[name].traits_of(**known).order
    except (TypeError, ValueError):
        return None
    return None if order is None else float(order)
