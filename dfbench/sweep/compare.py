"""What changed from one table of results to another, beyond rounding and beyond chance.

Rows are paired by everything but the version, the seed and the number of evaluations. A change of a
sampled value counts where the two 95 % intervals are disjoint after they are widened so that, with
nothing changed, a false alarm among all pairs has a probability of at most 5 % (Bonferroni). Exact
values change where they differ by more than rounding: `ROUNDING` for methods in float64, `TABLES`
for third parties, whose coefficients are often kept in float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dfbench.sweep.measurement import COMBINED

if TYPE_CHECKING:
    from pandas import DataFrame

ROUNDING = 1e-6  # relative, of exact values in float64
TABLES = 1e-3  # relative, of exact values from tables in float32
SMALLEST = 1e-12  # below it, exact errors are round-off
FALSE_ALARMS = 0.05  # at most, of a whole comparison with nothing changed

SHOWN = ("target", "sampler", "schedule", "grid", "prediction", "budget")  # of a cell, to a reader
KEY = (*COMBINED, "metric", "source", "at", "series")


@dataclass(frozen=True)
class Change:
    """A measurement that is surely not what it was.

    Attributes:
        where: its key, as `KEY`.
        old, new: the values; `unit` theirs.
        low, high: 95 % intervals, as pairs (old, new).
        nfe: evaluations spent, before and after.
    """

    where: dict[str, Any]
    old: float
    new: float
    unit: str
    low: tuple[float, float]
    high: tuple[float, float]
    nfe: tuple[int, int]

    @property
    def ratio(self) -> float:
        """New over old; infinite where the old value is 0."""
        return abs(self.new / self.old) if self.old else math.inf

    @property
    def size(self) -> float:
        """By how many factors of e it changed, up or down."""
        if not (math.isfinite(self.old) and math.isfinite(self.new)):
            return math.inf
        return abs(math.log(max(abs(self.new), SMALLEST) / max(abs(self.old), SMALLEST)))

    @property
    def better(self) -> bool:
        """Whether the error is less than it was."""
        return abs(self.new) < abs(self.old) or not math.isfinite(self.old)


@dataclass(frozen=True)
class Changes:
    """Two tables compared.

    Attributes:
        changes: largest first.
        spent: (key without the metric, old, new) where the evaluations spent differ.
        compared: pairs of measurements, of which `sampled` have intervals.
        measured: measurements of the old and of the new table, paired or not.
        gone, come: cells that only one of them has, by `SHOWN`: one whose grid, schedule or options
            changed is gone, and come.
        broken, mended: cells that failed only after, or only before, with the reason.
    """

    changes: list[Change]
    spent: list[tuple[dict[str, Any], int, int]]
    compared: int
    sampled: int
    measured: tuple[int, int]
    gone: list[tuple[str, ...]]
    come: list[tuple[str, ...]]
    broken: list[tuple[str, ...]]
    mended: list[tuple[str, ...]]


def difference(old: DataFrame, new: DataFrame) -> Changes:
    """Compare two tables.

    Args:
        old, new: averages over seeds with the columns `KEY`, value, low, high, n, unit, nfe, and
            `status` with `why` of failed cells: see `dfbench.report.compare`.
    """
    from scipy import stats

    keys = list(KEY)
    good = [each[each.status == "ok"] for each in (old, new)]
    both = good[0].merge(good[1], on=keys, suffixes=("_old", "_new"))
    is_sampled = (both.n_old.notna() | both.n_new.notna()).to_numpy()
    count = int(is_sampled.sum())
    # 95 % intervals to those that m comparisons need
    widen = float(stats.norm.ppf(1 - FALSE_ALARMS / (2 * max(count, 1))) / stats.norm.ppf(0.975))
    changes = []
    for row, sampled in zip(both.itertuples(), is_sampled, strict=True):
        if _changed(row, widen if sampled else None):
            changes.append(_change(row))
    changes.sort(key=lambda each: -each.size)
    spent: dict[tuple[Any, ...], tuple[dict[str, Any], int, int]] = {}
    for row in both[both.nfe_old.notna() & (both.nfe_old != both.nfe_new)].itertuples():
        where = {name: getattr(row, name) for name in COMBINED}
        spent[tuple(where.values())] = (where, int(row.nfe_old), int(row.nfe_new))
    cells = [_cells(table) for table in (old, new)]
    failed = [
        _cells(table[table.status == "failed"], table.loc[table.status == "failed", "why"])
        for table in (old, new)
    ]
    return Changes(
        changes,
        list(spent.values()),
        len(both),
        count,
        (len(good[0]), len(good[1])),
        sorted(cells[0][key] for key in cells[0].keys() - cells[1].keys()),
        sorted(cells[1][key] for key in cells[1].keys() - cells[0].keys()),
        sorted(failed[1][key] for key in failed[1].keys() - failed[0].keys()),
        sorted(failed[0][key] for key in failed[0].keys() - failed[1].keys()),
    )


def _cells(table: DataFrame, why: Any = None) -> dict[tuple[str, ...], tuple[str, ...]]:
    """What tells the cells of a table apart → what a reader is shown of them, with the reason."""
    keys = table[list(COMBINED)].astype(str).itertuples(index=False, name=None)
    shown = table[list(SHOWN)].astype(str).itertuples(index=False, name=None)
    reasons = [()] * len(table) if why is None else [(str(each),) for each in why]
    return {key: (*cell, *more) for key, cell, more in zip(keys, shown, reasons, strict=True)}


def _changed(row: Any, widen: float | None) -> bool:
    """Whether a pair differs beyond rounding (`widen` None: exact) or beyond chance."""
    a, b = float(row.value_old), float(row.value_new)
    if not (math.isfinite(a) and math.isfinite(b)):
        return math.isfinite(a) != math.isfinite(b)
    if widen is None:
        rounding = ROUNDING if str(row.method).startswith("dfbench:") else TABLES
        return abs(a - b) > SMALLEST + rounding * max(abs(a), abs(b))
    low = max(a - widen * (a - float(row.low_old)), b - widen * (b - float(row.low_new)))
    high = min(a + widen * (float(row.high_old) - a), b + widen * (float(row.high_new) - b))
    return low > high


def _change(row: Any) -> Change:
    return Change(
        {name: getattr(row, name) for name in KEY},
        float(row.value_old),
        float(row.value_new),
        str(row.unit_new or ""),
        (float(row.low_old), float(row.low_new)),
        (float(row.high_old), float(row.high_new)),
        (int(row.nfe_old), int(row.nfe_new)),
    )
