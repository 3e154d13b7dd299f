"""Two runs compared, two versions of a library say: what changed, and which check explains it."""

from dfbench.report.compare.join import Comparison, compare
from dfbench.report.compare.page import render
from dfbench.report.compare.terminal import summary

__all__ = ["Comparison", "compare", "render", "summary"]
