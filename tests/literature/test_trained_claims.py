"""Every claim on trained networks holds on small ones, and its control fails."""

from __future__ import annotations

import pytest

from dfbench.errors import Unsupported, Unusable
from dfbench.literature import (
    ROWS,
    TRAINED,
    c35_churn_trained,
    c37_reverse_sde_with_eta_trained,
    c38_interpolant_sde_trained,
)
from dfbench.literature.run import check_claims, examine, named


@pytest.fixture(autouse=True)
def _fewer_steps(monkeypatch):
    """Budgets that a test can afford; what is judged is the last of them."""
    monkeypatch.setattr(c35_churn_trained, "STEPS", (40,))
    monkeypatch.setattr(c37_reverse_sde_with_eta_trained, "STEPS", (100,))
    monkeypatch.setattr(c38_interpolant_sde_trained, "STEPS", 60)


@pytest.mark.slow
@pytest.mark.parametrize("number", sorted(TRAINED))
def test_a_claim_holds_and_its_control_fails(lab, number):
    outcome = examine(TRAINED[number], lab)
    said = f"{outcome.finding.measured} {outcome.finding.unit} {outcome.finding.why}"
    assert outcome.finding.verdict == "pass", said
    assert outcome.control.verdict == "fail", outcome.control
    assert outcome.verdict == "pass"


def test_each_stands_beside_its_row_and_is_of_its_number():
    assert set(TRAINED) <= set(ROWS)
    for number, claim in TRAINED.items():
        assert claim.number == number
        beside = claim.check.__module__.removesuffix("_trained")
        assert beside == ROWS[number].check.__module__


def test_claims_are_named_with_or_without_their_letter():
    assert [claim.id for claim in named(["T34", "16"], trained=True)] == ["T16", "T34"]
    assert len(named(trained=True)) == len(TRAINED)
    with pytest.raises(Unusable, match="no claim on trained networks 99; there are T13 to T2"):
        named(["99"], trained=True)


@pytest.mark.slow
def test_variations_are_trained_once_and_found_again(lab):
    one, again = lab.network(prediction="eps"), lab.network(prediction="eps")
    assert one is again
    assert lab.where(prediction="eps") != lab.where(prediction="x")
    assert (lab.where(prediction="eps") / "checkpoint" / "last.pt").is_file()
    assert one.prediction == "eps"


def test_a_claim_that_needs_the_law_of_the_data_is_skipped_without_it():
    class Blind:
        @property
        def truth(self):
            raise Unsupported("nobody knows the law of these data")

        dim = 2

        def network(self, **changes):
            return None

    found = check_claims(["44"], lab=Blind()).outcomes[0]
    assert found.finding.verdict == "skip"
    assert "nobody knows" in found.finding.why
