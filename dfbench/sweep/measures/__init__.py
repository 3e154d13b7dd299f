"""The measures, a family a file; `MEASURES` has them by name."""

from __future__ import annotations

from dfbench.loading import modules_of
from dfbench.sweep.measures.measure import MEASURES, Measure, measure

FAMILIES = tuple(modules_of(__name__, ("gaussian", "line", "sampled", "strong", "weak")))

__all__ = ["MEASURES", "Measure", "measure"]
