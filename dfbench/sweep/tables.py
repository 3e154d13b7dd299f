"""The final tables: results with the labels of the study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dfbench.sweep.cells import OWN, Cell
from dfbench.sweep.compute import VALUES
from dfbench.sweep.measurement import COLUMNS, COMBINED
from dfbench.sweep.store import number
from dfbench.sweep.study import Study

NUMBERS = ("value", "low", "high", "floor", "floor_high", "at")
#: By which the rows are sorted: every column that tells them apart.
ORDER = (*COMBINED, "nfe", "seed", "cell", "metric", "source", "series", "at")


def measurements(
    study: Study, cells: Sequence[Cell], results: Mapping[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """A row a measurement, sorted; of a failed cell one row that says why."""
    rows: list[dict[str, Any]] = []
    for cell in cells:
        result = results[cell.key]
        head = result["head"]
        way = cell.way
        common: dict[str, Any] = dict.fromkeys(COLUMNS) | {
            "study": study.name,
            "cell": cell.key,
            "target": cell.target.label,
            "dimension": head["dimension"],
            "sampler": way.sampler.label,
            "method": head["method"],
            "options": json.dumps(head["options"], sort_keys=True),
            "version": head["version"],
            "schedule": way.schedule.label if way.schedule else OWN,
            "grid": way.grid.label if way.grid else OWN,
            "prediction": head["prediction"],
            "budget": cell.budget,
            "steps": head["steps"],
            "nfe": head["nfe"],
            "seed": cell.seed,
            "status": "ok",
        }
        if result["status"] != "ok":
            rows.append({**common, "status": "failed", "why": result["why"]})
        for values in result["rows"]:
            named = dict(zip(VALUES, values, strict=True))
            named |= {key: number(named[key]) for key in NUMBERS}
            rows.append({**common, **named})
    return sorted(rows, key=_place)


def _place(row: Mapping[str, Any]) -> list[tuple[bool, Any]]:
    """Of a row in the table; what is missing comes first."""
    missing = {key: row[key] is None or row[key] != row[key] for key in ORDER}
    return [(not missing[key], 0 if missing[key] else row[key]) for key in ORDER]


def costs(cells: Sequence[Cell], results: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a cell, sorted by its key."""
    unique = {cell.key: cell for cell in cells}
    return [
        {
            "cell": key,
            "target": cell.target.label,
            "sampler": cell.way.sampler.label,
            "nfe": results[key]["head"]["nfe"],
            "seconds": None,
            "overhead_seconds": None,
            "memory_bytes": None,
            **results[key]["cost"],
        }
        for key, cell in sorted(unique.items())
    ]
