"""What is in a user's file runs in a process of its own: whatever it does there is a verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import dfbench
from dfbench import cli, isolation
from dfbench.errors import Unusable
from dfbench.isolation import Ended, Isolated
from dfbench.outcome import Finding
from dfbench.surroundings import Defaults, Functions
from tests.test_certification import timeless

HEAD = """
import os
import re
import sys
import time

import numpy as np
import torch
from diffusers import DDIMScheduler as Base

WHERE = {where!r}
"""
CLASS = """

class Mine(Base):
    def step(self, m, t, x, **options):
        {step}
        return super().step(m, t, x, **options)
"""
WRONG = "m = 0.9 * m"


def written(folder: Path, step: str = "pass", at_import: str = "", name: str = "mine.py") -> str:
    text = HEAD.format(where=str(folder)) + at_import + CLASS.format(step=step)
    (folder / name).write_text(text, encoding="utf-8")
    return f"{folder / name}:Mine"


def certified(subject: str, *select: str, **options: Any) -> dict[str, Finding]:
    (report,) = dfbench.certify(subject, select=list(select) or None, **options).subjects
    return {finding.claim: finding for finding in report.findings}


#: what a step does → words of what is said; in none of them another subject notices
ENDS: dict[str, tuple[str, str]] = {
    "_exit": ("os._exit(3)", "the process ended (exit code 3)"),
    "_exit, as if all were well": ("os._exit(0)", "the process ended (exit code 0)"),
    "a signal": ("os.kill(os.getpid(), 11)", "the process ended (SIGSEGV)"),
    "sys.exit": ("sys.exit(5)", "it calls sys.exit(5)"),
    "a BaseException": ("raise BaseException('mine')", "it raises BaseException: mine"),
    "an interrupt": ("raise KeyboardInterrupt", "it raises KeyboardInterrupt"),
    "memory": ("m = m + torch.ones(1 << 36).sum()", "allocate memory"),
    "nothing but sleep": ("time.sleep(1000)", "no answer within 2 s"),
    "the answer's file closed": ("os.closerange(3, 1000)", "the process"),
}


@pytest.mark.slow(quick=3)
@pytest.mark.parametrize(("step", "words"), ENDS.values(), ids=list(ENDS))
def test_what_a_step_may_do(
    step: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("diffusers")
    if "1000)" in step:
        monkeypatch.setattr(isolation, "SILENCE", 2.0)
    bad, good = dfbench.certify(
        [written(tmp_path, step), "dfbench:ddim"], select=["counts", "identity"]
    ).subjects
    assert (bad.verdict, good.verdict) == ("fail", "pass")
    counts, identity = bad.findings
    assert counts.verdict == "fail"
    assert words in f"{counts.where} {counts.why}"
    assert identity.verdict in ("inconclusive", "fail")
    assert counts.reproduce
    assert "Traceback" not in capfd.readouterr().err


def test_a_module_has_a_process_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("diffusers")
    written(tmp_path, "os._exit(0)", name="mine_that_ends.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = certified("mine_that_ends:Mine", "affine")["affine"]
    assert "the process ended (exit code 0)" in str(found.why)
    assert "mine_that_ends" not in sys.modules


def test_an_end_in_the_middle_keeps_what_was_found(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    step = "len(m) == 16 and os._exit(4)"  # as many rows as the claim on noise has
    plain = {"config": {"clip_sample": False}}
    found = certified(written(tmp_path, step), "counts", "affine", "noise", "dtype", **plain)
    verdicts = {claim: f.verdict for claim, f in found.items()}
    assert verdicts == {
        "counts": "fail",
        "affine": "pass",
        "noise": "inconclusive",
        "dtype": "inconclusive",
    }
    assert "exit code 4" in (found["counts"].why or "")


AT_IMPORT = {
    "_exit": ("os._exit(7)", "the process ended (exit code 7)"),
    "an endless loop": ("while True: pass", "no answer within 2 s"),
    "sleep": ("time.sleep(1000)", "no answer within 2 s"),
    "a regular expression without end": (
        "re.match('(a+)+$', 'a' * 100 + 'b')",
        "no answer within 2 s",
    ),
}


@pytest.mark.slow(quick=2)
@pytest.mark.parametrize(("code", "words"), AT_IMPORT.values(), ids=list(AT_IMPORT))
def test_what_a_file_may_do_when_it_is_read(
    code: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("diffusers")
    monkeypatch.setattr(isolation, "SILENCE", 2.0)
    monkeypatch.setattr(isolation, "COMPUTING", 2.0)
    found = certified(written(tmp_path, at_import=code), "counts", "law")
    assert (found["counts"].verdict, found["law"].verdict) == ("fail", "inconclusive")
    assert words in (found["counts"].why or "")


def test_what_cannot_be_made_is_refused_as_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    for code, words in (
        ("sys.exit(3)", "cannot be run: SystemExit: 3"),
        ("raise KeyError('mine')", "cannot be run: KeyError: 'mine'"),
        ("del Base", "cannot be run: NameError"),
    ):
        with pytest.raises(Unusable, match=words):
            dfbench.certify(["dfbench:ddim", written(tmp_path, at_import=code)], select=["counts"])
    with pytest.raises(Unusable, match="has no Yours; it has Base, Mine"):
        dfbench.certify(written(tmp_path).replace(":Mine", ":Yours"))


# What it changes ------------------------------------------------------------------------------

CHANGES = {
    "a function of torch": "torch.equal = lambda *a: True",
    "a function of NumPy": "np.abs = lambda x: 0 * x",
    "an operator": "torch.Tensor.__sub__ = lambda a, b: 0 * a",
    "a builtin": "import builtins; builtins.max = lambda *a, **k: 0.0",
    "a judgement": "import dfbench.outcome.finding as f; f.Finding.used = property(lambda s: 0)",
    "a reference": "from dfbench.samplers import METHODS; METHODS['ddim'] = METHODS['euler']",
    "a claim": "from dfbench.checks import CLAIMS; CLAIMS['identity'] = CLAIMS['counts']",
}


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("code", CHANGES.values(), ids=list(CHANGES))
def test_what_replaces_the_judge_is_never_right(code: str, tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    for step, at_import in (("pass", code), (code, "")):
        try:
            found = certified(written(tmp_path, step, at_import), "counts", "identity", "state")
        except Unusable:  # it cannot even be made
            continue
        assert found["counts"].verdict == "fail"
        assert "pass" not in {f.verdict for f in found.values()}
    assert certified("dfbench:ddim", "identity")["identity"].verdict == "pass"


def test_what_replaces_other_things_may_be_right(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    code = "load = torch.load\ntorch.load = lambda *a, **k: load(*a, weights_only=False, **k)\n"
    found = certified(written(tmp_path, at_import=code), "counts", "identity")
    assert {f.verdict for f in found.values()} == {"pass"}


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("wrong", [False, True])
def test_defaults_that_are_changed_are_put_back(wrong: bool, tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    before = Defaults()
    for code in (
        "torch.set_default_dtype(torch.float64)",
        "np.seterr(all='raise')",
    ):
        select = ["counts", "identity", "bookkeeping", "dtype"]
        subject = written(tmp_path, WRONG if wrong else "pass", code)
        (report,) = dfbench.certify(subject, select=select).subjects
        assert report.verdict == ("fail" if wrong else "pass"), code
        assert any("when it is made" in note for note in report.notes)
    (report,) = dfbench.certify(
        written(tmp_path, "torch.set_default_dtype(torch.float64)"), select=["counts", "law"]
    ).subjects
    assert "changes torch's default dtype in a run" in report.notes
    assert before.put_back() == []


@pytest.mark.parametrize("step", ["pass", WRONG])
def test_a_default_under_which_nothing_can_be_made_is_not_right(step: str, tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    subject = written(tmp_path, step, "torch.set_default_device('meta')")
    (report,) = dfbench.certify(subject, select=["identity"]).subjects
    assert report.verdict != "pass"


def test_defaults_and_functions() -> None:
    known, functions = Defaults(), Functions()
    try:
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        assert known.put_back() == ["torch's default dtype", "torch's gradients"]
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
    assert known.put_back() == []
    assert functions.replaced() == []
    assert len(functions.known) > 1000


# The same verdicts ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_process_of_its_own_changes_nothing_else() -> None:
    pytest.importorskip("diffusers")
    names = ["diffusers:DDIMScheduler", "dfbench:ddpm"]
    here, apart = (dfbench.certify(names, isolate=isolate) for isolate in (False, True))
    assert timeless(apart) == timeless(here)
    two = dfbench.certify(names, isolate=True, workers=2)
    assert timeless(two) == timeless(here)


def test_options_reach_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("diffusers")
    subject, file = written(tmp_path), tmp_path / "c.json"
    call = ["certify", subject, "--config", '{"clip_sample": false}']
    call += ["--steps", "4,8", "--select", "affine,counts", "--seed", "3", "--json", str(file)]
    assert cli.main(call) == 0
    (report,) = json.loads(file.read_text())["subjects"]
    assert report["config"] == {"clip_sample": False}
    assert report["steps"] == [4, 8]
    assert cli.main(["certify", "dfbench:ddim", "--isolate", "--select", "counts"]) == 0
    with pytest.raises(Unusable, match="an object is certified where it is"):
        dfbench.certify(torch.nn.Identity(), isolate=True)
    with pytest.raises(Unusable, match="cannot be handed to a process of its own"):
        dfbench.certify(subject, config={"tau_func": lambda t: t})


@pytest.mark.slow
def test_a_script_without_a_guard_is_not_run_again(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    script = tmp_path / "script.py"
    script.write_text(
        "import dfbench\nprint('once')\n"
        f"print(dfbench.certify({written(tmp_path)!r}, select=['counts']).verdict)\n"
        "print(__file__ is not None)\n",
        encoding="utf-8",
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    out = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=env, check=False
    )
    assert out.stdout.split() == ["once", "pass", "True"]
    assert out.stderr == ""


# Processes ------------------------------------------------------------------------------------


def says(send: Any, go: Any, *words: str) -> None:
    for word in words:
        send(word)


def waits(send: Any, go: Any) -> None:
    send(str(os.getpid()))
    go()
    send("gone")


def starts_another(send: Any, go: Any) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    send(f"{os.getpid()} {other.pid}")
    time.sleep(1000)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_answers_come_in_order_and_then_the_end() -> None:
    worker = Isolated(says, ("one", "two"))
    assert [worker.receive(), worker.receive()] == ["one", "two"]
    with pytest.raises(Ended, match=r"ended \(exit code 0\)") as error:
        worker.receive()
    assert not error.value.hangs
    worker.close()


def test_it_waits_until_it_may_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Isolated(waits, ())
    pid = int(worker.receive())
    assert alive(pid)
    monkeypatch.setattr(isolation, "SILENCE", 0.5)
    with pytest.raises(Ended, match=r"no answer within 0.5 s") as error:
        worker.receive()
    assert error.value.hangs
    worker.go()
    assert worker.receive() == "gone"
    worker.close()
    assert not alive(pid)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
def test_what_it_starts_ends_with_it() -> None:
    worker = Isolated(starts_another, ())
    pids = [int(pid) for pid in worker.receive().split()]
    assert all(map(alive, pids))
    worker.close()
    time.sleep(0.2)
    assert not any(map(alive, pids))


@pytest.mark.slow
def test_several_processes_ask_one_subject(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    subject = written(tmp_path, WRONG)
    alone, shared = (timeless(dfbench.certify(subject, workers=n)) for n in (1, 2))
    assert [f["claim"] for f in shared["subjects"][0]["findings"]] == [
        f["claim"] for f in alone["subjects"][0]["findings"]
    ]
    assert shared["subjects"] == alone["subjects"]
    ends = dfbench.certify(written(tmp_path, "os._exit(3)", name="ends.py"), workers=2)
    assert ends.verdict == "fail"
