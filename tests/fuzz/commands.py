"""Commands of the fuzzer: files and options with something wrong in them, drawn by a seed."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfbench import jsons
from dfbench.cli import main
from dfbench.files import UNFINISHED
from tests import fake_certificate as fake

CATCH_ALL = "DFBENCH_TRACEBACK"
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
CONFIG = {"num_train_timesteps": 1000, "beta_start": 0.001, "beta_end": 0.02}
VALUES: list[Any] = [
    -1, 0, 1e400, float("nan"), "nope", "", [], {}, [[1]], True, -0.5, 10**30, ["x"], {"a": 1},
    "../..", "\x1b[31m", "a" * 3000, [1, "a"], "ddim\n", 0.5,
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
            (folder / name).write_text(text, "utf-8")
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                status = main(list(self.arguments))
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
        left = [path.name for path in folder.rglob("*") if path.name.endswith(UNFINISHED)]
        return f"left behind: {left}" if left else None


def drawn(seed: int, count: int) -> Iterator[Command]:
    """As many commands; the same for the same seed."""
    rng = random.Random(seed)
    kinds = [_study, _config, _reference, _certificate, _options]
    for i in range(count):
        yield kinds[i % len(kinds)](rng)


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
    holder[key] = rng.choice(VALUES)
    return False


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
