"""Programs in other languages, through their standard streams."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dfbench
from dfbench import cli
from dfbench.errors import Unusable
from dfbench.outcome import Finding
from dfbench.subjects import resolve

PROGRAMS = Path(__file__).with_name("programs")
CORE = ["counts", "affine", "bookkeeping", "identity", "noise", "row-independence"]

ECHO = """
import json, sys
def ask(what):
    print(json.dumps(what), flush=True)
    return json.loads(sys.stdin.readline())
told = json.loads(sys.stdin.readline())
x, n = told["state"], told["steps"]
"""


def found(command: str, *select: str) -> dict[str, Finding]:
    (report,) = dfbench.certify(f"program:{command}", select=list(select or CORE)).subjects
    return {f.claim: f for f in report.findings}


@pytest.fixture(scope="module")
def ancestral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    made = tmp_path_factory.mktemp("programs") / "ancestral"
    subprocess.run([compiler, "-O1", "-o", made, PROGRAMS / "ancestral.cpp"], check=True)
    return made


@pytest.mark.slow
def test_cpp(ancestral: Path) -> None:
    right = found(f"{ancestral} {{steps}}")
    assert {f.verdict for f in right.values()} == {"pass"}
    wrong = found(f"{ancestral} {{steps}} 0.9")
    assert wrong["bookkeeping"].verdict == "fail"
    assert wrong["affine"].verdict == "pass"


@pytest.mark.slow
def test_javascript() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    right = found(f"{node} {PROGRAMS / 'flow.js'}", "affine", "bookkeeping")
    assert {f.verdict for f in right.values()} == {"pass"}
    wrong = found(f"{node} {PROGRAMS / 'flow.js'} 4", "bookkeeping")["bookkeeping"]
    assert wrong.verdict == "fail"
    assert "after step 4" in str(wrong.where) or "(step 5)" in str(wrong.where)


BREAKS = {
    "sys.exit(3)": "ends (exit code 3) without a sample",
    "print('no JSON', flush=True)": "writes no JSON",
    "print('[1]', flush=True)": "and no object",
    "ask({'model': x[1:], 'time': 1})": "numbers, not",
    "ask({'model': x})": "tells it no time",
    "ask({'weather': 1})": "asks for nothing that is known",
    "ask({'model': x, 'time': 1.0}); print(json.dumps({'sample': [None] * len(x)}))": "no list of",
    "raise ValueError('mine')": "mine",
}


@pytest.mark.slow(quick=3)
@pytest.mark.parametrize("code", BREAKS)
def test_what_a_program_may_do_wrong(code: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(ECHO + code + "\n", encoding="utf-8")
    finding = found(f"{sys.executable} {tmp_path / 'mine.py'}", "affine")["affine"]
    assert finding.verdict == "fail"
    assert BREAKS[code] in str(finding.why)


def test_what_is_no_program(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("", "no-such-program-anywhere {steps}", "'"):
        with pytest.raises(Unusable):
            resolve(f"program:{command}")
    assert cli.main(["certify", "--program", "no-such-program-anywhere"]) == 2
    assert "no program no-such-program-anywhere" in capsys.readouterr().err
