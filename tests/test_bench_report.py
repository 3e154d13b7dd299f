"""Pages and figures from directories of results."""

import base64
import csv
import io
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from dfbench.cli import main
from dfbench.errors import Unusable
from dfbench.report.sweep import charts, load, page, ranking, render, words
from dfbench.report.sweep.data import runs
from dfbench.sweep.measurement import COLUMNS
from tests import fake_results as fake


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return fake.write(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def results(directory):
    return load([directory])


@pytest.fixture(scope="module")
def text(results):
    return render(results)


def table(*rows):
    return pd.DataFrame(
        [
            fake.row(
                **{
                    "metric": "w2",
                    "method": "dfbench:ddim",
                    "options": "{}",
                    "budget": "10 steps",
                    "steps": 10,
                    "nfe": 10,
                    "cell": str(i),
                    **row,
                }
            )
            for i, row in enumerate(rows)
        ]
    )


def loaded(tmp_path, *rows):
    return load([fake.write(tmp_path, table(*rows))]).rows


def exact(sampler, value, **more):
    return {"sampler": sampler, "value": value, "low": value, "high": value, **more}


def noisy(sampler, value, half, **more):
    return {
        "sampler": sampler,
        "value": value,
        "low": value - half,
        "high": value + half,
        "n": 1000,
        **more,
    }


# The page -----------------------------------------------------------------------------------------


def test_the_page_needs_nothing_but_itself(text):
    assert text.startswith("<!doctype html>")
    assert not re.search(r'(?:src|href)="?(?!#|data:text/csv)[a-z]', text)
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert len(text.encode()) < 300_000


def test_ids_are_unique_and_references_are_to_something(text):
    class Reader(HTMLParser):
        ids, links = [], []

        def handle_starttag(self, tag, attrs):
            found = dict(attrs)
            self.ids += [found["id"]] if "id" in found else []
            self.links += [found["href"][1:]] if (found.get("href") or "").startswith("#") else []

    reader = Reader()
    reader.feed(text)
    assert len(reader.ids) == len(set(reader.ids))
    assert set(reader.links) <= set(reader.ids)
    assert {
        "summary",
        "best",
        "curves",
        "orders",
        "fronts",
        "splits",
        "responses",
        "noise",
        "paths",
        "costs",
        "results",
        "failed",
        "made",
    } <= set(reader.ids)


def test_what_others_wrote_is_escaped(text):
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(5)" in text
    assert text.count("1 cell<") == 2  # each reason apart


def test_the_script_is_the_one_that_is_allowed(text):
    import hashlib

    script = text[text.index("<script>") + 8 : text.rindex("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text


def test_a_figure_comes_with_the_data_it_shows(text, results):
    links = re.findall(r'href="data:text/csv;base64,([^"]+)" download="([^"]+)"', text)
    assert {"error-power-law.csv", "split-power-law.csv", "response-power-law.csv"} <= {
        name for _, name in links
    }
    data = {
        name: list(csv.DictReader(io.StringIO(base64.b64decode(link).decode())))
        for link, name in links
    }
    rows = ranking.errors(results.rows)
    rows = rows[rows.target == "power law"].set_index(["config", "nfe"]).value
    assert len(data["error-power-law.csv"]) == len(rows)
    for line in data["error-power-law.csv"]:
        assert float(line["w2"]) == pytest.approx(rows[line["config"], int(line["nfe"])], rel=1e-5)


@pytest.mark.slow
def test_a_large_study_stays_below_two_megabytes(tmp_path):
    """30 samplers on 70 targets at 3 budgets: the page is cut, and says so."""
    rng = np.random.default_rng(0)
    base = table(exact("s", 1.0))
    count = 70 * 30 * 3
    big = pd.concat([base] * count, ignore_index=True)
    index = np.arange(count)
    big["target"] = [f"target number {i}" for i in index // 90]
    big["sampler"] = [f"sampler {i} with a rather long label, η = 0.5" for i in index // 3 % 30]
    big["nfe"] = big["steps"] = 5 * 2 ** (index % 3)
    big["budget"] = [f"{n} steps" for n in big.nfe]
    big["value"] = big["low"] = big["high"] = rng.lognormal(size=count)
    results = load([fake.write(tmp_path, big)])
    made = render(results)
    assert len(made.encode()) <= page.LIMIT
    assert "of 6300 by rank" in made
    assert "part of the figures" in made


def test_an_empty_comparison_is_said(tmp_path):
    made = render(load([fake.write(tmp_path, table(exact("alone", 1.0)))]))
    assert "Nothing to compare" in made


@pytest.mark.slow
def test_figures_for_papers(results, tmp_path):
    written = {path.name for path in charts.save(results, tmp_path)}
    assert {"error.svg", "error.pdf", "split.svg", "response.pdf", "stochasticity.svg"} <= written
    svg = (tmp_path / "error.svg").read_text()
    assert "evaluations of the model" in svg
    assert "<dc:date>" not in svg  # the same results make the same file


# Who is best --------------------------------------------------------------------------------------


def test_intervals_that_overlap_are_tied(tmp_path):
    rows = loaded(tmp_path, noisy("a", 1.0, 0.2), noisy("b", 1.3, 0.2), noisy("c", 2.0, 0.2))
    (contest,) = ranking.contests(rows)
    assert [each.config for each in contest.best] == ["a", "b"]
    assert contest.winner is None
    assert contest.next.config == "c"
    assert contest.lead == pytest.approx(2.0)


def test_intervals_apart_are_not(tmp_path):
    rows = loaded(tmp_path, noisy("a", 1.0, 0.1), noisy("b", 1.3, 0.1))
    (contest,) = ranking.contests(rows)
    assert contest.winner == "a"
    assert contest.lead == pytest.approx(1.3)


@pytest.mark.parametrize(("floor", "winner"), [(1.5, None), (1.2, "a"), (0.5, "a")])
def test_below_the_floor_nobody_wins(tmp_path, floor, winner):
    """Intervals apart, but exact samples do no better than the floor."""
    more = {"floor": floor / 2, "floor_high": floor}
    rows = loaded(tmp_path, noisy("a", 1.0, 0.1, **more), noisy("b", 1.3, 0.1, **more))
    (contest,) = ranking.contests(rows)
    assert contest.winner == winner


@pytest.mark.parametrize(("factor", "winner"), [(1 + 1e-9, None), (1 + 1e-4, "a")])
def test_exact_values_are_tied_to_rounding_only(tmp_path, factor, winner):
    rows = loaded(tmp_path, exact("a", 1.0), exact("b", factor))
    assert ranking.contests(rows)[0].winner == winner


def test_a_budget_holds_what_was_spent_not_the_steps(tmp_path):
    """Heun of 10 steps spends 20: at 10 evaluations it runs with 5 steps."""
    ddim = [exact("ddim", 1 / n, nfe=n, steps=n, budget=f"{n} steps") for n in (5, 10, 20)]
    heun = [exact("heun", 1 / n**2, nfe=2 * n, steps=n, budget=f"{n} steps") for n in (5, 10)]
    found = {c.budget: c for c in ranking.contests(loaded(tmp_path, *ddim, *heun))}
    assert [*found] == [10, 20]  # at 5 there is only one
    assert {r.config: r.nfe for r in found[10].results} == {"ddim": 10, "heun": 10}
    assert found[10].winner == "heun"
    assert {r.config: r.nfe for r in found[20].results} == {"ddim": 20, "heun": 20}


def test_schedules_make_configurations_where_they_differ(tmp_path):
    rows = loaded(
        tmp_path,
        exact("a", 1.0, schedule="cosine"),
        exact("a", 2.0, schedule="linear"),
        exact("b", 3.0, schedule="cosine"),
    )
    assert set(rows.config) == {"a · cosine", "a · linear", "b"}


def test_the_next_best_is_another_sampler(tmp_path):
    """The winner's other grid does not count as its rival."""
    rows = loaded(tmp_path, exact("a", 1.0, grid="g"), exact("a", 2.0, grid="h"), exact("b", 3.0))
    (contest,) = ranking.contests(rows)
    assert (contest.winner, contest.next.config) == ("a", "b")
    assert contest.lead == pytest.approx(3.0)
    assert ranking.one_each(ranking.errors(rows)) == {"power law": ["a · g", "b"]}


def test_names_are_set_with_their_variants_small(tmp_path):
    rows = loaded(tmp_path, exact("a<b>", 1.0, grid="g"), exact("a<b>", 2.0, grid="h"))
    styled = page._styler(rows)
    assert styled("best: a<b> · g & more") == "best: a&lt;b&gt; <i>g</i> &amp; more"


def test_seeds_are_averaged_with_their_spread(tmp_path):
    rows = loaded(tmp_path, *(noisy("a", v, 0.3, seed=i) for i, v in enumerate((0.9, 1.0, 1.1))))
    (row,) = runs(rows).itertuples()
    assert row.value == pytest.approx(1.0)
    spread = 4.302652729911275 * 0.1 / np.sqrt(3)  # t(2) quantile
    assert row.high - row.value == pytest.approx(max(0.3 / np.sqrt(3), spread))


def test_fronts_fall(results):
    for _, kept in charts.fronts(ranking.errors(results.rows)):
        assert [r.nfe for r in kept] == sorted({r.nfe for r in kept})
        assert [r.value for r in kept] == sorted((r.value for r in kept), reverse=True)


def test_orders_of_known_methods(results):
    found = {each.config: each for each in ranking.orders(results.rows)}
    assert found["DDIM"].order == pytest.approx(1.0, abs=0.05)
    assert found["DDIM"].declared == 1
    assert found["Heun"].order == pytest.approx(2.0, abs=0.05)
    assert found["Heun"].declared == 2


# In words -----------------------------------------------------------------------------------------


def test_one_method_by_two_names_is_noticed(results):
    found = ranking.contests(results.rows)
    said = words.remarks(
        results.rows, ranking.errors(results.rows), found, ranking.orders(results.rows)
    )
    assert any(s.startswith("DDIM and Euler of the field are one method") for s in said)


def test_methods_that_agree_on_some_grids_only_are_one_there(tmp_path):
    errors = ((4, 3.0), (5, 2.0), (6, 1.5), (7, 1.0))
    rows = [
        exact(s, v * (2 if (s, g) == ("b", "h") else 1), grid=g, nfe=n, method=f"dfbench:{s}")
        for s in "ab"
        for g in "gh"
        for n, v in errors
    ]
    (said,) = words._same(ranking.errors(loaded(tmp_path, *rows)))
    assert said.startswith("a and b are one method on g:")


def test_an_error_that_grows_is_noticed(tmp_path):
    rows = loaded(tmp_path, exact("a", 1.0, nfe=5), exact("a", 3.0, nfe=10), exact("b", 2.0, nfe=5))
    (said,) = words._rising(ranking.errors(rows))
    assert "a on power law, 3 times from 5 to 10 evaluations" in said
    rows = loaded(tmp_path / "falls", exact("a", 3.0, nfe=5), exact("a", 1.0, nfe=10))
    assert words._rising(ranking.errors(rows)) == []


def test_what_limits_the_best_run_is_said(tmp_path):
    sources = {"all": 0.5, "discretisation": 0.1, "truncation": 0.4, "initialisation": 0.2}
    rows = loaded(
        tmp_path,
        *(
            exact(s, (1 + i) * v, source=name)
            for i, s in enumerate("ab")
            for name, v in sources.items()
        ),
    )
    (said,) = words._limited(rows, ranking.contests(rows))
    assert "truncation alone is 0.4, 4 times the discretisation error of a" in said


def test_the_headline_counts(results):
    found = ranking.contests(results.rows)
    wins = sum(each.winner is not None for each in found)
    assert f"of {len(found)} comparisons" in words.headline(found)
    assert f"{len(found) - wins} are tied" in words.headline(found)


def test_the_split_names_the_largest_source(results):
    (panel,) = charts.split(results.rows, {}, budget=20)
    (axis,) = panel.chart("split").draw().axes
    said = [text.get_text() for text in axis.texts]
    assert all("mostly" in each for each in said)
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert said[names.index("Heun")].endswith("at 16: mostly discretisation")


# Bad input ----------------------------------------------------------------------------------------


def test_a_csv_does_as_well(directory, tmp_path):
    pd.read_parquet(directory / "measurements.parquet").to_csv(
        tmp_path / "measurements.csv", index=False
    )
    assert len(load([tmp_path]).rows) == len(load([directory]).rows)


def test_two_directories_are_merged_and_a_cell_counts_once(directory, tmp_path):
    other = fake.write(tmp_path, table(exact("new", 1.0)))
    both = load([directory, directory, other]).rows
    assert len(both) == len(load([directory]).rows) + 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda d: (d / "measurements.parquet").write_bytes(b"PAR1 nonsense"), "damaged"),
        (
            lambda d: (
                pd.read_parquet(d / "measurements.parquet")
                .drop(columns=["nfe", "metric"])
                .to_parquet(d / "measurements.parquet")
            ),
            "no column nfe, metric",
        ),
        (
            lambda d: (
                pd.read_parquet(d / "measurements.parquet")
                .assign(value="much")
                .to_parquet(d / "measurements.parquet")
            ),
            "must hold numbers, not 'much'",
        ),
        (
            lambda d: (
                pd.read_parquet(d / "measurements.parquet")
                .iloc[:0]
                .to_parquet(d / "measurements.parquet")
            ),
            "no measurement",
        ),
        (lambda d: (d / "environment.json").write_text("{"), "not JSON"),
    ],
)
def test_damage_is_one_line(tmp_path, capsys, damage, said):
    damage(fake.write(tmp_path / "r", table(exact("a", 1.0), exact("b", 2.0))))
    with pytest.raises(Unusable, match=re.escape(said)):
        load([tmp_path / "r"])
    assert main(["report", str(tmp_path / "r"), "--out", str(tmp_path / "p.html")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("dfbench: error:")
    assert error.count("\n") == 1
    assert not (tmp_path / "p.html").exists()


def test_columns_that_are_not_needed_may_be_missing(tmp_path):
    rows = table(exact("a", 1.0), exact("b", 2.0))
    needed = ["target", "sampler", "nfe", "metric", "value", "status", "source"]
    made = render(load([fake.write(tmp_path, rows[[*needed, "cell"]])]))
    assert "<h1>" in made


def test_the_fake_table_has_the_columns_of_the_bench():
    assert list(fake.table()) == list(COLUMNS)


# The command --------------------------------------------------------------------------------------


def test_the_command_writes_page_and_figures(tmp_path):
    out, figures = tmp_path / "p.html", tmp_path / "figures"
    one = fake.write(tmp_path / "one", table(exact("a", 1.0), exact("b", 2.0)))
    assert main(["report", str(one), "--out", str(out), "--figures", str(figures)]) == 0
    assert "Best sampler by target and budget" in out.read_text()
    assert (figures / "error.pdf").read_bytes().startswith(b"%PDF")


def test_kinds_are_not_mixed(directory, tmp_path, capsys):
    (tmp_path / "c.json").write_text("{}")
    call = ["report", str(directory), str(tmp_path / "c.json"), "--out", str(tmp_path / "p.html")]
    assert main(call) == 2
    assert "separate pages" in capsys.readouterr().err


def test_nothing_to_report_is_refused(tmp_path, capsys):
    assert main(["report", "--out", str(tmp_path / "p.html")]) == 2
    assert main(["report", str(tmp_path / "no"), "--out", str(tmp_path / "p.html")]) == 2
    assert "no such file" in capsys.readouterr().err
