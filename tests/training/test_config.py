"""Studies: what is wrong is named, and what is written comes back."""

import pytest

from dfbench.errors import Unusable
from dfbench.training import config
from dfbench.training.models import KINDS
from dfbench.training.trained import schedule_of

GOOD = {"data": {"kind": "mixture", "name": "ring-2d"}}


@pytest.mark.parametrize("name", config.shipped())
def test_shipped_studies_are_sound(name, tmp_path):
    study = config.read(name)
    assert study.title
    schedule_of(study)
    config.save(study, tmp_path / "c.toml")
    assert config.read(tmp_path / "c.toml") == study


def test_what_is_left_out_has_its_default():
    study = config.parse({"data": "digits"})
    assert study.data.options == {"held_out": 0.2, "padding": 0}
    assert study.levels.options["low"] == -10.0
    assert study == config.parse(config.as_table(study))


def test_differences_name_the_keys():
    one = config.parse(GOOD)
    other = config.parse(GOOD | {"seed": 3, "model": {"kind": "mlp", "width": 8}})
    assert config.differences(one, other) == ["model.width", "seed"]
    assert config.differences(one, one) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dat": 1}, ["dat: no such key", "accepted: data, model"]),
        ({"data": "digit"}, ["data: no kind 'digit'", "mixture, digits, array, images"]),
        ({"data": 3}, ["data: must be one of mixture, digits"]),
        ({"data": {"kind": "array"}}, ["data.path: is missing"]),
        (
            {"data": {"kind": "digits", "hold_out": 1}},
            ["data.hold_out: no such key", "accepted: held_out, padding"],
        ),
        (
            {"data": {"kind": "mixture", "count": 1.5}},
            ["data.count: must be a whole number, got 1.5"],
        ),
        (
            {"data": {"kind": "mixture", "count": True}},
            ["data.count: must be a whole number, got True"],
        ),
        ({"loop": {"step": 5}}, ["loop.step: no such key", "do you mean steps?"]),
        ({"loop": {"steps": 0}}, ["loop.steps: must be at least 1, got 0"]),
        ({"loop": {"ema": 1.0}}, ["loop.ema: must be less than 1.0, got 1.0"]),
        ({"loop": {"betas": [0.9]}}, ["loop.betas[1]: is missing"]),
        ({"loop": {"learning_rate": "fast"}}, ["loop.learning_rate: must be a number, got 'fast'"]),
        (
            {"loop": {"log_every": 3}},
            ["loop.checkpoint_every: must be a multiple of log_every (3), got 1000"],
        ),
        ({"loop": {"precision": "fp8"}}, ["loop.precision: must be one of 'float32', 'bf16'"]),
        ({"loop": 1}, ["loop: must be a table of keys and values, got 1"]),
        ({"objective": {"prediction": "noise"}}, ["objective.prediction: must be one of 'eps'"]),
        ({"objective": {"weighting": "snr"}}, ["objective.weighting: no kind 'snr'", "min_snr"]),
        ({"objective": {"weighting": {"kind": "p2", "g": 1}}}, ["objective.weighting.g", "gamma"]),
        ({"objective": {"schedule": "cos"}}, ["objective.schedule: no kind 'cos'", "cosine"]),
        ({"model": {"kind": "mlp", "width": "big"}}, ["model.width: must be a whole number"]),
        ({"levels": "random"}, ["levels: no kind 'random'", "adaptive"]),
        ({"pairs": "ot"}, ["pairs: no kind 'ot'", "minibatch_ot"]),
        ({"seed": -1}, ["seed: must be at least 0, got -1"]),
        (
            {"pairs": "minibatch_ot", "objective": {"prediction": "score"}},
            ["score needs independent Gaussian noise"],
        ),
    ],
)
def test_what_is_wrong_is_named(change, told):
    with pytest.raises(Unusable) as raised:
        config.parse(GOOD | change)
    for part in told:
        assert part in str(raised.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("data = [", "not TOML"),
        ("seed = 1", "data: is missing"),
        ("data = 'mixture'\nwidth = 3", "width: no such key"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, text, told):
    file = tmp_path / "study.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Unusable, match=told) as raised:
        config.read(file)
    assert str(file) in str(raised.value)


def test_a_file_that_is_not_there_says_what_is_shipped(tmp_path):
    with pytest.raises(Unusable, match="mixture-2d"):
        config.read(tmp_path / "none.toml")


def test_levels_outside_the_schedule():
    study = config.parse(GOOD | {"objective": {"schedule": "ddpm_linear"}})
    with pytest.raises(Unusable, match=r"high = 10 is not on the schedule ddpm_linear"):
        schedule_of(study)


def test_what_a_kind_refuses_names_its_table():
    study = config.parse(GOOD | {"model": {"kind": "mlp", "width": 0}})
    with pytest.raises(Unusable, match=r"\[model\] mlp: width must be at least 1"):
        study.model.build(KINDS, "model", (2,))


@pytest.mark.parametrize(
    ("change", "gaussian"),
    [({}, True), ({"pairs": "minibatch_ot"}, False), ({"source": {"kind": "mixture"}}, False)],
)
def test_where_the_noise_is_gaussian_and_independent(change, gaussian):
    assert config.parse(GOOD | change).gaussian == gaussian


def test_files_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = config.parse(
        {
            "data": {"kind": "array", "path": "points.npy"},
            "model": {"kind": "user", "name": "net.py:Net"},
            "pairs": {"kind": "reflow", "run": "before"},
        }
    )
    assert study.data.options["path"] == tmp_path / "points.npy"
    assert study.model.options["name"] == f"{tmp_path / 'net.py'}:Net"
    config.save(study, "study.toml")
    monkeypatch.chdir("/")
    assert config.read(tmp_path / "study.toml") == study
    package = config.parse(GOOD | {"model": {"kind": "user", "name": "package.nets:Net"}})
    assert package.model.options["name"] == "package.nets:Net"
    with pytest.raises(Unusable, match=r"data\.path: must be a text"):
        config.parse({"data": {"kind": "array", "path": 3}})
