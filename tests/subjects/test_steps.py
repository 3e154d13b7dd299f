"""The step counts that a user runs are those that count."""

from __future__ import annotations

from typing import Any

import pytest

import dfbench
from dfbench.errors import Unusable
from dfbench.outcome import Finding

diffusers: Any = pytest.importorskip("diffusers")
OVER_COUNTS = ["counts", "bookkeeping", "told-level", "landing", "identity"]


class WrongAt(diffusers.DDIMScheduler):  # type: ignore[misc]
    """Does less than it should in runs of so many steps."""

    runs: tuple[int, ...] = ()

    def step(self, m: Any, t: Any, x: Any, **options: Any) -> Any:
        factor = 0.99 if self.num_inference_steps in self.runs else 1.0
        return super().step(factor * m, t, x, **options)


class WrongAtEleven(WrongAt):
    runs = (11,)


class WrongAtFour(WrongAt):
    runs = (4, 5, 7, 10)


class WrongBeyondSixty(WrongAt):
    def set_timesteps(self, n: int, *args: Any, **options: Any) -> None:
        if n > 60:
            raise RuntimeError("too many")
        super().set_timesteps(n, *args, **options)


def findings(subject: Any, select: list[str] = OVER_COUNTS, **options: Any) -> dict[str, Finding]:
    (report,) = dfbench.certify(subject, select=select, **options).subjects
    return {finding.claim: finding for finding in report.findings}


def verdicts(subject: Any, **options: Any) -> dict[str, str]:
    return {claim: f.verdict for claim, f in findings(subject, **options).items()}


def test_what_is_wrong_at_these_counts_is_seen() -> None:
    """And at those of nobody else: 11 is asked by nobody."""
    assert "fail" not in verdicts(WrongAtEleven).values()
    found = findings(WrongAtEleven, steps=[4, 11])
    assert {c for c, f in found.items() if f.verdict == "fail"} == {"bookkeeping", "identity"}
    assert "11 steps" in (found["identity"].where or "")
    assert "set_timesteps(11)" in (found["bookkeeping"].reproduce or "")


def test_what_is_wrong_at_others_does_not_count() -> None:
    assert verdicts(WrongAtFour)["identity"] == "fail"
    assert "fail" not in verdicts(WrongAtFour, steps=[6, 8]).values()
    assert verdicts(WrongBeyondSixty)["counts"] == "fail"
    assert verdicts(WrongBeyondSixty, steps=[4, 8])["counts"] == "pass"


def test_a_count_that_is_refused_is_a_failure() -> None:
    """As nobody runs it who does not say so, it is none otherwise."""
    config = {"use_dynamic_shifting": True}
    name = "diffusers:FlowMatchEulerDiscreteScheduler"
    found = findings(name, config=config, steps=[4], select=["counts"])["counts"]
    assert found.verdict == "fail"
    assert "4 steps: cannot be run" in (found.where or "")
    assert verdicts(name, config=config, steps=[4], call={"mu": 1.1})["counts"] == "pass"
    assert findings(diffusers.DDIMScheduler, steps=[2000])["counts"].verdict == "fail"


def test_the_certificate_says_them() -> None:
    certificate = dfbench.certify("dfbench:ddim", steps=(8, 4, 8), select=["counts", "law"])
    assert certificate.environment["steps"] == [8, 4]
    assert {"N=8", "N=4"} < (certificate.subjects[0].findings[1].series or {}).keys()
    assert "steps" not in dfbench.certify("dfbench:ddim", select=["counts"]).environment


@pytest.mark.parametrize("steps", [[0], [-1], [2.0], ["4"], [True]])
def test_what_is_no_count(steps: list[Any]) -> None:
    with pytest.raises(Unusable, match="steps must be positive whole numbers, got "):
        dfbench.certify("dfbench:ddim", steps=steps)


def test_as_items_of_pytest() -> None:
    mark = dfbench.parametrize_with_checks(WrongAtEleven, select=["identity"], steps=[11])
    ((subject, check),) = (each.values for each in mark.args[1])
    with pytest.raises(AssertionError, match="11 steps"):
        check(subject)
