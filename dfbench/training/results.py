"""What is known of a trained network, in its folder: training.json and the tables beside it.

DIR/training.json       schema "dfbench.training/1": config, environment, throughput, tables,
                        findings; a table is named here and is in results/
DIR/results/NAME.csv    tidy; the same as NAME.parquet
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from dfbench import jsons
from dfbench.errors import Unusable
from dfbench.files import write, write_with

SCHEMA = "dfbench.training/1"


def file_of(folder: str | Path) -> Path:
    """Where the summary is."""
    return Path(folder) / "training.json"


def load(folder: str | Path) -> dict[str, Any]:
    """The summary; one with nothing in it where there is none yet.

    Raises:
        Unusable: the file is not such a summary.
    """
    file = file_of(folder)
    if not file.is_file():
        return {"schema": SCHEMA, "tables": [], "findings": []}
    content = jsons.read(file)
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise Unusable(f"{file}: not a {SCHEMA}")
    return content


def update(folder: str | Path, **parts: Any) -> None:
    """Set parts of the summary (environment, throughput, findings, …) and write it whole.

    Numbers that are not finite are written as strings.

    Raises:
        OSError: it cannot be written.
    """
    content = load(folder) | parts
    write(file_of(folder), jsons.text(content, ensure_ascii=False))


def save_table(folder: str | Path, name: str, table: pd.DataFrame) -> None:
    """Write a table as CSV and Parquet, and name it in the summary.

    Raises:
        OSError: it cannot be written.
    """
    place = Path(folder) / "results"
    write(place / f"{name}.csv", table.to_csv(index=False))
    write_with(place / f"{name}.parquet", lambda path: table.to_parquet(path, index=False))
    known = load(folder)["tables"]
    update(folder, tables=sorted({*known, name}))
