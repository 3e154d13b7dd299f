"""How far the work has come: what is called on the way, and what shows it."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

from dfbench.wording import clean


class Progress(Protocol):
    """Called as (what is done, how much of it is, of how much in all); 0 of 0: nobody knows."""

    def __call__(self, what: str, done: int, total: int, /) -> None: ...


def quiet(what: str, done: int, total: int) -> None:
    """Tells nobody."""


class Shown:
    """Progress on stderr: a bar on a terminal, elsewhere a line each tenth of the way.

    With `detail` the lines also have what the bar shows beside itself, with `remaining` the time.
    """

    def __init__(self, title: str, remaining: bool = False, detail: bool = False) -> None:
        self.title, self.remaining, self.detail = title, remaining, detail
        self.shown, self.total = 0, 0
        self.begin = (time.monotonic(), 0)  # when, and what was done by then

    def __enter__(self) -> Progress:
        self.bar: Any = None
        if sys.stderr.isatty():
            from rich import progress
            from rich.console import Console

            self.bar = progress.Progress(
                progress.TextColumn("{task.description}", markup=False),
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TimeElapsedColumn(),
                *([progress.TimeRemainingColumn(compact=True)] if self.remaining else []),
                console=Console(stderr=True, highlight=False, markup=False, emoji=False),
                transient=True,
            )
            self.task = self.bar.add_task(self.title, total=None)
            self.bar.start()
        return self

    def __call__(self, what: str, done: int, total: int, /) -> None:
        if self.bar is not None:
            self.bar.update(self.task, description=clean(what), completed=done, total=total)
            return
        if total and total != self.total:  # the work, or another part of it, begins
            self.begin, self.shown = (time.monotonic(), done), 10 * done // total
            self.total = total
        tenth = 10 * done // total if total else 0
        if tenth > self.shown and done < total:
            self.shown = tenth
            left = self._left(done, total)
            more = f", {clean(what)}" if self.detail else ""
            more += f", about {left:.0f} s left" if self.remaining else ""
            print(f"dfbench: {self.title}: {done} of {total}{more}", file=sys.stderr, flush=True)

    def _left(self, done: int, total: int) -> float:
        """Seconds, at the pace so far."""
        start, before = self.begin
        return (time.monotonic() - start) * (total - done) / max(done - before, 1)

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()
