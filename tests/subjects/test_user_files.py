"""Copies of released schedulers as a user's own files: certified as the originals are when
nothing was changed, under any name, and found wrong after any one change.

The sources are those of the installed library, read when the test runs.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import dfbench
from dfbench.outcome import Finding, SubjectReport

diffusers: Any = pytest.importorskip("diffusers")

CLASSES = [
    f"{name}Scheduler"
    for name in (
        "DDIM",
        "DDPM",
        "DPMSolverMultistep",
        "EulerDiscrete",
        "HeunDiscrete",
        "UniPCMultistep",
        "FlowMatchEulerDiscrete",
    )
]


def source(name: str) -> str:
    """The module of a scheduler, as a file of its own."""
    module = inspect.getmodule(getattr(diffusers, name))
    assert module is not None
    text = inspect.getsource(module)
    text = re.sub(r"^(\s*)from \.\.(\w)", r"\1from diffusers.\2", text, flags=re.M)
    return re.sub(r"^(\s*)from \.(\w)", r"\1from diffusers.schedulers.\2", text, flags=re.M)


def certified(subject: str, **options: Any) -> SubjectReport:
    (report,) = dfbench.certify(subject, **options).subjects
    return report


def essence(report: SubjectReport) -> dict[str, Any]:
    """All of a report that does not hang on the subject's name."""
    return {
        f.claim: (f.verdict, f.measured, f.bound, f.where, f.why, f.expected)
        for f in report.findings
    } | {"verdict": report.verdict, "traits": report.traits, "config": report.config}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSES)
def test_an_unchanged_copy_is_the_original(name: str, tmp_path: Path) -> None:
    original = essence(certified(f"diffusers:{name}"))
    text = source(name)
    (tmp_path / "copy.py").write_text(text, encoding="utf-8")
    assert essence(certified(f"{tmp_path}/copy.py:{name}")) == original
    renamed = re.sub(rf"\b{name}\b", "MyOwn", text)
    assert renamed != text
    (tmp_path / "renamed.py").write_text(renamed, encoding="utf-8")
    assert essence(certified(f"{tmp_path}/renamed.py:MyOwn")) == original


@pytest.mark.slow
def test_a_subclass_is_its_base(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from diffusers import UniPCMultistepScheduler\n\n\n"
        "class Mine(UniPCMultistepScheduler):\n    pass\n",
        encoding="utf-8",
    )
    report = certified(f"{tmp_path}/mine.py:Mine")
    assert essence(report) == essence(certified("diffusers:UniPCMultistepScheduler"))


@pytest.mark.slow
def test_configuration_reaches_a_copy(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(source("DDIMScheduler"), encoding="utf-8")
    options: dict[str, Any] = {"config": {"clip_sample": False}, "call": {"eta": 1.0}}
    report = certified(f"{tmp_path}/mine.py:DDIMScheduler", **options)
    assert essence(report) == essence(certified("diffusers:DDIMScheduler", **options))
    assert report.traits["stochastic"]
    assert {f.claim: f.verdict for f in report.findings}["affine"] == "pass"


#: scheduler, text, what it becomes, options, where the identity claim has to find it
MUTATIONS: dict[str, tuple[str, str, str, dict[str, Any], str]] = {
    "ddim, sign of the direction": (
        "DDIM",
        "* pred_original_sample + pred_sample_direction",
        "* pred_original_sample - pred_sample_direction",
        {},
        "2 steps, evaluation 1, ",
    ),
    "ddim, variance not taken off": (
        "DDIM",
        "(1 - alpha_prod_t_prev - std_dev_t**2) ** (0.5)",
        "(1 - alpha_prod_t_prev) ** (0.5)",
        {"call": {"eta": 1.0}},
        "2 steps, evaluation 1, weight of output 0",
    ),
    "ddim, step off by one": (
        "DDIM",
        "prev_timestep = timestep - self.config.num_train_timesteps // self.num_inference_steps\n",
        "prev_timestep = timestep - self.config.num_train_timesteps // "
        "self.num_inference_steps + 1\n",
        {},
        "2 steps, evaluation 1, weight of output 0",
    ),
    "dpm++, sign of the correction": (
        "DPMSolverMultistep",
        "- 0.5 * (alpha_t * (torch.exp(-h) - 1.0)) * D1",
        "+ 0.5 * (alpha_t * (torch.exp(-h) - 1.0)) * D1",
        {},
        "3 steps, evaluation 2, ",
    ),
    "dpm++, ratio of steps dropped": (
        "DPMSolverMultistep",
        "D0, D1 = m0, (1.0 / r0) * (m0 - m1)",
        "D0, D1 = m0, (m0 - m1)",
        {},
        "3 steps, evaluation 2, ",
    ),
    "dpm++, outputs swapped": (
        "DPMSolverMultistep",
        "m0, m1 = model_output_list[-1], model_output_list[-2]",
        "m1, m0 = model_output_list[-1], model_output_list[-2]",
        {},
        "3 steps, evaluation 2, ",
    ),
    "dpm++, exponent": (
        "DPMSolverMultistep",
        "(sigma_t / sigma_s) * sample - (alpha_t * (torch.exp(-h) - 1.0)) * model_output",
        "(sigma_t / sigma_s) * sample - (alpha_t * (torch.exp(-2 * h) - 1.0)) * model_output",
        {},
        "2 steps, evaluation 1, weight of the initial state",
    ),
    "euler, root of the scale": (
        "EulerDiscrete",
        "sample = sample / ((sigma**2 + 1) ** 0.5)",
        "sample = sample / (sigma**2 + 1)",
        {},
        "1 steps, the sample, weight of the initial state",
    ),
    "euler, length of the step": (
        "EulerDiscrete",
        "dt = self.sigmas[self.step_index + 1] - sigma_hat",
        "dt = 0.999 * self.sigmas[self.step_index + 1] - sigma_hat",
        {},
        "3 steps, evaluation 1, weight of output 0",
    ),
    "heun, weights": (
        "HeunDiscrete",
        "derivative = (self.prev_derivative + derivative) / 2",
        "derivative = (self.prev_derivative + 2 * derivative) / 3",
        {},
        "2 steps, evaluation 2, ",
    ),
    "heun, level of the second call": (
        "HeunDiscrete",
        "derivative = (sample - pred_original_sample) / sigma_next",
        "derivative = (sample - pred_original_sample) / self.sigmas[self.step_index - 1]",
        {},
        "2 steps, evaluation 2, ",
    ),
    "unipc, factor of the predictor": (
        "UniPCMultistep",
        "rhos_p = torch.ones(1, dtype=x.dtype, device=device) * 0.5",
        "rhos_p = torch.ones(1, dtype=x.dtype, device=device)",
        {},
        "3 steps, evaluation 2, ",
    ),
    "unipc, factor of the corrector": (
        "UniPCMultistep",
        "(corr_res + rhos_c[-1] * D1_t)",
        "(corr_res + D1_t)",
        {},
        "3 steps, evaluation 2, ",
    ),
    "flow matching, sign": (
        "FlowMatchEulerDiscrete",
        "prev_sample = sample + dt * model_output",
        "prev_sample = sample - dt * model_output",
        {},
        "1 steps, the sample, weight of output 0",
    ),
    "flow matching, level": (
        "FlowMatchEulerDiscrete",
        "sigma_next = self.sigmas[sigma_idx + 1]",
        "sigma_next = self.sigmas[sigma_idx + 1] * 0.99",
        {},
        "2 steps, evaluation 1, ",
    ),
    "ddpm, β for β̃": (
        "DDPM",
        "            variance = variance\n",
        "            variance = current_beta_t\n",
        {},
        "2 steps, evaluation 1, weight of draw 0",
    ),
    "ddpm, root of the variance": (
        "DDPM",
        "(self._get_variance(t, predicted_variance=predicted_variance) ** 0.5) * variance_noise",
        "self._get_variance(t, predicted_variance=predicted_variance) * variance_noise",
        {},
        "2 steps, evaluation 1, weight of draw 0",
    ),
    "ddpm, root of a coefficient": (
        "DDPM",
        "(alpha_prod_t_prev ** (0.5) * current_beta_t) / beta_prod_t",
        "(alpha_prod_t_prev * current_beta_t) / beta_prod_t",
        {},
        "2 steps, evaluation 1, ",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "rename"), [(what, i % 2 == 0) for i, what in enumerate(MUTATIONS)], ids=str
)
def test_one_change_is_found(what: str, rename: bool, tmp_path: Path) -> None:
    name, old, new, options, where = MUTATIONS[what]
    text, cls = source(f"{name}Scheduler"), f"{name}Scheduler"
    assert old in text, "the installed library has another text"
    text = text.replace(old, new, 1)
    if rename:
        text, cls = re.sub(rf"\b{cls}\b", "MyOwn", text), "MyOwn"
    (tmp_path / "changed.py").write_text(text, encoding="utf-8")
    report = certified(f"{tmp_path}/changed.py:{cls}", **options)
    assert report.verdict == "fail"
    found: dict[str, Finding] = {
        f.claim: f for f in report.findings if f.verdict == "fail" and not f.expected
    }
    assert "identity" in found
    assert found["identity"].where is not None
    assert found["identity"].where.startswith(where)
    assert re.search(r"evaluation \d+|the sample", found["identity"].where)
    compile(found["identity"].reproduce or "1 +", "snippet", "exec")


def test_a_change_that_makes_it_crash_is_found(tmp_path: Path) -> None:
    """The history is not moved on: the second step meets None."""
    old = "self.model_outputs[i] = self.model_outputs[i + 1]"
    text = source("DPMSolverMultistepScheduler")
    assert old in text
    (tmp_path / "changed.py").write_text(text.replace(old, "pass"), encoding="utf-8")
    report = certified(f"{tmp_path}/changed.py:DPMSolverMultistepScheduler")
    findings = {f.claim: f for f in report.findings}
    assert findings["counts"].verdict == "fail"
    assert (findings["counts"].where or "").startswith("3 steps: step 1 of 3 raises TypeError")
    assert "pass" not in {findings[c].verdict for c in ("identity", "bookkeeping", "order", "law")}
