"""How the curves of a claim change with one number: as panels, and for a page's slider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dfbench.charts.drawing import frame
from dfbench.charts.look import AT, COLOURS, MUTED, SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dfbench.outcome import Finding


@dataclass(frozen=True)
class Curves:
    """Lines of one kind: `y` names their series, with {at} for the slider's position.

    A colour is its place in the palette; without one, a line is grey and wide.
    """

    label: str
    x: str
    y: tuple[str, ...]
    colour: int | None
    marks: bool = False
    dashed: bool = False

    @property
    def moves(self) -> bool:
        """Whether the series are others at another position."""
        return any("{at}" in name for name in self.y)

    @property
    def style(self) -> dict[str, Any]:
        """As matplotlib draws them."""
        if self.colour is None:
            return {"color": MUTED, "alpha": 0.35, "lw": 4}
        marker = "os"[self.colour % 2] if self.marks else ""
        dash = "--" if self.dashed else "-"
        return {"color": COLOURS[self.colour], "lw": 1.2, "ms": 3, "marker": marker, "ls": dash}


@dataclass(frozen=True)
class Slider:
    """How the curves of a claim change with one number; all it shows are series of the finding.

    Attributes:
        label: the number that is set.
        positions: its values, as the names of the series have them.
        x, y: labels of the axes; `ylim` the range shown, x runs as the series does.
        curves: the lines drawn at each position.
        readings: what is said at each position → the series that has it, an entry a position.
        logs: the axes that are logarithmic, of "xy".
    """

    label: str
    positions: tuple[str, ...]
    x: str
    y: str
    ylim: tuple[float, float]
    curves: tuple[Curves, ...]
    readings: dict[str, str]
    logs: str = ""

    def panels(self, titles: Mapping[str, str], finding: Finding) -> Figure:
        """A few positions side by side: title → position."""
        figure, axes = self._frame(finding, len(titles), SIZE)
        for axis, (title, at) in zip(axes, titles.items(), strict=True):
            for each in self.curves:
                self._draw(axis, finding, each, at, each.label)
            axis.set_title(title)
        for axis in axes[1:]:
            axis.set(ylabel="", yticklabels=[])
        return figure

    def moving(self, finding: Finding) -> Figure:
        """All positions on top of each other; a page shows one at a time."""
        figure, (axis,) = self._frame(finding, 1, (6.0, 3.8))
        for each in self.curves:
            if not each.moves:
                self._draw(axis, finding, each, "", each.label)
                continue
            axis.plot([], [], label=each.label, **each.style)
            for k, at in enumerate(self.positions):
                self._draw(axis, finding, each, at, gid=f"{AT}{k}")
        entries = axis.get_legend_handles_labels()
        figure.legend(*entries, loc="outside lower center", ncols=len(self.curves))
        return figure

    def _frame(
        self, finding: Finding, panels: int, size: tuple[float, float]
    ) -> tuple[Figure, list[Axes]]:
        t = (finding.series or {})[self.curves[0].x]
        ends = (t[0], t[-1]) if "x" in self.logs else (round(t[0]), round(t[-1]))
        scales = {f"{axis}scale": "log" for axis in self.logs}
        return frame(self.x, self.y, panels=panels, size=size, xlim=ends, ylim=self.ylim, **scales)

    def _draw(
        self, axis: Axes, finding: Finding, each: Curves, at: str, label: str = "", **more: Any
    ) -> None:
        """The lines of one kind at one position, the first of them with the label."""
        series = finding.series or {}
        for i, name in enumerate(each.y):
            known = {"label": label if i == 0 else ""} | each.style | more
            axis.plot(series[each.x], series[name.format(at=at)], **known)
