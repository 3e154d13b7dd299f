"""Timing by ratio: what is measured, its peers and its floor take turns in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from dfbench.levels import Grid

Action = Callable[[], Any]
RING = 6  # arrays a copy goes round: about as many as a run holds, so the same caches serve both


def seconds(
    actions: dict[str, Action], setups: dict[str, Action] | None = None, budget: float = 2.0
) -> dict[str, float]:
    """The least time of each action over rounds in which they take turns, set-up not counted.

    On CUDA, until the device is done. A round runs all of them; rounds go on for `budget`
    seconds, five at least.
    """
    sync: Action = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    best = dict.fromkeys(actions, np.inf)
    end, rounds = time.perf_counter() + budget, 0
    while rounds < 6 or time.perf_counter() < end:
        for name, action in actions.items():
            (setups or {}).get(name, lambda: None)()
            sync()
            start = time.perf_counter()
            action()
            sync()
            if rounds:  # the first one warms up
                best[name] = min(best[name], time.perf_counter() - start)
        rounds += 1
    return best


def report(benchmark: Any, action: Action, rounds: int = 5, **numbers: Any) -> None:
    """Hand an action to pytest-benchmark, with numbers that are kept beside its time."""
    sync: Action = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None

    def finished() -> None:
        action()
        sync()

    benchmark.extra_info.update(numbers)
    benchmark.pedantic(finished, rounds=rounds, warmup_rounds=1 if rounds > 1 else 0)


def copies(shape: tuple[int, ...], dtype: torch.dtype, device: str, times: int) -> Action:
    """`times` copies of an array of this shape, round a ring: the floor's yardstick."""
    ring = [torch.ones(shape, dtype=dtype, device=device) for _ in range(RING)]

    def run() -> None:
        for i in range(times):
            ring[(i + 1) % RING].copy_(ring[i % RING])

    return run


def variance_preserving(n: int, high: float = 80.0, low: float = 0.02) -> Grid:
    ratio = np.geomspace(high, low, n + 1)
    return Grid(1 / np.hypot(1, ratio), ratio / np.hypot(1, ratio))
