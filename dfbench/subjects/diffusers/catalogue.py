"""Which configurations of a scheduler are certified, and which schedulers are not."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def catalogue() -> dict[str, Any]:
    """The tables of `catalogue.toml`."""
    text = files("dfbench.subjects.diffusers").joinpath("catalogue.toml").read_text("utf-8")
    return tomllib.loads(text)


def excluded() -> dict[str, str]:
    """Classes that cannot be certified → why."""
    found: dict[str, str] = catalogue()["excluded"]
    return found


def configurations(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(constructor arguments, call arguments) of a class, its defaults first."""
    needed = catalogue()["needed"].get(name, {})
    found = []
    for listed in ({}, *_expanded(catalogue()["configurations"].get(name, []))):
        config = {**needed, **listed}
        found.append((config, config.pop("call", {})))
    return found


def _expanded(entries: list[Any]) -> Iterator[dict[str, Any]]:
    """The configurations that a list stands for, with the groups that it names."""
    for entry in entries:
        if isinstance(entry, str):
            yield from _expanded(catalogue()["groups"][entry])
        else:
            yield entry
