"""A study: samplers × schedules × grids × predictions × targets × budgets × seeds, from TOML.

    name = "mine"
    seeds = [0]                                # default 0
    samples = 2000                             # of the measures that need samples; default 2000
    metrics = ["w2", "kl"]                     # default: all that apply
    predictions = ["x"]                        # what the model returns; default x

    [budgets]                                  # one of the two, or both
    steps = [10, 20, 50]
    nfe = [10, 20, 50]                         # as many steps as stay within, counted

    [[targets]]
    kind = "power_law"                         # `dfbench list targets`
    dimension = 3072
    label = "images"                           # in the results; by default made of the rest

    [[samplers]]
    name = "ddim"                              # a reference method, `dfbench list samplers`
    options = {}
    vary = { eta = [0.0, 0.5, 1.0] }           # one sampler for each

    [[samplers]]
    name = "diffusers:DPMSolverMultistepScheduler"      # or my_file.py:NAME
    config = { algorithm_type = "sde-dpmsolver++" }     # of the constructor; call: of the call

    [[schedules]]
    name = "linear_vp"                         # `dfbench list schedules`

    [[grids]]
    name = "uniform_log_snr"                   # uniform_t, quadratic, karras, beta
    log_snr = [-8.0, 8.0]                      # ends, noise first; or t = [1.0, 0.001]

An entry without options may be its name alone: schedules = ["linear_vp", "cosine"]. Every list of
tables takes `vary`. A third party runs as released, on its own schedule and grid. Combinations are
kept few by labels: a target's `samplers`, `schedules`, `grids` and `metrics`, a sampler's
`schedules` and `grids`, a grid's `schedules`. Paths start at the study's file.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from dfbench.errors import Unusable
from dfbench.predictions import KINDS
from dfbench.sweep.entries import Entry, read
from dfbench.sweep.reading import Section, hint, one_of, refuse

DEFAULT = "quick"
STEPS, NFE = "steps", "nfe"


@dataclass(frozen=True)
class Study:
    """What a study says, checked.

    Attributes:
        budgets: pairs ("steps" or "nfe", number).
        source: the text of its file.
    """

    name: str
    title: str
    targets: tuple[Entry, ...]
    samplers: tuple[Entry, ...]
    schedules: tuple[Entry, ...]
    grids: tuple[Entry, ...]
    predictions: tuple[str, ...]
    budgets: tuple[tuple[str, int], ...]
    seeds: tuple[int, ...]
    samples: int
    metrics: tuple[str, ...]
    source: str = ""


def shipped() -> dict[str, Any]:
    """The studies that come with dfbench, by name."""
    folder = resources.files("dfbench.sweep") / "studies"
    files = sorted((file.name, file) for file in folder.iterdir())
    return {name.removesuffix(".toml"): file for name, file in files if name.endswith(".toml")}


def title_of(name: str) -> str:
    """What a shipped study is about; its samplers need not be installed."""
    return str(tomllib.loads(shipped()[name].read_text(encoding="utf-8"))["title"])


def load(source: str | Path | Mapping[str, Any] | Study = DEFAULT) -> Study:
    """The study of a TOML file, of a shipped name, or of a mapping with the same content.

    Raises:
        Unusable: not there, not TOML, or something in it is wrong: the message names the key.
    """
    if isinstance(source, Study):
        return source
    if isinstance(source, Mapping):
        return parse(source, Path(), "study", json.dumps(source, indent=1, default=str))
    known, name = shipped(), str(source)
    if name not in known and not name.endswith(".toml"):
        raise Unusable(
            f"no study {name!r}; give a .toml file, or one that is shipped: "
            f"{hint(name, known).removeprefix('accepted: ')}"
        )
    file = known.get(name, Path(name))
    where = name if name in known else file.name
    try:
        text = file.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise Unusable(f"{name}: {(error.strerror or str(error)).lower()}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Unusable(f"{where}: not TOML: {error}") from error
    try:
        return parse(content, Path(name).parent, Path(where).stem, text)
    except Unusable as error:
        raise Unusable(f"{where}: {error}") from error


def parse(content: Mapping[str, Any], base: Path, name: str, source: str = "") -> Study:
    """A study from its content.

    Args:
        base: where relative paths start.
        name: of the study, if it does not say.

    Raises:
        Unusable: something in it is wrong.
    """
    from dfbench.sweep.measures import MEASURES

    top = Section("", content)
    name = top.text("name", name)
    title = top.text("title", name)
    seeds = top.integers("seeds", 0, (0,))
    samples = top.integer("samples", 2, 2000)
    metrics = _names(top, "metrics", list(MEASURES), list(MEASURES))
    kinds = [kind for kind in KINDS if kind not in ("velocity", "edm")]
    predictions = _names(top, "predictions", ["x"], kinds)
    budgets = _budgets(Section("budgets", top.take("budgets")))
    targets, samplers = read(top, "targets", base), read(top, "samplers", base)
    own = all(sampler.third_party for sampler in samplers)
    schedules, grids = read(top, "schedules", base, own), read(top, "grids", base, own)
    top.close()
    labels = {"samplers": samplers, "schedules": schedules, "grids": grids}
    known = {key: [each.label for each in entries] for key, entries in labels.items()}
    for entry in (*targets, *samplers, *schedules, *grids):
        for key, chosen in entry.only.items():
            for label in chosen:
                one_of(f"{entry.label}: {key}", label, {**known, "metrics": metrics}[key], "label")
    return Study(
        name,
        title,
        targets,
        samplers,
        schedules,
        grids,
        predictions,
        budgets,
        seeds,
        samples,
        tuple(sorted(metrics)),
        source,
    )


def _names(top: Section, key: str, default: list[str], known: list[str]) -> tuple[str, ...]:
    given = top.several(key, default)
    found = [one_of(f"{key}[{i}]", name, known, key[:-1]) for i, name in enumerate(given)]
    return tuple(dict.fromkeys(found))


def _budgets(section: Section) -> tuple[tuple[str, int], ...]:
    found = [(kind, n) for kind in (STEPS, NFE) for n in section.integers(kind, 1, ())]
    section.close()
    if not found:
        refuse("budgets", "give steps or nfe, each a list of whole numbers")
    return tuple(found)
