"""The pages that are made from the code: checks, claims, samplers, schedules, weightings, sources.

`pages` gives them as Markdown by their paths; `conf.py` writes them where Sphinx finds them. What
a page says stands in the code: fields of `Claim`, docstrings, `WORKS` of `dfbench.bibliography`.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dfbench import bibliography
from dfbench.checks import CLAIMS
from dfbench.literature import PRINTED, ROWS, TRAINED
from dfbench.outcome import Claim, Finding
from dfbench.report.catalogue import catalogue
from dfbench.report.literature.formula import math
from dfbench.samplers import METHODS
from dfbench.schedules import SCHEDULES
from dfbench.self_test import smallest
from dfbench.weightings import WEIGHTINGS

HARMS = {
    "samples": "the samples of this configuration",
    "img2img": "the samples of runs that start in the middle",
    "training": "what a network is trained with",
    "options": "samples under other options",
    "interface": "generators, forms of the result, dtypes",
}
NO_CHANCE = (
    "No chance takes part: the numbers follow from the subject's coefficients or from fixed "
    "inputs, and a subject for which the statement holds is within the bound, every time."
)
AT = (-10.0, -5.0, 0.0, 5.0, 10.0)  # λ of the tables of weightings
TIMES = (0.0, 0.25, 0.5, 0.75, 1.0)

Sections = dict[str, str]


@dataclass(frozen=True)
class Power:
    """What a check makes of its control.

    Attributes:
        finding: on the control at its size.
        smallest: the smallest size that fails, to a factor of two; None where it has no size.
    """

    finding: Finding
    smallest: float | None


def measured(claim: Claim) -> Power:
    """The check's finding on its control, and the smallest defect that it sees."""
    finding = claim(claim.control(claim.control_size))
    if finding.verdict != "fail" or finding.derivation is None:
        raise ValueError(f"the control of {claim.id} is {finding.verdict}: {finding}")
    return Power(finding, smallest(claim) if claim.sized else None)


def pages(power: Callable[[Claim], Power] = measured) -> dict[str, str]:
    """Path without suffix → Markdown, of every page that is made from the code."""
    return {path: text for group in GROUPS for path, text in group(power)}


def write(folder: Path, power: Callable[[Claim], Power] = measured) -> None:
    """Write the pages; one that says what it said is left alone, so that it is not built again."""
    made = pages(power)
    for path, text in made.items():
        file = folder / f"{path}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")
    for file in folder.rglob("*.md"):
        if file.relative_to(folder).with_suffix("").as_posix() not in made:
            file.unlink()


# Markdown -----------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Plain text as Markdown; what stands between backticks stays code."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [re.sub(r"([\\*\[\]<>|~$]|(?<!\w)_)", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def page(title: str, sections: Sections, lead: str = "") -> str:
    """A page; a section without content is an error."""
    if empty := [name for name, text in sections.items() if not text.strip()]:
        raise ValueError(f"{title}: nothing under {', '.join(empty)}")
    body = "\n\n".join(f"## {name}\n\n{text.strip()}" for name, text in sections.items())
    return f"# {title}\n\n{lead.strip()}\n\n{body}\n".replace("\n\n\n", "\n\n")


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def formula(latex: str) -> str:
    return f"```{{raw}} html\n<p>{math(latex)}</p>\n```"


def code(text: str, language: str = "python") -> str:
    return f"```{language}\n{text.strip()}\n```"


def source(text: str) -> str:
    """A source, the claims of the list that it names as links, and the works."""
    told = re.sub(r"CLAIMS ((?:\d+(?:, )?)+)", _linked, escape(text))
    told = told.replace("DESIGN:", "a rule of this project:")
    works = [f"- {reference(key)}" for key in bibliography.cited(text)]
    return "\n".join([told, "", *works])


def _linked(match: re.Match[str]) -> str:
    links = re.sub(r"\d+", lambda n: f"[{n[0]}](../claims/{n[0]}.md)", match[1])
    return f"claims {links}"


def reference(key: str) -> str:
    work = bibliography.WORKS[key]
    told = f"{escape(work.authors)}, *{escape(work.title)}* ({work.year})"
    return f"**{key}**: {told}, <{work.link}>"


def paragraphs(thing: Any) -> str:
    """A docstring, its sections (`Args:` …) left out."""
    text = re.split(r"\n(?=(?:Args|Attributes|Raises|Returns):\n)", inspect.getdoc(thing) or "")[0]
    return escape(text)


def number(value: float) -> str:
    return f"{value:.4g}".replace("inf", "∞").replace("-", "−")


def index(title: str, lead: str, entries: Mapping[str, str], rows: str) -> str:
    """A table of a group, and its pages for the navigation."""
    toctree = "\n".join(["```{toctree}", ":hidden:", "", *entries, "```"])
    return f"# {title}\n\n{lead}\n\n{rows}\n\n{toctree}\n"


# Groups -------------------------------------------------------------------------------------------

Pages = Iterator[tuple[str, str]]


def checks(power: Callable[[Claim], Power]) -> Pages:
    """A page for every check of `dfbench certify`."""
    for claim in CLAIMS.values():
        yield f"checks/{claim.id}", check_page(claim, power(claim))
    kinds = dict.fromkeys(claim.kind for claim in CLAIMS.values())
    rows = "\n\n".join(
        f"## Of a {kind}\n\n"
        + table(
            ("check", "says", "a failure touches"),
            (
                (f"[{c.id}]({c.id}.md)", escape(c.statement), HARMS[c.harm])
                for c in CLAIMS.values()
                if c.kind == kind
            ),
        )
        for kind in kinds
    )
    lead = (
        "What `dfbench certify` asks of a subject. Each page has the mathematics, when a right "
        "subject could fail, the bound and where it comes from, how small a defect is seen, and "
        "what to do. `dfbench list claims` says the same in a terminal."
    )
    yield "checks/index", index("Checks", lead, dict.fromkeys(CLAIMS, ""), rows)


def check_page(claim: Claim, power: Power) -> str:
    found = power.finding
    how = inspect.getdoc(claim.check) or ""
    how = "" if hasattr(claim.check, "func") else escape(how.partition("\n\n")[0])
    unit = f" {found.unit}" if found.unit else ""
    if power.smallest is None:
        seen = "There is no smaller one: the defect is there or not."
    else:
        seen = f"The smallest size of it that fails, to a factor of two, is {power.smallest:.2g}."
    control = (inspect.getdoc(claim.control) or "").partition("\n\n")[0]
    named = getattr(claim.control, "__name__", "<lambda>") != "<lambda>"
    told = f" ({escape(control.rstrip('.'))})" if control and named else ""
    why = found.where or found.why
    failure = [
        f"✗ fail · {claim.id}",
        f"    measured {found.measured:.3g}, bound {found.bound:.3g}{unit and f' ({unit[1:]})'}",
        *textwrap.wrap(why or "", 92, initial_indent="    ", subsequent_indent="    "),
    ]
    sections = {
        "Mathematics": f"Measured: {escape(claim.formula)}.\n\n{how}",
        "Null": escape(f"{claim.chance[0].upper()}{claim.chance[1:]}." if claim.chance else "")
        or NO_CHANCE,
        "Bound": f"{found.sense.capitalize()} {found.bound:.3g}{escape(unit)} on the control "
        f"below. Where it comes from: {escape(found.derivation or '')}.",
        "Power": f"The control, a defect of size {claim.control_size:g}{told}, must fail, and does "
        f"with {found.measured:.3g}. {seen} `dfbench self-test` measures this on your machine.",
        "What it looks like": code("\n".join(failure), "text"),
        "What to do when it fails": escape(claim.remedy)
        + f"\n\nA failure touches {HARMS[claim.harm]}. If it is by design, declare it with its "
        f"size: [expected failures](../../guides/certify.md#expected-failures).",
        "Source": source(claim.source),
    }
    lead = f"**{escape(claim.statement)}**\n\nAsked of a {claim.kind}."
    if claim.core:
        lead += f" It answers a question that no verdict can do without: {claim.core}."
    return page(claim.id, sections, lead)


def claims(power: Callable[[Claim], Power]) -> Pages:
    """A page for every claim of the literature and every formula as printed."""
    for n, row in ROWS.items():
        trained = TRAINED.get(n)
        sections = {
            "Statement": formula(row.statement),
            "When it holds": escape(row.condition),
            "How it is checked": _checked(row, f"c{n:02d}"),
            "Control": _control(row),
            "Source": source(row.source),
        }
        if trained is not None:
            sections["On a trained network"] = (
                f"{formula(trained.statement)}\n\n{escape(trained.condition)}. "
                f"{_first(trained.check)} Part of `dfbench train`, with a control of its own."
            )
        yield f"claims/{row.id}", page(f"{row.id}. {escape(row.title)}", sections)
    for n, given in PRINTED.items():
        sections = {
            "As printed": formula(given.statement),
            "Corrected": "It holds as printed." if given.holds else formula(given.corrected),
            "Where": escape(given.where),
            "How it is checked": _checked(given, f"p{n:02d}"),
            "Control": _control(given),
            "Source": source(given.source),
        }
        yield f"claims/{given.id}", page(f"{given.id}. {escape(given.title)}", sections)
    everything = [*ROWS.values(), *PRINTED.values()]
    rows = table(
        ("claim", "", "source"),
        ((f"[{c.id}]({c.id}.md)", escape(c.title), escape(c.source)) for c in everything),
    )
    lead = (
        "What the literature asserts, each claim with the condition under which it holds, a check "
        "and a control. `dfbench claims` runs them; what came out, with figures, is in "
        '<a href="../../reports/claims/index.html">the report on the claims</a>.'
    )
    yield "claims/index", index("Claims", lead, {c.id: "" for c in everything}, rows)


def _first(thing: Any) -> str:
    return escape((inspect.getdoc(thing) or "").partition("\n\n")[0])


def _checked(claim: Claim, file: str) -> str:
    return f"{_first(claim.check)}\n\n{code(f'dfbench claims {claim.id}', 'console')}" + (
        f"\n\nThe code is `dfbench/literature/{file}_….py`; what was measured is in "
        f'<a href="../../reports/claims/index.html#c{claim.id}">the report</a>.'
    )


def _control(claim: Claim) -> str:
    size = f" of size {claim.control_size:g}" if claim.sized else ""
    control = claim.control
    named = getattr(control, "__name__", "<lambda>") != "<lambda>"
    told = f": {_first(control)}" if named and inspect.getdoc(control) else "."
    return f"The same check on the formula with a defect{size} must fail{told}"


def samplers(power: Callable[[Claim], Power]) -> Pages:
    """A page for every reference method."""
    for method in METHODS.values():
        traits = method.traits_of()
        options = [(f"`{name}`", f"`{value!r}`") for name, value in method.defaults.items()]
        sections = {
            "Formula": paragraphs(method.function),
            "Traits": table(
                ("trait", "under the default options"),
                ((name, _trait(name, value)) for name, value in asdict(traits).items()),
            ),
            "Options": table(("option", "default"), options) if options else "None.",
            "Code": code(textwrap.dedent(inspect.getsource(method.function))),
            "Use": code(f"dfbench certify dfbench:{method.name}", "console"),
            "Source": source(method.source),
        }
        yield f"samplers/{method.name}", page(method.name, sections)
    rows = table(
        ("sampler", "order", "noise", "evaluations a step", "source"),
        (
            (
                f"[{m.name}]({m.name}.md)",
                _trait("order", m.traits_of().order),
                "yes" if m.traits_of().stochastic else "no",
                _trait("evaluations", m.traits_of().evaluations),
                escape(m.source),
            )
            for m in METHODS.values()
        ),
    )
    lead = (
        "The reference methods, written from their papers: what others are compared with, and what "
        "studies run by name."
    )
    yield "samplers/index", index("Samplers", lead, dict.fromkeys(METHODS, ""), rows)


def _trait(name: str, value: Any) -> str:
    if value is None:
        return "varies" if name == "evaluations" else "none claimed"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escape(str(value)) or "no"


def schedules(power: Callable[[Claim], Power]) -> Pages:
    """A page for every noise schedule."""
    known = {row["name"]: row["what"] for row in catalogue("schedules")}
    for name, made in SCHEDULES.items():
        schedule = made()
        levels = [
            tuple(map(float, (t, schedule.alpha(t), schedule.sigma(t), schedule.log_snr(t))))
            for t in TIMES
        ]
        sections = {
            "Formula": escape(known[name]),
            "Levels": table(("t", "α", "σ", "λ"), (map(number, row) for row in levels)),
            "Use": code(
                f"from dfbench.schedules import SCHEDULES\n\n"
                f'schedule = SCHEDULES["{name}"]()\n'
                f"alpha, sigma = schedule.alpha(0.5), schedule.sigma(0.5)"
            ),
            "Source": source(known[name]),
        }
        yield f"schedules/{name}", page(name, sections)
    rows = table(("schedule", "formula"), ((f"[{n}]({n}.md)", escape(w)) for n, w in known.items()))
    lead = "Noise schedules t → (α, σ), data at t = 0 and noise at t = 1; λ = log(α²/σ²)."
    yield "schedules/index", index("Schedules", lead, dict.fromkeys(known, ""), rows)


def weightings(power: Callable[[Claim], Power]) -> Pages:
    """A page for every weighting of a loss."""
    for name, kind in WEIGHTINGS.items():
        weight = kind()
        parameters = asdict(weight)  # type: ignore[call-overload]
        sections = {
            "Formula": formula(rf"w(\lambda)={kind.formula}") + f"\n\n{paragraphs(kind)}",
            "Parameters": table(
                ("parameter", "default"), ((f"`{k}`", f"{v:g}") for k, v in parameters.items())
            )
            if parameters
            else "None.",
            "Values": table(("λ", "w(λ)"), ((number(x), number(float(weight(x)))) for x in AT)),
            "Use": code(
                f"from dfbench.weightings import WEIGHTINGS\n\n"
                f'w = WEIGHTINGS["{name}"]()([-5.0, 0.0, 5.0])'
            ),
            "Source": source(kind.source),
        }
        yield f"weightings/{name}", page(name, sections)
    rows = table(
        ("weighting", "what", "source"),
        (
            (f"[{name}]({name}.md)", _first(kind), escape(kind.source))
            for name, kind in WEIGHTINGS.items()
        ),
    )
    lead = (
        "Every diffusion loss is ∫ w(λ) E‖ε̂ − ε‖² dλ. A named weighting is w, factor and density "
        "of λ together; [claim 17](../claims/17.md) and [claim 20](../claims/20.md) are about them."
    )
    yield "weightings/index", index("Weightings", lead, dict.fromkeys(WEIGHTINGS, ""), rows)


def studied(power: Callable[[Claim], Power]) -> Pages:
    """What a study, a declaration or a profile can name."""
    for kind, lead in (
        ("targets", "Laws with known truth, which a study samples from."),
        ("grids", "How the levels of a run are spaced between the ends of a schedule."),
        ("metrics", "What `dfbench bench` measures."),
        ("profiles", "How code of some style is called, for `--as`."),
        ("studies", "Studies that are shipped."),
    ):
        rows = catalogue(kind)
        keys = [key for key in rows[0] if key != "name"]
        body = table(
            ("name", *keys),
            ((f"`{row['name']}`", *(escape(_cell(row.get(key))) for key in keys)) for row in rows),
        )
        yield f"named/{kind}", f"# {kind.capitalize()}\n\n{lead}\n\n{body}\n"


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {each}" for key, each in value.items())
    return "" if value is None else str(value)


def works(power: Callable[[Claim], Power]) -> Pages:
    """The bibliography."""
    lead = "What the keys stand for; `dfbench list sources` prints the same."
    rows = "\n".join(f"- {reference(key)}" for key in sorted(bibliography.WORKS, key=str.lower))
    yield "bibliography", f"# Bibliography\n\n{lead}\n\n{rows}\n"


GROUPS = (checks, claims, samplers, schedules, weightings, studied, works)
