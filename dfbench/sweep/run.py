"""Runs a study: what is not done yet, in parallel, kept as it comes, then the tables."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfbench import environment, files
from dfbench.errors import Unusable
from dfbench.sweep import store as stored
from dfbench.sweep.cells import Cell, Plan, plan
from dfbench.sweep.compute import compute, failed
from dfbench.sweep.measurement import COLUMNS, COSTS
from dfbench.sweep.store import Store
from dfbench.sweep.study import DEFAULT, Study, load
from dfbench.sweep.tables import costs, measurements

BACKENDS = ("loky", "dask", "ray")
DEATHS = (("distributed", "KilledWorker"), ("ray.exceptions", "WorkerCrashedError"))
PATIENCE = 1.0  # seconds of work that a kill may cost
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a study.

    Attributes:
        directory: where the tables are.
        cells, computed, failed: numbers of cells: all, of this call, and without a result.
        excluded: combinations left out, by reason.
        skipped: metrics that do not apply, "metric: reason" → number of cells.
        failures: reasons of failed cells → number.
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

    def summary(self) -> str:
        """What happened and where it is, in a few lines."""
        lines = [
            f"{self.study}: {self.cells} cells, {self.computed} computed now "
            f"({self.seconds:.0f} s), {self.failed} failed"
        ]
        for title, reasons in (("left out", self.excluded), ("failed", self.failures)):
            lines += [f"  {title}: {n} × {why}" for why, n in sorted(reasons.items())]
        lines += [f"  does not apply: {why} ({n} cells)" for why, n in sorted(self.skipped.items())]
        return "\n".join([*lines, f"tables: {self.directory / 'measurements.csv'} and .parquet"])


def bench(
    study: str | Path | Mapping[str, Any] | Study = DEFAULT,
    out: str | Path = "bench",
    *,
    workers: int | None = None,
    backend: str = "loky",
    progress: Progress | None = None,
    command: str | None = None,
) -> Outcome:
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
    if backend not in BACKENDS:
        raise Unusable(f"no backend {backend!r}; accepted: {', '.join(BACKENDS)}")
    directory = Path(out)
    store = Store(directory)
    try:
        suffix = "toml" if chosen.source and not chosen.source.startswith("{") else "json"
        files.write(directory / f"study.{suffix}", chosen.source)
        planned = plan(chosen, progress)
        unique = {cell.key: cell for cell in planned.cells}
        todo = [cell for key, cell in unique.items() if not store.good(key)]
        _work(todo, len(unique), store, workers, backend, progress)
        _tables(chosen, planned, store, command, workers, backend)
    except OSError as error:
        kept = len(store.results)
        raise Unusable(
            f"{error.filename or directory}: {error.strerror or error}; {kept} cells are kept, and "
            "the same call goes on from there"
        ) from error
    results = [store.results[key] for key in unique]
    bad = [result for result in results if result["status"] != "ok"]
    skipped = Counter(f"{name}: {why}" for r in results for name, why in r["skipped"].items())
    return Outcome(
        chosen.name, directory, len(unique), len(todo), len(bad), planned.reasons(), dict(skipped),
        dict(Counter(str(result["why"]) for result in bad)), time.perf_counter() - start,
    )  # fmt: skip


def _tables(
    study: Study,
    planned: Plan,
    store: Store,
    command: str | None,
    workers: int | None,
    backend: str,
) -> None:
    directory = store.directory
    rows = measurements(study, planned.cells, store.results)
    stored.write_table(directory, "measurements", COLUMNS, rows)
    stored.write_table(directory, "costs", COSTS, costs(planned.cells, store.results))
    stored.write_rows(directory / "excluded.csv", ("combination", "why"), planned.excluded)
    known = environment.describe(
        study=study.name, command=command, workers=workers, backend=backend
    )
    files.write(directory / "environment.json", stored.pretty(known))


def _work(
    todo: Sequence[Cell], total: int, store: Store, workers: int | None, backend: str,
    progress: Progress | None,
) -> None:  # fmt: skip
    """Compute cells; results are put on the disk about once a second, and at the end."""
    waiting: list[dict[str, Any]] = []
    done, last = total - len(todo), time.monotonic()
    try:
        for result in _results(todo, workers, backend):
            waiting.append(result)
            done += 1
            if progress:
                progress("bench", done, total)
            if time.monotonic() - last > PATIENCE:
                store.add(waiting)
                waiting, last = [], time.monotonic()
    finally:
        store.add(waiting)


def _results(todo: Sequence[Cell], workers: int | None, backend: str) -> Iterator[dict[str, Any]]:
    """The result of every cell, in any order; of a cell whose worker dies, that it died."""
    from joblib import cpu_count

    n = workers or cpu_count()
    if backend == "loky" and (n == 1 or len(todo) < 2):
        for cell in todo:
            yield from compute([cell])
        return
    left = {cell.key: cell for cell in todo}
    with _cluster(backend, n):
        while left:
            handed: list[Cell] = []
            try:
                for result in _parallel(list(left.values()), n, handed):
                    del left[result["key"]]
                    yield result
            except _deaths() as death:
                # one of those that were handed out did it: they go alone, one after the other
                for cell in [cell for cell in handed if cell.key in left]:
                    try:
                        (result,) = _parallel([cell], n, [])
                    except _deaths():
                        result = failed(cell, f"the worker died ({type(death).__name__})")
                    del left[cell.key]
                    yield result


def _parallel(cells: Sequence[Cell], n: int, handed: list[Cell]) -> Iterator[dict[str, Any]]:
    """Results as they come; `handed` gets the cells that were given to workers."""
    from joblib import Parallel, delayed

    def tasks() -> Iterator[Any]:
        for cell in cells:
            handed.append(cell)
            yield delayed(compute)([cell])

    for results in Parallel(n_jobs=max(n, 2), return_as="generator_unordered")(tasks()):
        yield from results


@contextlib.contextmanager
def _cluster(backend: str, n: int) -> Iterator[None]:
    """joblib's backend of that name for the time being.

    Raises:
        Unusable: its library is not installed, or no cluster answers.
    """
    from joblib import parallel_config

    if backend == "loky":
        with parallel_config("loky", inner_max_num_threads=1):
            yield
        return
    try:
        if backend == "dask":
            from distributed import Client

            client: Any = Client(**_dask(n))  # type: ignore[no-untyped-call]
        else:
            import ray
            from ray.util.joblib import register_ray

            ray.init(ignore_reinit_error=True)
            register_ray()
            client = contextlib.nullcontext()
    except ImportError as error:
        raise Unusable(
            f"the backend {backend} needs its library (pip install 'dfbench[{backend}]')"
        ) from error
    except (OSError, TimeoutError, ConnectionError) as error:
        raise Unusable(f"no {backend} cluster answers: {error}") from error
    with client, parallel_config(backend):
        yield


def _dask(n: int) -> dict[str, Any]:
    """Arguments of the client: none where an address is configured, else of a local cluster."""
    import dask

    if dask.config.get("scheduler-address", None):
        return {}
    return {"n_workers": n, "threads_per_worker": 1, "dashboard_address": None}


def _deaths() -> tuple[type[BaseException], ...]:
    """What the backends raise when a worker has died."""
    found: list[type[BaseException]] = [BrokenProcessPool]
    for module, name in DEATHS:
        if hasattr(sys.modules.get(module), name):
            found.append(getattr(sys.modules[module], name))
    return tuple(found)
