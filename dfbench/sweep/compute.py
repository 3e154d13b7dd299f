"""One cell computed, wherever a worker is: a plain result for the store."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

from dfbench.sweep import costs
from dfbench.sweep.cells import Cell
from dfbench.sweep.entries import Entry
from dfbench.sweep.kept import Kept
from dfbench.sweep.laws import TARGETS
from dfbench.sweep.measurement import Value
from dfbench.sweep.samplers import Run
from dfbench.sweep.sampling import Samples
from dfbench.sweep.targets import Target

VALUES = tuple(field.name for field in fields(Value))


#: Of this process. A run and its costs, which its levels do not change, serve many cells.
_targets: Kept[Target] = Kept(16)
_runs: Kept[Run] = Kept(4)
_costs: Kept[dict[str, float | None]] = Kept(256)


def compute(cell: Cell) -> dict[str, Any]:
    """The result of a cell; that it raises is a result, too."""
    with single_thread():
        return _compute(cell)


def failed(cell: Cell, why: str) -> dict[str, Any]:
    """The result of a cell that could not be computed."""
    return _result(cell, {}, status="failed", why=" ".join(why.split())[:500])


def _result(cell: Cell, head: dict[str, Any], **known: Any) -> dict[str, Any]:
    """What the store keeps: `head` tells the run, `known` what became of it."""
    way = cell.way
    return {
        "key": cell.key,
        "status": "ok",
        "why": None,
        "head": {
            "dimension": None,
            "method": way.sampler.shown,
            "version": "",
            "options": {},
            "steps": way.steps,
            "nfe": None,
            "prediction": way.prediction,
            **head,
        },
        "rows": [],
        "skipped": {},
        "cost": {"seconds": 0.0},
        **known,
    }


def _compute(cell: Cell) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        target, run = target_of(cell.target), _runs.of(repr(cell.way), cell.way.run)
        return _measured(cell, target, run, start)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's code may raise anything, SystemExit too
        return failed(cell, f"{type(error).__name__}: {error}")


def _measured(cell: Cell, target: Target, run: Run, start: float) -> dict[str, Any]:
    from dfbench.sweep.measures import MEASURES

    samples = Samples(target, run, cell.seed, cell.samples)
    rows, skipped = [], {}
    for name in cell.metrics:
        reason = MEASURES[name].applies(target, run)
        if reason is None:
            values = MEASURES[name](target, run, samples)
            rows += [[getattr(value, name) for name in VALUES] for value in values]
        else:
            skipped[name] = reason
    own = cell.way.sampler
    head = {
        "dimension": target.dim,
        "method": own.shown if run.code or own.third_party else run.method,
        "version": run.version,
        "options": {**own.options, **own.call},
        "steps": run.steps,
        "nfe": run.nfe,
        "prediction": run.prediction,
    }
    seconds = time.perf_counter() - start
    thing = (own, cell.way.prediction, cell.way.steps)
    cost = {"seconds": seconds, **_costs.of(repr(thing), lambda: costs.outside(run))}
    return _result(cell, head, rows=rows, skipped=skipped, cost=cost)


def target_of(entry: Entry) -> Target:
    """The target of an entry, made once in a process."""

    def make() -> Target:
        return replace(TARGETS[entry.name](**entry.options), name=entry.label)

    return _targets.of(repr(entry), make)


@lru_cache(maxsize=1)
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def single_thread() -> Iterator[None]:
    """One thread for linear algebra: sums are then the same in every worker, and none waits."""
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else None
    with _controller().limit(limits=1):
        if torch:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(threads)
