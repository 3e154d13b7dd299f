"""The cases of a claim do not depend on what else is loaded, or on how the code is laid out."""

from __future__ import annotations

import sys
from types import ModuleType

from hypothesis import strategies as st

from dfbench.literature.statement import for_all


def _drawn() -> list[float]:
    seen: list[float] = []

    def measure(x: float) -> float:
        seen.append(x)
        return 0.0

    for_all(measure, 1.0, examples=300, x=st.floats(0.0, 1e6))
    return seen


def test_a_module_full_of_constants_does_not_change_the_cases(tmp_path, monkeypatch):
    before = _drawn()
    file = tmp_path / "constants_of_others.py"
    file.write_text("A = (" + ", ".join(f"{k}.{k}" for k in range(100, 400)) + ")\n")
    module = ModuleType("constants_of_others")
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, "constants_of_others", module)
    assert _drawn() == before
    assert len(set(before)) > 100
