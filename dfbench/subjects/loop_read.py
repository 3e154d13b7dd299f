"""What is read from runs of somebody's loop, where nobody says it: conventions, start, output."""

from __future__ import annotations

import contextlib
import math
import sys
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from dfbench.draws import GaussianDraws, aside
from dfbench.errors import NotAffine, SubjectError, Unsupported, Unusable
from dfbench.levels import Grid
from dfbench.samplers import METHODS
from dfbench.samplers.method import Traits
from dfbench.subjects import foreign
from dfbench.subjects.blamed import Aborted
from dfbench.subjects.contract import Sampler
from dfbench.subjects.conventions import ALIKE, ASSUMED, PROBED, Convention, Fit, fits
from dfbench.subjects.entry import Entry
from dfbench.subjects.facts import Facts
from dfbench.subjects.loop_session import LoopSession
from dfbench.subjects.nearest import ITS, NEAREST, recognised
from dfbench.subjects.network import Network
from dfbench.subjects.times import TIMES

NOISY = 3.0  # σ/α from which a run may start
BEGIN = 0.4
PROBES = 3  # samples of which the shape is looked for
COUNTS = ("timesteps", "time_steps", "ts", "t_steps", "times")  # or their number
#: What a loop may compute with, the usual first.
WHOSE: dict[foreign.Arrays, str] = {"torch": "torch's", "numpy": "NumPy's", "jax": "JAX's"}
CONTRADICTED = "what is declared keeps the books of no run; "
OWN = (ITS, NEAREST, ASSUMED, CONTRADICTED)


class LoopRead(Sampler):
    """A loop whose conventions are read from its runs; see `loop.LoopSampler`."""

    arrays: foreign.Arrays = "torch"
    gives: foreign.Arrays = "torch"
    begin = 0.0
    thing: Any
    facts: Facts
    entry: Entry
    always: dict[str, Any]
    published: tuple[str, dict[str, Any]] | None
    _claimed: Traits
    _unsaid: bool
    says: frozenset[str] = frozenset()

    @abstractmethod
    def session(
        self, n: int, grid: Grid | None = None, prediction: str | None = None
    ) -> LoopSession: ...

    def _entered(self) -> Entry:
        facts = self.facts
        call = {**self.always, **self.call}
        return Entry(self.thing, self.name, facts.roles, self.config, call, facts.method)

    @property
    def counted(self) -> bool:
        return bool({"steps", "sigmas", "times"} & self.entry.roles)

    def _assume(self, wanted: Mapping[str, Any]) -> None:
        """The convention that keeps the books best, among those that are declared."""
        own = callable(wanted.get("level"))
        found = [] if own and len(wanted) == 2 else self._tried(wanted)
        if len(wanted) < 2 and found:
            best = found[0]
            self.facts = self._following(best.convention)
            self.notes.append(self._said(best, found, wanted))
        elif len(wanted) == 2 and not own and not (found and found[0].keeps):
            others = self._tried({})
            if others and others[0].keeps:
                self.notes.append(
                    f"{CONTRADICTED}what it does is: {_in_words(others[0].convention)}"
                )
        self.forget()
        if self._unsaid and self.facts.start == "level" and abs(self._scaled() - 1) > 1e-3:
            self.facts = replace(self.facts, start="noise")
            self.notes.append(f'{ASSUMED}its start is unit noise (to declare it: start="noise")')
        self.predictions = (self.facts.prediction,)
        self.scale = self.facts.scale  # type: ignore[assignment]
        self.forget()
        self._is_published()

    def _scaled(self) -> float:
        """What the start has been multiplied by when the network is first asked."""
        for n in self.counts(PROBED):
            with contextlib.suppress(SubjectError, Unsupported, NotAffine, ValueError):
                return float(self.reading(n).table.rows[0, 0])
        return 1.0

    def _look_for_a_shape(self) -> None:
        """Of what is told how many samples it is to make, the shape of the start that it draws."""
        seen: list[tuple[int, ...]] = []

        def drawn(operation: str, out: torch.Tensor, seeded: bool) -> torch.Tensor:
            if out.ndim > 1 and len(out) == PROBES:
                seen.append(tuple(out.shape[1:]))
            return out

        def ask(state: torch.Tensor, time: float) -> torch.Tensor:
            raise Aborted

        values = {
            "model": Network(ask, (PROBES, 1)),
            "batch": PROBES,
            "steps": 10,
            "generator": torch.Generator(),
            "noise": torch.randn_like,
            "times": torch.linspace(1, 0, 11),
            "sigmas": torch.linspace(1, 0, 11),
        }
        with contextlib.suppress(Exception), aside(), torch.no_grad(), GaussianDraws(drawn, None):
            self.entry(self.entry.fresh(), values)
        if seen:
            self.facts = replace(self.facts, shape=seen[0])
            said = f"its data have the shape {seen[0]} (to declare it: shape={list(seen[0])})"
            self.notes.append(f"{ASSUMED}{said}")

    def _look_for_steps(self) -> None:
        """What is called `timesteps` may be times, or their number."""
        name = self.entry.called.get("times")
        if name not in COUNTS or self._runs():
            return
        before = self.facts, self.entry
        self.facts = replace(self.facts, roles={**self.facts.roles, "steps": name})
        with contextlib.suppress(Unusable):
            self.entry = self._entered()
            if self._runs():
                self.notes.append(f"{ASSUMED}{name} is the number of steps")
                return
        self.facts, self.entry = before

    def _try_arrays(self) -> None:
        """Where tensors of torch break it, and other arrays do not, it is for these.

        So it is where other arrays come out, although tensors of torch were handed in.
        """
        for arrays, whose in WHOSE.items():
            self.arrays, self.gives = arrays, arrays
            if (arrays != "jax" or "jax" in sys.modules) and self._runs() and self.gives == arrays:
                if arrays != "torch":
                    self.notes.append(f"{ASSUMED}it computes with {whose} arrays")
                return
        self.arrays = "torch"

    def _runs(self) -> bool:
        self.forget()
        with contextlib.suppress(SubjectError, Unsupported, ValueError):
            self.session(self.counts(PROBED)[0])
            return True
        return False

    def _look_for_few_steps(self) -> None:
        """Where a run of one step breaks, the others are judged all the same."""
        if not self.counted or self.steps:
            return
        said = ""
        for n in range(1, 5):
            self.forget()
            try:
                self.session(n)
            except (SubjectError, ValueError) as error:
                said = said or str(error)
            except Unsupported:
                return
            else:
                self.facts = replace(self.facts, least=n)
                self.too_few = said
                return

    def _look_at_the_output(self) -> None:
        """Images are often returned in [0, 1], or [0, 255]."""
        with contextlib.suppress(SubjectError, Unsupported, ValueError, TypeError):
            offset = self.reading(self.counts(PROBED)[0], amplitude=1e-6).offset
            for c, d in ((0.5, 0.5), (127.5, 127.5)):
                if abs(offset - d * 1e6) < 1e3 * d:
                    self.facts = replace(self.facts, output=(c, d))
                    said = f"{c:g} x + {d:g} (to declare it: output=[{c:g}, {d:g}])"
                    self.notes.append(f"{ASSUMED}it returns {said}")
        self.forget()

    def _following(self, convention: Convention) -> Facts:
        return replace(
            self.facts,
            predicts=convention.returns,
            level=convention.levels,
            scaled=convention.scaled,
        )

    def _said(self, best: Fit, found: Sequence[Fit], wanted: Mapping[str, Any]) -> str:
        chosen = best.convention
        said = f"{ASSUMED}{_in_words(chosen)}"
        alike = [
            fit.convention for fit in found[1:] if fit.score < best.score + ALIKE and fit.keeps
        ]
        others = dict.fromkeys(
            _in_words(c) for c in alike if (c.returns, c.levels) != (chosen.returns, chosen.levels)
        )
        if not best.keeps:
            said += ", which keeps the books of no run; no other does, and this comes nearest"
        elif others:
            said += f"; as well it might be: {'; or '.join(list(others)[:3])}"
        scaled = ", scaled=True" if chosen.scaled else ""
        line = f'predicts="{chosen.returns}", level="{chosen.levels}"{scaled}'
        return f"{said} (to declare it: {line})"

    def _tried(self, wanted: Mapping[str, Any]) -> list[Fit]:
        """The conventions, the best first; none where no run can be read."""
        before, found = self.facts, []
        self._noisy: set[Convention] = set()
        try:
            for facts, names in self._grids(wanted):
                self.facts = replace(facts, predicts="eps")
                for fit in self._fitted(wanted):
                    if fit.convention.levels in names:
                        found.append(fit)
        finally:
            self.facts = before
            self.forget()
        # of what fits alike, what starts from noise
        return sorted(found, key=lambda f: (round(f.score / 0.2), f.convention not in self._noisy))

    def _grids(self, wanted: Mapping[str, Any]) -> Iterator[tuple[Facts, set[str]]]:
        """The grids that it may be meant to be given, and the levels that go with each."""
        takes = {"sigmas", "times"} & self.entry.roles
        names = [wanted["level"]] if "level" in wanted else list(TIMES)
        names = [name for name in names if isinstance(name, str)]
        if not takes:
            yield replace(self.facts, level="nothing"), set(names)
            return
        if takes == {"sigmas"}:
            names.sort(key=lambda name: name != "sigma")
        groups: dict[tuple[float, ...], list[str]] = {}
        for name in names:
            facts = replace(self.facts, level=name)
            groups.setdefault(tuple(np.round(facts.times(10), 9)), []).append(name)
        for group in groups.values():
            yield replace(self.facts, level=group[0]), set(group)

    def _fitted(self, wanted: Mapping[str, Any]) -> list[Fit]:
        for n in self.counts(PROBED):
            self.forget()
            with contextlib.suppress(SubjectError, Unsupported, NotAffine, ValueError):
                reading = self.affine_reading(n)
                table, session = reading.table, self.session(n)
                scaled = float(table.rows[0, 0])
                if self._unsaid and scaled:  # of unit noise, perhaps
                    rows = table.rows.copy()
                    rows[:, 0] /= scaled
                    table = replace(table, rows=rows)
                stub = SimpleNamespace(
                    timesteps=[call.time for call in reading.calls],
                    config={"num_train_timesteps": self.facts.T},
                    end=self._end(session),
                )
                ways = (False, True) if "scaled" not in self.says else (self.facts.scaled,)
                found = [fit for way in ways for fit in fits(stub, table, way, wanted)]
                first = reading.calls[0].time
                found = [fit for fit in found if self._starts_so(scaled, fit.convention, first)]
                self._noisy |= {
                    fit.convention
                    for fit in found
                    if replace(self.facts, level=fit.convention.levels).at(first).ratio > NOISY
                    and not fit.convention.scaled
                }
                return found
        return []

    def _starts_so(self, scaled: float, convention: Convention, first: float) -> bool:
        """Whether the start is brought from unit noise to the first level, if it is brought."""
        if not self._unsaid or abs(scaled - 1) < 1e-6:
            return True
        level = replace(self.facts, level=convention.levels).on_its_scale(first)
        sizes = [level.sigma if convention.scale != "vp" else 1.0]
        if convention.scaled:
            sizes = [1 / math.hypot(*level), level.sigma / math.hypot(*level)]
        return any(abs(scaled - size) < 1e-3 * size for size in sizes)

    def _end(self, session: LoopSession) -> float | None:
        """The time at which the sample lands, where it is given or declared."""
        if session.times is not None and self.facts.ends:
            return float(session.times[-1])
        return self.facts.lands

    def _is_published(self) -> None:
        """The published method that it is, by its coefficients."""
        self.published = None
        assert self.declared is not None
        if self.declared.reference:
            self.published = self.declared.reference, dict(self.declared.options)
            return
        found, said = recognised(self)
        self.notes += [said] if said else []
        if found and found.same:
            self.published = found.method, dict(found.options)
            claimed = {k: v for k, v in self.declared.given.items() if k in _TRAITS}
            self._claimed = replace(METHODS[found.method].traits_of(**found.options), **claimed)

    def _own_steps(self) -> int:
        """The number of steps that nobody tells it: of its evaluations."""
        with contextlib.suppress(SubjectError, Unsupported):
            return max(1, len(self.session(1).calls))
        return 1


_TRAITS = {f.name for f in fields(Traits)}


def _in_words(convention: Convention) -> str:
    seen = ", shown states of unit variance" if convention.scaled else ""
    return f"the network returns {convention.returns}, told times {convention.levels!r}{seen}"
