"""The recipes of CONTRIBUTING, run as they are printed there, in a copy of the packages.

That for a subject is run by `tests/subjects/test_recipe.py`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(
    r"```(?:python|toml)\n# (at the end of )?(\S+\.(?:py|toml))\n(.*?)```", re.DOTALL
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages and the tests with the files of all recipes."""
    place = tmp_path_factory.mktemp("recipes")
    for name in ("analytic", "dfbench", "tests"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", place)
    for end, name, code in BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8")):
        file = place / name
        assert file.exists() == bool(end), name
        with file.open("a", encoding="utf-8") as text:
            text.write(f"\n\n{code}" if end else code)
    return place


def run(copy: Path, *arguments: str) -> str:
    """What `python -m …` prints in the copy, where it must succeed."""
    found = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-3000:]
    return found.stdout


def dfbench(copy: Path, *arguments: str) -> str:
    return run(copy, "dfbench.cli", *arguments)


def verdicts(copy: Path, *arguments: str) -> dict[str, str]:
    """What a certificate says of every claim on its one subject."""
    file = copy / "certificate.json"
    dfbench(copy, "certify", *arguments, "--json", str(file))
    (subject,) = json.loads(file.read_text("utf-8"))["subjects"]
    return {finding["claim"]: finding["verdict"] for finding in subject["findings"]}


@pytest.mark.slow
def test_a_sampler(copy):
    found = verdicts(copy, "dfbench:song", "--config", '{"eta": 0.5}')
    assert {found[claim] for claim in ("affine", "bookkeeping", "order", "law")} == {"pass"}
    run(copy, "pytest", "-q", "tests/formulas", "-k", "song or every_option")


@pytest.mark.slow
def test_a_check(copy):
    assert verdicts(copy, "dfbench:heun", "--select", "spread") == {"spread": "pass"}
    control = (
        "from dfbench.checks import CLAIMS; claim = CLAIMS['spread']; "
        "assert claim(claim.control(claim.control_size)).verdict == 'fail'"
    )
    (copy / "control.py").write_text(control, encoding="utf-8")
    run(copy, "control")


@pytest.mark.slow
def test_a_claim_of_the_literature(copy):
    page, data = copy / "claims.html", copy / "claims.json"
    told = dfbench(copy, "claims", "55", "--report", str(page), "--json", str(data))
    assert "55. Noise adds" in told
    assert "c55_noise_adds.py" in told
    (claim,) = json.loads(data.read_text("utf-8"))["claims"]
    assert (claim["verdict"], claim["control"]["verdict"]) == ("pass", "fail")
    assert 'id="c55"' in page.read_text("utf-8")
    run(copy, "pytest", "-q", "tests/literature/test_statements.py", "-k", "55 or numbered")


@pytest.mark.slow
def test_a_measure_and_a_target(copy):
    names = {
        each["name"] for each in json.loads(dfbench(copy, "list", "metrics", "--json"))["metrics"]
    }
    assert "mean_error" in names
    dfbench(copy, "bench", "pair.toml", "--out", "results", "--workers", "1")
    (row,) = (
        line
        for line in (copy / "results/measurements.csv").read_text("utf-8").splitlines()
        if "mean_error" in line
    )
    assert "pair" in row
    page = copy / "pair.html"
    dfbench(copy, "report", "results", "--out", str(page))
    assert "mean_error" in page.read_text("utf-8").replace(" ", "_")


@pytest.mark.slow
def test_a_part_of_training(copy):
    made = (
        "from dfbench.training.config import parse\n"
        "from dfbench.training.data import KINDS\n"
        "config = parse({'data': {'kind': 'pair', 'distance': 3.0}})\n"
        "data = config.data.build(KINDS, 'data', 0)\n"
        "assert data.truth.means.tolist() == [[-1.5], [1.5]]\n"
    )
    (copy / "made.py").write_text(made, encoding="utf-8")
    run(copy, "made")
