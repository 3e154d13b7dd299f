"""Certification as a whole: subjects that misbehave, the other subjects of the same run, and the
same certificate twice.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import dfbench
from dfbench import cli, examination
from dfbench.checks import CLAIMS
from dfbench.errors import SubjectError, Unusable
from dfbench.examination import deadline, examine
from dfbench.outcome import Certificate, Expected, SubjectReport
from dfbench.subjects.reference import Defect, MethodSampler

HEAD = """
import sys

import numpy as np
import torch
from diffusers import EulerDiscreteScheduler as Base
from diffusers.schedulers.scheduling_utils import SchedulerOutput


class Mine(Base):
"""
#: what a class does wrong: its body, the claim that has to say so, words of what it says
MISBEHAVIOUR: dict[str, tuple[str, str, str]] = {
    "step raises": (
        "def step(self, *a, **k): raise KeyError('mine')",
        "counts",
        "step 0 of 1 raises KeyError: 'mine'",
    ),
    "step raises late": (
        "def step(self, m, t, x, **k):\n"
        "        if self.step_index == 3: raise RuntimeError('four')\n"
        "        return super().step(m, t, x, **k)",
        "counts",
        "4 steps: step 3 of 4 raises RuntimeError: four; 5 steps: ",
    ),
    "step exits": (
        "def step(self, *a, **k): sys.exit(5)",
        "counts",
        "it calls sys.exit(5)",
    ),
    "step gives nan": (
        "def step(self, m, t, x, **k): return SchedulerOutput(prev_sample=x * float('nan'))",
        "counts",
        "the sample is not finite",
    ),
    "step gives inf at the last of 13": (
        "def step(self, m, t, x, **k):\n"
        "        out = super().step(m, t, x, **k)\n"
        "        if len(self.timesteps) == 13: out.prev_sample *= float('inf')\n"
        "        return out",
        "counts",
        "13 steps: the sample is not finite",
    ),
    "step gives another shape": (
        "def step(self, m, t, x, **k): return SchedulerOutput(prev_sample=torch.cat([x, x], 1))",
        "counts",
        "turns shape",
    ),
    "step drops a row": (
        "def step(self, m, t, x, **k):\n"
        "        return SchedulerOutput(prev_sample=x[:1].mean() * x[0])",
        "counts",
        "turns shape",
    ),
    "step gives an array": (
        "def step(self, m, t, x, **k): return SchedulerOutput(prev_sample=x.numpy())",
        "counts",
        "neither a tensor",
    ),
    "step gives nothing": (
        "def step(self, m, t, x, **k): return None",
        "counts",
        "returns NoneType: neither a tensor",
    ),
    "steps cannot be set": (
        "def set_timesteps(self, n, **k): raise ZeroDivisionError('set')",
        "counts",
        "set_timesteps(1) raises ZeroDivisionError: set",
    ),
    "thirteen steps cannot be set": (
        "def set_timesteps(self, n, **k):\n"
        "        if n == 13: raise IndexError('thirteen')\n"
        "        super().set_timesteps(n, **k)",
        "counts",
        "set_timesteps(13) raises IndexError: thirteen",
    ),
    "the input cannot be scaled": (
        "def scale_model_input(self, x, t):\n"
        "        if self.step_index == 2: raise RuntimeError('scale')\n"
        "        return super().scale_model_input(x, t)",
        "counts",
        "3 steps: scale_model_input at time 2 of 3 raises RuntimeError: scale",
    ),
}


def written(tmp_path: Path, body: str) -> str:
    (tmp_path / "mine.py").write_text(f"{HEAD}    {body}\n", encoding="utf-8")
    return f"{tmp_path}/mine.py:Mine"


def verdicts(report: SubjectReport) -> dict[str, str]:
    return {f.claim: f.verdict for f in report.findings}


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize(("body", "claim", "words"), MISBEHAVIOUR.values(), ids=list(MISBEHAVIOUR))
def test_misbehaviour_is_a_finding(
    body: str, claim: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("diffusers")
    subject = written(tmp_path, body)
    bad, good = dfbench.certify([subject, "dfbench:ddim"]).subjects
    assert (bad.verdict, good.verdict) == ("fail", "pass")
    finding = {f.claim: f for f in bad.findings}[claim]
    assert finding.verdict == "fail"
    assert words in f"{finding.where} {finding.why}"
    assert finding.reproduce
    assert [f.claim for f in bad.findings] == [
        each.id for each in CLAIMS.values() if each.kind == "sampler"
    ]
    for f in bad.findings:  # nothing of ours broke on it
        assert f.cause != "check broke"

    file = tmp_path / "certificate.json"
    assert (
        cli.main(["certify", subject, "dfbench:ddim", "--select", claim, "--json", str(file)]) == 1
    )
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert [s["verdict"] for s in json.loads(file.read_text())["subjects"]] == ["fail", "pass"]


@pytest.mark.parametrize(
    "body",
    [
        "def step(self, *a, **k):\n        while True: pass",
        "def step(self, *a, **k):\n"
        "        while True:\n"
        "            try:\n"
        "                while True: pass\n"
        "            except Exception: pass",
        "def set_timesteps(self, *a, **k):\n        while True: pass",
    ],
    ids=["step", "step, and swallows exceptions", "set_timesteps"],
)
def test_what_never_returns_is_stopped(
    body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("diffusers")
    monkeypatch.setattr(examination, "PATIENCE", 0.3)
    start = time.process_time()
    bad, good = dfbench.certify(
        [written(tmp_path, body), "dfbench:ddim"], select=["counts", "state"]
    ).subjects
    assert time.process_time() - start < 20
    assert "does not return within 0.3 s" in f"{bad.findings[0].where} {bad.findings[0].why}"
    causes = {f.claim: (f.verdict, f.cause) for f in bad.findings}
    assert causes == {"counts": ("fail", "timed out"), "state": ("inconclusive", "timed out")}
    assert good.verdict == "pass"


@pytest.mark.slow
def test_a_class_without_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Written by hand, nothing of diffusers in it: certified, or refused in clear words."""
    pytest.importorskip("diffusers")
    (tmp_path / "mine.py").write_text(
        "import torch\n\n\nclass Mine:\n"
        "    sigmas = torch.tensor([1.0, 0.0])\n"
        "    def set_timesteps(self, n):\n        self.timesteps = torch.arange(n, 0, -1)\n"
        "    def step(self, m, t, x):\n        return x\n",
        encoding="utf-8",
    )
    status = cli.main(["certify", f"{tmp_path}/mine.py:Mine"])
    said = capsys.readouterr()
    err = said.err
    assert status in (1, 2)
    assert "Traceback" not in err
    assert "check broke" not in said.out
    if status == 2:
        assert err.count("\n") == 1
        assert "mine.py:Mine" in err
        assert "DFBENCH_TRACEBACK" not in err  # a refusal, not a crash of ours


# The time limit -------------------------------------------------------------------------------


def test_the_deadline() -> None:
    with pytest.raises(SubjectError, match=r"does not return within 0.05 s"), deadline(0.05):
        time.sleep(5)
    with deadline(0.05):
        pass
    time.sleep(0.1)  # and nothing comes afterwards


def test_the_deadline_is_in_time_of_a_processor() -> None:
    """Waiting, for a machine that is busy say, does not count; computing without end does."""

    def endless() -> None:
        while True:
            pass

    with deadline(0.2):
        time.sleep(0.5)
    with pytest.raises(SubjectError, match=r"does not return within 0.2 s"), deadline(0.2):
        endless()


def test_the_deadline_lets_other_errors_through() -> None:
    with pytest.raises(ZeroDivisionError), deadline(5):
        raise ZeroDivisionError


def test_a_check_that_breaks_is_inconclusive_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(subject: Any) -> Any:
        raise AttributeError("ours")

    from dataclasses import replace

    monkeypatch.setitem(CLAIMS, "identity", replace(CLAIMS["identity"], check=broken))
    report = examine(MethodSampler("ddim"))
    finding = {f.claim: f for f in report.findings}["identity"]
    assert (finding.verdict, finding.cause) == ("inconclusive", "check broke")
    assert finding.why == "the check broke: AttributeError: ours"
    assert finding.reproduce
    assert finding.statement
    others = {v for c, v in verdicts(report).items() if c != "identity"}
    assert others <= {"pass", "skip"}


# Verdicts and expectations --------------------------------------------------------------------


def test_a_declared_failure_counts_as_a_pass_and_a_declared_pass_is_told() -> None:
    subject = MethodSampler("ddim", defect=Defect(output=lambda m, j: m.clamp(-1, 1)))
    subject.expected = {"affine": Expected("it clips"), "state": Expected("it remembers")}
    report = examine(subject, ["affine", "state", "counts"])
    by = {f.claim: f for f in report.findings}
    assert report.verdict == "pass"
    assert (by["affine"].verdict, by["affine"].expected) == ("fail", "it clips")
    assert by["state"].verdict == "pass"
    assert by["state"].expected is None
    assert by["state"].why == "passes although a failure was declared: it remembers"
    assert (by["affine"].cause, by["state"].cause) == ("measured", "unneeded")


@pytest.mark.parametrize(
    ("config", "call", "verdict"),
    [
        ({"timestep_spacing": "nope"}, {}, "fail"),  # by itself: every run raises
        ({}, {"mode": "nope"}, "inconclusive"),  # asked for by the caller
    ],
)
def test_what_is_never_run_is_never_green(
    config: dict[str, Any], call: dict[str, Any], verdict: str, tmp_path: Path, capsys: Any
) -> None:
    pytest.importorskip("diffusers")
    subject = written(
        tmp_path,
        "def set_timesteps(self, n, mode='', **k):\n"
        "        if mode or self.config.timestep_spacing == 'nope': raise ValueError('nope')\n"
        "        super().set_timesteps(n, **k)",
    )
    (report,) = dfbench.certify(subject, config=config, call=call).subjects
    by = {f.claim: f for f in report.findings}
    assert (report.verdict, by["counts"].verdict) == (verdict, verdict)
    assert {"the coefficients", "the levels told"} <= set(report.coverage.missing)
    assert by["identity"].verdict == by["noise"].verdict == "inconclusive"
    options = ["--config", json.dumps(config), "--call", json.dumps(call)]
    assert cli.main(["certify", subject, *options, "--select", "counts"]) == 1
    assert "nope" in capsys.readouterr().out


def test_what_it_is_for_decides_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("diffusers")
    euler = ["certify", "diffusers:EulerDiscreteScheduler", "--select", "companions,counts"]
    status = {each: cli.main([*euler, "--for", each]) for each in ("samples", "training", "all")}
    assert status == {"samples": 0, "training": 1, "all": 1}
    out = capsys.readouterr().out
    assert "pass for samples" in out
    assert "samples right; get_velocity wrong (training)" in out
    with pytest.raises(Unusable, match="purpose must be one of samples, img2img, training, all"):
        dfbench.certify("dfbench:ddim", purpose="video")  # type: ignore[arg-type]


def test_what_was_predicted_by_size_is_held_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = MethodSampler("ddim", claimed={"order": 2.0})  # its order is 1
    known = {"order": ("it is of first order", 0.9)}
    (report,) = dfbench.certify(subject, select=["order"], expected_failures=known).subjects
    assert (report.verdict, report.findings[0].expected) == ("pass", "it is of first order")
    assert subject.expected == {}  # what was handed in is as it was
    higher = {subject.name: {"order": {"reason": "nearly", "within": 1.5}}}
    (report,) = dfbench.certify(subject, select=["order"], expected_failures=higher).subjects
    assert (report.verdict, report.findings[0].expected) == ("fail", None)
    with pytest.raises(Unusable, match="expected failures of mine, which is no subject"):
        dfbench.certify(subject, expected_failures={"mine": {"order": "why"}})

    file = tmp_path / "known.json"
    file.write_text(json.dumps({"affine": "never"}))
    call = ["certify", "dfbench:ddim", "--select", "affine", "--expected-failures", str(file)]
    assert cli.main(call) == 0
    assert "Declared to fail, but passing" in capsys.readouterr().out
    for content, said in (("[]", "must hold a table"), ("{", "not JSON"), ('{"x": "y"}', "claim")):
        file.write_text(content)
        assert cli.main(call) == 2
        assert said in capsys.readouterr().err


def test_a_declared_trait_excuses_its_own_size_only() -> None:
    """Wuerstchen's last level is clamped; half of the output is something else."""
    pytest.importorskip("diffusers")
    from diffusers import DDPMWuerstchenScheduler

    class Halved(DDPMWuerstchenScheduler):  # type: ignore[misc]
        def step(self, model_output: Any, timestep: Any, sample: Any, **options: Any) -> Any:
            out = super().step(model_output, timestep, sample, **options)
            out.prev_sample = out.prev_sample / 2
            return out

    right, halved = dfbench.certify(
        [DDPMWuerstchenScheduler, Halved], select=["bookkeeping"]
    ).subjects
    assert (right.verdict, halved.verdict) == ("pass", "fail")


def test_clipping_excuses_what_is_affine_inside_its_range_only() -> None:
    clips = Expected("it clips", within=2.1, unit="relative")
    for output, verdict in ((lambda m, j: m.clamp(-1, 1), "pass"), (lambda m, j: m.abs(), "fail")):
        subject = MethodSampler("ddim", defect=Defect(output=output))
        subject.expected = {"affine": clips}
        assert examine(subject, ["affine"]).verdict == verdict


def test_selection_keeps_the_order_of_the_claims() -> None:
    report = examine(MethodSampler("ddim"), ["affine", "counts"])
    assert [f.claim for f in report.findings] == ["affine", "counts"]
    (report,) = dfbench.certify("dfbench:ddim", select=["state", "counts", "affine"]).subjects
    assert [f.claim for f in report.findings] == ["counts", "affine", "state"]


def test_progress_is_told() -> None:
    seen: list[tuple[str, int, int]] = []
    dfbench.certify(
        ["dfbench:ddim", "dfbench:euler"],
        select=["state"],
        progress=lambda *args: seen.append(args),
    )
    assert seen == [("dfbench:ddim", 1, 2), ("dfbench:euler", 2, 2)]


def test_threads_and_random_state_are_put_back() -> None:
    threads, during = torch.get_num_threads(), set()
    torch.set_num_threads(2)
    torch.manual_seed(3)
    state = torch.get_rng_state()

    def output(m: torch.Tensor, j: int) -> torch.Tensor:
        during.add(torch.get_num_threads())
        return m

    try:
        dfbench.certify(
            ["dfbench:ddpm", "dfbench:dpmpp_sde"], select=["noise", "identity", "affine"]
        )
        examine(MethodSampler("ddim", defect=Defect(output=output)), ["counts"])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert during == {1}
    assert torch.equal(torch.get_rng_state(), state)


def test_the_seed_reaches_the_draws() -> None:
    drawn: list[list[float]] = []

    def noise(xi: torch.Tensor, k: int) -> torch.Tensor:
        drawn[-1].append(float(xi.flatten()[0]))
        return xi

    for seed in (1, 2, 1):
        drawn.append([])
        examine(
            MethodSampler("ddpm", defect=Defect(noise=noise)), ["noise", "row-independence"], seed
        )
    assert drawn[0] == drawn[2] != drawn[1]


# Twice the same -------------------------------------------------------------------------------


def timeless(certificate: Certificate) -> Any:
    """A certificate without its times."""
    from dfbench import jsons

    def without(thing: Any) -> Any:
        if isinstance(thing, dict):
            return {k: without(v) for k, v in thing.items() if k != "seconds"}
        return [without(one) for one in thing] if isinstance(thing, list) else thing

    content: dict[str, Any] = without(json.loads(jsons.text(certificate)))
    content.pop("environment")
    return content


@pytest.mark.slow
def test_a_certificate_is_reproducible() -> None:
    names = ["dfbench:dpmpp_sde", "dfbench:unipc"]
    one = dfbench.certify(names, seed=5)
    assert one.environment["seed"] == 5
    torch.manual_seed(99)  # whatever was drawn before
    assert timeless(dfbench.certify(names, seed=5)) == timeless(one)


@pytest.mark.slow
def test_other_processes_give_the_same(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    clean = written(tmp_path, "pass")
    names = ["dfbench:dpmpp_sde", "diffusers:DDPMScheduler", clean]
    seen: list[str] = []
    parallel = dfbench.certify(names, workers=2, progress=lambda name, *_: seen.append(name))
    assert timeless(parallel) == timeless(dfbench.certify(names))
    assert seen == names
    # the file is changed: workers that have seen it before must see it anew
    written(tmp_path, MISBEHAVIOUR["step gives nan"][0])
    again = dfbench.certify([clean, clean, *names], workers=2, select=["counts"])
    assert [s.verdict for s in again.subjects] == ["fail", "fail", "pass", "pass", "fail"]


def test_objects_are_certified_in_this_process() -> None:
    report = dfbench.certify(
        [MethodSampler("ddim"), MethodSampler("euler")], workers=2, select=["counts"]
    )
    assert [s.name for s in report.subjects] == ["dfbench:ddim", "dfbench:euler"]
    assert report.verdict == "pass"


def test_a_snippet_reproduces_its_finding(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("diffusers")
    (bad,) = dfbench.certify(written(tmp_path, MISBEHAVIOUR["step gives nan"][0])).subjects
    finding = next(f for f in bad.findings if f.claim == "counts")
    assert finding.reproduce is not None
    exec(compile(finding.reproduce, "snippet", "exec"), {})
    assert "the sample is nan should be finite" in capsys.readouterr().out
