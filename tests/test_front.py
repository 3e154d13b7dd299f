"""The front page of a folder of reports, and the bar that leads to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dfbench.cli import main
from dfbench.errors import Unusable
from dfbench.report import html
from dfbench.report.front import PAGE, front, linked, render
from tests import fake_certificate as fake

HERE = Path(__file__).parents[1] / "reports"
PNG = b"\x89PNG"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, verdict in (("first", "pass"), ("second", "fail")):
        (tmp_path / name).mkdir()
        page = html.render(fake.small(verdict), title=f"A <{name}>")
        (tmp_path / name / PAGE).write_text(page, "utf-8")
    (tmp_path / "second" / "README.md").write_text("# Two & more\n\nSome `words`.\n", "utf-8")
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "README.md").write_text("# Three\n\nWords.\n\n**It is 3.**\n", "utf-8")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "index.html").write_text("<html><h1>not ours</h1></html>", "utf-8")
    return tmp_path


def test_without_a_readme_the_folders_speak_for_themselves(folder: Path) -> None:
    found = front(folder)
    assert found.title == folder.name
    assert [room.name for room in found.rooms] == ["first", "second", "third"]
    assert [room.question for room in found.rooms] == ["A <first>", "Two & more", "Three"]
    assert [room.answer for room in found.rooms][1:] == ["✗ DDIMScheduler fails", "It is 3."]
    assert [room.link for room in found.rooms][2] == "third/README.md"


def test_the_readme_gives_title_order_questions_and_picture(folder: Path) -> None:
    (folder / "p.png").write_bytes(PNG)
    (folder / "README.md").write_text(
        "# All\n\nWhat *it* says.\n\n![seen](p.png)\n\n- [Is it *so*?](third/README.md)\n"
        "- [Or so?](first/index.html)\n",
        "utf-8",
    )
    found = front(folder)
    assert (found.title, found.lead, found.alt) == ("All", "What it says.", "seen")
    assert found.picture == "data:image/png;base64,iVBORw=="
    assert [(room.name, room.question) for room in found.rooms] == [
        ("third", "Is it so?"),
        ("first", "Or so?"),
        ("second", "Two & more"),
    ]


def test_every_page_leads_to_it_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", str(folder)]) == 0
    assert "3 folders, 2 pages" in capsys.readouterr().out
    once = {path: path.read_text("utf-8") for path in folder.rglob("*.html")}
    page = once[folder / "second" / PAGE]
    assert page.count('href="../index.html"') == 1
    assert page.count('href="README.md"') == 1
    assert 'href="../third/README.md">Next: Three</a>' in page
    assert "A &lt;first&gt;" in once[folder / PAGE]
    assert "class=site" not in once[folder / "others" / PAGE]
    assert main(["index", str(folder)]) == 0
    assert once == {path: path.read_text("utf-8") for path in folder.rglob("*.html")}


@pytest.mark.parametrize("made", [[], ["empty"]])
def test_no_reports_are_refused(
    tmp_path: Path, made: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in made:
        (tmp_path / name).mkdir()
    with pytest.raises(Unusable, match="no folder"):
        front(tmp_path)
    assert main(["index", str(tmp_path)]) == 2
    assert main(["index", str(tmp_path / "nowhere")]) == 2
    assert "no such directory" in capsys.readouterr().err
    assert not (tmp_path / PAGE).exists()


def test_a_picture_that_is_missing_is_named(folder: Path) -> None:
    (folder / "README.md").write_text("# All\n\n![seen](gone.png)\n", "utf-8")
    with pytest.raises(Unusable, match=r"gone\.png"):
        front(folder)


def test_the_committed_pages_are_what_the_command_makes() -> None:
    """After a page is made anew, `dfbench index reports` has to run."""
    found = front(HERE)
    assert (HERE / PAGE).read_text("utf-8") == render(found)
    for path, text in linked(HERE, found):
        assert path.read_text("utf-8") == text, path
    folders = {path.name for path in HERE.iterdir() if path.is_dir() and path.name != "figures"}
    assert {room.name for room in found.rooms} == folders
