"""The package as a whole: its version, its public names, and what importing it costs."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dfbench
from dfbench.literature import PRINTED, ROWS

ROOT = Path(__file__).parents[1]


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has after running `code`."""
    told = f"import sys; {code}; print('modules:', *sys.modules)"
    command = [sys.executable, "-c", told]
    run = subprocess.run(command, capture_output=True, check=True, cwd=ROOT, text=True)
    return set(run.stdout.rpartition("modules:")[2].split())


def imported_by(module: str) -> set[str]:
    """The top-level packages that a fresh interpreter has after importing `module`."""
    return {name.partition(".")[0] for name in modules_after(f"import {module}")}


def test_version_is_that_of_the_metadata():
    assert dfbench.__version__ == importlib.metadata.version("dfbench")


def test_version_is_that_of_the_citation_and_the_changelog():
    assert f"version: {dfbench.__version__}" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## [{dfbench.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_oracle_needs_neither_torch_nor_dfbench():
    assert not imported_by("analytic") & {"dfbench", "torch"}


def test_importing_dfbench_is_free():
    assert not imported_by("dfbench") & {
        "matplotlib",
        "numpy",
        "pandas",
        "pydantic",
        "scipy",
        "torch",
    }


@pytest.mark.slow
def test_claims_of_the_literature_need_no_torch_and_are_imported_when_asked_for():
    assert not imported_by("dfbench.literature") & {"numpy", "torch"}
    loaded = modules_after("from dfbench.cli import main; main(['claims', '34'])")
    statements = [name for name in loaded if re.match(r"dfbench\.literature\.[cp]\d", name)]
    assert [name.split(".")[-1][:4] for name in statements] == ["c34_"]
    assert "torch" not in loaded
    assert sum(name.partition(".")[0] in ("analytic", "dfbench") for name in loaded) < 100


def test_the_readme_says_how_many_claims_there_are():
    said = f"{len(ROWS)} claims and {len(PRINTED)} formulas as printed"
    assert said in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", dfbench.__all__)
def test_public_names_resolve(name):
    assert name in dir(dfbench)
    assert getattr(dfbench, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = dfbench.nonsense


def test_ci_runs_the_command_of_the_readme():
    readme = (ROOT / "README.md").read_text("utf-8")
    commands = re.findall(r"^python3 -m venv .*$", readme, re.MULTILINE)
    assert len(commands) == 2
    assert any(command in (ROOT / ".ci/run").read_text("utf-8") for command in commands)
