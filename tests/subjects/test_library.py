"""Libraries are found by their folders, and say themselves what they have."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dfbench.subjects
from dfbench.errors import Unusable
from dfbench.subjects import excluded, libraries, resolve
from dfbench.subjects.library import library, library_names

OTHER = '''
"""A library with one sampler, in a folder of its own."""

from dfbench.subjects.library import Library
from dfbench.subjects.reference import MethodSampler


class Other(Library):
    name = "other"
    word = "integrator"
    shape = "an object with sample"
    installed = {installed}

    def names(self):
        return ["euler"]

    def others(self):
        return ["odd"]

    def excluded(self):
        return {{"odd": "it is not affine"}}

    def configurations(self, name):
        return [({{}}, {{}}), ({{"eta": 1.0}}, {{}})]

    def named(self, name, config, call):
        made = MethodSampler("ddim", config)
        made.name = f"other:{{name}}"
        return made

    def recognises(self, thing):
        return callable(getattr(thing, "sample", None))

    def made_of(self, thing, name, config, call):
        return self.named(name, config, call)


LIBRARY = Other()
'''


class Mine:
    def sample(self) -> None:
        """What makes it one of the other library's."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of libraries beside those of the package."""
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(dfbench.subjects, "__path__", [*dfbench.subjects.__path__, str(tmp_path)])
    library_names.cache_clear()
    yield tmp_path
    library_names.cache_clear()
    sys.modules.pop("dfbench.subjects.other", None)


def put(folder: Path, installed: bool = True) -> None:
    text = OTHER.format(installed=installed)
    (folder / "other" / "__init__.py").write_text(text, encoding="utf-8")


def test_a_folder_is_a_library(folder: Path) -> None:
    put(folder)
    assert library("other").name == "other"
    assert libraries()["other"] == ["euler"]
    assert excluded("other") == {"odd": "it is not affine"}
    assert [one.name for one in resolve("other")] == ["other:euler"]
    assert [one.config for one in resolve("other:euler", configs="all")] == [{}, {"eta": 1.0}]
    assert resolve("other:euler", {"eta": 0.5}, configs="all")[0].traits.stochastic
    for thing in (Mine, Mine()):
        (found,) = resolve(thing)
        assert found.name == f"other:{Mine.__module__}:Mine"
    for name, words in (
        ("other:none", "other has no integrator none; it has euler, odd"),
        ("other:eul", "do you mean euler?"),
        ("other:odd", "other:odd cannot be certified: it is not affine"),
    ):
        with pytest.raises(Unusable) as error:
            resolve(name)
        assert words in str(error.value)
    with pytest.raises(Unusable, match="nor an object with sample"):
        resolve("collections:OrderedDict")


def test_a_library_that_is_not_installed(folder: Path) -> None:
    put(folder, installed=False)
    assert "other" not in libraries()
    with pytest.raises(Unusable, match=r"not installed .pip install .dfbench\[other\]"):
        resolve("other:euler")


def test_the_names_of_libraries_are_known_without_importing_them() -> None:
    assert {"dfbench", "diffusers"} <= set(library_names())
    assert excluded("no_such_library") == {}


@pytest.mark.slow
def test_a_package_announces_its_own(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(
        "from dfbench.subjects.loops import Loop, Loops\n"
        "def flow(model, x, steps):\n"
        "    for i in range(steps):\n"
        "        x = x + model(x, i / steps) / steps\n"
        "    return x\n"
        "class Theirs(Loops):\n"
        "    name = module = 'theirs'\n"
        "    def loops(self):\n"
        "        claims = {'predicts': 'velocity', 'level': 'flow-up'}\n"
        "        return {'flow': Loop(lambda module: module.flow, claims)}\n"
        "LIBRARY = Theirs()\n",
        encoding="utf-8",
    )
    info = tmp_path / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dfbench.subjects]\ntheirs = theirs:LIBRARY\n")
    code = (
        "import dfbench; c = dfbench.certify('theirs', select=['affine', 'bookkeeping']);"
        "print(c.verdict, c.subjects[0].name, c.subjects[0].version)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.split() == ["pass", "theirs:flow", "1.0"], run.stderr
