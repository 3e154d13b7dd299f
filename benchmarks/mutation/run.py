"""Fork, import the mutated package, ask the judges that execute the changed line."""

from __future__ import annotations

import contextlib
import csv
import gc
import importlib
import json
import os
import pickle
import random
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.mutation import judges
from benchmarks.mutation.operators import Mutant, mutants

LIMIT = 60.0  # seconds for one mutant, several times what all judges of a line take
CLAIMS = 25.0  # seconds (traced) of claims asked about one line, at first
PATIENCE = {"dfbench/samplers": 12.0, "": 4.0}  # the same of subjects


@dataclass(frozen=True)
class Result:
    """What became of a mutant.

    Attributes:
        verdict: killed, timeout, survived, or not reached.
        by: the judge that noticed and its claim.
        asked: judges asked.
    """

    key: str
    module: str
    function: str
    line: int
    operator: str
    before: str
    after: str
    verdict: str
    by: str
    asked: int
    seconds: float


FIELDS = tuple(Result.__dataclass_fields__)


@dataclass(frozen=True)
class Known:
    """A judge on the unchanged packages: what passes, how long it takes, lines it executes."""

    judge: str
    passed: tuple[str, ...]
    seconds: float
    lines: dict[str, set[int]]


def forked(tasks: Iterable[Callable[[], Any]], limit: float, workers: int) -> Iterator[Any]:
    """The results of functions, each run in a fork of this process, as (index, result).

    The result is "timeout" after `limit` seconds, and the exception where the fork broke.
    """
    waiting = enumerate(tasks)
    running: dict[int, tuple[int, int, float, bytearray]] = {}
    while True:
        while len(running) < workers and (item := next(waiting, None)) is not None:
            index, task = item
            read, write = os.pipe()
            if (pid := os.fork()) == 0:
                _child(task, write)
            os.close(write)
            running[read] = (index, pid, time.monotonic(), bytearray())
        if not running:
            return
        ready, _, _ = select.select(list(running), [], [], 0.5)
        for read, (index, pid, start, kept) in list(running.items()):
            over = time.monotonic() - start > limit
            chunk = os.read(read, 1 << 20) if read in ready else None
            if chunk:
                kept += chunk
            elif chunk == b"" or over:
                if over and chunk != b"":
                    os.kill(pid, signal.SIGKILL)
                os.close(read)
                os.waitpid(pid, 0)
                del running[read]
                if chunk == b"":
                    yield index, pickle.loads(kept) if kept else RuntimeError("it died")
                else:
                    yield index, "timeout"


def _child(task: Callable[[], Any], write: int) -> None:
    try:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
            try:
                made = task()
            except BaseException as error:  # whatever it is, it is told to the parent
                made = RuntimeError(f"{type(error).__name__}: {error}")
        with open(write, "wb") as pipe:
            pickle.dump(made, pipe)
    finally:
        os._exit(0)


def _import() -> None:
    """Everything that judges need."""
    names = ["dfbench.certification", "dfbench.claims.literature.run"]
    for name in names + ["dfbench.subjects.diffusers"] * ("diffusers" in sys.modules):
        importlib.import_module(name)


def sources(root: Path) -> list[str]:
    """The files under mutation."""
    return [
        str(p.relative_to(root)) for pattern in judges.FILES for p in sorted(root.glob(pattern))
    ]


def record(root: Path, workers: int) -> list[Known]:
    """Ask every judge about the unchanged packages, noting what it executes."""
    files = frozenset(sources(root))
    _, everyone = next(forked([judges.names], LIMIT, 1))
    if isinstance(everyone, Exception):
        raise everyone

    def task(judge: str) -> Callable[[], Any]:
        def run() -> tuple[judges.Judgement, dict[str, set[int]]]:
            _import()
            recorder = judges.Recorder(root, files)
            with recorder:
                said = judges.ask(judge)
            return said, recorder.lines

        return run

    found = []
    for index, made in forked([task(judge) for judge in everyone], 5 * LIMIT, workers):
        if isinstance(made, str | Exception):
            print(f"{everyone[index]}: {made}", file=sys.stderr)
            continue
        said, lines = made
        if said.passed:
            found.append(Known(said.judge, said.passed, said.seconds, lines))
        if said.bad and said.judge.startswith("claim"):
            print(f"{said.judge} does not pass unchanged: {said.bad}", file=sys.stderr)
    return sorted(found, key=lambda known: known.seconds)


def asked(mutant: Mutant, known: list[Known], every: bool = False) -> list[Known]:
    """The judges that execute what is changed, cheapest first: claims, then subjects."""
    found = []
    for one in known:
        lines = one.lines.get(mutant.module, set())
        if mutant.scope is None:
            hit = bool(lines)
        else:
            hit = any(mutant.scope[0] <= line <= mutant.scope[1] for line in lines)
        if hit:
            found.append(one)
    subjects = next(s for start, s in PATIENCE.items() if mutant.module.startswith(start))
    left = {"claim": CLAIMS, "certify": subjects}
    chosen = []
    for one in sorted(found, key=lambda one: one.seconds):
        kind = one.judge.partition(" ")[0]
        left[kind] -= one.seconds
        if left[kind] > 0 or every:
            chosen.append(one)
    return chosen


def judged(
    root: Path, mutant: Mutant, known: list[Known], patches: judges.Patches | None = None
) -> tuple[str, str, int]:
    """In a fork: (verdict, who noticed, judges asked)."""
    if patches is None or not patches.apply(mutant.module, mutant.source):
        for name in [n for n in sys.modules if n.partition(".")[0] in judges.PACKAGES]:
            del sys.modules[name]
        sys.meta_path.insert(0, judges.Finder(root, mutant.module, mutant.source))
        try:
            _import()
        except Exception as error:
            return "killed", f"import: {type(error).__name__}", 0
    judges.without_shrinking()
    for count, one in enumerate(known, 1):
        try:
            said = judges.ask(one.judge, one.passed)
        except Exception as error:
            return "killed", f"{one.judge}: {type(error).__name__}", count
        if said.bad:
            (claim, verdict), *_ = said.bad.items()
            name = one.judge if claim == one.judge else f"{one.judge} {claim}"
            return "killed", name + (" (inconclusive)" if verdict == "inconclusive" else ""), count
    return "survived", "", len(known)


def chosen(root: Path, patterns: list[str], every: int, seed: int) -> list[Mutant]:
    """Mutants of the files whose path has one of the patterns, every k-th, in random order."""
    found = []
    for module in sources(root):
        if patterns and not any(pattern in module for pattern in patterns):
            continue
        made = mutants((root / module).read_text(), module)
        rng = random.Random(f"{seed} {module}")
        rng.shuffle(made)
        found += made[:: max(1, every)]
    random.Random(seed).shuffle(found)
    return found


def load(path: Path) -> dict[str, Result]:
    """Results so far, by key."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["key"]: Result(**{**row, "line": int(row["line"]), "asked": int(row["asked"]),
                              "seconds": float(row["seconds"])})
        for row in rows
    }  # fmt: skip


def save(path: Path, results: Iterable[Result]) -> None:
    """All results, sorted by place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        for one in sorted(results, key=lambda r: (r.module, r.line, r.before, r.after)):
            writer.writerow(asdict(one))


def run(
    root: Path,
    out: Path,
    patterns: list[str],
    *,
    every: int = 1,
    seed: int = 0,
    budget: float = 60.0,
    workers: int = 2,
    again: bool = False,
    known: list[Known] | None = None,
    keep: Path | None = None,
    only: list[str] | None = None,
) -> dict[str, Result]:
    """Run mutants until done or `budget` minutes have passed; results are appended as they come.

    Args:
        patterns: parts of paths; all files without one.
        again: run those that survived or were not reached once more, with all subjects.
        known: of an earlier run, in place of recording which lines are executed.
        keep: file in which that is kept.
        only: with `again`, ask these judges and no others: claims that have changed.
    """
    stop = time.monotonic() + 60 * budget
    sys.path.insert(0, str(root))
    judges.preload()
    gc.freeze()
    if only:
        known = [Known(name, (name,), 0.0, {}) for name in only]
    elif known is None:
        known = record(root, workers)
        if keep:
            dump(known, keep)
    print(f"{len(known)} judges", file=sys.stderr)
    recorder = judges.Recorder(root, frozenset(sources(root)))
    with recorder:
        _import()
    patches = judges.Patches(root, recorder.lines)
    gc.freeze()
    done = load(out)
    unknown = ("survived", "not reached") if again else (None,)
    verdicts = {key: one.verdict for key, one in done.items()}
    todo = [m for m in chosen(root, patterns, every, seed) if verdicts.get(m.key) in unknown]
    print(f"{len(todo)} mutants to run, {len(done)} known", file=sys.stderr)
    out.parent.mkdir(parents=True, exist_ok=True)
    if not out.exists():
        save(out, [])

    def tasks() -> Iterator[Callable[[], Any]]:
        for mutant in todo:
            if time.monotonic() > stop:
                return
            who = known if only else asked(mutant, known, every=again)
            yield _task(root, mutant, who, patches)

    with out.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        for count, (index, made) in enumerate(forked(tasks(), LIMIT, workers), 1):
            mutant = todo[index]
            seconds = LIMIT
            if made == "timeout":
                verdict, by, who = "timeout", "", 0
            elif isinstance(made, Exception):
                verdict, by, who = "killed", str(made)[:60], 0
            else:
                verdict, by, who, seconds = made
            if verdict == "survived" and not who:
                verdict = "not reached"
            if only and verdict == "survived":
                continue  # what is known of it stays
            one = Result(
                mutant.key, mutant.module, mutant.function, mutant.first, mutant.operator,
                mutant.before, mutant.after, verdict, by, who, round(seconds, 2),
            )  # fmt: skip
            done[one.key] = one
            writer.writerow(asdict(one))
            file.flush()
            if count % 100 == 0:
                alive = sum(r.verdict in ("survived", "not reached") for r in done.values())
                print(f"{count} of {len(todo)}, {alive} alive", file=sys.stderr, flush=True)
    with contextlib.suppress(OSError):
        save(out, done.values())
    return done


def _task(
    root: Path, mutant: Mutant, who: list[Known], patches: judges.Patches
) -> Callable[[], tuple[str, str, int, float]]:
    def task() -> tuple[str, str, int, float]:
        start = time.monotonic()
        return *judged(root, mutant, who, patches), time.monotonic() - start

    return task


def dump(known: list[Known], path: Path) -> None:
    """Keep what judges execute, for another run."""
    rows = [{**asdict(one), "lines": {f: sorted(n) for f, n in one.lines.items()}} for one in known]
    path.write_text(json.dumps(rows))


def undump(path: Path) -> list[Known]:
    """Read it back."""
    return [
        Known(row["judge"], tuple(row["passed"]), row["seconds"],
              {f: set(n) for f, n in row["lines"].items()})
        for row in json.loads(path.read_text())
    ]  # fmt: skip
