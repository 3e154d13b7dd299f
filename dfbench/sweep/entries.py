"""The entries of a study: what each names, checked, with a label of its own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, ValidationInfo

from dfbench.errors import OffSchedule
from dfbench.reading import Open, Section, Several, Some, Text, Wrong, arguments, at, called, one_of
from dfbench.schedules import SCHEDULES, LinearVP
from dfbench.sweep import data, spacing
from dfbench.sweep.laws import FILES, TARGETS
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


class _Written(Section):
    """An entry as a study writes it; with `vary` it stands for several."""

    ONLY: ClassVar[tuple[str, ...]] = ()
    label: Text | None = None
    vary: dict[str, Several[Any]] = Field({})

    def entry(self, varied: dict[str, Any], base: Path) -> Entry:
        """The one with these options.

        Raises:
            Wrong: it does not exist.
        """
        raise NotImplementedError

    def entries(self, base: Path) -> list[Entry]:
        """All that it stands for."""
        combinations = itertools.product(*self.vary.values())
        only = {key: getattr(self, key) for key in self.ONLY if getattr(self, key)}
        made = (self.entry(dict(zip(self.vary, one, strict=True)), base) for one in combinations)
        return [replace(one, only=only) for one in made]

    def labelled(self, name: str, options: Mapping[str, Any], varied: Mapping[str, Any]) -> str:
        """The label that is given, or the name; with the options that tell it from its like."""
        shown = {k: v for k, v in options.items() if not self.label or k in varied}
        inner = ", ".join(f"{key}={_short(value)}" for key, value in shown.items())
        return f"{self.label or name} ({inner})" if inner else self.label or name


class WrittenTarget(_Written, Open):
    """Data: a kind of `TARGETS`, with its parameters."""

    ONLY = ("samplers", "schedules", "grids", "metrics")
    kind: str
    samplers: Some[str] = ()
    schedules: Some[str] = ()
    grids: Some[str] = ()
    metrics: Some[str] = ()

    def entry(self, varied: dict[str, Any], base: Path) -> Entry:
        with at("kind"):
            kind = one_of(self.kind, TARGETS, "kind of target")
        options, files = {**self.options, **varied}, {}
        key = FILES.get(kind, "")
        if isinstance(options.get(key), str) and options[key] != data.DIGITS:
            options[key] = str(_absolute(base, options[key]))
            with at(key):
                files[options[key]] = data.digest(options[key])
        called(TARGETS[kind], options)
        return Entry(self.labelled(kind, options, varied), kind, options, files)


class WrittenSchedule(_Written, Open):
    """A schedule of `SCHEDULES`, with its parameters."""

    name: str

    def entry(self, varied: dict[str, Any], base: Path) -> Entry:
        with at("name"):
            name = one_of(self.name, SCHEDULES, "schedule")
        options = {**self.options, **varied}
        called(SCHEDULES[name], options)
        return Entry(self.labelled(name, options, varied), name, options)


class WrittenGrid(_Written, Open):
    """A spacing of `spacing.GRIDS`, with its parameters and ends."""

    ONLY = ("schedules",)
    name: str
    schedules: Some[str] = ()

    def entry(self, varied: dict[str, Any], base: Path) -> Entry:
        with at("name"):
            name = one_of(self.name, spacing.GRIDS, "grid")
        options = {**self.options, **varied}
        arguments(spacing.make, spacing.GRIDS[name]).of(options)
        with at(), suppress(OffSchedule):  # which the schedule decides, when cells are made
            spacing.make(name, LinearVP(), 4, **options)
        return Entry(self.labelled(name, options, varied), name, options)


class WrittenSampler(_Written):
    """A reference method, with its options; or a third party's sampler, as it is resolved."""

    ONLY = ("schedules", "grids")
    name: Text
    schedules: Some[str] = ()
    grids: Some[str] = ()
    options: dict[str, Any] = Field({})
    config: dict[str, Any] = Field({})
    call: dict[str, Any] = Field({})

    def entry(self, varied: dict[str, Any], base: Path) -> Entry:
        name = self.name.removeprefix("dfbench:")
        own = {"options"} if ":" not in name else {"config", "call"}
        for key in {"options", "config", "call"} & self.model_fields_set - own:
            kind = "a reference method" if ":" not in name else "a third party's sampler"
            raise Wrong(f"no such key for {kind}; it takes {' and '.join(sorted(own))}", key)
        return (self._theirs if ":" in name else self._ours)(name, varied, base)

    def _ours(self, name: str, varied: dict[str, Any], base: Path) -> Entry:
        with at("name"):
            method = chains()[one_of(name, chains(), "sampler")]
        given = {**self.options, **varied}
        for key in given:
            with at("options", key):
                one_of(key, method.defaults, "option")
        options = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
        with at():
            method.traits_of(**options)
        return Entry(self.labelled(name, options, varied), name, options)

    def _theirs(self, name: str, varied: dict[str, Any], base: Path) -> Entry:
        from dfbench.sweep.third_party import subject

        library, _, inner = name.rpartition(":")
        files: dict[str, str] = {}
        if library.endswith(".py"):
            library = str(_absolute(base, library))
            with at("name"):
                files[library] = data.digest(library)
            name = f"{library}:{inner}"
        config, call = dict(self.config), dict(self.call)
        for key, value in varied.items():  # of the call if it is named there already
            (call if key in call else config)[key] = value
        with at():
            subject(name, config, call)
        label = self.labelled(inner, {**config, **call}, varied)
        return Entry(label, name, config, files, True, call)


def read(written: type[_Written], content: Any, info: ValidationInfo) -> tuple[Entry, ...]:
    """The entries of a list of a study; a name alone stands for an entry without options.

    Args:
        written: what the list consists of.
        info: of the study; its context says where relative paths start, `base`.

    Raises:
        Wrong: one of them is wrong, or two have one label.
    """
    found: list[Entry] = []
    for i, each in enumerate(content if isinstance(content, list | tuple) else [content]):
        word = "kind" if written is WrittenTarget else "name"
        with at(i):
            table = {word: each} if isinstance(each, str) else each
            found += written.of(table).entries((info.context or {})["base"])
    labels = [each.label for each in found]
    for label in labels:
        if labels.count(label) > 1:
            raise Wrong(f"two entries are called {label!r}: give them labels")
    return tuple(found)


def _short(value: Any) -> str:
    return Path(value).name if isinstance(value, str) else json.dumps(value, default=str)


def _absolute(base: Path, path: str) -> Path:
    return (base / Path(path).expanduser()).resolve()
