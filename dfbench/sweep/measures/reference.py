"""What the measures of a target have in common, made once a target and kept while it lives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from dfbench.sweep.samplers import Run
from dfbench.sweep.targets import Target

T = TypeVar("T")
KEPT = 24  # references of one target

_lock = threading.RLock()  # workers may be threads
_kept: WeakKeyDictionary[Target, dict[Hashable, object]] = WeakKeyDictionary()


def once(target: Target, key: Hashable, make: Callable[[], T]) -> T:
    """`make()`, or what it gave for this target and key before.

    It must depend on the target and the key alone: results may not hang on which cells a worker
    has seen.
    """
    with _lock:
        mine = _kept.setdefault(target, {})
        if key not in mine:
            while len(mine) >= KEPT:
                del mine[next(iter(mine))]
            mine[key] = make()
        return mine[key]  # type: ignore[return-value]


def wrong_model(target: Target, run: Run) -> str | None:
    """Why an error is not the sampler's alone."""
    wrong = target.network is not None or target.learned is not None
    return "the model is not the exact one" if wrong else None


def start_variance(run: Run) -> float:
    """Variance of the initial state along every direction."""
    return float(run.initial(np.ones((1, 1)))[0, 0] ** 2)
