"""Two runs compared: nothing where nothing changed, a planted change where it was planted."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from dfbench import jsons
from dfbench.cli import main
from dfbench.errors import Unusable
from dfbench.report.compare import compare, render
from dfbench.report.compare.join import about_method, certified
from dfbench.report.compare.words import headline, ratio
from tests import fake_certificate
from tests import fake_results as fake

COLUMNS = ["value", "low", "high"]


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    return fake.write(tmp_path_factory.mktemp("old") / "results")


def changed(rows, *, factor=1.0, **where):
    rows = rows.copy()
    mask = np.logical_and.reduce([rows[name] == value for name, value in where.items()])
    assert mask.any()
    rows.loc[mask, COLUMNS] = rows.loc[mask, COLUMNS] * factor
    return rows


def write(tmp_path, rows):
    return fake.write(tmp_path / "new" / "results", rows)


@pytest.fixture(autouse=True)
def _no_certification(monkeypatch):
    """Certifying takes seconds; one test does it by itself."""
    monkeypatch.setattr("dfbench.report.compare.join.certified", lambda *_: ["not asked"])


# Results ------------------------------------------------------------------------------------------


def test_nothing_changed(old):
    found = compare(old, old)
    assert not found.moved
    assert found.results.sampled == len(fake.SAMPLERS) * len(fake.STEPS)
    assert found.results.compared > 1000
    assert "Nothing changed" in headline(found)
    assert "Nothing changed" in render(found)


def test_rounding_is_no_change(old, tmp_path):
    rows = changed(fake.table(), factor=1 + 1e-9, metric="w2")
    assert not compare(old, write(tmp_path, rows)).moved


@pytest.mark.parametrize(("method", "found"), [("dfbench:unipc", True), ("diffusers:X", False)])
def test_tables_in_float32_may_differ_by_more(tmp_path, method, found):
    rows = fake.table()
    rows.loc[rows.sampler == "UniPC", "method"] = method
    before = fake.write(tmp_path / "a", rows)
    after = fake.write(tmp_path / "b", changed(rows, factor=1 + 1e-4, sampler="UniPC", metric="w2"))
    assert bool(compare(before, after).moved) is found


def test_a_planted_change_is_found_and_alone(old, tmp_path):
    rows = changed(fake.table(), factor=1.01, sampler="UniPC", metric="w2", source="all")
    found = compare(old, write(tmp_path, rows))
    assert [each.sampler for each in found.moved] == ["UniPC"]
    assert {c.where["metric"] for c in found.results.changes} == {"w2"}
    assert len(found.results.changes) == len(fake.STEPS)
    assert found.moved[0].changes[0].ratio == pytest.approx(1.01)
    assert not found.moved[0].changes[0].better


def test_changes_are_sorted_by_size_up_or_down(old, tmp_path):
    rows = fake.table()
    for sampler, factor in (("DDIM", 1.5), ("Heun", 0.25), ("UniPC", 2.0)):
        rows = changed(rows, factor=factor, sampler=sampler, metric="w2", source="all")
    found = compare(old, write(tmp_path, rows))
    assert [each.sampler for each in found.moved] == ["Heun", "UniPC", "DDIM"]
    assert [ratio(each.changes[0]) for each in found.moved] == ["÷ 4", "× 2", "× 1.5"]


def sampled(tmp_path, name, seed, shift=0.0):
    rows = pd.DataFrame(fake.sampled(seed))
    rows.loc[rows.sampler == "DDIM", COLUMNS] += shift
    return fake.write(tmp_path / name, rows)


def test_other_draws_of_the_same_law_are_no_change(tmp_path):
    """42 pairs with intervals, drawn anew: the false-alarm rate of the whole is 5 % at most."""
    first = sampled(tmp_path, "a", 0)
    alarms = sum(
        bool(compare(first, sampled(tmp_path, f"b{seed}", seed)).moved) for seed in range(1, 11)
    )
    assert alarms == 0


def test_a_shift_of_many_standard_errors_is_found(tmp_path):
    found = compare(sampled(tmp_path, "a", 0), sampled(tmp_path, "b", 1, shift=0.02))
    assert [each.sampler for each in found.moved] == ["DDIM"]
    assert len(found.results.changes) == len(fake.STEPS)


def test_evaluations_cells_and_failures(old, tmp_path):
    rows = fake.table()
    rows.loc[rows.sampler == "Heun", "nfe"] += 1
    gone = (rows.sampler == "UniPC") & (rows.budget == "50 steps")
    rows = rows[~gone]
    rows = pd.concat(
        [
            rows,
            pd.DataFrame(
                [
                    fake.row(
                        target="power law",
                        sampler="DDIM",
                        method="dfbench:ddim",
                        options="{}",
                        nfe=None,
                        budget="100 steps",
                        cell="late",
                        status="failed",
                        source=None,
                        why="no memory",
                    )
                ]
            ),
        ]
    )
    found = compare(old, write(tmp_path, rows)).results
    assert {where["sampler"] for where, *_ in found.spent} == {"Heun"}
    assert all(new == before + 1 for _, before, new in found.spent)
    assert {(cell[1], cell[-1]) for cell in found.gone} == {("UniPC", "50 steps")}
    (broken,), (come,) = found.broken, found.come
    assert (*broken[:2], *broken[-2:]) == ("power law", "DDIM", "100 steps", "no memory")
    assert come == broken[:-1]


@pytest.mark.parametrize("column", ["grid", "schedule", "options", "prediction"])
def test_cells_on_another_grid_are_gone_and_come(old, tmp_path, column):
    """Three times the error, on another grid: no pair, and nothing that may be called unchanged."""
    rows = fake.table()
    rows[column] = rows[column].astype(str)
    moved = rows.sampler == "DDIM"
    rows.loc[moved, column] = "another"
    rows.loc[moved, ["value", "low", "high"]] *= 3
    found = compare(old, write(tmp_path, rows))
    assert not found.moved
    assert {cell[1] for cell in found.results.gone} == {"DDIM"}
    assert len(found.results.gone) == len(found.results.come)
    said = headline(found)
    assert "are gone" in said
    assert "are new" in said
    of = found.results.measured
    assert of[0] == of[1] > found.results.compared
    assert f"only {found.results.compared} of {of[0]} measurements" in said
    assert "Nothing changed" not in said
    assert "only" in render(found)


def test_an_error_that_becomes_infinite_is_a_change(old, tmp_path):
    rows = changed(fake.table(), factor=math.inf, sampler="DDIM", metric="w2", source="all")
    assert [each.sampler for each in compare(old, write(tmp_path, rows)).moved] == ["DDIM"]


# What explains it ---------------------------------------------------------------------------------


def certificate(tmp_path, name, verdict):
    path = tmp_path / f"{name}.json"
    path.write_text(jsons.text(fake_certificate.small(verdict)))
    return path


def test_certificates_explain_by_the_claim_that_changed(tmp_path):
    subject = fake_certificate.small("pass").subjects[0]
    rows = fake.table()
    rows.loc[rows.sampler == "UniPC", "method"] = subject.name
    before = fake.write(tmp_path / "a", rows)
    after = fake.write(tmp_path / "b", changed(rows, factor=2.0, sampler="UniPC", metric="w2"))
    pair = [certificate(tmp_path, "old", "pass"), certificate(tmp_path, "new", "fail")]
    (moved,) = compare(before, after, pair).moved
    assert any("pass → fail" in line for line in moved.explained)
    (moved,) = compare(before, after, [pair[0], pair[0]]).moved
    assert moved.explained == ["no claim changed its outcome on this method"]


@pytest.mark.parametrize(
    ("subject", "method", "same"),
    [
        ("DDIMScheduler", "diffusers:DDIMScheduler", True),
        ("diffusers:DDIMScheduler", "diffusers:DDIMScheduler", True),
        ("DDIMScheduler (eta=1)", "diffusers:DDIMScheduler", True),
        ("DDIMInverseScheduler", "diffusers:DDIMScheduler", False),
        ("ddim", "dfbench:ddim", True),
        ("ddim_2", "dfbench:ddim", False),
    ],
)
def test_subjects_are_known_by_their_name(subject, method, same):
    assert about_method(subject, method) is same


BROKEN = """
from diffusers import DDIMScheduler

class Late(DDIMScheduler):
    def step(self, model_output, timestep, sample, *args, **more):
        return super().step(0.9 * model_output, timestep, sample, *args, **more)
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_certification_names_the_defect(tmp_path):
    """A scheduler that scales the model's output: its own coefficients are named as wrong."""
    (tmp_path / "late.py").write_text(BROKEN)
    from dfbench import certify

    method = f"{tmp_path / 'late.py'}:Late"
    version = certify(method, select=["affine"], workers=1).subjects[0].version
    said = certified(method, "{}", version)
    assert any(line.startswith(("identity: fails", "bookkeeping: fails")) for line in said)
    assert "do not tell" in certified(method, "{}", "0.0.1")[0]
    assert "pass" in certified("dfbench:ddim", '{"eta": 0.5}', _version())[0]
    assert "could not be certified" in certified("dfbench:nothing", "{}", "")[0]


def _version():
    import dfbench

    return dfbench.__version__


# Certificates against each other ------------------------------------------------------------------


def test_two_certificates(tmp_path):
    pair = [certificate(tmp_path, "old", "pass"), certificate(tmp_path, "new", "fail")]
    found = compare(*pair)
    assert found.results is None
    assert all(each.decided for each in found.findings)
    assert "pass → fail" in render(found)
    same = compare(pair[0], pair[0])
    assert same.findings == []
    assert "Nothing changed" in headline(same)


def test_a_measured_value_that_moves_within_its_verdict(tmp_path):
    path = certificate(tmp_path, "old", "pass")
    content = json.loads(path.read_text())
    finding = content["subjects"][0]["findings"][0]
    finding["measured"], finding["bound"] = 1e-9, 1e-6
    path.write_text(json.dumps(content))
    for measured, count in ((1.001e-9, 0), (5e-7, 1)):
        finding["measured"] = measured
        (tmp_path / "new.json").write_text(json.dumps(content))
        assert len(compare(path, tmp_path / "new.json").findings) == count


# The command --------------------------------------------------------------------------------------


def test_the_command(old, tmp_path, capsys):
    new = write(tmp_path, changed(fake.table(), factor=3.0, sampler="Heun", metric="w2"))
    out = tmp_path / "c.html"
    assert main(["report", "--compare", str(old), str(new), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "Heun" in said
    assert "1 sampler changed" in said
    text = out.read_text()
    assert "× 3" in text
    assert "http" not in text.replace("http-equiv", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{old}", "{json}"], "two directories of `dfbench bench`, or two certificates"),
        (["{old}", "{no}"], "no such file"),
        (["{old}", "{old}", "{json}"], "OLD's and NEW's, or none"),
        (["{old}", "{old}", "--figures", "x"], "do not go with --compare"),
    ],
)
def test_bad_calls_are_one_line(old, tmp_path, capsys, arguments, said):
    path = certificate(tmp_path, "c", "pass")
    names = {"old": old, "json": path, "no": tmp_path / "no"}
    call = [each.format(**names) for each in arguments]
    assert main(["report", "--compare", *call, "--out", str(tmp_path / "c.html")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_results_and_certificates_are_not_compared(old, tmp_path):
    with pytest.raises(Unusable):
        compare(old, certificate(tmp_path, "c", "pass"))
