"""From a study to cells: every combination that makes sense, and a key for what determines it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from dfbench.errors import Unusable
from dfbench.levels import Grid
from dfbench.schedules import SCHEDULES, Schedule
from dfbench.sweep import spacing
from dfbench.sweep.entries import Entry
from dfbench.sweep.samplers import Run, reference
from dfbench.sweep.study import NFE, Study

OWN = "own"  # the schedule and the grid of a third party

#: Parts of dfbench that cannot change a result.
APART = ("report", "claims", "cli.py", "certification.py", "self_test.py", "pytest_plugin.py",
         "testing.py", "files.py", "sweep/store.py", "sweep/run.py", "sweep/study.py",
         "sweep/entries.py", "sweep/reading.py", "sweep/compare.py", "sweep/published",
         "sweep/studies", "training/measure")  # fmt: skip


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
            made = _subject(
                self.sampler.name, _text(self.sampler.options), _text(self.sampler.call)
            )
            return third_party.run(made, self.steps, given, self.sampler.label)
        assert self.schedule is not None
        assert self.grid is not None
        levels = _grid(self.schedule.name, _text(self.schedule.options), self.grid.name,
                       _text(self.grid.options), self.steps)  # fmt: skip
        return reference(
            self.sampler.name, levels, self.sampler.options, self.prediction, self.sampler.label
        )


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
    """The cells of a study, and the combinations that make no sense, with the reason."""

    cells: tuple[Cell, ...]
    excluded: tuple[tuple[str, str], ...]

    def reasons(self) -> dict[str, int]:
        """How many combinations were left out, by reason."""
        return dict(Counter(reason for _, reason in self.excluded))


def plan(study: Study, progress: Callable[[str, int, int], None] | None = None) -> Plan:
    """All cells of a study, those of one run together, in an order that depends on keys alone.

    Raises:
        Unusable: no combination is left.
    """
    ways: dict[str, Way] = {}
    budgets: dict[str, list[str]] = {}
    excluded = []
    for way, kind, number in _combinations(study):
        budget = f"{number} {kind}"
        if progress:
            progress("planning", 0, 0)
        try:
            chosen = _within(way, number) if kind == NFE else _with(way, number)
        except ValueError as error:
            place = [e.label for e in (way.sampler, way.schedule, way.grid) if e]
            excluded.append((", ".join([*place, way.prediction, budget]), _line(error)))
            continue
        name = _hash(chosen.identity())
        ways[name] = chosen
        budgets.setdefault(name, []).append(budget)
    cells = [
        Cell(_key(study, target, way, seed), target, way, budget, seed, study.samples,
             study.metrics)
        for name, way in sorted(ways.items())
        for budget in budgets[name]
        for target in study.targets
        for seed in study.seeds
    ]  # fmt: skip
    if not cells:
        reason = Counter(reason for _, reason in excluded).most_common(1)[0][0]
        raise Unusable(
            f"no combination of the study makes sense; the most frequent reason: {reason}"
        )
    return Plan(tuple(cells), tuple(excluded))


def _combinations(study: Study) -> Iterator[tuple[Way, str, int]]:
    for sampler in study.samplers:
        schedules: Any = [None] if sampler.third_party else [
            s for s in study.schedules if s.label in sampler.schedules or not sampler.schedules
        ]  # fmt: skip
        grids: Any = [None] if sampler.third_party else [
            g for g in study.grids if g.label in sampler.grids or not sampler.grids
        ]  # fmt: skip
        predictions = [OWN] if sampler.third_party else study.predictions
        for schedule in schedules:
            for grid in grids:
                for prediction in predictions:
                    for kind, number in study.budgets:
                        yield Way(sampler, schedule, grid, prediction, number), kind, number


def _with(way: Way, steps: int) -> Way:
    """The way with this many steps, tried."""
    chosen = Way(way.sampler, way.schedule, way.grid, way.prediction, steps)
    chosen.run()
    return chosen


def _within(way: Way, nfe: int) -> Way:
    """The way with the most steps that spend at most `nfe` evaluations, counted.

    Raises:
        ValueError: one step spends more.
    """
    spent: dict[int, int] = {}

    def cost(steps: int) -> int:
        if steps not in spent:
            spent[steps] = _with(way, steps).run().nfe
        return spent[steps]

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
    return _with(way, steps)


def _key(study: Study, target: Entry, way: Way, seed: int) -> str:
    return _hash({
        "target": target.identity(), **way.identity(), "seed": seed, "samples": study.samples,
        "metrics": study.metrics, "code": code(), "library": _library(way.sampler),
    })  # fmt: skip


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
    return str(_subject(sampler.name, _text(sampler.options), _text(sampler.call)).version)


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


@lru_cache(maxsize=64)
def _schedule(name: str, options: str) -> Schedule:
    return SCHEDULES[name](**json.loads(options))


@lru_cache(maxsize=256)
def _grid(schedule: str, schedule_options: str, grid: str, options: str, n: int) -> Grid:
    return spacing.make(grid, _schedule(schedule, schedule_options), n, **json.loads(options))


@lru_cache(maxsize=64)
def _subject(name: str, config: str, call: str) -> Any:
    from dfbench.sweep.third_party import subject

    return subject(name, json.loads(config), json.loads(call))
