"""Colours and style of all charts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: After Okabe and Ito, the first five told apart with any colour vision; `--c0` … in a page.
COLOURS = (
    "#0072b2",
    "#c24a00",
    "#007a5a",
    "#8a4a7d",
    "#6b5d00",
    "#3d9bd4",
    "#b07d00",
    "#c75b93",
)
#: From nothing to much; `--h0` … in a page.
SHADES = ("#f0f5f9", "#d3e4f0", "#a8cce4", "#6badd5", "#3284bb", "#125a8c", "#082f4e")
INK, MUTED, LINE, PAPER = "#1c2127", "#59636e", "#d5dbe1", "#ffffff"
#: What a page replaces, colour → custom property.
PROPERTIES = (
    {colour: f"--c{i}" for i, colour in enumerate(COLOURS)}
    | {shade: f"--h{i}" for i, shade in enumerate(SHADES)}
    | {INK: "--fg", MUTED: "--muted", LINE: "--line", PAPER: "--bg"}
)
MARKS = "osD^v"  # one for each of a few curves, so that they differ without colour too

SIZE = (5.4, 3.3)  # inches
#: How a `gid` begins that a page keeps: of what tells its name, and of a slider's position.
NAMED, AT = "name:", "at:"
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.formatter.use_mathtext": False,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
    "path.simplify_threshold": 0.3,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "xtick.labelsize": 8.5,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.color": MUTED,
    "ytick.labelsize": 8.5,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}


@contextmanager
def style(salt: str = "dfbench") -> Iterator[None]:
    """Within it everything is drawn in one style; the same `salt` makes the same file."""
    import matplotlib as mpl
    from cycler import cycler

    changes: Any = STYLE | {"axes.prop_cycle": cycler(color=COLOURS), "svg.hashsalt": salt}
    with mpl.rc_context(changes):
        yield
