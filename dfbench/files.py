"""Files that are either complete or not there; what is no regular file is written through."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from dfbench.errors import Unusable

STDOUT = Path("/dev/stdout")

#: How the names of unfinished files end.
UNFINISHED = ".dfbench-unfinished"

#: Seconds after which an unfinished file that nobody has touched was left by a kill.
STALE = 60.0


#: Bytes of a file that is read whole: of settings, and of results.
SETTINGS, RESULTS = 1 << 20, 1 << 28


def content(path: str | Path, most: int = RESULTS) -> bytes:
    """What a file holds, unless that is more than anything of its kind would be.

    Raises:
        Unusable: more than `most` bytes; a device that never ends is read so far only.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise Unusable(
            f"{path}: larger than {most >> 20} MiB, the most that is read of such a file"
        )
    return found


def refuse_larger(path: str | Path, most: int = RESULTS) -> None:
    """Refuse a file that something else will read, if it is larger than `most` bytes.

    Raises:
        Unusable: it is, or it is no regular file.
        OSError: it is not there.
    """
    found = Path(path).stat()
    if not stat.S_ISREG(found.st_mode):
        raise Unusable(f"{path}: not a regular file")
    if found.st_size > most:
        raise Unusable(
            f"{path}: larger than {most >> 20} MiB, the most that is read of such a file"
        )


def write(path: str | Path, text: str) -> None:
    """Write a text file whole, then give it its name; a reader never sees half of it.

    Parent directories are created. Characters that UTF-8 cannot hold (lone surrogates, from
    undecodable file names for instance) are written as backslash escapes.

    Raises:
        OSError: with the path of the file, never of the temporary one.
    """
    write_with(path, lambda file: _text(file, text))


def write_with(path: str | Path, save: Callable[[Path], object]) -> None:
    """The same for any content: `save` writes it to the path that it is given.

    The content is on the disk before it has the name, so that not even a power cut leaves half.
    A symbolic link stays, and what it leads to is written. A device, a pipe or a descriptor of this
    process (`/dev/stdout`) is written to, never replaced.

    Raises:
        OSError: as `write`; another exception of `save` passes through. The old file stays.
    """
    path = Path(path)
    if _special(path):
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "content"
            save(made)
            _pour(made, path)
        return
    temporary = _temporary(path)
    final = Path(os.path.realpath(path))
    try:
        save(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(stat.S_IMODE(final.stat().st_mode) if final.exists() else _mode())
        os.replace(temporary, final)
    except OSError as error:
        raise _about(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def check_writable(path: str | Path) -> None:
    """Find out before the work whether the file can be written after it.

    Raises:
        OSError: it cannot; parent directories that could be created stay.
    """
    path = Path(path)
    if not _special(path):
        _temporary(path).unlink()
        clean(Path(os.path.realpath(path)).parent, STALE)
        return
    try:
        number = _descriptor(path)
        if number is not None:
            os.fstat(number)
        elif not os.access(path, os.W_OK):
            raise PermissionError(13, "permission denied")
    except OSError as error:
        raise _about(path, error) from error


def clean(folder: Path, untouched: float = 0.0) -> None:
    """Remove the unfinished files of a folder that a kill has left, `untouched` so many seconds."""
    for file in folder.glob(f".*{UNFINISHED}"):
        with contextlib.suppress(OSError):
            if time.time() - file.stat().st_mtime >= untouched:
                file.unlink()


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other process that asks is in the folder at the same time; the system frees it at death.

    Raises:
        Unusable: another is.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / ".lock"
    lock = _locked(file)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink()
        lock.close()


def _locked(file: Path) -> BinaryIO:
    while True:
        lock = file.open("ab")
        try:
            _lock(lock)
            # who had it before may have removed the file that was opened here
            if os.path.samestat(os.fstat(lock.fileno()), file.stat()):
                return lock
        except BlockingIOError as error:
            lock.close()
            raise Unusable(
                f"{file.parent}: another run works in it; wait for it, or choose another directory"
            ) from error
        except FileNotFoundError:
            pass
        lock.close()


def _lock(file: BinaryIO) -> None:
    """Raise BlockingIOError where another process has it; a system without locks has none."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system that knows no locks
        return


def _special(path: Path) -> bool:
    """Whether it is a descriptor of ours, or there and neither a regular file nor a directory."""
    if _descriptor(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _descriptor(path: Path) -> int | None:
    """The descriptor of this process that a path names: opened again, it would start at 0."""
    name = path.as_posix()
    if name in ("/dev/stdout", "/dev/stderr"):
        return 1 + (name == "/dev/stderr")
    found = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d+)", name)
    return int(found[1]) if found else None


def _pour(made: Path, path: Path) -> None:
    try:
        number = _descriptor(path)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        target = path.open("wb") if number is None else os.fdopen(os.dup(number), "wb")
        with made.open("rb") as source, target:
            shutil.copyfileobj(source, target)
    except OSError as error:
        raise _about(path, error) from error


def _temporary(path: Path) -> Path:
    """A new empty file beside what `path` leads to, which is then known to be writable."""
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "is a directory", str(path))
        final = Path(os.path.realpath(path))
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(UNFINISHED, f".{final.name[:50]}.", final.parent)
    except OSError as error:
        raise _about(path, error) from error
    os.close(handle)
    return Path(name)


def _about(path: Path, error: OSError) -> OSError:
    reason = f"cannot write: {(error.strerror or 'failed').lower()}"
    return type(error)(error.errno, reason, str(path))


def _mode() -> int:
    """What a new file may be."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
