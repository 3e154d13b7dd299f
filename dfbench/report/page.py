"""From what a page says to one HTML file that needs nothing but itself: one way for all pages."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup, escape

from dfbench import wording
from dfbench.charts.page import inline
from dfbench.report import labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Filters = Mapping[str, Callable[..., Any]]


def fill(
    template: str, *scripts: str, filters: Filters = MappingProxyType({}), **content: Any
) -> str:
    """A page from its template.

    Args:
        template: its file's name.
        scripts: files of scripts besides the one of all pages; no other script runs in the page.
        filters: of this page's own.
        content: what the template says.
    """
    made = environment()
    made.filters |= filters
    loader = made.loader
    assert loader is not None
    script = "".join(loader.get_source(made, name)[0] for name in ("page.js", *scripts))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return made.get_template(template).render(script=script, script_hash=digest, **content)


def environment() -> jinja2.Environment:
    """Where the templates are, and what they may call."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("dfbench.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.globals |= {"labels": labels, "counted": wording.counted, "several": wording.several}
    made.filters |= {
        "number": wording.number,
        "printed": wording.printed,
        "interval": wording.interval,
        "duration": wording.duration,
        "factor": wording.factor,
        "settings": wording.settings,
        "shorten": wording.shorten,
        "styled": escape,
    }
    return made


@dataclass(frozen=True)
class Table:
    """Data as CSV, within a link."""

    name: str
    text: str

    @property
    def link(self) -> str:
        """The data as an address that needs nothing but itself."""
        return "data:text/csv;base64," + base64.b64encode(self.text.encode()).decode()

    @property
    def file(self) -> str:
        """A name for the file."""
        kept = "".join(c if c.isalnum() else "-" for c in self.name.lower())
        return f"{'-'.join(filter(None, kept.split('-')))}.csv"


def table(name: str, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> Table:
    """Rows as CSV, numbers in six digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([f"{x:.6g}" if isinstance(x, float) else x for x in row] for row in rows)
    return Table(name, text.getvalue())


@dataclass(frozen=True)
class Chart:
    """A figure with its words, and with the data that it shows.

    Attributes:
        name: of its own in the page.
        title: what a reader who does not see it is told.
        draw: makes the figure.
        caption, note: below it.
        table: the data.
    """

    name: str
    title: str
    draw: Callable[[], Figure]
    caption: str = ""
    note: str = ""
    table: Table | None = None

    @cached_property
    def picture(self) -> Markup:
        """The figure as SVG."""
        return inline(self.draw, self.name, self.title)
