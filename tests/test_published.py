"""Published numbers: which come out, and that a number that is off does not."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from dfbench.cli import main
from dfbench.published import compare, half_unit, ncsnv2
from dfbench.schedules import DiscreteSchedule

#: Printed numbers that do not follow from their stated setting.
OFF = {("lin", "cosine"), ("ncsnv2", "σ_1 140, σ_L 0.01, L 788, T 4"), ("ays", "0.399")}


def test_all_but_those_named_come_out():
    assert {(each.source, each.setting) for each in compare() if not each.reproduced} == OFF


@pytest.mark.parametrize("number", compare(), ids=lambda each: f"{each.source} {each.setting}")
def test_a_unit_of_the_last_digit_is_seen(number):
    unit = 2 * half_unit(number.printed)
    right = replace(number, computed=float(number.printed))
    assert right.reproduced
    assert not replace(right, computed=right.computed + unit).reproduced
    assert not replace(right, computed=right.computed - unit).reproduced


def test_the_cosine_row_is_that_of_float32():
    n = np.arange(1001) / 1000
    bar = np.cos((n + 0.008) / 1.008 * np.pi / 2) ** 2
    beta = torch.tensor(np.minimum(1 - bar[1:] / bar[:-1], 0.999), dtype=torch.float32)
    last = torch.cumprod(1 - beta, 0)[-1]
    found = {"SNR": last / (1 - last), "√ᾱ": last.sqrt()}
    numbers = [each for each in compare() if (each.source, each.setting) == ("lin", "cosine")]
    assert len(numbers) == len(found)
    for number in numbers:
        in_float32 = found[number.quantity.split()[0]].item()
        assert replace(number, computed=in_float32).reproduced


def test_no_number_of_steps_gives_the_step_size_for_churches():
    """What is said to have no reason found."""
    sizes = [ncsnv2(f"σ_1 140, σ_L 0.01, L 788, T {steps}", "step size") for steps in range(1, 7)]
    assert 2.15e-6 < min(sizes) < max(sizes) < 2.45e-6


def test_a_level_lies_between_two_indices():
    ratios = DiscreteSchedule.scaled_linear().ratios
    assert f"{ratios[124]:.4f} {ratios[125]:.4f}" == "0.3977 0.4000"


def test_command(tmp_path):
    page, data = tmp_path / "page.html", tmp_path / "numbers.json"
    assert main(["published", "--json", str(data), "--report", str(page)]) == 1  # some are off
    found = json.loads(data.read_text("utf-8"))
    assert found["total"] == len(found["numbers"]) == len(compare())
    assert "published numbers agree" in page.read_text("utf-8")


def test_steps_and_sigmas_are_those_of_the_release():
    schedules = pytest.importorskip("diffusers.schedulers").AysSchedules
    for model, said in (("StableDiffusion", "(SD 1.5)"), ("StableDiffusionXL", "(SDXL)")):
        kept = [each for each in compare() if each.quantity.endswith(said)]
        found = [(int(each.printed), float(each.setting)) for each in kept]
        times, sigmas = schedules[f"{model}Timesteps"], schedules[f"{model}Sigmas"]
        assert found == list(zip(times, sigmas[:-1], strict=True))  # the last σ is 0
