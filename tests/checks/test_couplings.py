"""Couplings: right ones in many forms pass, wrong ones fail where they are wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import ot
import pytest
import torch
from scipy.optimize import linear_sum_assignment

import dfbench
from dfbench.checks import CLAIMS
from dfbench.checks.couplings import sinkhorn
from dfbench.couplings import optimal_pairs
from dfbench.outcome import Finding, SubjectReport
from dfbench.subjects.coupling import CouplingSubject


def certified(thing: Any, **declare: Any) -> SubjectReport:
    (report,) = dfbench.certify(thing, declare={"kind": "coupling", **declare}).subjects
    assert report.kind == "coupling"
    return report


def failed(thing: Any, **declare: Any) -> dict[str, Finding]:
    return {f.claim: f for f in certified(thing, **declare).findings if f.verdict == "fail"}


def cost(x0: Any, x1: Any, power: float = 2.0) -> Any:
    return torch.cdist(x0.flatten(1), x1.flatten(1)).numpy() ** power


def over(t: Any, x: Any) -> Any:
    return t.view(-1, *[1] * (x.ndim - 1))


def assigned(x0: Any, x1: Any) -> Any:
    return torch.from_numpy(linear_sum_assignment(cost(x0, x1))[1])


def rows(noise: Any, data: Any) -> Any:
    """Both, in the order of the pairs."""
    return noise, data[assigned(noise, data)]


def indices(x0: Any, x1: Any) -> Any:
    return linear_sum_assignment(cost(x0, x1))


def plan(x0: Any, x1: Any) -> Any:
    made = np.zeros((len(x0), len(x1)))
    made[linear_sum_assignment(cost(x0, x1))] = 1 / len(x0)
    return made


class Out(NamedTuple):
    x_t: Any
    t: Any
    dx_t: Any


def independent(noise: Any, x: Any) -> Out:
    t = torch.rand(len(x), dtype=x.dtype)
    s = over(t, x)
    return Out((1 - s) * noise + s * x, t, x - noise)


def from_data(x0: Any, x1: Any, t: Any) -> Any:
    """Time 0 is data; the noise of a bridge is drawn."""
    x1 = x1[assigned(x0, x1)]
    s = over(t, x0)
    eps = torch.randn_like(x0)
    width = torch.sqrt(s * (1 - s))
    rate = (1 - 2 * s) / (2 * width).clamp(min=1e-9)
    return (1 - s) * x1 + s * x0 + width * eps, x0 - x1 + rate * eps


class WithReplacement:
    """Pairs drawn from a plan, as torchcfm draws them."""

    def sample_plan(self, x0: Any, x1: Any) -> Any:
        p = plan(x0, x1).ravel()
        i, j = np.divmod(np.random.choice(p.size, p=p / p.sum(), size=len(x0)), len(x0))  # noqa: NPY002
        return x0[i], x1[j]


@pytest.mark.parametrize("thing", [rows, indices, plan, independent, from_data, WithReplacement()])
def test_a_right_one_passes(thing: Any) -> None:
    report = certified(thing)
    assert report.verdict == "pass", [f for f in report.findings if f.verdict != "pass"]
    assert any("it pairs rows" in n for n in report.notes) is (thing is not plan)


def test_those_of_dfbench_pass() -> None:
    report = certified(optimal_pairs, arrays="numpy", plan="optimal")
    assert report.verdict == "pass", [f for f in report.findings if f.verdict != "pass"]
    assert any("vectors" in note for note in report.notes)


KEPT: dict[float, Any] = {}


def drawn(x0: Any, x1: Any) -> Any:
    if (key := float(x0.sum())) not in KEPT:
        KEPT[key] = torch.from_numpy(ot.sinkhorn([], [], cost(x0, x1), 8.0, stopThr=1e-13))
    p = KEPT[key]
    k = torch.multinomial(p.flatten(), len(x0), replacement=True)
    return x0[k // len(x0)], x1[k % len(x0)]


def test_an_entropic_plan_has_its_frequencies() -> None:
    made = CouplingSubject(drawn, "drawn", claims={"plan": "entropic", "reg": 8.0})
    assert CLAIMS["coupling-plan"](made).verdict == "pass"
    made.declare({"reg": 4.0})
    assert CLAIMS["coupling-plan"](made).verdict == "fail"


def test_sinkhorns_plan_is_that_of_pot() -> None:
    made = cost(*torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0)).double())
    uniform = np.full(6, 1 / 6)
    exact = ot.sinkhorn(uniform, uniform, made, 1.0, stopThr=1e-13)
    assert abs(sinkhorn(made, 1.0) - exact).max() < 1e-10


def not_squared(x0: Any, x1: Any) -> Any:
    return linear_sum_assignment(cost(x0, x1, 1.0))


def nearest(x0: Any, x1: Any) -> Any:
    return x0, x1[torch.from_numpy(cost(x0, x1).argmin(1))]


def inverse(x0: Any, x1: Any) -> Any:
    return x0, x1[assigned(x0, x1).argsort()]


def first_axis(x0: Any, x1: Any) -> Any:
    return linear_sum_assignment(cost(x0.flatten(1)[:, :1], x1.flatten(1)[:, :1]))


def softmax(x0: Any, x1: Any) -> Any:
    """Rows of the kernel, whose columns are not what they should be."""
    p = torch.softmax(torch.from_numpy(-cost(x0, x1) / 8), 1)
    return x0, x1[torch.multinomial(p, 1)[:, 0]]


def no_time_of_its_own(x0: Any, x1: Any) -> Any:
    """The time goes along the last axis where that is as long as the batch."""
    t = torch.rand(len(x0), dtype=x0.dtype)
    s = t if x0.shape[-1] == len(t) else over(t, x0)
    return t, (1 - s) * x0 + s * x1, x1 - x0 if s is not t else (x1 - x0) * s / s


def wrong_sign(x0: Any, x1: Any, t: Any) -> Any:
    return (1 - over(t, x0)) * x0 + over(t, x0) * x1, x0 - x1


def cosine_with_the_wrong_rate(x0: Any, x1: Any, t: Any) -> Any:
    s = over(t, x0) * torch.pi / 2
    return torch.cos(s) * x0 + torch.sin(s) * x1, torch.cos(s) * x1 - torch.sin(s) * x0


def one_is_squeezed(x0: Any, x1: Any) -> Any:
    return x0.squeeze(0), x1.squeeze(0)


def target_of_other_rows(x0: Any, x1: Any) -> Any:
    """The pairs are used for the state, the target is that of the rows as they came."""
    t, other = torch.rand(len(x0), dtype=x0.dtype), x1[assigned(x0, x1)]
    return t, (1 - over(t, x0)) * x0 + over(t, x0) * other, x1 - x0


WRONG: dict[str, tuple[Any, str, str]] = {
    "not squared": (not_squared, "coupling-plan", "distance, not for its square"),
    "nearest": (nearest, "coupling-marginals", "more often"),
    "the inverse": (inverse, "coupling-plan", "inverse permutation"),
    "one axis": (first_axis, "coupling-plan", "first number"),
    "softmax": (softmax, "coupling-marginals", "more often"),
    "the sign": (wrong_sign, "coupling-target", "negative"),
    "a rate": (cosine_with_the_wrong_rate, "coupling-target", ""),
    "squeezed": (one_is_squeezed, "coupling-runs", "shapes"),
    "other rows": (target_of_other_rows, "coupling-target", ""),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_one_fails(what: str) -> None:
    thing, claim, why = WRONG[what]
    declare = {"plan": "optimal"} if claim == "coupling-plan" else {}
    found = failed(thing, **declare)
    assert claim in found, found
    assert why in (found[claim].why or "")


@pytest.mark.slow
def test_the_failure_is_shown_by_a_plain_call(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def pairs(noise, data):\n    return list(range(len(data)))\n")
    wanted = {"kind": "coupling", "plan": "optimal"}
    (report,) = dfbench.certify(f"{file}:pairs", declare=wanted).subjects
    found = {f.claim: f for f in report.findings}["coupling-plan"]
    assert found.reproduce is not None
    assert "dfbench" not in found.reproduce
    ran = subprocess.run([sys.executable, "-c", found.reproduce], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "[0, 1, 2, 3, 4, 5]" in ran.stdout
