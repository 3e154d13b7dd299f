"""Configurations as released pipelines carry them, `scheduler_config.json` as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import dfbench
from dfbench import cli
from dfbench.errors import Unusable
from dfbench.subjects import resolve

diffusers: Any = pytest.importorskip("diffusers")

SCALED = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
}
#: Stable Diffusion 1.5
PNDM = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    **SCALED,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
    "clip_sample": False,
}
DDIM = {
    "_class_name": "DDIMScheduler",
    "_diffusers_version": "0.8.0",
    **SCALED,
    "clip_sample": False,
    "prediction_type": "v_prediction",
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
SDXL = {
    "_class_name": "EulerDiscreteScheduler",
    "_diffusers_version": "0.19.0.dev0",
    **SCALED,
    "clip_sample": False,
    "interpolation_type": "linear",
    "prediction_type": "epsilon",
    "sample_max_value": 1.0,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "trained_betas": None,
    "use_karras_sigmas": False,
}
SD3 = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "_diffusers_version": "0.29.0.dev0",
    "num_train_timesteps": 1000,
    "shift": 3.0,
}
FLUX = {
    **SD3,
    "_diffusers_version": "0.30.0.dev0",
    "base_image_seq_len": 256,
    "base_shift": 0.5,
    "max_image_seq_len": 4096,
    "max_shift": 1.15,
    "use_dynamic_shifting": True,
}
LCM = {
    "_class_name": "LCMScheduler",
    "_diffusers_version": "0.22.0.dev0",
    **SCALED,
    "clip_sample": False,
    "clip_sample_range": 1.0,
    "dynamic_thresholding_ratio": 0.995,
    "original_inference_steps": 50,
    "prediction_type": "epsilon",
    "rescale_betas_zero_snr": False,
    "sample_max_value": 1.0,
    "set_alpha_to_one": True,
    "steps_offset": 0,
    "thresholding": False,
    "timestep_scaling": 10.0,
    "timestep_spacing": "leading",
    "trained_betas": None,
}
LIGHTNING = {**SDXL, "_diffusers_version": "0.26.0", "timestep_spacing": "trailing"}
KARRAS = {
    "_class_name": "DPMSolverMultistepScheduler",
    "_diffusers_version": "0.24.0",
    **SCALED,
    "algorithm_type": "dpmsolver++",
    "dynamic_thresholding_ratio": 0.995,
    "euler_at_final": False,
    "lambda_min_clipped": float("-inf"),
    "lower_order_final": True,
    "prediction_type": "epsilon",
    "sample_max_value": 1.0,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "solver_order": 2,
    "solver_type": "midpoint",
    "steps_offset": 1,
    "thresholding": False,
    "timestep_spacing": "leading",
    "trained_betas": None,
    "use_karras_sigmas": True,
    "use_lu_lambdas": False,
    "variance_type": None,
}

#: what was saved, the class that takes it, what it does not take
REAL: dict[str, tuple[dict[str, Any], str, set[str]]] = {
    "SD 1.5": (PNDM, "PNDMScheduler", {"clip_sample"}),
    "SD 1.5 for DDIM": (PNDM, "DDIMScheduler", {"skip_prk_steps"}),
    "SD 2.1": (DDIM, "DDIMScheduler", {"skip_prk_steps"}),
    "SDXL": (
        SDXL,
        "EulerDiscreteScheduler",
        {"clip_sample", "sample_max_value", "set_alpha_to_one", "skip_prk_steps"},
    ),
    "SD 3": (SD3, "FlowMatchEulerDiscreteScheduler", set()),
    "Flux": (FLUX, "FlowMatchEulerDiscreteScheduler", set()),
    "LCM": (LCM, "LCMScheduler", set()),
    "SDXL Lightning": (
        LIGHTNING,
        "EulerDiscreteScheduler",
        {"clip_sample", "sample_max_value", "set_alpha_to_one", "skip_prk_steps"},
    ),
    "DPM++ Karras": (
        KARRAS,
        "DPMSolverMultistepScheduler",
        {"set_alpha_to_one", "skip_prk_steps"},
    ),
    "SDXL for DPM++": (
        SDXL,
        "DPMSolverMultistepScheduler",
        {"clip_sample", "interpolation_type", "set_alpha_to_one", "skip_prk_steps"},
    ),
}


@pytest.mark.parametrize(("saved", "name", "dropped"), REAL.values(), ids=list(REAL))
def test_it_is_taken_as_from_config_takes_it(
    saved: dict[str, Any], name: str, dropped: set[str]
) -> None:
    (found,) = resolve(f"diffusers:{name}", saved)
    theirs = getattr(diffusers, name).from_config(saved)
    for key in found.config:
        assert found.config[key] == saved[key] == theirs.config[key]
    assert {*saved} - {*found.config} == dropped | {"_class_name", "_diffusers_version"}
    (note,) = found.notes
    assert f"one that {saved['_class_name']} saved" in note
    assert ("another class" in note) == (name != saved["_class_name"])
    assert all(key in note for key in dropped)
    assert ("dropped" in note) == bool(dropped)


def test_the_class_may_be_a_users_own() -> None:
    class Mine(diffusers.EulerDiscreteScheduler):  # type: ignore[misc]
        pass

    class Anything(diffusers.EulerDiscreteScheduler):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            super().__init__()
            self.given = options

    assert resolve(Mine, SDXL)[0].config["timestep_spacing"] == "leading"
    assert resolve(Mine(), SDXL)[0].config["timestep_spacing"] == "leading"
    assert "clip_sample" in resolve(Anything, SDXL)[0].config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"beta_schedule": "nonsense"}, "constructor refuses"),
        ({"prediction_type": "banana"}, "'banana' unknown"),
        ({"_class_name": None, "_diffusers_version": None}, "constructor refuses"),
    ],
)
def test_what_is_wrong_is_still_refused(change: dict[str, Any], words: str) -> None:
    """A value that the constructor takes; a key of nobody's, where nobody saved it."""
    wrong = {k: v for k, v in {**SDXL, **change}.items() if k not in change or v is not None}
    with pytest.raises(Unusable, match=words):
        resolve("diffusers:EulerDiscreteScheduler", wrong)


def test_files_and_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline = tmp_path / "pipeline"
    (pipeline / "scheduler").mkdir(parents=True)
    file = pipeline / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(SDXL), encoding="utf-8")
    call = ["certify", "diffusers:EulerDiscreteScheduler", "--select", "counts", "--steps", "4,8"]
    kept = tmp_path / "certificate.json"
    for way in (file, file.parent, pipeline, json.dumps(SDXL)):
        assert cli.main([*call, "--config", str(way), "--json", str(kept)]) == 0
        err = capsys.readouterr().err
        assert err.count("dfbench: note: diffusers:EulerDiscreteScheduler: the configuration") == 1
        (subject,) = json.loads(kept.read_text())["subjects"]
        assert subject["config"]["timestep_spacing"] == "leading"
        assert "skip_prk_steps" in subject["notes"][0]
        assert "skip_prk_steps" in err
    assert cli.main([*call, "--config", '{"steps_offset": 1}']) == 0
    assert "note" not in capsys.readouterr().err


@pytest.mark.parametrize("text", ["[1]", "{", '{"beta_schedule": "nonsense"}', None])
def test_files_that_cannot_be_used(
    text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scheduler_config.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    for way in (file, tmp_path):
        call = ["certify", "diffusers:EulerDiscreteScheduler", "--config", str(way)]
        assert cli.main(call) == 2
        err = capsys.readouterr().err
        assert err.startswith("dfbench: error: ")
        assert err.count("\n") == 1


def test_from_python() -> None:
    (report,) = dfbench.certify(
        "diffusers:PNDMScheduler", config=PNDM, select=["identity", "bookkeeping"]
    ).subjects
    assert report.config["skip_prk_steps"]
    assert "dropped, as PNDMScheduler does not take them: clip_sample" in report.notes[0]
    assert report.notes[0] in str(
        dfbench.certify("diffusers:PNDMScheduler", config=PNDM, select=["counts"])
    )
