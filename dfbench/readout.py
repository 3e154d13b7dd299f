"""Read the table out of a sampler that is known only as code that runs on torch tensors.

One batched run: a row for each input that the sampler is linear in (the initial state, every
model output, every Gaussian draw), with that input 1 and all others 0. What the sampler does to
the rows *is* its table. A few more rows hold random combinations of all inputs; superposition on
them proves that the sampler is affine, or shows where it is not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from dfbench.draws import GaussianDraws, brownian_paths, preserved_random_state, watched
from dfbench.errors import SubjectError
from dfbench.levels import Array, Grid, Level, grid_of
from dfbench.samplers.method import brownian_covariance
from dfbench.table import Table

AFFINE = 1e-9  # superposition to this, relative to the sum of the terms: float64 with σ up to 1e4
PROBES = 4  # rows of random combinations
SEED = 20_100_612  # of the generator handed to samplers; no one else's by accident


@dataclass(frozen=True)
class Call:
    """One model evaluation, as the sampler's code presents it.

    Attributes:
        time: the time argument that the network receives.
        told: the level which that time means to a network trained on the schedule.
        own: the level at which the sampler's own tables put the state it passes.
        step: the step to which the evaluation belongs, from 0.
    """

    time: float
    told: Level
    own: Level
    step: int


CalledModel = Callable[[torch.Tensor, Call], torch.Tensor]
"""A model as the code under certification calls it: (state, call) → output, of one shape."""


class Readable(Protocol):
    """One run of a sampler, ready to go: fixed steps, fixed levels, fresh state.

    Attributes:
        n: steps.
        prediction: what the model must return, a kind of `dfbench.predictions`.
        sigma_data: σ_data of the "edm" prediction, else None.
        grid: the N + 1 levels of the steps, on the scale that the network sees; the last is the
            level the sampler declares to land at, on the scale of the sample.
    """

    n: int
    prediction: str
    sigma_data: float | None
    grid: Grid

    def __call__(
        self, model: CalledModel, z: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Run from state z, of shape (rows, …) at the level of the first evaluation."""
        ...


@dataclass(frozen=True)
class Draw:
    """One Gaussian draw that the sampler made.

    Attributes:
        operation: the torch operation, or "brownian" for an increment of a Brownian path.
        shape, dtype: of the tensor drawn.
        seeded: it came from the generator that the caller passed.
        per_row: it has a row for every row of the batch.
        span: the interval of a Brownian increment.
    """

    operation: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    seeded: bool
    per_row: bool
    span: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """What one read-out saw.

    Attributes:
        table: the coefficients; its levels are those of the sampler's own tables (`Call.own`).
        calls: the model evaluations in order.
        draws: the Gaussian draws in order; `other_random` names any other random operation.
        offset: largest output for zero input, ideally 0.
        superposition: largest violation over the probe rows, relative to the row's size.
        violated_at: first state at which superposition is off by more than round-off, or None.
        single: the sampler casts the state to float32; the read-out keeps it in float64.
    """

    table: Table
    calls: tuple[Call, ...]
    draws: tuple[Draw, ...]
    other_random: tuple[str, ...]
    offset: float
    superposition: float
    violated_at: int | None
    single: bool
    amplitude: float
    output_dtype: torch.dtype

    @cached_property
    def told(self) -> Table:
        """The same coefficients with the levels that the model is told."""
        told = [call.told for call in self.calls]
        levels = [*told, self.table.levels[-1]]
        return replace(self.table, levels=grid_of(levels))

    @property
    def steps(self) -> list[int]:
        """The step of every evaluation."""
        return [call.step for call in self.calls]


class TooManyInputs(Exception):
    """The run has more inputs than rows were provided for."""


def read_out(
    session: Callable[[], Readable],
    *,
    amplitude: float = 1.0,
    dtype: torch.dtype = torch.float64,
    capacity: int | None = None,
    seed: int = 0,
    watch: bool = True,
) -> Reading:
    """Read the table of a sampler in one batched run.

    Args:
        session: makes a fresh run; called again only if more rows turn out to be needed.
        amplitude: size of the unit inputs; below the clipping range of samplers that clip.
        dtype: of the state and the model outputs.
        capacity: rows to provide for inputs; by default enough for two evaluations and two
            draws a step.
        seed: of the probe rows.
        watch: False leaves the watch for draws and casts out, which costs time: for samplers
            that are known to make none (what they draw all the same breaks superposition).
    """
    run = session()
    rows = capacity or 4 * run.n + 8
    while True:
        recorder = _Recorder(rows, amplitude, dtype, seed, watch)
        try:
            return recorder.read(run)
        except TooManyInputs:
            rows *= 2
            run = session()


class _Recorder:
    def __init__(
        self, capacity: int, amplitude: float, dtype: torch.dtype, seed: int, watch: bool
    ) -> None:
        self.capacity, self.amplitude, self.dtype, self.watch = capacity, amplitude, dtype, watch
        self.batch = PROBES + 1 + capacity
        # probe coefficients of every input: few binary digits, so that float32 draws hold them,
        # and none near zero, so that no input a state consists of drops out of its probes
        rng = np.random.default_rng(seed)
        sign = rng.choice([-1.0, 1.0], (PROBES, capacity))
        self.probe = sign * rng.integers(16, 65, (PROBES, capacity)) / 32
        self.inputs: list[str] = []
        self.states: list[Array] = []
        self.known: list[int] = []  # inputs there were at every state
        self.calls: list[Call] = []
        self.draws: list[Draw] = []

    def new_input(self, kind: str, dtype: torch.dtype) -> torch.Tensor:
        """A column of the batch: 1 in the row of this input, the probes' mixture above it."""
        column = len(self.inputs)
        if column == self.capacity:
            raise TooManyInputs
        self.inputs.append(kind)
        values = np.zeros(self.batch)
        values[:PROBES] = self.probe[:, column]
        values[PROBES + 1 + column] = 1.0
        return torch.tensor(self.amplitude * values, dtype=dtype)

    def shaped(self, values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        return values.reshape(-1, *[1] * (like.ndim - 1)).expand_as(like).clone()

    def model(self, z: torch.Tensor, call: Call) -> torch.Tensor:
        self.states.append(self.column_of(z))
        self.known.append(len(self.inputs))
        self.calls.append(call)
        return self.shaped(self.new_input("m", self.dtype), z.to(self.dtype))

    def column_of(self, z: torch.Tensor) -> Array:
        return np.array(z.detach().reshape(self.batch, -1)[:, 0].double().numpy())

    def draw(
        self, operation: str, out: torch.Tensor, seeded: bool, span: Any = None
    ) -> torch.Tensor:
        per_row = out.ndim > 0 and out.shape[0] == self.batch
        self.draws.append(Draw(operation, tuple(out.shape), out.dtype, seeded, per_row, span))
        if not per_row:  # shared between rows, it has no column; the noise claim reports it
            return torch.zeros_like(out)
        return self.shaped(self.new_input("xi", out.dtype), out)

    def read(self, run: Readable) -> Reading:
        z = self.new_input("z", self.dtype).reshape(-1, 1, 1, 1)
        generator = torch.Generator().manual_seed(SEED)
        mode = GaussianDraws(self.draw, generator, self.batch)
        watch = mode if self.watch else contextlib.nullcontext()
        with torch.no_grad(), preserved_random_state(), increments(self.draw), watch:
            out = run(self.model, z, generator)
        states = self.finished(out, z.shape, run.n)
        zero, units = states[:, PROBES], states[:, PROBES + 1 :] - states[:, PROBES, None]
        units = units[:, : len(self.inputs)]
        worst = self.violation(units, states)
        units[self.early] = 0.0
        # noise drawn, or a sample returned, in a narrower type rounds the combinations
        exact = out.dtype == torch.float64 and all(d.dtype == out.dtype for d in self.draws)
        bad = np.flatnonzero(worst > (AFFINE if exact else 1e-4))
        order = np.argsort([{"z": 0, "m": 1, "xi": 2}[kind] for kind in self.inputs], kind="stable")
        return Reading(
            table=Table(
                units[:, order],
                grid_of([*(call.own for call in self.calls), run.grid[-1]]),
                run.prediction,
                brownian_covariance([d.span for d in self.draws if d.per_row]),
                run.sigma_data,
                run.grid[0] if self.calls and self.calls[0].own != run.grid[0] else None,
            ),
            calls=tuple(self.calls),
            draws=tuple(self.draws),
            other_random=tuple(mode.other),
            offset=float(np.abs(zero).max()),
            superposition=float(worst.max()),
            violated_at=int(bad[0]) if len(bad) else None,
            single=mode.narrowed,
            amplitude=self.amplitude,
            output_dtype=out.dtype,
        )

    def finished(self, out: torch.Tensor, shape: torch.Size, n: int) -> Array:
        """All states of the run, the sample last, (E + 1, batch), per unit of input."""
        if out.shape != shape:
            raise SubjectError(f"the sample has shape {tuple(out.shape)}, its start {tuple(shape)}")
        states = np.array([*self.states, self.column_of(out)]) / self.amplitude
        broken = np.flatnonzero(~np.isfinite(states).all(axis=1))
        if len(broken):
            j = int(broken[0])
            place = "the sample" if j == len(self.calls) else f"the state at evaluation {j}"
            raise SubjectError(f"{place} of {n} steps is not finite")
        return states

    @property
    def early(self) -> NDArray[np.bool_]:
        """Which inputs (columns) were not yet there at a state (row)."""
        n = len(self.inputs)
        return np.arange(n) >= np.array([*self.known, n])[:, None]

    def violation(self, units: Array, states: Array) -> Array:
        """How far the probes of each state are from superposition, relative to their size."""
        zero, probe = states[:, PROBES, None], self.probe[:, : len(self.inputs)]
        expected = units @ probe.T + zero
        # round-off of the probe itself: the sum of the sizes of what it adds up
        size = np.abs(units) @ np.abs(probe.T) + np.abs(zero)
        off = np.abs(states[:, :PROBES] - expected) / np.where(size == 0, 1.0, size)
        off[~np.isfinite(off)] = np.inf
        # what is there before its input is: rows differ by themselves, at random for instance
        before = np.abs(np.where(self.early, units, 0.0)).max(axis=1)
        worst: Array = np.maximum(off.max(axis=1), before)
        return worst


def increments(draw: Callable[..., torch.Tensor]) -> AbstractContextManager[None]:
    """Each increment of a Brownian path is a draw: (operation, like, seeded?, interval) → it."""
    return brownian_paths(lambda _: type("Path", (_Path,), {"draw": staticmethod(draw)}))


class _Path:
    """A Brownian path each of whose increments is a draw that remembers its interval.

    BrownianInterval(t0, t1, size …), or BrownianTree and BrownianPath(t0, w0 …).
    """

    draw: Callable[..., torch.Tensor]

    def __init__(self, *given: Any, **options: Any) -> None:
        self.t0 = given[0] if given else options["t0"]
        tensors = [x for x in (*given[1:2], options.get("w0")) if isinstance(x, torch.Tensor)]
        self.w0 = next((x for x in tensors if x.ndim), None)
        size = options.get("size") or (given[2] if self.w0 is None else self.w0.shape)
        self.shape = tuple(size)
        like = torch.get_default_dtype() if self.w0 is None else self.w0.dtype
        self.dtype = options.get("dtype") or like
        self.levy_area_approximation = options.get("levy_area_approximation", "none")

    def __call__(self, ta: Any, tb: Any = None, return_U: bool = False) -> Any:
        """An increment W, or the value at ta; and U = ∫ (W_t − W_ta) dt, if that is asked for.

        What W does not tell of U is independent of it: U = h (W/2 + √(h/12) ζ).
        """
        if tb is None:  # the value, not an increment
            value = self(self.t0, ta)
            return value if self.w0 is None else self.w0 + value
        start, stop = float(ta), float(tb)
        made = self._drawn(start, stop)
        if not return_U:
            return made
        rest = self._drawn(start, stop, spanned=False)
        return made, (stop - start) * (made / 2 + rest / 12**0.5)

    def _drawn(self, start: float, stop: float, spanned: bool = True) -> torch.Tensor:
        """A normal of variance |stop − start|."""
        like = torch.empty(self.shape, dtype=self.dtype)
        if start == stop:  # no noise, and no draw
            return torch.zeros_like(like)
        length: float = abs(stop - start) ** 0.5
        if not watched():
            return torch.randn_like(like) * length
        span = (start, stop) if spanned else None
        return self.draw("brownian", like, True, span) * length
