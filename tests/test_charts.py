"""Charts as SVG within a page, and as files."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dfbench import charts, wording
from dfbench.charts import drawing, look
from dfbench.charts.files import save
from dfbench.charts.page import inline
from dfbench.outcome import Finding

STYLES = Path(charts.__file__).parents[1] / "report" / "templates" / "style.css"


def draw():
    series = {"steps": [8.0, 16.0, 32.0], "a <b>": [1e-2, 1e-4, 1e-6], "c": [1.0, 0.1, 0.01]}
    finding = Finding("some", "pass", series=series)
    figure = drawing.lines(
        finding, "steps", "error", styles=["o-", "--"], xscale="log", yscale="log"
    )
    figure.axes[0].lines[0].set_gid(f"{look.NAMED}a <b>")
    figure.axes[0].lines[1].set_gid(f"{look.AT}3")
    return figure


@pytest.fixture(scope="module")
def picture():
    return str(inline(draw, "here", 'said to "those" who do not see'))


def parsed(picture):
    return ElementTree.fromstring(re.sub(r"(\s[\w-]+)=(\w+)", r'\1="\2"', picture))


def test_the_same_drawing_is_the_same_picture(picture):
    assert inline(draw, "here", 'said to "those" who do not see') == picture
    assert "date" not in picture


def test_a_picture_is_small_and_says_what_it_is(picture):
    root = parsed(picture)
    assert len(picture) < 4000
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'said to "those" who do not see'
    texts = [each.text for each in root.iter("text")]
    assert {"steps", "error", "10⁻⁶", "a <b>", "c"} <= set(texts)


def test_ids_are_of_the_figure_and_lead_somewhere(picture):
    ids = re.findall(r'\bid="([^"]+)"', picture)
    assert len(ids) == len(set(ids)) > 0
    assert all(each.startswith("here-") for each in ids)
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', picture)) == set(ids)


def test_colours_are_those_of_the_page(picture):
    assert not re.search(r"#[0-9a-f]{6}", picture)
    assert {"--c0", "--c1", "--line", "--muted", "--fg"} <= set(
        re.findall(r"var\(([^)]+)", picture)
    )
    light, dark = STYLES.read_text().split("@media screen and (prefers-color-scheme: dark)")[:2]
    for colour, name in look.PROPERTIES.items():
        (known,) = re.findall(rf"{name}: (#\w+);", light)
        assert known in (colour, "#fff" if colour == look.PAPER else colour)
        assert f"{name}: " in dark


def test_what_tells_its_name_and_what_a_slider_shows_is_marked(picture):
    root = parsed(picture)
    (named,) = [group for group in root.iter("g") if group.get("class") == "named"]
    assert named[0].tag == "title"
    assert named[0].text == "a <b>"
    assert [group.get("data-at") for group in root.iter("g") if group.get("data-at")] == ["3"]


@pytest.mark.parametrize(
    "name", ["$x^$", "\x1e\x00", "\ud800", "日本 \U0001f600", "<b>&", "_hidden"]
)
def test_any_name_is_text(name):
    def drawn():
        figure, (axis,) = drawing.frame(name, name)
        axis.plot([1, 2], [3, 4], label=name, gid=f"{look.NAMED}{name}")
        axis.plot([1, 2], [3, 4], label="other")
        drawing.name_rows(axis, [name], [name])
        return figure

    assert wording.clean(name) in {each.text for each in parsed(str(inline(drawn, "a", name)))}


def test_the_same_drawing_is_the_same_file(tmp_path):
    for folder in ("one", "two"):
        save(draw, tmp_path / folder / "figure", "svg", "pdf", "png")
    for ending in ("svg", "pdf", "png"):
        one, two = (tmp_path / folder / f"figure.{ending}" for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_many_names_stand_below():
    series = {"x": [1.0, 2.0], **{f"y{i}": [0.0, float(i)] for i in range(8)}}
    figure = drawing.lines(Finding("some", "pass", series=series), "x", "y")
    with look.style():
        drawing.finish(figure)
    assert len(figure.legends[0].get_texts()) == 8
    assert figure.axes[0].get_legend() is None


def test_a_heat_map_has_one_outline_for_every_shade():
    def drawn():
        figure, (axis,) = drawing.frame("", "")
        nan = float("nan")
        drawing.heat(axis, [[[0.0, 0.5, 0.5], [0.0, 0.0, nan]], [[0.5, 0.5, 0.5]]], [0.1, 0.9])
        drawing.name_rows(axis, ["one", "two"], ["a", "b"], links=["#p", "#q"])
        return figure

    picture = str(inline(drawn, "heat", "shades"))
    assert re.findall(r"fill:var\((--h\d)\)", picture) == ["--h0", "--h1", "--h2"]
    (cells,) = re.findall(r'd="([^"]+)"[^>]*fill:var\(--h1\)', picture)
    assert cells.count("z") == 2  # neighbours of one shade are one cell
    assert re.findall(r'<a href="(#\w)"', picture) == ["#p", "#q"]


def test_importing_does_not_load_matplotlib():
    code = "import sys, dfbench.charts.page, dfbench.charts.files as _; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"matplotlib", "seaborn", "torch"} & set(said.stdout.split())


def test_points_are_drawn_as_well_as_lines():
    def drawn():
        figure, (axis,) = drawing.frame("x", "y")
        axis.scatter([1, 2, 3], [3, 1, 2], color=look.COLOURS[1])
        return figure

    root = parsed(str(inline(drawn, "points", "points")))
    defined = {each.get("id") for each in root.iter() if each.get("id")}
    used = [each.get("href") for each in root.iter("use")]
    assert len(used) == 3
    assert {each[1:] for each in used} <= defined
