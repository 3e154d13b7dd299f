"""Charts as files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfbench.charts.drawing import finish
from dfbench.charts.look import PAPER, style
from dfbench.files import write_with

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}


def save(draw: Callable[[], Figure], stem: Path, *endings: str) -> list[Path]:
    """Write a figure as STEM.ENDING for every ending; the same drawing makes the same files.

    Raises:
        OSError: a file cannot be written.
    """
    with style():
        figure = finish(draw())
        written = []
        for ending in endings:
            path = stem.with_name(f"{stem.name}.{ending}")
            options: dict[str, Any] = {
                "format": ending,
                "metadata": UNDATED[ending],
                "facecolor": PAPER,
            }
            write_with(path, partial(figure.savefig, dpi=150, bbox_inches="tight", **options))
            written.append(path)
    return written
