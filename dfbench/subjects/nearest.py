"""The published method whose table is nearest to a table that was read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from dfbench.errors import NotAffine, SubjectError, Unsupported
from dfbench.levels import Grid
from dfbench.samplers import METHODS
from dfbench.subjects.contract import Reference, Sampler
from dfbench.subjects.conventions import PROBED
from dfbench.table import Table

NEGLIGIBLE = 4e-6  # a draw of less weight is none: tables in float32
ETAS = (0.5, 1.0)
ITS = "nobody says which method it is; it is held to "
NEAREST = "it is no published method that is known; the nearest is "
ALIKE = 1e-4  # methods that differ by less from what is kept in float32 are told apart by no one


@dataclass(frozen=True)
class Nearest:
    """A method, and how far its coefficients are from those read, at most.

    Attributes:
        distance: largest difference of a coefficient, of the size of the state; where both use the
            same evaluations and draws.
    """

    method: str
    options: dict[str, Any]
    distance: float

    @property
    def same(self) -> bool:
        """Whether it is the method."""
        return self.distance < ALIKE

    def __str__(self) -> str:
        options = ", ".join(f"{key}={_short(value)}" for key, value in self.options.items())
        return f"{self.method}({options})"


def _short(value: Any) -> str:
    """As code, where it fits a line."""
    return "[…]" if isinstance(value, list | tuple) and len(value) > 3 else repr(value)


@cache
def candidates(stochastic: bool) -> tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]:
    """Methods and the options in which they are used; of those that agree, the plainer first."""

    def made() -> Iterator[tuple[str, dict[str, Any]]]:
        multistep: list[dict[str, Any]] = [
            {"order": order, "solver_type": kind, "lower_order_final": low}
            for order in (2, 3)
            for kind in ("midpoint", "heun")
            for low in (False, True)
            if order == 2 or kind == "midpoint"
        ]
        if stochastic:
            for eta in ETAS[::-1]:
                yield "ddim", {"eta": eta}
                yield "euler_ancestral", {"eta": eta}
                yield "dpm2_ancestral", {"eta": eta}
                yield "dpmpp_2s_ancestral", {"eta": eta}
                yield "flow_ancestral", {"eta": eta}
                yield "reverse_sde", {"eta": eta}
                yield "exponential_sde", {"eta": eta}
            yield "ddpm", {}
            yield "ddpm", {"variance": "beta"}
            yield "lcm", {}
            yield "tcd", {}
            yield "dpmpp_sde", {"brownian": False}
            yield "interpolant_sde", {}
            for name in ("sde_dpm_solver", "sde_dpm_solver_pp"):
                yield from ((name, {"order": 1}), *((name, options) for options in multistep))
            yield "sa_solver", {}
            return
        for name in ("ddim", "euler", "heun", "rk4", "dpm2", "flow_matching", "velocity", "edm"):
            yield name, {}
        for solver in ("heun", "midpoint", "rk4"):
            yield "flow_matching", {"solver": solver}
        for solver in ("heun", "heun3", "rk4", "three-eighths"):  # the network is asked at σ = 0
            yield "flow_matching", {"solver": solver, "to_the_end": True}
        for name in ("dpm_solver_multistep", "dpm_solver_pp_multistep"):
            yield from ((name, options) for options in multistep)
        for name in ("dpm_solver", "dpm_solver_pp", "deis", "lms", "ipndm", "unipc"):
            yield from ((name, {"order": order}) for order in (2, 3))
        for name in ("lms", "ipndm"):
            yield name, {"order": 4}
        yield "pndm", {}

    return tuple((name, tuple(options.items())) for name, options in made())


def nearest(
    table: Table, grid: Grid, *, options: dict[str, Any] | None = None, method: str = ""
) -> Nearest | None:
    """The nearest of the published methods on the same levels; None: none is at all alike.

    Args:
        table: as it was read, its levels those of its evaluations.
        grid: of the steps.
        options: of the sampling call, whose η is tried too.
        method: only this one, in all its forms; empty: any.
    """
    read = table.normal_draws(NEGLIGIBLE)
    best: Nearest | None = None
    tried = list(candidates(read.n_draws > 0))
    if (eta := (options or {}).get("eta")) is not None and eta not in ETAS:
        tried.insert(0, ("ddim", (("eta", eta),)))
    for name, given in tried:
        if method and name != method:
            continue
        own = dict(given)
        try:
            reference = Reference(METHODS[name], grid, table.prediction, table.sigma_data, own)
            with np.errstate(all="ignore"):  # what exists on no such levels is no candidate
                expected = reference.table.normal_draws(NEGLIGIBLE)
                if (expected.nfe, expected.n_draws) != (read.nfe, read.n_draws):
                    continue
                distance = float(np.max(read.gaps(expected)))
        except (ValueError, ZeroDivisionError, ArithmeticError, Unsupported):
            continue  # it does not exist on these levels, or with this prediction
        if not np.isfinite(distance):
            continue
        if best is None or distance < best.distance * (1 - 1e-3) - 1e-12:
            best = Nearest(name, own, distance)
    return best


def recognised(subject: Sampler) -> tuple[Nearest | None, str]:
    """The method nearest to the first run that can be read, and what is said of it."""
    for n in subject.counts(PROBED):
        with suppress(SubjectError, Unsupported, NotAffine, ValueError):
            table, session = subject.affine_reading(n).table, subject.session(n)
            found = nearest(table, session.grid, options=subject.call)
            if found is None:
                return None, ""
            if found.same:
                return found, f"{ITS}{found}, by its coefficients in {n} steps"
            off = f"off by {found.distance:.2g} of the state in {n} steps"
            return found, f"{NEAREST}{found}, {off}"
    return None, ""


def identified(subject: Sampler) -> dict[str, Any]:
    """The published method that a run's coefficients are nearest to, and how far; nothing: none.

    Of methods alike it is the one that the subject is held to. With keys "method", "distance" (of
    the state's size) and "steps".
    """
    steps = subject.counts((10,))[0]
    try:
        table, session = subject.affine_reading(steps).table, subject.session(steps)
        found = nearest(table, session.grid, options=subject.call)
        held = _distance(table, session.reference())
    except (SubjectError, Unsupported, NotAffine, ArithmeticError, ValueError):
        return {}
    if held is not None and (found is None or held.distance <= max(found.distance, ALIKE)):
        found = held
    if found is None:
        return {}
    return {"method": str(found), "distance": found.distance, "steps": steps}


def _distance(table: Table, reference: Reference | None) -> Nearest | None:
    """How far a table is from that of the method it is held to; None: they are of other shapes."""
    if reference is None:
        return None
    read, expected = table.normal_draws(NEGLIGIBLE), reference.table.normal_draws(NEGLIGIBLE)
    if (expected.nfe, expected.n_draws) != (read.nfe, read.n_draws):
        return None
    distance = float(np.max(read.gaps(expected)))
    return Nearest(reference.method.name, reference.options, distance)
