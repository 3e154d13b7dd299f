"""Formulas as text, for the terminal."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

NAME = re.compile(r"\\operatorname\{(\w+)\}")
RELATION = re.compile(r" *([=∼⇒→←≤≥⟺∝≃≡]) *")
CLOSING = re.compile(r" +(?=[\])},;→])|(?<=[\[(]) +")
BRACES = re.compile(r"(\{(?:[^{}]|\{[^{}]*\})*\})")
#: What a fraction needs no parentheses for: a number, or a letter with accents and indices.
ATOM = re.compile(r"\d+|[d∂]?[^\W\d_][\u0300-\u036f]*'?(?:[_^](?:\w|\{[^{}]+\}))*(?:\(\w+\))?")


def plain(latex: str) -> str:
    r"""A formula in Unicode: z_t = α_t x + σ_t ε, e^{-λ}, ½, (a + b)/c for \frac{a + b}{c}."""
    latex = NAME.sub(_name, latex)
    text = _converter().latex_to_text(latex.replace("tfrac", "frac")).replace("\n", "; ")
    text = CLOSING.sub("", " ".join(text.split()))
    pieces = BRACES.split(text)  # every second one is an index or exponent: it stays tight
    return "".join(RELATION.sub(r" \1 ", p) if i % 2 == 0 else p for i, p in enumerate(pieces))


def _name(found: re.Match[str]) -> str:
    """The name of a function, set off from letters beside it."""
    before, after = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    lead, trail = " " * before.isalnum(), " " * (after.isalpha() or after == "\\")
    return rf"\text{{{lead}{found[1]}{trail}}}"


@cache
def _converter() -> Any:
    from pylatexenc.latex2text import (
        LatexNodes2Text,
        MacroTextSpec,
        get_default_latex_context_db,
    )

    words = {"iff": "⟺", "det": "det", "log": "log ", "lvert": "|", "rvert": "|"}
    macros = [MacroTextSpec(name, text) for name, text in words.items()]
    macros.append(MacroTextSpec("frac", _fraction))
    context = get_default_latex_context_db()
    context.add_context_category("dfbench", prepend=True, macros=macros)
    return LatexNodes2Text(
        math_mode="text",
        latex_context=context,
        keep_braced_groups=True,
        keep_braced_groups_minlen=2,
    )


def _fraction(node: Any, l2tobj: Any) -> str:
    over, under = (_side(l2tobj.nodelist_to_text([part])) for part in node.nodeargd.argnlist)
    return "½" if (over, under) == ("1", "2") else f"{over}/{under} "


def _side(text: str) -> str:
    text = text.strip().removeprefix("{").removesuffix("}")
    return text if ATOM.fullmatch(text) else f"({text})"
