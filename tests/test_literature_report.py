"""The page, the JSON and the command for the claims of the literature."""

import base64
import csv
import io
import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from analytic import GaussianMixture
from dfbench.cli import main
from dfbench.levels import Grid, Level
from dfbench.literature import PRINTED, ROWS
from dfbench.literature.run import Claims, Outcome, check_claims
from dfbench.literature.statement import _plain
from dfbench.outcome import Finding
from dfbench.report import literature
from dfbench.report.literature.formula import math, parts, prose
from dfbench.report.literature.plain import plain
from dfbench.schedules import Cosine
from dfbench.testing import Field

SLIDERS = [number for number, claim in ROWS.items() if claim.slider]
FAST = [*map(str, sorted({1, 21, 36, *SLIDERS})), "P1", "P5"]
FORMULAS = [(f"{n}", row.statement) for n, row in ROWS.items()] + [
    pair
    for n, each in PRINTED.items()
    for pair in ((f"P{n}", each.statement), (f"P{n} corrected", each.corrected))
]


@pytest.fixture(scope="module")
def outcome():
    return check_claims(FAST)


@pytest.fixture(scope="module")
def page(outcome):
    return literature.render(outcome)


@pytest.mark.slow
def test_the_page_has_every_claim_and_is_one_file(page, outcome):
    for each in outcome.outcomes:
        assert page.count(f'id="c{each.claim.id}"') == 1
        assert page.count(f'href="#c{each.claim.id}"') >= 1  # of the table at the top
    assert "fails as printed" in page
    assert "holds as printed" in page
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert len(page) < 600_000


def test_ids_are_unique_and_references_are_to_something(page):
    class Reader(HTMLParser):
        def __init__(self):
            super().__init__()
            self.ids, self.links = [], []

        def handle_starttag(self, tag, attrs):
            found = dict(attrs)
            self.ids += [found["id"]] if "id" in found else []
            for name in ("href", "xlink:href"):
                if (found.get(name) or "").startswith("#"):
                    self.links.append(found[name][1:])

    reader = Reader()
    reader.feed(page)
    assert len(reader.ids) == len(set(reader.ids))
    assert set(reader.links) <= set(reader.ids)


def test_text_is_escaped(outcome):
    evil = "<script>alert(1)</script> & co"
    first = outcome.outcomes[0]
    finding = replace(
        first.finding,
        unit=evil,
        derivation=evil,
        where=evil,
        why=evil,
        counterexample={evil: evil},
        quantities={evil: 1.0},
    )
    claim = replace(first.claim, title=evil, condition=evil, source=evil, figure=None)
    text = literature.render(Claims((Outcome(claim, finding, first.control),), {"x": evil}, 1.0))
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert") >= 9


@pytest.mark.parametrize(("claim", "latex"), FORMULAS)
def test_formulas_are_converted_whole(claim, latex):
    html = str(math(latex))
    assert "<code" not in html
    assert "\\" not in html
    assert 'mathvariant="double' not in html  # which browsers ignore
    opened = re.findall(r"<(/?)([a-z]+)[^>]*?(/?)>", html)
    depth: list[str] = []
    for closing, tag, alone in opened:
        if closing:
            assert depth.pop() == tag
        elif not alone:
            depth.append(tag)
    assert not depth


@pytest.mark.parametrize(("claim", "latex"), FORMULAS)
def test_formulas_are_read_whole_as_text(claim, latex):
    text = plain(latex)
    assert not set(text) & set("\\\n")
    assert "  " not in text
    for name in re.findall(r"\\operatorname\{(\w+)\}", latex):
        assert name in text
    assert text.count("{") == text.count("}")
    assert text.count("(") == text.count(")")


def test_formulas_as_text_say_what_binds_to_what():
    assert plain(r"\frac{a+b}{c_{ij}}x=\tfrac12e^{-\lambda/2}") == "(a+b)/c_{ij} x = ½e^{-λ/2}"
    assert plain(r"\frac1{2N}\int\mathbb E\operatorname{tr}\nabla s") == "1/(2N) ∫𝔼 tr ∇s"
    assert plain(r"\hat x\iff\sqrt{1-\beta}\ \text{and }y") == "x̂ ⟺ √(1-β) and y"
    assert plain(r"\begin{cases}a&m=x\\b&m=v\end{cases}") == "a m = x; b m = v"


def test_formulas_are_cut_only_at_the_top():
    assert parts(r"a=1,\quad b\text{ if }c") == [
        ("math", "a=1,"),
        ("gap", ""),
        ("math", "b"),
        ("words", " if "),
        ("math", "c"),
    ]
    whole = r"\left(x\text{ or }y\right)^{\text{train}}_\text{z}{a\quad b}\begin{cases}a&\text{b}"
    assert parts(whole + r"\end{cases}") == [("math", whole + r"\end{cases}")]
    assert parts(r"dw\ \text{has}\ x") == [
        ("math", "dw"),
        ("words", " "),
        ("words", "has"),
        ("words", " "),
        ("math", "x"),
    ]


def test_what_cannot_be_read_is_shown_as_it_is():
    assert str(math(r"\left(<b>")) == r"<code>\left(&lt;b&gt;</code>"
    assert "<mo>&lt;</mo>" in math("a<b")


def test_indices_and_powers_in_words():
    assert str(prose("σ_t² ≤ λ_min, e^{−x} < 1e-13")) == (
        "σ<sub>t</sub>² ≤ λ<sub>min</sub>, e<sup>−x</sup> &lt; 10⁻¹³"
    )
    assert str(prose("snake_case and λ = -10")) == "snake_case and λ = −10"


def test_figures_are_drawn_with_their_numbers_whole(page):
    for row in ("1", "21", "31", "33", "36"):
        article = page[page.index(f'id="c{row}"') :]
        assert '<svg class="plot' in article[: article.index("</article>")]
    assert "−0.025" in page  # a tick of row 36


def test_data_is_what_was_found(page, outcome):
    by_id = {each.claim.id: each.finding for each in outcome.outcomes}
    links = re.findall(r'href="data:text/csv;base64,([^"]+)" download="claim-(\w+)\.csv"', page)
    assert {name for _, name in links} >= {"1", "21", "31", "33", "36"}
    for link, name in links:
        rows = list(csv.reader(io.StringIO(base64.b64decode(link).decode())))
        series = by_id[name].series
        assert rows[0] == list(series)
        for at, column in enumerate(series.values()):
            got = [float(line[at]) for line in rows[1:] if line[at]]
            assert got == pytest.approx(column, rel=1e-5, abs=1e-300)


@pytest.mark.parametrize("row", SLIDERS)
def test_sliders_show_the_series(page, outcome, row):
    (finding,) = (each.finding for each in outcome.outcomes if each.claim.id == str(row))
    article = page[page.index(f'id="c{row}"') :]
    article = article[: article.index("</article>")]
    said = json.loads(unescape(re.search(r'data-said="([^"]*)"', article)[1]))
    made = ROWS[row].slider
    assert 9 <= len(said["positions"]) <= 11
    shown = article[article.index("<div class=slider") : article.index("<figure")]
    assert shown.count("data:text/csv;base64,") == 1  # the still figure's is hidden
    assert f"max={len(made.positions) - 1}" in shown
    for texts in said["readings"].values():
        assert len(texts) == len(said["positions"])
    drawn = {}
    for line in made.moving(finding).axes[0].lines:
        drawn.setdefault(line.get_gid(), []).append([*line.get_ydata()])
    for k, at in enumerate(made.positions):
        names = [name.format(at=at) for each in made.curves if each.moves for name in each.y]
        assert drawn[f"at:{k}"] == [pytest.approx(finding.series[name]) for name in names]
        assert article.count(f'data-at="{k}"') == len(names)


def test_what_the_new_sliders_say_is_what_the_formulas_say(outcome):
    series = {each.claim.id: each.finding.series for each in outcome.outcomes}
    best = series["46"]["best shift"]
    spreads = [float(at) for at in ROWS[46].slider.positions]
    assert best == pytest.approx(spreads, rel=0.15)  # the shifts are 13 % apart
    assert best != pytest.approx(spreads[::-1], rel=0.15)
    first = series["51"]["first weight"]
    assert first == sorted(first, reverse=True)
    assert first[0] == series["51"]["weight, churn 0"][0]
    assert first[5] / first[0] == pytest.approx(series["51"]["churn 0.5"][0])


def test_ddim_stays_where_it_is_and_euler_does_not(outcome):
    (finding,) = (each.finding for each in outcome.outcomes if each.claim.id == "31")
    assert max(finding.series["DDIM: samples moved (RMS)"]) < 1e-12
    moved = finding.series["Euler: samples moved (RMS)"]
    assert moved[0] < 1e-12
    assert moved == sorted(moved)
    assert (
        moved[-1] == finding.quantities["Euler, 8 steps: samples on the two scales differ by (RMS)"]
    )


def test_json_says_the_same(outcome):
    found = json.loads(literature.dumps(outcome))
    assert found["schema"] == "dfbench.claims/1"
    assert found["verdict"] == "pass"
    assert [each["claim"] for each in found["claims"]] == FAST
    for each in found["claims"]:
        assert each["control"]["verdict"] == "fail"
        assert ("corrected" in each) == each["claim"].startswith("P")
        assert ("condition" in each) != each["claim"].startswith("P")


def test_counterexamples_are_said_in_numbers():
    law = GaussianMixture.isotropic([0.5, 0.5], [[-1.0], [1.0]], 0.04)
    assert _plain(law) == "means [[-1] [1]] variances [0.04 0.04] weights [0.5 0.5]"
    wide = GaussianMixture.diagonal([1.0], [[0.0, 0.0]], [[1.0, 2.0]])
    assert _plain(wide) == "means [[0 0]] variances [[1 2]] weights [1]"
    assert _plain(Level(0.5, 1 / 3)) == "α 0.5 σ 0.333"
    assert _plain(Grid([0.0, 1.0], [1.0, 0.0])) == "α [0 1] σ [1 0]"
    assert _plain(Cosine()) == "Cosine"
    assert _plain([(0.0, 0.5), {"b", "a"}, None]) == "[[0 0.5] [a b] None]"
    assert _plain(Field((0.0, 0.0, 0.0, 1.0))) == "Field theta [0 0 0 1]"


def test_a_claim_that_broke_still_has_its_place(outcome):
    first = outcome.outcomes[0]
    broken = Finding("1", "inconclusive", why="the check broke: ValueError: no")
    text = literature.render(Claims((Outcome(first.claim, broken, broken),), {}, 0.0))
    assert "the check broke" in text
    assert "does not fail" in text


# On the terminal ----------------------------------------------------------------------------------


def test_the_command_explains_one_claim(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["claims", "34"]) == 0
    said = capsys.readouterr().out
    assert "34. DDPM is DDIM and renoise" in said
    assert "c34_ddpm_is_ddim_and_renoise.py" in said


def test_the_command_explains_a_few_and_writes_them(tmp_path, capsys):
    page, data = tmp_path / "k.html", tmp_path / "k.json"
    assert main(["claims", "P6", "34", "--report", str(page), "--json", str(data)]) == 0
    said = capsys.readouterr().out
    assert "as printed" in said
    assert "corrected" in said
    assert [each["claim"] for each in json.loads(data.read_text())["claims"]] == ["34", "P6"]
    assert "<title>" in page.read_text()


def test_the_command_refuses_what_it_does_not_know(capsys):
    assert main(["claims", "99"]) == 2
    said = capsys.readouterr().err
    assert f"no claim 99; there are 1 to {len(ROWS)}, and P1 to P{len(PRINTED)}" in said
