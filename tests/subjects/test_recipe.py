"""The recipe of CONTRIBUTING for a subject, run as it is printed there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dfbench
import dfbench.subjects
from dfbench.loading import load_module
from dfbench.samplers import METHODS
from dfbench.subjects.diffusers import scheduler_levels
from dfbench.subjects.diffusers.exploding import Exploding, Heun
from dfbench.subjects.library import library_names
from dfbench.sweep import third_party

ROOT = Path(__file__).parents[2]

SOMEBODY = """
from itertools import pairwise


def euler(model, x, sigmas):
    for now, then in pairwise(sigmas):
        x = x + (then - now) * (x - model(x, now)) / now
    return x
"""
WRONG = SOMEBODY.replace("(then - now)", "0.9 * (then - now)")


def blocks() -> list[str]:
    """The code printed in the section, in order."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("## Adding a subject")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, flags=re.S)


@pytest.fixture
def somebody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Their package, and the folder of the recipe beside those of the package."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "somebody.py").write_text(SOMEBODY, encoding="utf-8")
    (tmp_path / "ours" / "somebody").mkdir(parents=True)
    (tmp_path / "ours" / "somebody" / "__init__.py").write_text(blocks()[0], encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "theirs"))
    paths = [*dfbench.subjects.__path__, str(tmp_path / "ours")]
    monkeypatch.setattr(dfbench.subjects, "__path__", paths)
    library_names.cache_clear()
    yield tmp_path
    library_names.cache_clear()
    for name in ("somebody", "dfbench.subjects.somebody"):
        sys.modules.pop(name, None)


def verdicts(subject: Any) -> dict[str, str]:
    (report,) = dfbench.certify(subject).subjects
    return {each.claim: each.verdict for each in report.findings}


@pytest.mark.slow
def test_a_library(somebody: Path) -> None:
    assert dfbench.subjects.libraries()["somebody"] == ["euler"]
    found = verdicts("somebody:euler")
    assert {"counts", "affine", "bookkeeping", "landing", "told-level", "dtype"} <= {
        claim for claim, verdict in found.items() if verdict == "pass"
    }
    assert "fail" not in found.values()
    (somebody / "mine.py").write_text(WRONG, encoding="utf-8")
    # in this process: that of a file knows the installed libraries only
    mine = load_module(f"{somebody}/mine.py")
    assert verdicts(mine.euler)["bookkeeping"] == "fail"


def test_a_sweep_takes_it_too(somebody: Path) -> None:
    run = third_party.run(third_party.subject("somebody:euler", {}, {}), 7, None, "theirs")
    ours = METHODS["euler"].table(run.grid, "x")
    assert (run.method, run.nfe, run.stochastic) == ("somebody:euler", 7, False)
    assert run.table.compare(ours, 1e-12) is None
    assert run.initial(np.ones((1, 1))) == pytest.approx(80.0)
    assert run.clock is not None
    assert run.clock(4) > 0
    with pytest.raises(ValueError, match="it predicts x, not eps"):
        third_party.run(third_party.subject("somebody:euler", {}, {}), 7, "eps", "theirs")


def test_a_scheduler() -> None:
    """What is printed is what is in the file."""
    pytest.importorskip("diffusers")
    registered: list[str] = []
    names = {
        "register": lambda name: lambda family: registered.append(name) or family,
        "Exploding": Exploding,
        "levels": scheduler_levels,
    }
    exec(blocks()[1], names)
    printed: type[Exploding] = names["Heun"]  # type: ignore[assignment]
    assert registered == ["HeunDiscreteScheduler"]
    assert issubclass(printed, Exploding)
    assert (printed.level_class, printed.published) == (Heun.level_class, Heun.published)
