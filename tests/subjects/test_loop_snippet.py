"""Scripts that show what is wrong with a loop, with its own code and nothing of dfbench."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import dfbench

SHAPES = Path(__file__).with_name("shapes")
FILES = {
    "time_float": ("sample", {"predicts": "u", "level": "flow-down"}),
    "time_rows": ("generate", {"predicts": "-u", "level": "flow-up"}),
    "keywords": ("sample", {"predicts": "-u", "level": "flow-up"}),
    "normalised": ("sample", {"predicts": "-u", "level": "flow-up"}),
    "no_generator": ("sample_ancestral", {"predicts": "x", "level": "sigma"}),
    "callable_class": ("Heun", {"predicts": "x", "level": "sigma"}),
    "generator_function": ("states", {"predicts": "score", "level": "sigma"}),
}


def numbers(script: str, folder: Path) -> list[tuple[float, float]]:
    """(what is, what should be) of every line that a script prints."""
    assert "dfbench" not in script
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    run = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    lines = [line for line in run.stdout.splitlines() if "should be" in line]
    pairs = [re.findall(r"[-+\d.einf]+(?= should| *$)", line) for line in lines]
    return [(float(pair[-2]), float(pair[-1])) for pair in pairs]


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("file", FILES)
def test_books(file: str, tmp_path: Path) -> None:
    name, declare = FILES[file]
    text = (SHAPES / f"{file}.py").read_text("utf-8").replace("BUG = None", "BUG = 4")
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    (report,) = dfbench.certify(
        f"{tmp_path / 'mine.py'}:{name}", declare=declare, select=["bookkeeping"]
    ).subjects
    (finding,) = report.findings
    assert finding.verdict == "fail"
    mean, noise = numbers(str(finding.reproduce), tmp_path)
    gap = max(abs(a - b) for a, b in (mean, noise))
    assert gap > 1e-4


@pytest.mark.slow
def test_coefficients(tmp_path: Path) -> None:
    declare = {"predicts": "x", "level": "sigma", "reference": "euler"}
    (tmp_path / "mine_weight.py").write_text(
        "def wrong_weight(model, x, sigmas):\n"
        "    for i, (s, t) in enumerate(zip(sigmas[:-1], sigmas[1:])):\n"
        "        m = model(x, s)\n"
        "        x = x + (t - s) * (x - m) / s * (1.01 if i == 2 else 1.0)\n"
        "    return x\n",
        encoding="utf-8",
    )
    (report,) = dfbench.certify(
        f"{tmp_path / 'mine_weight.py'}:wrong_weight", declare=declare, select=["identity"]
    ).subjects
    (finding,) = report.findings
    assert finding.verdict == "fail"
    ((found, expected),) = numbers(str(finding.reproduce), tmp_path)
    assert found != pytest.approx(expected, abs=1e-3)
    assert f"{expected:.6g}"[:6] in str(finding.where)
