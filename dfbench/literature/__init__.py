"""The claims of the literature, a file each: `ROWS[34]`, `PRINTED[6]`, `TRAINED[34]`.

The name of a file says which claim it holds, `c34_….py`, `p06_….py`, or on trained networks
`c34_…_trained.py`, and is all that is read until the claim is asked for: a file that is added is
known, and listed nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from dfbench.literature.statement import Literature, Printed

Kind = TypeVar("Kind")


class Statements(Mapping[int, Kind], Generic[Kind]):
    """Claims by their number; a file is imported when its claim, the module's `check`, is used.

    Args:
        letter: before the number, in the claim's id.
        file: pattern of the file's name, with the number as its group.
    """

    def __init__(self, letter: str, file: str) -> None:
        self.letter, self.file = letter, re.compile(file)

    def _files(self) -> dict[int, str]:
        found = (self.file.fullmatch(module.name) for module in iter_modules(__path__))
        return {int(name[1]): name[0] for name in found if name}

    def __getitem__(self, number: int) -> Kind:
        claim: Kind = import_module(f"{__name__}.{self._files()[number]}").check
        return claim

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._files()))

    def __len__(self) -> int:
        return len(self._files())


ROWS: Statements[Literature] = Statements("", r"c(\d+)_\w+(?<!_trained)")
PRINTED: Statements[Printed] = Statements("P", r"p(\d+)_\w+")
TRAINED: Statements[Literature] = Statements("T", r"c(\d+)_\w+_trained")

#: Parts of the list of claims, with the first row of each.
PARTS = {
    "Paths, fields and scores": 1,
    "Learning targets and losses": 12,
    "Samplers": 27,
    "Gradients and minimisers": 52,
}
