"""Certificates as JSON, pages, JUnit XML and terminal summaries."""

import io
import json
import math
import re
import stat
import threading
from dataclasses import replace
from html.parser import HTMLParser
from typing import get_args
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from dfbench import files, jsons
from dfbench.checks import CLAIMS
from dfbench.errors import SubjectError, Unusable
from dfbench.outcome import Cause, Certificate, Finding, Sense, SubjectReport, inconclusive
from dfbench.outcome.certificate import from_dict, load, merge
from dfbench.outcome.finding import LEADS
from dfbench.report import figures, groups, html, junit, labels, terminal
from dfbench.report.view import PLOTS
from tests import fake_certificate as fake

# JSON ---------------------------------------------------------------------------------------------

texts = st.text(max_size=8)
maybe = st.none() | texts
numbers = st.floats(allow_nan=False)
objects = st.dictionaries(
    texts,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=4,
    ),
    max_size=3,
)
findings = st.builds(
    Finding,
    claim=texts,
    verdict=st.sampled_from(["pass", "fail", "inconclusive", "skip"]),
    statement=texts,
    measured=st.none() | numbers,
    bound=st.none() | numbers,
    unit=maybe,
    derivation=maybe,
    where=maybe,
    why=maybe,
    counterexample=st.none() | objects,
    reproduce=maybe,
    expected=maybe,
    cause=st.none() | st.sampled_from(get_args(Cause)),
    sense=st.sampled_from(get_args(Sense)),
    series=st.none() | st.dictionaries(texts, st.lists(numbers, max_size=3)),
    seconds=st.floats(0, 1e6),
)
reports = st.builds(
    SubjectReport,
    name=texts,
    kind=texts,
    library=texts,
    version=texts,
    config=objects,
    traits=objects,
    findings=st.lists(findings, max_size=3).map(tuple),
    seconds=st.floats(0, 1e6),
)
certificates = st.builds(
    Certificate, st.lists(reports, max_size=3).map(tuple), objects, st.floats(0, 1e6)
)


@pytest.mark.slow
@given(certificates)
def test_a_certificate_survives_json(certificate):
    again = from_dict(json.loads(jsons.text(certificate)))
    assert again == certificate
    assert again.verdict == certificate.verdict


@pytest.mark.slow
@settings(max_examples=50)
@given(certificates)
def test_every_certificate_can_be_shown(certificate):
    page = html.render(certificate)
    assert page.startswith("<!doctype html>")
    ElementTree.fromstring(junit.render(certificate))
    terminal.summary(certificate, Console(file=io.StringIO(), width=60))


def test_the_schema():
    content = json.loads(jsons.text(fake.small("fail")))
    assert list(content) == ["schema", "verdict", "subjects", "environment", "seconds", "excluded"]
    assert content["schema"] == "dfbench.certificate/1"
    subject = content["subjects"][0]
    assert {
        "name",
        "kind",
        "library",
        "version",
        "config",
        "traits",
        "verdict",
        "findings",
        "seconds",
    } <= set(subject)
    finding = subject["findings"][0]
    assert {
        "claim",
        "verdict",
        "measured",
        "bound",
        "unit",
        "where",
        "why",
        "counterexample",
        "reproduce",
        "cause",
        "sense",
        "harm",
        "core",
        "concerns",
        "quantities",
    } <= set(finding)
    assert finding["where"] is None
    assert isinstance(finding["measured"], float)


def test_numbers_that_are_not_finite_are_strings():
    content = json.loads(jsons.text(fake.nasty()))
    finding = content["subjects"][0]["findings"][0]
    assert finding["measured"] == "inf"
    assert finding["bound"] == "nan"
    assert "-inf" in finding["series"][f"{fake.NASTY}2"]
    again = from_dict(content).subjects[0].findings[0]
    assert again.measured == math.inf
    assert math.isnan(again.bound)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(math.inf), "inf"),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.arange(3), [0, 1, 2]),
        (torch.tensor([1.0, math.nan]), [1.0, "nan"]),
        (torch.float64, "torch.float64"),
        ({1: (2, {3})}, {"1": [2, [3]]}),
        (labels.STATUSES, list(labels.STATUSES)),
        (2**70, 2**70),
    ],
)
def test_whatever_a_subject_holds_becomes_json(value, expected):
    assert jsons.plain(value) == expected
    json.dumps(jsons.plain(value), allow_nan=False)


def broken(**change):
    return {"schema": "dfbench.certificate/1", "subjects": []} | change


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], r"must be a table of keys and values, got \[\]"),
        ({}, "has no schema"),
        (broken(schema="other/2"), "has schema 'other/2'"),
        ({"schema": "dfbench.certificate/1"}, "subjects: is missing"),
        (broken(subjects={}), "subjects: must be a list, got {}"),
        (broken(subjects=[3]), r"subjects\[0\]: must be a table of keys and values, got 3"),
        (broken(subjects=[{}]), r"subjects\[0\].name: is missing"),
        (broken(environment=[]), r"environment: must be a table of keys and values, got \[\]"),
        (broken(seconds="soon"), "seconds: must be a number, got 'soon'"),
        (
            broken(subjects=[{"name": "a", "findings": [{"claim": "b", "verdict": "good"}]}]),
            r"findings\[0\].verdict: must be one of 'pass', .* or 'skip', got 'good'",
        ),
        (
            broken(
                subjects=[
                    {
                        "name": "a",
                        "findings": [{"claim": "b", "verdict": "pass", "series": {"x": [1, "y"]}}],
                    }
                ]
            ),
            r"findings\[0\].series.x\[1\]: must be a number",
        ),
    ],
)
def test_a_file_that_is_no_certificate_is_refused(content, message, tmp_path):
    path = tmp_path / "some.json"
    path.write_text(json.dumps(content))
    with pytest.raises(Unusable, match=message) as error:
        load(path)
    assert "some.json" in str(error.value)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000, b""])
def test_a_file_that_is_not_json_is_refused(content, tmp_path):
    (tmp_path / "some.json").write_bytes(content)
    with pytest.raises(Unusable, match=r"some.json: not JSON"):
        load(tmp_path / "some.json")
    with pytest.raises(Unusable, match="no such file"):
        load(tmp_path / "none.json")


def test_only_what_the_schema_asks_for_is_needed():
    minimal = broken(subjects=[{"name": "a", "findings": [{"claim": "b", "verdict": "fail"}]}])
    assert from_dict(minimal).verdict == "fail"


def test_merging_keeps_subjects_and_lists_what_differs():
    one, two = fake.small("pass"), replace(fake.small("fail"), environment={"seed": 1, "gpu": "x"})
    merged = merge([one, two])
    assert [report.verdict for report in merged.subjects] == ["pass", "fail"]
    assert merged.environment == {"seed": [0, 1], "gpu": "x"}
    assert merged.seconds == pytest.approx(0.2)
    assert merge([one]) == one


# Files --------------------------------------------------------------------------------------------


def test_a_file_is_complete_at_every_moment(tmp_path):
    path = tmp_path / "deep" / "er" / "page.html"
    texts = ["a" * 200_000, "b" * 200_000]
    files.write(path, texts[0])
    stop, seen = threading.Event(), set()

    def read():
        while not stop.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(40):
        files.write(path, texts[i % 2])
    stop.set()
    reader.join()
    assert seen <= set(texts)
    assert [each.name for each in path.parent.iterdir()] == ["page.html"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o400


def test_what_cannot_be_written_is_known_before(tmp_path):
    files.check_writable(tmp_path / "new" / "page.html")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "page.html"):
        with pytest.raises(OSError, match="cannot write") as error:
            files.check_writable(path)
        assert error.value.filename == str(path)


def test_checking_does_not_touch_what_is_there(tmp_path):
    (tmp_path / "page.html").write_text("old")
    files.check_writable(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == "old"


def test_text_that_utf8_cannot_hold(tmp_path):
    files.write(tmp_path / "a", "x\udcff")
    assert (tmp_path / "a").read_text() == "x\\udcff"


# Pages --------------------------------------------------------------------------------------------


NOTES = [
    {
        "id": "A",
        "title": "Times are rounded",
        "verdict": "design",
        "text": "By design.",
        "classes": ["DDIMScheduler"],
        "claims": ["identity", "dtype"],
    },
    {
        "id": "B",
        "title": "Noise of the next step",
        "verdict": "defect",
        "text": "One.\n\nTwo.",
        "classes": ["DDPMScheduler"],
        "claims": [],
        "size": 0.1,
        "options": {"eta": 1},
        "workaround": "eta=0",
    },
]


class Page(HTMLParser):
    """The elements, links and anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.ids, self.events, self.text = [], [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for key, value in attrs:
            if key == "href":
                self.links.append(value)
            if key == "id":
                self.ids.append(value)
            if key.startswith("on") or key == "src":
                self.events.append((tag, key))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def large():
    return html.render(fake.large(400), notes=NOTES)  # half a minute


@pytest.fixture(scope="module")
def smaller():
    return html.render(fake.large(20), notes=NOTES)


@pytest.mark.slow
def test_a_large_page_is_less_than_2_mb(large):
    assert len(large.encode()) < 1_800_000


@pytest.mark.slow
def test_a_large_page_says_which_plots_it_lacks(large):
    assert large.count("<figure class=chart>") == PLOTS + 2  # and the two overviews
    assert "more would make the page too large" in words(large)


def test_a_page_needs_nothing_but_itself(smaller):
    page = Page(smaller)
    assert all(link.startswith("#") for link in page.links)
    assert not {"link", "img", "iframe", "object", "base"} & set(page.tags)
    assert page.tags.count("script") == 1
    assert not re.search(r"url\((?!#)|@import|https?://", smaller)
    assert "default-src 'none'" in smaller


def test_links_lead_somewhere_and_anchors_are_unique(smaller):
    page = Page(smaller)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)


def test_hostile_strings_stay_text():
    page = html.render(
        fake.nasty(),
        title=fake.NASTY,
        notes=[{"title": fake.NASTY, "verdict": fake.NASTY, "text": fake.NASTY}],
    )
    parsed = Page(page)
    assert parsed.tags.count("script") == 1
    assert "img" not in parsed.tags
    assert parsed.events == []
    assert page.count("<script>") == 1
    assert fake.NASTY in parsed.text


def test_the_page_says_what_a_reader_asks():
    certificate = fake.large(24)
    page = Page(html.render(certificate, notes=[{"title": "T", "verdict": "V", "text": "a\n\nb"}]))
    text = " ".join(page.text.split())
    assert "2 of 7 subjects fail (2 of 24 configurations)" in text
    assert fake.ENVIRONMENT["command"] in text
    assert "seed 0" in text.replace("seed0", "seed 0")
    assert "biased by design, as its paper says" in text
    assert "the sampler adds the noise of the next step" in text
    assert "Adjudication" in text
    for word in labels.WORDS.values():
        assert word in text
    for report in certificate.subjects:
        assert labels.split_name(report)[0] in text


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["pass"], "DDIMScheduler passes"),
        (["fail"], "DDIMScheduler fails"),
        (["inconclusive"], "DDIMScheduler could not be decided"),
        (["skip"], "Nothing could be checked"),
        ([], "Nothing could be checked"),
        (["pass", "pass"], "All 2 subjects pass"),
        (["pass", "skip"], "1 of 2 subjects passes, 1 of 2 could not be checked"),
        (["fail", "pass", "inconclusive"], "1 of 3 subjects fails, 1 of 3 could not be decided"),
        (["fail", "fail", "pass"], "2 of 3 subjects fail"),
    ],
)
def test_headlines(verdicts, expected):
    reports = [fake.small(each).subjects[0] for each in verdicts]
    names = ["DDIMScheduler", "PNDMScheduler", "UniPCMultistepScheduler"]
    apart = [replace(report, name=name) for report, name in zip(reports, names, strict=False)]
    assert html.headline(Certificate(tuple(apart), {})) == expected


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["pass", "pass", "pass"], "All 2 subjects pass, in 3 configurations"),
        (["fail", "fail", "pass"], "1 of 2 subjects fails (2 of 3 configurations)"),
        (
            ["fail", "inconclusive", "inconclusive"],
            "1 of 2 subjects fails (1 of 3 configurations), 2 of 2 could not be decided (2 of 3)",
        ),
    ],
)
def test_headlines_of_configurations(verdicts, expected):
    """Two configurations of one class, and another class."""
    names = ["DDIMScheduler eta=0", "DDIMScheduler eta=1", "PNDMScheduler"]
    reports = [
        replace(fake.small(verdict).subjects[0], name=name)
        for verdict, name in zip(verdicts, names, strict=True)
    ]
    assert html.headline(Certificate(tuple(reports), {})) == expected


def words(page):
    return " ".join(Page(page).text.split())


def found(verdict, claim="law", **more):
    return Finding(claim, verdict, "Statement.", **more)


def class_of(*configurations, name="Some"):
    """The certificate of one class: a list of findings for each configuration."""
    return Certificate(
        tuple(
            fake.subject(name, findings, config={"option": i} if i else {})
            for i, findings in enumerate(configurations)
        ),
        {},
    )


def test_a_pass_that_was_to_fail_is_reported():
    passing = found("pass", cause="unneeded", why=f"{LEADS['unneeded']}it clips")
    text = words(html.render(class_of([passing])))
    assert "Declared, but not seen" in text
    assert "A failure had been declared, and does not occur: it clips" in text
    text = words(html.render(class_of([found("pass", why="exact to round-off")])))
    assert "Passes with a remark" in text


def held_to(check):
    """The finding of a claim with this check on a subject that is declared to fail it."""

    class Subject:
        expected = {"law": "it clips"}  # noqa: RUF012

    return replace(CLAIMS["law"], check=check)(Subject())


def test_a_finding_says_its_cause_and_the_reason():
    def breaks(subject):
        raise SubjectError("step 3 raises ValueError")

    finding = held_to(breaks)
    assert (finding.cause, finding.reason) == ("blocked", "step 3 raises ValueError")
    assert finding.why == "the run breaks: step 3 raises ValueError"
    assert labels.blocked(finding)
    passing = held_to(lambda _: found("pass"))
    assert (passing.cause, passing.reason) == ("unneeded", "it clips")
    assert not labels.blocked(found("fail", cause="blocked"))
    assert found("pass", why="as it is").reason == "as it is"


def test_checks_that_could_not_run_are_one_line_under_what_broke_the_run():
    blocked = [replace(inconclusive("NaN", "blocked"), claim=name) for name in ("law", "order")]
    certificate = class_of([found("fail", "counts", why="NaN at step 3"), *blocked])
    text = words(html.render(certificate))
    assert "2 checks could not run because NaN: law, order" in text
    assert "could not be decided" not in text.replace(labels.MEANINGS["inconclusive"], "")
    text = printed(certificate)
    assert "2 checks could not run because NaN" in text
    assert "Some · counts" in text
    assert "Some · law" not in text


def test_of_other_configurations_what_differs_is_shown():
    same = found("fail", why="as always", reproduce="print(1)")
    other = found("fail", "order", why="slow", where="step 7", derivation="2 u", reproduce="run()")
    passing = [found("pass", name, measured=0.25, bound=1.0) for name in ("state", "dtype")]
    certificate = class_of([same, *passing], [same, other, *passing], [same, *passing])
    page = html.render(certificate)
    text = words(page)
    assert page.count("print(1)") == 1
    assert text.count("As the default: ✗ law") == 2
    assert "the same snippet as there" in text
    for fact in ("slow", "step 7", "2 u", "run()", "order 1 of 3 configurations", "option=1"):
        assert fact in text
    assert text.count("state 0.25, dtype 0.25") == 2


def test_the_default_configuration_comes_first():
    first = fake.subject("Some", [found("pass")], config={"option": 1})
    default = fake.subject("Some", [found("fail")])
    (group,) = groups.groups(Certificate((first, default), {}))
    assert group.default.report is default
    (issue,) = group.issues("fail")
    assert issue.default
    assert issue.spread == "1 of 2 configurations, the default among them"


def test_failures_of_default_configurations_are_the_most_important():
    certificate = Certificate(
        class_of([found("pass")], [found("fail"), found("fail", "order")], name="A").subjects
        + class_of([found("fail")], [found("pass")], name="B").subjects
        + class_of([found("inconclusive", why="?")], name="C").subjects
        + class_of([found("pass")], name="D").subjects,
        {},
    )
    ranked = groups.most_important(groups.groups(certificate))
    assert [group.name for group in ranked] == ["B", "A", "C"]


def test_plots_of_another_configuration_only_where_the_order_differs():
    def order(measured, **more):
        steps = [8.0, 16.0, 32.0, 64.0]
        series = {"steps": steps, "error": [n**-measured for n in steps]}
        of = {"bound": 0.7, "sense": "at least", "unit": "order", "series": series}
        return found("pass", "order", measured=measured, **of)

    page = html.render(class_of([order(2.0)], [order(2.1)], [order(1.0)]))
    assert page.count("<figure class=chart>") == 2


def test_notes_are_ranked_and_linked_both_ways():
    page = html.render(fake.large(8), notes=NOTES)
    text = words(page)
    assert text.index("1. Noise of the next step") < text.index("2. Times are rounded")
    assert "eta=0" in text
    certificate = class_of([found("fail")], [found("pass")])
    note = {"title": "T", "verdict": "defect", "text": "x", "classes": "Some", "claims": ["law"]}
    page = html.render(certificate, notes=[note])
    assert "Some law 1 of 2" in words(page)
    assert page.count("href=#n1") == 3  # the overview, what fails, the finding
    page = html.render(certificate, notes=[note | {"claims": ["order"]}])
    assert "href=#n1" not in page


# Names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "config", "expected"),
    [
        ("diffusers:DDIMScheduler", {}, ("DDIMScheduler", "")),
        ("diffusers:DDIMScheduler", {"eta": 1}, ("DDIMScheduler", "eta=1")),
        ("diffusers:DDIMScheduler eta=1", {"a": 2}, ("DDIMScheduler", "eta=1")),
        ("DDIMScheduler[eta=1]", {}, ("DDIMScheduler", "eta=1")),
        ("DDIMScheduler(eta=(1, 2))", {}, ("DDIMScheduler", "eta=(1, 2)")),
        ("path/to/file.py:Mine", {}, ("path/to/file.py:Mine", "")),
        ("diffusers:", {}, ("diffusers:", "")),
        ("", {}, ("", "")),
    ],
)
def test_configurations_are_told_from_classes(name, config, expected):
    assert labels.split_name(fake.subject(name, [], config=config)) == expected


# Figures ------------------------------------------------------------------------------------------


def test_plots_are_small_and_well_formed():
    findings = [
        (finding, report.traits)
        for report in fake.large(24).subjects
        for finding in report.findings
        if finding.series
    ]
    assert len(findings) > 40
    for finding, traits in findings[:8]:
        picture = str(figures.figure(finding, traits, "a").picture)
        assert len(picture.encode()) <= 4096
        ElementTree.fromstring(re.sub(r"(\s[\w-]+)=(\w+)", r'\1="\2"', picture))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=6))
def test_any_series_can_be_drawn(points):
    series = {"x": [x for x, _ in points], "y": [y for _, y in points]}
    chart = figures.figure(Finding("some", "pass", series=series), {}, "a")
    assert chart is None or not re.search(r"\b(nan|inf)\b", str(chart.picture))


def test_the_slope_of_the_declared_order_is_drawn():
    finding = Finding(
        "order",
        "pass",
        measured=1.9,
        bound=1.7,
        unit="order",
        series={"steps": [8, 16, 32, 64], "error": [1e-2, 2.5e-3, 6e-4, 1.6e-4]},
    )
    assert "order 2" in figures.figure(finding, {"order": 2.0}, "a").picture
    assert "order 2" not in figures.figure(finding, {"order": None}, "a").picture
    lonely = replace(finding, series={"steps": [8.0], "error": [0.0]})
    assert figures.figure(lonely, {}, "a") is None


# JUnit and terminal -------------------------------------------------------------------------------


def test_junit_counts_and_escapes():
    root = ElementTree.fromstring(junit.render(fake.nasty()))
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("3", "2", "1")
    failure = root.find(".//failure")
    assert "<script>" in failure.text
    assert {each.get("type") for each in root.iter("failure")} == {"fail", "inconclusive"}


def printed(certificate, width=100, **options):
    console = Console(
        file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False, **options
    )
    terminal.summary(certificate, console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [30, 60, 100, 200])
def test_the_summary_fits_the_terminal(width):
    text = printed(fake.large(12), width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "fail" in text


def test_the_summary_is_a_screenful():
    assert len(printed(fake.large(400), 120).splitlines()) <= 60
    assert "more; see the report" in printed(fake.large(400), 120)


def test_the_summary_says_what_fails_and_why():
    text = printed(fake.large(24), 120)
    assert "UniPCMultistepScheduler eta=1 · dtype" in text
    assert "bound 1e-06 (of the state's size)" in text
    assert "state at evaluation 7" in text
    assert "biased by design, as its paper says" in text
    assert text.splitlines()[-1].startswith("✗ fail: 3 fail, 1 expected failure")


def test_subjects_cannot_command_the_terminal():
    assert "\x1b" not in printed(fake.nasty())
    assert "[red]" in printed(fake.nasty(), 400)


def test_no_color_is_respected(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[38" not in printed(fake.large(4), force_terminal=True)
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("COLORTERM", "truecolor")
    assert "\x1b[" in printed(fake.large(4), force_terminal=True)
