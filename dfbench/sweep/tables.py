"""The final tables: results with the labels of the study."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dfbench.sweep.cells import OWN, Cell
from dfbench.sweep.compute import VALUES
from dfbench.sweep.measurement import COLUMNS, COMBINED, COSTS, Column
from dfbench.sweep.store import number
from dfbench.sweep.study import Study

if TYPE_CHECKING:
    import pyarrow as pa

NUMBERS = ("value", "low", "high", "floor", "floor_high", "at")
#: By which the rows are sorted: every column that tells them apart.
ORDER = (*COMBINED, "nfe", "seed", "cell", "metric", "source", "series", "at")


def measurements(
    study: Study, cells: Sequence[Cell], results: Mapping[str, dict[str, Any]]
) -> pa.Table:
    """A row a measurement, sorted, what is missing first; of a failed cell one row that says why.

    A study has many more measurements than cells: what is said of a cell is put down once, and
    handed out to its rows by columns.
    """
    import pyarrow as pa

    heads, owners, rows = [], [], []
    for i, cell in enumerate(cells):
        result = results[cell.key]
        heads.append(_head(study, cell, result["head"]))
        here = [(*values, "ok", None) for values in result["rows"]]
        if result["status"] != "ok":
            here.insert(0, (*[None] * len(VALUES), "failed", result["why"]))
        owners += [i] * len(here)
        rows += here
    names = (*VALUES, "status", "why")
    columns = dict(zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True))
    for name in NUMBERS:
        columns[name] = tuple(map(number, columns[name]))
    table = _table({k: c for k, c in COLUMNS.items() if k not in names}, heads).take(owners)
    for name in names:
        field = _field(name, COLUMNS[name])
        table = table.append_column(field, pa.array(columns[name], field.type, from_pandas=False))
    place = table.select(ORDER).to_pandas().sort_values(list(ORDER), na_position="first")
    return table.select(list(COLUMNS)).take(place.index.to_numpy())


def _head(study: Study, cell: Cell, head: Mapping[str, Any]) -> dict[str, Any]:
    """What all rows of a cell have in common."""
    way = cell.way
    return {
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
    }


def costs(cells: Sequence[Cell], results: Mapping[str, dict[str, Any]]) -> pa.Table:
    """A row a cell, sorted by its key."""
    unique = {cell.key: cell for cell in cells}
    return _table(
        COSTS,
        [
            {
                "cell": key,
                "target": cell.target.label,
                "sampler": cell.way.sampler.label,
                "nfe": results[key]["head"]["nfe"],
                **results[key]["cost"],
            }
            for key, cell in sorted(unique.items())
        ],
    )


def _field(name: str, column: Column) -> pa.Field:
    import pyarrow as pa

    kinds = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
    return pa.field(name, kinds[column.kind], metadata={"what": column.what, "unit": column.unit})


def _table(columns: Mapping[str, Column], rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    import pyarrow as pa

    schema = pa.schema([_field(name, column) for name, column in columns.items()])
    return pa.Table.from_pylist(list(rows), schema=schema)
