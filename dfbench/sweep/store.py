"""Results on disk: found again by their key, complete or not there, the union of many machines'.

    DIR/cells/*.jsonl        results, a line a cell; each file is written whole and never changed
    DIR/study.toml           the study that ran last (study.json if it came from Python)
    DIR/measurements.parquet, .csv    a row a measurement: `COLUMNS`; sorted, deterministic
    DIR/costs.parquet, .csv           a row a cell: `COSTS`; differs from run to run
    DIR/excluded.csv         combinations that were left out, and why
    DIR/environment.json     versions, platform, command

A file of results is named by the hash of its content, so directories merge by copying files.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfbench import files, jsons
from dfbench.errors import Unusable

if TYPE_CHECKING:
    import pyarrow as pa

CELLS = "cells"
CellResult = dict[str, Any]


class Store:
    """The results in a directory.

    Attributes:
        results: by key of the cell; of several results a good one is kept.
        damaged: files whose content is not what their name says; nothing of them is kept.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.results: dict[str, CellResult] = {}
        self.damaged: list[Path] = []
        if self.directory.exists() and not self.directory.is_dir():
            raise Unusable(f"{self.directory}: is not a directory")
        for file in sorted((self.directory / CELLS).glob("*.jsonl")):
            content = file.read_bytes()
            if _name(content) != file.stem:
                self.damaged.append(file)
                continue
            for result in _lines(content):
                self._keep(result)

    def set_aside(self) -> None:
        """Give damaged files names under which they are not read again."""
        for file in self.damaged:
            file.replace(file.with_suffix(".damaged"))

    def add(self, results: Sequence[CellResult]) -> None:
        """Put results on the disk.

        Raises:
            OSError: they cannot be written.
        """
        if not results:
            return
        text = "".join(f"{dumps(result)}\n" for result in results)
        files.write(self.directory / CELLS / f"{_name(text.encode())}.jsonl", text)
        for result in results:
            self._keep(result)

    def good(self, key: str) -> bool:
        """Whether a cell is done, and did not fail."""
        return key in self.results and self.results[key]["status"] == "ok"

    def _keep(self, result: CellResult) -> None:
        if not self.good(result["key"]):
            self.results[result["key"]] = result


def merge(sources: Iterable[str | Path], out: str | Path) -> int:
    """Bring the results of several directories together; `bench` on it makes the tables.

    Returns:
        The number of cells that are there now.

    Raises:
        Unusable: a source has no results.
    """
    target = Store(out)
    for source in sources:
        if not (Path(source) / CELLS).is_dir():
            raise Unusable(f"{source}: no results of `dfbench bench` in it")
        found = Store(source).results
        fresh = [r for key, r in sorted(found.items()) if not target.good(key)]
        target.add([r for r in fresh if r["key"] not in target.results or r["status"] == "ok"])
    return len(target.results)


def write_table(directory: Path, name: str, table: pa.Table) -> None:
    """A table as Parquet and CSV, each whole."""
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet

    files.write_with(directory / f"{name}.parquet", lambda path: parquet.write_table(table, path))
    files.write_with(directory / f"{name}.csv", lambda path: arrow_csv.write_csv(table, path))


def write_rows(path: Path, heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A small CSV file of texts."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([heading, *rows])
    files.write(path, text.getvalue())


def dumps(content: Any) -> str:
    """JSON on one line; numbers that are not finite as strings, to be read by `number`."""
    return jsons.dumps(content, indent=None, sort_keys=True, separators=(",", ":"))


def number(value: Any) -> float | None:
    """A number out of `dumps`."""
    return None if value is None else float(value)


def _name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _lines(content: bytes) -> list[CellResult]:
    """The results in a file; lines that are none are passed over."""
    found = []
    for line in content.decode(errors="replace").split("\n"):
        try:
            result = json.loads(line)
        except ValueError:
            continue
        if isinstance(result, dict) and {"key", "status", "rows", "head", "cost"} <= set(result):
            found.append(result)
    return found
