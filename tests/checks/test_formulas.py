"""Numbers of a formula: those of diffusers' training utilities, and what people get wrong."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dfbench
from dfbench import cli
from dfbench.outcome import SubjectReport
from dfbench.schedules import DiscreteSchedule
from dfbench.subjects import resolve
from dfbench.subjects.diffusers_training_utils import TIMES, decays, left, snr

utils: Any = pytest.importorskip("diffusers.training_utils")


def certified(name: str) -> SubjectReport:
    (report,) = dfbench.certify(f"diffusers.training_utils:{name}").subjects
    return report


def failed(name: str) -> list[str]:
    return [f.claim for f in certified(name).findings if f.verdict == "fail"]


def test_all_of_it_is_right() -> None:
    certificate = dfbench.certify("diffusers.training_utils")
    assert certificate.verdict == "pass"
    assert len(certificate.subjects) == 21
    assert {each.library for each in certificate.subjects} == {"diffusers_training_utils"}


def test_the_formulas_are_those_of_their_sources() -> None:
    """ᾱ from β; the plain mean of 1 … k; and the numbers that the notes on warm-up print."""
    schedule = DiscreteSchedule.linear(1000)
    level = np.array([schedule.level(t) for t in TIMES])
    assert snr(np.array(TIMES)) == pytest.approx((level[:, 0] / level[:, 1]) ** 2, rel=2e-3)
    k = np.array([1.0, 4.0, 9.0])
    assert left(use_ema_warmup=True, power=1.0)(k) == pytest.approx((k + 1) / 2)
    reached = decays(use_ema_warmup=True, decay=1.0)(np.array([31.6e3, 1e6]))
    assert reached == pytest.approx([0.999, 0.9999], abs=1e-6)
    late = decays(update_after_step=4, min_decay=0.3)(np.array([5.0, 6.0, 100.0]))
    assert late == pytest.approx([0.0, 0.3, 95 / 105 * 96 / 95], abs=0.01)


def test_a_name_that_is_no_utility_is_code_of_the_module() -> None:
    name = "diffusers.training_utils:compute_density_for_timestep_sampling"
    (subject,) = resolve(name, call={"weighting_scheme": "none"}, profile="times")
    assert subject.kind == "times"
    assert resolve("diffusers.training_utils:snr")[0].name == "diffusers_training_utils:snr"


# What people get wrong ----------------------------------------------------------------------------


def _ratio(scheduler: Any, t: torch.Tensor) -> torch.Tensor:
    """Not squared."""
    kept = scheduler.alphas_cumprod[t]
    return (kept / (1 - kept)) ** 0.5


def _first(scheduler: Any, t: torch.Tensor) -> torch.Tensor:
    """Of the first row, for all."""
    kept = scheduler.alphas_cumprod[t.flatten()[0]]
    return (kept / (1 - kept)).expand(t.shape)


@pytest.mark.parametrize(
    ("wrong", "claims"), [(_ratio, ["formula-value"]), (_first, ["formula-value", "formula-rows"])]
)
def test_a_wrong_ratio(wrong: Any, claims: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "compute_snr", wrong)
    assert failed("snr") == claims


def test_wrong_times_and_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def times(weighting_scheme: str, batch_size: int, **given: Any) -> torch.Tensor:
        if weighting_scheme == "logit_normal":  # the deviation is forgotten
            return torch.sigmoid(torch.normal(given["logit_mean"], 1.0, size=(batch_size,)))
        u = torch.rand(batch_size)
        if weighting_scheme == "mode":  # the other sign of the scale
            return 1 - u + given["mode_scale"] * (torch.cos(math.pi * u / 2) ** 2 - 1 + u)
        return u**2

    def weights(scheme: str, sigmas: torch.Tensor) -> torch.Tensor:
        if scheme == "cosmap":  # a square without its factor
            return 2 / (math.pi * (1 - 2 * sigmas + sigmas**2))
        return sigmas**-1.0 if scheme == "sigma_sqrt" else 1 - sigmas

    monkeypatch.setattr(utils, "compute_density_for_timestep_sampling", times)
    monkeypatch.setattr(utils, "compute_loss_weighting_for_sd3", weights)
    for name in ("logit_normal", "mode", "none"):
        assert "times-density" in failed(f"density_{name}")
    for name in ("cosmap", "sigma_sqrt", "none"):
        assert {"formula-value", "formula-runs"} & {*failed(f"weighting_{name}")}


class _Early(utils.EMAModel):  # type: ignore[misc, name-defined]
    """A step too far on in the warm-up."""

    def get_decay(self, optimization_step: int) -> float:
        return float(super().get_decay(optimization_step + 1))


class _Boundless(utils.EMAModel):  # type: ignore[misc, name-defined]
    """No upper bound, nor a lower one."""

    def get_decay(self, optimization_step: int) -> float:
        self.decay, self.min_decay = 1.0, 0.0
        return float(super().get_decay(optimization_step))


class _Swapped(utils.EMAModel):  # type: ignore[misc, name-defined]
    """The decay is the parameter's weight."""

    def get_decay(self, optimization_step: int) -> float:
        return 1 - float(super().get_decay(optimization_step))


class _Averages(utils.EMAModel):  # type: ignore[misc, name-defined]
    """What does not learn is averaged with what does."""

    def step(self, parameters: Any) -> None:
        for each in (parameters := list(parameters)):
            each.requires_grad_(True)
        super().step(parameters)


class _Keeps(utils.EMAModel):  # type: ignore[misc, name-defined]
    """Nothing is restored."""

    def restore(self, parameters: Any) -> None:
        self.temp_stored_params = None


class _Forgets(utils.EMAModel):  # type: ignore[misc, name-defined]
    """A saved state does not say how far it was."""

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "optimization_step": 0}


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        (_Early, "ema_decay"),
        (_Early, "ema_average_mean"),
        (_Boundless, "ema_decay_warmup"),
        (_Boundless, "ema_decay_late"),
        (_Swapped, "ema_average_foreach"),
        (_Averages, "ema_frozen"),
        (_Keeps, "ema_restored"),
        (_Forgets, "ema_restored"),
    ],
)
def test_a_wrong_average(wrong: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "EMAModel", wrong)
    assert failed(name) == ["formula-value"]


def test_a_wrong_correction(monkeypatch: pytest.MonkeyPatch) -> None:
    right = utils.compute_dream_and_update_latents

    def without_power(*given: Any) -> Any:
        return right(*given, dream_detail_preservation=2.0)

    monkeypatch.setattr(utils, "compute_dream_and_update_latents", without_power)
    for part in ("target", "latents"):
        assert failed(f"dream_{part}") == ["formula-value"]


# Of one's own -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_formula_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "def weight(s):\n    return s**-2\n\ndef printed(s):\n    return 1 / s**2\n"
    Path("mine.py").write_text(code, encoding="utf-8")
    declared = '{"formula": "mine.py:printed", "at": [0.1, 0.5]}'
    given = ["certify", "mine.py:weight", "--as", "formula", "--declare"]
    assert cli.main([*given, declared]) == 0
    assert cli.main([*given, declared.replace("0.5", "0")]) == 1
    capsys.readouterr()
    assert cli.main([*given, '{"at": [0.1]}']) == 1
    assert "declare `formula`" in " ".join(capsys.readouterr().out.split())
    assert cli.main([*given, '{"formula": "mine.py:none", "at": [0.1]}']) == 2
    assert "no function none" in capsys.readouterr().err
