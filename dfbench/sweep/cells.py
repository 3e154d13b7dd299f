"""From a study to cells: every combination that makes sense, and a key for what determines it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from dfbench.errors import Unusable
from dfbench.levels import Grid
from dfbench.progress import Progress, quiet
from dfbench.schedules import SCHEDULES, Schedule
from dfbench.sweep import spacing
from dfbench.sweep.entries import Entry
from dfbench.sweep.kept import Kept
from dfbench.sweep.samplers import Run, reference
from dfbench.sweep.study import NFE, Study

OWN = "own"  # the schedule and the grid of a third party

#: Of this process: what many cells are made of, and the evaluations that budgets ask for.
_schedules: Kept[Schedule] = Kept(64)
_grids: Kept[Grid] = Kept(256)
_subjects: Kept[Any] = Kept(64)
_counts: Kept[int | ValueError] = Kept(100_000)

#: Parts of dfbench that cannot change a result.
APART = (
    "report",
    "literature",
    "checks",
    "cli.py",
    "certification.py",
    "self_test.py",
    "pytest_plugin.py",
    "testing.py",
    "files.py",
    "progress.py",
    "wording.py",
    "sweep/store.py",
    "sweep/run.py",
    "sweep/study.py",
    "sweep/entries.py",
    "reading.py",
    "sweep/compare.py",
    "published",
    "sweep/published",
    "sweep/studies",
    "training/measure",
)


@dataclass(frozen=True)
class Way:
    """A sampler on levels: what a run is made of.

    Attributes:
        schedule, grid: None for a third party, which has its own.
        steps: to be taken.
    """

    sampler: Entry
    schedule: Entry | None
    grid: Entry | None
    prediction: str
    steps: int

    def identity(self) -> dict[str, Any]:
        """What determines the run."""
        return {
            "sampler": self.sampler.identity(),
            "schedule": self.schedule and self.schedule.identity(),
            "grid": self.grid and self.grid.identity(),
            "prediction": self.prediction,
            "steps": self.steps,
        }

    def run(self) -> Run:
        """The run itself.

        Raises:
            ValueError: it does not exist; the message says why.
        """
        if self.sampler.third_party:
            from dfbench.sweep import third_party

            given = None if self.prediction == OWN else self.prediction
            return third_party.run(_subject(self.sampler), self.steps, given, self.sampler.label)
        assert self.schedule is not None
        assert self.grid is not None
        levels, one = _grid(self.schedule, self.grid, self.steps), self.sampler
        return reference(one.name, levels, one.options, self.prediction, one.label)


@dataclass(frozen=True)
class Cell:
    """One target, one run, one seed: the piece that is computed, kept and found again.

    Attributes:
        key: SHA-256 of everything that determines the result.
        budget: what the study asked for, "20 steps" or "20 nfe".
        samples, metrics: of the study.
    """

    key: str
    target: Entry
    way: Way
    budget: str
    seed: int
    samples: int
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The cells of a study, and the combinations that make no sense, with the reason.

    Attributes:
        broken: key → reason, of cells whose sampler ended the process that tried it.
    """

    cells: tuple[Cell, ...]
    excluded: tuple[tuple[str, str], ...]
    broken: dict[str, str]

    def reasons(self) -> dict[str, int]:
        """How many combinations were left out, by reason."""
        return dict(Counter(reason for _, reason in self.excluded))


def plan(
    study: Study,
    spread: Callable[..., Iterator[Tried]] = lambda function, items, died: map(function, items),
    progress: Progress = quiet,
) -> Plan:
    """All cells of a study, those of one run together, in an order that depends on keys alone.

    Args:
        spread: as `dfbench.sweep.workers.spread`, for the samplers of third parties, whose code
            may do anything; in this process by default.
        progress: called as (what, 0, 0).

    Raises:
        Unusable: no combination is left.
    """
    tried: list[Tried] = []
    asked = list(_combinations(study))
    theirs = [one for one in asked if one.way.sampler.third_party]
    ours = [one for one in asked if not one.way.sampler.third_party]
    for found in (map(_try, ours), spread(_try, theirs, _gone)):
        for one in found:
            tried.append(one)
            progress("planning", 0, 0)
    excluded = sorted((one.place, one.why) for one in tried if one.why and not one.died)
    runs = sorted(
        (_hash(one.way.identity()), one.budget, one) for one in tried if not one.why or one.died
    )
    cells, broken = [], {}
    for _, _, one in runs:
        for target in (each for each in study.targets if _wants(each, one.way)):
            metrics = target.only.get("metrics") or study.metrics
            for seed in study.seeds:
                key = _key(study, target, one.way, seed, metrics)
                cells.append(Cell(key, target, one.way, one.budget, seed, study.samples, metrics))
                if one.died:
                    broken[key] = one.why
    if not cells:
        reasons = Counter(reason for _, reason in excluded) or {"the labels exclude all": 1}
        reason = max(sorted(reasons), key=lambda each: reasons[each])
        raise Unusable(
            f"no combination of the study makes sense; the most frequent reason: {reason}"
        )
    return Plan(tuple(cells), tuple(excluded), broken)


@dataclass(frozen=True, order=True)
class Tried:
    """A sampler on levels at a budget, and what became of the attempt to make its run.

    Attributes:
        why: it makes no sense, or it ended the process (`died`).
    """

    kind: str
    number: int
    way: Way = field(compare=False)
    why: str = ""
    died: bool = False

    @property
    def budget(self) -> str:
        return f"{self.number} {self.kind}"

    @property
    def place(self) -> str:
        """Which combination it is."""
        parts = (self.way.sampler, self.way.schedule, self.way.grid)
        return ", ".join([*(e.label for e in parts if e), self.way.prediction, self.budget])


def _try(one: Tried) -> Tried:
    try:
        if one.kind == NFE:
            return replace(one, way=_within(one.way, one.number))
        _spent(one.way)
    except (Unusable, ValueError) as error:
        return replace(one, why=_line(error))
    except Exception as error:
        return replace(one, why=f"{type(error).__name__}: {_line(error)}")
    return one


def _gone(one: Tried, why: str) -> Tried:
    return replace(one, why=why, died=True)


def _combinations(study: Study) -> Iterator[Tried]:
    for sampler in study.samplers:
        own = sampler.third_party
        for schedule in [None] if own else study.schedules:
            for grid in [None] if own else study.grids:
                wanted = sampler.wants("schedules", schedule) and sampler.wants("grids", grid)
                if not wanted or (grid and not grid.wants("schedules", schedule)):
                    continue
                for prediction in [OWN] if own else study.predictions:
                    for kind, number in study.budgets.pairs:
                        way = Way(sampler, schedule, grid, prediction, number)
                        yield Tried(kind, number, way)


def _wants(target: Entry, way: Way) -> bool:
    parts = {"samplers": way.sampler, "schedules": way.schedule, "grids": way.grid}
    return all(target.wants(key, entry) for key, entry in parts.items())


def _within(way: Way, nfe: int) -> Way:
    """The way with the most steps that spend at most `nfe` evaluations, counted.

    Raises:
        ValueError: one step spends more.
    """

    def cost(steps: int) -> int:
        return _spent(replace(way, steps=steps))

    steps = 1
    if cost(1) > nfe:
        raise ValueError(f"one step spends {cost(1)} evaluations, more than the budget")
    high = nfe + 1  # the fewest steps known, or taken, to be too many
    while high - steps > 1:
        guess = min(max(nfe * steps // cost(steps), steps + 1), high - 1)
        try:
            fits = cost(guess) <= nfe
        except ValueError:  # more steps than the sampler has training times, for instance
            fits = False
        if fits:
            steps = guess
        else:
            high = guess
    return replace(way, steps=steps)


def _spent(way: Way) -> int:
    """Evaluations that a run spends.

    Raises:
        ValueError: it does not exist.
    """

    def count() -> int | ValueError:
        try:
            return way.run().nfe
        except ValueError as error:
            return error

    found = _counts.of(_text(way.identity()), count)
    if isinstance(found, ValueError):
        raise found
    return found


def _key(study: Study, target: Entry, way: Way, seed: int, metrics: tuple[str, ...]) -> str:
    return _hash(
        {
            "target": target.identity(),
            **way.identity(),
            "seed": seed,
            "samples": study.samples,
            "metrics": sorted(metrics),
            "code": code(),
            "library": _library(way.sampler),
        }
    )


def _hash(content: Any) -> str:
    return hashlib.sha256(_text(content).encode()).hexdigest()


def _text(content: Any) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _library(sampler: Entry) -> str:
    """The version of the library that a third party's sampler comes from."""
    if not sampler.third_party:
        return ""
    return str(_subject(sampler).version)


@lru_cache(maxsize=1)
def code() -> str:
    """SHA-256 of the sources that can change a result: of dfbench, and of the oracle."""
    total = hashlib.sha256()
    for package in ("analytic", "dfbench"):
        root = Path(str(resources.files(package)))
        for file in sorted(root.rglob("*.py")):
            name = file.relative_to(root).as_posix()
            if not (package == "dfbench" and name.startswith(APART)):
                total.update(f"{package}/{name}".encode() + file.read_bytes())
    return total.hexdigest()


def _schedule(entry: Entry) -> Schedule:
    return _schedules.of(repr(entry), lambda: SCHEDULES[entry.name](**entry.options))


def _grid(schedule: Entry, grid: Entry, n: int) -> Grid:
    def make() -> Grid:
        return spacing.make(grid.name, _schedule(schedule), n, **grid.options)

    return _grids.of(repr((schedule, grid, n)), make)


def _subject(entry: Entry) -> Any:
    from dfbench.sweep.third_party import subject

    return _subjects.of(repr(entry), lambda: subject(entry.name, entry.options, entry.call))
