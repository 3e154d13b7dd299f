"""What `dfbench report` makes pages of: the first kind that recognises a path takes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfbench.errors import Unusable


@dataclass(frozen=True)
class Kind:
    """Something that another command wrote.

    Attributes:
        name: what such paths hold, in the plural.
        recognise: whether a path holds it.
        render: (paths, title, notes) → the page.
        figures: (paths, directory) → writes figures for papers; None where it has none.
    """

    name: str
    recognise: Callable[[Path], bool]
    render: Callable[[Sequence[Path], str | None, Sequence[Mapping[str, Any]]], str]
    figures: Callable[[Sequence[Path], Path], object] | None = None


def kind_of(paths: Sequence[Path]) -> Kind:
    """The kind that all paths are of; certificates where none is recognised.

    Raises:
        Unusable: paths of several kinds.
    """
    kinds = {path: next(kind for kind in KINDS if kind.recognise(path)) for path in paths}
    first, *others = dict.fromkeys(kind.name for kind in kinds.values())
    if others:
        raise Unusable(f"{first} and {others[0]} go on separate pages")
    return kinds[paths[0]]


# Results of the bench -----------------------------------------------------------------------------


def _bench(path: Path) -> bool:
    from dfbench.report.sweep.data import recognise

    return recognise(path)


def _bench_page(
    paths: Sequence[Path], title: str | None, notes: Sequence[Mapping[str, Any]]
) -> str:
    from dfbench.report.sweep import load, render

    if notes:
        raise Unusable("--notes goes with certificates, not with results of the bench")
    return render(load(paths), title=title)


def _bench_figures(paths: Sequence[Path], directory: Path) -> object:
    from dfbench.report.sweep import load
    from dfbench.report.sweep.charts import save

    return save(load(paths), directory)


# Trained networks ---------------------------------------------------------------------------------


def _training(path: Path) -> bool:
    from dfbench.report.training.page import recognise

    return recognise(path)


def _training_page(
    paths: Sequence[Path], title: str | None, notes: Sequence[Mapping[str, Any]]
) -> str:
    from dfbench.report.training import render

    if notes:
        raise Unusable("--notes goes with certificates, not with trained networks")
    return render(paths, title=title)


# Certificates -------------------------------------------------------------------------------------


def _certificate_page(
    paths: Sequence[Path], title: str | None, notes: Sequence[Mapping[str, Any]]
) -> str:
    from dfbench.outcome.certificate import load, merge
    from dfbench.report import html

    files = [file for path in paths for file in certificate_files(path)]
    certificate = merge(map(load, files))
    return html.render(certificate, title=title, notes=notes)


def certificate_files(path: Path) -> list[Path]:
    """A file, or the JSON files of a directory.

    Raises:
        Unusable: a directory without any.
    """
    if not path.is_dir():
        return [path]
    if found := sorted(path.glob("*.json")):
        return found
    raise Unusable(f"{path}: no .json file in this directory, and no measurements")


KINDS: tuple[Kind, ...] = (
    Kind("results of the bench", _bench, _bench_page, _bench_figures),
    Kind("trained networks", _training, _training_page),
    Kind("certificates", lambda path: True, _certificate_page),
)
