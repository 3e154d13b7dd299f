"""Which defects certification notices, and what it says against what is right.

    python -m tests.defects.table [--missed] [NAME ...]

certifies every defect and the right thing beside it, and the right subjects, all of them or those
whose names begin so ("noise", "real/sd"), and writes `reports/defects/`. With `--missed` those that
were noticed, and the right ones that passed, are left as they are.
"""

from __future__ import annotations

import csv
import logging
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dfbench
from dfbench.checks import CLAIMS as ALL
from dfbench.errors import Unusable
from dfbench.outcome import Finding
from tests.defects.catalogue import ROOMS, Defect, Right, defects, subjects
from tests.defects.plain import Run

CLAIMS = [each.id for each in ALL.values() if each.kind == "sampler"]
OUT = Path("reports/defects")
DEFECTS, RIGHT = OUT / "defects.csv", OUT / "right.csv"
ABOUT = ("name", "says", "when", "hidden", "effect", "noticed")
WORSE = 1.5  # times what is said against the right one already


def findings(
    make: Callable[..., Any],
    config: dict[str, Any],
    call: dict[str, Any],
    select: list[str] | None = None,
) -> dict[str, Finding] | str:
    """A certificate's findings by claim, or why there is none."""
    subject, given = (make, config) if isinstance(make, type) else (make(**config), {})
    try:
        report = dfbench.certify(subject, config=given, call=call, select=select).subjects[0]
    except Unusable as error:
        return str(error)
    return {finding.claim: finding for finding in report.findings}


_CERTIFIED: dict[str, dict[str, Finding] | str] = {}


def of_the_right(
    make: Callable[..., Any], config: dict[str, Any], call: dict[str, Any]
) -> dict[str, Finding] | str:
    """Certified once for all that are compared with it."""
    key = f"{make!r} {config} {call}"
    if key not in _CERTIFIED:
        _CERTIFIED[key] = findings(make, config, call)
    return _CERTIFIED[key]


def beside(defect: Defect) -> dict[str, str]:
    """What certification says of a defect and not of the right thing, by claim."""
    call = {**defect.when.call, **defect.when.grid} if isinstance(defect.when, Run) else {}
    mine = findings(defect.wrong, defect.config, call)
    other = of_the_right(defect.right, defect.config, call)
    if isinstance(mine, str):
        return {"noticed": "unread" if isinstance(other, str) else "yes", "unusable": mine}
    if isinstance(other, str):
        other = {}
    if not any(each.verdict in ("pass", "fail") for each in (*mine.values(), *other.values())):
        return {"noticed": "unread", "unusable": next(f.why or "" for f in mine.values())}
    told = {name: word for name in mine if (word := newly(mine[name], other.get(name)))}
    return {"noticed": "yes" if any("fails" in word for word in told.values()) else "no", **told}


def newly(mine: Finding, other: Finding | None) -> str:
    """What a finding says and does not say of the right one; "lost" for a pass that is none."""
    failed = other is not None and other.verdict == "fail"
    if mine.verdict == "fail" and not (failed and mine.used <= WORSE * other.used):
        return f"fails: {mine.comparison}" + (" (right one fails)" if failed else "")
    if other is not None and other.verdict == "pass" and mine.verdict == "inconclusive":
        return "lost"
    return ""


def about(entry: Defect | Right) -> dict[str, str]:
    """What the catalogue says of an entry."""
    told = {"name": entry.name, "says": " ".join(entry.says.split())}
    if isinstance(entry, Right):
        return told
    return {**told, "when": str(entry.when), "hidden": "hidden" if entry.hidden else ""}


def row(defect: Defect) -> dict[str, str]:
    """A row of the table of defects."""
    return {**about(defect), "effect": f"{defect.effect[0]:.2g}", **beside(defect)}


def right_row(subject: Right) -> dict[str, str]:
    """A row of the table of right subjects: what is said against it, or not of what it is like.

    It fails by what is said against its samples, and is no known defect of the release.
    """
    found = findings(subject.make, subject.config, subject.call)
    if isinstance(found, str):
        return {**about(subject), "failed": "", "unusable": found}
    other = of_the_right(subject.like, subject.config, subject.call) if subject.like else {}
    known = {} if isinstance(other, str) else other
    against = {
        name: newly(f, known.get(name)) or ("inconclusive" if f.verdict == "inconclusive" else "")
        for name, f in found.items()
        if not f.expected
    }
    failed = [
        name
        for name, word in against.items()
        if "fails" in word and found[name].harm == "samples" and name not in subject.known
    ]
    passed = sum(f.verdict == "pass" for f in found.values())
    if not failed and not passed:
        against["unusable"] = next(f.why or "" for f in found.values())
    return {**about(subject), "failed": " ".join(failed), "passed": str(passed), **against}


def update(
    path: Path, columns: tuple[str, ...], rows: dict[str, dict[str, str]]
) -> list[dict[str, str]]:
    """Replace rows of a CSV file by name, and drop those that the catalogue no longer has."""
    known = {}
    if path.exists():
        with path.open(newline="") as file:
            known = {row["name"]: row for row in csv.DictReader(file)}
    known |= rows
    empty = dict.fromkeys(columns, "")
    listed = {**defects(), **subjects()}
    kept = [{**empty, **known[name], **about(listed[name])} for name in listed if name in known]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(kept)
    return kept


def settled() -> set[str]:
    """What the report has as it should be: defects that are noticed, right ones that pass."""
    known: dict[str, str] = {}
    for path, column in ((DEFECTS, "noticed"), (RIGHT, "passed")):
        if path.exists():
            with path.open(newline="") as file:
                for row in csv.DictReader(file):
                    known[row["name"]] = "" if row.get("failed") else row[column]
    return {name for name, word in known.items() if word not in ("", "0", "no", "unread")}


def page(wrong: list[dict[str, str]], good: list[dict[str, str]]) -> str:
    """The README of the report."""
    seen = [row for row in wrong if row["noticed"] == "yes"]
    falsely = [row for row in good if row["failed"]]
    unread = [row for row in good if row["unusable"]]
    lines = [
        "# Realistic defects, and who notices them",
        "",
        "Written by `python -m tests.defects.table`; the catalogue is `tests/defects/`. A defect",
        "is noticed if certification says something against it that it does not say against the",
        "right thing beside it, and unread if neither can be certified. What each question says is",
        "in `defects.csv` and `right.csv`; `lost` is a pass of the right thing's only.",
        "",
        f"- **{len(seen)} of {len(wrong)} defects are noticed ({len(seen) / len(wrong):.0%})**; of "
        f"the {sum(bool(r['hidden']) for r in wrong)} that do not show in a plain run, "
        f"{sum(bool(r['hidden']) for r in seen)}. "
        f"{sum(r['noticed'] == 'unread' for r in wrong)} cannot be read.",
        f"- {len(falsely)} of {len(good)} right subjects fail for their samples, beyond what is "
        f"known of the release; {len(unread)} cannot be read.",
        "",
        "## By what a user would notice them in",
        "",
        "| | noticed | of |",
        "|---|---:|---:|",
    ]
    total, found = (Counter(r["name"].split("/")[0] for r in rows) for rows in (wrong, seen))
    lines += [f"| {room} | {found[room]} | {total[room]} |" for room in ROOMS if total[room]]
    lines += ["", "## By question", "", "| question | notices | alone |", "|---|---:|---:|"]
    for name in CLAIMS:
        by = [r for r in seen if "fails" in (r.get(name) or "")]
        alone = sum(sum("fails" in (r.get(n) or "") for n in CLAIMS) == 1 for r in by)
        lines.append(f"| {name} | {len(by)} | {alone} |")
    lines += [
        "",
        "## Not noticed",
        "",
        "| defect | what is wrong | shows in | effect | |",
        "|---|---|---|---:|---|",
    ]
    lines += [
        f"| {r['name']} | {r['says']} | {r['when']} | {r['effect']} | {r['noticed']} |"
        for r in wrong
        if r["noticed"] != "yes"
    ]
    lines += [
        "",
        "## Right, and failed or not read",
        "",
        "| subject | what it is | what is said |",
        "|---|---|---|",
    ]
    for r in falsely + unread:
        against = [f"{name} {r[name]}" for name in r["failed"].split()] or [r["unusable"]]
        lines.append(f"| {r['name']} | {r['says']} | {', '.join(against)} |")
    return "\n".join(lines) + "\n"


def main(given: list[str]) -> None:
    """Certify what is named, by default everything, and write the report, a room at a time."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    rooms: dict[str, list[Defect | Right]] = {}
    done = settled() if "--missed" in given else set()
    beginnings = tuple(name for name in given if name != "--missed") or ("",)
    for each in (*defects().values(), *subjects().values()):
        if each.name.startswith(beginnings) and each.name not in done:
            rooms.setdefault(each.name.split("/")[0], []).append(each)
    for chosen in rooms.values():
        wrong: dict[str, dict[str, str]] = {}
        good: dict[str, dict[str, str]] = {}
        for each in chosen:
            if isinstance(each, Defect):
                wrong[each.name] = row(each)
            else:
                good[each.name] = right_row(each)
            print(each.name, flush=True)
        rows = update(DEFECTS, (*ABOUT, *CLAIMS, "unusable"), wrong)
        judged = update(RIGHT, ("name", "says", "failed", "passed", *CLAIMS, "unusable"), good)
        (OUT / "README.md").write_text(page(rows, judged), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
