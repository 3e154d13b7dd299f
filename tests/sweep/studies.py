"""Small studies that the tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TABLES = ("measurements.csv", "measurements.parquet", "excluded.csv")


def tiny(**changes: Any) -> dict[str, Any]:
    """Sixteen cells of Gaussian data, exact; `changes` replace keys."""
    return {
        "name": "tiny",
        "metrics": ["w2"],
        "budgets": {"steps": [3, 5], "nfe": [6]},
        "targets": [
            {"kind": "isotropic", "dimension": 3},
            {"kind": "power_law", "dimension": 8, "label": "images"},
        ],
        "samplers": [
            "heun",
            {"name": "ddim", "vary": {"eta": [0.0, 1.0]}},
        ],
        "schedules": ["linear_vp"],
        "grids": ["uniform_log_snr"],
        **changes,
    }


def many(cells: int = 300) -> dict[str, Any]:
    """A study of that many cells, each of a few milliseconds."""
    return tiny(
        seeds=list(range(cells // 12)),
        targets=[{"kind": "power_law", "dimension": 3072}, {"kind": "isotropic"}],
        budgets={"steps": [5, 20]},
    )


def tables(directory: Path) -> dict[str, bytes]:
    """The tables that must not depend on how a study was run."""
    return {name: (directory / name).read_bytes() for name in TABLES}
