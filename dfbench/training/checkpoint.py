"""A training folder on disk: the study, the log, and the last good state, each whole or not there.

DIR/config.toml             the study with every default
DIR/log.csv                 loss and throughput on the way
DIR/checkpoint/last.pt      weights, averages, optimiser, levels: all that the next step needs
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from dfbench import files
from dfbench.errors import Unusable
from dfbench.files import write, write_with
from dfbench.wording import shorten

LogRow = dict[str, float]


def config_file(folder: Path) -> Path:
    """Where the study is."""
    return folder / "config.toml"


def state_file(folder: Path) -> Path:
    """Where the last good state is."""
    return folder / "checkpoint" / "last.pt"


def log_file(folder: Path) -> Path:
    """Where the log is."""
    return folder / "log.csv"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write a state; the one before stays until this one is on the disk.

    Raises:
        OSError: it cannot be written.
    """

    def whole(path: Path) -> None:
        try:
            torch.save(state, path)
        except RuntimeError as error:  # torch's own writer reports a full disk so
            raise OSError(28, f"cannot write ({str(error).splitlines()[0]})", str(path)) from error

    write_with(state_file(folder), whole)


def load(folder: Path) -> dict[str, Any]:
    """The last good state, on the CPU.

    Raises:
        Unusable: there is none, or it cannot be read.
    """
    file = state_file(folder)
    try:
        # torch writes a checksum of every part into the archive, and does not look at it
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
        if damaged:
            raise Unusable(f"{file}: damaged ({damaged} is not what its checksum says)")
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise Unusable(f"{folder}: no trained network here (no {file.name})") from error
    except Unusable:
        raise
    except Exception as error:
        raise Unusable(f"{file}: cannot be read as a checkpoint") from error
    return state


@contextmanager
def fitting() -> Iterator[None]:
    """A state that lacks a part, or has one of another network, is the user's to know of."""
    try:
        yield
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise Unusable(f"the checkpoint does not fit its study: {shorten(why, 200)}") from error


def clean(folder: Path) -> None:
    """Remove what a killed run left half-written."""
    for place in (folder, state_file(folder).parent, folder / "results"):
        files.clean(place)


def save_log(folder: Path, rows: list[LogRow]) -> None:
    """Write the log."""
    write(log_file(folder), pd.DataFrame(rows).to_csv(index=False))


def load_log(folder: Path, step: int) -> list[LogRow]:
    """The rows of the log up to a step; none where there is no log."""
    file = log_file(folder)
    if not file.is_file():
        return []
    table = pd.read_csv(file)
    rows: list[LogRow] = table[table["step"] <= step].to_dict("records")
    return rows
