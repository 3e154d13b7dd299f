"""What there is to certify, and to certify with."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from importlib import import_module
from inspect import signature
from typing import Any

from dfbench.bibliography import WORKS, expanded

Rows = list[dict[str, Any]]


def catalogue(kind: str) -> Rows:
    """The entries of a kind, each with its name and what is known of it; empty if none exist."""
    if kind == "subjects":
        from dfbench.subjects import libraries

        return [
            {"library": library, "name": name}
            for library, names in libraries().items()
            for name in names
        ]
    if kind == "claims":
        from dfbench.checks import CLAIMS

        return [
            {
                "name": each.id,
                "kind": each.kind,
                "statement": each.statement,
                "source": expanded(each.source),
                "measured": each.formula,
                "if it fails": each.remedy,
            }
            for each in CLAIMS.values()
        ]
    if kind == "sources":
        return [
            {"name": key, "what": f"{work.authors}, {work.title}, {work.year}", "link": work.link}
            for key, work in WORKS.items()
        ]
    if kind == "profiles":
        from dfbench.subjects.profiles import PROFILES

        return [{"name": name, "what": words} for name, (words, _) in PROFILES.items()]
    if kind == "samplers":
        from dfbench.samplers import METHODS

        return [_sampler(method) for method in METHODS.values()]
    if kind in ("targets", "grids", "metrics", "studies"):
        return _sweep(kind)
    return _registry(f"dfbench.{kind}", kind.upper())


def _sampler(method: Any) -> dict[str, Any]:
    traits = method.traits_of()
    return {
        "name": method.name,
        "source": method.source,
        "order": traits.order,
        "traits": {key: value for key, value in asdict(traits).items() if key != "order"},
        "options": method.defaults,
    }


def _sweep(kind: str) -> Rows:
    """What a study can name, and the studies that are shipped."""
    from dfbench.sweep import laws, measures, spacing

    if kind == "metrics":
        known = ("name", "what", "unit", "exact", "source")
        return [{key: getattr(each, key) for key in known} for each in measures.MEASURES.values()]
    if kind == "studies":
        return _studies()
    entries: Any = laws.TARGETS if kind == "targets" else spacing.GRIDS
    return [
        {"name": name, **_described(each), "options": _options(each)}
        for name, each in entries.items()
    ]


def _studies() -> list[dict[str, Any]]:
    """Those that are shipped, of `dfbench bench` and of `dfbench train`."""
    from dfbench.sweep import study
    from dfbench.training import config

    of_bench = [{"name": name, "what": study.title_of(name)} for name in study.shipped()]
    of_train = [{"name": name, "what": config.read(name).title} for name in config.shipped()]
    return [{**each, "command": f"dfbench bench {each['name']}"} for each in of_bench] + [
        {**each, "command": f"dfbench train {each['name']}"} for each in of_train
    ]


def _options(function: Any) -> dict[str, Any]:
    """Its parameters with their defaults, or that there is none."""
    return {
        name: "required" if p.default is p.empty else p.default
        for name, p in signature(function).parameters.items()
        if name not in ("schedule", "n", "ends")
    }


def _registry(module: str, name: str) -> Rows:
    """The entries of a module's dictionary of that name; none where there is no such thing."""
    try:
        entries = getattr(import_module(module), name, {})
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return []
    return [{"name": key, **_described(value)} for key, value in entries.items()]


def _described(entry: Any) -> dict[str, Any]:
    """The first line of the documentation, and the source where one is named."""
    kind = entry if isinstance(entry, type) or callable(entry) else type(entry)
    generated = is_dataclass(kind) and (kind.__doc__ or "").startswith(f"{kind.__name__}(")
    lines = [] if generated else (kind.__doc__ or "").strip().splitlines()
    source = getattr(entry, "source", None)
    return {"what": lines[0].strip() if lines else ""} | (
        {"source": expanded(source)} if source else {}
    )
