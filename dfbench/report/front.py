"""The front page of a folder of reports: what each asks, and what it found.

The README.md of the folder gives the words: its title, its first paragraph, its first picture, and
in its links the folders in their order, each with the question that it answers. Answers are the
headlines of the pages themselves; of a folder without a page, the first bold words of its README.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dfbench.errors import Unusable
from dfbench.report.page import fill

PAGE = "index.html"
README = "README.md"
_BAR = re.compile(r"<nav class=site .*?</nav>\n", re.DOTALL)
_PICTURES = {".png": "image/png", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Report:
    """A page.

    Attributes:
        path: below the folder of all.
        kind, answer: what it is, and its headline.
    """

    path: str
    kind: str
    answer: str


@dataclass(frozen=True)
class Room:
    """A folder of pages about one question."""

    name: str
    question: str
    answer: str
    pages: tuple[Report, ...]
    readme: bool

    @property
    def link(self) -> str:
        """Where its answer is."""
        return self.pages[0].path if self.pages else f"{self.name}/{README}"


@dataclass(frozen=True)
class Front:
    """What the front page says."""

    title: str
    lead: str
    picture: str
    alt: str
    rooms: tuple[Room, ...]


def front(directory: Path) -> Front:
    """What is in a folder.

    Raises:
        Unusable: it is none, or no folder of reports is in it.
    """
    if not directory.is_dir():
        raise Unusable(f"{directory}: no such directory")
    text = _read(directory / README)
    asked = {m[2]: _plain(m[1]) for m in re.finditer(r"\[([^\]]+)\]\((\w[\w-]*)/[^)]*\)", text)}
    folders = sorted(path.name for path in directory.iterdir() if path.is_dir())
    rooms = [
        room
        for name in sorted(folders, key=lambda name: (list(asked) + folders).index(name))
        if (room := _room(directory, name, asked.get(name, ""))) is not None
    ]
    if not rooms:
        raise Unusable(f"{directory}: no folder with a page of dfbench, or with a README, in it")
    title, lead = _opening(text)
    picture = re.search(r"!\[([^\]]*)\]\(([^)]+)\)", text)
    return Front(
        title or directory.resolve().name,
        lead,
        _embedded(directory / picture[2]) if picture else "",
        picture[1] if picture else "",
        tuple(rooms),
    )


def render(found: Front) -> str:
    """The front page, complete."""
    return fill("front.html", title=found.title, front=found)


def linked(directory: Path, found: Front) -> Iterator[tuple[Path, str]]:
    """Every page of the folder with a bar that leads to the front page, to its README and on."""
    for i, room in enumerate(found.rooms):
        after = found.rooms[(i + 1) % len(found.rooms)]
        links = [("../" + PAGE, "All reports")]
        links += [(README, "In words")] if room.readme else []
        links += [(Path(page.path).name, page.kind) for page in room.pages[1:]]
        links += [("../" + after.link, f"Next: {after.question}")] if after is not room else []
        anchors = " ".join(f'<a href="{h}">{html.escape(text)}</a>' for h, text in links)
        bar = f'<nav class=site aria-label="Other reports" style="border:0">{anchors}</nav>\n'
        for page in room.pages:
            path = directory / page.path
            old = _read(path)
            bare = _BAR.sub("", old)
            yield path, bare.replace("<header>\n", "<header>\n" + bar, 1)


def _room(directory: Path, name: str, question: str) -> Room | None:
    folder = directory / name
    files = sorted(folder.glob("*.html"), key=lambda file: (file.name != PAGE, file.name))
    pages = tuple(filter(None, (_report(directory, file) for file in files)))
    text = _read(folder / README)
    if not pages and not text:
        return None
    if not question:
        question = _opening(text)[0] or (pages[0].kind if pages else name)
    bold = re.search(r"\*\*(.+?)\*\*", text, re.DOTALL)
    answer = pages[0].answer if pages else _plain(bold[1]) if bold else _opening(text)[1]
    return Room(name, question, answer, pages, bool(text))


def _report(directory: Path, file: Path) -> Report | None:
    """A page of ours; None for another's."""
    text = _read(file)
    found = [
        re.search(rf"<{tag}\b[^>]*>(.*?)(?:</{end}>|\n<)", text, re.DOTALL)
        for tag, end in (("p class=kind", "p"), ("h1", "h1"))
    ]
    kind, answer = (_untagged(match[1]) if match else "" for match in found)
    return Report(file.relative_to(directory).as_posix(), kind, answer) if kind and answer else None


def _opening(text: str) -> tuple[str, str]:
    """The title of a README and its first paragraph."""
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    if not title:
        return "", ""
    paragraphs = [part.strip() for part in text[title.end() :].split("\n\n")]
    return _plain(title[1]), _plain(next((p for p in paragraphs if re.match(r"[\w`*]", p)), ""))


def _plain(markdown: str) -> str:
    """Its words."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return " ".join(re.sub(r"[*`]", "", words).split())


def _untagged(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).split())


def _embedded(picture: Path) -> str:
    kind = _PICTURES.get(picture.suffix)
    if kind is None or not picture.is_file():
        raise Unusable(f"{picture}: no such picture; .png and .svg can be shown")
    return f"data:{kind};base64,{base64.b64encode(picture.read_bytes()).decode()}"


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""
