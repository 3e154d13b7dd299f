"""A conversion of predictions as a subject: from what a network returns, and its state, to another.

Every conversion is target = c_z z + c_m m with two numbers of the level, which are read from the
function by a fit to random states and predictions.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np
import torch

from dfbench.errors import SubjectError, Unsupported, Unusable
from dfbench.levels import Array
from dfbench.predictions import affine
from dfbench.subjects.blamed import blamed
from dfbench.subjects.conventions import ASSUMED
from dfbench.subjects.facts import Facts
from dfbench.subjects.function import FunctionSubject, arguments
from dfbench.subjects.mixture_network import rates as rates_of
from dfbench.subjects.times import TIMES

EPS = ("eps", "epsilon", "noise", "eps_pred", "pred_eps", "noise_pred", "pred_noise", "eps_hat")
DATA = ("x0", "x_0", "x_start", "denoised", "x0_pred", "pred_x0", "x_1", "pred_x_start", "x_hat")
#: What people call a prediction → its kind.
CALLED: dict[str, str] = {
    **dict.fromkeys((*EPS, "eps_theta"), "eps"),
    **dict.fromkeys((*DATA, "x", "sample", "data", "start", "clean", "target", "denoiser"), "x"),
    **dict.fromkeys(("v", "v_pred", "v_prediction", "pred_v", "v_hat"), "v"),
    **dict.fromkeys(("u", "flow", "flow_prediction"), "u"),
    **dict.fromkeys(("velocity", "vel", "u_t", "drift"), "velocity"),
    **dict.fromkeys(("score", "score_pred", "scores"), "score"),
}
_OUTPUT = ("m", "model_output", "output", "out", "pred", "prediction", "model_out", "model_pred")
_STATE = ("z", "x_t", "xt", "z_t", "zt", "sample", "latents", "noisy", "state", "noisy_sample")
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "state": (*_STATE, "x"),
    "prediction": (*_OUTPUT, *(n for n in CALLED if n not in ("x", "sample", "target"))),
    "alpha": ("alpha", "alpha_t", "a", "a_t", "sqrt_alpha_bar", "sqrt_alpha_prod"),
    "sigma": ("sigma", "sigma_t", "s", "s_t", "std", "sqrt_one_minus_alpha_bar"),
    "alpha_bar": ("alpha_bar", "abar", "a_bar", "alphas_cumprod", "alpha_prod_t", "alpha_cumprod"),
    "time": ("t", "time", "timestep", "timesteps", "step"),
    "source": ("source", "src", "from_type", "source_type", "from_kind", "prediction_type"),
    "target": ("target", "dst", "to_type", "target_type", "to_kind", "to"),
}
#: A prediction that is scaled by nothing but the level, and those that ask for a scale of it.
GENERAL = ("eps", "x", "score")
ASKED = ("eps", "x", "v", "u", "score")
COUNT = 9  # levels at which the numbers are read: no size of a data point
SHAPE = (2, 3, 4)
LEVELS = np.linspace(0.06, 0.94, COUNT)  # of a quarter turn, from data to noise


@dataclass(frozen=True)
class Case:
    """One pair of kinds that a function converts between.

    Attributes:
        source, target: kinds of `dfbench.predictions`.
        part: of what it returns, where it returns several.
        given: what it is called with for this pair, beside states and levels.
    """

    source: str
    target: str
    part: int | str | None = None
    given: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"


@dataclass(frozen=True, eq=False)
class Read:
    """The numbers of a conversion at some levels.

    Attributes:
        c_z, c_m: of target = c_z z + c_m m.
        rest: the largest part that is no such sum, of the larger of the two terms.
    """

    c_z: Array
    c_m: Array
    rest: Array


class ConversionSubject(FunctionSubject):
    """A conversion under certification.

    Attributes:
        facts: what its times mean, if it is given a time.
        cases: the pairs of kinds that it converts between.
    """

    kind = "conversion"

    def settle(self) -> None:
        assert self.declared is not None
        known = {f.name for f in fields(Facts)}
        given = {**self.declared.facts, **self.declared.conventions}
        self.facts = Facts(**{k: v for k, v in given.items() if k in known})
        self.roles = arguments(
            self.thing,
            ARGUMENTS,
            self.declared.roles or {},
            self.call,
            ("prediction", "state"),
            self.name,
        )
        if not {"alpha", "sigma", "alpha_bar", "time"} & {*self.roles}:
            raise Unusable(f"{self.name}: no argument of it says the level or the time")
        self.source = self.declared.predicts or CALLED.get(self.roles["prediction"].lower(), "")
        self.target = self.declared.gives or ""
        named = _named(self.name)
        if not self.declared.predicts and named[0]:
            self.source = named[0]
        self.target = self.target or named[1]
        self.says_level = "level" in given or "time" not in self.roles
        self.cases: tuple[Case, ...] = ()
        with contextlib.suppress(SubjectError, Unsupported):
            self.cases = self._cases()

    # what it converts -----------------------------------------------------------------------------

    def _cases(self) -> tuple[Case, ...]:
        if {"source", "target"} <= {*self.roles}:
            found = self._any_pairs()
            words = ", ".join(dict.fromkeys(c.source for c in found))
            self.notes.append(f"{ASSUMED}it converts between {words}")
            return found
        return tuple(self._of_part(part) for part in self._parts())

    def _any_pairs(self) -> tuple[Case, ...]:
        """The pairs of kinds of a function that is told which."""
        words: dict[str, str] = {}
        for kind in ASKED:
            for word in (kind, *(w for w, k in CALLED.items() if k == kind)):
                case = Case(kind, kind, given=(("source", word), ("target", word)))
                with contextlib.suppress(SubjectError):
                    self.convert(case, *self._inputs(case))
                    words[kind] = word
                    break
        found = [
            Case(a, b, given=(("source", words[a]), ("target", words[b])))
            for a in words
            for b in words
            if a != b
        ]
        if not found:
            raise SubjectError("takes none of the names of kinds that people use")
        return tuple(found)

    def _parts(self) -> list[int | str | None]:
        """What it returns: one prediction, or several by position or name."""
        case = Case(self.source or "eps", self.target or "x")
        given, error = self.facts, None
        for facts in [given] if self.says_level else self._every_level():
            self.facts = facts
            try:
                out = self._called(case, *self._inputs(case))
                break
            except SubjectError as raised:
                error = error or raised
        else:
            assert error is not None
            raise error
        self.facts = given
        if isinstance(out, torch.Tensor):
            return [None]
        if isinstance(out, tuple | list) and not hasattr(out, "_fields"):
            return [*range(len(out))]
        own = getattr(out, "_fields", None) or getattr(out, "__dict__", {})
        known = [n for n in (out if isinstance(out, Mapping) else own) if n.lower() in CALLED]
        if not known:
            raise SubjectError(f"returns {type(out).__name__}, and no prediction")
        return [*known]

    def _of_part(self, part: int | str | None) -> Case:
        """The pair of kinds that one of its results is: the first that fits, else the nearest."""
        named = CALLED.get(part.lower(), "") if isinstance(part, str) else self.target
        sources = [self.source] if self.source else [*ASKED, "velocity"]
        targets = [named] if named else [*ASKED, "velocity"]
        found: list[tuple[float, Case, Facts]] = []
        for facts in [self.facts] if self.says_level else self._every_level():
            self.facts = facts
            for a, b in product(sources, targets):
                if a != b:
                    case = Case(a, b, part)
                    with contextlib.suppress(ValueError, OverflowError, SubjectError, Unsupported):
                        found.append((float(self.off(case, *self.levels(case)).max()), case, facts))
        fitting = [each for each in found if each[0] < FITS]
        sure = bool(self.source and named)
        if not found or not (fitting or sure):
            raise Unsupported("nobody says which kinds it converts: declare `predicts` and `gives`")
        off, case, self.facts = fitting[0] if fitting else min(found, key=lambda each: each[0])
        said = [] if sure else [f"converts {' or '.join(_pairs(fitting, self.facts))}"]
        if not self.says_level and off < FITS:
            maps = dict.fromkeys(str(f.level) for _, c, f in fitting if c == case)
            said.append(f"is told times that mean {' or '.join(map(repr, maps))}")
        if said:
            declare = "(to declare it: predicts=…, gives=…, level=…)"
            self.notes.append(f"{ASSUMED}it {', and '.join(said)} {declare}")
            self.notes = list(dict.fromkeys(self.notes))
        return case

    def _every_level(self) -> list[Facts]:
        return [replace(self.facts, level=name) for name in TIMES]

    # levels ---------------------------------------------------------------------------------------

    def levels(self, case: Case, at: Array = LEVELS) -> tuple[Array, Array, Array]:
        """Times, α and σ, on a scale on which the kinds are what people take them for.

        Where it is told α and σ, ε, x and the score have to be right on any scale; v is read on
        variance-preserving levels, u and velocities on those of the straight path.
        """
        if "time" in self.roles:
            known = self.facts.map
            if known is None:
                raise Unsupported("nobody says what its times mean: declare `level`")
            times = self._times(at)
            found = np.array([self.facts.at(float(t)) for t in times])
            return times, found[:, 0], found[:, 1]
        angle = at * math.pi / 2
        alpha, sigma = np.cos(angle), np.sin(angle)
        kinds = {case.source, case.target}
        if kinds & {"u", "velocity"}:
            alpha, sigma = 1 - at, at
        elif not {"alpha", "sigma"} <= {*self.roles} and "alpha_bar" not in self.roles:
            if "v" not in kinds and "sigma" in self.roles:
                alpha, sigma = np.ones_like(at), np.tan(angle)
        elif "v" not in kinds and {"alpha", "sigma"} <= {*self.roles}:
            alpha, sigma = 0.9 * alpha, 1.3 * sigma
        return at, alpha, sigma

    def _times(self, at: Array) -> Array:
        known = self.facts.map
        assert known is not None
        if known.clean is not None and known.noisy is not None:
            whole = self.facts.T if str(self.facts.level).endswith("× T") else 1.0
            return np.asarray(whole * (known.clean + (known.noisy - known.clean) * at))
        if known.time is None:
            return np.asarray(np.round((self.facts.T - 1) * at))
        return np.array([known.time(math.tan(a * math.pi / 2), self.facts.T) for a in at])

    def exact(self, case: Case, times: Array, alpha: Array, sigma: Array) -> tuple[Array, Array]:
        """(c_z, c_m) as they are to be.

        Raises:
            ValueError: the source does not determine the target there.
        """
        rates = None
        if "velocity" in (case.source, case.target):
            rates = (-np.ones_like(alpha), np.ones_like(alpha))
            if "time" in self.roles:
                rates = rates_of(self.facts, times)
        c_z, c_m = affine(
            case.source.lstrip("-"), case.target.lstrip("-"), alpha, sigma, rates=rates
        )
        target = -1.0 if case.target.startswith("-") else 1.0
        source = -1.0 if case.source.startswith("-") else 1.0
        return target * np.asarray(c_z), target * source * np.asarray(c_m)

    # the function ---------------------------------------------------------------------------------

    def _inputs(
        self,
        case: Case,
        at: Array = LEVELS,
        shape: tuple[int, ...] = SHAPE,
        dtype: torch.dtype = torch.float64,
    ) -> tuple[Any, ...]:
        source = torch.Generator().manual_seed(self.seed)
        z, m = torch.randn((2, len(at), *shape), generator=source, dtype=torch.float64).to(dtype)
        return z, m, *self.levels(case, at)

    def convert(
        self, case: Case, z: torch.Tensor, m: torch.Tensor, times: Array, alpha: Array, sigma: Array
    ) -> torch.Tensor:
        """What it makes of states and predictions, a row a level.

        Raises:
            SubjectError: it breaks, or returns something else.
        """
        out = self._called(case, z, m, times, alpha, sigma)
        if case.part is not None:
            with blamed("what it returns"):
                out = _part(out, case.part)
        if not isinstance(out, torch.Tensor) or out.shape != z.shape:
            got = tuple(getattr(out, "shape", ())) or type(out).__name__
            raise SubjectError(f"returns {got} for states of shape {tuple(z.shape)}")
        return out

    @property
    def form(self) -> str:
        """How it takes the levels of rows: "rows", one each; "columns", in a shape that broadcasts
        against the states; "numbers", one for all."""
        return str(self.kept("form", lambda: ""))

    def _called(
        self, case: Case, z: torch.Tensor, m: torch.Tensor, times: Array, alpha: Array, sigma: Array
    ) -> Any:
        forms = [self.form] if self.form else ["rows", "whole rows", "columns", "numbers"]
        error: SubjectError | None = None
        for form in forms:
            try:
                out = self._in_form(form, case, z, m, times, alpha, sigma)
            except SubjectError as raised:
                error = error or raised
                continue
            if not self.form:
                self._kept["form"] = form
            return out
        assert error is not None
        raise error

    def _in_form(
        self,
        form: str,
        case: Case,
        z: torch.Tensor,
        m: torch.Tensor,
        times: Array,
        alpha: Array,
        sigma: Array,
    ) -> Any:
        told = {"time": times, "alpha": alpha, "sigma": sigma, "alpha_bar": alpha**2}
        levels = {role: told[role] for role in told if role in self.roles}
        chosen = {self.roles[role]: word for role, word in case.given}
        names = self.roles["state"], self.roles["prediction"]

        def call(z: torch.Tensor, m: torch.Tensor, levels: Mapping[str, Any]) -> Any:
            given = {self.roles[role]: value for role, value in levels.items()}
            with blamed("it"), torch.no_grad():
                values = {names[0]: z, names[1]: m, **given, **chosen, **self.call}
                return _by_place(self.thing, values)

        if form == "numbers":
            rows = [
                call(z[j : j + 1], m[j : j + 1], {r: float(v[j]) for r, v in levels.items()})
                for j in range(len(z))
            ]
            return _joined(rows)
        kept = {r: torch.tensor(v, dtype=z.dtype) for r, v in levels.items()}
        if form == "whole rows":
            if "time" not in kept or (times != np.round(times)).any():
                raise SubjectError("its times are no training steps")
            kept["time"] = kept["time"].long()
        if form == "columns":
            kept = {r: v.reshape(-1, *[1] * (z.ndim - 1)) for r, v in kept.items()}
        out = call(z, m, kept)
        if isinstance(out, torch.Tensor) and out.shape != z.shape:
            raise SubjectError(f"returns shape {tuple(out.shape)} for {tuple(z.shape)}")
        return out

    def read(self, case: Case, at: Array = LEVELS) -> Read:
        """The two numbers at levels, in float64."""
        z, m, *level = self._inputs(case, at)
        out = self.convert(case, z, m, *level).double()
        columns = torch.stack([z.reshape(len(at), -1), m.reshape(len(at), -1)], -1)
        rows = out.reshape(len(at), -1)
        if not bool(rows.isfinite().all()):
            nothing = np.full(len(at), math.nan)
            return Read(nothing, nothing, np.full(len(at), math.inf))
        found = torch.linalg.lstsq(columns, rows[..., None]).solution[..., 0]
        terms = (columns * found[:, None]).abs().amax((1, 2)).clamp(min=1e-300)
        rest = (rows - (columns * found[:, None]).sum(-1)).abs().amax(1) / terms
        return Read(found[:, 0].numpy(), found[:, 1].numpy(), rest.numpy())

    def off(self, case: Case, times: Array, alpha: Array, sigma: Array) -> Array:
        """How far its numbers are from the exact ones at the usual levels, of their size."""
        read = self.read(case)
        c_z, c_m = self.exact(case, times, alpha, sigma)
        size = np.hypot(c_z, c_m)
        return np.asarray(np.maximum(np.hypot(read.c_z - c_z, read.c_m - c_m) / size, read.rest))


FITS = 1e-4  # of the numbers: code that computes in float32, tables among it


def _named(name: str) -> tuple[str, str]:
    """Source and target in a function's name: `eps_to_x0`, `v2eps`, `x0_from_noise`."""
    plain = name.rpartition(":")[2].rpartition(".")[2].lower().strip("_")
    words = "|".join(sorted(map(re.escape, CALLED), key=len, reverse=True))
    if found := re.search(rf"(?:^|_)({words})_?(?:to|2)_?({words})(?:$|_)", plain):
        return CALLED[found[1]], CALLED[found[2]]
    if found := re.search(rf"(?:^|_)({words})_from_({words})(?:$|_)", plain):
        return CALLED[found[2]], CALLED[found[1]]
    return "", ""


def _pairs(found: list[tuple[float, Case, Facts]], facts: Facts) -> list[str]:
    """The pairs that fit alike at one meaning of the times."""
    return list(dict.fromkeys(str(case) for _, case, each in found if each is facts))


def _part(out: Any, part: int | str) -> Any:
    if isinstance(part, int) or isinstance(out, Mapping):
        return out[part]
    return getattr(out, part)


def _joined(rows: list[Any]) -> Any:
    """What came of one row at a time, together."""
    first = rows[0]
    if isinstance(first, torch.Tensor):
        return torch.cat(rows)
    if isinstance(first, Mapping):
        return {name: torch.cat([row[name] for row in rows]) for name in first}
    if isinstance(first, tuple | list):
        return [torch.cat([row[k] for row in rows]) for k in range(len(first))]
    return first


def _by_place(thing: Any, values: Mapping[str, Any]) -> Any:
    """Called with arguments by name, those that have none by place."""
    values, first = dict(values), []
    with contextlib.suppress(TypeError, ValueError):
        for name, p in inspect.signature(thing).parameters.items():
            if p.kind is p.POSITIONAL_ONLY and name in values:
                first.append(values.pop(name))
    return thing(*first, **values)


def recognises(thing: Any, claims: Mapping[str, Any]) -> bool:
    """Whether something is a conversion: declared so, or its name says from what to what."""
    if claims.get("kind") is not None:
        return bool(claims["kind"] == "conversion")
    name = getattr(thing, "__name__", "")
    return inspect.isroutine(thing) and all(_named(name))
