"""The samplers of other libraries, certified, and which of them are one method: `reports/field`.

python -m benchmarks.field [LIBRARY …]

Writes the certificate, and the tables of `reports/field/README.md` between its marks; 2 minutes.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import dfbench
from dfbench import jsons
from dfbench.convergence import grid
from dfbench.errors import NotAffine, SubjectError, Unsupported, Unusable
from dfbench.outcome import Certificate, SubjectReport
from dfbench.subjects import resolve
from dfbench.subjects.contract import Sampler, Subject
from dfbench.subjects.library import library, library_names
from dfbench.subjects.loss import LossSubject
from dfbench.subjects.schedule import ScheduleSubject
from dfbench.table import Table

OUT = Path(__file__).parents[1] / "reports" / "field"
STEPS = 8
SAME = 1e-5  # of the state: tables of released schedulers are in float32
PAGES = ("dfbench", "diffusers")
LETTERS = {"eps": "ε", "x": "x₀", "v": "v", "u": "ε − x₀", "-u": "x₀ − ε", "score": "score"}


def libraries() -> list[str]:
    """Those that are installed, but the two that have pages of their own."""
    known = (library(name) for name in library_names() if name not in PAGES)
    return [each.name for each in known if each.installed]


def conventions(subject: Any) -> list[str]:
    """What the network returns, what times mean, where it starts and lands."""
    if not hasattr(subject, "facts"):  # a scheduler
        return [LETTERS[subject.session(10).prediction], "a scheduler's", "unit noise", "–"]
    facts = subject.facts
    level = facts.level if isinstance(facts.level, str) else "its own schedule"
    start = {"level": "a state", "noise": "unit noise", "drawn": "drawn inside"}[facts.start]
    session = subject.session(subject.counts((10,))[0])
    ends = session.grid[-1].ratio
    return [LETTERS[facts.predicts], level, start, "clean" if ends == 0 else f"σ/α = {ends:.2g}"]


def row(subject: Sampler, report: SubjectReport) -> list[str]:
    """One line of the table."""
    findings = {f.claim: f for f in report.findings}
    order = findings["order"]
    measured = f"{order.measured:.2f}" if order.verdict in ("pass", "fail") else "–"
    if order.unit == "error":
        measured = "exact"
    n = subject.counts((10,))[0]
    nfe = subject.reading(n).table.nfe
    near = report.nearest
    method = f"{near['method']}, {near['distance']:.0e}" if near else "–"
    verdict = report.headline if report.verdict != "pass" else "right"
    name = report.name.split(":")[1]
    return [name, *conventions(subject), f"{nfe}/{n}", measured, f"`{method}`", verdict]


OTHER = ["kind", "name", "questions", "verdict"]


def other_row(subject: Subject, report: SubjectReport) -> list[str]:
    """One line of the table of what is called once."""
    asked = [f for f in report.findings if f.verdict != "skip"]
    verdict = report.headline if report.verdict != "pass" else "right"
    passed = sum(f.verdict == "pass" for f in asked)
    return [subject.kind, report.name.split(":")[1], f"{passed}/{len(asked)}", verdict]


SCHEDULE = ["schedule", "gives its rates", "gives a way back", "verdict"]


def schedule_row(report: SubjectReport) -> list[str]:
    """One line of the table of schedules."""
    found = {f.claim: f.verdict for f in report.findings}
    asked = [
        "yes" if found[claim] != "skip" else "no"
        for claim in ("schedule-rates", "schedule-inverse")
    ]
    verdict = report.headline if report.verdict != "pass" else "right"
    return [report.name.split(":")[1].removeprefix("schedule_"), *asked, verdict]


LOSS = ["loss", "network", "times", "weighting", "verdict"]


def loss_row(subject: LossSubject, report: SubjectReport) -> list[str]:
    """One line of the table of losses."""
    level = subject.facts.level if isinstance(subject.facts.level, str) else "its own schedule"
    weighed = subject.weighed()
    name = (weighed.name if weighed else "") or "none that is published"
    verdict = report.headline if report.verdict != "pass" else "right"
    returned = LETTERS.get(subject.facts.predicts, subject.facts.predicts)
    return [report.name.split(":")[1], returned, level, name, verdict]


def canonical(subject: Sampler) -> Table | None:
    """Its coefficients on one grid for all, in x̂ and z/α."""
    try:
        table = subject.affine_reading(STEPS, grid(STEPS, subject.scale)).table
        return table.canonical().normal_draws(1e-6)
    except (Unsupported, NotAffine, SubjectError, ValueError, ArithmeticError):
        return None


def classes(subjects: list[Sampler]) -> list[list[str]]:
    """Names of samplers whose coefficients are the same."""
    found: list[tuple[Table, list[str]]] = []
    for subject in subjects:
        if (table := canonical(subject)) is None:
            continue
        for known, names in found:
            if (known.nfe, known.n_draws) == (table.nfe, table.n_draws) and (
                np.nanmax(table.gaps(known)) < SAME
                and np.abs(table.covariance - known.covariance).max(initial=0.0) < SAME
            ):
                names.append(subject.name)
                break
        else:
            found.append((table, [subject.name]))
    return sorted((names for _, names in found if len(names) > 1), key=len, reverse=True)


def markdown(head: list[str], rows: list[list[str]]) -> list[str]:
    """A table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in r) + " |" for r in rows]


def main(names: list[str]) -> None:
    start, lines, reports, all_of = time.perf_counter(), [], [], []
    environment: dict[str, Any] = {}
    excluded: dict[str, str] = {}
    head = ["sampler", "network", "times", "starts from", "lands at", "evaluations"]
    head += ["order", "nearest published method, distance", "verdict"]
    for name in names or libraries():
        began, rows, losses, schedules, others = time.perf_counter(), [], [], [], []
        for subject in resolve(name):
            certificate = dfbench.certify(subject)
            environment = certificate.environment
            (report,) = certificate.subjects
            reports.append(report)
            if isinstance(subject, LossSubject):
                losses.append(loss_row(subject, report))
            elif isinstance(subject, ScheduleSubject):
                schedules.append(schedule_row(report))
            elif isinstance(subject, Sampler):
                rows.append(row(subject, report))
                all_of.append(subject)
            else:
                others.append(other_row(subject, report))
            print(report.name, report.verdict, report.headline, flush=True)
        left_out = library(name).excluded()
        excluded |= {f"{name}:{each}": why for each, why in left_out.items()}
        both = rows + losses + schedules + others
        count, right = len(both), sum(r[-1] == "right" for r in both)
        lines += [f"### {name} {reports[-1].version}", ""]
        lines += [f"{count} certified, {right} right; {time.perf_counter() - began:.0f} s.", ""]
        lines += [*markdown(head, rows), ""] if rows else []
        lines += [*markdown(LOSS, losses), ""] if losses else []
        lines += [*markdown(SCHEDULE, schedules), ""] if schedules else []
        lines += [*markdown(OTHER, sorted(others)), ""] if others else []
        if left_out:
            said: dict[str, list[str]] = {}
            for each, why in left_out.items():
                said.setdefault(why, []).append(each)
            lines += [f"Excluded: {', '.join(n)}: {why}." for why, n in said.items()] + [""]
    for name in PAGES:
        for each in library(name).names():
            try:
                all_of += library(name).samplers(each, {}, {}, "default")
            except Unusable:
                continue
    alike = classes(all_of)
    known = {name.partition(":")[0] for together in alike for name in together}
    columns = [c for c in (*PAGES, *(names or libraries())) if c in known]
    same = []
    for together in alike:
        of: dict[str, list[str]] = {}
        for full in sorted(together):
            where, _, name = full.partition(":")
            of.setdefault(where, []).append(name.removesuffix("Scheduler"))
        same.append([str(len(together)), *("<br>".join(of.get(c, ["–"])) for c in columns)])
    certificate = Certificate(tuple(reports), environment, time.perf_counter() - start, excluded)
    OUT.mkdir(exist_ok=True)
    (OUT / "certificate.json").write_text(jsons.text(replace(certificate)), "utf-8")
    _between("samplers", lines)
    _between("classes", [*markdown(["how many", *columns], same), ""])


def _between(mark: str, lines: list[str]) -> None:
    """Put text between two marks of the page."""
    page = OUT / "README.md"
    text = page.read_text("utf-8")
    head, rest = text.split(f"<!-- {mark} -->\n", 1)
    _, tail = rest.split(f"<!-- /{mark} -->", 1)
    body = "\n".join(lines)
    page.write_text(f"{head}<!-- {mark} -->\n{body}<!-- /{mark} -->{tail}", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
