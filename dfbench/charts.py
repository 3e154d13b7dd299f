"""Charts, for pages and for files.

matplotlib draws all of them: one drawing gives the SVG within a page and the SVG, PDF or PNG beside
it. In a page its colours become custom properties of the style sheet, so that a chart follows the
light, the dark and the printed page, and text stays text. Importing this module does not load it.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup

from dfbench.files import write_with
from dfbench.wording import clean, tick

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from dfbench.outcome import Finding

#: Told apart with any colour vision, after Okabe and Ito; `--c0` … in a page.
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


# Drawing ------------------------------------------------------------------------------------------


def frame(
    x: str, y: str, *, panels: int = 1, size: tuple[float, float] = SIZE, **scales: Any
) -> tuple[Figure, list[Axes]]:
    """A figure and its axes side by side, labelled; `xscale`, `ylim` and the like go to each."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=size)
        axes = [figure.add_subplot(1, panels, 1 + i) for i in range(panels)]
    for axis in axes:
        axis.set(xlabel=x, ylabel=y, **scales)
    return figure, axes


Names = Mapping[str, str] | Iterable[str]


def curves(
    axis: Axes,
    series: Mapping[str, Sequence[float]],
    over: str,
    names: Names,
    styles: Sequence[str] = ("-",),
    **line: Any,
) -> None:
    """Draw series over the series `over`.

    Args:
        names: of the series; a mapping gives each its label.
        styles: matplotlib's format strings, taken in turn.
        line: properties of all lines.
    """
    for i, name in enumerate(names):
        label = names[name] if isinstance(names, Mapping) else name
        axis.plot(series[over], series[name], styles[i % len(styles)], label=label, **line)


def lines(
    finding: Finding,
    x: str,
    y: str,
    *,
    over: str | None = None,
    names: Names | None = None,
    styles: Sequence[str] = ("-",),
    size: tuple[float, float] = SIZE,
    **scales: Any,
) -> Figure:
    """A figure of a finding's series; by default, of all over the first of them.

    Args:
        finding: with series.
        x, y: labels of the axes.
        over, names, styles: as of `curves`.
        size: inches.
        scales: `xscale`, `ylim` and the like.
    """
    series = finding.series or {}
    over = next(iter(series)) if over is None else over
    figure, (axis,) = frame(x, y, size=size, **scales)
    shown = [name for name in series if name != over] if names is None else names
    curves(axis, series, over, shown, styles)
    return figure


def guide(axis: Axes, x: Sequence[float], y: Sequence[float], label: str | None = None) -> None:
    """A line to compare with."""
    axis.plot(x, y, ":", color=MUTED, lw=1.2, label=label, scalex=False, scaley=False)


def level(axis: Axes, y: float, label: str) -> None:
    """A horizontal line to compare with."""
    axis.axhline(y, ls=":", color=MUTED, lw=1.2, label=label)


def name_ends(axis: Axes, ends: Iterable[tuple[float, float, str, str]]) -> None:
    """Names (x, y, name, colour) right of the ends of lines on log axes, at least a line apart."""
    ends = [end for end in ends if end[1] > 0]
    low, high = axis.get_ylim()
    height = math.log(high / low)
    last = -math.inf
    for _, y, name, colour in sorted(ends, key=lambda end: end[1]):
        last = max(math.log(y / low) / height, last + 0.075)
        axis.annotate(
            name,
            (1.0, min(last, 1.02)),
            (4, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            color=colour,
            va="center",
            fontsize=8,
            annotation_clip=False,
        )


def name_rows(
    axis: Axes,
    names: Sequence[str],
    words: Sequence[str],
    *,
    links: Sequence[str] = (),
    colours: Sequence[str] = (),
) -> None:
    """Make the axis a list, rows y = 0, 1, … from the top: names on the left, words on the right.

    Args:
        names, words: of each row.
        links: where a name leads in a page.
        colours: of the words.
    """
    axis.set_yticks(range(len(names)), [clean(name) for name in names])
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.spines["left"].set_visible(False)
    for label, link in zip(axis.get_yticklabels(), links, strict=False):
        label.set_url(link)
    for y, said in enumerate(words):
        axis.annotate(
            said,
            (1.0, y),
            (8, 0),
            xycoords=axis.get_yaxis_transform(),
            textcoords="offset points",
            color=colours[y] if colours else MUTED,
            va="center",
            fontsize=8,
            annotation_clip=False,
        )


def heat(axis: Axes, blocks: Sequence[Sequence[Sequence[float]]], edges: Sequence[float]) -> None:
    """Rows y = 0, 1, … of shaded cells: one path for all cells of a shade.

    Args:
        blocks: for each row, lines of numbers; what is not a number gets the darkest shade.
        edges: numbers at which the shade changes, one less than there are shades.
    """
    from itertools import groupby

    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    def shade(value: float) -> int:
        return len(edges) if math.isnan(value) else sum(abs(value) >= edge for edge in edges)

    corners: dict[int, list[tuple[float, float]]] = {}
    for y, block in enumerate(blocks):
        high = 0.84 / len(block)
        for i, values in enumerate(block):
            top, x = y - 0.42 + i * high, 0
            for kind, run in groupby(values, key=shade):
                left, x = x, x + len(list(run))
                a, b, c = left / len(values), x / len(values), top + high
                corners.setdefault(kind, []).extend([(a, top), (b, top), (b, c), (a, c), (a, top)])
    codes = [Outline.MOVETO, *[Outline.LINETO] * 3, Outline.CLOSEPOLY]
    for kind, points in sorted(corners.items()):
        outline = Outline(points, codes * (len(points) // 5))
        axis.add_patch(PathPatch(outline, facecolor=SHADES[kind], lw=0, snap=False))
    axis.set(xlim=(0, 1), xticks=[])
    axis.spines[:].set_visible(False)
    axis.grid(visible=False)


def finish(figure: Figure) -> Figure:
    """Ticks as a reader writes them, and legends: one below where there are many names or panels.

    Axes that have a legend keep it.
    """
    for axis in figure.axes:
        for one in (axis.xaxis, axis.yaxis):
            if one.get_scale() == "log":
                _log_ticks(one)
    _legends(figure)
    for axis in figure.axes:
        for text in (axis.title, axis.xaxis.label, axis.yaxis.label, *axis.texts):
            text.set_text(clean(text.get_text()))
    legends = [*figure.legends, *(axis.get_legend() for axis in figure.axes)]
    for text in (text for legend in legends if legend for text in legend.get_texts()):
        text.set_text(clean(text.get_text()))
    return figure


def _legends(figure: Figure) -> None:
    named = [axis for axis in figure.axes if axis.get_legend_handles_labels()[1]]
    free = [axis for axis in named if axis.get_legend() is None]
    if figure.legends or not free:
        return
    entries = [axis.get_legend_handles_labels() for axis in free]
    same = all(names == entries[0][1] for _, names in entries)
    if same and (len(figure.axes) > 1 or len(entries[0][1]) > 6):
        _below(figure, *entries[0])
    else:
        for axis in free:
            axis.legend()


def _below(figure: Figure, handles: list[Any], names: list[str]) -> None:
    """A legend below all panels, with room of its own."""
    width, height = figure.get_size_inches()
    columns = min(len(names), max(1, int(13 * width / (max(map(len, names)) + 7))), 5)
    figure.set_size_inches(width, height + 0.2 * math.ceil(len(names) / columns))
    figure.legend(handles, names, loc="outside lower center", ncols=columns)


def _log_ticks(axis: Axis) -> None:
    """Numbers like 20, 0.5 and 10⁻⁴; more than powers of ten where there are few of these."""
    import matplotlib.ticker as mt

    axis.set_minor_locator(mt.NullLocator())
    if isinstance(axis.get_major_formatter(), mt.FixedFormatter):
        return
    low, high = sorted(axis.get_view_interval())
    if 0 < low < high < 100 * low and not isinstance(axis.get_major_locator(), mt.FixedLocator):
        subs = (1, 2, 5) if high > 6 * low else (1, 1.5, 2, 3, 4, 6, 8)
        axis.set_major_locator(mt.LogLocator(subs=subs))
    axis.set_major_formatter(mt.FuncFormatter(lambda value, _: tick(value)))


# Files --------------------------------------------------------------------------------------------

UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}


def save(draw: Callable[[], Figure], stem: Path, *endings: str) -> list[Path]:
    """Write a figure as STEM.ENDING for every ending; the same drawing makes the same files.

    Raises:
        OSError: a file cannot be written.
    """
    with style():
        figure = finish(draw())
        written = []
        for ending in endings:
            path = stem.with_name(f"{stem.name}.{ending}")
            options: dict[str, Any] = {
                "format": ending,
                "metadata": UNDATED[ending],
                "facecolor": PAPER,
            }
            write_with(path, partial(figure.savefig, dpi=150, bbox_inches="tight", **options))
            written.append(path)
    return written


SCALE = 1.3  # pixels of a page for each of matplotlib's points
WIDE = 460  # points: what is wider scrolls on a small screen


# Pages --------------------------------------------------------------------------------------------


def inline(draw: Callable[[], Figure], name: str, title: str) -> Markup:
    """A figure as SVG within a page.

    Args:
        draw: makes the figure.
        name: of the figure in the page; its ids begin with it.
        title: what a reader who does not see it is told.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    with style(name), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+")  # the page has fonts of its own
        text = io.StringIO()
        figure = finish(draw())
        figure.set_facecolor("none")
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(text, metadata=UNDATED["svg"])  # `savefig` draws twice
    box, content = _compact(text.getvalue(), name)
    width = float(box.split()[2])
    kind = "plot wide" if width > WIDE else "plot"
    return Markup(
        '<svg class="{}" width={:.0f} viewBox="{}" role=img aria-label="{}">{}</svg>'
    ).format(kind, SCALE * width, box, clean(title), content)


#: What says nothing: the page chooses the font, and has round joins.
SILENT = {"font-family", "stroke-dashoffset", "stroke-linecap", "stroke-linejoin"}
DEFAULTS = (("text-anchor", "start"), ("fill", "none"))  # `fill: none` is that of a page's plot
SHARED = ("text", "use")  # elements that mostly come in runs of one style


def _compact(svg: str, name: str) -> tuple[str, Markup]:
    """The view box of matplotlib's SVG, and its content without what a page needs not."""
    places = dict.fromkeys(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    referred = {each: f"{name}-{i}" for i, each in enumerate(places)}
    root = ElementTree.fromstring(clean(svg))
    found = ElementTree.Element("svg")
    found.extend(part for child in root for part in _simple(child, referred))
    inside = "".join(ElementTree.tostring(part, encoding="unicode") for part in found)
    return root.attrib["viewBox"], Markup(inside)


def _simple(element: ElementTree.Element, referred: Mapping[str, str]) -> list[Any]:
    """What an element becomes: nothing, itself, or its children."""
    tag, own = element.tag.rpartition("}")[2], element.attrib.get("id", "")
    if tag in ("metadata", "style"):
        return []
    made = ElementTree.Element(tag)
    made.text = element.text.strip() if element.text and element.text.strip() else None
    made.tail = element.tail.strip() if element.tail and element.tail.strip() else None
    for key, value in element.attrib.items():
        if short := _attribute(tag, key.rpartition("}")[2], value, referred):
            made.set(*short)
    made.extend(part for child in element for part in _simple(child, referred))
    if tag == "path" and not (made.get("id") or made.get("style")):
        return []  # an outline that nobody sees
    if tag == "defs" and not len(made):
        return []
    if tag != "g":
        return [made]
    if own.startswith("matplotlib.axis"):
        made[:] = _joined(made)
    made[:] = _runs(made)
    if own.startswith(AT):
        made.set("data-at", own.removeprefix(AT))
    if own.startswith(NAMED):
        made.set("class", "named")
        title = ElementTree.Element("title")
        title.text = own.removeprefix(NAMED)
        made.insert(0, title)
    return [made] if made.attrib and len(made) else list(made)


def _attribute(
    tag: str, key: str, value: str, referred: Mapping[str, str]
) -> tuple[str, str] | None:
    """An attribute in few letters; nothing where it does not matter."""
    if key == "id":
        return (key, referred[value]) if value in referred else None
    if key == "href" and tag != "a":
        return key, f"#{referred[value[1:]]}" if value[1:] in referred else value
    if key == "clip-path":
        return key, f"url(#{referred[value[5:-1]]})"
    if key == "style":
        return key, ";".join(_declarations(value))
    if key == "transform" and value.startswith("rotate(-0 "):
        return None
    short = re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), value)
    return key, _path(short) if key == "d" else short


def _path(d: str) -> str:
    """An outline in few letters: lines as steps from point to point."""
    made, at = "", (0.0, 0.0)
    for command, numbers in re.findall(r"([A-Za-z])([^A-Za-z]*)", d):
        to = [float(each) for each in numbers.split()]
        if command == "L":
            x, y = (
                f"{end - start:.1f}".removesuffix(".0") for end, start in zip(to, at, strict=True)
            )
            made += f"v{y}" if x in ("0", "-0") else f"h{x}" if y in ("0", "-0") else f"l{x} {y}"
        else:
            made += command + " ".join(numbers.split())
        at = (to[-2], to[-1]) if to else at
    return made


def _declarations(style: str) -> Iterator[str]:
    for declaration in style.split("; "):
        key, _, value = declaration.partition(": ")
        if key not in SILENT and (key, value) not in DEFAULTS:
            prop = PROPERTIES.get(value.lower())
            yield f"{key}:{f'var({prop})' if prop else value}"


def _joined(parts: Iterable[Any]) -> list[Any]:
    """Lines of one look as one path, before everything else: those of an axis and its grid."""
    found: dict[tuple[Any, ...], Any] = {}
    rest = []
    for part in parts:
        look = tuple((key, value) for key, value in sorted(part.items()) if key != "d")
        if part.tag != "path":
            rest.append(part)
        elif look in found:
            found[look].set("d", found[look].get("d") + part.get("d"))
        else:
            found[look] = part
    return [*found.values(), *rest]


def _runs(parts: Iterable[Any]) -> list[Any]:
    """Neighbours of one kind and style in a group that has the style."""
    from itertools import groupby

    found: list[Any] = []
    for (tag, look), each in groupby(parts, key=lambda part: (part.tag, part.get("style"))):
        run = list(each)
        if tag in SHARED and look and len(run) > 1:
            group = ElementTree.Element("g", style=look)
            for part in run:
                del part.attrib["style"]
            group.extend(run)
            run = [group]
        found += run
    return found
