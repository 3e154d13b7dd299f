"""The report: numbers, who notices most, and every survivor with the reason."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.mutation.run import Result

REASONS = Path(__file__).with_name("reasons.csv")
HOLE = "open"


Change = tuple[str, str, str, str]  # module, function, before, after


def reasons() -> dict[Change, tuple[str, str]]:
    """(kind, reason) of changes. No patterns: a change that nobody has looked at stays open."""
    with REASONS.open(newline="") as file:
        return {
            (row["module"], row["function"], row["before"], row["after"]): (
                row["kind"],
                row["reason"],
            )
            for row in csv.DictReader(file)
        }


def reason(one: Result, known: dict[Change, tuple[str, str]]) -> tuple[str, str]:
    """Why a survivor survived: (kind, reason); open if nobody has said."""
    return known.get((one.module, one.function, one.before, one.after), (HOLE, "not looked at"))


def prune(results: Iterable[Result]) -> int:
    """Drop the reasons of changes that are noticed now, or no longer made; their number."""
    left = {(one.module, one.function, one.before, one.after) for one in alive(results)}
    with REASONS.open(newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    kept = [r for r in rows if (r["module"], r["function"], r["before"], r["after"]) in left]
    with REASONS.open("w", newline="") as file:
        writer = csv.DictWriter(file, reader.fieldnames or (), lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
    return len(rows) - len(kept)


def alive(results: Iterable[Result]) -> list[Result]:
    """What no claim notices."""
    return [one for one in results if one.verdict in ("survived", "not reached")]


def _table(header: list[str], rows: Iterable[Iterable[object]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows] + [""]


def _code(text: str, length: int = 60) -> str:
    short = text if len(text) <= length else text[: length - 1] + "…"
    return "`" + short.replace("|", "¦").replace("\n", " ") + "`"


def write(results: list[Result], path: Path, total: dict[str, int]) -> None:
    """Write the report.

    Args:
        total: mutants that there are, by file.
    """
    known = reasons()
    ends = Counter(one.verdict for one in results)
    killed, left = ends["killed"] + ends["timeout"], alive(results)
    why = {one.key: reason(one, known) for one in left}
    kinds = Counter(kind for kind, _ in why.values())
    text = [INTRODUCTION]
    share = f"{100 * killed / max(1, len(results)):.1f} %"
    text += _table(
        [
            "mutants there are",
            "run",
            "noticed",
            "of them by time-out",
            "survived",
            "not reached",
            "undecided",
        ],
        [
            [
                sum(total.values()),
                len(results),
                f"{killed} ({share})",
                ends["timeout"],
                ends["survived"],
                ends["not reached"],
                ends["undecided"],
            ]
        ],
    )
    text += ["By file:", ""]
    rows = []
    for module in sorted(total):
        own = [one for one in results if one.module == module]
        count = Counter(one.verdict for one in own)
        rows.append(
            [
                f"`{module}`",
                total[module],
                len(own),
                count["killed"] + count["timeout"],
                count["survived"],
                count["not reached"],
                count["undecided"],
            ]
        )
    header = ["file", "mutants", "run", "noticed", "survived", "not reached", "undecided"]
    text += _table(header, rows)
    text += [
        "## Who notices",
        "",
        "The judge that noticed first (often others would have, too):",
        "",
    ]
    by = Counter(_judge(one) for one in results if one.verdict == "killed")
    text += _table(["judge", "mutants"], by.most_common(20))
    kindly = Counter(_kind(one) for one in results if one.verdict == "killed")
    text += _table(["kind of judge", "mutants"], kindly.most_common())
    text += ["By operator:", ""]
    operators = sorted({one.operator for one in results})
    text += _table(
        ["operator", "run", "not noticed"],
        [
            [
                name,
                sum(one.operator == name for one in results),
                sum(one.operator == name for one in left),
            ]
            for name in operators
        ],
    )
    text += ["## Survivors", "", SURVIVORS, ""]
    text += _table(["kind", "mutants"], kinds.most_common())
    groups: dict[tuple[str, str], list[Result]] = {}
    for one in left:
        groups.setdefault(why[one.key], []).append(one)
    for (kind, words), members in sorted(groups.items(), key=lambda g: (g[0][0], -len(g[1]))):
        text += [f"### {kind}: {words} ({len(members)})", ""]
        text += _table(
            ["where", "change", "by", "verdict"],
            [
                [
                    f"`{one.module}` {one.line} `{one.function}`",
                    f"{_code(one.before)} → {_code(one.after)}",
                    one.operator,
                    one.verdict,
                ]
                for one in sorted(members, key=lambda r: (r.module, r.line))
            ],
        )
    path.write_text("\n".join(text).rstrip() + "\n")


def _judge(one: Result) -> str:
    words = one.by.split(": ")[0].split(" ")
    return " ".join(words[:2])


def _kind(one: Result) -> str:
    if one.by.startswith("claim P"):
        return "formulas as printed"
    if one.by.startswith("claim"):
        return "claims of the literature"
    if one.by.startswith("test"):
        return "tests"
    if one.by.startswith("certify dfbench"):
        return "certification of reference methods"
    if one.by.startswith("certify"):
        return "certification of released schedulers (extra)"
    return "the package does not import"


INTRODUCTION = """# Mutation run

Does breaking any one formula make a claim or a test fail? Every formula of `dfbench/schedules`,
`dfbench/predictions.py`, `dfbench/weightings.py`, `dfbench/samplers` and `analytic` is changed in
one place at a time, and the claims and the tests of formulas are asked.

    python -m benchmarks.mutation                             # everything: hours on two cores
    python -m benchmarks.mutation --every 5 --budget 30       # a fifth of it, for half an hour
    python -m benchmarks.mutation predictions samplers/ddim   # files whose path has these parts
    python -m benchmarks.mutation --again                     # survivors only, all judges

Results are appended to [`mutation.csv`](mutation.csv) as they come and are known by the hash of the
mutated file: a run goes on where it stopped, and changed files are run anew. This file is written
at the end, or by `--report` alone.

**What is changed.** + and −, * and /, unary minus, constants (doubled, plus one, halved),
exponents, indices by one, terms and factors dropped, names that are mistaken for each other (α and
σ, x̂ and ε̂, the two levels of a step, p and q, f and g²), expm1 and exp, log1p and log, sin and cos,
max and min, a square root or logarithm dropped, < and ≤, = and ≠, the two arguments of a call,
True and False. Text, annotations, messages, validation (branches that only raise) and `_check…`
functions are not.

**Who is asked.** Every claim of the literature, every formula as printed and every test of formulas
(`tests/formulas` and the like) that executes the changed line, and certification of known-good
samplers that do: the reference methods with their options, and released schedulers where diffusers
is installed. First those that noticed changes of the same function most often in a second, up to
the first that fails or becomes inconclusive. Of tests, those are asked that take 40 s together, of
samplers 4 s (12 s for `dfbench/samplers`). A mutant is first given half a second of a processor;
who is unnoticed by then waits for the end, *undecided*, and is taken up where it was left. One that
takes half a minute longer than its judges take unchanged counts as noticed. All times are of the
processor: how busy the machine is changes no verdict.

**What is not in it.** `analytic/distances/`: the bench measures with it and no claim computes with
it; it is held by its own tests, against closed forms and quadrature.

Mutants are run in random order. Survivors led to stronger claims and to `tests/formulas`; they hold
the oracle to dense linear algebra, every sampler under every option and without to its formula, and
declared traits to tables. They were then asked about the survivors.

## Numbers
"""
SURVIVORS = """A survivor was seen by every judge that executes its line, or none executes it
(*not reached*); its reason was looked up line by line. *equivalent*: no result can show the change.
*rounding*: it costs digits, or only an extreme level shows it, where the bounds have room. *guard*:
a tolerance, an estimate of an error, an error or an input that no judge gives. *default*: the
default of an option. *trait*: what a method declares of itself, where declaring less is no error or
no judge has the option. *not a formula*: arrays, shapes and types. *open*: not looked at.

The *undecided* are no survivors: their time was up before every judge was asked. They are listed in
`mutation.csv`; a run goes on with them."""
