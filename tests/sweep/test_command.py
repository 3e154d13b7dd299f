"""`dfbench bench` on the command line, and what a study says of a network that was trained."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest

import dfbench
from dfbench import cli
from dfbench.levels import Level
from dfbench.sweep.laws import TARGETS
from tests.sweep.studies import tiny

STUDY = """
name = "small"
metrics = ["w2"]
samplers = ["ddim", "heun", "reverse_sde"]
schedules = ["flow_matching"]
grids = [{ name = "uniform_t", t = [1.0, 0.01] }]
[budgets]
nfe = [4]
[[targets]]
kind = "isotropic"
"""


def test_the_command_runs_a_study_and_says_what_came_of_it(tmp_path, capsys):
    (tmp_path / "small.toml").write_text(STUDY)
    out = tmp_path / "out"
    assert (
        cli.main(["bench", str(tmp_path / "small.toml"), "--out", str(out), "--workers", "1"]) == 0
    )
    said = capsys.readouterr().out
    assert "small: 1 cells, 1 computed now" in said
    assert "left out: 1 × the variance-exploding form z/α does not exist at α = 0" in said
    assert "left out: 1 × its coefficients are not finite on these levels" in said
    assert "measurements.csv" in said
    with (out / "excluded.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2
    known = json.loads((out / "environment.json").read_text())
    assert known["command"].startswith("dfbench bench ")
    assert (out / "study.toml").read_text() == STUDY


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bench", "quik", "--out", "x"], "no study 'quik'"),
        (["bench", "--out", "x", "--workers", "0"], "workers"),
        (["bench", "--out", "x", "--backend", "slurm"], "backend"),
        (["bench"], "out"),
    ],
)
def test_a_call_that_cannot_be_carried_out_is_one_line_and_status_2(
    tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("dfbench: error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "x").exists()


def test_a_failed_cell_is_status_1(tmp_path, monkeypatch, capsys):
    from dfbench.sweep import measures

    def broken(target, run, samples):
        raise ArithmeticError("no")

    w2 = measures.MEASURES["w2"]
    monkeypatch.setitem(
        measures.MEASURES, "w2", measures.Measure("w2", "", "", True, "", w2.applies, broken)
    )
    (tmp_path / "small.toml").write_text(STUDY)
    arguments = ["bench", str(tmp_path / "small.toml"), "--out", str(tmp_path / "out")]
    assert cli.main([*arguments, "--workers", "1"]) == 1
    assert "failed: 1 × ArithmeticError: no" in capsys.readouterr().out


def test_from_python_it_is_the_same(tmp_path):
    outcome = dfbench.bench(tiny(), tmp_path, workers=1)
    assert outcome.cells == 16
    assert outcome.summary().startswith("tiny: 16 cells")


def test_progress_tells_the_time_left(tmp_path, capsys):
    (tmp_path / "small.toml").write_text(STUDY.replace("[4]", "[4, 5, 6, 7, 8, 9, 10, 11, 12, 13]"))
    arguments = ["bench", str(tmp_path / "small.toml"), "--out", str(tmp_path), "--workers", "1"]
    assert cli.main(arguments) == 0
    assert re.search(r"dfbench: bench: 5 of 10, about \d+ s left\n", capsys.readouterr().err)


def test_listing_names_targets_grids_metrics_and_studies(capsys):
    assert cli.main(["list", "--json", "targets"]) == 0
    targets = {each["name"]: each for each in json.loads(capsys.readouterr().out)["targets"]}
    assert set(targets) == set(TARGETS)
    assert targets["power_law"]["options"]["dimension"] == 3072
    assert targets["covariance"]["options"]["data"] == "required"
    assert all(each["what"] for each in targets.values())
    for kind, name in (("metrics", "w2"), ("grids", "karras"), ("studies", "quick")):
        assert cli.main(["list", kind]) == 0
        assert name in capsys.readouterr().out


def test_a_trained_network_is_a_target(tmp_path):
    from dfbench.training import config, loop

    study = {
        "data": {"kind": "mixture", "name": "ring-2d", "held_out": 100},
        "model": {"kind": "mlp", "width": 16, "depth": 1},
        "loop": {"steps": 20, "batch": 32, "warmup": 5, "log_every": 5, "checkpoint_every": 10},
    }
    network = loop.train(config.parse(study), tmp_path / "network")
    target = TARGETS["trained"](str(tmp_path / "network"))
    z, level = np.random.default_rng(0).standard_normal((5, 2)), Level(0.6, 0.8)
    np.testing.assert_allclose(target.model("x")(z, level), network.as_prediction("x")(z, level))
    assert target.law.dim == 2
    content = tiny(
        targets=[{"kind": "trained", "directory": str(tmp_path / "network"), "label": "ring"}],
        metrics=["w2", "sliced_w2", "strong_error"],
        samples=200,
        budgets={"steps": [4]},
    )
    outcome = dfbench.bench(content, tmp_path / "out", workers=1)
    assert outcome.failed == 0
    with (tmp_path / "out" / "measurements.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["metric"] for row in rows} == {"sliced_w2"}
    assert len(rows) == 3
    before = {row["cell"] for row in rows}
    # trained further, it is another network
    loop.train(config.parse({**study, "loop": {**study["loop"], "steps": 30}}), tmp_path / "more")
    content["targets"][0]["directory"] = str(tmp_path / "more")
    assert dfbench.bench(content, tmp_path / "out", workers=1).computed == len(before) == 3


def test_a_directory_without_a_network_is_refused(tmp_path):
    from dfbench.errors import Unusable

    with pytest.raises(Unusable, match=r"^targets\[0\].directory: .*no such file"):
        dfbench.bench(tiny(targets=[{"kind": "trained", "directory": str(tmp_path)}]), tmp_path)


def test_the_answer_is_said_at_once(tmp_path, capsys):
    study = STUDY.replace('["ddim", "heun", "reverse_sde"]', '["ddim", "ddpm", "reverse_sde"]')
    (tmp_path / "small.toml").write_text(study)
    arguments = ["bench", str(tmp_path / "small.toml"), "--out", str(tmp_path), "--workers", "1"]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    with (tmp_path / "measurements.csv").open() as file:
        errors = {
            r["sampler"]: float(r["value"]) for r in csv.DictReader(file) if r["source"] == "all"
        }
    best, worse = sorted(errors, key=errors.__getitem__)
    line = next(line for line in said.splitlines() if line.startswith("isotropic"))
    assert f"{errors[best]:.3g}" in line
    assert line.index(best) < line.index(worse)
    assert f"{worse} ×{errors[worse] / errors[best]:.3g}" in line
