"""A training loss as a subject: a function of a network and data that draws times and noise."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from dfbench.errors import SubjectError, Unsupported
from dfbench.levels import Array
from dfbench.predictions import mse_factor, weights
from dfbench.subjects.conventions import ASSUMED, RETURNS
from dfbench.subjects.entry import Entry
from dfbench.subjects.facts import Facts
from dfbench.subjects.loss_reading import ROWS, LossReading, read
from dfbench.subjects.roles import parameters
from dfbench.subjects.subject import Subject
from dfbench.subjects.times import TIMES
from dfbench.weightings import WEIGHTINGS

EXACT = 1e-4  # of the state or the target: code that computes in float32
NOISE = ("noise", "eps", "epsilon")  # what a loss calls noise that it is given


@dataclass(frozen=True, eq=False)
class Weighed:
    """The effective weighting of a loss: w of ∫ w(λ) E|ε̂ − ε|² dλ at the quantiles of its times.

    Attributes:
        lam: λ of the rows.
        weight: w(λ), the density of the times and the weight of the rows together.
        name: of the published weightings that it is proportional to; empty: of none.
        distance: largest deviation from the nearest's shape, over the middle nine tenths.
    """

    lam: Array
    weight: Array
    name: str
    distance: float


class LossSubject(Subject):
    """A loss under certification.

    Args:
        thing, name, config, call, claims: as of a loop.

    Attributes:
        facts: what its network returns and what times mean.
        kind_known: somebody says what the network is to return, or the target is that of a kind.
        weighting: of `WEIGHTINGS`, that it is declared to have; empty: nobody says.
    """

    kind = "loss"

    def __init__(
        self,
        thing: Any,
        name: str,
        config: dict[str, Any] | None = None,
        call: dict[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
        library: str = "",
        version: str = "",
    ) -> None:
        super().__init__(config, call)
        self.thing, self.name, self.library, self.version = thing, name, library, version
        self.facts, self.weighting = Facts(), ""
        self.declare(claims or {})

    def declare(self, claims: Mapping[str, Any]) -> None:
        super().declare(claims)
        assert self.declared is not None
        if not self.declared.given:
            self.notes = []
        known = {f.name for f in fields(Facts)}
        given = {**self.declared.facts, **self.declared.conventions}
        self.facts = Facts(**{k: v for k, v in given.items() if k in known})
        self.weighting = self.declared.weighting or ""
        roles = dict(self.facts.roles)
        there = parameters(self.thing)
        if "noise" not in roles and (named := [n for n in NOISE if n in there]):
            roles["noise"] = named[0]  # given beside the data, and no data itself
        self.entry = Entry(self.thing, self.name, roles, self.config, self.call)
        self.forget()
        self.notes = [note for note in self.notes if not note.startswith(ASSUMED)]
        self.says_level, self.says_kind = "level" in given, "predicts" in given
        self.kind_known = self.says_kind
        if "output" not in given:
            self._look_at_the_data()
        with contextlib.suppress(SubjectError, Unsupported):
            self._assume()

    def _look_at_the_data(self) -> None:
        """Images are often handed over in [0, 1], and brought to [−1, 1] inside."""
        with contextlib.suppress(SubjectError, Unsupported):
            if self.read().unexplained < EXACT:
                return
            plain, self.facts = self.facts, replace(self.facts, output=IMAGES)
            self.forget()
            if self.read().unexplained < EXACT:
                c, d = IMAGES
                said = f"it takes data as {c:g} x + {d:g} (to declare it: output=[{c:g}, {d:g}])"
                self.notes.append(f"{ASSUMED}{said}")
                return
            self.facts = plain
            self.forget()

    def _assume(self) -> None:
        """The level that its states have, and the target that it asks for, where nobody says."""
        reading = self.read()
        level = self.facts.level if self.says_level else self._level_of(reading)
        kind = self.facts.predicts if self.says_kind else self._kind_of(reading)
        self.kind_known = bool(kind)
        said = []
        if not self.says_level:
            said.append(f"times mean {level!r}" if level else "times mean no level that is known")
        if not self.says_kind:
            said.append(f"the network is to return {kind}" if kind else "the target is no kind")
        if said:
            self.notes.append(ASSUMED + ", ".join(said))
        self.facts = replace(
            self.facts, predicts=kind or self.facts.predicts, level=level or "nothing"
        )
        found = self.weighed()
        if found is not None:
            self.notes.append(
                f"{ASSUMED}its weighting is {found.name}"
                if found.name
                else f"{ASSUMED}its weighting is none that is published"
            )

    def read(self, seed: int = 0, quantiles: torch.Tensor | None = None) -> LossReading:
        """A reading, kept for the other checks."""
        key = seed, None if quantiles is None else tuple(quantiles.tolist())

        def made() -> LossReading:
            given = None
            if "times" in self.entry.roles:
                usual = self.facts.times(ROWS + 1)[1:-1]
                given = torch.from_numpy(np.ascontiguousarray(usual))
            run = partial(self.entry, self.entry.fresh())
            return read(run, seed, given, quantiles, self.facts.output)

        return self.kept(("reading", key), made)

    def _level_of(self, reading: LossReading) -> str:
        """The map of times that the states have; empty: none."""
        for name, known in TIMES.items():
            with contextlib.suppress(ValueError, OverflowError):
                levels = [known.at(float(t), self.facts.T) for t in reading.time]
                alpha, sigma = (
                    np.array([x.alpha for x in levels]),
                    np.array([x.sigma for x in levels]),
                )
                size = np.hypot(alpha, sigma)
                off = np.maximum(abs(reading.alpha - alpha), abs(reading.sigma - sigma)) / size
                if off.max() < EXACT:
                    return name
        return ""

    def _kind_of(self, reading: LossReading) -> str:
        """The kind of the target; empty: none."""
        for kind in (*RETURNS, "velocity"):
            with contextlib.suppress(ValueError, OverflowError):
                p, q = self.target(reading, kind)
                size = np.hypot(p, q)
                if (np.hypot(reading.p - p, reading.q - q) / size).max() < EXACT:
                    return kind
        return ""

    def target(self, reading: LossReading, kind: str = "") -> tuple[Array, Array]:
        """(p, q) of the target of a kind, or of its own, at the levels of the states.

        Raises:
            ValueError: the kind does not exist there.
        """
        kind = kind or self.facts.predicts
        return target(kind, reading.alpha, reading.sigma, self._rates(reading.time, kind))

    def _rates(self, times: Array, kind: str) -> tuple[Array, Array] | None:
        """(α̇, σ̇) by differences, of time in units of the whole; None: not needed, or unknown."""
        if kind != "velocity" or self.facts.map is None:
            return None
        scale = self.facts.T if str(self.facts.level).endswith("× T") else 1.0
        h = STEP * scale
        ends = [[self.facts.at(float(t) + d) for t in times] for d in (-h, h)]
        low, high = (np.array(levels) for levels in ends)
        rates = (high - low) / (2 * STEP)
        return rates[:, 0], rates[:, 1]

    def weighed(self) -> Weighed | None:
        """The effective weighting; None where no times are drawn, or the target is no kind's."""
        reading = self.read()
        if not self.kind_known or reading.quantile is None or self.facts.map is None:
            return None
        if reading.unexplained > EXACT:
            return None
        alpha, sigma = np.abs(reading.alpha), np.abs(reading.sigma)
        inside = (alpha > 0) & (sigma > 0) & np.isfinite(reading.weight)
        if inside.sum() < ROWS // 2:
            return None
        lam = 2 * np.log(alpha[inside] / sigma[inside])
        if not (np.diff(lam) > 0).all() and not (np.diff(lam) < 0).all():
            return None
        kind = self.facts.prediction
        rates = self._rates(reading.time, kind)
        moving = None if rates is None else (rates[0][inside], rates[1][inside])
        factor = np.asarray(mse_factor("eps", kind, alpha[inside], sigma[inside], rates=moving))
        density = np.abs(np.gradient(reading.quantile[inside], lam, edge_order=2))
        weight = reading.weight[inside] * factor * density
        middle = slice(2, -2)
        spread: dict[str, float] = {}
        for name, weighting in WEIGHTINGS.items():
            with np.errstate(divide="ignore"):
                ratio = np.log(weight[middle]) - np.log(weighting()(lam[middle]))
            spread[name] = float(np.ptp(ratio) / 2) if np.isfinite(ratio).all() else np.inf
        least = min(spread.values())
        same = [name for name, off in spread.items() if off < min(SHAPE, least + 1e-4)]
        rows = reading.weight[inside]
        if not same and np.ptp(rows) < 1e-3 * abs(rows).max():
            same = ["simple, of the times as they are drawn"]
        return Weighed(lam, weight, " or ".join(same), least)


IMAGES = (0.5, 0.5)  # of data in [−1, 1], images in [0, 1]
STEP = 1e-6  # of the time, in which rates are differences: to 1e-10 of smooth levels
#: Of the logarithm: densities are differences of quantiles of thirty-three rows.
SHAPE = 0.05


def target(
    kind: str, alpha: Array, sigma: Array, rates: tuple[Array, Array] | None = None
) -> tuple[Array, Array]:
    """(p, q) of the target p x + q ε of a kind with its sign."""
    sign = -1.0 if kind.startswith("-") else 1.0
    p, q = weights(kind.lstrip("-"), np.abs(alpha), np.abs(sigma), rates=rates)
    return sign * np.asarray(p), sign * np.asarray(q)


def recognises(thing: Any, claims: Mapping[str, Any]) -> bool:
    """Whether something is a loss: declared so, or quadratic in what the network returns."""
    if claims.get("kind") == "loss":
        return True
    try:
        entry = Entry(thing, "it", claims.get("roles", {}), {}, {})
        if {"steps", "sigmas", "shape", "batch"} & entry.roles or "state" not in entry.roles:
            return False
        times = torch.linspace(0.1, 0.9, ROWS, dtype=torch.float64)
        reading = read(lambda values: entry(entry.fresh(), values), times=times)
    except Exception:  # it is something else, or breaks: a sampler's checks say how
        return False
    # a sample is linear in what the network returns, and has no least value
    return bool((np.abs(reading.weight) > 0).all()) and reading.bent < 1e-2
