"""From a study to its results folder and its page."""

from __future__ import annotations

import json
import re
import shutil

import pandas as pd
import pytest

from dfbench import cli
from dfbench.errors import Unusable
from dfbench.report.training import complete, recognise, render
from dfbench.training import results
from dfbench.training.config import parse
from dfbench.training.measure import study as measures
from dfbench.training.study import run

TABLES = {"claims", "excess", "law", "likelihood", "log", "samples", "score_by_density"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny study of a mixture, measured and held to one claim."""
    place = tmp_path_factory.mktemp("study")
    config = parse(
        {
            "title": "A <small> study",
            "data": {"kind": "mixture", "name": "ring-2d"},
            "model": {"kind": "mlp", "width": 8, "depth": 1},
            "loop": {"steps": 20, "batch": 32, "log_every": 10, "checkpoint_every": 10},
            "claims": ["34"],
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "RUNS", (("DDIM", "ddim", {}, (4, 8)),))
        run(config, place, command="dfbench train")
        assert complete(place) == "pass"
    return place


@pytest.mark.slow
def test_the_folder_holds_tables_figures_and_the_summary(folder):
    content = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert content["schema"] == "dfbench.training/1"
    assert content["verdict"] == "pass"
    assert [f["claim"] for f in content["findings"]] == ["T34"]
    assert set(content["tables"]) == TABLES
    for name in TABLES:
        csv, parquet = (folder / "results" / f"{name}.{kind}" for kind in ("csv", "parquet"))
        assert len(pd.read_csv(csv)) == len(pd.read_parquet(parquet)) > 0
    drawn = {file.name for file in (folder / "figures").iterdir()}
    assert {"excess.svg", "law.svg", "samples.svg", "log.svg"} <= drawn
    # after twenty steps a network knows next to nothing
    assert next(iter(content["headline"].values())) > 0.05


@pytest.mark.slow
def test_the_page_is_one_file_with_the_figures_and_their_data(folder):
    page = render([folder])
    assert recognise(folder)
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "A &lt;small&gt; study" in page
    assert page.count("<svg") >= 6
    assert page.count("data as CSV") >= 6
    assert "T34" in page
    twice = re.findall(r'\bid="([^"]+)"', render([folder, folder]))
    assert len(twice) == len(set(twice))
    assert len(page.encode()) < 2e6


@pytest.mark.slow
def test_the_command_makes_the_same_page(folder, tmp_path):
    out = tmp_path / "page.html"
    assert cli.main(["report", str(folder), "--out", str(out)]) == 0
    assert "<h2>A &lt;small&gt; study</h2>" in out.read_text(encoding="utf-8")


def test_a_folder_that_was_not_measured_is_refused(tmp_path):
    results.update(tmp_path, title="half done")
    with pytest.raises(Unusable, match="not measured yet"):
        render([tmp_path])


def test_a_table_that_is_not_one_is_named(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "results" / "law.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(Unusable, match=r"law.csv: not as dfbench train writes it"):
        render([copy])


def test_a_claim_that_does_not_exist_is_refused_before_training(tmp_path, capsys):
    study = tmp_path / "study.toml"
    study.write_text('data = "digits"\nclaims = ["99"]\n', encoding="utf-8")
    assert cli.main(["train", str(study), "--out", str(tmp_path / "out")]) == 2
    assert "no claim on trained networks 99" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_images_without_a_known_law_are_held_to_data_kept_apart(tmp_path, monkeypatch):
    config = parse(
        {
            "data": "digits",
            "model": {"kind": "mlp", "width": 8, "depth": 1},
            "loop": {"steps": 10, "batch": 32, "log_every": 10, "checkpoint_every": 10},
            "claims": ["31", "44"],
        }
    )
    run(config, tmp_path)
    assert complete(tmp_path) == "pass"
    table = pd.read_csv(tmp_path / "results" / "held_out.csv").set_index("metric")
    row = table.loc["energy distance"]
    assert row["value"] > 2 * row["floor_high"]  # ten steps
    verdicts = pd.read_csv(tmp_path / "results" / "claims.csv").set_index("claim").verdict
    assert dict(verdicts) == {"T31": "pass", "T44": "skip"}
    assert (tmp_path / "figures" / "images.png").is_file()
    assert 'href="data:image/png' in render([tmp_path])
