"""Test vectors: the right ones by formulas of their own, the wrong ones apart from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfbench import cli, vectors
from dfbench.vectors import Case

ALL = {case.id: case for case in vectors.vectors().cases}
RIGHT = {id: case for id, case in ALL.items() if case.valid}


def numbers(content: Any) -> list[float]:
    if isinstance(content, dict):
        return [x for key in sorted(content) for x in numbers(content[key])]
    if isinstance(content, list | tuple):
        return [x for each in content for x in numbers(each)]
    return [float(content)]


def test_each_wrong_one_is_apart_from_the_right_one() -> None:
    for id, case in ALL.items():
        if case.valid:
            continue
        right = next(RIGHT[r] for r in sorted(RIGHT, key=len, reverse=True) if id.startswith(r))
        assert right.given == case.given
        one, other = np.array(numbers(right.expected)), np.array(numbers(case.expected))
        assert np.abs(one - other).max() > 1e3 * case.tolerance * np.abs(one).max(), id
        assert set(case.catches) <= set(right.catches), id


PARTS = {"eps": lambda x, e, a, s: e, "x": lambda x, e, a, s: x}
PARTS["v"] = lambda x, e, a, s: a * e - s * x
PARTS["u"] = lambda x, e, a, s: e - x
PARTS["score"] = lambda x, e, a, s: -e / s


@pytest.mark.parametrize(
    "case", [c for c in RIGHT.values() if c.group == "conversions"], ids=lambda c: c.id
)
def test_conversions(case: Case) -> None:
    g = case.given
    a, s = g["alpha"], g["sigma"]
    # x and ε from z and m, by the two equations that they are in
    rows = [[PARTS[g["from"]](*unit, a, s) for unit in ((1.0, 0.0), (0.0, 1.0))], [a, s]]
    x, eps = np.linalg.solve(np.array(rows), [g["m"], g["z"]])
    assert PARTS[g["to"]](x, eps, a, s) == pytest.approx(case.expected["m"], rel=1e-12)


def test_grids() -> None:
    case = RIGHT["grids/karras/10/7"]
    g = case.given
    i = np.arange(10) / 9
    sigma = (80 ** (1 / 7) + i * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    assert case.expected["sigma"] == pytest.approx([*sigma, 0.0], rel=1e-12)
    assert g["n"] == 10
    assert RIGHT["grids/leading/10"].expected["indices"] == [900 - 100 * k for k in range(10)]
    assert RIGHT["grids/trailing/10"].expected["indices"] == [999 - 100 * k for k in range(10)]


def test_a_table_is_ddim() -> None:
    case = RIGHT["tables/ddim"]
    alpha, sigma = np.array(case.given["alpha"]), np.array(case.given["sigma"])
    row = np.zeros(1 + case.expected["evaluations"])
    row[0] = 1.0
    for i in range(len(alpha) - 1):
        assert case.expected["rows"][i] == pytest.approx(row, abs=1e-13)
        row = alpha[i + 1] / alpha[i] * row
        row[1 + i] += sigma[i + 1] - alpha[i + 1] / alpha[i] * sigma[i]
    assert case.expected["rows"][-1] == pytest.approx(row, abs=1e-13)


def test_levels_and_weightings() -> None:
    flow = RIGHT["levels/flow_matching"]
    assert flow.expected["sigma"] == pytest.approx(flow.given["t"])
    weight = RIGHT["weightings/flow_matching"]
    lam = np.array(weight.given["log_snr"])
    assert weight.expected["weight"] == pytest.approx(np.exp(-lam / 2) / 2)


def test_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "vectors.json"
    assert cli.main(["vectors", str(out)]) == 0
    assert "wrong ones that must be missed" in capsys.readouterr().out
    content = json.loads(out.read_text("utf-8"))
    schema = json.loads(Path(vectors.__file__).with_name("vectors.schema.json").read_text("utf-8"))
    assert content["schema"] == schema["title"] == schema["properties"]["schema"]["const"]
    known = schema["properties"]["cases"]["items"]
    for case in content["cases"]:
        assert set(case) == set(known["required"]) == set(known["properties"])
        assert case["group"] in known["properties"]["group"]["enum"]
        assert case["catches"]
