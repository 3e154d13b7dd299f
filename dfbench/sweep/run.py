"""Runs a study: what is not done yet, in parallel, kept as it comes, then the tables."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dfbench import environment, files, jsons
from dfbench.errors import Unusable
from dfbench.progress import Progress, quiet
from dfbench.sweep import workers as workers_
from dfbench.sweep.cells import Plan, plan
from dfbench.sweep.compute import compute, failed
from dfbench.sweep.store import CELLS, CellResult, Store, write_rows, write_table
from dfbench.sweep.study import DEFAULT, Study, load
from dfbench.sweep.tables import costs, measurements

PATIENCE = 1.0  # seconds of work that a kill may cost


@dataclass(frozen=True)
class StudyOutcome:
    """What became of a study.

    Attributes:
        directory: where the tables are.
        cells, computed, failed: numbers of cells: all, of this call, and without a result.
        excluded: combinations left out, by reason.
        skipped: metrics that do not apply, "metric: reason" → number of cells.
        failures: reasons of failed cells → number.
        damaged: files of results that were not what their name says, and are set aside.
        seconds: of this call.
    """

    study: str
    directory: Path
    cells: int
    computed: int
    failed: int
    excluded: dict[str, int]
    skipped: dict[str, int]
    failures: dict[str, int]
    seconds: float
    damaged: tuple[str, ...] = ()

    def summary(self) -> str:
        """What happened and where it is, in a few lines."""
        lines = [
            f"{self.study}: {self.cells} cells, {self.computed} computed now "
            f"({self.seconds:.0f} s), {self.failed} failed"
        ]
        for title, reasons in (("left out", self.excluded), ("failed", self.failures)):
            lines += [f"  {title}: {n} × {why}" for why, n in sorted(reasons.items())]
        lines += [f"  does not apply: {why} ({n} cells)" for why, n in sorted(self.skipped.items())]
        lines += [f"  damaged, computed again: {name}" for name in self.damaged]
        return "\n".join([*lines, f"tables: {self.directory / 'measurements.csv'} and .parquet"])


def bench(
    study: str | Path | Mapping[str, Any] | Study = DEFAULT,
    out: str | Path = "bench",
    *,
    workers: int | None = None,
    backend: str = "loky",
    progress: Progress = quiet,
    command: str | None = None,
) -> StudyOutcome:
    """Run a study, or what is left of it, and write its tables.

    Args:
        study: a TOML file, the name of a shipped study, or a mapping with the same content.
        out: directory of the results; cells that it has already are not computed again.
        workers: processes; by default one for each processor. With 1 everything happens in this
            process, where a sampler that ends the process ends the study (until the next call).
        backend: "loky" on this machine; "dask" or "ray" on the cluster that they know of
            (DASK_SCHEDULER_ADDRESS, RAY_ADDRESS), or a local one.
        progress: called as (what, done, total).
        command: kept with the environment.

    Raises:
        Unusable: the study, the directory or the backend is not usable, or the disk is full:
            what was finished before is kept, and the same call goes on from there.
    """
    start = time.perf_counter()
    chosen = load(study)
    workers_.check(backend)
    directory = Path(out)
    _check(directory, chosen)
    try:
        with files.alone(directory):
            return _bench(chosen, directory, start, workers, backend, progress, command)
    except OSError as error:
        raise Unusable(f"{error.filename or directory}: {error.strerror or error}") from error


def _check(directory: Path, study: Study) -> None:
    """Refuse a directory that holds something else."""
    if directory.exists() and not directory.is_dir():
        raise Unusable(f"{directory}: is not a directory")
    if (directory / "checkpoint").is_dir():
        raise Unusable(f"{directory}: holds a trained network; choose another directory")
    held = _held(directory)
    if held not in (None, study.name):
        raise Unusable(
            f"{directory}: holds the results of the study {held!r}, not {study.name!r}; choose "
            "another directory (a study that grows keeps its name)"
        )


def _held(directory: Path) -> str | None:
    """The name of the study whose tables are here, where they tell."""
    with contextlib.suppress(Unusable, AttributeError, KeyError, TypeError):
        return str(jsons.read(directory / "environment.json")["study"])
    return None


def _bench(
    chosen: Study,
    directory: Path,
    start: float,
    workers: int | None,
    backend: str,
    progress: Progress,
    command: str | None,
) -> StudyOutcome:
    store = Store(directory)
    for folder in (directory, directory / CELLS):
        files.clean(folder)
    try:
        store.set_aside()
        kinds = ("json", "toml") if chosen.source.startswith("{") else ("toml", "json")
        files.write(directory / f"study.{kinds[0]}", chosen.source)
        (directory / f"study.{kinds[1]}").unlink(missing_ok=True)  # of the study before
        spread = partial(workers_.spread, workers=workers, backend=backend)
        planned = plan(chosen, spread, progress)
        unique = {cell.key: cell for cell in planned.cells}
        store.add([failed(unique[key], why) for key, why in planned.broken.items()])
        todo = [
            cell
            for key, cell in unique.items()
            if not store.good(key) and key not in planned.broken
        ]
        _work(spread(compute, todo, failed), len(unique) - len(todo), len(unique), store, progress)
        _tables(chosen, planned, store, command=command, workers=workers, backend=backend)
    except OSError as error:
        kept = len(store.results)
        raise Unusable(
            f"{error.filename or directory}: {error.strerror or error}; {kept} cells are kept, and "
            "the same call goes on from there"
        ) from error
    results = [store.results[key] for key in unique]
    bad = [result for result in results if result["status"] != "ok"]
    skipped = Counter(f"{name}: {why}" for r in results for name, why in r["skipped"].items())
    return StudyOutcome(
        chosen.name,
        directory,
        len(unique),
        len(todo),
        len(bad),
        planned.reasons(),
        dict(skipped),
        dict(Counter(str(result["why"]) for result in bad)),
        time.perf_counter() - start,
        tuple(file.name for file in store.damaged),
    )


def _tables(study: Study, planned: Plan, store: Store, **known: Any) -> None:
    directory = store.directory
    write_table(directory, "measurements", measurements(study, planned.cells, store.results))
    write_table(directory, "costs", costs(planned.cells, store.results))
    write_rows(directory / "excluded.csv", ("combination", "why"), planned.excluded)
    described = environment.describe(study=study.name, **known)
    files.write(directory / "environment.json", jsons.text(described, sort_keys=True))


def _work(
    results: Iterable[CellResult], done: int, total: int, store: Store, progress: Progress
) -> None:
    """Take results as they come; they are put on the disk about once a second, and at the end."""
    waiting: list[CellResult] = []
    last = time.monotonic()
    progress("bench", done, total)
    try:
        for result in results:
            waiting.append(result)
            done += 1
            progress("bench", done, total)
            if time.monotonic() - last > PATIENCE:
                store.add(waiting)
                waiting, last = [], time.monotonic()
    finally:
        store.add(waiting)
