"""The claims of the literature as one self-contained page: mathematics, margins, figures, data."""

from __future__ import annotations

import base64
import csv
import io
import itertools
import json
import re
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from dfbench.literature import PARTS
from dfbench.literature.run import Claims, Outcome
from dfbench.literature.statement import Printed
from dfbench.outcome import Finding
from dfbench.report import labels
from dfbench.report.literature.formula import math, prose
from dfbench.wording import line, printed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Arguments of checks, as they are written.
NAMES = {"lam": "λ", "eta": "η", "eps": "ε", "epsilon": "ε", "delta": "δ", "x": "x", "theta": "θ"}


def render(claims: Claims, *, title: str = "The claims of the literature") -> str:
    """The page, complete: formulas as MathML, figures as SVG, their data as CSV."""
    printed = [o for o in claims.outcomes if isinstance(o.claim, Printed)]
    rows = [(o.claim.part, o) for o in claims.outcomes if not isinstance(o.claim, Printed)]
    parts = [(name, [outcome for part, outcome in rows if part == name]) for name in PARTS]
    environment = dict(claims.environment)
    return (
        templates()
        .get_template("literature.html")
        .render(
            title=title,
            verdict=claims.verdict,
            passed=sum(o.verdict == "pass" for o in claims.outcomes),
            total=len(claims.outcomes),
            caught=sum(o.control.verdict == "fail" for o in claims.outcomes),
            parts=[(name, outcomes) for name, outcomes in parts if outcomes],
            printed=printed,
            command=environment.pop("command", None),
            environment={key: line(value) for key, value in environment.items()},
            seconds=claims.seconds,
        )
    )


def templates() -> jinja2.Environment:
    """jinja2 with what pages of claims need."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("dfbench.report"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.globals |= {"labels": labels, "figure": figure, "data": data, "slider": slider}
    made.filters |= {"math": math, "number": printed, "case": case, "prose": prose}
    return made


def figure(outcome: Outcome, prefix: str = "c") -> Markup | None:
    """The claim's figure as SVG, drawn from its series; None where it has none."""
    draw, finding = outcome.claim.figure, outcome.finding
    if draw is None or not finding.series:
        return None
    from dfbench.literature.drawing import tidy

    drawn = draw(finding)
    tidy(drawn)
    return chart(drawn, f"{prefix}{outcome.claim.id}")


def chart(drawn: Figure, prefix: str) -> Markup:
    """A figure as inline SVG, its ids made its own by a prefix."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        text = io.StringIO()
        drawn.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
    svg = Markup(compact(text.getvalue(), prefix))
    wide = " wide" if drawn.get_size_inches()[0] > 8 else ""
    return Markup('<figure class="chart{}">{}</figure>').format(wide, svg)


def compact(svg: str, prefix: str) -> str:
    """An SVG without its prologue, with short numbers, and with ids of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    # numbers of the drawing, not those that are read
    svg = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d+\.\d\d)\d+", r"\1", tag[0]), svg)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{prefix}-", svg)
    svg = re.sub(r'<svg ([^>]*?)width="[\d.]+pt" height="[\d.]+pt"', r'<svg role="img" \1', svg)
    return re.sub(r"\s*\n\s*", "\n", svg).strip()


def data(finding: Finding) -> str | None:
    """The series as CSV in a link."""
    if not finding.series:
        return None
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(finding.series)
    columns = [[f"{value:.6g}" for value in column] for column in finding.series.values()]
    writer.writerows(itertools.zip_longest(*columns, fillvalue=""))
    return link(text.getvalue())


def link(table: str) -> str:
    """A table in CSV as the address of a link."""
    return "data:text/csv;base64," + base64.b64encode(table.encode()).decode()


def slider(outcome: Outcome) -> Markup | None:
    """What the slider of the claim shows, as JSON: its series, to four digits."""
    made, series = getattr(outcome.claim, "slider", None), outcome.finding.series
    if made is None or not series:
        return None

    def short(name: str) -> list[float]:
        return [float(f"{value:.4g}") for value in series[name]]

    moving = [any("{at}" in name for name in each.y) for each in made.curves]
    shown = {
        "label": made.label,
        "positions": made.positions,
        "x": made.x,
        "y": made.y,
        "ylim": made.ylim,
        "curves": [
            {
                "label": each.label,
                "colour": each.colour,
                "marks": each.marks,
                "dashed": each.dashed,
                "x": short(each.x),
                "y": [
                    [short(name.format(at=at)) for name in each.y]
                    for at in (made.positions if moves else made.positions[:1])
                ],
            }
            for each, moves in zip(made.curves, moving, strict=True)
        ],
        "readings": {
            text: [printed(value) for value in series[name]] for text, name in made.readings.items()
        },
    }
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c"))


def case(value: dict[str, Any] | None) -> str:
    """A counterexample on one line."""
    return ", ".join(f"{NAMES.get(n, n)} = {line(each)}" for n, each in (value or {}).items())
