"""The claims of the literature as one self-contained page: mathematics, margins, figures, data."""

from __future__ import annotations

import base64
import csv
import io
import itertools
import re
from typing import Any

import jinja2
from markupsafe import Markup

from dfbench.claims.base import Finding
from dfbench.claims.literature.base import Printed
from dfbench.claims.literature.run import Claims, Outcome
from dfbench.report import labels

#: Parts of the list of claims, with the first and last row of each.
PARTS = (
    ("Paths, fields and scores", 1, 11),
    ("Learning targets and losses", 12, 26),
    ("Samplers", 27, 47),
)


def render(claims: Claims, *, title: str = "The claims of the literature") -> str:
    """The page, complete: formulas as MathML, figures as SVG, their data as CSV."""
    printed = [o for o in claims.outcomes if isinstance(o.claim, Printed)]
    rows = [o for o in claims.outcomes if not isinstance(o.claim, Printed)]
    parts = [
        (name, [o for o in rows if first <= o.claim.number <= last]) for name, first, last in PARTS
    ]
    environment = dict(claims.environment)
    return (
        _environment()
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
            environment={key: _text(value) for key, value in environment.items()},
            seconds=claims.seconds,
        )
    )


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("dfbench.report"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.globals |= {"labels": labels, "figure": figure, "data": data}
    made.filters |= {"math": math, "number": number, "case": case}
    return made


def math(latex: str) -> Markup:
    """A formula as MathML, which browsers draw by themselves; as text where it cannot be read."""
    from latex2mathml.converter import convert

    try:
        return Markup(convert(latex, display="block"))
    except Exception:
        return Markup("<code>{}</code>").format(latex)


def figure(outcome: Outcome) -> Markup | None:
    """The claim's figure as SVG, drawn from its series; None where it has none."""
    draw, finding = outcome.claim.figure, outcome.finding
    if draw is None or not finding.series:
        return None
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": outcome.claim.id}):
        drawn = draw(finding)
        text = io.StringIO()
        drawn.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
        plt.close(drawn)
    return Markup(compact(text.getvalue(), f"c{outcome.claim.id}"))


def compact(svg: str, prefix: str) -> str:
    """An SVG without its prologue, with short numbers, and with ids of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"(\d+\.\d\d)\d+", r"\1", svg)
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
    return "data:text/csv;base64," + base64.b64encode(text.getvalue().encode()).decode()


def number(value: float | None) -> str:
    """Three digits, as a person writes them."""
    return "" if value is None else f"{value:.3g}"


def case(value: dict[str, Any] | None) -> str:
    """A counterexample on one line."""
    return ", ".join(f"{name} = {_text(each)}" for name, each in (value or {}).items())


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
