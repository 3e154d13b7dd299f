"""How verdicts are reached, and what a finding and a certificate say of themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from dfbench.checks.cases import judge_entries, largest, last
from dfbench.errors import Unusable
from dfbench.outcome import (
    Certificate,
    Expected,
    Finding,
    Harm,
    Purpose,
    Sense,
    SubjectReport,
    complete,
    deciding,
    fail,
    inconclusive,
    judge,
    skip,
    worst,
)
from dfbench.outcome.expected import predictions

SENSES: list[tuple[Sense, float, str]] = [
    ("at most", 0.5, "pass"),
    ("at most", 1.0, "pass"),
    ("at most", 1.5, "fail"),
    ("at least", 0.5, "fail"),
    ("at least", 1.0, "pass"),
    ("at least", 1.5, "pass"),
]


@pytest.mark.parametrize(("sense", "measured", "verdict"), SENSES)
def test_a_value_is_held_to_its_bound(sense: Sense, measured: float, verdict: str) -> None:
    finding = judge(measured, 1.0, sense=sense, failing={"where": "here"})
    assert (finding.verdict, finding.cause, finding.sense) == (verdict, "measured", sense)
    assert finding.where == ("here" if verdict == "fail" else None)
    assert judge(math.nan, 1.0, sense=sense).verdict == "fail"


def test_what_is_not_a_number_uses_all_of_its_bound() -> None:
    assert judge(math.nan, 1.0).used == math.inf
    assert [judge(m, b).used for m, b in ((0.5, 2.0), (0.0, 0.0), (3.0, 0.0))] == [0.25, 0, 3]
    assert largest([judge(0.5, 1.0), judge(math.nan, 1.0), judge(2.0, 1.0)]).verdict == "fail"


def test_the_first_that_does_not_pass_decides_and_the_rest_is_not_asked() -> None:
    def asked() -> Iterator[Finding]:
        yield judge(0.1, 1.0)
        yield inconclusive("too few steps")
        raise AssertionError

    for decide in (deciding, last):
        assert decide(asked()).why == "too few steps"
    passing = [judge(m, 1.0) for m in (0.2, 0.9, 0.5)]
    assert deciding(passing) is passing[1]
    assert last(passing) is passing[2]
    assert deciding([]).verdict == "skip"
    assert deciding([], skip("no steps")) == last([], skip("no steps")) == skip("no steps")


def test_the_entry_closest_to_its_bound_stands_for_all() -> None:
    error = np.array([[0.3, 0.1], [0.2, 0.0]])
    bound = [[1.0], [0.25]]
    finding = judge_entries(error, bound, lambda i, j: f"row {i}, column {j}")
    assert (finding.measured, finding.bound) == (0.2, 0.25)
    assert finding.where == "row 1, column 0"


def test_nothing_at_all_is_a_skip_and_the_worst_part_is_the_whole() -> None:
    assert worst([]) == "skip"
    assert worst(["skip", "pass", "inconclusive"]) == "inconclusive"


def test_a_certificate_says_which_side_of_its_bound_a_value_is_on() -> None:
    findings = (judge(1.0, 1.7, sense="at least", unit="order"), judge(3, 0, unit="problems"))
    text = str(Certificate((SubjectReport("mine", findings=findings),)))
    assert "1 < 1.7; order" in text
    assert "3 > 0; problems" in text


# Expected failures ----------------------------------------------------------------------------

PREDICTED = Expected("it clamps", within=0.02, unit="of the state's size")
STATES = {"unit": "of the state's size"}


def test_a_predicted_failure_is_excused_within_its_size_only() -> None:
    predicted = PREDICTED.applied(judge(0.01, 1e-6, **STATES))
    assert (predicted.verdict, predicted.expected) == ("fail", "it clamps")
    for other in (
        judge(0.5, 1e-6, **STATES),  # the output is halved
        judge(math.nan, 1e-6, **STATES),
        judge(0.01, 1e-6, unit="evaluations"),  # another finding
        fail("it breaks"),
    ):
        found = PREDICTED.applied(other)
        assert (found.verdict, found.expected) == ("fail", None)
        assert "declared, at most 0.02 (of the state's size), and this is another: it clamps" in (
            found.why or ""
        )
    passes = PREDICTED.applied(judge(0.0, 1e-6, **STATES))
    assert (passes.cause, passes.why) == (
        "unneeded",
        "passes although a failure was declared: it clamps",
    )
    assert PREDICTED.applied(skip("why")) == skip("why")


def test_an_order_is_predicted_from_below() -> None:
    predicted = Expected("first order", within=0.9)
    assert predicted.applied(judge(1.0, 1.7, sense="at least")).expected
    assert not predicted.applied(judge(0.5, 1.7, sense="at least")).expected


def test_expected_failures_as_users_write_them() -> None:
    claims = ("law", "order")
    assert predictions(None, claims) == {}
    found = predictions(
        {
            "law": "why",
            "order": ["why", 0.5],
            "mine.py:Mine": {"law": {"reason": "why", "within": 1, "unit": "relative"}},
        },
        claims,
    )
    assert found == {
        "": {"law": Expected("why"), "order": Expected("why", 0.5)},
        "mine.py:Mine": {"law": Expected("why", 1, "relative")},
    }
    for wrong, said in (
        ({"lew": "why"}, "no claim lew; there are law, order"),
        ({"lew": {"reason": "why"}}, "no claim lew"),
        ({"mine.py:Mine": {"lew": "why"}}, "mine.py:Mine: no claim lew"),
        ({"law": {"reason": "why", "size": 1}}, "expected failure law: must be a reason"),
        ({"law": ["why", "much"]}, "expected failure law: must be a reason"),
        ({"law": 1}, "expected failure law: must be a reason"),
        ({"law": ""}, "expected failure law: must be a reason"),
        ({"law": {"within": 1}}, "expected failure law: must be a reason"),
    ):
        with pytest.raises(Unusable, match=said):
            predictions(wrong, claims)


# Coverage and harm ----------------------------------------------------------------------------


def found(claim: str, finding: Finding, core: str | None = None, harm: Harm = "samples") -> Finding:
    return replace(finding, claim=claim, core=core, harm=finding.harm or harm)


RIGHT, WRONG = judge(0.1, 1.0), judge(2.0, 1.0)
REFUSED = skip("it takes no such steps", "not asked")


def test_a_core_question_that_nobody_decided_is_inconclusive() -> None:
    by_nature = found("landing", skip("it goes from clean to noise"), "the landing")
    books = found("bookkeeping", REFUSED, "the coefficients")
    ident = found("identity", REFUSED, "the coefficients")
    order = found("order", REFUSED)
    one = SubjectReport("mine", findings=complete([by_nature, books, ident, order]))
    assert [f.verdict for f in one.findings] == ["skip", "inconclusive", "inconclusive", "skip"]
    assert one.findings[1].why == "it could not be asked: it takes no such steps"
    assert one.verdict == "inconclusive"
    assert one.coverage.missing == ("the coefficients",)
    assert one.coverage.not_asked == dict.fromkeys(
        ["bookkeeping", "identity", "order"], "it takes no such steps"
    )
    assert one.coverage.does_not_apply == {"landing": "it goes from clean to noise"}
    assert "missing: the coefficients" in str(one.coverage)
    assert one.headline == "samples undecided (bookkeeping and identity)"


@pytest.mark.parametrize("answer", [RIGHT, WRONG, replace(WRONG, expected="by design")])
def test_one_answer_to_a_core_question_is_enough(answer: Finding) -> None:
    books = found("bookkeeping", answer, "the coefficients")
    ident = found("identity", REFUSED, "the coefficients")
    assert complete([books, ident]) == (books, ident)
    report = SubjectReport("mine", findings=(books, ident))
    assert report.coverage.missing == ()
    assert report.coverage.decided == ("bookkeeping",)
    assert str(report.coverage) == "1 of 2 questions decided; could not be asked: identity"


def test_what_is_undecided_is_no_answer() -> None:
    undecided = found("bookkeeping", inconclusive("too few steps"), "the coefficients")
    ident = found("identity", REFUSED, "the coefficients")
    assert [f.verdict for f in complete([undecided, ident])] == ["inconclusive"] * 2
    report = SubjectReport("mine", findings=complete([undecided, ident]))
    assert report.coverage.undecided == {"bookkeeping": "too few steps"}


PURPOSES: list[tuple[Purpose, dict[Harm, Finding], str]] = [
    ("all", {"samples": RIGHT, "training": WRONG}, "fail"),
    ("samples", {"samples": RIGHT, "training": WRONG, "img2img": WRONG, "options": WRONG}, "pass"),
    ("samples", {"samples": RIGHT, "interface": WRONG}, "pass"),
    ("samples", {"samples": WRONG, "training": RIGHT}, "fail"),
    ("img2img", {"samples": RIGHT, "img2img": WRONG}, "fail"),
    ("img2img", {"samples": WRONG, "img2img": RIGHT}, "fail"),
    ("img2img", {"samples": RIGHT, "img2img": RIGHT, "training": WRONG}, "pass"),
    ("training", {"samples": WRONG, "training": RIGHT}, "pass"),
    ("training", {"samples": RIGHT, "training": WRONG}, "fail"),
    ("training", {"samples": RIGHT}, "skip"),  # nothing was shown
]


@pytest.mark.parametrize(("purpose", "by_harm", "verdict"), PURPOSES)
def test_what_a_certificate_is_for_decides_its_verdict(
    purpose: Purpose, by_harm: dict[Harm, Finding], verdict: str
) -> None:
    findings = tuple(found(f"of {harm}", each, None, harm) for harm, each in by_harm.items())
    assert SubjectReport("mine", findings=findings, purpose=purpose).verdict == verdict


def test_the_headline_says_what_is_right_and_what_is_not() -> None:
    findings = (
        found("identity", RIGHT),
        found("companions", replace(WRONG, concerns="get_velocity"), None, "training"),
        found("middle", inconclusive("why"), None, "img2img"),
        found("options", replace(WRONG, expected="by design"), None, "options"),
    )
    report = SubjectReport("mine", findings=findings)
    assert report.headline == (
        "samples right; middle undecided (image to image); get_velocity wrong (training)"
    )
    assert report.headline in str(Certificate((report,)))
    few = SubjectReport("mine", findings=(found("identity", RIGHT),), steps=(4, 8))
    assert few.headline == "samples right at the steps you use"
    wrong = SubjectReport("mine", findings=(found("law", WRONG), found("order", WRONG)))
    assert wrong.headline == "samples wrong (law and order)"


def test_a_certificate_counts_who_is_right_in_what() -> None:
    def subject(**by_harm: Finding) -> SubjectReport:
        given: dict[Harm, Finding] = by_harm  # type: ignore[assignment]
        return SubjectReport(
            "", findings=tuple(found("", each, None, harm) for harm, each in given.items())
        )

    by_design = replace(WRONG, expected="by design")
    certificate = Certificate(
        (
            subject(samples=RIGHT, training=WRONG),
            subject(samples=by_design, training=skip("has none")),
            subject(samples=inconclusive("why"), img2img=RIGHT),
        )
    )
    assert certificate.right == {
        "samples": (2, 3),
        "img2img": (1, 1),
        "training": (0, 1),
        "options": (0, 0),
        "interface": (0, 0),
    }
