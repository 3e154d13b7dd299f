"""A function over many items on many processes, where one that dies costs one item only."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

from dfbench.errors import Unusable

BACKENDS = ("loky", "dask", "ray")
DEATHS = (("ray.exceptions", "WorkerCrashedError"), ("ray.exceptions", "ActorDiedError"))

SLICE = 2.0  # seconds

Item = TypeVar("Item")
Result = TypeVar("Result")


def check(backend: str) -> None:
    """Refuse a backend that is not there.

    Raises:
        Unusable: there is none of this name.
    """
    if backend not in BACKENDS:
        raise Unusable(f"no backend {backend!r}; accepted: {', '.join(BACKENDS)}")


def count(workers: int | None) -> int:
    """How many processes: as many as asked for, else one for each processor."""
    from joblib import cpu_count

    return workers or int(cpu_count())


def spread(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    died: Callable[[Item, str], Result],
    workers: int | None = None,
    backend: str = "loky",
) -> Iterator[Result]:
    """`function(item)` of every item, in any order.

    Args:
        died: the result of an item whose worker died, from it and the reason.
        workers: processes; with 1 (and loky) everything happens in this one.

    Raises:
        Unusable: the backend's library is not installed, or no cluster answers.
    """
    if not items:
        return
    n = count(workers)
    if backend == "loky" and n == 1:
        yield from map(function, items)
        return
    left = dict(enumerate(items))
    with _cluster(backend, n):
        while left:
            handed: list[int] = []
            try:
                for i, result in _parallel(function, left, n, handed):
                    del left[i]
                    yield result
            except _deaths():
                # one of those that were handed out did it: they go alone, one after the other
                for i in [i for i in handed if i in left]:
                    try:
                        ((_, result),) = _parallel(function, {i: left[i]}, n, [])
                    except _deaths() as death:
                        result = died(left[i], f"the worker died ({type(death).__name__})")
                    del left[i]
                    yield result


def _parallel(
    function: Callable[[Item], Result], items: dict[int, Item], n: int, handed: list[int]
) -> Iterator[tuple[int, Result]]:
    """Results as they come; `handed` gets the numbers of those that were given to workers."""
    from joblib import Parallel, delayed
    from joblib.parallel import get_active_backend

    def tasks(some: Iterator[tuple[int, Item]]) -> Iterator[Any]:
        for i, item in some:
            handed.append(i)
            yield delayed(_numbered)(function, i, item)

    if get_active_backend()[0].__class__.__name__ == "DaskDistributedBackend":
        yield from _on_dask(function, items, handed)
        return
    left, jobs = iter(list(items.items())), max(n, 2)
    if getattr(get_active_backend()[0], "supports_return_generator", False):
        yield from Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks(left))
        return
    size, start = 2 * jobs, time.monotonic()  # Ray gives lists only: a few seconds' work at a time
    while results := Parallel(n_jobs=jobs)(tasks(islice(left, size))):
        if time.monotonic() - start < SLICE:
            size *= 2
        yield from results
        start = time.monotonic()


class WorkerDied(Exception):
    """A worker of Dask ended without a result."""


def _on_dask(
    function: Callable[[Item], Result], items: dict[int, Item], handed: list[int]
) -> Iterator[tuple[int, Result]]:
    """As `_parallel`; by Dask itself, as joblib waits for ever for a result that has died.

    Raises:
        WorkerDied: some did; `handed` are those whose result is missing.
    """
    from distributed import as_completed, default_client

    client: Any = default_client()
    futures = {client.submit(function, item, pure=False): i for i, item in items.items()}
    for future in as_completed(futures):
        if future.status == "finished":
            yield futures[future], future.result()
        else:
            handed.append(futures[future])
    if handed:
        raise WorkerDied


def _numbered(function: Callable[[Item], Result], i: int, item: Item) -> tuple[int, Result]:
    return i, function(item)


@contextlib.contextmanager
def _cluster(backend: str, n: int) -> Iterator[None]:
    """joblib's backend of that name for the time being."""
    from joblib import parallel_config

    if backend == "loky":
        with parallel_config("loky", inner_max_num_threads=1):
            yield
        return
    try:
        client = _dask(n) if backend == "dask" else _ray(n)
    except ImportError as error:
        raise Unusable(
            f"the backend {backend} needs its library (pip install 'dfbench[{backend}]')"
        ) from error
    except (OSError, ConnectionError) as error:  # of which a time-out is one
        raise Unusable(f"no {backend} cluster answers: {error}") from error
    with client, parallel_config(backend):
        yield


def _dask(n: int) -> Any:
    """A client of the cluster whose address is configured, else of a local one."""
    import dask
    from distributed import Client

    if dask.config.get("scheduler-address", None):
        return Client()
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):  # `spread` tries again
        return Client(n_workers=n, threads_per_worker=1, dashboard_address=None)


@contextlib.contextmanager
def _ray(n: int) -> Iterator[None]:
    """The cluster of RAY_ADDRESS, else a local one."""
    import os

    import ray
    from ray.util.joblib import register_ray

    local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": n, "include_dashboard": False}
    ray.init(ignore_reinit_error=True, log_to_driver=False, **local)
    register_ray()
    try:
        yield
    finally:
        ray.shutdown()


def _deaths() -> tuple[type[BaseException], ...]:
    """What the backends raise when a worker has died."""
    found: list[type[BaseException]] = [BrokenProcessPool, WorkerDied]
    for module, name in DEATHS:
        if hasattr(sys.modules.get(module), name):
            found.append(getattr(sys.modules[module], name))
    return tuple(found)
