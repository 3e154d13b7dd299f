"""Studies: what is accepted, how it is multiplied out, and what is refused in which words."""

from __future__ import annotations

import numpy as np
import pytest

from dfbench import cli
from dfbench.errors import Unusable
from dfbench.sweep.cells import plan
from dfbench.sweep.study import load, parse, shipped
from tests.sweep.studies import tiny


def with_(path, value):
    """The tiny study with one thing changed: `with_("targets[0].kind", "x")`."""
    study = tiny()
    place, *rest = path.replace("]", "").replace("[", ".").split(".")
    here, key = study, place
    for each in rest:
        here, key = here[key], int(each) if each.isdigit() else each
    here[key] = value
    return study


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("budgets", {"steps": [5, -3]}, r"^budgets.steps\[1\]: must be at least 1, got -3$"),
        ("budgets", {"steps": [2.5]}, r"^budgets.steps\[0\]: must be a whole number, got 2.5$"),
        ("budgets", {"step": [2]}, r"^budgets.step: no such key; .*do you mean steps\?$"),
        ("budgets", {}, r"^budgets: give steps or nfe"),
        ("seeds", [-1], r"^seeds\[0\]: must be at least 0"),
        ("samples", True, r"^samples: must be a whole number, got True$"),
        ("metrics", ["w3"], r"^metrics\[0\]: no metric 'w3'; .*do you mean w2"),
        ("predictions", ["epsilon"], r"^predictions\[0\]: no prediction 'epsilon'; accepted: eps"),
        ("colour", "red", r"^colour: no such key"),
        ("samplers", [], r"^samplers: is missing or empty$"),
        ("samplers", ["hune"], r"^samplers\[0\].name: no sampler 'hune'; .*do you mean heun"),
        (
            "samplers",
            [{"name": "ddim", "options": {"etta": 1}}],
            r"^samplers\[0\].options.etta: no option 'etta'; accepted: eta; do you mean eta\?$",
        ),
        ("samplers", [{"name": "ddim", "config": {}}], r"^samplers\[0\].config: no such key"),
        (
            "samplers",
            [{"name": "ddpm", "options": {"variance": "large"}}],
            r"^samplers\[0\]: variance must be",
        ),
        ("samplers", ["diffusers:DDIMSchedule"], r"no scheduler DDIMSchedule; do you mean"),
        ("samplers", ["nowhere.py:Mine"], r"^samplers\[0\].name: .*nowhere.py: no such file"),
        ("samplers", [{"name": "heun", "grids": ["karras"]}], r"no label 'karras'"),
        ("samplers", ["heun", "heun"], r"^samplers: two entries are called 'heun'"),
        ("schedules", ["linear"], r"^schedules\[0\].name: no schedule 'linear'; .*linear_vp"),
        ("schedules", [{"name": "linear_vp", "beta_max": -1.0}], r"^schedules\[0\]: need 0 ≤ beta"),
        ("schedules", [{"name": "linear_vp", "beta": 1.0}], r"^schedules\[0\].beta: no such key"),
        ("grids", [{"name": "karras", "rho": 0.0}], r"^grids\[0\]: rho must be"),
        ("grids", [{"name": "uniform_t", "log_snr": [1, 0]}], r"^grids\[0\]: log_snr must be"),
        ("grids", [{"name": "uniform_t", "rho": 7.0}], r"^grids\[0\].rho: no such key"),
        ("grids", [{"name": "uniform_t", "t": [1, 0], "log_snr": [0, 1]}], r"not both"),
        ("targets[0].kind", "gauss", r"^targets\[0\].kind: no kind of target 'gauss'"),
        ("targets[0].dimension", 0, r"^targets\[0\]: dimension must be from 1 to \d+, got 0"),
        ("targets[0].dimension", "3", r"^targets\[0\].dimension: must be a whole number, got '3'"),
        ("targets[0].variance", float("nan"), r"^targets\[0\].variance: must be a number, got nan"),
        ("targets[0].varance", 1.0, r"^targets\[0\].varance: no such key; .*do you mean variance"),
        ("targets[0].vary", {"dimension": []}, r"^targets\[0\].vary.dimension: is empty$"),
        ("targets", [{"kind": "eigenvalues", "values": [1.0, -2.0]}], r"finite eigenvalues ≥ 0"),
        ("targets", [{"kind": "eigenvalues", "values": [1.0, float("nan")]}], r"eigenvalues ≥ 0"),
        ("targets", [{"kind": "eigenvalues"}], r"^targets\[0\]: give either file or values"),
        ("targets", [{"kind": "covariance"}], r"^targets\[0\].data: is missing"),
        ("targets", [{"kind": "points", "data": "gone.npy"}], r"^targets\[0\].data: .*gone.npy"),
        ("targets", 3, r"^targets\[0\]: must be a table of keys and values, got 3"),
    ],
)
def test_what_is_wrong_is_refused_by_its_key(path, value, message):
    with pytest.raises(Unusable, match=message) as refused:
        load(with_(path, value))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nan.npy", [1.0, np.nan], r"nan.npy: not finite \(nan\) at index 1"),
        ("negative.npy", [1.0, -1e-9], r"eigenvalue -1e-09 at index 1 is negative"),
        ("text.csv", "one,two\nthree,four\n", r"text.csv: not an array of numbers"),
        ("empty.npy", [], r"empty.npy: is empty"),
        ("spectrum.txt", "1\n", r"give a .npy or .csv file"),
    ],
)
def test_a_spectrum_that_is_none_is_refused(tmp_path, capsys, name, content, message):
    file = tmp_path / name
    if isinstance(content, str):
        file.write_text(content)
    else:
        np.save(file, np.array(content))
    with pytest.raises(Unusable, match=message):
        load(with_("targets", [{"kind": "eigenvalues", "file": str(file)}]))
    text = f"""
        samplers = ["ddim"]
        schedules = ["cosine"]
        grids = ["karras"]
        [budgets]
        steps = [2]
        [[targets]]
        kind = "eigenvalues"
        file = "{name}"
    """
    (tmp_path / "study.toml").write_text(text)
    assert cli.main(["bench", str(tmp_path / "study.toml"), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"dfbench: error: {tmp_path / 'study.toml'}: targets[0]: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_study_is_refused(tmp_path):
    with pytest.raises(Unusable, match="do you mean quick"):
        load("quik")
    with pytest.raises(Unusable, match=r"gone.toml: no such file"):
        load(tmp_path / "gone.toml")
    (tmp_path / "bad.toml").write_text("a = [")
    with pytest.raises(Unusable, match=r"bad.toml: not TOML"):
        load(tmp_path / "bad.toml")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_study_can_be_planned(name):
    pytest.importorskip("sklearn")
    study = load(name)
    assert study.name == name
    ours = tuple(sampler for sampler in study.samplers if not sampler.third_party)
    planned = plan(study.model_copy(update={"samplers": ours, "seeds": (0,)}))
    assert len(planned.cells) > 10
    assert len(planned.excluded) <= len(planned.cells) / 20


def test_a_study_is_the_product_of_its_lists():
    study = load(tiny(seeds=[0, 1], predictions=["x", "v"], schedules=["linear_vp", "cosine"]))
    planned = plan(study)
    # 3 samplers × 2 schedules × 2 predictions × 3 budgets × 2 targets × 2 seeds, nothing left out
    assert len(planned.cells) == 3 * 2 * 2 * 3 * 2 * 2
    assert not planned.excluded
    assert len({cell.key for cell in planned.cells}) == len(planned.cells) - 2 * 2 * 2 * 2


def test_vary_multiplies_out_and_labels():
    study = load(
        tiny(
            targets=[{"kind": "isotropic", "label": "white", "vary": {"dimension": [1, 2]}}],
            grids=[{"name": "karras", "vary": {"rho": [3.0, 7.0]}, "final_zero": True}],
        )
    )
    assert [each.label for each in study.targets] == ["white (dimension=1)", "white (dimension=2)"]
    assert [each.options["rho"] for each in study.grids] == [3.0, 7.0]


def test_combinations_that_make_no_sense_are_counted_with_their_reason():
    planned = plan(
        load(
            tiny(
                budgets={"nfe": [1, 2]},
                predictions=["eps", "x"],
                schedules=["linear_vp", "flow_matching"],
                grids=["karras", {"name": "uniform_t", "t": [1.0, 0.01]}],
            )
        )
    )
    reasons = planned.reasons()
    assert reasons["one step spends 2 evaluations, more than the budget"] == 6
    assert any("α = 0" in reason or "alpha" in reason for reason in reasons)
    assert reasons["the variance-exploding form z/α does not exist at α = 0"] > 0
    assert sum(reasons.values()) == len(planned.excluded)
    with pytest.raises(Unusable, match=r"no combination.*reason: one step spends 2"):
        plan(load(tiny(samplers=["heun"], budgets={"nfe": [1]})))


@pytest.mark.slow
def test_a_budget_of_evaluations_is_filled_but_never_exceeded():
    samplers = [
        "ddim",
        "heun",
        "rk4",
        "dpm_solver_pp",
        "pndm",
        "unipc",
        "edm",
        {"name": "dpm_solver", "options": {"order": 3}},
    ]
    grids = ["karras", {"name": "karras", "label": "to zero", "final_zero": True}]
    study = load(tiny(samplers=samplers, grids=grids, budgets={"nfe": [4, 7, 12, 40]}))
    for cell in plan(study).cells:
        budget = int(cell.budget.split()[0])
        assert cell.way.run().nfe <= budget
        more = type(cell.way)(
            cell.way.sampler,
            cell.way.schedule,
            cell.way.grid,
            cell.way.prediction,
            cell.way.steps + 1,
        )
        assert more.run().nfe > budget


def test_the_key_of_a_cell_is_its_content_not_its_place(tmp_path):
    spectrum = np.geomspace(1, 0.01, 5)
    keys = []
    for folder, factor in (("a", 1.0), ("b", 1.0), ("c", 1.0 + 1e-12)):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "s.npy", factor * spectrum)
        content = tiny(targets=[{"kind": "eigenvalues", "file": "s.npy"}])
        keys.append({c.key for c in plan(parse(content, tmp_path / folder, "x")).cells})
    assert keys[0] == keys[1]
    assert not keys[0] & keys[2]
    other = {c.key for c in plan(load(tiny(samples=2001))).cells}
    assert not other & {c.key for c in plan(load(tiny())).cells}
