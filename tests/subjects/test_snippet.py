"""Reproducers stand alone: plain Python with the subject's library, and they show the failure."""

from __future__ import annotations

import contextlib
import io
import math
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import dfbench
from dfbench.outcome import Finding, fail
from dfbench.subjects import resolve

diffusers = pytest.importorskip("diffusers")

NUMBER = r"(-?(?:\d+\.?\d*(?:e[-+]?\d+)?|inf|nan))"
HEAD = """
import torch
from diffusers import DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler
from diffusers import DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_utils import SchedulerOutput


"""
#: what is wrong: a class, and the claims whose reproducers have to show it
WRONG = {
    "an output too large": (
        "class Mine(DDIMScheduler):\n"
        "    def step(self, m, t, x, **k): return super().step(1.01 * m, t, x, **k)",
        {"clip_sample": False},
        ("bookkeeping", "identity"),
    ),
    "inside the clipping range": (
        "class Mine(DDIMScheduler):\n"
        "    def step(self, m, t, x, **k): return super().step(1.01 * m, t, x, **k)",
        {"clip_sample": True},
        ("bookkeeping", "identity"),
    ),
    "outputs that are cut where they are loud": (
        "class Mine(EulerDiscreteScheduler):\n"
        "    def step(self, m, t, x, **k): return super().step(m.clamp(-5, 5), t, x, **k)",
        {},
        ("affine",),
    ),
    "noise too large": (
        "class Mine(DDPMScheduler):\n"
        "    def step(self, m, t, x, **k):\n"
        "        out, k['generator'] = super().step(m, t, x, **k), None\n"
        "        return out\n"
        "    def _get_variance(self, t, **k): return 1.5 * super()._get_variance(t, **k)",
        {"clip_sample": False},
        ("bookkeeping", "identity"),
    ),
    "outputs that are clipped": (
        "class Mine(DDIMScheduler):\n"
        "    def step(self, m, t, x, **k): return super().step(m.clamp(-1, 1), t, x, **k)",
        {"clip_sample": False},
        ("affine",),
    ),
    "levels of other options": (
        "class Mine(EulerDiscreteScheduler):\n"
        "    def set_timesteps(self, n, **k):\n"
        "        super().set_timesteps(n, **k)\n"
        "        self.sigmas[1:-1] *= 1.2",
        {"use_karras_sigmas": True},
        ("levels",),
    ),
    "outputs too small from the middle on": (
        "class Mine(EulerDiscreteScheduler):\n"
        "    def step(self, m, t, x, **k):\n"
        "        return super().step(0.9 * m if self.begin_index else m, t, x, **k)",
        {},
        ("middle",),
    ),
    "a time that is told wrong": (
        "class Mine(EulerDiscreteScheduler):\n"
        "    def set_timesteps(self, n, **k):\n"
        "        super().set_timesteps(n, **k)\n"
        "        self.timesteps = self.timesteps * 0.9",
        {},
        ("told-level",),
    ),
    "the last step left out": (
        "class Mine(EulerDiscreteScheduler):\n"
        "    def set_timesteps(self, n, **k):\n"
        "        super().set_timesteps(n, **k)\n"
        "        self.sigmas[-1] = 0.5",
        {},
        ("landing",),
    ),
    "add_noise of another level": (
        "class Mine(DDIMScheduler):\n"
        "    def add_noise(self, x, e, t): return super().add_noise(x, 1.1 * e, t)",
        {},
        ("companions",),
    ),
    "add_noise of the first row for all": (
        "class Mine(DDIMScheduler):\n"
        "    def add_noise(self, x, e, t): return super().add_noise(x, e, t[:1].expand(len(x)))",
        {},
        ("companions",),
    ),
    "add_noise of vectors": (
        "class Mine(DDIMScheduler):\n"
        "    def add_noise(self, x, e, t):\n"
        "        return super().add_noise(x, e * (1 if x.ndim > 2 else 0.5), t)",
        {},
        ("companions",),
    ),
    "add_noise of videos": (
        "class Mine(DDIMScheduler):\n"
        "    def add_noise(self, x, e, t):\n"
        "        return super().add_noise(x, e * (0.5 if x.ndim == 5 else 1), t)",
        {},
        ("companions",),
    ),
    "add_noise of the last times": (
        "class Mine(DDIMScheduler):\n"
        "    def add_noise(self, x, e, t): return super().add_noise(x, e, t.clamp(max=900))",
        {},
        ("companions",),
    ),
    "add_noise of times of 32 bits": (
        "class Mine(DDIMScheduler):\n"
        "    def add_noise(self, x, e, t):\n"
        "        return super().add_noise(x, e, t - (t.dtype == torch.int32))",
        {},
        ("companions",),
    ),
    "told to begin at the first step": (
        "class Mine(EulerDiscreteScheduler):\n"
        "    def step(self, m, t, x, **k):\n"
        "        return super().step(0.9 * m if self.begin_index == 0 else m, t, x, **k)",
        {},
        ("middle",),
    ),
    "add_noise with a begin index": (
        "class Mine(EulerDiscreteScheduler):\n"
        "    def add_noise(self, x, e, t):\n"
        "        return super().add_noise(x, e * (1 if self.begin_index is None else 1.1), t)",
        {},
        ("noising",),
    ),
    "add_noise raises": (
        "class Mine(DDIMScheduler):\n    def add_noise(self, x, e, t): raise KeyError('mine')",
        {},
        ("companions",),
    ),
    "another preview": (
        "class Mine(DDIMScheduler):\n"
        "    def step(self, m, t, x, **k):\n"
        "        out = super().step(m, t, x, **k)\n"
        "        out.pred_original_sample = 1.1 * out.pred_original_sample\n"
        "        return out",
        {"clip_sample": False},
        ("preview",),
    ),
    "clipped too far out": (
        "class Mine(DDIMScheduler):\n"
        "    def step(self, m, t, x, **k):\n"
        "        self.config.clip_sample_range = 1.5\n"
        "        self.register_to_config(clip_sample_range=1.5)\n"
        "        out = super().step(m, t, x, **k)\n"
        "        self.register_to_config(clip_sample_range=1.0)\n"
        "        return out",
        {"clip_sample": True},
        ("clipping",),
    ),
    "thresholds over the batch": (
        "class Mine(DDIMScheduler):\n"
        "    def _threshold_sample(self, x):\n"
        "        s = torch.quantile(x.abs().flatten(), 0.995).clamp(1, 2)\n"
        "        return x.clamp(-s, s) / s",
        {"clip_sample": False, "thresholding": True, "sample_max_value": 2.0},
        ("clipping",),
    ),
    "a start that is too loud": (
        "class Mine(EulerDiscreteScheduler):\n"
        "    @property\n"
        "    def init_noise_sigma(self): return 1.2 * super().init_noise_sigma",
        {},
        ("start",),
    ),
    "sigmas that are taken for others": (
        "class Mine(EulerDiscreteScheduler):\n"
        "    def set_timesteps(self, n=None, sigmas=None, **k):\n"
        "        super().set_timesteps(n, sigmas=sigmas, **k)\n"
        "        self.sigmas[1:-1] *= 1.1 if sigmas is not None else 1",
        {},
        ("sigmas-given",),
    ),
    "a law that is another": (
        "class Mine(EulerAncestralDiscreteScheduler):\n"
        "    def step(self, m, t, x, **k):\n"
        "        mean = super().step(m, t, x, **k)\n"
        "        mean.prev_sample = mean.prev_sample + 0.1 * torch.randn(x.shape, dtype=x.dtype)\n"
        "        return mean",
        {},
        ("law",),
    ),
    "second order that is first": (
        "class Mine(DPMSolverMultistepScheduler):\n"
        "    def multistep_dpm_solver_second_order_update(self, m, *a, sample=None, **k):\n"
        "        return self.dpm_solver_first_order_update(m[-1], *a, sample=sample, **k)",
        {},
        ("order",),
    ),
    "noise that no seed changes": (
        "class Mine(DDPMScheduler):\n"
        "    def step(self, m, t, x, generator=None, **k):\n"
        "        return super().step(m, t, x, generator=torch.Generator().manual_seed(3), **k)",
        {"clip_sample": False},
        ("noise",),
    ),
    "noise of the global state": (
        "class Mine(DDPMScheduler):\n"
        "    def step(self, m, t, x, generator=None, **k):\n"
        "        return super().step(m, t, x, **k)",
        {"clip_sample": False},
        ("noise",),
    ),
    "a v that is read wrong": (
        "class Mine(DDIMScheduler):\n"
        "    def step(self, m, t, x, **k):\n"
        "        wrong = self.config.prediction_type == 'v_prediction'\n"
        "        return super().step(1.01 * m if wrong else m, t, x, **k)",
        {"clip_sample": True},
        ("prediction-types",),
    ),
    "a sample of another dtype": (
        "class Mine(DDIMScheduler):\n"
        "    def step(self, m, t, x, **k):\n"
        "        out = super().step(m, t, x, **k)\n"
        "        out.prev_sample = out.prev_sample.to(torch.float32)\n"
        "        return out",
        {"clip_sample": False},
        ("dtype",),
    ),
    "half precision that loses more": (
        "class Mine(DDIMScheduler):\n"
        "    def step(self, m, t, x, **k):\n"
        "        if x.dtype == torch.bfloat16: x = x * 1.125\n"
        "        return super().step(m, t, x, **k)",
        {"clip_sample": False},
        ("dtype",),
    ),
    "another value in 5-D": (
        "class Mine(DDIMScheduler):\n"
        "    def step(self, m, t, x, **k):\n"
        "        return super().step(m + (m.ndim == 5) * m.mean(), t, x, **k)",
        {"clip_sample": False},
        ("protocol",),
    ),
    "a row that the others change": (
        "class Mine(DDPMScheduler):\n"
        "    def step(self, m, t, x, **k):\n"
        "        return super().step(m + m.mean(0), t, x, **k)",
        {"clip_sample": False},
        ("protocol", "row-independence"),
    ),
    "what is left of a run before": (
        "class Mine(EulerDiscreteScheduler):\n"
        "    def set_timesteps(self, n, **k):\n"
        "        again, self.ran = getattr(self, 'ran', False), True\n"
        "        super().set_timesteps(n, **k)\n"
        "        self.sigmas = self.sigmas * (1.1 if again else 1)",
        {},
        ("protocol", "state"),
    ),
    "a tuple of something else": (
        "class Mine(DDIMScheduler):\n"
        "    def step(self, m, t, x, return_dict=True, **k):\n"
        "        out = super().step(m, t, x, return_dict=return_dict, **k)\n"
        "        return out if return_dict else (1.1 * out[0],)",
        {"clip_sample": False},
        ("protocol",),
    ),
    "five dimensions that raise": (
        "class Mine(DDIMScheduler):\n"
        "    def step(self, m, t, x, **k):\n"
        "        b, c, h, w = x.shape\n"
        "        return super().step(m, t, x, **k)",
        {"clip_sample": False},
        ("protocol",),
    ),
    "a copy that is none": (
        "class Mine(EulerDiscreteScheduler):\n"
        "    def __deepcopy__(self, memo):\n"
        "        new = type(self)(**self.config)\n"
        "        new.__dict__.update(self.__dict__, sigmas=2 * self.sigmas)\n"
        "        return new",
        {},
        ("protocol",),
    ),
    "a step that raises": (
        "class Mine(DDIMScheduler):\n"
        "    def step(self, m, t, x, **k):\n"
        "        if len(self.timesteps) == 5: raise RuntimeError('five')\n"
        "        return super().step(m, t, x, **k)",
        {},
        ("counts",),
    ),
    "a sample that is not finite": (
        "class Mine(DDIMScheduler):\n"
        "    def step(self, m, t, x, **k):\n"
        "        return SchedulerOutput(prev_sample=x * float('nan'))",
        {},
        ("counts",),
    ),
    "steps that cannot be set": (
        "class Mine(DDIMScheduler):\n"
        "    def set_timesteps(self, n, **k):\n"
        "        if n == 3: raise ZeroDivisionError('three')\n"
        "        super().set_timesteps(n, **k)",
        {},
        ("counts",),
    ),
}


def shown(script: str, monkeypatch: pytest.MonkeyPatch, **names: Any) -> str:
    """What a script prints, which names nothing of dfbench; `names` are what its reader has."""
    assert "dfbench" not in script
    for name in ("randn", "randn_like"):  # which a script may replace
        monkeypatch.setattr(torch, name, getattr(torch, name))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of released code
        exec(compile(script, "script", "exec"), names)
    monkeypatch.undo()
    return printed.getvalue()


@pytest.mark.slow
def test_a_script_needs_nothing_but_the_library() -> None:
    (report,) = dfbench.certify("diffusers:EulerDiscreteScheduler", select=["companions"]).subjects
    script = f"import sys\nsys.modules['dfbench'] = None\n{report.findings[0].reproduce}"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert apart(run.stdout) > 0.1


def apart(output: str) -> float:
    """The largest difference of a number printed from what it should be."""
    found = [0.0]
    for line in output.splitlines():
        if "should not be raised" in line or line.endswith("nan should be finite"):
            found.append(math.inf)
        if pair := re.search(rf"{NUMBER}(?: of x0)? should be (?:below )?{NUMBER}$", line):
            found.append(abs(float(pair[1]) - float(pair[2])))
    return max(found)


def of(claim: str, findings: tuple[Finding, ...]) -> Finding:
    return next(f for f in findings if f.claim == claim)


@pytest.mark.slow(quick=3)
@pytest.mark.parametrize(("body", "config", "claims"), WRONG.values(), ids=list(WRONG))
def test_what_is_wrong_is_shown_without_dfbench(
    body: str,
    config: dict[str, Any],
    claims: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(f"{HEAD}{body}\n", encoding="utf-8")
    (report,) = dfbench.certify(f"{file}:Mine", config=config, select=list(claims)).subjects
    for claim in claims:
        finding = of(claim, report.findings)
        assert finding.verdict == "fail"
        assert finding.reproduce is not None
        output = shown(finding.reproduce, monkeypatch)
        size = min(finding.measured or 0.0, 1e-3) / 10
        assert apart(output) > size, (claim, output)


RELEASED = [
    ("EulerDiscreteScheduler", "companions"),
    ("DEISMultistepScheduler", "companions"),
    ("FlowMatchHeunDiscreteScheduler", "companions"),
    ("IPNDMScheduler", "bookkeeping"),
    ("IPNDMScheduler", "identity"),
    ("KDPM2AncestralDiscreteScheduler", "identity"),
    ("PNDMScheduler", "identity"),
    ("UnCLIPScheduler", "counts"),
    ("UnCLIPScheduler", "identity"),
    ("UnCLIPScheduler", "bookkeeping"),
]


@pytest.mark.slow(quick=3)
@pytest.mark.parametrize(("name", "claim"), RELEASED)
def test_findings_on_diffusers_are_shown_without_dfbench(
    name: str, claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (report,) = dfbench.certify(f"diffusers:{name}", select=[claim]).subjects
    finding = of(claim, report.findings)
    if finding.verdict != "fail":
        pytest.skip("this release is right")
    assert finding.reproduce is not None
    assert f"from diffusers import {name}" in finding.reproduce
    assert apart(shown(finding.reproduce, monkeypatch)) > 1e-5


RIGHT = (
    *("DDIMScheduler", "DDPMScheduler", "EulerAncestralDiscreteScheduler"),
    *("DPMSolverMultistepScheduler", "HeunDiscreteScheduler", "UniPCMultistepScheduler"),
)


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_shows_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripts of findings that a right scheduler has not."""
    subject = resolve(f"diffusers:{name}")[0]
    asked: list[tuple[str, dict[str, Any]]] = [("noise", {})]
    if "v" in subject.predictions:
        asked.append(("prediction-types", {"prediction": "v"}))
    asked += [("dtype", {"dtype": each}) for each in ("float32", "bfloat16", "float16")]
    for claim, at in asked:
        made_up = fail("made up", counterexample={"steps": 7, **at})
        script = subject.reproducer(claim, made_up)
        assert script is not None
        assert apart(shown(script, monkeypatch)) < 1e-5, claim


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_what_a_function_makes_is_made_by_it(
    factor: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its arguments, and as many objects as a script needs."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from diffusers import EulerDiscreteScheduler\n\n"
        "def ours(factor):\n"
        "    made = EulerDiscreteScheduler()\n"
        "    step = made.step\n"
        "    def worse(m, t, x, **k):\n"
        "        return step(factor * m + (m.ndim == 5) * m.mean(), t, x, **k)\n"
        "    made.step = worse\n"
        "    return made\n",
        encoding="utf-8",
    )
    claims = ["bookkeeping", "protocol"]
    config = {"factor": factor}
    (report,) = dfbench.certify(f"{file}:ours", config=config, select=claims).subjects
    for claim in claims:
        finding = of(claim, report.findings)
        assert finding.verdict == "fail"
        assert f"ours(**{config})" in (finding.reproduce or "")
        assert apart(shown(finding.reproduce or "", monkeypatch)) > 1e-3


def test_a_class_that_no_import_finds_is_its_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(diffusers.DDIMScheduler):  # type: ignore[misc, name-defined]
        def step(self, m: Any, t: Any, x: Any, **k: Any) -> Any:
            return super().step(1.01 * m, t, x, **k)

    (report,) = dfbench.certify(Mine, select=["bookkeeping"]).subjects
    finding = report.findings[0]
    assert finding.verdict == "fail"
    assert finding.reproduce is not None
    assert apart(shown(finding.reproduce, monkeypatch, Mine=Mine)) > 1e-5


def _patched() -> dict[str, tuple[Any, tuple[str, ...]]]:
    """Objects that no constructor makes, and the claims whose scripts have to show it."""
    louder, shifted = (diffusers.DDIMScheduler(clip_sample=False) for _ in range(2))
    step = louder.step
    louder.step = lambda m, t, x, **k: step(1.01 * m, t, x, **k)
    add_noise = shifted.add_noise
    shifted.add_noise = lambda x, e, t: add_noise(x, 1.1 * e, t)
    return {
        "outputs too large": (louder, ("bookkeeping", "identity")),
        "noise too large": (shifted, ("companions",)),
    }


@pytest.mark.parametrize(("scheduler", "claims"), _patched().values(), ids=list(_patched()))
def test_an_object_that_nothing_makes_is_used(
    scheduler: Any, claims: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (report,) = dfbench.certify(scheduler, select=list(claims)).subjects
    for claim in claims:
        finding = of(claim, report.findings)
        assert finding.verdict == "fail"
        assert finding.reproduce is not None
        size = min(finding.measured or 0.0, 1e-3) / 10
        assert apart(shown(finding.reproduce, monkeypatch, certified=scheduler)) > size


def test_an_object_of_a_file_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from diffusers import EulerDiscreteScheduler\n\n"
        "ours = EulerDiscreteScheduler()\n"
        "step = ours.step\n"
        "ours.step = lambda m, t, x, **k: step(0.9 * m, t, x, **k)\n",
        encoding="utf-8",
    )
    (report,) = dfbench.certify(f"{file}:ours", select=["bookkeeping"]).subjects
    finding = report.findings[0]
    assert finding.verdict == "fail"
    assert "['ours']" in (finding.reproduce or "")
    assert apart(shown(finding.reproduce or "", monkeypatch)) > 1e-3
