"""The examples that help texts end with: every command has some, and they run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from dfbench import cli, self_test
from dfbench.checks import CLAIMS
from dfbench.sweep import study
from dfbench.training import config

STUDY = """
name = "small"
metrics = ["w2"]
samplers = ["ddim", "heun"]
schedules = ["flow_matching"]
grids = [{ name = "uniform_t", t = [1.0, 0.01] }]
budgets.nfe = [4]
targets = [{ kind = "isotropic" }]
"""
TRAINING = """
title = "tiny"
data = { kind = "mixture", held_out = 20 }
model = { kind = "mlp", width = 16, depth = 2, features = 4 }
loop = { steps = 20, batch = 32, log_every = 10, checkpoint_every = 10 }
"""
SAMPLER = """
def sample(model, x, sigmas):
    for i in range(len(sigmas) - 1):
        d = (x - model(x, sigmas[i] * x.new_ones([x.shape[0]]))) / sigmas[i]
        x = x + d * (sigmas[i + 1] - sigmas[i])
    return x
"""
COMMANDS = sorted(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]


def examples(command: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert cli.main([*filter(None, [command]), "--help"]) == 0
    said = capsys.readouterr().out
    _, found, after = said.partition("\n  Examples:\n")
    assert found, said
    lines = after.rstrip().splitlines()
    assert all(line.startswith(f"    dfbench {command}") for line in lines), lines
    return [line.removeprefix("    dfbench ") for line in lines]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that examples name; the shipped studies are small ones here."""
    for name, text in {
        "my_study.toml": STUDY,
        "my_training.toml": TRAINING,
        "my_sampler.py": SAMPLER,
        "reports/README.md": "# Reports\n\n[One](one/)\n",
        "reports/one/README.md": "# One\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study, "shipped", lambda: {"quick": tmp_path / "my_study.toml"})
    monkeypatch.setattr(config, "shipped", lambda: {"mixture-2d": tmp_path / "my_training.toml"})
    return tmp_path


def run(line: str, capsys: pytest.CaptureFixture[str]) -> int:
    status = cli.main(shlex.split(line))
    said = capsys.readouterr().err
    assert "dfbench: error" not in said, f"{line}: {said}"
    return status


@pytest.mark.slow
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_examples_run(
    command: str,
    folder: Path,
    few_claims: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if command == "self-test":  # the whole has a test of its own
        for id in [*CLAIMS][1:]:
            del CLAIMS[id]
        monkeypatch.setattr(self_test, "GOOD", self_test.GOOD[:1])
    if command == "report":
        run("bench quick --out results", capsys)
        run("bench quick --out newer", capsys)
        run("certify dfbench:ddim --select affine --json certificate.json", capsys)
    for line in examples(command, capsys):
        # some published numbers are known not to be what their settings give
        assert run(line, capsys) == (1 if command == "published" else 0), line
        for file in re.findall(r"--(?:out|report|json) (\S+)", line):
            assert not file[0].isalnum() or (folder / file).exists(), f"{line}: no {file}"


def test_a_help_text_without_examples_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer()
    app.command("list")(lambda: None)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cli, "app", app)
        with pytest.raises(AssertionError):
            examples("", capsys)


def test_lists_name_every_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    """Those without a default, with none, and with one that is 0, too."""
    assert cli.main(["list", "targets"]) == 0
    said = capsys.readouterr().out
    for option in ("file=none", "values=none", "counts=none", "seed=0", "weights=none"):
        assert option in said
    assert cli.main(["list", "samplers"]) == 0
    assert "eta=0.0" in capsys.readouterr().out


def test_lists_of_claims_hold_the_statements(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "claims"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for claim in CLAIMS.values():
        assert " ".join(claim.statement.split()) in said
