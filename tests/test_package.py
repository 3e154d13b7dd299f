"""The package as a whole: its version, its public names, and what importing it costs."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dfbench

ROOT = Path(__file__).parents[1]


def imported_by(module: str) -> set[str]:
    """The top-level packages that a fresh interpreter has after importing `module`."""
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, check=True, cwd=ROOT, text=True)
    return set(run.stdout.split())


def test_version_is_that_of_the_metadata():
    assert dfbench.__version__ == importlib.metadata.version("dfbench")


def test_version_is_that_of_the_citation_and_the_changelog():
    assert f"version: {dfbench.__version__}" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## [{dfbench.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_oracle_needs_neither_torch_nor_dfbench():
    assert not imported_by("analytic") & {"dfbench", "torch"}


def test_importing_dfbench_is_free():
    assert not imported_by("dfbench") & {"matplotlib", "numpy", "pandas", "scipy", "torch"}


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
