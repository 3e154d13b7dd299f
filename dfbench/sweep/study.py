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
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, model_validator

from dfbench import reading
from dfbench.predictions import KINDS
from dfbench.reading import Distinct, Natural, Section, Text, Wrong, at, one_of
from dfbench.sweep.entries import (
    Entry,
    WrittenGrid,
    WrittenSampler,
    WrittenSchedule,
    WrittenTarget,
    read,
)

DEFAULT = "quick"
STEPS, NFE = "steps", "nfe"
PREDICTIONS = [kind for kind in KINDS if kind not in ("velocity", "edm")]


def _measures() -> tuple[str, ...]:
    from dfbench.sweep.measures import MEASURES

    return tuple(MEASURES)


def _metrics(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(_known(names, _measures(), "metric")))


def _known(names: tuple[str, ...], known: Collection[str], what: str) -> tuple[str, ...]:
    for i, name in enumerate(names):
        with at(i):
            one_of(name, known, what)
    return names


Spent = Annotated[int, Field(ge=1, le=10_000)]


class Budgets(Section):
    """What each run may spend: steps taken, evaluations at most, or one after the other."""

    steps: Distinct[Spent] | None = None
    nfe: Distinct[Spent] | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.pairs:
            raise Wrong("give steps or nfe, each a list of whole numbers")
        return self

    @property
    def pairs(self) -> list[tuple[str, int]]:
        """Each as ("steps" or "nfe", number)."""
        return [(kind, n) for kind in (STEPS, NFE) for n in getattr(self, kind) or ()]


class Study(Section):
    """What a study says, checked.

    Attributes:
        predictions: what the model returns, each tried.
        schedules, grids: may be missing where every sampler is a third party's.
        samples: of the measures that need samples.
        metrics: all that apply, where none is named.
    """

    name: Text
    title: Text
    seeds: Distinct[Natural] = (0,)
    samples: int = Field(2000, ge=2, le=10_000_000)
    metrics: Annotated[Distinct[str], AfterValidator(_metrics)] = Field(default_factory=_measures)
    predictions: Annotated[
        Distinct[str], AfterValidator(partial(_known, known=PREDICTIONS, what="prediction"))
    ] = ("x",)
    budgets: Budgets
    targets: Annotated[tuple[Entry, ...], BeforeValidator(partial(read, WrittenTarget))]
    samplers: Annotated[tuple[Entry, ...], BeforeValidator(partial(read, WrittenSampler))]
    schedules: Annotated[tuple[Entry, ...], BeforeValidator(partial(read, WrittenSchedule))] = ()
    grids: Annotated[tuple[Entry, ...], BeforeValidator(partial(read, WrittenGrid))] = ()
    _source: str = PrivateAttr("")

    @property
    def source(self) -> str:
        """The text of its file."""
        return self._source

    @model_validator(mode="after")
    def _complete(self) -> Self:
        own = all(sampler.third_party for sampler in self.samplers)
        for key in (
            ("targets", "samplers") if own else ("targets", "samplers", "schedules", "grids")
        ):
            if not getattr(self, key):
                raise Wrong("is missing or empty", key)
        return self

    @model_validator(mode="after")
    def _labels(self) -> Self:
        lists = (self.targets, self.samplers, self.schedules, self.grids)
        for entry in (entry for entries in lists for entry in entries):
            for key, chosen in entry.only.items():
                known = [getattr(each, "label", each) for each in getattr(self, key)]
                for label in chosen:
                    with at(f"{entry.label}: {key}"):
                        one_of(label, known, "label")
        return self


def shipped() -> dict[str, Any]:
    """The studies that come with dfbench, by name."""
    return reading.shipped("dfbench.sweep")


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
    path = Path(source)
    return reading.toml(
        str(source), shipped(), lambda content, text: parse(content, path.parent, path.stem, text)
    )


def parse(content: Mapping[str, Any], base: Path, name: str, source: str = "") -> Study:
    """A study from its content.

    Args:
        base: where relative paths start.
        name: of the study, if it does not say.

    Raises:
        Unusable: something in it is wrong.
    """
    named = {"name": name, **content}
    study = Study.of({"title": named["name"], **named}, base=base)
    study._source = source
    return study
