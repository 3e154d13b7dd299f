"""The reverse SDE with torchsde's solvers, and what people get wrong in it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import dfbench

pytest.importorskip("torchsde")
pytest.importorskip("scipy")

from dfbench.subjects import torchsde as subject
from dfbench.subjects.library import library

Reverse = subject.Reverse


class _Half(Reverse):
    """The score with the weight of the probability flow."""

    def f(self, s: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        t = -float(s)
        return super().f(s, y) / 2 - float(self.schedule.f(t)) * y / 2


class _Root(Reverse):
    """g of the score, where it should be g²."""

    def f(self, s: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        t = -float(s)
        forward = float(self.schedule.f(t)) * y
        return (super().f(s, y) + forward) / float(self.schedule.g2(t)) ** 0.5 - forward


class _Forward(Reverse):
    """The drift of the forward SDE in the direction of its own time."""

    def f(self, s: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return super().f(s, y) + 2 * float(self.schedule.f(-float(s))) * y


class _Square(Reverse):
    """g² of the noise, where it should be g."""

    def g(self, s: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return super().g(s, y) ** 2


class _Early(Reverse):
    """The noise of a time that is off."""

    def g(self, s: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return super().g(0.99 * s, y)


def _asked(name: str, *claims: str) -> dict[str, str]:
    (report,) = dfbench.certify(f"torchsde:{name}", steps=[6], select=list(claims)).subjects
    return {finding.claim: finding.verdict for finding in report.findings}


@pytest.mark.slow(quick=2)
@pytest.mark.parametrize("name", library("torchsde").names())
def test_a_solver_is_its_formula_on_the_reverse_sde(name: str) -> None:
    found = _asked(name, "counts", "affine", "identity", "bookkeeping", "noise")
    assert set(found.values()) == {"pass"}, found


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize(("name", "order"), [("vp_euler", 1), ("vp_heun", 2), ("vp_srk", 2)])
def test_orders_are_those_of_additive_noise(name: str, order: int) -> None:
    (report,) = dfbench.certify(f"torchsde:{name}", select=["order"]).subjects
    (finding,) = report.findings
    assert finding.verdict == "pass"
    assert finding.measured == pytest.approx(order, abs=0.15)


@pytest.mark.slow(quick=3)
@pytest.mark.parametrize("wrong", [_Half, _Root, _Forward, _Square, _Early])
@pytest.mark.parametrize("name", ["vp_euler", "vp_srk", "ve_midpoint"])
def test_a_wrong_sde_is_seen(name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if wrong is _Forward and name.startswith("ve"):
        pytest.skip("it has no drift")
    monkeypatch.setattr(subject, "Reverse", wrong)
    assert _asked(name, "identity")["identity"] == "fail"


class _Scalar(subject.Elements):
    """One channel of noise for the whole state."""

    def __call__(self, *given: Any, **more: Any) -> Any:
        rows, size = self.path.shape
        made = super().__call__(*given, **more)
        return made.reshape(rows, size)[:, :1].expand(rows, size).reshape(-1, 1)


class _Straight(subject.Elements):
    """U = h W/2, as if a path were a straight line between the ends of a step."""

    def __call__(self, *given: Any, **more: Any) -> Any:
        made = super().__call__(*given, **more)
        a, b = map(float, given)
        return (made[0], (b - a) * made[0] / 2) if isinstance(made, tuple) else made


def test_noise_that_the_elements_share_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "Elements", _Scalar)
    assert _asked("vp_euler", "fresh-noise") == {"fresh-noise": "fail"}


def test_an_area_that_is_left_out_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "Elements", _Straight)
    assert _asked("vp_srk", "identity")["identity"] == "fail"


def test_what_is_excluded_says_why() -> None:
    with pytest.raises(dfbench.errors.Unusable, match="squares of increments"):
        dfbench.certify("torchsde:srk_diagonal")
