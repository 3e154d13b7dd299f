"""Sphinx's configuration: `tox -e docs` builds the site into docs/_build."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

from dfbench import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import generate  # noqa: E402

project = "dfbench"
author = copyright = "the dfbench developers"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib.programoutput",
]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"dfbench {__version__}"
exclude_patterns = ["_build", "_generated/work", "examples"]

default_role = "code"
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
nitpicky = False

generate.write(HERE / "_generated")
WORK = HERE / "_generated" / "work"  # where the commands of the guides run
if WORK.exists():
    shutil.rmtree(WORK)
shutil.copytree(HERE / "examples", WORK)


def plainly(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text: bars, stars and underscores mean themselves."""
    for i, line in enumerate(lines):
        parts = re.split(r"(`[^`]*`)", line)
        parts[::2] = [re.sub(r"([|*\\])|(?<=\w)_(?!\w)", r"\\\g<0>", part) for part in parts[::2]]
        lines[i] = "".join(parts)


def with_reports(app: Any, error: Exception | None) -> None:
    """The published reports, below the site."""
    if error is None and app.builder.format == "html":
        there = Path(app.outdir) / "reports"
        leave = shutil.ignore_patterns("certificate.json", "*.py", "__pycache__")
        shutil.copytree(HERE.parent / "reports", there, ignore=leave, dirs_exist_ok=True)


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", plainly, priority=100)
    app.connect("build-finished", with_reports)
