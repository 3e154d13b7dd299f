"""One row of a result: what is measured, in which cell, and what every column means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column of the final tables.

    Attributes:
        kind: "text", "integer" or "number".
        unit: of its numbers; "" where they have none, "of the row" where the row says it.
        what: its meaning in one line.
    """

    kind: str
    unit: str
    what: str


#: Of `measurements.parquet` and `.csv`, in order. It is deterministic: no time is in it.
COLUMNS: dict[str, Column] = {
    "study": Column("text", "", "name of the study"),
    "cell": Column("text", "", "SHA-256 of everything that determines the cell's result"),
    "target": Column("text", "", "label of the data's law"),
    "dimension": Column("integer", "", "of the data"),
    "sampler": Column("text", "", "label of the sampler with its options"),
    "method": Column("text", "", "what ran: dfbench:NAME, diffusers:NAME or FILE.py:NAME"),
    "options": Column("text", "", "its options, a JSON object with sorted keys"),
    "version": Column("text", "", "of the library that the method comes from"),
    "schedule": Column("text", "", "of the levels; 'own': the third party's"),
    "grid": Column("text", "", "where on the schedule; 'own': the third party's"),
    "prediction": Column("text", "", "what the model returns: eps, x, v …"),
    "budget": Column("text", "", "what was asked for: '20 steps', or '20 nfe' at most"),
    "steps": Column("integer", "steps", "steps taken"),
    "nfe": Column("integer", "evaluations", "model evaluations really spent, counted"),
    "seed": Column("integer", "", "of the initial states and of all draws"),
    "metric": Column("text", "", "what is measured; see `dfbench list metrics`"),
    "source": Column("text", "", "sources of error switched on: all, none, or one of the four"),
    "at": Column("number", "of the metric", "eigenvalue, log-SNR or mode to which a value belongs"),
    "series": Column("integer", "", "number of the path or direction"),
    "value": Column("number", "of the row", "the measured value"),
    "low": Column("number", "of the row", "lower end of its 95 % interval; the value if exact"),
    "high": Column("number", "of the row", "upper end of its 95 % interval; the value if exact"),
    "floor": Column("number", "of the row", "what exact samples of the same size get on average"),
    "floor_high": Column("number", "of the row", "what 95 % of exact samples stay below"),
    "n": Column("integer", "samples", "samples used; empty if exact"),
    "unit": Column("text", "", "of value, low, high and floor"),
    "status": Column("text", "", "'ok' or 'failed'"),
    "why": Column("text", "", "of a failed cell: what went wrong"),
}

#: The columns that say what was combined.
COMBINED = ("target", "sampler", "method", "options", "schedule", "grid", "prediction", "budget")

#: Of `costs.parquet` and `.csv`, a row a cell: what changes from run to run and machine to machine.
COSTS: dict[str, Column] = {
    "cell": COLUMNS["cell"],
    "target": COLUMNS["target"],
    "sampler": COLUMNS["sampler"],
    "nfe": COLUMNS["nfe"],
    "seconds": Column("number", "s", "wall time of the whole cell with all its measures"),
    "overhead_seconds": Column(
        "number",
        "s",
        "of the sampler's own code outside the model, per evaluation, on a state of 1e6 numbers",
    ),
    "memory_bytes": Column(
        "integer",
        "bytes",
        "arrays of 1e6 float64 that have to be held beside "
        "the state, counted from the table; empty if there is none",
    ),
}


@dataclass(frozen=True)
class Value:
    """What a measure returns: a number, its uncertainty, and to what it belongs.

    Attributes: as the columns of the same names.
    """

    metric: str
    value: float
    unit: str = ""
    source: str = "all"
    at: float | None = None
    series: int | None = None
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    floor_high: float | None = None
    n: int | None = None

    @classmethod
    def exact(cls, metric: str, value: float, unit: str = "", **more: Any) -> Value:
        """A value without uncertainty: low = high = value, no floor."""
        number = float(value)
        return cls(metric, number, unit, low=number, high=number, **more)
