"""No traceback, no NaN, no silence, no hang, nothing half-written, whatever is handed in.

`DFBENCH_FUZZ=10000` tries that many cases instead of five hundred, `DFBENCH_FUZZ_SEED` others.
"""

from __future__ import annotations

import importlib
import inspect
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dfbench.files import UNFINISHED
from tests.fuzz import cases, commands
from tests.fuzz.call import Call
from tests.fuzz.calls import CALLS

CASES = int(os.environ.get("DFBENCH_FUZZ", "500"))
SEED = int(os.environ.get("DFBENCH_FUZZ_SEED", "0"))
PARTS = 4


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_what_is_right_is_taken(call: Call) -> None:
    assert not cases._has_nan(call.function(**call.right))


MODULES = [
    "analytic",
    "analytic.distances",
    "analytic.information",
    "dfbench.couplings",
    "dfbench.grids",
    "dfbench.levels",
    "dfbench.losses",
    "dfbench.predictions",
    "dfbench.schedules",
    "dfbench.table",
    "dfbench.trajectories",
    "dfbench.wasserstein",
    "dfbench.weightings",
]
#: What is only made by others, or takes nothing.
MADE = {"Difference", "Distance", "Estimate", "Floor", "Law", "Level", "Likelihood", "Paths",
        "Schedule", "Tally", "Trajectory", "Weighting", "FlowMatching"}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_is_called(name: str) -> None:
    module = importlib.import_module(name)
    own = [k for k, v in vars(module).items() if getattr(v, "__module__", None) == name]
    public = getattr(module, "__all__", None) or [k for k in own if not k.startswith("_")]
    functions = {
        each
        for each in public
        if inspect.isroutine(getattr(module, each)) or inspect.isclass(getattr(module, each))
    }
    called = {call.name.split(".")[-1].split(" ")[0] for call in CALLS}
    assert functions - MADE <= called


@pytest.mark.parametrize("part", range(PARTS))
def test_functions(part: int) -> None:
    seed = SEED * PARTS + part
    found = [(str(case), case.fault()) for case in cases.drawn(seed, CASES * 4 // 5 // PARTS)]
    faults = [f"{case}: {fault}" for case, fault in found if fault]
    assert not faults, f"seed {seed}: {len(faults)} faults\n" + "\n".join(faults[:20])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_commands(part: int, tmp_path: Path) -> None:
    seed, faults = SEED * PARTS + part, []
    for i, command in enumerate(commands.drawn(seed, CASES // 5 // PARTS)):
        folder = tmp_path / str(i)
        folder.mkdir()
        if (fault := command.fault(folder)) is not None:
            faults.append(f"{command}: {fault}")
    assert not faults, f"seed {seed}: {len(faults)} faults\n" + "\n".join(faults[:20])


def _nan(x: Any) -> float:
    return math.nan


def _breaks(x: Any) -> float:
    return float({}[x])


def _silent(x: Any) -> float:
    raise ValueError


def _hangs(x: Any) -> float:
    while True:
        pass


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (_nan, "returns NaN"),
        (_breaks, "KeyError"),
        (_silent, "without a word"),
        (_hangs, "does not answer"),
    ],
)
def test_planted_faults_of_a_function_are_found(
    function: Callable[[Any], float], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "SECONDS", 1)
    call = Call("planted", function, {"x": ("word", "a")})
    (case,) = cases.drawn(0, 1, [call])
    assert said in (case.fault() or "")


def _answering(status: int, said: str = "", leaves: str = "") -> Callable[[list[str]], int]:
    def main(arguments: list[str]) -> int:
        import sys

        print(said, file=sys.stderr)
        if leaves:
            Path(leaves).write_text("half", "utf-8")
        return status

    return main


@pytest.mark.parametrize(
    ("main", "said"),
    [
        (_answering(0), "exit status 0 for what has no meaning"),
        (_answering(2), "without a word"),
        (_answering(3), "exit status 3"),
        (_answering(2, "dfbench: error: KeyError: 1 (DFBENCH_TRACEBACK=1 shows)"), "catch-all"),
        (_answering(2, "dfbench: error: \x1b[31m"), "control characters"),
        (_answering(2, "dfbench: error: no", f".page.html.1{UNFINISHED}"), "left behind"),
    ],
)
def test_planted_faults_of_a_command_are_found(
    main: Callable[[list[str]], int],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(commands, "main", main)
    command = commands.Command(("list", "nope"), {}, nonsense=True)
    assert said in (command.fault(tmp_path) or "")


def test_the_same_seed_gives_the_same_cases() -> None:
    for drawn in (cases.drawn, commands.drawn):
        once, again, other = ([str(each) for each in drawn(seed, 30)] for seed in (3, 3, 4))
        assert once == again
        assert once != other
