"""Every claim fails on its control, and no claim fails, or hesitates, on a reference method."""

from __future__ import annotations

from typing import Any

import pytest

from dfbench.checks import CLAIMS
from dfbench.examination import examine
from dfbench.self_test import GOOD
from dfbench.subjects import resolve
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import MethodSampler
from tests.checks.broken import Edited

REFERENCES = {subject.name: subject for subject in resolve("dfbench")}
#: Options that change what a method is.
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *GOOD,
    ("ddim", {"eta": 0.5}),
    ("ddpm", {"variance": "beta"}),
    ("edm", {"second_order": False}),
    ("flow_matching", {"solver": "heun"}),
    ("dpm_solver_pp_multistep", {"order": 3}),
    ("dpm_solver_pp_multistep", {"solver_type": "heun", "euler_at_final": True}),
    ("sde_dpm_solver_pp", {"order": 1}),
    ("dpmpp_sde", {"brownian": True, "r": 0.3}),
    ("unipc", {"order": 3, "variant": "bh1"}),
    ("unipc", {"corrector": False}),
    ("lms", {"order": 2}),
    ("euler_ancestral", {"eta": 0.0}),
]


def wrong(subject: Sampler) -> dict[str, str | None]:
    """What did not pass, and why."""
    return {
        f.claim: f.why or f.where or f"{f.measured} > {f.bound}"
        for f in examine(subject).findings
        if f.verdict not in ("pass", "skip")
    }


@pytest.mark.slow(quick=13)
@pytest.mark.parametrize("id", CLAIMS)
def test_the_control_fails(id: str) -> None:
    claim = CLAIMS[id]
    finding = claim(claim.control(claim.control_size))
    assert finding.verdict == "fail"
    assert finding.claim == id
    assert finding.statement == claim.statement
    assert finding.measured is not None
    assert finding.bound is not None
    assert finding.cause == "measured"
    assert finding.sense == ("at least" if id == "order" else "at most")
    over = finding.measured > finding.bound
    assert over if finding.sense == "at most" else finding.measured < finding.bound
    assert finding.derivation or finding.bound == 0  # 0: nothing is allowed
    assert finding.where or finding.why
    assert finding.reproduce
    compile(finding.reproduce, "snippet", "exec")


@pytest.mark.slow(quick=20)
@pytest.mark.parametrize("id", [c.id for c in CLAIMS.values() if c.sized and c.id != "order"])
def test_a_control_without_its_defect_passes(id: str) -> None:
    """The control fails because of the defect, and for no other reason."""
    claim = CLAIMS[id]
    assert claim(claim.control(1e-30)).verdict == "pass"


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_raises_no_alarm(name: str) -> None:
    assert wrong(REFERENCES[name]) == {}


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=lambda x: str(x))
def test_nor_does_it_with_other_options(name: str, options: dict[str, Any]) -> None:
    assert wrong(MethodSampler(name, options)) == {}


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dpm_solver_pp_multistep", {"order": 3, "lower_order_final": True}),
        ("sa_solver", {"tau": 0.0}),
    ],
)
def test_nor_does_one_with_two_errors(name: str, options: dict[str, Any]) -> None:
    """The order is that of the last steps, or of a few, whose error is small and comes late."""
    assert wrong(MethodSampler(name, options)) == {}


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("seed", [1, 2])
def test_nor_does_another_seed(seed: int) -> None:
    for name in ("ddpm", "dpmpp_sde"):
        report = examine(MethodSampler(name), seed=seed)
        assert report.verdict == "pass"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ddim", "unipc", "ddpm", "heun"])
def test_nor_does_a_table_that_nothing_was_changed_in(name: str) -> None:
    """So that what the tests of defects find is the defect, not how it is put in."""
    assert wrong(Edited(name)) == {}
