"""From what a user names to what is certified, and what is said where nothing is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import dfbench
from dfbench import cli
from dfbench.errors import Unusable
from dfbench.samplers import METHODS
from dfbench.subjects import excluded, libraries, resolve
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import MethodSampler, default_grid

FILES = {
    "empty.py": "",
    "wrong.py": "def f(:\n",
    "raises.py": "raise RuntimeError('at\\nimport')\n",
    "exits.py": "import sys\nsys.exit(3)\n",
    "needs.py": "import a_module_that_is_not_there\n",
    "other.py": "class Other:\n    pass\n\n\ndef function():\n    pass\n\n\nnumber = 3\n",
    "half.py": "class Half:\n    def set_timesteps(self, n):\n        pass\n",
    "refuses.py": """
class Refuses:
    def __init__(self, size=1):
        raise ValueError(f"no size\\nis {size}")

    def set_timesteps(self, n):
        pass

    def step(self, m, t, x):
        return x
""",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "folder.py").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


#: subject, options, words of the message
UNUSABLE: list[tuple[str, dict[str, Any], str]] = [
    ("nothing.py:Name", {}, "nothing.py: no such file"),
    ("folder.py:Name", {}, "folder.py: no such file"),
    ("no_such_module:Name", {}, "no module named 'no_such_module'"),
    ("no_such_package.module:Name", {}, "no module named 'no_such_package'"),
    ("dfbench.no_such_module:Name", {}, "no module named 'dfbench.no_such_module'"),
    (".relative:Name", {}, ".relative cannot be imported"),
    ("no_such_library", {}, "not a known library"),
    (":Name", {}, "give LIBRARY"),
    ("other.py:", {}, "give LIBRARY"),
    (":", {}, "give LIBRARY"),
    ("", {}, "give LIBRARY"),
    ("empty.py:Name", {}, "empty.py has no Name"),
    ("wrong.py:Name", {}, "wrong.py cannot be run: SyntaxError"),
    ("raises.py:Name", {}, "raises.py cannot be run: RuntimeError: at"),
    ("exits.py:Name", {}, "exits.py cannot be run: SystemExit: 3"),
    ("needs.py:Name", {}, "a_module_that_is_not_there"),
    ("other.py:Other", {}, "other.py:Other is not something that can be certified"),
    ("other.py:function", {}, "is not something that can be certified"),
    ("other.py:number", {}, "is not something that can be certified"),
    ("half.py:Half", {}, "nor like diffusers' schedulers, which offer set_timesteps and step"),
    ("refuses.py:Refuses", {}, "the constructor refuses {}: no size"),
    ("collections:OrderedDict", {}, "is not something that can be certified"),
    ("dfbench:no_such_sampler", {}, "dfbench has no sampler no_such_sampler; it has "),
    ("dfbench:ddim", {"config": {"etaa": 1}}, "ddim has no option etaa; it has eta"),
    ("dfbench:velocity", {}, "needs a grid with t and schedule"),
]
UNUSABLE_DIFFUSERS: list[tuple[str, dict[str, Any], str]] = [
    ("diffusers:NoSuchScheduler", {}, "diffusers has no scheduler NoSuchScheduler"),
    ("diffusers:DDIM", {}, "do you mean "),
    ("diffusers:RePaintScheduler", {}, "cannot be certified: inpainting"),
    ("diffusers:DDIMScheduler", {"config": {"beta_schedule": "nonsense"}}, "constructor refuses"),
    ("diffusers:DDIMScheduler", {"config": {"no_such": 1}}, "constructor refuses"),
    ("diffusers:DDIMScheduler", {"call": {"etaa": 1.0}}, "its calls take no etaa; they take eta"),
    ("diffusers:DDIMScheduler", {"config": {"prediction_type": "banana"}}, "'banana' unknown"),
    ("diffusers", {"config": {"clip_sample": False}}, "need one subject: LIBRARY:NAME"),
]


@pytest.mark.slow(quick=10)
@pytest.mark.parametrize(("subject", "options", "words"), UNUSABLE, ids=lambda x: str(x))
def test_what_cannot_be_certified(
    subject: str,
    options: dict[str, Any],
    words: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From Python an error with a message; from the command line that message, one line, 2."""
    with pytest.raises(Unusable) as error:
        resolve(subject, **options)
    assert words in str(error.value)
    for way in (subject, ["dfbench:ddim", subject]):
        with pytest.raises(Unusable):
            dfbench.certify(way, select=["counts"], **options)
    refused_on_the_command_line([subject], options, words, capsys)


@pytest.mark.parametrize(("subject", "options", "words"), UNUSABLE_DIFFUSERS, ids=lambda x: str(x))
def test_what_cannot_be_certified_of_diffusers(
    subject: str, options: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("diffusers")
    with pytest.raises(Unusable) as error:
        resolve(subject, **options)
    assert words in str(error.value)
    refused_on_the_command_line([subject], options, words, capsys)


def refused_on_the_command_line(
    subjects: list[str], options: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import json

    arguments = [a for key, value in options.items() for a in (f"--{key}", json.dumps(value))]
    capsys.readouterr()
    assert cli.main(["certify", *arguments, "--", *subjects]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("dfbench: error: ")
    assert " ".join(words.split()) in err


def test_the_rest_of_a_call_that_cannot_be_carried_out() -> None:
    with pytest.raises(Unusable, match="no subject is given"):
        dfbench.certify([])
    with pytest.raises(Unusable, match="no claim nonsense; there are counts"):
        dfbench.certify("dfbench:ddim", select=["counts", "nonsense"])
    with pytest.raises(Unusable, match="configs must be 'default' or 'all'"):
        dfbench.certify("dfbench:ddim", configs="some")
    with pytest.raises(Unusable, match="builtins:int is not something"):
        dfbench.certify(3)


# What can be ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_is_listed_can_be_resolved() -> None:
    for library, names in libraries().items():
        assert names == sorted(names) or library == "diffusers"
        found = resolve(library)
        assert [one.name for one in found] == [f"{library}:{name}" for name in names]
        for name in excluded(library):
            with pytest.raises(Unusable, match="cannot be certified"):
                resolve(f"{library}:{name}")


def test_the_forms_of_a_subject(folder: Path) -> None:
    sampler = MethodSampler("ddim")
    for thing in ("dfbench:ddim", METHODS["ddim"], sampler):
        (found,) = resolve(thing)
        assert isinstance(found, Sampler)
        assert found.name == "dfbench:ddim"
    assert resolve(sampler)[0] is sampler
    assert resolve("dfbench:ddim", {"eta": 1.0})[0].traits.stochastic


def test_the_forms_of_a_scheduler() -> None:
    diffusers: Any = pytest.importorskip("diffusers")
    cls = diffusers.DDIMScheduler
    (named,) = resolve("diffusers:DDIMScheduler", {"clip_sample": False})
    (as_class,) = resolve(cls, {"clip_sample": False})
    (as_instance,) = resolve(cls(clip_sample=False))
    (in_module,) = resolve("diffusers.schedulers:DDIMScheduler", {"clip_sample": False})
    for one in (named, as_class, as_instance):
        assert (one.name, one.config) == ("diffusers:DDIMScheduler", {"clip_sample": False})
        assert one.version == diffusers.__version__
    assert in_module.config == {"clip_sample": False}
    assert resolve(cls(clip_sample=False), {"clip_sample": True})[0].config["clip_sample"]
    assert len(resolve("diffusers:DDIMScheduler", configs="all")) > 10


def test_a_file_may_import_its_neighbours(folder: Path) -> None:
    pytest.importorskip("diffusers")
    (folder / "neighbour.py").write_text("SIZE = 1\n", encoding="utf-8")
    (folder / "mine.py").write_text(
        "from diffusers import EulerDiscreteScheduler\nfrom neighbour import SIZE\n\n\n"
        "class Mine(EulerDiscreteScheduler):\n    size = SIZE\n",
        encoding="utf-8",
    )
    before = list(sys.path)
    (found,) = resolve("mine.py:Mine")
    assert found.name == "mine.py:Mine"
    assert sys.path == before
    sys.modules.pop("neighbour")


def test_a_file_is_read_again_when_it_changed(folder: Path) -> None:
    pytest.importorskip("diffusers")
    text = "from diffusers import {0}DiscreteScheduler as Base\n\n\nclass Mine(Base):\n    pass\n"
    for base, each in (("Euler", 1), ("Heun", 2)):
        (folder / "mine.py").write_text(text.format(base), encoding="utf-8")
        assert resolve("mine.py:Mine")[0].traits.evaluations == each


# References -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 7])
def test_default_grids(n: int) -> None:
    for clean in (True, False):
        grid = default_grid(n, clean)
        assert grid.n_steps == n
        assert grid.ratio[0] == pytest.approx(20.0)
        assert (grid.ratio[1:] < grid.ratio[:-1]).all()
        assert bool(grid.sigma[-1] == 0) == clean
        assert grid.alpha**2 + grid.sigma**2 == pytest.approx(1.0)
    assert default_grid(n, False).ratio[-1] == pytest.approx(0.02)


def test_a_method_that_cannot_land_at_zero_has_a_grid_that_does_not() -> None:
    (found,) = resolve("dfbench:sde_dpm_solver")
    assert found.session(3).grid.sigma[-1] > 0
    assert resolve("dfbench:ddim")[0].session(3).grid.sigma[-1] == 0
