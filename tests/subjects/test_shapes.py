"""Strangers' files in many shapes: certified as they are, failed at the step where they are wrong.

With one line of declaration or none; in a copy of each file one step is wrong.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import dfbench
from dfbench.outcome import SubjectReport

SHAPES = Path(__file__).with_name("shapes")
BUG = 4
CORE = ["affine", "bookkeeping", "identity", "noise", "dtype"]

#: file → the sampler in it, what the network returns, the times, and what is declared.
FILES: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "time_int": ("sample", "eps", "ddpm-linear", {}),
    "time_float": ("sample", "u", "flow-down", {}),
    "time_rows": ("generate", "-u", "flow-up", {}),
    "time_thousand": ("sample", "u", "flow-down × T", {}),
    "keywords": ("sample", "-u", "flow-up", {}),
    "start_inside": ("sample", "x", "sigma", {}),
    "normalised": ("sample", "-u", "flow-up", {}),
    "attributes": ("run", "x", "sigma", {}),
    "no_generator": ("sample_ancestral", "x", "sigma", {}),
    "single": ("sample", "u", "flow-down", {}),
    "callable_class": ("Heun", "x", "sigma", {}),
    "generator_function": ("states", "score", "sigma", {"predicts": "score", "level": "sigma"}),
    "closure": ("sample", "v", "", {}),
    "numpy_arrays": ("sample", "u", "flow-down", {}),
    "compiled": ("sample", "u", "flow-down", {}),
    "batch_only": ("Diffusion", "eps", "ddpm-linear", {}),
    "guided": ("sample", "u", "flow-down", {}),
    "counted": ("sample", "x", "flow-down × T", {}),
    "ddpm_loop": ("p_sample_loop", "eps", "ddpm-linear", {}),
    "preconditioned": ("sample", "x", "log-sigma/4", {}),
    "scaled_noise": ("sample", "eps", "sigma", {}),
    "log_snr": ("sample", "x", "log-snr", {}),
    "module": ("Flow", "u", "flow-down", {}),
    "all_states": ("trajectory", "-u", "flow-up", {}),
    "jax_arrays": ("sample", "-u", "flow-up", {}),
    "jax_ancestral": ("sample", "x", "sigma", {}),
}


def loaded(path: Path) -> ModuleType:
    if path.stem.startswith("jax"):
        pytest.importorskip("jax")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.compile brings one of its own
        spec.loader.exec_module(module)
    return module


def certified(path: Path, name: str, declare: dict[str, Any], **options: Any) -> SubjectReport:
    thing = getattr(loaded(path), name)
    (report,) = dfbench.certify(thing, declare=declare or None, **options).subjects
    return report


@pytest.mark.slow(quick=2)
@pytest.mark.parametrize("file", FILES)
def test_a_right_one_passes(file: str) -> None:
    name, returns, level, declare = FILES[file]
    asked = CORE if file.startswith("jax") else None  # a run of JAX step by step takes long
    report = certified(SHAPES / f"{file}.py", name, declare, select=asked)
    wrong = [f for f in report.findings if f.verdict in ("fail", "inconclusive")]
    assert not wrong, [(f.claim, f.why, f.where) for f in wrong]
    assert report.verdict == "pass"
    said = " ".join(report.notes)
    if not declare and level:
        assert f"the network returns {returns}, told times '{level}'" in said


@pytest.mark.slow(quick=3)
@pytest.mark.parametrize("file", FILES)
def test_a_wrong_one_fails_at_its_step(file: str, tmp_path: Path) -> None:
    name, returns, level, declare = FILES[file]
    text = (SHAPES / f"{file}.py").read_text("utf-8")
    copy = tmp_path / f"{file}_wrong.py"
    copy.write_text(text.replace("BUG = None", f"BUG = {BUG}"), encoding="utf-8")
    if level:
        declare = {"predicts": returns, "level": level} | declare
    if file in ("preconditioned", "scaled_noise"):
        declare["scaled"] = True
    asked = ["counts", "affine", "bookkeeping", "identity"]
    report = certified(copy, name, declare, select=asked)
    finding = next(f for f in report.findings if f.claim == "bookkeeping")
    assert finding.verdict == "fail", finding
    assert f"(step {BUG + (file != 'callable_class')})" in str(finding.where) or (
        f"after step {BUG}" in str(finding.where) or "(step 4)" in str(finding.where)
    ), finding.where
