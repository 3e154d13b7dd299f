"""The frame in which the claims are drawn: one size, one palette, safe for colour-blind readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def frame(x: str, y: str, *, panels: int = 1, **scales: Any) -> tuple[Figure, list[Axes]]:
    """A figure and its axes side by side, labelled; `xscale`, `yscale` and the like go to each."""
    import seaborn as sns
    from matplotlib.figure import Figure

    with sns.axes_style("whitegrid"), sns.plotting_context("paper"):
        figure = Figure(figsize=(6.0, 3.5), layout="constrained")
        axes = [figure.add_subplot(1, panels, 1 + i) for i in range(panels)]
    for axis in axes:
        axis.set(xlabel=x, ylabel=y, **scales)
        axis.set_prop_cycle(color=sns.color_palette("colorblind"))
    return figure, axes
