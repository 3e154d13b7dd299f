"""The claims of the literature on trained networks, a file each; `TRAINED` has them by number."""

from __future__ import annotations

import importlib
import pkgutil

from dfbench.claims.trained.base import TRAINED, Lab, Subject, trained

for _module in pkgutil.iter_modules(__path__):
    if _module.name[0] == "t" and _module.name[1:3].isdigit():
        importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["TRAINED", "Lab", "Subject", "trained"]
