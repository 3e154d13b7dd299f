"""A coupling as a subject: which noise is paired with which data, and the path between them.

Every random number is made again from a seed, so that two runs pair alike; times that are drawn are
prescribed, and the noise of a bridge is known. A run at each end of the path then shows the rows
that are paired, and runs beside each other its derivative.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dfbench.draws import preserved_random_state
from dfbench.errors import SubjectError, Unsupported
from dfbench.levels import Array
from dfbench.subjects.blamed import blamed
from dfbench.subjects.conventions import ASSUMED
from dfbench.subjects.foreign import given, kind_of, tensor
from dfbench.subjects.function import FunctionSubject, arguments
from dfbench.subjects.loss_reading import Draws

Indices = NDArray[np.intp]
Rows = tuple[torch.Tensor, torch.Tensor]

METHODS = ("sample_location_and_conditional_flow", "sample_plan", "couple", "pair", "sample")
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "x0": ("x0", "x_0", "z0", "noise", "source", "src", "eps", "z", "prior", "a"),
    "x1": ("x1", "x_1", "z1", "data", "target", "x", "images", "batch", "dst", "b"),
    "time": ("t", "time", "times"),
    "generator": ("generator", "rng", "gen"),
}
COUNT = 6  # rows: all their permutations can be tried
SHAPE = (2, 4)  # of a row: no size of a batch
NEAR = 1e-4  # of a row's size: float32, and a path that starts at t = 1e-5


@dataclass(frozen=True, eq=False)
class Made:
    """What a coupling makes of a batch.

    Attributes:
        first, second: the rows that are paired, as they come out; None where it gives a path.
        time, state, rate: of the path, and the target; None where it gives pairs.
        plan: weights of all pairs, where it gives these instead.
    """

    first: torch.Tensor | None = None
    second: torch.Tensor | None = None
    time: torch.Tensor | None = None
    state: torch.Tensor | None = None
    rate: torch.Tensor | None = None
    plan: Array | None = None


class CouplingSubject(FunctionSubject):
    """A coupling under certification.

    Attributes:
        plan: "optimal" for the squared distance, "entropic" with `reg`, "independent"; empty:
            nobody says.
    """

    kind = "coupling"

    def settle(self) -> None:
        assert self.declared is not None
        method = self.declared.method or next(
            (n for n in METHODS if callable(getattr(self.thing, n, None))), ""
        )
        self.method = "" if callable(self.thing) and not self.declared.method else method
        self.callee: Any = getattr(self.thing, self.method) if self.method else self.thing
        self.roles = arguments(
            self.callee, ARGUMENTS, self.declared.roles or {}, self.call, ("x1",), self.name
        )
        self.plan, self.reg = self.declared.plan or "", self.declared.reg or 0.0
        self.arrays = self.declared.arrays or "torch"
        self.shape = self.declared.shape or SHAPE
        if self.declared.shape is None:
            with contextlib.suppress(SubjectError):
                self._look_at_the_shape()
        if not self.plan:
            with contextlib.suppress(SubjectError, Unsupported):
                self._assume()

    def _look_at_the_shape(self) -> None:
        """Some take vectors alone."""
        try:
            self.run(*batch(0, shape=SHAPE))
        except SubjectError:
            flat = (SHAPE[0] * SHAPE[1],)
            self.run(*batch(0, shape=flat))
            self.shape = flat
            self.notes.append(f"{ASSUMED}it takes vectors, (n, d)")

    def _assume(self) -> None:
        """The plan, where nobody says."""
        drawn = [(batch, self.pairs(batch)) for batch in self.batches()]
        words = ""
        if all((i == j).all() for _, (i, j) in drawn):
            self.plan, words = "independent", "rows as they come"
        elif all((optimal(*batch)[i] == j).all() for batch, (i, j) in drawn):
            self.plan, words = "optimal", "rows with the least Σ|x₁ − x₀|²"
        if words:
            declare = f"(to declare it: plan={self.plan!r})"
            self.notes.append(f"{ASSUMED}it pairs {words} {declare}")

    def batches(self, count: int = 8) -> list[Rows]:
        """Batches of six rows."""
        return self.kept("batches", lambda: [batch(k, shape=self.shape) for k in range(count)])

    # runs -----------------------------------------------------------------------------------------

    def run(
        self,
        x0: torch.Tensor,
        x1: torch.Tensor,
        time: torch.Tensor | None = None,
        noise: torch.Tensor | None = None,
        seed: int = 0,
        prescribed: bool = True,
    ) -> Made:
        """A run on a batch.

        Args:
            x0, x1: noise and data, (n, …).
            time: (n,), in place of the ones it draws.
            noise: of a bridge, in place of the noise it draws; None: none.
            prescribed: whether the draws are ours, and not its own.

        Raises:
            SubjectError: it breaks, or returns nothing that is known.
        """
        times = torch.full((len(x0),), 0.5, dtype=x0.dtype) if time is None else time
        values = {
            "x0": given(x0.clone(), self.arrays),
            "x1": given(x1.clone(), self.arrays),
            "time": given(times.clone(), self.arrays),
            "generator": torch.Generator().manual_seed(seed)
            if self.arrays == "torch"
            else np.random.default_rng(seed),
        }
        called = {name: values[role] for role, name in self.roles.items()}
        drawn = torch.zeros_like(x0) if noise is None else noise
        draws = Draws(times.double(), drawn if "x0" in self.roles else x0)
        watched = draws if prescribed else contextlib.nullcontext()
        with blamed("the coupling"), preserved_random_state(), torch.no_grad(), watched:
            before = random.getstate()
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            random.seed(seed)
            try:
                out = self.callee(**called, **self.call)
            finally:
                random.setstate(before)
        self.timed = draws.timed or "time" in self.roles
        return self._made(out, x0, x1, times)

    def _made(self, out: Any, x0: torch.Tensor, x1: torch.Tensor, times: torch.Tensor) -> Made:
        n = len(x0)
        named = {key: _part(out, names) for key, names in PARTS.items()}
        if named["state"] is not None and named["rate"] is not None:
            told = times if named["time"] is None else named["time"]
            return _path(told, named["state"], named["rate"])
        if _is_plan(out, n):
            return Made(plan=tensor(out).double().numpy())
        if (one := _indices(out, n)) is not None:
            return Made(x0, x1[torch.from_numpy(one)])
        if not isinstance(out, tuple | list):
            raise SubjectError(f"returns {type(out).__name__}, and no pairs")
        first, second = (_indices(each, n) for each in (*out, None, None)[:2])
        if first is not None and second is not None:
            return Made(x0[torch.from_numpy(first)], x1[torch.from_numpy(second)])
        arrays = [each for each in out if kind_of(each) is not None]
        wide = [tensor(each) for each in arrays if each.shape == x1.shape]
        flat = [tensor(each) for each in arrays if each.shape != x1.shape and _flat(each, n)]
        if len(wide) < 2:
            shapes = [tuple(getattr(each, "shape", ())) for each in out]
            raise SubjectError(f"returns shapes {shapes} for rows of {tuple(x1.shape)}")
        if flat and flat[0].is_floating_point():
            return _path(flat[0], wide[0], wide[1])
        if "time" in self.roles:
            return _path(times, wide[0], wide[1])
        return Made(wide[0], wide[1])

    def ends(self, batch: Rows, seed: int = 0) -> Rows:
        """The rows of x0 and of x1 that are paired, as they come out.

        Raises:
            Unsupported: it is a plan, or draws times that cannot be prescribed.
        """
        if not self.kept("path", lambda: self.run(*batch, seed=seed).state is not None):
            made = self.run(*batch, seed=seed)
            if made.first is None or made.second is None:
                raise Unsupported("it gives a plan, and draws no pairs")
            return made.first, made.second
        if not self.timed:
            raise Unsupported("it draws no time for each row")
        found = []
        for end in (0.0, 1.0):
            time = torch.full((len(batch[0]),), end, dtype=batch[0].dtype)
            state = self.run(*batch, time=time, seed=seed).state
            assert state is not None
            found.append(state)
        if distance(found[0], batch[0]) > NEAR >= distance(found[0], batch[1]):
            found.reverse()  # time 0 is data
        return found[0], found[1]

    def pairs(self, batch: Rows, seed: int = 0) -> tuple[Indices, Indices]:
        """Which rows of x0 and of x1 are paired: those next to what comes out."""
        first, second = self.ends(batch, seed)
        return nearest(first, batch[0]), nearest(second, batch[1])


PARTS = {
    "time": ("t", "time"),
    "state": ("x_t", "xt", "state"),
    "rate": ("dx_t", "ut", "u_t", "velocity", "target"),
}


def _part(out: Any, names: tuple[str, ...]) -> Any:
    if isinstance(out, Mapping):
        return next((out[n] for n in names if n in out), None)
    if isinstance(out, torch.Tensor | np.ndarray):
        return None
    return next((getattr(out, n) for n in names if kind_of(getattr(out, n, None))), None)


def _path(time: Any, state: Any, rate: Any) -> Made:
    return Made(time=tensor(time).reshape(-1), state=tensor(state), rate=tensor(rate))


def _flat(value: Any, n: int) -> bool:
    return bool(value.shape[:1] == (n,) and np.prod(value.shape) == n)


def _indices(value: Any, n: int) -> Indices | None:
    """n whole numbers that say which rows."""
    if isinstance(value, list) and len(value) == n and all(isinstance(v, int) for v in value):
        return np.array(value)
    if kind_of(value) is None or tuple(value.shape) != (n,):
        return None
    found = tensor(value)
    return None if found.is_floating_point() else np.asarray(found.numpy(), dtype=np.intp)


def _is_plan(out: Any, n: int) -> bool:
    return kind_of(out) is not None and tuple(out.shape) == (n, n)


def batch(
    seed: int, n: int = COUNT, shape: tuple[int, ...] = SHAPE, dtype: torch.dtype = torch.float64
) -> Rows:
    """Noise, and data of other scales along each axis and another mean, (n, …)."""
    source = torch.Generator().manual_seed(seed)
    x0, x1 = torch.randn((2, n, *shape), generator=source, dtype=torch.float64)
    scale = torch.linspace(0.5, 2.0, x1[0].numel(), dtype=torch.float64).reshape(shape)
    return x0.to(dtype), (0.3 + scale * x1).to(dtype)


def costs(x0: torch.Tensor, x1: torch.Tensor) -> Array:
    """|x1[j] − x0[i]|², (n, n)."""
    a, b = (x.double().reshape(len(x), -1).numpy() for x in (x0, x1))
    return np.asarray(((a[:, None] - b[None]) ** 2).sum(-1))


def best(cost: Array) -> Indices:
    """The permutation of least cost, of all of them."""
    rows = np.arange(len(cost))
    return np.array(min(permutations(rows), key=lambda p: cost[rows, list(p)].sum()))


def optimal(x0: torch.Tensor, x1: torch.Tensor) -> Indices:
    """The permutation with the least Σ|x1[p[i]] − x0[i]|²."""
    return best(costs(x0, x1))


def nearest(made: torch.Tensor, rows: torch.Tensor) -> Indices:
    return np.asarray(costs(made, rows).argmin(axis=1))


def distance(made: torch.Tensor, rows: torch.Tensor) -> float:
    """The largest distance of what came out to the row that is next to it, of a row's size."""
    away = np.sqrt(costs(made, rows).min(axis=1))
    return float(away.max() / np.sqrt((rows.double() ** 2).mean().item() * rows[0].numel()))


def recognises(thing: Any) -> bool:
    """Whether something is an object that samples a path between pairs, or pairs of a plan."""
    return any(callable(getattr(thing, name, None)) for name in METHODS[:2])
