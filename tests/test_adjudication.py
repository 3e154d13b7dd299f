"""Every failure of diffusers in its default configuration is explained in reports/diffusers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

REPORTS = Path(__file__).parent.parent / "reports" / "diffusers"
KEYS = {
    "id",
    "title",
    "verdict",
    "classes",
    "options",
    "claims",
    "size",
    "text",
    "upstream",
    "workaround",
}
#: Claims of which some class fails one with its default arguments.
LIKELY = [
    "counts",
    "bookkeeping",
    "told-level",
    "identity",
    "prediction-types",
    "dtype",
    "companions",
    "affine",
    "law",
    "noise",
]

Entry = dict[str, Any]


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    found: list[Entry] = json.loads((REPORTS / "adjudication.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def findings() -> list[tuple[str, str, dict[str, Any], bool]]:
    """Class, claim, configuration and whether declared, of all that fails or is undecided."""
    kept = REPORTS / "certificate.json"
    content = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else _certified()
    return [
        (
            subject["name"].rpartition(":")[2],
            finding["claim"],
            subject["config"],
            bool(finding.get("expected")),
        )
        for subject in content["subjects"]
        for finding in subject["findings"]
        if finding["verdict"] in ("fail", "inconclusive")
    ]


def _certified() -> dict[str, Any]:
    pytest.importorskip("diffusers")
    from dfbench import certify, jsons

    certificate = certify("diffusers", select=LIKELY, workers=1)
    content: dict[str, Any] = json.loads(jsons.text(certificate))
    return content


def within(part: dict[str, Any], whole: dict[str, Any]) -> bool:
    """Whether a configuration has all that a part of one asks for."""
    return all(
        key in whole
        and (within(value, whole[key]) if isinstance(value, dict) else whole[key] == value)
        for key, value in part.items()
    )


def explaining(entries: list[Entry], name: str, claim: str, config: dict[str, Any]) -> list[Entry]:
    """The entries about a claim on a class with a configuration."""
    return [
        entry
        for entry in entries
        if name in entry["classes"]
        and claim in entry["claims"]
        and any(within(part, config) for part in entry.get("when", [{}]))
    ]


@pytest.mark.slow
def test_every_failure_is_explained(
    entries: list[Entry], findings: list[tuple[str, str, dict[str, Any], bool]]
) -> None:
    """None is left over, and there are some."""
    assert findings
    unexplained = [f for f in findings if not explaining(entries, *f[:3])]
    assert not unexplained


def test_an_invented_finding_is_not_explained(entries: list[Entry]) -> None:
    """The control: another claim, another class, other options."""
    assert explaining(entries, "IPNDMScheduler", "bookkeeping", {})
    assert not explaining(entries, "IPNDMScheduler", "row-independence", {})
    assert not explaining(entries, "EulerDiscreteScheduler", "law", {})
    assert not explaining(entries, "DDIMScheduler", "identity", {"eta": 0.5})
    assert explaining(entries, "DDIMScheduler", "identity", {"timestep_spacing": "linspace"})
    assert not explaining(entries, "NobodysScheduler", "counts", {})


@pytest.mark.slow
def test_what_is_by_design_is_declared_and_no_more(
    entries: list[Entry], findings: list[tuple[str, str, dict[str, Any], bool]]
) -> None:
    """A declared failure has an entry of that verdict; a defect is never declared away."""
    for name, claim, config, declared in findings:
        verdicts = {e["verdict"] for e in explaining(entries, name, claim, config)}
        if declared:
            assert "design" in verdicts, (name, claim, config)
        else:
            assert "defect" in verdicts, (name, claim, config)


def test_entries_are_complete(entries: list[Entry]) -> None:
    """Every key is there, and what a person reads is not empty."""
    assert len({entry["id"] for entry in entries}) == len(entries)
    for entry in entries:
        assert set(entry) >= KEYS, entry["id"]
        assert entry["verdict"] in ("defect", "design")
        for key in ("title", "text", "size", "options", "workaround", "classes", "claims"):
            assert entry[key], (entry["id"], key)


def test_entries_name_real_classes_and_claims(entries: list[Entry]) -> None:
    """A misspelt name would explain nothing."""
    diffusers = pytest.importorskip("diffusers")
    from dfbench.checks import CLAIMS

    for entry in entries:
        assert set(entry["claims"]) <= set(CLAIMS), entry["id"]
        assert all(hasattr(diffusers, name) for name in entry["classes"]), entry["id"]


def test_the_page_has_a_part_for_every_entry(entries: list[Entry]) -> None:
    """README.md and adjudication.json say the same."""
    page = (REPORTS / "README.md").read_text(encoding="utf-8")
    for entry in entries:
        assert f'<a id="{entry["id"]}"></a>{entry["title"]}' in page, entry["id"]
        assert entry["size"] in page, entry["id"]
        assert entry["text"] in page, entry["id"]
