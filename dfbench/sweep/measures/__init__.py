"""The measures, a family a file; `MEASURES` has them by name."""

from __future__ import annotations

import importlib

from dfbench.sweep.measures.measure import MEASURES, Measure, measure

FAMILIES: tuple[str, ...] = ("gaussian", "line", "sampled", "strong", "weak")

for _family in FAMILIES:
    importlib.import_module(f"dfbench.sweep.measures.{_family}")

__all__ = ["MEASURES", "Measure", "measure"]
