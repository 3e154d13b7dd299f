"""Fork, put the mutated function in place, ask the judges that execute the changed line."""

from __future__ import annotations

import contextlib
import csv
import gc
import importlib
import json
import os
import pickle
import random
import resource
import select
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.mutation import judges, suite
from benchmarks.mutation.operators import Mutant, mutants

LIMIT = 30.0  # seconds of a processor for one mutant, besides what its judges take unchanged
MEMORY = 8 << 30  # bytes
FIRST = 0.5  # seconds for a mutant before those that nobody has noticed so far are taken up again
ALIKE = 10  # tests of one function that notice nothing halve the chance that the next one does
STALLED = 20  # times the limit on the clock: the machine may be busy with something else
CLAIMS = 40.0  # seconds (traced) of claims asked about one line, at first
TESTS = 40.0  # the same of tests
PATIENCE = {"dfbench/samplers": 12.0, "": 4.0}  # and of subjects
WARMING = (
    "claim 1",
    "claim 22",
    "claim 36",
    "claim 45",
    "certify dfbench:sa_solver {}",
    "certify dfbench:edm {}",
)


@dataclass(frozen=True)
class Result:
    """What became of a mutant.

    Attributes:
        verdict: killed, timeout, survived, not reached, or undecided: not all judges were asked.
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


Lines = dict[str, set[int]]  # of functions, by file
FIELDS = tuple(Result.__dataclass_fields__)


@dataclass(frozen=True)
class Known:
    """A judge on the unchanged packages: what passes, seconds while traced, lines it executes."""

    judge: str
    passed: tuple[str, ...]
    seconds: float
    lines: Lines


def forked(tasks: Iterable[Callable[[], Any]], limit: float, workers: int) -> Iterator[Any]:
    """The results of functions, each run in a fork of this process, as (index, result).

    The result is "timeout" after `limit` seconds of a processor (or where the clock shows many
    times that), and the exception where the fork broke. A task may have a `limit` of its own.
    """
    waiting = enumerate(tasks)
    running: dict[int, tuple[int, int, float, bytearray]] = {}
    while True:
        while len(running) < workers and (item := next(waiting, None)) is not None:
            index, task = item
            most = getattr(task, "limit", limit)
            read, write = os.pipe()
            if (pid := os.fork()) == 0:
                _child(task, write, most)
            os.close(write)
            running[read] = (index, pid, time.monotonic() + STALLED * most, bytearray())
        if not running:
            return
        ready, _, _ = select.select(list(running), [], [], 0.5)
        for read, (index, pid, end, kept) in list(running.items()):
            over = time.monotonic() > end
            chunk = os.read(read, 1 << 20) if read in ready else None
            if chunk:
                kept += chunk
            elif chunk == b"" or over:
                if over and chunk != b"":
                    os.kill(pid, signal.SIGKILL)
                os.close(read)
                _, status = os.waitpid(pid, 0)
                del running[read]
                slow = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU
                if chunk == b"" and not slow:
                    yield index, pickle.loads(kept) if kept else RuntimeError("it died")
                else:
                    yield index, "timeout"


def _child(task: Callable[[], Any], write: int, limit: float) -> None:
    try:
        seconds = int(limit) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
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
    names = ["dfbench.checks", "dfbench.subjects.reference"]
    for name in names + ["dfbench.subjects.diffusers"] * ("diffusers" in sys.modules):
        importlib.import_module(name)
    importlib.import_module("dfbench.literature.run").named()


def sources(root: Path) -> list[str]:
    """The files under mutation."""
    return [
        str(p.relative_to(root)) for pattern in judges.FILES for p in sorted(root.glob(pattern))
    ]


def warm() -> None:
    """Let the third-party packages do what they do once, which is most of a claim's first run.

    The packages under mutation are then imported anew: nothing that they keep outlives this.
    """
    _import()
    for judge in WARMING:
        judges.ask(judge)
    judges.forget()


def together(*lines: Lines) -> Lines:
    """All lines, by file."""
    files = {file for each in lines for file in each}
    return {file: set().union(*(each.get(file, ()) for each in lines)) for file in files}


def collect(root: Path) -> dict[str, Lines]:
    """Import all files with tests; the lines under mutation that each executes when imported."""
    found, files = {}, frozenset(sources(root))
    for file in suite.files():
        recorder = judges.Recorder(root, files)
        with recorder:
            suite.tests(file)
        found[file] = recorder.lines
    return found


def wanted(judge: str, only: list[str] | None) -> bool:
    """Whether a judge is among these: claims and subjects by name, tests by how they begin."""
    return not only or any(
        judge == each or (each.startswith("test ") and judge.startswith(each)) for each in only
    )


def record(
    root: Path,
    workers: int,
    imported: Lines,
    collected: dict[str, Lines],
    only: list[str] | None = None,
) -> list[Known]:
    """Ask every judge, or only these, about the unchanged packages, noting what it executes.

    Tests of one group are asked in one fork: each counts as executing what any of them does.

    Args:
        imported: the lines that their import executes.
        collected: those that the import of each file of tests executes besides.
    """
    files = frozenset(sources(root))
    _, everyone = next(forked([judges.names], 300.0, 1))
    if isinstance(everyone, Exception):
        raise everyone
    everyone = sorted((name for name in everyone if wanted(name, only)), key=suite.group)

    def task(group: list[str]) -> Callable[[], Any]:
        def run() -> tuple[list[judges.Judgement], Lines]:
            recorder = judges.Recorder(root, files)
            with recorder:
                said = [judges.ask(judge) for judge in group]
            return said, recorder.lines

        return run

    found = []
    groups = [list(group) for _, group in groupby(everyone, suite.group)]
    for index, made in forked(map(task, groups), 300.0, workers):
        if isinstance(made, str | Exception):
            print(f"{groups[index]}: {made}", file=sys.stderr)
            continue
        everything, lines = made
        file = suite.file(groups[index][0])
        lines = together(lines, imported, collected.get(file, {}))
        for said in everything:
            if said.passed:
                found.append(Known(said.judge, said.passed, said.seconds, lines))
            if said.bad and not said.judge.startswith("certify"):
                print(f"{said.judge} does not pass unchanged: {said.bad}", file=sys.stderr)
    return sorted(found, key=lambda known: known.seconds)


def asked(
    mutant: Mutant,
    known: list[Known],
    every: bool = False,
    imported: Lines | None = None,
) -> list[Known]:
    """The judges that execute what is changed, cheapest first, up to the patience with each kind.

    Args:
        every: all of them, whatever time they take.
        imported: lines that the import executes: then everyone who uses the file is asked.
    """
    found = []
    early = (imported or {}).get(mutant.module, set())
    anywhere = mutant.scope is None or any(mutant.scope[0] <= n <= mutant.scope[1] for n in early)
    for one in known:
        lines = one.lines.get(mutant.module, set())
        if anywhere or mutant.scope is None:
            hit = bool(lines)
        else:
            hit = any(mutant.scope[0] <= line <= mutant.scope[1] for line in lines)
        if hit:
            found.append(one)
    subjects = next(s for start, s in PATIENCE.items() if mutant.module.startswith(start))
    left = {"claim": CLAIMS, "test": TESTS, "certify": subjects}
    chosen = []
    for one in sorted(found, key=lambda one: one.seconds):
        kind = one.judge.partition(" ")[0]
        left[kind] -= one.seconds
        if left[kind] > 0 or every:
            chosen.append(one)
    return chosen


class Order:
    """Learns who notices: judges that noticed changes of the same function come first.

    The set that is asked stays; a mutant that nobody notices has been seen by all of it.
    """

    def __init__(self) -> None:
        self.noticed: Counter[tuple[str, str]] = Counter()
        self.asked: Counter[tuple[str, str]] = Counter()
        self.spent: Counter[str] = Counter()
        self.times: Counter[str] = Counter()

    @staticmethod
    def _places(module: str, function: str) -> tuple[str, ...]:
        return "", module, f"{module} {function}"

    def learn(self, module: str, function: str, spent: list[tuple[str, float]], by: str) -> None:
        """The judges that were asked with their seconds, and the one that noticed."""
        for place in self._places(module, function):
            for judge, _ in spent:
                self.asked[place, judge] += 1
                self.noticed[place, judge] += judge == by
        for judge, seconds in spent:
            self.spent[judge] += seconds
            self.times[judge] += 1

    def recall(self, results: Iterable[Result], known: list[Known]) -> None:
        """What an earlier run knows: who noticed, not who was asked in vain."""
        names = sorted((one.judge for one in known), key=len, reverse=True)
        for one in results:
            if one.verdict == "killed":
                by = next((name for name in names if one.by.startswith(name)), None)
                for place in self._places(one.module, one.function) if by else ():
                    self.asked[place, by] += 1
                    self.noticed[place, by] += 1

    def __call__(self, mutant: Mutant, known: list[Known]) -> list[Known]:
        """The most likely to notice in a second first.

        Where one test of a function has noticed nothing, the next one of it is less likely to.
        """

        def gain(one: Known) -> float:
            chance = 0.3
            for place in self._places(mutant.module, mutant.function):
                seen = self.noticed[place, one.judge] + 2 * chance
                chance = seen / (self.asked[place, one.judge] + 2)
            seconds = self.spent[one.judge] + 0.2 * one.seconds  # untraced, of more than one run
            return chance / (0.02 + seconds / (self.times[one.judge] + 1))

        before: Counter[str] = Counter()  # of its function
        gains = []
        for most, i in sorted(((gain(one), i) for i, one in enumerate(known)), reverse=True):
            function = known[i].judge.partition("[")[0]
            gains.append((most / (1 + before[function] / ALIKE), i))
            before[function] += 1
        return [known[i] for _, i in sorted(gains, reverse=True)]


def judged(
    root: Path,
    mutant: Mutant,
    known: list[Known],
    patches: judges.Patches | None = None,
    patience: float = float("inf"),
) -> tuple[str, str, list[tuple[str, float]]]:
    """In a fork: (verdict, who noticed, the judges that were asked with their seconds).

    Args:
        patience: seconds after which no further judge is asked; it is undecided then.
    """
    spent: list[tuple[str, float]] = []
    if patches is None or not patches.apply(mutant.module, mutant.source):
        judges.forget()
        sys.meta_path.insert(0, judges.Finder(root, mutant.module, mutant.source))
        try:
            _import()
        except Exception as error:
            return "killed", f"import: {type(error).__name__}", spent
    judges.without_shrinking()
    for one in known:
        if sum(seconds for _, seconds in spent) > patience:
            return "undecided", "", spent
        start = time.process_time()
        try:
            said = judges.ask(one.judge, one.passed)
        except Exception as error:
            said = judges.Judgement(one.judge, {f"{one.judge}: {type(error).__name__}": "fail"})
        spent.append((one.judge, time.process_time() - start))
        if said.bad:
            (claim, verdict), *_ = said.bad.items()
            name = claim if claim.startswith(one.judge) else f"{one.judge} {claim}"
            return "killed", name + (" (inconclusive)" if verdict == "inconclusive" else ""), spent
    return "survived", "", spent


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
        row["key"]: Result(
            **{
                **row,
                "line": int(row["line"]),
                "asked": int(row["asked"]),
                "seconds": float(row["seconds"]),
            }
        )
        for row in rows
    }


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
        again: run those that nobody has noticed once more, with all subjects.
        known: of an earlier run, in place of recording which lines are executed.
        keep: file in which that is kept.
        only: ask these judges and no others (`wanted`): those that have changed.
    """
    stop = time.monotonic() + 60 * budget
    sys.path.insert(0, str(root))
    judges.preload()
    gc.freeze()
    warm()
    recorder = judges.Recorder(root, frozenset(sources(root)))
    with recorder:
        _import()
    collected = collect(root)
    patches = judges.Patches(root, together(recorder.lines, *collected.values()))
    for module in sources(root):
        patches.unchanged(module)
    gc.collect()
    gc.freeze()
    if known is None:
        known = record(root, workers, recorder.lines, collected, only)
        if keep and not only:
            dump(known, keep)
    known = [one for one in known if wanted(one.judge, only)]
    print(f"{len(known)} judges", file=sys.stderr)
    done = load(out)
    unknown = ("survived", "not reached", "undecided") if again else (None, "undecided")
    verdicts = {key: one.verdict for key, one in done.items()}
    todo = [m for m in chosen(root, patterns, every, seed) if verdicts.get(m.key) in unknown]
    todo.sort(key=lambda mutant: verdicts.get(mutant.key) == "undecided")
    print(f"{len(todo)} mutants to run, {len(done)} known", file=sys.stderr)
    out.parent.mkdir(parents=True, exist_ok=True)
    if not out.exists():
        save(out, [])

    order = Order()
    order.recall(done.values(), known)
    later: deque[tuple[Mutant, list[Known], int]] = deque()
    begun: list[tuple[Mutant, list[Known], int]] = []  # the mutant, judges, how many asked before

    def tasks() -> Iterator[Callable[[], Any]]:
        for mutant in todo:
            who = order(mutant, asked(mutant, known, again, recorder.lines))
            if time.monotonic() < stop:
                begun.append((mutant, who, 0))
                yield _task(root, mutant, who, patches, FIRST)
        while later and time.monotonic() < stop:
            mutant, who, before = later.popleft()
            who = order(mutant, who)
            begun.append((mutant, who, before))
            yield _task(root, mutant, who, patches, float("inf"))

    with out.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        for count, (index, made) in enumerate(forked(tasks(), LIMIT, workers), 1):
            mutant, who, before = begun[index]
            spent: list[tuple[str, float]] = []
            if made == "timeout":
                verdict, by = "timeout", ""
            elif isinstance(made, Exception):
                verdict, by = "killed", str(made)[:60]
            else:
                verdict, by, spent = made
                last = spent[-1][0] if spent and verdict == "killed" else ""
                order.learn(mutant.module, mutant.function, spent, last)
            if verdict == "undecided":
                told = {name for name, _ in spent}
                left = [one for one in who if one.judge not in told]
                later.append((mutant, left, before + len(spent)))
            if verdict == "survived" and not before + len(spent):
                verdict = "not reached"
            if only and verdict in ("survived", "not reached", "undecided"):
                if mutant.key in done:
                    continue  # what is known of it stays
                verdict = "undecided"
            one = Result(
                mutant.key,
                mutant.module,
                mutant.function,
                mutant.first,
                mutant.operator,
                mutant.before,
                mutant.after,
                verdict,
                by,
                before + len(spent),
                round(sum(seconds for _, seconds in spent), 2),
            )
            done[one.key] = one
            writer.writerow(asdict(one))
            file.flush()
            if count % 100 == 0:
                ends = Counter(r.verdict for r in done.values())
                print(f"{count} of {len(todo)}: {dict(ends)}", file=sys.stderr, flush=True)
    with contextlib.suppress(OSError):
        save(out, done.values())
    return done


def _task(
    root: Path, mutant: Mutant, who: list[Known], patches: judges.Patches, patience: float
) -> Callable[[], Any]:
    def task() -> Any:
        return judged(root, mutant, who, patches, patience)

    task.limit = LIMIT + sum(one.seconds for one in who)  # type: ignore[attr-defined]
    return task


def dump(known: list[Known], path: Path) -> None:
    """Keep what judges execute, for another run."""
    rows = [{**asdict(one), "lines": {f: sorted(n) for f, n in one.lines.items()}} for one in known]
    path.write_text(json.dumps(rows))


def undump(path: Path) -> list[Known]:
    """Read it back."""
    return [
        Known(
            row["judge"],
            tuple(row["passed"]),
            row["seconds"],
            {f: set(n) for f, n in row["lines"].items()},
        )
        for row in json.loads(path.read_text())
    ]
