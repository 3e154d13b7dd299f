"""Commands of the fuzzer: files and options with something wrong in them, drawn by a seed."""

from __future__ import annotations

import contextlib
import copy
import csv
import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import typer

from dfbench import jsons
from dfbench.cli import app, main
from dfbench.files import UNFINISHED
from tests import fake_certificate as fake
from tests import fake_results
from tests.fuzz.cases import Hang, soon

CATCH_ALL = "DFBENCH_TRACEBACK"
SECONDS = 60  # of a command: more is a hang
MEMORY = 6 << 30  # bytes that a command may take: more would end the machine's other work
STUDY = {
    "name": "small",
    "samples": 10,
    "seeds": [0],
    "metrics": ["w2"],
    "budgets": {"steps": [2]},
    "targets": [{"kind": "isotropic", "variance": 0.5, "dimension": 2}],
    "samplers": [{"name": "ddim", "eta": 0.0}],
    "schedules": [{"name": "linear_vp"}],
    "grids": [{"name": "uniform_log_snr"}],
}
TRAINING = {
    "title": "tiny",
    "seed": 0,
    "data": {"kind": "mixture", "name": "ring-2d", "held_out": 20},
    "model": {"kind": "mlp", "width": 16, "depth": 2, "features": 4},
    "objective": {"prediction": "v", "weighting": "flow_matching", "schedule": "cosine"},
    "levels": {"kind": "schedule", "low": -10.0, "high": 10.0},
    "loop": {"steps": 2, "batch": 8, "learning_rate": 0.001, "log_every": 1, "checkpoint_every": 1},
}
SUBJECTS = {"subjects": [{"name": "mine", "code": "dfbench:ddim", "config": {"eta": 0.5}}]}
EXPECTED = {"affine": {"reason": "as I know", "within": 0.5, "unit": "of the state"}}
CONFIG = {"num_train_timesteps": 50, "beta_start": 0.001, "beta_end": 0.02, "eta": 0.0}
#: What no command may have written when it refuses.
OUTPUTS = ("page.html", "out.json", "out.xml")
VALUES: list[Any] = [
    -1, 0, 1e400, float("nan"), 10**9, "nope", "", [], {}, [[1]], True, -0.5, 10**30, ["x"],
    {"a": 1}, "../..", "\x1b[31m", "a" * 3000, [1, "a"], "ddim\n", 0.5,
]  # fmt: skip
GARBAGE = ["", "{", "[]", "null", "\x00\x01", "a = ", '{"a": NaN}', "[" * 2000, "é" * 50, "1"]


@dataclass(frozen=True)
class Command:
    """A command line, the files that it needs, and whether it has no meaning for sure."""

    arguments: tuple[str, ...]
    files: dict[str, str]
    nonsense: bool

    def __str__(self) -> str:
        shown = {name: text[:300] for name, text in self.files.items()}
        return f"dfbench {' '.join(self.arguments)} {shown or ''}"

    def fault(self, folder: Path) -> str | None:
        """What is wrong with how it is answered, in a folder of its own; None if nothing is."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(folder),
            mock.patch("dfbench.training.study.run", _made),
            mock.patch("dfbench.report.training.complete", return_value="pass"),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                with soon(SECONDS), at_most(MEMORY):
                    status = main(list(self.arguments))
            except Hang:
                return f"does not end within {SECONDS} s"
            except BaseException as error:
                return f"{type(error).__name__}: {error}"
        said = err.getvalue()
        if CATCH_ALL in said or "Traceback" in said:
            return f"catch-all: {said[-300:]}"
        if status not in (0, 1, 2):
            return f"exit status {status}"
        if self.nonsense and status != 2:
            return f"exit status {status} for what has no meaning"
        if status == 2 and "dfbench: error: " not in said:
            return f"exit status 2 without a word: {said[-300:]}"
        if any(ord(c) < 32 and c != "\n" for c in said):
            return f"control characters: {said!r:.300}"
        if status == 2 and (early := [name for name in OUTPUTS if (folder / name).exists()]):
            return f"exit status 2, and written: {early}"
        if status == 0 and (bad := _nan_of(folder)):
            return f"NaN in {bad}"
        left = [path.name for path in folder.rglob("*") if path.name.endswith(UNFINISHED)]
        return f"left behind: {left}" if left else None


def drawn(seed: int, count: int) -> Iterator[Command]:
    """As many commands; the same for the same seed."""
    rng = random.Random(seed)
    for i in range(count):
        yield KINDS[i % len(KINDS)](rng)


def _made(chosen: Any, *_: Any, **__: Any) -> None:
    """In place of a training: everything is made that a training needs, nothing is run."""
    from dfbench.training.loop import Trainer

    Trainer(chosen)


def _nan_of(folder: Path) -> str:
    """The first measurement that counts and is no number."""
    for file in folder.glob("o/measurements.csv"):
        for row in csv.DictReader(file.read_text("utf-8").splitlines()):
            if row["status"] == "ok" and row["value"].lower() in ("", "nan"):
                return f"{file.name}: {row['metric']} of {row['sampler']}"
    return ""


@contextlib.contextmanager
def at_most(size: int) -> Iterator[None]:
    """More memory than that is refused, where the system knows how."""
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _training(rng: random.Random) -> Command:
    training = copy.deepcopy(TRAINING)
    nonsense = _spoiled(training, rng)
    return Command(("train", "t.toml", "--out", "o"), {"t.toml": _toml(training)}, nonsense)


def _subjects(rng: random.Random) -> Command:
    """What `dfbench.toml` and `--expected-failures` hold."""
    subjects, expected = copy.deepcopy(SUBJECTS), copy.deepcopy(EXPECTED)
    nonsense = _spoiled(rng.choice([subjects, expected]), rng)
    files = {"dfbench.toml": _toml(subjects), "e.toml": _toml(expected)}
    if rng.random() < 0.2:
        files[rng.choice(["dfbench.toml", "e.toml"])], nonsense = (
            rng.choice(["a = ", "é", "["]),
            True,
        )
    where = ("mine", "--select", "affine", "--expected-failures", "e.toml", "--json", "out.json")
    return Command(("certify", *where), files, nonsense)


def _constructor(rng: random.Random) -> Command:
    """A configuration of diffusers with one thing changed."""
    config = copy.deepcopy(CONFIG)
    _spoiled(config, rng)
    where = ("diffusers:DDIMScheduler", "--select", "affine", "--steps", "2", "--json", "out.json")
    given = rng.choice(["--config", "--call", "--declare"])
    return Command(("certify", *where, given, json.dumps(config)), {}, nonsense=False)


def _results(rng: random.Random) -> Command:
    """A folder of results with one cell, one column or one file changed."""
    rows = [list(row) for row in csv.reader(results().splitlines())]
    nonsense = False
    what = rng.random()
    if what < 0.5:
        row = rng.choice(rows[1:])
        row[rng.randrange(len(row))] = str(rng.choice(VALUES))
    elif what < 0.7:
        gone = rng.randrange(len(rows[0]))
        rows = [[*row[:gone], *row[gone + 1 :]] for row in rows]
    elif what < 0.8:
        rows, nonsense = rows[:1], True
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    files = {"r/measurements.csv": text.getvalue(), "old/measurements.csv": results()}
    if what > 0.9:
        files["r/measurements.csv"], nonsense = rng.choice(GARBAGE), True
    if rng.random() < 0.2:
        files["r/environment.json"] = rng.choice(GARBAGE)
    if rng.random() < 0.5:
        return Command(("report", "--compare", "old", "r", "--out", "page.html"), files, nonsense)
    return Command(("report", "r", "--out", "page.html"), files, nonsense)


@cache
def results() -> str:
    table = fake_results.table()
    return str(table[table.steps.isin([5, 8])].to_csv(index=False))


def _page(rng: random.Random) -> Command:
    """A front page of a folder in which anything may stand."""
    files = {
        "d/README.md": rng.choice(["# A\n\n[One](one/)\n", "", "é" * 500, "[x](../..)", *GARBAGE]),
        "d/one/README.md": rng.choice(["# One\n", *GARBAGE]),
        "d/one/page.html": rng.choice(["<html><body></body></html>", *GARBAGE]),
    }
    return Command(("index", "d"), files, nonsense=False)


def _spectrum(rng: random.Random) -> Command:
    text = rng.choice(["1\nnan\n", "-1\n", "x\n", "inf\n", "0\n0\n", "1e400\n", "", "1,2\n3\n"])
    return Command(("published", "--spectrum", "s.csv"), {"s.csv": text}, nonsense=True)


def _any_options(rng: random.Random) -> Command:
    """An option that there is with a value of any kind: refused, or answered."""
    short = {
        "claims": ("claims", "34"),
        "list": ("list", "targets"),
        "certify": ("certify", "dfbench:ddim", "--select", "affine", "--steps", "2"),
        "vectors": ("vectors",),
        "index": ("index",),
        "report": ("report", "--out", "page.html"),
    }
    name = rng.choice(sorted(short))
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    skipped = {"--help", "--isolate", "--workers", "--program", "--depth"}  # of processes, or long
    known = [each.opts[0] for each in command.params if each.opts[0].startswith("--")]
    chosen = [o for o in known if o not in skipped]
    option = rng.choice(chosen) if chosen and rng.random() < 0.8 else ""
    values = ["nope", "-1", "0", "", "NaN", "é", "{}", "[]", "a" * 300, "1e9", "\x1b", "out.json"]
    given = [each for each in (option, rng.choice(values)) if each]
    return Command((*short[name], *given), {}, nonsense=False)


def _study(rng: random.Random) -> Command:
    study = copy.deepcopy(STUDY)
    nonsense = _spoiled(study, rng)
    text = _toml(study)
    if rng.random() < 0.1:
        text, nonsense = text[: rng.randrange(len(text))] + "[", True
    return Command(("bench", "s.toml", "--out", "o", "--workers", "1"), {"s.toml": text}, nonsense)


def _config(rng: random.Random) -> Command:
    if rng.random() < 0.3:
        files = {"scheduler_config.json": rng.choice([g for g in GARBAGE if g != "null"])}
        where = ("diffusers:DDIMScheduler", "--config", "scheduler_config.json", "--steps", "2")
        return Command(("certify", *where), files, nonsense=True)
    given = rng.choice(GARBAGE[1:])
    where = ("diffusers:DDIMScheduler", "--config", given, "--steps", "2")
    return Command(("certify", *where), {}, nonsense=True)


def _reference(rng: random.Random) -> Command:
    name, option = rng.choice(
        [
            ("ddim", "eta"),
            ("unipc", "order"),
            ("edm", "s_churn"),
            ("ddim", "nope"),
            ("lms", "order"),
        ]
    )
    wrong = rng.choice([v for v in VALUES if not isinstance(v, int) and v not in (0.5, 1e400)])
    config = json.dumps({option: wrong})
    return Command(("certify", f"dfbench:{name}", "--config", config), {}, nonsense=True)


def _certificate(rng: random.Random) -> Command:
    text = jsons.text(fake.small("pass"))
    content = json.loads(text)
    if rng.random() < 0.3:
        text, nonsense = rng.choice(GARBAGE), True
    elif rng.random() < 0.3:
        text, nonsense = text[: rng.randrange(len(text) - 2)], True
    else:
        _spoiled(content, rng)
        text, nonsense = jsons.text(content), False
    return Command(("report", "c.json", "--out", "page.html"), {"c.json": text}, nonsense)


def _options(rng: random.Random) -> Command:
    wrong = rng.choice(
        ["nope", "-1", "", "\x1b[0m", "a" * 500, "0", "1e9", "../x/../y", "NaN", "é"]
    )
    lines: list[Callable[[], tuple[str, ...]]] = [
        lambda: ("certify", "dfbench:ddim", "--steps", wrong if wrong != "1e9" else "0"),
        lambda: ("certify", f"nolib{wrong}:X"),
        lambda: ("list", f"x{wrong}"),
        lambda: ("claims", f"x{wrong}"),
        lambda: ("report", f"no{wrong}", "--out", "page.html"),
        lambda: ("bench", f"no{wrong}", "--out", "o"),
        lambda: ("bench", "quick", "--out", "o", "--workers", f"x{wrong}"),
        lambda: ("train", f"no{wrong}", "--out", "o"),
        lambda: (f"no{wrong}",),
        lambda: ("index", f"no{wrong}"),
        lambda: ("certify", "dfbench:ddim", "--for", f"x{wrong}"),
        lambda: ("certify", "dfbench:ddim", "--expected-failures", "nowhere.toml"),
    ]
    return Command(rng.choice(lines)(), {}, nonsense=True)


def _spoiled(content: Any, rng: random.Random) -> bool:
    """Spoil one place; whether what is left has no meaning for sure (an unknown key)."""
    places = list(_places(content))
    holder, key = rng.choice(places)
    what = rng.random()
    if what < 0.2 and isinstance(holder, dict):
        holder["nope"] = 1
        return True
    if what < 0.3:
        del holder[key]
        return False
    before, after = holder[key], rng.choice(VALUES)
    holder[key] = after
    # no number is a table or a text, and the other way round
    return isinstance(before, int | float) and isinstance(after, dict | str)


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(content) if isinstance(content, dict) else range(len(content))
    for key in keys:
        yield content, key
        if isinstance(content[key], dict | list):
            yield from _places(content[key])


def _toml(study: dict[str, Any]) -> str:
    """In inline form: TOML writes lists, strings and numbers as JSON does."""
    return "\n".join(f"{_key(key)} = {_inline(value)}" for key, value in study.items())


def _key(key: str) -> str:
    return json.dumps(key)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(key)} = {_inline(each)}" for key, each in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, float) and value != value:
        return "nan"
    if value == float("inf"):
        return "inf"
    return json.dumps(value)


KINDS: list[Callable[[random.Random], Command]] = [
    _study,
    _config,
    _reference,
    _certificate,
    _options,
    _training,
    _subjects,
    _constructor,
    _results,
    _page,
    _spectrum,
    _any_options,
]
