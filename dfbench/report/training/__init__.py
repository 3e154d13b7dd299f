"""Results of `dfbench train`: measured, held to the claims, written down, and as a page."""

from dfbench.report.training.page import recognise, render
from dfbench.report.training.results import complete

__all__ = ["complete", "recognise", "render"]
