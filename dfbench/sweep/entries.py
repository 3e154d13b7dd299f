"""The entries of a study: what each names, checked, with a label of its own."""

from __future__ import annotations

import inspect
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dfbench.errors import Unusable
from dfbench.schedules import SCHEDULES, LinearVP
from dfbench.sweep import data, spacing
from dfbench.sweep.laws import FILES, TARGETS
from dfbench.sweep.reading import Section, called, hint, one_of, refuse
from dfbench.sweep.samplers import chains


@dataclass(frozen=True)
class Entry:
    """A target, sampler, schedule or grid: what it is, with which parameters.

    Attributes:
        label: its name in the results.
        name: its kind or name; of a user's sampler FILE.py:NAME.
        options: its parameters; of a third party's sampler those of the constructor.
        files: path → SHA-256 of the contents that it reads.
        third_party, call: of a sampler: arguments of the sampling call.
        only: key of a list of the study → labels that it is combined with; all if there are none.
    """

    label: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    third_party: bool = False
    call: dict[str, Any] = field(default_factory=dict)
    only: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def wants(self, key: str, other: Entry | None) -> bool:
        """Whether it is combined with another entry; a third party's own levels are always."""
        return other is None or not self.only.get(key) or other.label in self.only[key]

    def identity(self) -> dict[str, Any]:
        """What it is, wherever its files lie."""
        path, _, name = self.name.rpartition(":")
        own = f"{self.files[path]}:{name}" if path in self.files else self.name
        options = {
            key: self.files.get(value, value) if isinstance(value, str) else value
            for key, value in self.options.items()
        }
        return {"name": own, "options": options} | ({"call": self.call} if self.call else {})

    @property
    def shown(self) -> str:
        """Its name without directories."""
        path, colon, name = self.name.rpartition(":")
        return f"{Path(path).name}{colon}{name}" if path in self.files else self.name


ONLY = {
    "targets": ("samplers", "schedules", "grids", "metrics"),
    "samplers": ("schedules", "grids"),
    "schedules": (),
    "grids": ("schedules",),
}


def read(top: Section, key: str, base: Path, optional: bool = False) -> tuple[Entry, ...]:
    """The entries of a list of the study.

    Args:
        base: where relative paths start.
        optional: there may be none.

    Raises:
        Unusable: one of them is wrong, or two have one label.
    """
    make = {"targets": _target, "samplers": _sampler, "schedules": _schedule, "grids": _grid}[key]
    word = "kind" if key == "targets" else "name"
    found: list[Entry] = []
    for i, content in enumerate(top.several(key, ()) if not optional else top.any(key)):
        path = f"{key}[{i}]"
        section = Section(path, {word: content} if isinstance(content, str) else content)
        axes = Section(f"{path}.vary", section.take("vary", {}))
        names = axes.keys()
        only = {each: tuple(map(str, section.any(each))) for each in ONLY[key]}
        for values in itertools.product(*(axes.several(name) for name in names)):
            entry = make(path, section.copy(), dict(zip(names, values, strict=True)), base)
            found.append(replace(entry, only={k: v for k, v in only.items() if v}))
    for label in (each.label for each in found):
        if sum(each.label == label for each in found) > 1:
            refuse(key, f"two entries are called {label!r}: give them labels")
    return tuple(found)


def _labelled(section: Section, name: str, options: Mapping[str, Any], varied: Any) -> str:
    """The label that is given, or the name; with the options that tell it from its like."""
    label = section.text("label", "")
    shown = {k: v for k, v in options.items() if not label or k in varied}
    inner = ", ".join(f"{key}={_short(value)}" for key, value in shown.items())
    return f"{label or name} ({inner})" if inner else label or name


def _short(value: Any) -> str:
    return Path(value).name if isinstance(value, str) else json.dumps(value, default=str)


def _target(path: str, section: Section, varied: dict[str, Any], base: Path) -> Entry:
    kind = one_of(f"{path}.kind", section.take("kind"), TARGETS, "kind of target")
    label = section.copy()
    section.text("label", "")
    options, files = {**section.rest(), **varied}, {}
    key = FILES.get(kind, "")
    if isinstance(options.get(key), str) and options[key] != data.DIGITS:
        options[key] = str(_absolute(base, options[key]))
        files[options[key]] = _told(f"{path}.{key}", lambda: data.digest(options[key]))
    _told(path, lambda: called(path, TARGETS[kind], options))
    return Entry(_labelled(label, kind, options, varied), kind, options, files)


def _schedule(path: str, section: Section, varied: dict[str, Any], base: Path) -> Entry:
    name = one_of(f"{path}.name", section.take("name"), SCHEDULES, "schedule")
    label = section.copy()
    section.text("label", "")
    options = {**section.rest(), **varied}
    called(path, SCHEDULES[name], options)
    return Entry(_labelled(label, name, options, varied), name, options)


def _grid(path: str, section: Section, varied: dict[str, Any], base: Path) -> Entry:
    name = one_of(f"{path}.name", section.take("name"), spacing.GRIDS, "grid")
    label = section.copy()
    section.text("label", "")
    options = {**section.rest(), **varied}
    own = {
        key
        for function in (spacing.make, spacing.GRIDS[name])
        for key, p in inspect.signature(function).parameters.items()
        if p.kind is p.KEYWORD_ONLY
    }
    for key in options:
        if key not in own:
            refuse(f"{path}.{key}", f"no such key; {hint(key, sorted(own))}")
    try:  # what depends on the schedule, its range say, shows when cells are made
        spacing.make(name, LinearVP(), 4, **options)
    except (ValueError, TypeError) as error:
        if "log-SNR must be in" not in str(error):
            refuse(path, str(error))
    return Entry(_labelled(label, name, options, varied), name, options)


def _sampler(path: str, section: Section, varied: dict[str, Any], base: Path) -> Entry:
    name = section.text("name").removeprefix("dfbench:")
    if ":" in name:
        return _third_party(path, name, section, varied, base)
    method = chains()[one_of(f"{path}.name", name, chains(), "sampler")]
    given = Section(f"{path}.options", {**section.take("options", {}), **varied}).rest()
    for key in given:
        if key not in method.defaults:
            refuse(f"{path}.options.{key}", f"no such option; {hint(key, method.defaults)}")
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    _told(path, lambda: method.traits_of(**options))
    label = _labelled(section, name, options, varied)
    section.close()
    return Entry(label, name, options)


def _third_party(
    path: str, name: str, section: Section, varied: dict[str, Any], base: Path
) -> Entry:
    from dfbench.sweep.third_party import subject

    library, _, inner = name.rpartition(":")
    files: dict[str, str] = {}
    if library.endswith(".py"):
        library = str(_absolute(base, library))
        files[library] = _told(f"{path}.name", lambda: data.digest(library))
        name = f"{library}:{inner}"
    config = Section(f"{path}.config", section.take("config", {})).rest()
    call = Section(f"{path}.call", section.take("call", {})).rest()
    for key, value in varied.items():  # of the call if it is named there already
        (call if key in call else config)[key] = value
    label = _labelled(section, inner, {**config, **call}, varied)
    section.close()
    _told(path, lambda: subject(name, config, call))
    return Entry(label, name, config, files, True, call)


def _told(path: str, do: Callable[[], Any]) -> Any:
    """What `do` gives; its complaint with the path in front."""
    try:
        return do()
    except (Unusable, ValueError, TypeError) as error:
        refuse("" if str(error).startswith(path) else path, str(error))


def _absolute(base: Path, path: str) -> Path:
    return (base / Path(path).expanduser()).resolve()
