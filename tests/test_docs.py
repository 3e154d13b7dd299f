"""The site: every check, claim, sampler, schedule and weighting has a full page; links resolve."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dfbench.bibliography import WORKS, cited, expanded
from dfbench.checks import CLAIMS
from dfbench.literature import PRINTED, ROWS
from dfbench.outcome import judge
from dfbench.samplers import METHODS
from dfbench.schedules import SCHEDULES
from dfbench.weightings import WEIGHTINGS

DOCS = Path(__file__).parents[1] / "docs"
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]+)?\)")
SECTION = re.compile(r"^## (.+)\n\n(.+)", re.MULTILINE)


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(generate: ModuleType) -> dict[str, str]:
    """With a finding in the place of the controls, which take a minute."""
    found = judge(1.0, 0.5, unit="of it", derivation="round-off", where="step 3")
    return generate.pages(lambda claim: generate.Power(found, 0.1 if claim.sized else None))


def sections(text: str) -> dict[str, str]:
    return dict(SECTION.findall(text))


CHECK = ["Mathematics", "Null", "Bound", "Power", "What it looks like"]
CHECK += ["What to do when it fails", "Source"]
CLAIM = ["Statement", "When it holds", "How it is checked", "Control", "Source"]
AS_PRINTED = ["As printed", "Corrected", "Where", "How it is checked", "Control", "Source"]
SAMPLER = ["Formula", "Traits", "Options", "Code", "Use", "Source"]
SCHEDULE = ["Formula", "Levels", "Use", "Source"]
WEIGHTING = ["Formula", "Parameters", "Values", "Use", "Source"]


@pytest.mark.parametrize(
    ("folder", "names", "wanted"),
    [
        ("checks", list(CLAIMS), CHECK),
        ("claims", [str(n) for n in ROWS], CLAIM),
        ("claims", [f"P{n}" for n in PRINTED], AS_PRINTED),
        ("samplers", list(METHODS), SAMPLER),
        ("schedules", list(SCHEDULES), SCHEDULE),
        ("weightings", list(WEIGHTINGS), WEIGHTING),
    ],
)
def test_each_has_a_page_with_all_sections(pages, folder, names, wanted):
    for name in names:
        found = sections(pages[f"{folder}/{name}"])
        assert set(wanted) <= set(found), name
        assert all(text.strip() for text in found.values()), name
        assert f"\n{name}\n" in pages[f"{folder}/index"], name  # and is in the navigation


def test_an_empty_section_is_an_error(generate):
    with pytest.raises(ValueError, match="nothing under B"):
        generate.page("title", {"A": "text", "B": " "})


def test_a_control_that_passes_has_no_page(generate):
    from dataclasses import replace

    blind = replace(CLAIMS["affine"], check=lambda subject: judge(0.0, 1.0, derivation="none"))
    with pytest.raises(ValueError, match="control of affine is pass"):
        generate.measured(blind)


def test_the_power_is_measured(generate):
    power = generate.measured(CLAIMS["companions"])
    assert power.finding.verdict == "fail"
    assert 0 < power.smallest < CLAIMS["companions"].control_size
    text = generate.check_page(CLAIMS["companions"], power)
    assert f"{power.smallest:.2g}" in text
    assert "64 u, tables in float32" in text


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_every_check_says_what_is_measured_and_what_to_do(claim):
    assert claim.formula
    assert not claim.formula.endswith(".")
    assert claim.remedy.endswith(".")


def test_internal_links_resolve(pages):
    texts = {f"_generated/{path}": text for path, text in pages.items()}
    for file in DOCS.rglob("*.md"):
        if not {"_generated", "_build"} & set(file.relative_to(DOCS).parts):
            texts[file.relative_to(DOCS).with_suffix("").as_posix()] = file.read_text("utf-8")
    wrong = []
    for path, text in texts.items():
        prose = re.sub(r"```(?!\{toctree).*?```", "", text, flags=re.DOTALL)
        targets = [link for link, _ in LINK.findall(prose) if link and "://" not in link]
        listed = re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL)
        targets += [
            f"{line}.md"
            for block in listed
            for line in block.splitlines()
            if line and not line.startswith(":")
        ]
        for target in targets:
            there = (DOCS / path).parent / target
            name = there.resolve().relative_to(DOCS.resolve()).with_suffix("").as_posix()
            if name not in texts:
                wrong.append(f"{path}: {target}")
    assert not wrong


def test_files_that_the_guides_show_are_there():
    named = [
        (guide.parent / shown).resolve()
        for guide in (DOCS / "guides").glob("*.md")
        for shown in re.findall(r"\{literalinclude\} (\S+)", guide.read_text("utf-8"))
    ]
    assert named
    assert all(file.is_file() for file in named)
    assert {file.name for file in named} == {file.name for file in (DOCS / "examples").iterdir()}


def test_reports_that_are_linked_are_there():
    links = [
        link
        for file in [*DOCS.glob("*.md"), *DOCS.glob("guides/*.md")]
        for link in re.findall(
            r"(?:href=\"|\{image\} )(?:\.\./)*(reports/[^\"\s]+)", file.read_text()
        )
    ]
    assert links
    assert [link for link in links if not (DOCS.parent / link).is_file()] == []


def test_every_key_that_a_source_cites_is_known():
    """A key is capitals at the head of a reference; the list of claims and the design are none."""
    sources = [c.source for group in (CLAIMS, ROWS, PRINTED) for c in group.values()]
    sources += [m.source for m in METHODS.values()] + [w.source for w in WEIGHTINGS.values()]
    for source in sources:
        keys = re.findall(r"(?:^|; |, )([A-Z][A-Z0-9]+)(?![\w-])", source)
        for key in set(keys) - {"CLAIMS", "DESIGN", "PEERS"}:
            assert cited(key), source
        numbers = re.findall(r"\d{4}\.\d{5}", source)
        assert all(any(n in WORKS[k].link for k in cited(source)) for n in numbers), source


def test_a_key_is_expanded_once_and_not_where_its_author_is_named():
    assert expanded("GAO; CLAIMS 16") == "GAO (Gao et al. 2024); CLAIMS 16"
    assert expanded("Lin et al. 2023, arXiv 2305.08891") == "Lin et al. 2023, arXiv 2305.08891"
    assert expanded("ALB, the backward SDE").count("(") == 1
    assert cited("DDIM eq. 9, arXiv 2206.00364; SONG") == ["SONG", "EDM"]
