"""Published numbers: which come out, and that a number that is off does not."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from dfbench.cli import main
from dfbench.published import compare

#: Printed numbers that do not follow from their stated setting.
OFF = {("lin", "cosine"), ("ncsnv2", "140 0.01 788 4"), ("ays", "0.399")}


def test_all_but_those_named_come_out():
    assert {(each.source, each.setting) for each in compare() if not each.agrees} == OFF


@pytest.mark.parametrize("number", compare(), ids=lambda each: f"{each.source} {each.setting}")
def test_a_unit_of_the_last_digit_is_seen(number):
    digits, _, power = number.printed.partition("e")
    unit = 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))
    right = replace(number, computed=float(number.printed))
    assert right.agrees
    assert not replace(right, computed=right.computed + unit).agrees
    assert not replace(right, computed=right.computed - unit).agrees


def test_the_cosine_row_is_that_of_float32():
    n = np.arange(1001) / 1000
    bar = np.cos((n + 0.008) / 1.008 * np.pi / 2) ** 2
    beta = torch.tensor(np.minimum(1 - bar[1:] / bar[:-1], 0.999), dtype=torch.float32)
    last = torch.cumprod(1 - beta, 0)[-1]
    found = {"SNR": last / (1 - last), "√ᾱ": last.sqrt()}
    for number in compare():
        if (number.source, number.setting) == ("lin", "cosine"):
            in_float32 = found[number.quantity.split()[0]].item()
            assert replace(number, computed=in_float32).agrees


def test_command(tmp_path):
    page, data = tmp_path / "page.html", tmp_path / "numbers.json"
    assert main(["published", "--json", str(data), "--report", str(page)]) == 1  # some are off
    found = json.loads(data.read_text("utf-8"))
    assert found["total"] == len(found["numbers"]) == len(compare())
    assert "published numbers agree" in page.read_text("utf-8")
