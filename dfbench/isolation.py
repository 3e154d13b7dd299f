"""Work in a process of its own, which may end, hang or change there whatever it likes.

The processes are forked from one that has loaded what they need and done nothing: a new one takes
some ten milliseconds. What they answer is text, as nothing that they send should be run here.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from dfbench.errors import Unusable

SILENCE = 60.0  # seconds by the clock without an answer and with next to no computing
COMPUTING = 120.0  # seconds of a processor without an answer
WAITING = 600.0  # seconds by the clock without an answer, whatever the process does
MEMORY = 4 << 30  # bytes beyond those of the process at its start
IDLE = 0.02  # of a processor: what computes gets more, however busy the machine

#: Loaded before a process is made; by name, as nothing of it is needed here.
LOADED = ["dfbench.apart", "dfbench.subjects.loaded"]

Work = Callable[..., None]
"""(send, go, *arguments): `send` takes a text, `go` waits until the other side says so."""


def prepare() -> Any:
    """How processes are made; the one that others are forked from begins to load."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    with _main_left_alone():
        forkserver.ensure_running()
    return context


class Ended(Exception):
    """The process ended, or does not answer; the message says which."""

    def __init__(self, why: str, hangs: bool) -> None:
        super().__init__(why)
        self.hangs = hangs


class Isolated:
    """A process that does one piece of work.

    Args:
        work: a function of a module that can be imported.
        arguments: what it is called with, after `send` and `go`.

    Raises:
        Unusable: the arguments cannot be handed to a process.
    """

    def __init__(self, work: Work, arguments: Sequence[Any]) -> None:
        context = prepare()
        self.ours, theirs = context.Pipe()
        self.process = context.Process(target=_run, args=(theirs, work, arguments), daemon=True)
        try:
            with _main_left_alone():
                self.process.start()
        except (AttributeError, TypeError, ValueError) as error:  # what pickling raises
            raise Unusable(f"cannot be handed to a process of its own: {error}") from error
        finally:
            theirs.close()

    def receive(self) -> str:
        """The next answer.

        Raises:
            Ended: none comes.
        """
        begin = last = time.monotonic()
        computed = before = self._computed()
        while not self.ours.poll(0.2):
            now, used = time.monotonic(), self._computed()
            if used - before > IDLE * (now - last):
                before, last = used, now
            waited = ((SILENCE, now - last), (COMPUTING, used - computed), (WAITING, now - begin))
            if over := [limit for limit, seconds in waited if seconds > limit]:
                raise Ended(f"no answer within {over[0]:g} s", hangs=True)
        try:
            return bytes(self.ours.recv_bytes()).decode()
        except (EOFError, OSError) as error:
            self.process.join(2)
            raise Ended(_ending(self.process.exitcode), hangs=False) from error

    def go(self) -> None:
        """Let the work go on that waits for it."""
        with contextlib.suppress(OSError):  # it ended: `receive` says so
            self.ours.send_bytes(b"go")

    def close(self) -> None:
        """End the process, and those that it started."""
        pid = self.process.pid
        if pid is not None and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.ours.close()

    def _computed(self) -> float:
        """Seconds of a processor that the process has used, where the system tells."""
        try:
            after_name = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2]
        except OSError:
            return time.monotonic()
        return sum(map(int, after_name.split()[11:13])) / os.sysconf("SC_CLK_TCK")


def _ending(code: int | None) -> str:
    if code is None:
        return "the process stopped answering"
    if code >= 0:
        return f"the process ended (exit code {code})"
    return f"the process ended ({signal.Signals(-code).name})"


@contextlib.contextmanager
def _main_left_alone() -> Iterator[None]:
    """The process needs nothing of the user's script, which might run again when it is imported."""
    main = sys.modules["__main__"]
    names = ("__file__", "__spec__")
    kept: dict[str, Any] = {name: vars(main)[name] for name in names if name in vars(main)}
    for name in kept:
        setattr(main, name, None)
    try:
        yield
    finally:
        vars(main).update(kept)


def _run(theirs: Connection, work: Work, arguments: Sequence[Any]) -> None:
    if hasattr(os, "setsid"):
        os.setsid()  # an interrupt of the terminal is for the other side
    _limit_memory()
    work(lambda text: theirs.send_bytes(text.encode()), theirs.recv_bytes, *arguments)


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * os.sysconf("SC_PAGESIZE") + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
