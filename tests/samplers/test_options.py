"""Options of reference methods: what has no meaning is refused with one line."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from dfbench.cli import main
from dfbench.samplers import METHODS
from dfbench.samplers.options import check
from dfbench.subjects.reference import default_grid

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("ddim", {"eta": math.nan}, "eta must be a number ≥ 0, got nan"),
    ("ddim", {"eta": -1.0}, "eta must be a number ≥ 0, got -1.0"),
    ("ddim", {"eta": math.inf}, "eta must be a number ≥ 0, got inf"),
    ("ddim", {"eta": True}, "eta must be a number ≥ 0, got True"),
    ("ddim", {"eta": "1"}, "eta must be a number ≥ 0, got '1'"),
    ("ddim", {"eta": [1.0]}, "eta must be a number ≥ 0"),
    ("ddim", {"eta": 1 + 0j}, "eta must be a number ≥ 0"),
    ("edm", {"s_churn": math.nan}, "s_churn must be a number ≥ 0, got nan"),
    ("edm", {"s_tmin": math.inf}, "s_tmin must be a number ≥ 0, got inf"),
    ("unipc", {"predict_x0": "nope"}, "predict_x0 must be true or false, got 'nope'"),
    ("unipc", {"predict_x0": 1}, "predict_x0 must be true or false, got 1"),
    ("unipc", {"order": 2.5}, "order must be a whole number ≥ 0, got 2.5"),
    ("unipc", {"variant": 2}, "variant must be a text, got 2"),
    ("ddpm", {"variance": None}, "variance must be a text or a number ≥ 0, got None"),
    ("dpm2", {"rho": "7"}, "rho must be a number ≥ 0 or none, got '7'"),
    ("lcm", {"c_skip": [0.1, math.nan]}, "c_skip must be a number ≥ 0 or a sequence"),
    ("sa_solver", {"tau": "x"}, "tau must be a number ≥ 0 or a sequence or a function, got 'x'"),
]
RIGHT: list[tuple[str, dict[str, Any]]] = [
    ("ddim", {"eta": 1}),
    ("ddim", {"eta": np.float32(0.5)}),
    ("edm", {"s_tmax": math.inf, "second_order": np.bool_(True)}),
    ("unipc", {"order": np.int64(2), "disable_corrector": (0,)}),
    ("ddpm", {"variance": 0.5}),
    ("ddpm", {"variance": "beta"}),
    ("dpm2", {"rho": None}),
    ("sa_solver", {"tau": lambda level: 0.5}),
    ("sa_solver", {"tau": np.full(6, 0.5)}),
]


@pytest.mark.parametrize(("name", "options", "said"), WRONG, ids=[said for *_, said in WRONG])
def test_what_has_no_meaning_is_refused(name: str, options: dict[str, Any], said: str) -> None:
    line = re.escape(f"{name}: {said}")
    with pytest.raises(ValueError, match=line):
        METHODS[name].table(default_grid(6), "x", **options)
    with pytest.raises(ValueError, match=line):
        METHODS[name].traits_of(**options)


@pytest.mark.parametrize(("name", "options"), RIGHT, ids=[f"{n} {[*o]}" for n, o in RIGHT])
def test_what_has_is_taken(name: str, options: dict[str, Any]) -> None:
    assert np.isfinite(METHODS[name].table(default_grid(6), "x", **options).rows).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dfbench:edm", "--config", '{"s_churn": NaN}'], "s_churn must be a number"),
        (["dfbench:unipc", "--config", '{"predict_x0": "nope"}'], "true or false"),
        (["dfbench:ddim", "--call", '{"eta": 1.0}'], "takes its options as --config"),
        (["ddim"], "written dfbench:ddim"),
        (["annealed_langevin"], "written dfbench:annealed_langevin"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_on_the_command_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["certify", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_method_of_ones_own_need_not_annotate() -> None:
    def own(model: Any, z: Any, grid: Any, noise: Any, *, eta=0.0):  # type: ignore[no-untyped-def]
        return z

    check("own", own, {"eta": "anything"})
    with pytest.raises(ValueError, match="eta must be"):
        check("ddim", METHODS["ddim"].function, {"eta": "anything"})


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("unipc", {"order": 99}, "order must be 1 to 9"),
        ("sa_solver", {"predictor_order": 0}, "predictor_order must be 1 to 9"),
        ("sa_solver", {"corrector_order": 99}, "corrector_order 0 to 9, got 2, 99"),
        ("ddim", {"eta": 1e300}, "not finite on these levels"),
        ("edm", {"s_noise": 1e308, "s_churn": 1.0}, "not finite on these levels"),
    ],
)
def test_numbers_beyond_reach_are_refused(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        METHODS[name].table(default_grid(4), **options)
