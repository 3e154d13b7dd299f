"""What a directory of `dfbench bench` holds, read with a check, and brought to one row a result.

A *configuration* is a sampler on a schedule, a grid and a prediction. Over seeds its values are
averaged; the interval of the mean comes from the intervals of the seeds, and from their spread
where that is larger.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from dfbench import jsons
from dfbench.errors import Unusable
from dfbench.files import SETTINGS, content, refuse_larger

if TYPE_CHECKING:
    from pandas import DataFrame

NAME = "measurements"
REQUIRED = ("target", "sampler", "nfe", "metric", "value", "status")
#: Columns that tell configurations of one sampler apart.
VARIANTS = ("schedule", "grid", "prediction")
SEPARATOR = " · "  # between a sampler and these
NUMBERS = (
    "dimension",
    "steps",
    "nfe",
    "seed",
    "at",
    "series",
    "value",
    "low",
    "high",
    "floor",
    "floor_high",
    "n",
)


@dataclass(frozen=True)
class Results:
    """Measurements of one or several directories.

    Attributes:
        rows: one a measurement that succeeded; all columns of `dfbench.sweep.measurement.COLUMNS`
            and `config`, the name of the configuration.
        failed: one a failed cell.
        costs: one a cell; empty where no costs were kept.
        environment: what the results were computed with, one entry a directory.
        studies: the study files, name → text.
        files: name of each table → SHA-256 of its bytes.
    """

    rows: DataFrame
    failed: DataFrame
    costs: DataFrame
    environment: list[dict[str, Any]]
    studies: dict[str, str]
    files: dict[str, str]


def recognise(path: Path) -> bool:
    """Whether a path is a directory of results."""
    return path.is_dir() and any((path / f"{NAME}{end}").is_file() for end in (".parquet", ".csv"))


def load(paths: Iterable[Path]) -> Results:
    """The results of one or several directories, merged; a cell that several hold counts once.

    Raises:
        Unusable: a directory without measurements, a damaged file, a missing column.
    """
    import pandas as pd

    from dfbench.sweep.measurement import COLUMNS

    tables, costs = [], []
    environment: list[dict[str, Any]] = []
    studies: dict[str, str] = {}
    files: dict[str, str] = {}
    for path in paths:
        file, table = _table(path, NAME)
        _check(file, table)
        files[str(file.name) if file.name not in files else str(file)] = _digest(file)
        tables.append(table.reindex(columns=[*COLUMNS]))
        if any((path / f"costs{end}").is_file() for end in (".parquet", ".csv")):
            costs.append(_table(path, "costs")[1])
        environment += _environment(path)
        studies |= {
            each.name: content(each, SETTINGS).decode("utf-8", "replace") for each in _studies(path)
        }
    rows = pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]
    keys = [name for name in COLUMNS if name not in ("study", "why")]
    rows = rows.drop_duplicates(keys, ignore_index=True)
    for name in NUMBERS:
        rows[name] = pd.to_numeric(rows[name], errors="coerce")
    texts = [name for name in COLUMNS if name not in NUMBERS]
    rows[texts] = rows[texts].astype(object).where(rows[texts].notna(), "")
    ok = rows.status == "ok"
    good = rows[ok & rows.value.notna()].copy()
    good["config"] = _configurations(good)
    return Results(
        good,
        rows[~ok].drop_duplicates(["cell", "why"], ignore_index=True),
        pd.concat(costs, ignore_index=True).drop_duplicates() if costs else pd.DataFrame(),
        environment,
        studies,
        files,
    )


def _table(path: Path, name: str) -> tuple[Path, DataFrame]:
    """The Parquet file, or the CSV file where there is no other."""
    import pandas as pd

    found = [path / f"{name}{end}" for end in (".parquet", ".csv")]
    file = next((each for each in found if each.is_file()), None)
    if file is None:
        refuse(f"{path}: no {name}.parquet or .csv here; is it a directory of `dfbench bench`?")
    try:
        refuse_larger(file)
        if file.suffix == ".parquet":
            return file, pd.read_parquet(file)
        return file, pd.read_csv(file, low_memory=False, keep_default_na=True)
    except OSError as error:
        # a damaged Parquet file is an OSError too, without a number
        refuse(f"{file}: {(error.strerror or 'damaged, not a table').lower()}")
    except Unusable:
        raise
    except Exception as error:
        refuse(f"{file}: damaged, not a table ({type(error).__name__})")


def _check(file: Path, table: DataFrame) -> None:
    import pandas as pd

    if missing := [name for name in REQUIRED if name not in table]:
        refuse(f"{file}: no column {', '.join(missing)}")
    if table.empty:
        refuse(f"{file}: no measurement in it")
    for name in NUMBERS:
        if name in table:
            bad = table[name][
                pd.to_numeric(table[name], errors="coerce").isna() & table[name].notna()
            ]
            if len(bad):
                refuse(f"{file}: column {name} must hold numbers, not {bad.iloc[0]!r}")
    if unknown := sorted(set(table.status.dropna().astype(str)) - {"ok", "failed"}):
        refuse(f"{file}: status must be ok or failed, not {unknown[0]!r}")


def _environment(path: Path) -> list[dict[str, Any]]:
    file = path / "environment.json"
    if not file.is_file():
        return []
    known = jsons.read(file)
    return [known] if isinstance(known, dict) else refuse(f"{file}: must be a JSON object")


def _studies(path: Path) -> list[Path]:
    return sorted(path.glob("*.toml"))


def _digest(file: Path) -> str:
    import hashlib

    return hashlib.sha256(file.read_bytes()).hexdigest()


def _configurations(rows: DataFrame) -> Any:
    """Sampler, and of schedule, grid and prediction what its runs on a target differ in."""
    names = rows.sampler.astype(str)
    for column in VARIANTS:
        several = rows.groupby("sampler")[column].transform("nunique") > 1
        names = names.where(~several | (rows[column] == ""), names + SEPARATOR + rows[column])
    return names


def refuse(message: str) -> NoReturn:
    """What is wrong with a file, in a line.

    Raises:
        Unusable: always.
    """
    raise Unusable(message)


# One row a result ---------------------------------------------------------------------------------

RUN = ["target", "config", "nfe", "metric", "source"]


def runs(rows: DataFrame, by: Sequence[str] = RUN) -> DataFrame:
    """Averages over seeds: a row each distinct `by`, with value, low, high, floor, floor_high.

    With k seeds, half-widths hᵢ: the mean's is the larger of √(Σ hᵢ²)/k and the t-interval of
    the k values (k ≥ 3). Where the values are exact and agree, the interval is the value.
    """
    import numpy as np
    from scipy import stats

    rows = rows.assign(
        half=((rows.high - rows.low) / 2).fillna(0.0) ** 2,
        floor_high=rows.floor_high,
        sampled=rows.n.notna() | rows.floor_high.notna(),
    )
    first = ["sampler", "method", "options", "version", "dimension", "steps", "unit", *VARIANTS]
    first = [name for name in first if name not in by]
    grouped = rows.groupby([*by], sort=True, dropna=False)
    found = grouped.agg(
        value=("value", "mean"),
        spread=("value", "std"),
        seeds=("value", "size"),
        square=("half", "sum"),
        low=("low", "first"),
        high=("high", "first"),
        floor=("floor", "mean"),
        floor_high=("floor_high", "max"),
        sampled=("sampled", "any"),
        **{name: (name, "first") for name in first},
    ).reset_index()
    k = found.seeds.to_numpy(float)
    half = np.sqrt(found.square.to_numpy(float)) / k
    spread = found.spread.fillna(0.0).to_numpy(float)
    t = np.where(k >= 3, stats.t.ppf(0.975, np.maximum(k - 1, 2)) / np.sqrt(k), 0.0)
    half = np.maximum(half, t * spread)
    several = k > 1
    found["low"] = np.where(several, found.value - half, found.low.fillna(found.value))
    found["high"] = np.where(several, found.value + half, found.high.fillna(found.value))
    return found.drop(columns=["spread", "square"])
