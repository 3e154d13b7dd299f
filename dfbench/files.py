"""Files that are either complete or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


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

    Raises:
        OSError: as `write`; another exception of `save` passes through. The old file stays.
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        save(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
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
    _temporary(Path(path)).unlink()


def _temporary(path: Path) -> Path:
    """A new empty file beside `path`, which is then known to be writable."""
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "is a directory", str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:50]}.", dir=path.parent)
    except OSError as error:
        raise _about(path, error) from error
    os.close(handle)
    return Path(name)


def _about(path: Path, error: OSError) -> OSError:
    reason = f"cannot write: {(error.strerror or 'failed').lower()}"
    return type(error)(error.errno, reason, str(path))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
