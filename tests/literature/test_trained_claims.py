"""Every claim on trained networks holds on small ones, and its control fails."""

from __future__ import annotations

import pytest

from dfbench.errors import Unsupported, Unusable
from dfbench.literature import (
    c35_churn_trained,
    c37_reverse_sde_with_eta_trained,
    c38_interpolant_sde_trained,
)
from dfbench.literature.run import examine
from dfbench.literature.trained import TRAINED, Subject
from dfbench.literature.trained_run import check_trained, named


@pytest.fixture(autouse=True)
def _fewer_steps(monkeypatch):
    """Budgets that a test can afford; what is judged is the last of them."""
    monkeypatch.setattr(c35_churn_trained, "STEPS", (40,))
    monkeypatch.setattr(c37_reverse_sde_with_eta_trained, "STEPS", (100,))
    monkeypatch.setattr(c38_interpolant_sde_trained, "STEPS", 60)


@pytest.mark.parametrize("number", sorted(TRAINED))
def test_a_claim_holds_and_its_control_fails(lab, number):
    outcome = examine(TRAINED[number], lambda formula: Subject(formula, lab))
    said = f"{outcome.finding.measured} {outcome.finding.unit} {outcome.finding.why}"
    assert outcome.finding.verdict == "pass", said
    assert outcome.control.verdict == "fail", outcome.control
    assert outcome.verdict == "pass"


def test_every_row_that_asks_for_trained_networks_has_a_claim():
    rows = {*range(13, 22), 24, 25, 26, 31, 32, *range(34, 39), 44, 47}
    assert set(TRAINED) == rows


def test_claims_are_named_with_or_without_their_letter():
    assert [claim.id for claim in named(["T34", "16"])] == ["T16", "T34"]
    assert len(named()) == len(TRAINED)
    with pytest.raises(Unusable, match="no claim on trained networks 99"):
        named(["99"])


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

    found = check_trained(Blind(), ["44"]).outcomes[0]
    assert found.finding.verdict == "skip"
    assert "nobody knows" in found.finding.why
