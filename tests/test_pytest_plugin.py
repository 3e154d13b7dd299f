"""The checks as pytest items."""

import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from dfbench.checks import CLAIMS
from dfbench.errors import Unusable
from dfbench.outcome import Claim, Finding
from dfbench.pytest_plugin import Check, parametrize_with_checks


class Subject:
    kind, library, config = "sampler", "some", {}

    def __init__(self, name="some:Sampler", expected=()):
        self.name, self.expected = name, dict(expected)

    def snippet(self, claim):
        return f"reproduce({claim!r})\n"


def claim(finding, name="a-claim", kind="sampler"):
    return Claim(
        lambda subject: finding,
        name,
        "It is so.",
        source="paper",
        kind=kind,
        control=lambda size: None,
        control_size=1,
    )


def outcome(verdict, *, expected=None, **details):
    """The exception that a check of this finding raises, if any."""
    check = Check(claim(Finding("", verdict, **details)))
    subject = Subject(expected={"a-claim": expected} if expected else {})
    try:
        check(subject)
    except BaseException as raised:
        return raised
    return None


def test_outcomes():
    assert outcome("pass") is None
    failed = outcome("fail", measured=0.5, bound=0.1, unit="order", where="step 7", why="so it is")
    assert type(failed) is AssertionError
    for text in (
        "a-claim: fail",
        "measured 0.5, bound 0.1 (order)",
        "step 7",
        "so it is",
        "It is so.",
        "reproduce('a-claim')",
    ):
        assert text in str(failed)
    undecided = outcome("inconclusive", why="too few steps")
    assert type(undecided) is AssertionError
    assert "too few steps" in str(undecided)
    skipped = outcome("skip", why="draws no noise")
    assert isinstance(skipped, pytest.skip.Exception)
    assert "draws no noise" in str(skipped)


def test_declared_failures():
    raised = outcome("fail", expected="by design")
    assert isinstance(raised, pytest.xfail.Exception)
    assert "by design" in str(raised)
    raised = outcome("pass", expected="by design")
    assert isinstance(raised, pytest.fail.Exception)
    assert "passes although a failure was declared: by design" in str(raised)
    assert isinstance(outcome("skip", expected="by design"), pytest.skip.Exception)
    # nothing was shown: not the failure that was predicted
    assert type(outcome("inconclusive", expected="by design", why="too few")) is AssertionError


def test_a_declared_failure_has_a_size():
    small = outcome("fail", expected=("by design", 0.5), measured=0.4, bound=0.1)
    assert isinstance(small, pytest.xfail.Exception)
    large = outcome("fail", expected=("by design", 0.5), measured=0.6, bound=0.1)
    assert type(large) is AssertionError
    assert "a failure was declared, at most 0.5, and this is another: by design" in str(large)


def test_a_core_question_that_could_not_be_asked_fails(few_claims, monkeypatch):
    CLAIMS.clear()
    refused = Finding("", "skip", cause="not asked", why="no such steps")
    one, two = (
        replace(claim(found, name), core="the coefficients")
        for name, found in (("one", refused), ("two", refused))
    )
    monkeypatch.setitem(CLAIMS, "one", one)
    monkeypatch.setitem(CLAIMS, "two", two)
    with pytest.raises(AssertionError, match="it could not be asked: no such steps"):
        Check(one)(Subject())
    monkeypatch.setitem(CLAIMS, "two", replace(two, check=lambda subject: Finding("", "pass")))
    with pytest.raises(pytest.skip.Exception, match="no such steps"):
        Check(one)(Subject())


def test_what_it_is_not_for_is_skipped():
    training = replace(claim(Finding("", "fail")), harm="training")
    with pytest.raises(pytest.skip.Exception, match=r"\(samples\); it touches training: fail"):
        Check(training, purpose="samples")(Subject())
    with pytest.raises(AssertionError):
        Check(training, purpose="training")(Subject())


@pytest.fixture
def subjects(few_claims, monkeypatch):
    """Two subjects of one name each, and two claims of which one applies."""
    calls = []

    def resolve(spec, config, call, configs, profile):
        calls.append((spec, config, call, configs))
        return [spec if isinstance(spec, Subject) else Subject(spec)]

    CLAIMS.clear()
    monkeypatch.setitem(CLAIMS, "one", claim(Finding("", "pass"), "one"))
    monkeypatch.setitem(CLAIMS, "two", claim(Finding("", "fail"), "two", kind="loss"))
    monkeypatch.setitem(CLAIMS, "three", claim(Finding("", "fail"), "three"))
    monkeypatch.setattr("dfbench.subjects.resolve", resolve, raising=False)
    return calls


def items(*arguments, **options):
    mark = parametrize_with_checks(*arguments, **options).mark
    assert mark.args[0] == ("subject", "check")
    return {item.id: item.values for item in mark.args[1]}


def test_an_item_for_each_subject_and_claim(subjects):
    own = Subject("mine.py:Own")
    found = items(["some:Sampler", own], config={"a": 1}, call={"eta": 1}, configs="all")
    assert list(found) == ["Sampler-one", "Sampler-three", "mine.py:Own-one", "mine.py:Own-three"]
    assert found["mine.py:Own-one"][0] is own
    assert subjects[0] == ("some:Sampler", {"a": 1}, {"eta": 1}, "all")
    assert list(items("some:Sampler")) == ["Sampler-one", "Sampler-three"]
    assert list(items(own, select=["three"])) == ["mine.py:Own-three"]


def test_claims_must_exist(subjects):
    with pytest.raises(Unusable, match="no claim four; there are one, two, three"):
        items("some:Sampler", select=["four"])
    with pytest.raises(Unusable, match="no claim four"):
        items("some:Sampler", expected_failures={"four": "why not"})


pytest_plugins = ["pytester"]


@pytest.mark.slow
def test_in_a_session_of_its_own(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    pytester.makepyfile(
        textwrap.dedent("""
        import dfbench
        from dfbench.subjects.reference import MethodSampler
        import dfbench.subjects

        dfbench.subjects.resolve = lambda spec, config, call, configs, profile: [spec]
        right = MethodSampler("ddim")
        wrong = MethodSampler("ddim", claimed={"order": 2.0})

        @dfbench.parametrize_with_checks([right], select=["affine", "order"])
        def test_right(subject, check):
            check(subject)

        @dfbench.parametrize_with_checks([wrong], select=["order"])
        def test_wrong(subject, check):
            check(subject)

        @dfbench.parametrize_with_checks(
            [wrong], select=["affine", "order"],
            expected_failures={"order": ("first order", 0.9), "affine": "so I thought"},
        )
        def test_declared(subject, check):
            check(subject)

        @dfbench.parametrize_with_checks(
            [wrong], select=["order"], expected_failures={"order": ("first order", 1.5)},
        )
        def test_worse_than_declared(subject, check):
            check(subject)
        """)
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-rA")
    result.assert_outcomes(passed=2, failed=3, xfailed=1)
    result.stdout.fnmatch_lines(["*ddim*order*", "*first order*"])
