"""The results of `dfbench bench` as a page and as figures for papers."""

from dfbench.report.sweep.data import Results, load, recognise
from dfbench.report.sweep.page import render

__all__ = ["Results", "load", "recognise", "render"]
