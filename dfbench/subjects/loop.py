"""Somebody's sampler: a whole loop in a function, a class or an object, certified as it runs.

What is not declared is read from a run (`conventions`): what keeps the books is proposed, said, and
can be declared.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dfbench.errors import NotAffine, SubjectError, Unsupported, Unusable
from dfbench.levels import Grid
from dfbench.outcome import Finding
from dfbench.readout import Reading
from dfbench.samplers.method import Traits
from dfbench.subjects.contract import Sampler
from dfbench.subjects.entry import Entry
from dfbench.subjects.facts import Facts
from dfbench.subjects.loop_read import BEGIN, OWN, LoopRead
from dfbench.subjects.loop_session import LoopSession
from dfbench.subjects.nearest import nearest
from dfbench.table import Difference


class LoopSampler(LoopRead):
    """A loop as a subject.

    Args:
        thing: the function, class or object.
        name: what it is called in reports.
        config, call: arguments of the constructor and of the call, beside those with a role.
        claims: what its owner declares.
        library, version: where it comes from.
        always: arguments that it is called with whatever its user gives.

    Raises:
        Unusable: nobody says what an argument is, or it does not run at all.

    Attributes:
        entry: how it is called.
        facts: its conventions.
        arrays: what it computes with; `gives`: what came out of the last run.
        counted: it is told the number of steps, or the grid.
        begin: of the steps, what is left out of every run.
    """

    def __init__(
        self,
        thing: Any,
        name: str,
        config: dict[str, Any] | None = None,
        call: dict[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
        library: str = "",
        version: str = "",
        always: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(config, call)
        self.always = dict(always or {})
        self.thing, self.name, self.library, self.version = thing, name, library, version
        self._claimed = Traits(order=None, scale_invariant=False, evaluations=None)
        self._draws: bool | None = None
        self.published: tuple[str, dict[str, Any]] | None = None
        self.declare(claims or {})

    def declare(self, claims: Mapping[str, Any]) -> None:
        self.too_few = ""
        self._draws = False  # nothing runs before its conventions are known
        super().declare(claims)
        declared = self.declared
        assert declared is not None
        if not declared.given:
            self.notes = []
        given = {**declared.facts, **declared.conventions}
        if given.get("predicts") == "velocity":
            raise Unusable(f"{self.name}: a velocity is that of a flow: declare its level")
        self.facts = Facts(**given)
        self.arrays = declared.arrays or self.arrays
        self.entry = self._entered()
        self._unsaid, self.says = "start" not in given, frozenset(given)
        if self._unsaid and "state" not in self.entry.roles:
            self.facts = replace(self.facts, start="drawn")
        self.takes_generator = "generator" in self.entry.roles
        wanted: dict[str, Any] = {k: given[k] for k in ("predicts", "level") if k in given}
        self.notes = [note for note in self.notes if not note.startswith(OWN)]
        if "shape" not in given and not {"state", "shape"} & self.entry.roles:
            self._look_for_a_shape()
        if declared.arrays is None:
            self._try_arrays()
        if "roles" not in given:
            self._look_for_steps()
        if "least" not in given:
            self._look_for_few_steps()
        if "output" not in given:
            self._look_at_the_output()
        self._assume(wanted)
        self._draws = None

    def is_said_to_be(self, session: LoopSession) -> tuple[str, dict[str, Any]] | None:
        """The published method in the form that this number of steps has."""
        if self.published is None or (self.declared and self.declared.reference):
            return self.published
        return self.kept(("form", session.whole, session.grid), lambda: self._form(session))

    def _form(self, session: LoopSession) -> tuple[str, dict[str, Any]] | None:
        assert self.published is not None
        with contextlib.suppress(SubjectError, Unsupported, NotAffine, ValueError):
            grid = session.grid if session.imposed else None
            table = self.affine_reading(session.whole, grid=grid).table
            found = nearest(table, session.grid, options=self.call, method=self.published[0])
            if found:
                return found.method, dict(found.options)
        return self.published

    @property
    def channels(self) -> int | None:
        return None if self.facts.shape is None else math.prod(self.facts.shape)

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

    def session(
        self, n: int, grid: Grid | None = None, prediction: str | None = None
    ) -> LoopSession:
        if prediction not in (None, self.facts.prediction):
            raise Unsupported(f"its network returns {self.facts.predicts}, and nothing else")
        if n < self.facts.least:
            raise Unsupported(f"takes {self.facts.least} steps at least")
        skipped = round(self.begin * n)
        if self.begin and not 0 < skipped <= n - self.facts.least:
            raise Unsupported("no step can be left out")
        return LoopSession(self, n, grid, skipped)

    @property
    def grids(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(kind for kind in ("times", "sigmas") if kind in self.entry.roles)

    def on_grids(self, kind: str) -> dict[str, Sampler | str]:
        if kind not in self.grids:
            return {}
        other = copy.copy(self)
        other._kept = {}
        other.facts = replace(self.facts, bent=True)
        return {"other levels": other}

    def reproducer(self, claim: str, finding: Finding) -> str | None:
        from dfbench.subjects import loop_snippet

        return loop_snippet.reproducer(self, claim, finding)

    def coefficient_snippet(self, n: int, different: Difference, reading: Reading) -> str | None:
        from dfbench.subjects import loop_snippet

        return loop_snippet.coefficient(self, n, different, reading)

    def without_options(self) -> Sampler:
        claims = self.declared.given if self.declared else {}
        own = {k: v for k, v in claims.items() if k not in ("reference", "options")}
        return LoopSampler(
            self.thing, self.name, self.config, {}, own, self.library, self.version, self.always
        )

    def begun(self, by: str) -> Sampler:
        if by != "times" or not self.grids or not self.facts.ends:
            raise Unsupported("no run of it starts in the middle")
        other = copy.copy(self)
        other._kept, other.begin = {}, BEGIN
        return other

    def counts(self, usual: Sequence[int]) -> Sequence[int]:
        if not self.counted:
            return (self.kept("its steps", self._own_steps),)
        return [n for n in super().counts(usual) if n >= self.facts.least] or [self.facts.least]


def recognises(thing: Any, claims: Mapping[str, Any], call: dict[str, Any]) -> bool:
    """Whether something can be a loop: its arguments tell, or what is declared of them."""
    return (callable(thing) or "method" in claims) and not why_not(thing, claims, call)


def taken_for(thing: Any) -> str:
    """What a loop is taken for: its arguments by role."""
    entry = Entry(thing, "it", (getattr(thing, "dfbench", None) or {}).get("roles", {}), {}, {})
    roles = {**entry.constructor, **entry.called, **entry.put}
    return ", ".join(f"{name} is the {role}" for role, name in roles.items())


def why_not(thing: Any, claims: Mapping[str, Any], call: dict[str, Any] | None = None) -> str:
    """Why something is no loop; empty: it is one."""
    try:
        Entry(thing, "it", claims.get("roles", {}), {}, call or {}, claims.get("method", ""))
    except Unusable as error:
        return str(error)
    except Exception as error:  # what stands in for a class raises whatever it is asked
        return f"{type(error).__name__}: {error}"
    return ""
