"""The self-test fails where a check has gone blind, or a method known to be good does not pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dfbench import self_test as module
from dfbench.checks import CLAIMS
from dfbench.outcome import judge
from dfbench.samplers import METHODS
from dfbench.self_test import GOOD, self_test

FEW = (("ddim", {}), ("ddim", {"eta": 1.0}))


def keep(*ids: str) -> None:
    """Leave these claims only."""
    for id in list(CLAIMS):
        if id not in ids:
            del CLAIMS[id]


@pytest.mark.slow
def test_everything_is_in_order() -> None:
    seen: list[tuple[str, int, int]] = []
    outcome = self_test(lambda *progress: seen.append(progress))
    assert outcome["verdict"] == "pass"
    assert [c["claim"] for c in outcome["controls"]] == list(CLAIMS)
    assert all(c["caught"] for c in outcome["controls"])
    assert [g["subject"] for g in outcome["good"]] == [
        name + (f" {options}" if options else "") for name, options in GOOD
    ]
    assert all(g["passed"] and g["problems"] == "" for g in outcome["good"])
    total = len(CLAIMS) + len(GOOD)
    assert [progress[1:] for progress in seen] == [(i + 1, total) for i in range(total)]
    assert outcome["defects"] == len(CLAIMS)
    power = {c["claim"]: (c["notices"], c["seen_by"]) for c in outcome["controls"]}
    for id, (notices, seen_by) in power.items():
        assert id in seen_by  # its own defect
        assert notices == sum(id in others for _, others in power.values())
    assert {"bookkeeping", "identity"} <= set(power["law"][1])  # what it sees they see sooner
    smallest = {c["claim"]: c["smallest"] for c in outcome["controls"]}
    for id, claim in CLAIMS.items():
        assert (smallest[id] is None) == (not claim.sized)
    # what a check that reads a table in float64 has to see (tables may be in float32)
    for id in ("bookkeeping", "identity", "prediction-types", "scale-invariance", "companions"):
        assert smallest[id] < 1e-4
    for id in ("told-level", "row-independence", "state"):
        assert smallest[id] < 1e-8


def test_most_families_are_among_the_good() -> None:
    families = {METHODS[name].function.__module__ for name, _ in GOOD}
    assert len(families) >= 8


def test_a_blind_check_is_found(few_claims: None, monkeypatch: pytest.MonkeyPatch) -> None:
    keep("counts", "identity")
    monkeypatch.setattr(module, "GOOD", FEW)
    monkeypatch.setitem(
        CLAIMS, "identity", replace(CLAIMS["identity"], check=lambda subject: judge(0.0, 1.0))
    )
    outcome = self_test()
    assert outcome["verdict"] == "fail"
    caught = {c["claim"]: (c["caught"], c["smallest"]) for c in outcome["controls"]}
    assert caught == {"counts": (True, None), "identity": (False, None)}
    assert all(g["passed"] for g in outcome["good"])


def test_a_check_that_only_hesitates_is_blind(
    few_claims: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(subject: Any) -> Any:
        from dfbench.errors import NotAffine

        raise NotAffine("always")

    keep("identity")
    monkeypatch.setattr(module, "GOOD", ())
    monkeypatch.setitem(CLAIMS, "identity", replace(CLAIMS["identity"], check=breaks))
    assert self_test()["verdict"] == "fail"


@pytest.mark.parametrize("verdict", ["fail", "inconclusive"])
def test_a_false_alarm_is_found(
    verdict: str, few_claims: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep("counts", "affine")
    monkeypatch.setattr(module, "GOOD", FEW)
    real = CLAIMS["affine"]

    def alarm(subject: Any) -> Any:
        if subject.config:
            return replace(judge(2.0, 1.0, why="because"), verdict=verdict)
        return real.check(subject)

    monkeypatch.setitem(CLAIMS, "affine", replace(real, check=alarm))
    outcome = self_test()
    assert outcome["verdict"] == "fail"
    assert [(g["passed"], g["problems"]) for g in outcome["good"]] == [
        (True, ""),
        (False, "affine: because"),
    ]


@pytest.mark.parametrize("threshold", [1e-3, 3e-7, 0.9])
def test_the_smallest_defect_is_found(
    threshold: float, few_claims: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a factor of two, from above."""
    claim = replace(
        CLAIMS["identity"],
        control=lambda size: _Sized(size),
        control_size=1.0,
        check=lambda subject: judge(subject.size, threshold),
    )
    keep()
    monkeypatch.setattr(module, "GOOD", ())
    monkeypatch.setitem(CLAIMS, "identity", claim)
    (control,) = self_test()["controls"]
    assert threshold < control["smallest"] <= 2 * threshold


class _Sized:
    expected: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, size: float) -> None:
        self.size = size

    def snippet(self, claim: str) -> str:
        return ""
