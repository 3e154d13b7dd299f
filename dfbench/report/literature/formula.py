"""Formulas and the words around them, as HTML."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from dfbench.wording import printed

OPENING = re.compile(r"\\left(?![a-z])|\\begin\{\w+\}|\{")
CLOSING = re.compile(r"\\right(?![a-z])|\\end\{\w+\}|\}")
SPACE = re.compile(r"\\qquad(?![A-Za-z])|\\quad(?![A-Za-z])")
TEXT = re.compile(r"\\text\{([^{}]*)\}")
#: Of one letter, perhaps with an accent: z_t, β_max, x̂_0.
SUBSCRIPT = re.compile(r"(?<![^\W_])([^\W\d_][\u0300-\u036f]*)_(\{[^{}]+\}|[A-Za-z0-9α-ω]+)")
SUPERSCRIPT = re.compile(r"\^(?:\{([^{}]+)\}|(\d+(?:\.\d+)?|[A-Za-z]))")
POWER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?e-?\d+(?!\w)")
MINUS = re.compile(r"(?<=[ (])-(?=[\d∞])")
#: What the converter takes for identifiers.
OPERATORS = re.compile(r"<mi>(:|;|~|⟺|⌊|⌋)</mi>")
BARS = re.compile(r"<mo((?: \w+=\"[^\"]*\")*)>([|‖])</mo>")
RELATION = re.compile(r"(<math[^>]*><mrow><mo)(>(?:[∼=+→∘≤≥−,:;]|&[lg]t;))")
APPLIED = re.compile(r"(<m([io])>(?:log|div|tr)</m\2>)(?=<m(?:i|sub|sup|subsup|over)\b)")
SHORT = re.compile(r"\\(mathbb|mathcal|mathrm) ?([A-Za-z])(?![A-Za-z])")


def math(latex: str) -> Markup:
    """A formula as MathML that wraps between its parts; as code where it cannot be read."""
    try:
        return Markup("").join(
            Markup('<span class="{}">{}</span>').format(kind, content)
            if kind == "gap" or kind == "words"
            else _mathml(content)
            for kind, content in parts(latex)
        )
    except Exception:
        return Markup("<code>{}</code>").format(latex)


def parts(latex: str) -> list[tuple[str, str]]:
    r"""A formula cut at the \quad, \qquad and \text of its top level: (kind, content)."""
    found: list[tuple[str, str]] = []
    depth = start = at = 0

    def formula(stop: int) -> None:
        piece = latex[start:stop].strip()
        found.extend([("words", " ")] * piece.startswith("\\ "))
        spaced = piece.endswith("\\")  # "\\ " before words
        piece = piece.removeprefix("\\ ").removesuffix("\\").strip()
        found.extend([("math", piece)] * bool(piece) + [("words", " ")] * spaced)

    while at < len(latex):
        space, text = SPACE.match(latex, at), TEXT.match(latex, at)
        if depth == 0 and (space or text) and latex[at - 1 : at] not in ("_", "^"):
            formula(at)
            found.append(("words", text[1]) if text else ("gap", ""))
            at = start = (text or space).end()  # type: ignore[union-attr]
            continue
        if latex[at] == "\\" and latex[at + 1 : at + 2] in ("{", "}"):
            at += 2
            continue
        opening, closing = OPENING.match(latex, at), CLOSING.match(latex, at)
        depth += bool(opening) - bool(closing)
        command = re.compile(r"\\[A-Za-z]+").match(latex, at)
        at = max(at + 1, *(m.end() for m in (opening, closing, command) if m), 0)
    formula(len(latex))
    return found


def _mathml(latex: str) -> Markup:
    """One piece, by the converter, and what it leaves undone."""
    from html import unescape

    from latex2mathml.converter import convert

    latex = SHORT.sub(r"\\\1{\2}", latex).replace(r"\!", "")
    text = convert(latex, display="inline").replace("<math ", '<math displaystyle="true" ', 1)
    text = re.sub(r"&#x\w+;", lambda m: str(escape(unescape(m[0]))), text)
    text = text.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    text = OPERATORS.sub(r"<mo>\1</mo>", text.replace("<mi>~</mi>", "<mo>∼</mo>"))
    text = text.replace("<mo minsize", '<mo stretchy="true" symmetric="true" minsize')
    text = re.sub("<mo>([↑↓])", r'<mo stretchy="false">\1', text)
    text = APPLIED.sub(r'\1<mspace width="0.167em"/>', RELATION.sub(r'\1 form="infix"\2', text))
    text = text.replace("<mo>‖", '<mo stretchy="false">‖').replace(
        "<mo>|", '<mo stretchy="false">|'
    )
    return Markup(BARS.sub(r'<mo\1 lspace="0" rspace="0">\2</mo>', text))


def prose(text: str) -> Markup:
    """Words with indices like z_t and exponents like e^{−x} set as such."""
    html = str(escape(text))
    html = SUBSCRIPT.sub(lambda m: f"{m[1]}<sub>{m[2].strip('{}')}</sub>", html)
    html = SUPERSCRIPT.sub(lambda m: f"<sup>{m[1] or m[2]}</sup>", html)
    return Markup(MINUS.sub("−", POWER.sub(lambda m: printed(float(m[0])), html)))
