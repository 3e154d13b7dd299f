"""A study takes the samplers of other libraries, and those of a file, as they are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dfbench import cli

pytestmark = pytest.mark.slow

STUDY = """
name = "field"
title = "Samplers of several libraries"
samples = 200

[budgets]
nfe = [8, 16]

[[targets]]
label = "images"
kind = "power_law"
metrics = ["w2"]

[[samplers]]
label = "theirs"
name = "torchdiffeq:midpoint"

[[samplers]]
label = "mine"
name = "{file}:flow"
"""
FILE = """
def flow(model, x, steps):
    for i in range(steps):
        x = x + model(x, i / steps) / steps
    return x
"""


def test_other_libraries_and_a_file(tmp_path: Path) -> None:
    pytest.importorskip("torchdiffeq")
    file = tmp_path / "mine.py"
    file.write_text(FILE, encoding="utf-8")
    study = tmp_path / "study.toml"
    study.write_text(STUDY.format(file=file), encoding="utf-8")
    out = tmp_path / "out"
    assert cli.main(["bench", str(study), "--out", str(out), "--workers", "1"]) == 0
    found = pd.read_csv(out / "measurements.csv")
    whole = found[(found["metric"] == "w2") & (found["value"] > 0)]
    error = whole.groupby(["sampler", "nfe"])["value"].max()
    for name in ("theirs", "mine"):
        assert error[name, 16] < error[name, 8]
    # the midpoint rule is of second order, Euler's of first
    assert error["theirs", 16] < error["mine", 16]
