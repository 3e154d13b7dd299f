"""What a person made of the findings: notes, and the findings that each is about.

A note is an object with the strings `title`, `verdict` ("defect" or "design", say) and `text`. It
may have `id`, `classes` and `claims` (lists of names, or one: the findings it is about), `options`
(the configurations concerned), `size` (of the effect), `upstream` (where it is reported) and
`workaround`. Defects come first, otherwise the order is the author's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfbench import wording
from dfbench.report.groups import Group, Issue, Row

KNOWN = (
    "id",
    "title",
    "verdict",
    "text",
    "classes",
    "claims",
    "options",
    "size",
    "upstream",
    "workaround",
)


@dataclass(frozen=True)
class Note:
    """A note on the page: its number, its place and the issues it is about."""

    number: int
    content: Mapping[str, Any]
    issues: list[Issue]

    @property
    def anchor(self) -> str:
        return f"n{self.number}"

    @property
    def title(self) -> str:
        return str(self.content.get("title") or self.content.get("id") or f"Note {self.number}")

    @property
    def verdict(self) -> str:
        return str(self.content.get("verdict") or "")

    @property
    def paragraphs(self) -> list[str]:
        return str(self.content.get("text") or "").split("\n\n")

    @property
    def facts(self) -> dict[str, str]:
        """What else is known, by name; keys of any other make last."""
        keys = [key for key in ("options", "size", "workaround", "upstream") if key in self.content]
        keys += [key for key in self.content if key not in KNOWN]
        known = {str(key): _text(self.content[key]) for key in keys}
        return {key: text for key, text in known.items() if text}

    @property
    def affected(self) -> list[tuple[Group, list[Issue]]]:
        """The issues by class, the class with the most configurations first."""
        found: dict[str, tuple[Group, list[Issue]]] = {}
        for issue in self.issues:
            found.setdefault(issue.group.id, (issue.group, []))[1].append(issue)
        return sorted(found.values(), key=lambda each: -max(issue.parts for issue in each[1]))


@dataclass(frozen=True)
class Notes:
    """All notes, and which is about what."""

    ranked: list[Note]

    def __bool__(self) -> bool:
        return bool(self.ranked)

    def about(self, group: Group, row: Row) -> Note | None:
        """The first note about a finding that is no pass."""
        if row.status in ("pass", "skip"):
            return None
        return next(
            (note for note in self.ranked if _concerns(note.content, group, row.claim)), None
        )


def rank(notes: Sequence[Mapping[str, Any]], classes: Sequence[Group]) -> Notes:
    """The notes in the order of their importance, each with what it is about."""
    ranked = sorted(notes, key=lambda note: str(note.get("verdict", "")).lower() == "design")
    return Notes(
        [
            Note(
                number,
                content,
                [
                    issue
                    for group in classes
                    for issue in group.issues("fail", "inconclusive", "expected")
                    if any(_concerns(content, group, claim) for claim in issue.claims)
                ],
            )
            for number, content in enumerate(ranked, start=1)
        ]
    )


def _concerns(note: Mapping[str, Any], group: Group, claim: str) -> bool:
    """Whether a note is about this claim on this class; one that names neither is about none."""
    classes, claims = _names(note.get("classes")), _names(note.get("claims"))
    if not classes and not claims:
        return False
    bare = [name.rpartition(":")[2] for name in classes]
    return (not classes or group.name in bare or group.name in classes) and (
        not claims or claim in claims
    )


def _names(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return wording.settings(value)
    if isinstance(value, list | tuple):
        return "; ".join(_text(each) for each in value)
    return "" if value is None else str(value)
