"""A scheduler that nobody knows, certified by what it does: see `conventions`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dfbench.errors import NotAffine, SubjectError, Unsupported
from dfbench.levels import Level
from dfbench.readout import Call, Reading
from dfbench.samplers import METHODS
from dfbench.samplers.method import Traits
from dfbench.subjects.alike import duplicate
from dfbench.subjects.conventions import (
    ALIKE,
    ASSUMED,
    PROBED,
    TIMES,
    Convention,
    Fit,
    fits,
    training_steps,
)
from dfbench.subjects.diffusers.driven import given_by_role, places
from dfbench.subjects.diffusers.sampler import Published, SchedulerSampler
from dfbench.subjects.diffusers.scheduler_levels import SchedulerLevels, angle_gap
from dfbench.subjects.diffusers.session import SchedulerSession, quiet
from dfbench.subjects.nearest import ITS, NEAREST, Nearest, nearest, recognised
from dfbench.subjects.protocols import previewed, stepped

AWKWARD = (7, 3)  # step counts which divide no number of training steps
UNREAD = Convention("nothing", "nothing", "eps")  # of the run on which conventions are tried
FLOAT32 = 2.0**-24


class ObservedLevels(SchedulerLevels):
    """Levels by a convention, which a subclass has."""

    convention: Convention = UNREAD
    time_derivation = "the angle atan(σ/α), to half a step where times are whole training steps"

    def __init__(self, scheduler: Any) -> None:
        super().__init__(scheduler)
        self.scale = self.convention.scale
        self.landed_scale = "ve" if self.convention.scaled else self.scale
        self.times_known = bool(self.convention.told)

    @property
    def time_tolerance(self) -> float:  # type: ignore[override]
        return self._half_a_step if self.convention.told and self._whole else 1e-6

    def calls(self) -> tuple[Call, ...]:
        pairs = len(self.times) > self._steps
        twin = type(self)(duplicate(self.s))  # `add_noise` may change what it belongs to
        return tuple(
            Call(time, twin._told(i, time), twin.own(i, time), i // 2 if pairs else i)
            for i, time in enumerate(map(float, self.times))
        )

    @property
    def _steps(self) -> int:
        """The number of steps asked for, as far as the scheduler keeps it."""
        for name in ("num_inference_steps", "n", "num_steps", "steps"):
            if isinstance(found := getattr(self.s, name, None), int) and found > 0:
                return found
        times = [float(t) for t in self.times]
        twice = any(a == b for a, b in zip(times[1::2], times[2::2], strict=False))
        return (len(times) + 1) // 2 if twice else len(times)

    def own(self, i: int, time: float) -> Level:
        return self.convention.level(self.convention.levels, self.s, time, i)

    def told(self, time: float) -> Level:
        """Only by calls: what a time means may hang on which it is."""
        return UNREAD.level("nothing", self.s, time, 0)

    def _told(self, i: int, time: float) -> Level:
        name = self.convention.told or self.convention.levels
        return self.convention.level(name, self.s, time, i)

    @property
    def final(self) -> Level:
        return self.convention.landed(self.s)

    @property
    def cleanest(self) -> float:
        """That of the first training step, where the sample is said to land there."""
        trained = self.convention.final in ("final_alpha_cumprod", "first")
        return self.final.ratio if trained else 0.0

    @property
    def noisiest(self) -> float:
        return math.inf

    def precision(self, level: Level) -> tuple[float, float]:
        """1 − σ, 1 − ᾱ, or λ in float32; or what lies in half a training step."""
        if self.convention.rounded:
            half = 0.5 / training_steps(self.s) / FLOAT32
            return half / max(level.alpha, 1e-9), half / max(level.sigma, 1e-9)
        if self.scale == "flow":
            return 1 / max(level.alpha, 1e-9), 1 / max(level.sigma, 1e-9)
        if self.scale == "ve" or level.sigma == 0:
            return 1.0, 1.0
        return 1.0, 1 + level.alpha**2 / (2 * level.sigma**2)

    def gap(self, told: Level, own: Level) -> float:
        return angle_gap(told, own)

    @property
    def _whole(self) -> bool:
        return all(float(t) == int(t) for t in self.times) and len(self.times) > 2

    @cached_property
    def _half_a_step(self) -> float:
        """Half the largest angle between the levels of a time and the next whole one."""
        found = [1e-6]
        twin = type(self)(duplicate(self.s))
        for i, t in enumerate(map(float, self.times)):
            with contextlib.suppress(Exception):
                here = twin._told(i, t)
                found += [angle_gap(here, twin._told(i, t + d)) / 2 for d in (-1, 1)]
        return max(found)


class Observed(SchedulerSampler):
    """A scheduler that nobody knows.

    What its times mean and what its network returns is what keeps the books of a run; what its
    owner declares goes before. Whether it draws noise the read-out tells.

    Attributes:
        convention: the one that is assumed, and said.
        nearest: the published method that comes nearest; where it is the same, `published`.
        keeps: the convention keeps the books of a run.
    """

    keeps = False
    level_class: type[SchedulerLevels] = ObservedLevels
    convention = UNREAD
    fixed = "no way is known to give it levels of one's own"
    also = None
    nearest: Nearest | None = None
    _draws: bool | None = None  # seen in the read-out; None: not looked yet

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._assume({})

    def prediction(self) -> str:
        return self.convention.prediction

    def other_predictions(self) -> dict[str, str]:
        return {}

    def declare(self, claims: Mapping[str, Any]) -> None:
        if {"stochastic", "reference"} & {*claims}:
            self._draws = False
        super().declare(claims)
        assert self.declared is not None
        if wanted := self.declared.conventions:
            self._assume(wanted)
        if self.declared.reference:  # which is held to in place of what was read
            self.notes = [note for note in self.notes if not note.startswith((NEAREST, ITS))]

    def _assume(self, wanted: Mapping[str, str]) -> None:
        """The convention that keeps the books best, among those that are declared."""
        self.forget()
        self.notes = [note for note in self.notes if not note.startswith((ASSUMED, NEAREST, ITS))]
        found = self._tried(wanted)
        best = found[0] if found else Fit(_as_wanted(wanted), np.ones(1))
        chosen, self.keeps = best.convention, bool(found) and best.keeps
        # of a few steps times are often whole as they are
        again = self._tried(wanted, AWKWARD)
        other = next((fit for fit in again if fit.convention == chosen), best)
        between = bool(found) and chosen.scale == "flow" and other.within_half_a_step
        between = between and self._whole_times()
        if between:
            chosen = replace(chosen, rounded=True)
        alike = [fit.convention for fit in found if fit.score < best.score + ALIKE]
        told = [c.told for c in alike if c.told and c.returns == chosen.returns]
        if not chosen.told and told:
            chosen = replace(chosen, told=told[0])
        self.convention = chosen
        self.level_class = type("Levels", (ObservedLevels,), {"convention": chosen})
        self.predictions, self.scale = (chosen.prediction,), chosen.scale
        others = {c.returns: c for c in alike if best.keeps and c.returns != chosen.returns}
        said = f"{ASSUMED}{chosen}"
        if between:
            said += "; its times are rounded to whole training steps, and states lie between them"
        elif not best.keeps:
            said += ", which keeps the books of no run; no other does, and this comes nearest"
        elif others:
            said += f"; as well it might be that the network returns {', '.join(others)}"
        if len(wanted) < 2:
            said += f" (to declare it: dfbench = {chosen.declaration})"
        self.notes.append(said)
        self.forget()
        self._is_published()

    def _is_published(self) -> None:
        """The published method that it is, by its coefficients."""
        self.published, self.options = "", {}
        self.nearest, said = recognised(self)
        self.notes += [said] if said else []
        if self.nearest and self.nearest.same:
            self.published = self.nearest.method
            # with the η that was asked for, whichever it takes
            asked = {k: v for k, v in self.call.items() if k in self.nearest.options}
            self.options = self.nearest.options | asked
            self._claimed = METHODS[self.published].traits_of(**self.options)

    def method(
        self, settings: dict[str, Any], session: SchedulerSession | None
    ) -> Published | None:
        if not self.published or session is None:
            return (self.published, self.options) if self.published else None
        return self.kept(("form", session.n, session.first), lambda: self._form(session))

    def _form(self, session: SchedulerSession) -> Published:
        """The published method in the form that this number of steps has: last steps may differ."""
        with contextlib.suppress(SubjectError, Unsupported, NotAffine, ValueError):
            table = self.affine_reading(session.n).table
            found = nearest(table, session.grid, options=self.call, method=self.published)
            if found:
                asked = {k: v for k, v in self.call.items() if k in found.options}
                return found.method, found.options | asked
        return self.published, self.options

    def _whole_times(self) -> bool:
        """Whether times are whole training steps, and not 0 and 1."""
        with contextlib.suppress(SubjectError, Unsupported, ValueError):
            times = [float(t) for t in self.session(self.counts(AWKWARD)[0]).levels.times]
            return all(t == int(t) for t in times) and max(times) > 1
        return False

    def _tried(self, wanted: Mapping[str, str], counts: Sequence[int] = PROBED) -> list[Fit]:
        """The conventions, the best first; none where no run can be read."""
        self.convention, self.level_class = UNREAD, ObservedLevels
        self.forget()
        for n in self.counts(counts):
            try:
                session = self.session(n)
                scaled = abs(session._enter - 1) > 1e-6
                with contextlib.suppress(NotAffine):
                    table = self.affine_reading(n).table
                    return fits(session.scheduler, table, scaled, wanted)
            except (SubjectError, Unsupported, ValueError):
                continue
        return []

    def unknown_traits(self) -> Traits:
        return Traits(order=None, scale_invariant=False, evaluations=None)

    # What the read-out tells ---------------------------------------------------------------------

    @property
    def traits(self) -> Traits:
        if self._draws is None:
            self._draws = False  # also where the run breaks, which is another claim's to tell
            with contextlib.suppress(Exception):
                reading: Reading = self.reading(self.counts((10,))[0])
                self._draws = bool(np.abs(reading.table.C).max(initial=0.0) > 0)
        return replace(self._claimed, stochastic=self._claimed.stochastic or self._draws)

    @traits.setter
    def traits(self, claimed: Traits) -> None:
        self._claimed = claimed

    def sign(self, n: int) -> str | None:
        """A script calls `step` as most are called, and takes `prev_sample` of what it returns."""
        session, out = self.session(n), None
        x = torch.zeros((1, 1, 1, 1), dtype=torch.float64)
        if places(session.scheduler.step) != (0, 1, 2):
            return None
        with contextlib.suppress(Exception), quiet():
            out = session.scheduler.step(x, session.levels.times[0], x, **self.step_options)
        if not hasattr(out, "prev_sample"):
            return None
        return "-" if self.convention.returns.startswith("-") else ""

    def output(self, session: SchedulerSession, m: Tensor, i: int) -> Tensor:
        return -m if self.convention.returns.startswith("-") else m

    def step(self, session: SchedulerSession, i: int, m: Tensor, x: Tensor) -> Tensor:
        given = {"generator": session.generator} if self.takes_generator else {}
        args = given_by_role(session.scheduler.step, (m, session.times[i], x))
        out = session.scheduler.step(*args, **self.step_options, **given)
        session.preview = previewed(out)
        return stepped(out)


def _as_wanted(wanted: Mapping[str, str]) -> Convention:
    """What is declared, and no more."""
    level = wanted.get("level", UNREAD.levels)
    told = level if level in (*TIMES, UNREAD.levels) else ""
    return Convention(level, told, wanted.get("predicts", UNREAD.returns))
