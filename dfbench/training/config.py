"""A study's configuration: a TOML file, checked so that what is wrong is named.

    seed = 0
    data = { kind = "mixture", name = "ring-2d" }
    model = { kind = "mlp", width = 128 }
    pairs = "independent"            # short for { kind = "independent" }

    [objective]
    prediction = "v"
    weighting = "flow_matching"

    [levels]
    kind = "schedule"
    low = -10.0
    high = 10.0

    [loop]
    steps = 20000

A table with a `kind` names a function of one of the registries (`KINDS` of the module of its name);
its other keys are that function's keyword-only parameters (of a class, all of them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from dfbench import reading
from dfbench.errors import Unusable
from dfbench.files import write
from dfbench.predictions import Prediction
from dfbench.reading import Natural, Open, Positive, Section, Wrong, arguments
from dfbench.schedules import SCHEDULES
from dfbench.training import data, models, noise_levels, pairs
from dfbench.weightings import WEIGHTINGS

Kinds = Mapping[str, Callable[..., Any]]
Fraction = Annotated[float, Field(ge=0, lt=1)]
NotNegative = Annotated[float, Field(ge=0)]


class Chosen(Open):
    """A choice among alternatives, with the options of the chosen one."""

    kind: str

    def build(self, kinds: Kinds, where: str, *given: Any) -> Any:
        """What the kind makes of the options, after the arguments `given` by the program.

        Raises:
            Unusable: an option has a value that the kind refuses.
        """
        try:
            return kinds[self.kind](*given, **self.options)
        except (TypeError, ValueError) as error:
            raise Unusable(f"[{where}] {self.kind}: {error}") from error


def _chosen(kinds: Kinds, content: Any) -> Chosen:
    """A kind, alone or with options; those left out get their defaults."""
    table = {"kind": content} if isinstance(content, str) else content
    if isinstance(content, Chosen):
        table = {"kind": content.kind, **content.options}
    if not isinstance(table, Mapping) or not isinstance(table.get("kind"), str):
        raise Wrong(f"must be one of {', '.join(kinds)}, or a table with that as kind")
    kind = reading.one_of(table["kind"], kinds, "kind")
    checked = arguments(kinds[kind]).of({k: v for k, v in table.items() if k != "kind"})
    return Chosen(kind=kind, **{k: v for k, v in checked if v is not None})


def _of(kinds: Kinds) -> BeforeValidator:
    return BeforeValidator(partial(_chosen, kinds))


DataChosen = Annotated[Chosen, _of(data.KINDS)]
LevelsChosen = Annotated[Chosen, _of(noise_levels.KINDS)]
ModelChosen = Annotated[Chosen, _of(models.KINDS)]
PairsChosen = Annotated[Chosen, _of(pairs.KINDS)]
ScheduleChosen = Annotated[Chosen, _of(SCHEDULES)]
WeightingChosen = Annotated[Chosen, _of(WEIGHTINGS)]


class ObjectiveTable(Section):
    """What the network returns, and the loss ∫ w(λ) E|ε̂ − ε|² dλ that trains it.

    Attributes:
        prediction: what the network returns, a kind of `dfbench.predictions`.
        loss: which prediction's squared error is taken (the gradient does not depend on it);
            "score" is denoising score matching; "implicit" and "hutchinson" need no target.
        weighting: w, of `dfbench.weightings.WEIGHTINGS`.
        schedule: gives the scale of z = α x + σ ε, of `dfbench.schedules.SCHEDULES`.
    """

    prediction: Prediction = "v"
    loss: Literal["prediction", Prediction, "implicit", "hutchinson"] = "prediction"
    weighting: WeightingChosen = Chosen(kind="flow_matching")
    schedule: ScheduleChosen = Chosen(kind="flow_matching")


class Loop(Section):
    """How it is trained.

    Attributes:
        steps, batch: optimiser steps, and rows of each (of each process, where there are several).
        learning_rate: AdamW's, reached after `warmup` steps; then it falls to 0 along a half
            cosine, or stays ("constant").
        ema: decay of the averaged weights, shorter while step < ema/(1 − ema).
        clip: largest norm of the gradient; 0 for none.
        precision: "float32", "bf16" (autocast; weights stay float32), "float64".
        compile: "auto" compiles on CUDA; "on"; "off". A loss without a target is never compiled.
        normalise: the network sees z/√(α² s² + σ²), s the standard deviation of the data.
        log_every, checkpoint_every: steps; the second a multiple of the first.
    """

    steps: Positive = 10000
    batch: Positive = 1024
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    warmup: Natural = 200
    decay: Literal["cosine", "constant"] = "cosine"
    weight_decay: NotNegative = 0.0
    betas: Annotated[tuple[Fraction, Fraction], Field(strict=False)] = (0.9, 0.99)
    ema: Fraction = 0.999
    clip: NotNegative = 1.0
    precision: Literal["float32", "bf16", "float64"] = "float32"
    compile: Literal["auto", "on", "off"] = "auto"
    normalise: bool = True
    log_every: Positive = 100
    checkpoint_every: Positive = 1000

    @model_validator(mode="after")
    def _logged(self) -> Loop:
        if self.checkpoint_every % self.log_every:
            message = f"must be a multiple of log_every ({self.log_every}), got "
            raise Wrong(f"{message}{self.checkpoint_every}", "checkpoint_every")
        return self


class Config(Section):
    """A study.

    Attributes:
        source: what flows to the data, standard normal noise where None.
        claims: on trained networks, by number, that the study is held to; ("all",) for all.
        claim_steps: steps for which a variation that a claim asks for is trained.
    """

    data: DataChosen
    model: ModelChosen = Chosen(kind="mlp")
    objective: ObjectiveTable = ObjectiveTable()
    levels: LevelsChosen = Chosen(kind="schedule")
    pairs: PairsChosen = Chosen(kind="independent")
    source: DataChosen | None = None
    loop: Loop = Loop()
    seed: Natural = 0
    title: str = ""
    claims: Annotated[tuple[str, ...], Field(strict=False)] = ()
    claim_steps: Positive = 1500

    @model_validator(mode="after")
    def _scores(self) -> Config:
        asked = {self.objective.prediction, self.objective.loss}
        scores = {"score", "implicit", "hutchinson"} & asked
        if scores and not self.gaussian:
            raise Wrong(
                f"{min(scores)} needs independent Gaussian noise: with another source or coupling "
                "−E[ε|z]/σ is not the score",
                "objective",
            )
        return self

    @property
    def gaussian(self) -> bool:
        """Whether ε is standard normal and independent of x.

        Only then is E[x|z] that of the data diffused, and −E[ε|z]/σ the score.
        """
        return self.source is None and self.pairs.kind == "independent"


def parse(content: Mapping[str, Any]) -> Config:
    """The study that a table stands for.

    Raises:
        Unusable: a key is unknown or missing, or a value is not what its key takes; the message
            names the key and says what is accepted.
    """
    return Config.of(content)


def read(path: str | Path) -> Config:
    """The study in a TOML file, or a shipped one by its name.

    Raises:
        Unusable: no such file or study, not TOML, or as `parse`.
    """
    return reading.toml(str(path), shipped(), lambda content, _: parse(content))


def shipped() -> dict[str, Any]:
    """The studies that come with the package, by name."""
    return reading.shipped("dfbench.training")


def as_table(config: Config) -> dict[str, Any]:
    """The study as a table with every default written out; `parse` gives the study back."""
    return config.model_dump(mode="json", exclude_none=True)


def save(config: Config, path: str | Path) -> None:
    """Write the study as TOML."""
    import tomli_w

    write(path, tomli_w.dumps(as_table(config)))


def differences(one: Config, other: Config) -> list[str]:
    """The keys, like "loop.steps", in which two studies differ."""
    a, b = _flat(as_table(one)), _flat(as_table(other))
    return sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))


def _flat(table: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        inner = f"{where}{key}"
        found |= _flat(value, f"{inner}.") if isinstance(value, Mapping) else {inner: value}
    return found
