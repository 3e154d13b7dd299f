"""The claims of the literature as JSON, on the terminal, and as a page."""

from dfbench.report.literature.page import render
from dfbench.report.literature.serial import dumps
from dfbench.report.literature.terminal import summary

__all__ = ["dumps", "render", "summary"]
