"""`dfbench.toml`: subjects whose code one does not want to touch, and what is known of them.

[[subjects]]
name = "mine"
code = "sampling/loops.py:sample"
as = "flow-up"
declare = { order = 2 }
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field

from dfbench import files
from dfbench.errors import Unusable, short
from dfbench.reading import Section, Wrong, at

FILE = "dfbench.toml"


class Listed(Section):
    """One subject.

    Attributes:
        name: what it is called.
        code: `path/to/file.py:NAME`, from the folder of the file, or `package.module:NAME`.
        profile: written `as`, one of `dfbench.subjects.profiles`.
        declare, config, call: as on the command line, which goes first.
    """

    name: str
    code: str
    profile: str | None = None
    declare: dict[str, Any] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)
    call: dict[str, Any] = Field(default_factory=dict)


def listed() -> dict[str, Listed]:
    """The subjects of `dfbench.toml` in the working directory, by name; none without a file.

    Raises:
        Unusable: the file cannot be read, or something in it is wrong.
    """
    path = Path(FILE)
    if not path.is_file():
        return {}
    found: dict[str, Listed] = {}
    with at(FILE):
        try:
            content = tomllib.loads(files.content(path, files.SETTINGS).decode("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
            raise Unusable(f"cannot be read: {error}") from error
        if unknown := {*content} - {"subjects"}:
            raise Unusable(f"no such key {min(unknown)}; accepted: subjects")
        entries = content.get("subjects", [])
        if not isinstance(entries, list):
            raise Wrong("must be a list of tables: [[subjects]]", "subjects")
        for i, entry in enumerate(entries):
            with at("subjects", i):
                if not isinstance(entry, dict):
                    raise Unusable(f"must be a table of keys and values, got {short(entry)}")
                one = Listed.of({{"as": "profile"}.get(key, key): v for key, v in entry.items()})
                if one.name in found:
                    raise Unusable(f"two subjects are called {one.name}")
                found[one.name] = one
    return found
