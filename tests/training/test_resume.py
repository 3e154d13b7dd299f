"""A run that was interrupted, in whatever way, ends as one that was not."""

import multiprocessing
import random
import time

import pytest
import torch

from dfbench import cli, files
from dfbench.errors import Unusable
from dfbench.training import checkpoint, config, loop
from dfbench.training.trained import Trained

STEPS = 300
STUDY = {
    # everything that has a state: an order of the data, a coupling, a density that is learnt, and
    # a model that draws
    "data": {"kind": "mixture", "name": "ring-2d", "count": 100, "held_out": 10},
    "pairs": {"kind": "minibatch_ot", "size": 8},
    "levels": "adaptive",
    "loop": {"steps": STEPS, "batch": 16, "warmup": 5, "log_every": 5, "checkpoint_every": 10},
}
DROPOUT = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.3), nn.SiLU(), nn.Linear(8, 2))

    def forward(self, z, log_snr):
        return self.layers(z) * (log_snr / 10).tanh()[:, None]

class Late(Net):
    calls = 0

    def forward(self, z, log_snr):
        self.calls += self.training
        return super().forward(z, log_snr) * (float("nan") if self.calls > 47 else 1)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The study, and where its uninterrupted run is."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "net.py").write_text(DROPOUT, encoding="utf-8")
    study = config.parse(STUDY | {"model": {"kind": "user", "name": f"{folder / 'net.py'}:Net"}})
    loop.train(study, folder / "run")
    return study, folder


def weights(folder):
    state = checkpoint.load(folder)
    assert state["step"] == STEPS
    return {f"{part} {k}": v for part in ("model", "ema") for k, v in state[part].items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def steps_logged(folder):
    """The last step in the log, 0 where there is none yet."""
    try:
        lines = checkpoint.log_file(folder).read_text("utf-8").split()
    except FileNotFoundError:
        return 0
    return int(lines[-1].split(",")[0])


@pytest.mark.slow
def test_killed_ten_times(made, tmp_path):
    """SIGKILL as the run is about to write, while it does, after; the weights are the same bits."""
    study, whole = made
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(
        ["dfbench.training.loop", "accelerate", "tomli_w", "torch._dynamo"]
    )
    rng = random.Random(0)
    targets = sorted(rng.sample(range(10, STEPS - 100), 10))
    for target in targets:
        process = processes.Process(target=loop.train, args=(study, tmp_path))
        process.start()
        while steps_logged(tmp_path) < target and process.is_alive():
            time.sleep(0.002)
        time.sleep(rng.random() * 0.03)
        process.kill()
        process.join()
        assert process.exitcode == -9  # it had not finished
        assert steps_logged(tmp_path) < STEPS
    began = checkpoint.load(tmp_path)["step"]
    assert 0 < began < STEPS  # something to resume from, something left to do
    loop.train(study, tmp_path)
    assert same(weights(tmp_path), weights(whole / "run"))
    assert not list((tmp_path / "checkpoint").glob(".*"))  # half-written files are gone
    # the log goes on without a gap or a row twice
    kept, wanted = (checkpoint.load_log(f, STEPS) for f in (tmp_path, whole / "run"))
    assert [row["step"] for row in kept] == [row["step"] for row in wanted]
    assert [row["loss"] for row in kept] == [row["loss"] for row in wanted]


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("part", ["levels", "optimiser", "ema"])
def test_a_state_that_is_not_whole_ends_elsewhere(made, tmp_path, part):
    """The control: every part of the checkpoint counts."""
    study, whole = made
    trainer = loop.Trainer(study)
    while trainer.step < 100:
        trainer.run_to_log()
    trainer.save(tmp_path)
    state = checkpoint.load(tmp_path)
    state[part] = {
        "levels": {"average": [1.0] * 100, "scaled": True},
        "optimiser": loop.Trainer(study).optimiser.state_dict(),
        "ema": state["model"],
    }[part]
    checkpoint.save(tmp_path, state)
    config.save(study, checkpoint.config_file(tmp_path))
    loop.train(study, tmp_path)
    assert not same(weights(tmp_path), weights(whole / "run"))


def test_a_full_disk_loses_nothing(made, tmp_path, monkeypatch):
    study, whole = made
    written = []

    def full(folder, state, save=checkpoint.save):
        written.append(state["step"])
        if len(written) == 4:
            raise OSError(28, "No space left on device", str(checkpoint.state_file(folder)))
        save(folder, state)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", full)
        with pytest.raises(OSError, match="No space"):
            loop.train(study, tmp_path)
    assert checkpoint.load(tmp_path)["step"] == written[2]
    loop.train(study, tmp_path)
    assert same(weights(tmp_path), weights(whole / "run"))


def test_a_disk_that_is_full_while_the_checkpoint_is_written(tmp_path):
    """torch's writer fails in its own way; the file before stays, and the error says what it is."""
    checkpoint.save(tmp_path, {"step": 1})

    class Full:
        def __reduce__(self):
            raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")

    with pytest.raises(OSError, match="cannot write"):
        checkpoint.save(tmp_path, {"step": 2, "more": Full()})
    assert checkpoint.load(tmp_path) == {"step": 1}
    assert not list((tmp_path / "checkpoint").glob(".*"))


def write_study(folder, name, **changes):
    """A TOML file of a small study with a module of the file above."""
    file = folder / "net.py"
    file.write_text(DROPOUT, encoding="utf-8")
    table = STUDY | {"model": {"kind": "user", "name": f"{file}:{name}"}}
    table["loop"] = table["loop"] | {"steps": 100} | changes
    config.save(config.parse(table), folder / "study.toml")
    return folder / "study.toml"


def test_nan_stops_and_keeps_the_last_good_state(tmp_path, capsys):
    """The 48th pass returns NaN: the checkpoint of step 40 stays, and is finite."""
    study = write_study(tmp_path, "Late")
    assert cli.main(["train", str(study), "--out", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("dfbench: error: training diverged")
    assert "not finite" in error
    state = checkpoint.load(tmp_path / "run")
    assert state["step"] == 40
    assert all(bool(value.isfinite().all()) for value in state["model"].values())
    with pytest.raises(Unusable, match=r"its network is code, .*net.py:Late, .* --trust"):
        Trained.load(tmp_path / "run")
    assert Trained.load(tmp_path / "run", trust=True).shape == (2,)
    assert steps_logged(tmp_path / "run") == 45


def test_divergence_stops(tmp_path, capsys):
    study = write_study(tmp_path, "Net", learning_rate=1e3, clip=0.0)
    assert cli.main(["train", str(study), "--out", str(tmp_path / "run")]) == 1
    assert "where it began" in capsys.readouterr().err
    # the control: the same study at a rate that is fit does not
    loop.train(config.read(write_study(tmp_path, "Net")), tmp_path / "other")
    assert not list((tmp_path / "other").rglob(".*"))


def test_what_the_command_refuses(tmp_path, capsys):
    bad = tmp_path / "bad.toml"
    bad.write_text("data = 'digits'\n[loop]\nstep = 3\n", encoding="utf-8")
    assert cli.main(["train", str(bad), "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "bad.toml: loop.step: no such key" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()
    study = write_study(tmp_path, "Net")
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert cli.main(["train", str(study), "--out", str(tmp_path / "file")]) == 2
    assert "file" in capsys.readouterr().err


def test_a_broken_checkpoint_is_said_to_be_one(tmp_path):
    checkpoint.state_file(tmp_path).parent.mkdir()
    checkpoint.state_file(tmp_path).write_bytes(b"nothing")
    with pytest.raises(Unusable, match="cannot be read as a checkpoint"):
        checkpoint.load(tmp_path)


def test_a_checkpoint_in_which_a_bit_has_turned_is_refused(tmp_path):
    checkpoint.save(tmp_path, {"weights": torch.arange(1000.0)})
    file = checkpoint.state_file(tmp_path)
    content = bytearray(file.read_bytes())
    at = content.index(torch.tensor([500.0, 501.0]).numpy().tobytes())
    content[at + 1] ^= 1
    file.write_bytes(content)
    with pytest.raises(Unusable, match="damaged"):
        checkpoint.load(tmp_path)


def test_a_checkpoint_of_another_network_is_refused(made, tmp_path):
    study, _ = made
    config.save(study, checkpoint.config_file(tmp_path))
    checkpoint.save(tmp_path, {"step": 10, "model": {}, "ema": {}, "shape": [2]})
    with pytest.raises(Unusable, match="does not fit its study"):
        Trained.load(tmp_path, trust=True)
    with pytest.raises(Unusable, match="does not fit its study"):
        loop.train(study, tmp_path)


@pytest.mark.slow
def test_a_folder_is_of_one_run(made, tmp_path):
    study, _ = made
    with files.alone(tmp_path), pytest.raises(Unusable, match="another run works in it"):
        loop.train(study, tmp_path)
    (tmp_path / "cells").mkdir()
    with pytest.raises(Unusable, match="results of `dfbench bench`"):
        loop.train(study, tmp_path)
