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

import inspect
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from importlib import resources
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from dfbench.errors import Unusable
from dfbench.files import write
from dfbench.loading import CodeName

Loss = Literal[
    "prediction",
    "eps",
    "x",
    "v",
    "u",
    "velocity",
    "score",
    "denoised",
    "edm",
    "implicit",
    "hutchinson",
]
Prediction = Literal["eps", "x", "v", "u", "velocity", "score", "denoised", "edm"]


@dataclass(frozen=True)
class Part:
    """A choice among alternatives, with the options of the chosen one."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def build(self, kinds: Mapping[str, Callable[..., Any]], where: str, *given: Any) -> Any:
        """What the kind makes of the options, after the arguments `given` by the program.

        Raises:
            Unusable: an option has a value that the kind refuses.
        """
        try:
            return kinds[self.kind](*given, **self.options)
        except (TypeError, ValueError) as error:
            raise Unusable(f"[{where}] {self.kind}: {error}") from error


@dataclass(frozen=True)
class Objective:
    """What the network returns, and the loss ∫ w(λ) E|ε̂ − ε|² dλ that trains it.

    Attributes:
        prediction: what the network returns, a kind of `dfbench.predictions`.
        loss: which prediction's squared error is taken (the gradient does not depend on it);
            "score" is denoising score matching; "implicit" and "hutchinson" need no target.
        weighting: w, of `dfbench.weightings.WEIGHTINGS`.
        schedule: gives the scale of z = α x + σ ε, of `dfbench.schedules.SCHEDULES`.
    """

    prediction: Prediction = "v"
    loss: Loss = "prediction"
    weighting: Part = Part("flow_matching")
    schedule: Part = Part("flow_matching")


@dataclass(frozen=True)
class Loop:
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

    steps: int = 10000
    batch: int = 1024
    learning_rate: float = 1e-3
    warmup: int = 200
    decay: Literal["cosine", "constant"] = "cosine"
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.99)
    ema: float = 0.999
    clip: float = 1.0
    precision: Literal["float32", "bf16", "float64"] = "float32"
    compile: Literal["auto", "on", "off"] = "auto"
    normalise: bool = True
    log_every: int = 100
    checkpoint_every: int = 1000

    def __post_init__(self) -> None:
        at_least = {"steps": 1, "batch": 1, "warmup": 0, "log_every": 1, "checkpoint_every": 1}
        for name, least in at_least.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not (0 < self.learning_rate < math.inf):
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")
        for name in ("weight_decay", "clip"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name, value in (("ema", self.ema), *(("betas", beta) for beta in self.betas)):
            if not 0 <= value < 1:
                raise ValueError(f"{name} must be in [0, 1), got {value}")
        if self.checkpoint_every % self.log_every:
            raise ValueError(
                f"checkpoint_every ({self.checkpoint_every}) must be a multiple of log_every "
                f"({self.log_every})"
            )


@dataclass(frozen=True)
class Config:
    """A study.

    Attributes:
        source: what flows to the data, standard normal noise where None.
        claims: on trained networks, by number, that the study is held to; ("all",) for all.
        claim_steps: steps for which a variation that a claim asks for is trained.
    """

    data: Part
    model: Part = Part("mlp")
    objective: Objective = Objective()
    levels: Part = Part("schedule")
    pairs: Part = Part("independent")
    source: Part | None = None
    loop: Loop = Loop()
    seed: int = 0
    title: str = ""
    claims: tuple[str, ...] = ()
    claim_steps: int = 1500

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        if self.claim_steps < 1:
            raise ValueError(f"claim_steps must be at least 1, got {self.claim_steps}")

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
    config: Config = _fill(Config, content, "")
    scores = {"score", "implicit", "hutchinson"} & {
        config.objective.prediction,
        config.objective.loss,
    }
    if scores and not config.gaussian:
        raise Unusable(
            f"[objective] {min(scores)} needs independent Gaussian noise: with another source or "
            "coupling −E[ε|z]/σ is not the score"
        )
    return config


def read(path: str | Path) -> Config:
    """The study in a TOML file, or a shipped one by its name.

    Raises:
        Unusable: no such file or study, not TOML, or as `parse`.
    """
    file = Path(path)
    if str(path) in shipped():
        text = (resources.files("dfbench.training") / "studies" / f"{path}.toml").read_text("utf-8")
    else:
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            names = ", ".join(shipped())
            reason = (error.strerror or "cannot be read").lower()
            raise Unusable(f"{path}: {reason}; the shipped studies are {names}") from error
        except UnicodeDecodeError as error:
            raise Unusable(f"{path}: not UTF-8 text") from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unusable(f"{path}: not TOML: {error}") from error
    try:
        return parse(content)
    except Unusable as error:
        raise Unusable(f"{path}: {error}") from error


def shipped() -> list[str]:
    """Names of the studies that come with the package."""
    folder = resources.files("dfbench.training") / "studies"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name[-5:] == ".toml")


def as_table(config: Config) -> dict[str, Any]:
    """The study as a table with every default written out; `parse` gives the study back."""
    return {key: value for key, value in _plain(config).items() if value is not None}


def save(config: Config, path: str | Path) -> None:
    """Write the study as TOML."""
    import tomli_w

    write(path, tomli_w.dumps(as_table(config)))


def differences(one: Config, other: Config) -> list[str]:
    """The keys, like "loop.steps", in which two studies differ."""
    a, b = _flat(as_table(one)), _flat(as_table(other))
    return sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))


# Checking -----------------------------------------------------------------------------------------


def _kinds(name: str) -> Mapping[str, Callable[..., Any]]:
    """The alternatives of a part."""
    if name == "weighting":
        from dfbench.weightings import WEIGHTINGS

        return WEIGHTINGS
    if name == "schedule":
        from dfbench.schedules import SCHEDULES

        return SCHEDULES
    from dfbench.training import data, models, noise_levels, pairs

    modules = {"data": data, "source": data, "model": models, "levels": noise_levels}
    found: Mapping[str, Callable[..., Any]] = getattr(modules.get(name, pairs), "KINDS")  # noqa: B009
    return found


def _fill(cls: type, content: Any, where: str) -> Any:
    """A dataclass from a table."""
    if not isinstance(content, Mapping):
        raise Unusable(f"{where} must be a table, got {content!r}")
    hints = get_type_hints(cls)
    names = [each.name for each in fields(cls)]
    _known(content, names, where)
    for each in fields(cls):
        if each.name not in content and each.default is MISSING and each.default_factory is MISSING:
            raise Unusable(f"{_key(where, each.name)} is missing")
    values = {}
    for each in fields(cls):
        given = content.get(each.name)
        if given is None and hints[each.name] in (Part, Objective, Loop):
            # what is left out gets its defaults filled in the same way
            given = each.default.kind if isinstance(each.default, Part) else {}
        if given is not None:
            values[each.name] = _value(given, hints[each.name], _key(where, each.name))
    try:
        return cls(**values)
    except ValueError as error:
        raise Unusable(f"[{where}] {error}" if where else str(error)) from error


def _part(content: Any, where: str) -> Part:
    """A kind and its options."""
    name = where.rpartition(".")[2]
    kinds = _kinds(name)
    if isinstance(content, str):
        content = {"kind": content}
    if not isinstance(content, Mapping) or not isinstance(content.get("kind"), str):
        raise Unusable(f"{where} must be one of {', '.join(kinds)}, or a table with that as kind")
    kind = content["kind"]
    if kind not in kinds:
        raise Unusable(f"{where}: no kind {kind!r}; accepted are {', '.join(kinds)}")
    function = kinds[kind]
    hints = get_type_hints(function if not inspect.isclass(function) else function.__init__)
    parameters = list(inspect.signature(function).parameters.values())
    if not inspect.isclass(function):
        parameters = [p for p in parameters if p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
    free = [p for p in parameters if p.kind is p.VAR_KEYWORD]
    named = {p.name: p for p in parameters if p.kind is not p.VAR_KEYWORD}
    given = {key: value for key, value in content.items() if key != "kind"}
    if not free:
        _known(given, list(named), where, kind)
    for name, parameter in named.items():
        if parameter.default is parameter.empty and name not in given:
            raise Unusable(f"{_key(where, name)} is missing: {kind} needs it")
    options = {
        key: _value(value, hints.get(key, Any), _key(where, key)) if key in named else value
        for key, value in given.items()
    }
    defaults = {k: p.default for k, p in named.items() if p.default not in (p.empty, None)}
    return Part(kind, defaults | options)


def _value(value: Any, hint: Any, where: str) -> Any:
    """A value of the type that is asked for."""
    if hint is Any:
        return value
    if get_origin(hint) in (Union, UnionType):
        hint = next(each for each in get_args(hint) if each is not NoneType)
    if hint is Part:
        return _part(value, where)
    if hint in (Objective, Loop):
        return _fill(hint, value, where)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            accepted = ", ".join(map(repr, get_args(hint)))
            raise Unusable(f"{where} must be one of {accepted}, got {value!r}")
        return value
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        many = len(kinds) == 2 and kinds[1] is Ellipsis
        if not isinstance(value, list | tuple) or not (many or len(value) == len(kinds)):
            count = "" if many else f"{len(kinds)} "
            what = "strings" if kinds[0] is str else "numbers"
            raise Unusable(f"{where} must be an array of {count}{what}, got {value!r}")
        inner = [kinds[0]] * len(value) if many else kinds
        return tuple(_value(v, k, where) for v, k in zip(value, inner, strict=True))
    if hint in (Path, CodeName):
        return _located(value, hint, where)
    names = {int: "an integer", float: "a number", str: "a string", bool: "true or false"}
    right = isinstance(value, hint) or (hint is float and isinstance(value, int))
    if not right or (isinstance(value, bool) and hint is not bool):
        raise Unusable(f"{where} must be {names.get(hint, hint)}, got {value!r}")
    return float(value) if hint is float else value


def _located(value: Any, hint: Any, where: str) -> Any:
    """A path that does not depend on where the study is run again, alone or before `:NAME`."""
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str):
        raise Unusable(f"{where} must be a string, got {value!r}")
    if hint is Path:
        return Path(value).expanduser().resolve()
    file, _, name = value.rpartition(":")
    return f"{Path(file).expanduser().resolve()}:{name}" if file.endswith(".py") else value


def _known(given: Mapping[str, Any], names: list[str], where: str, kind: str = "") -> None:
    for key in given:
        if key not in names:
            accepted = ", ".join(names) or "nothing"
            of = f" for {kind}" if kind else ""
            raise Unusable(f"unknown key {_key(where, key)}; accepted{of}: {accepted}")


def _key(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return {"kind": value.kind} | {k: _plain(v) for k, v in value.options.items()}
    if isinstance(value, Config | Objective | Loop):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _flat(table: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        inner = _key(where, key)
        found |= _flat(value, inner) if isinstance(value, Mapping) else {inner: value}
    return found
