"""What is expensive to make is made once and kept for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

_lock = threading.RLock()  # workers may be threads


class Kept(Generic[T]):
    """The last `most` things that were made, by what they were made of.

    A thing must depend on its key alone: results may not hang on what a worker has seen before.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._made: dict[Hashable, T] = {}

    def of(self, key: Hashable, make: Callable[[], T]) -> T:
        """`make()`, or what it gave for this key before."""
        with _lock:
            if key not in self._made:
                while len(self._made) >= self.most:
                    del self._made[next(iter(self._made))]
                self._made[key] = make()
            return self._made[key]
