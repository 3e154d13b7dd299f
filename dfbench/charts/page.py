"""Charts as SVG within a page: few letters, colours of its style sheet, ids of their own."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup

from dfbench.charts.drawing import finish
from dfbench.charts.look import AT, NAMED, PROPERTIES, style
from dfbench.wording import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCALE = 1.3  # pixels of a page for each of matplotlib's points
WIDE = 460  # points: what is wider scrolls on a small screen


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
        canvas.print_svg(text, metadata={"Date": None})  # `savefig` draws twice
    box, content = _compact(text.getvalue(), name)
    width = float(box.split()[2])
    kind = "plot wide" if width > WIDE else "plot"
    role = "group" if "<a " in content else "img"  # what is in a picture cannot be followed
    svg = '<svg class="{}" width={:.0f} viewBox="{}" role={} aria-label="{}">{}</svg>'
    return Markup(svg).format(kind, SCALE * width, box, role, clean(title), content)


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
