"""A study runs to the same tables whatever happens on the way."""

from __future__ import annotations

import csv
import errno
import json
import multiprocessing
import random
import re
import shutil
import time
from pathlib import Path

import pytest

from dfbench import files
from dfbench.errors import Unusable
from dfbench.sweep import run, store
from dfbench.sweep.run import bench
from tests.sweep.studies import many, tables, tiny


def rows(directory, name="measurements"):
    with (directory / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_study_gives_a_row_for_every_measurement(tmp_path):
    outcome = bench(tiny(), tmp_path, workers=1)
    assert (outcome.cells, outcome.computed, outcome.failed) == (16, 16, 0)  # heun 3 steps: 6 nfe
    found = rows(tmp_path)
    assert {row["budget"] for row in found} == {"3 steps", "5 steps", "6 nfe"}
    assert {row["sampler"] for row in found} == {"heun", "ddim (eta=0.0)", "ddim (eta=1.0)"}
    heun = [row for row in found if row["sampler"] == "heun" and row["source"] == "all"]
    assert {(row["budget"], row["steps"], row["nfe"]) for row in heun} == {
        ("3 steps", "3", "6"),
        ("5 steps", "5", "10"),
        ("6 nfe", "3", "6"),
    }
    assert all(float(row["value"]) >= 0 and row["status"] == "ok" for row in found)
    assert len(rows(tmp_path, "costs")) == len({row["cell"] for row in found}) == 16
    known = json.loads((tmp_path / "environment.json").read_text())
    assert known["study"] == "tiny"
    assert {"dfbench", "packages", "python"} <= set(known)


@pytest.mark.slow
def test_nothing_is_computed_twice_and_a_changed_cell_alone_is_computed_again(tmp_path):
    bench(tiny(), tmp_path, workers=1)
    before = tables(tmp_path)
    assert bench(tiny(), tmp_path, workers=1).computed == 0
    assert tables(tmp_path) == before
    changed = tiny()
    changed["targets"][0]["variance"] = 2.0
    assert bench(changed, tmp_path, workers=1).computed == 8  # of 16 different ones, one target's
    assert bench(tiny(seeds=[0, 1]), tmp_path, workers=1).computed == 16  # of the new seed
    renamed = tiny()
    renamed["targets"][0]["label"] = "white"
    assert bench(renamed, tmp_path, workers=1).computed == 0


@pytest.mark.slow
def test_workers_and_backends_give_identical_tables(tmp_path):
    pytest.importorskip("distributed")
    study = tiny()
    bench(study, tmp_path / "serial", workers=1)
    bench(study, tmp_path / "loky", workers=2)
    bench(study, tmp_path / "dask", workers=2, backend="dask")
    assert tables(tmp_path / "loky") == tables(tmp_path / "serial")
    assert tables(tmp_path / "dask") == tables(tmp_path / "serial")


def test_ray_gives_the_same_tables(tmp_path):
    pytest.importorskip("ray")
    bench(tiny(), tmp_path / "serial", workers=1)
    bench(tiny(), tmp_path / "ray", workers=2, backend="ray")
    assert tables(tmp_path / "ray") == tables(tmp_path / "serial")


def test_a_backend_that_gives_lists_only_is_asked_for_slices():
    """Ray's, that is; here joblib's threads without generators."""
    from joblib import parallel_config, register_parallel_backend
    from joblib._parallel_backends import ThreadingBackend

    from dfbench.sweep import workers

    class Lists(ThreadingBackend):
        supports_return_generator = False

    register_parallel_backend("lists", Lists)
    with parallel_config("lists"):
        handed = []
        items = {i: i for i in range(30)}
        found = workers._parallel(lambda x: x**2, items, 2, handed)
        assert [next(found) for _ in range(2)] == [(0, 0), (1, 1)]
        assert len(handed) == 4  # the rest is not begun
        assert [i for i, _ in found] == list(range(2, 30))
    assert handed == list(range(30))


def _child(out: str) -> None:
    run.PATIENCE = 0.01  # put on the disk at once, so that a kill costs little
    bench(many(), out, workers=1)


def _kept(directory: Path) -> int:
    return len(store.Store(directory).results)


@pytest.mark.slow
def test_killed_at_twenty_moments_and_resumed_the_tables_are_those_of_one_run(tmp_path):
    """The moments are numbers of cells on the disk: they are the same however slow the machine."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dfbench.sweep.run", "dfbench.sweep.measures", __name__])
    bench(many(), tmp_path / "whole", workers=1)
    cells, out = _kept(tmp_path / "whole"), tmp_path / "killed"
    moments = sorted(random.Random(1).sample(range(cells // 2), 20))
    left = []
    for moment in moments:
        child = context.Process(target=_child, args=(str(out),))
        child.start()
        while _kept(out) < moment and child.is_alive():
            time.sleep(0.002)
        child.kill()
        child.join()
        left.append(_kept(out))
    assert left == sorted(left)  # nothing that was kept is lost
    assert len(set(left)) > 2  # and it is a new beginning each time
    bench(many(), out, workers=1)
    assert tables(out) == tables(tmp_path / "whole")


DYING = """
import os
from diffusers import DDIMScheduler

class Dying(DDIMScheduler):
    def step(self, *args, **kwargs):
        if len(self.timesteps) == 5:
            os._exit(3)
        return super().step(*args, **kwargs)

class Raising(DDIMScheduler):
    def step(self, *args, **kwargs):
        if len(self.timesteps) == 5:
            raise RuntimeError("out of luck")
        return super().step(*args, **kwargs)
"""


def _mine(folder, name):
    (folder / "mine.py").write_text(DYING)
    return tiny(
        targets=tiny()["targets"][:1],
        budgets={"steps": [3, 5]},
        samplers=["heun", {"name": f"mine.py:{name}", "config": {"clip_sample": False}}],
    )


@pytest.mark.slow
def test_a_worker_that_dies_costs_its_cells_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = bench(_mine(tmp_path, "Dying"), tmp_path / "out", workers=2)
    assert (outcome.cells, outcome.failed, outcome.excluded) == (4, 1, {})
    found = {(row["method"], row["steps"]): row for row in rows(tmp_path / "out")}
    assert {place: row["status"] for place, row in found.items()} == {
        ("mine.py:Dying", "3"): "ok",
        ("mine.py:Dying", "5"): "failed",
        ("dfbench:heun", "3"): "ok",
        ("dfbench:heun", "5"): "ok",
    }
    assert "worker died" in found["mine.py:Dying", "5"]["why"]
    assert found["mine.py:Dying", "5"]["value"] == ""


def test_a_sampler_that_raises_is_left_out_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = bench(_mine(tmp_path, "Raising"), tmp_path / "out", workers=1)
    assert outcome.excluded == {"step 0 of 5 raises RuntimeError: out of luck": 1}
    assert (outcome.cells, outcome.failed) == (3, 0)


def _dies_of_three(number: int) -> int:
    import os

    if number == 3:
        os._exit(1)
    return number**2


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_only_the_item_that_kills_its_worker_is_lost(backend):
    from dfbench.sweep.workers import spread

    if backend == "dask":
        pytest.importorskip("distributed")
    died = lambda item, why: (item, why)  # noqa: E731
    found = list(spread(_dies_of_three, range(8), died, workers=2, backend=backend))
    lost = [each for each in found if isinstance(each, tuple)]
    assert [item for item, _ in lost] == [3]
    assert sorted(each for each in found if isinstance(each, int)) == [0, 1, 4, 16, 25, 36, 49]


def test_a_measure_that_raises_is_a_failed_cell_and_tried_again_the_next_time(
    tmp_path, monkeypatch
):
    from dfbench.sweep import measures

    w2 = measures.MEASURES["w2"]

    def broken(target, run, samples):
        if target.name == "images":
            raise ArithmeticError("seven is\nodd")
        return w2(target, run, samples)

    monkeypatch.setitem(
        measures.MEASURES, "w2", measures.Measure("w2", "", "", True, "", w2.applies, broken)
    )
    outcome = bench(tiny(), tmp_path, workers=1)
    assert outcome.failures == {"ArithmeticError: seven is odd": 8}
    assert {row["target"] for row in rows(tmp_path) if row["status"] == "failed"} == {"images"}
    monkeypatch.undo()
    again = bench(tiny(), tmp_path, workers=1)
    assert (again.computed, again.failed) == (8, 0)
    bench(tiny(), tmp_path / "fresh", workers=1)
    assert tables(tmp_path) | {} == tables(tmp_path / "fresh")


def test_a_full_disk_is_said_and_what_was_kept_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "PATIENCE", 0.0)
    kept = 0

    def write(path, text, original=files.write):
        nonlocal kept
        if path.parent.name == store.CELLS:
            kept += 1
            if kept > 5:
                raise OSError(errno.ENOSPC, "cannot write: no space left on device", str(path))
        original(path, text)

    monkeypatch.setattr(files, "write", write)
    with pytest.raises(Unusable, match=r"no space left on device; 5 cells are kept"):
        bench(tiny(), tmp_path, workers=1)
    monkeypatch.undo()
    assert bench(tiny(), tmp_path, workers=1).computed == 11
    bench(tiny(), tmp_path / "fresh", workers=1)
    assert tables(tmp_path) == tables(tmp_path / "fresh")


@pytest.mark.slow
def test_two_machines_results_merge(tmp_path):
    one, two = tiny(), tiny()
    one["targets"], two["targets"] = one["targets"][:1], two["targets"][1:]
    bench(one, tmp_path / "one", workers=1)
    bench(two, tmp_path / "two", workers=1)
    assert store.merge([tmp_path / "one", tmp_path / "two"], tmp_path / "both") == 16
    assert bench(tiny(), tmp_path / "both", workers=1).computed == 0
    # the files alone may be copied, too
    for name in ("one", "two"):
        shutil.copytree(tmp_path / name / "cells", tmp_path / "copied/cells", dirs_exist_ok=True)
    assert bench(tiny(), tmp_path / "copied", workers=1).computed == 0
    bench(tiny(), tmp_path / "whole", workers=1)
    assert tables(tmp_path / "both") == tables(tmp_path / "copied") == tables(tmp_path / "whole")
    with pytest.raises(Unusable, match="no results"):
        store.merge([tmp_path / "nowhere"], tmp_path / "both")


@pytest.mark.slow
def test_a_result_cut_off_by_a_copy_is_computed_again(tmp_path):
    bench(tiny(), tmp_path, workers=1)
    before = tables(tmp_path)
    (file,) = (tmp_path / "cells").glob("*.jsonl")
    text = file.read_text()
    file.write_text(text[: len(text) // 2])
    outcome = bench(tiny(), tmp_path, workers=1)
    assert outcome.computed == 16
    assert f"damaged, computed again: {file.name}" in outcome.summary()
    assert tables(tmp_path) == before
    # a digit that still makes a number is seen by the hash alone; the file is named once
    (file,) = (tmp_path / "cells").glob("*.jsonl")
    text = file.read_text()
    file.write_text(re.sub(r"\b0\.", "1.", text))
    assert file.read_text() != text
    assert bench(tiny(), tmp_path, workers=1).damaged == (file.name,)
    assert bench(tiny(), tmp_path, workers=1).damaged == ()
    assert tables(tmp_path) == before


def test_a_directory_holds_one_study_and_one_run_at_a_time(tmp_path):
    bench(tiny(), tmp_path / "out", workers=1)
    before = tables(tmp_path / "out")
    with pytest.raises(Unusable, match="holds the results of the study 'tiny', not 'other'"):
        bench(tiny(name="other"), tmp_path / "out", workers=1)
    assert tables(tmp_path / "out") == before
    left = tmp_path / "out" / f".study.json.12345678{files.UNFINISHED}"
    left.write_text("")
    with files.alone(tmp_path / "out"), pytest.raises(Unusable, match="another run works in it"):
        bench(tiny(), tmp_path / "out", workers=1)
    assert bench(tiny(), tmp_path / "out", workers=1).computed == 0
    assert not list((tmp_path / "out").rglob(".*"))  # what a kill left is gone, and the lock
    (tmp_path / "net" / "checkpoint").mkdir(parents=True)
    with pytest.raises(Unusable, match="holds a trained network"):
        bench(tiny(), tmp_path / "net", workers=1)


def test_a_directory_or_a_backend_that_cannot_be_used_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unusable, match="not a directory"):
        bench(tiny(), tmp_path / "file")
    with pytest.raises(Unusable, match="accepted: loky, dask, ray"):
        bench(tiny(), tmp_path, backend="slurm")


def test_values_that_are_not_finite_survive_the_store(tmp_path):
    line = store.dumps({"a": [float("inf"), float("nan"), 1.5]})
    assert line == '{"a":["inf","nan",1.5]}'
    assert store.number(json.loads(line)["a"][0]) == float("inf")


def test_numbers_survive_the_store_to_the_bit(tmp_path):
    rng = random.Random(0)
    for _ in range(200):
        x = rng.uniform(-1, 1) * 10 ** rng.uniform(-300, 300)
        assert store.number(json.loads(store.dumps({"x": x}))["x"]) == x
    assert Path(tmp_path).is_dir()
