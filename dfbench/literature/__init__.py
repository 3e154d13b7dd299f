"""The claims of the literature, a file each; `ROWS` has them by number."""

from __future__ import annotations

import importlib
import pkgutil

from dfbench.literature.statement import (
    PRINTED,
    ROWS,
    Literature,
    Printed,
    for_all,
    printed,
    row,
    worst_of,
)

for _module in pkgutil.iter_modules(__path__):
    if _module.name[0] in "cp" and _module.name[1:3].isdigit() and "_trained" not in _module.name:
        importlib.import_module(f"{__name__}.{_module.name}")

__all__ = [
    "PRINTED",
    "ROWS",
    "Literature",
    "Printed",
    "for_all",
    "printed",
    "row",
    "worst_of",
]
