"""The command's results: summary, tables, speed."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from dfbench.errors import Unusable
from dfbench.training import config, loop, results, study, throughput

TINY = config.parse(
    {
        "title": "tiny",
        "data": {"kind": "mixture", "held_out": 20},
        "model": {"kind": "mlp", "width": 16, "depth": 2, "features": 4},
        "loop": {"steps": 20, "batch": 32, "log_every": 10, "checkpoint_every": 10},
    }
)


def test_a_study_leaves_its_results(tmp_path):
    told = []
    study.run(TINY, tmp_path, lambda *what: told.append(what), command="the command", profile=True)
    assert [done for _, done, _ in told] == [10, 20]
    assert "samples/s" in told[0][0]
    summary = json.loads((tmp_path / "training.json").read_text("utf-8"))
    assert summary["schema"] == "dfbench.training/1"
    assert summary["tables"] == ["log", "profile"]
    assert config.parse(summary["config"]) == TINY
    assert summary["environment"]["command"] == "the command"
    assert 0 < summary["throughput"]["fraction_of_peak"] < 1.2
    log = pd.read_csv(tmp_path / "results" / "log.csv")
    assert list(log["step"]) == [10, 20]
    pd.testing.assert_frame_equal(log, pd.read_parquet(tmp_path / "results" / "log.parquet"))
    profile = pd.read_parquet(tmp_path / "results" / "profile.parquet")
    assert profile["fraction"].sum() == pytest.approx(1)
    assert any("mm" in name for name in profile["operation"])
    before = (tmp_path / "training.json").stat().st_mtime_ns
    study.run(TINY, tmp_path)  # nothing is left to do
    assert (tmp_path / "training.json").stat().st_mtime_ns == before


def test_operations_of_a_perceptron():
    """Two per weight and sample forward, four backward, less the gradient nobody needs.

    That is the one of the first layers' inputs: z (2 × 16) and the features of λ (8 × 32).
    """
    trainer = loop.Trainer(TINY)
    before = [p.clone() for p in trainer.parameters]
    each = throughput.operations(trainer)
    inner = 2 * 16 * 16 + 16 * 2
    outer = 2 * 16 + 8 * 32
    assert each == 6 * inner + 4 * outer
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.parameters, strict=True))
    assert trainer.step == 0


def test_the_peak_is_that_of_products():
    """No product of two matrices is faster: a small one reaches less."""
    peak = throughput.matmul_peak(torch.device("cpu"), torch.float32, seconds=0.05)
    assert 1e8 < peak < 1e15


def test_tables_and_numbers_that_are_not_finite(tmp_path):
    table = pd.DataFrame({"a": [1.0, np.inf], "b": ["x", None]})
    results.save_table(tmp_path, "one", table)
    results.update(tmp_path, findings=[{"measured": np.float64("nan"), "n": np.int64(3)}])
    summary = results.load(tmp_path)
    assert summary["tables"] == ["one"]
    assert summary["findings"] == [{"measured": "nan", "n": 3}]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "results" / "one.parquet"), table)
    results.file_of(tmp_path).write_text("[]", encoding="utf-8")
    with pytest.raises(Unusable, match="not a dfbench"):
        results.load(tmp_path)


@pytest.mark.parametrize("precision", ["float32", "bf16", "float64"])
def test_precisions(precision):
    """bf16 is autocast: weights stay float32, and the losses are near those of float32."""
    table = config.as_table(TINY)

    def losses(name):
        made = config.parse(table | {"loop": table["loop"] | {"precision": name}})
        trainer = loop.Trainer(made)
        expected = torch.float64 if name == "float64" else torch.float32
        assert {p.dtype for p in trainer.parameters} == {expected}
        return [float(trainer.advance()[0]) for _ in range(5)]

    found, single = losses(precision), losses("float32")
    if precision == "float64":  # other draws: only of one size
        assert np.mean(found) == pytest.approx(np.mean(single), rel=0.5)
    else:
        assert (found == single) == (precision == "float32")
        np.testing.assert_allclose(found, single, rtol=0.05)


@pytest.mark.slow(quick=3)
@pytest.mark.parametrize("loss", ["implicit", "hutchinson", "score", "edm"])
def test_every_loss_trains(loss):
    """NCSN with its geometric levels; losses without a target begin at 0 and go below it."""
    table = {
        "data": {"kind": "mixture", "name": "two-1d", "held_out": 20},
        "model": {"kind": "mlp", "width": 16, "depth": 1},
        "objective": {"prediction": "eps", "loss": loss, "weighting": "elbo", "schedule": "ve"},
        "levels": {"kind": "geometric", "low": -4.0, "high": 4.0, "count": 10},
        "loop": {
            "steps": 200,
            "batch": 128,
            "learning_rate": 3e-3,
            "warmup": 5,
            "log_every": 50,
            "checkpoint_every": 200,
        },
    }
    trainer = loop.Trainer(config.parse(table))
    rows = [trainer.run_to_log() for _ in range(4)]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert (rows[-1]["loss"] < 0) == (loss in ("implicit", "hutchinson"))


# torch's compiler imports what torch itself has deprecated
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_what_is_compiled():
    """What is asked for, but no loss that differentiates the network's derivative."""
    table = config.as_table(TINY)
    for loss, compiled in (("prediction", True), ("hutchinson", False)):
        more = {
            "loop": table["loop"] | {"compile": "on"},
            "objective": table["objective"] | {"loss": loss},
        }
        trainer = loop.Trainer(config.parse(table | more))
        assert (trainer.forward is not trainer.net) == compiled
    automatic = loop.Trainer(TINY)
    assert (automatic.forward is not automatic.net) == (automatic.device.type == "cuda")
