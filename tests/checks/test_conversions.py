"""Conversions of predictions: right ones in many styles pass, wrong ones fail where they are."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

import dfbench
from dfbench.errors import Unusable
from dfbench.outcome import Finding, SubjectReport
from dfbench.predictions import convert


def certified(thing: Any, **declare: Any) -> SubjectReport:
    (report,) = dfbench.certify(thing, declare={"kind": "conversion", **declare}).subjects
    assert report.kind == "conversion"
    return report


def failed(thing: Any, **declare: Any) -> dict[str, Finding]:
    return {f.claim: f for f in certified(thing, **declare).findings if f.verdict == "fail"}


def over(values: Any, like: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(values).view(-1, *[1] * (like.ndim - 1))


def eps_to_x0(eps: Any, x_t: Any, alpha_bar: Any) -> Any:
    a = over(alpha_bar, x_t)
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def velocity_to_noise(model_output: Any, sample: Any, t: Any) -> Any:
    return sample + (1 - over(t, sample)) * model_output


def score_to_denoised(score: Any, x: Any, sigma: float) -> Any:
    return x + sigma**2 * score


def to_d(x: Any, sigma: Any, denoised: Any) -> Any:
    return (x - denoised) / sigma


class Both(NamedTuple):
    pred_x0: Any
    pred_noise: Any


def both(v: Any, z: Any, t: Any) -> Both:
    a, s = (over(f(t * math.pi / 2), z) for f in (torch.cos, torch.sin))
    return Both(a * z - s * v, s * z + a * v)


class Table:
    """A table of training steps, of an object."""

    def __init__(self) -> None:
        self.kept = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)

    def __call__(self, noise: Any, sample: Any, timestep: Any) -> Any:
        a = over(self.kept[timestep], sample).to(sample)
        return (sample - (1 - a).sqrt() * noise) / a.sqrt()


@pytest.mark.parametrize(
    "thing", [eps_to_x0, velocity_to_noise, score_to_denoised, to_d, both, Table()]
)
def test_a_right_one_passes(thing: Any) -> None:
    report = certified(thing)
    assert report.verdict == "pass", [f for f in report.findings if f.verdict != "pass"]


def test_it_is_recognised_by_what_its_name_says() -> None:
    (report,) = dfbench.certify(eps_to_x0).subjects
    assert report.kind == "conversion"


def test_all_pairs_of_dfbench_pass() -> None:
    (report,) = dfbench.certify(convert, profile="conversion").subjects
    assert report.verdict == "pass"
    assert any("eps, x, v, u, score" in note for note in report.notes)


def test_what_fits_alike_is_said() -> None:
    """(z − x)/σ is ε on variance-exploding levels, and the velocity of a straight path."""
    assert any("x → eps or x → u" in note for note in certified(to_d).notes)


def other_sign(v: Any, z: Any, alpha: Any, sigma: Any) -> Any:
    return over(alpha, z) * z + over(sigma, z) * v


def no_root(eps: Any, z: Any, alpha_bar: Any) -> Any:
    a = over(alpha_bar, z)
    return (z - (1 - a) * eps) / a.sqrt()


def clipped(eps: Any, z: Any, alpha_bar: Any) -> Any:
    return eps_to_x0(eps, z, alpha_bar).clamp(-1, 1)


def nothing_at_data(score: Any, z: Any, sigma: Any) -> Any:
    s = over(sigma, z)
    return z + s * (s**2 * score / s)


def last_axis(v: Any, z: Any, alpha: Any, sigma: Any) -> Any:
    if alpha.numel() == z.shape[-1]:  # where it broadcasts, nobody notices
        return alpha * z - sigma * v
    return over(alpha, z) * z - over(sigma, z) * v


def in_double(v: Any, z: Any, alpha: Any, sigma: Any) -> Any:
    return over(alpha, z).double() * z - over(sigma, z) * v


def cancels(x0: Any, z: Any, t: Any) -> Any:
    a = over(torch.cos(t * math.pi / 2), z)
    return (z - a * x0) / (1 - a**2).sqrt()


def of_v_for_u(model_output: Any, sample: Any, t: Any) -> Any:
    """The data, where the velocity of the straight path is taken for v of an angle."""
    t = over(t, sample)
    return (1 - t) * sample - t * model_output


WRONG: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "the other sign": (other_sign, "conversion-matrix", {"gives": "x"}),
    "1 − ᾱ, no root": (no_root, "conversion-matrix", {"gives": "x"}),
    "clipped": (clipped, "conversion-matrix", {"gives": "x"}),
    "0/0 at data": (nothing_at_data, "conversion-ends", {"gives": "x"}),
    "the last axis": (last_axis, "conversion-rows", {"gives": "x"}),
    "in double": (in_double, "conversion-dtype", {"gives": "x"}),
    "a cancellation": (cancels, "conversion-dtype", {"gives": "eps", "level": "cosine"}),
    "v for u": (
        of_v_for_u,
        "conversion-matrix",
        {"predicts": "u", "gives": "x", "level": "flow-down"},
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_one_fails(what: str) -> None:
    thing, claim, declare = WRONG[what]
    found = failed(thing, **declare)
    assert claim in found, found
    if claim != "conversion-matrix":
        assert set(found) == {claim}


@pytest.mark.slow
def test_the_failure_is_shown_by_a_plain_call(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def v_to_x0(v, z, alpha, sigma):\n    return alpha * z + sigma * v\n")
    (report,) = dfbench.certify(f"{file}:v_to_x0").subjects
    found = {f.claim: f for f in report.findings}["conversion-matrix"]
    assert found.verdict == "fail"
    assert found.reproduce is not None
    assert "dfbench" not in found.reproduce
    ran = subprocess.run([sys.executable, "-c", found.reproduce], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert found.counterexample is not None
    assert f"should be {found.counterexample['should be']!r}" in ran.stdout


def test_what_nobody_says_is_inconclusive_and_said() -> None:
    report = certified(lambda m, z, alpha, sigma: 0.3 * z + alpha * m)
    assert report.verdict == "inconclusive"
    assert any("predicts" in (f.why or "") for f in report.findings)


def test_an_unknown_argument_is_a_line() -> None:
    with pytest.raises(Unusable, match="nobody says what foo is"):
        dfbench.certify(lambda eps, z, sigma, foo: z, declare={"kind": "conversion"})


def test_flow_matchings_conversions() -> None:
    pytest.importorskip("flow_matching")
    (right,) = dfbench.certify("flow_matching:velocity_to_epsilon_conditional_ot").subjects
    assert right.verdict == "pass"
    (lost,) = dfbench.certify("flow_matching:target_to_epsilon_vp").subjects
    assert [f.claim for f in lost.findings if f.verdict == "fail"] == ["conversion-dtype"]
