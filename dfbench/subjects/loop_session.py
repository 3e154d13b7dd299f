"""One run of somebody's sampler, from a given state and with given draws."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dfbench.draws import WATCHED, aside
from dfbench.errors import SetupError, SubjectError, Unsupported
from dfbench.levels import Array, Grid, Level, grid_of
from dfbench.protocols import ANOTHER, PLAIN, Protocol
from dfbench.readout import Call, CalledModel
from dfbench.samplers import METHODS
from dfbench.subjects import foreign
from dfbench.subjects.blamed import Aborted, blamed
from dfbench.subjects.contract import Reference, Session
from dfbench.subjects.network import Network
from dfbench.subjects.protocols import generators

if TYPE_CHECKING:
    from dfbench.subjects.loop import LoopSampler

MOST = 100_000  # evaluations of a run: no sampler needs as many


class LoopSession(Session):
    """One run of a loop.

    Attributes:
        times: of the grid that it is given; None: it has its own.
        imposed: the grid is one that a check wants.
        whole: steps of the run, those that are left out at its start among them.
        calls: the evaluations that a run made, levels and steps among them.
    """

    keeps_levels = False

    def __init__(self, subject: LoopSampler, n: int, grid: Grid | None, skipped: int = 0) -> None:
        self.subject, self.n, self.facts = subject, n, subject.facts
        self.whole = n
        self.imposed = grid is not None
        self.prediction = subject.facts.prediction
        self.times = self._given(grid)
        if skipped and self.times is not None:
            self.times, self.n = self.times[skipped:], n - skipped
        self.code = subject.entry.fresh()
        self._meanwhile: tuple[int, Protocol] | None = None
        self.calls, self.grid = subject.kept(("calls", n, grid), self._visited)
        self.times_known = subject.facts.map is not None
        self.cleanest = self.facts.cleanest
        self.ends_given = self.times is not None and self.facts.ends

    def _given(self, grid: Grid | None) -> Array | None:
        """The times of the grid that is handed over."""
        takes = {"sigmas", "times"} & self.subject.entry.roles
        if grid is not None:
            if not takes:
                raise Unsupported("it takes no grid")
            return self.facts.times_of(grid)
        return self.facts.times(self.n) if takes else None

    def _visited(self) -> tuple[tuple[Call, ...], Grid]:
        """The evaluations of a run, and the levels of its steps, from a run of its own."""
        times: list[float] = []
        rng = torch.Generator().manual_seed(3)

        def ask(state: torch.Tensor, time: float) -> torch.Tensor:
            times.append(time)
            if len(times) > MOST:
                raise SubjectError(f"asks the network more than {MOST} times")
            return 0.1 * torch.randn(state.shape, generator=rng, dtype=torch.float64).to(
                state.dtype
            )

        z = torch.randn((2, 1, 4, 4), generator=rng, dtype=torch.float64)
        with torch.no_grad(), aside():
            self._run(ask, z, torch.Generator().manual_seed(0))
        if not times:
            raise SetupError("never asks the network")
        try:
            levels = [self.facts.at(t) for t in times]
            given = None if self.times is None else self.facts.levels(self.times)
            if given is not None and not self.facts.ends:
                given = grid_of([*list(given)[:-1], self.facts.final])
            steps = _steps(levels, self.n, given)
            calls = tuple(
                Call(t, level, level, step)
                for t, level, step in zip(times, levels, steps, strict=True)
            )
            if given is not None:
                return calls, given
            starts = [
                c
                for c, before in zip(calls, (None, *calls), strict=False)
                if before is None or before.step != c.step
            ]
            return calls, grid_of([*(c.own for c in starts), self.facts.final])
        except (ValueError, OverflowError) as error:
            raise SetupError(
                f"{self.n} steps: the network is told times that have no level: {error}"
            ) from error

    def __call__(
        self, model: CalledModel, z: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        made = 0
        middle = self._meanwhile

        def ask(state: torch.Tensor, time: float) -> torch.Tensor:
            nonlocal made
            if middle is not None and made == middle[0]:
                self._another(middle[1])
            known = self.calls[min(made, len(self.calls) - 1)]
            try:
                level = known.told if known.time == time else self.facts.at(time)
            except ValueError as error:
                raise SubjectError(f"tells the network the time {time:g}: {error}") from error
            made += 1
            out = model(state, Call(time, level, level, known.step))
            return self.facts.sign(out)  # type: ignore[no-any-return]

        return self._run(ask, z, generator)

    def _run(
        self, ask: Any, z: torch.Tensor, generator: Any, entry: float | None = None
    ) -> torch.Tensor:
        """The sample of a run that asks a network; the start is divided by `entry`."""
        if self.subject.arrays != "torch" and z.dtype == torch.bfloat16:
            raise Unsupported("NumPy has no bfloat16")
        own, wanted = self.facts.shape, tuple(z.shape)
        if own is not None and wanted[1:] != own:  # copies of the first element
            first = z.reshape(len(z), -1)[:, :1]
            z = first.reshape(len(z), *[1] * len(own)).expand(len(z), *own).clone()
            ask = _as_of(ask, wanted)
        network = Network(ask, tuple(z.shape))
        start = z / (self._entry if entry is None else entry)
        values = {
            "model": network,
            "state": start,
            "steps": self.n,
            "generator": generator,
            "noise": lambda like, **_: torch.randn(
                like.shape, generator=generator, dtype=like.dtype
            ),
            "shape": tuple(z.shape),
            "batch": len(z),
        }
        if self.times is not None:
            # as users make it: in the type of the state, or in float32 where that holds few digits
            wide = z.dtype if z.dtype in (torch.float32, torch.float64) else torch.float32
            times = self.times if self.facts.ends else self.times[:-1]
            given = torch.tensor(times, dtype=wide)
            values["sigmas"] = values["times"] = given
        arrays = self.subject.arrays
        values["generator"] = foreign.source(generator, arrays)
        drawn = _StartDrawn(start) if self.facts.start == "drawn" else contextlib.nullcontext()
        watch = foreign.watched(arrays, generator, z.dtype)
        with _silently(), blamed("the sampler"), _eagerly(), watch, drawn:
            values = {role: foreign.given(value, arrays) for role, value in values.items()}
            out = self.subject.entry(self.code, values)
            sample = self._sample(out, z)
        # the type of a start that it draws is the sampler's business, and what comes of a narrower
        # state and the wider grid that it is given is torch's
        wider = self.times is not None and sample.dtype == torch.promote_types(z.dtype, wide)
        if self.facts.start == "drawn" or wider:
            sample = sample.to(z.dtype)
        if tuple(sample.shape) != wanted:
            sample = _copied(sample, wanted)
        c, d = self.facts.output
        return sample if (c, d) == (1.0, 0.0) else (sample - d) / c

    @property
    def _entry(self) -> float:
        """What a state that the network is to see is divided by to become what is handed over.

        Of a start on the levels' own scale, 1, or 1/√(α² + σ²) where the network sees it at unit
        variance; of unit noise, σ of the first level, or 1 on variance-preserving levels, whatever
        little of the data is left there.
        """
        facts = self.facts
        if facts.start == "level":
            return 1 / math.hypot(*facts.on_its_scale(self._first)) if facts.scaled else 1.0
        if facts.scale == "vp" and not facts.scaled:
            return 1.0
        return facts.at(self._first).sigma

    @property
    def start(self) -> float | None:
        return None if self.facts.start == "level" else self._entry**2

    @property
    def _first(self) -> float:
        """The time that the network is first told."""
        if self.times is not None:
            return float(self.times[0])
        return self.subject.kept(("first", self.n, self.facts.start), self._look_at_the_first)

    def _look_at_the_first(self) -> float:
        first: list[float] = []

        def ask(state: torch.Tensor, time: float) -> torch.Tensor:
            first.append(time)
            raise Aborted

        z = torch.ones((2, 1, 4, 4), dtype=torch.float64)
        with torch.no_grad(), aside(), contextlib.suppress(Aborted):
            self._run(ask, z, torch.Generator().manual_seed(0), entry=1.0)
        if not first:
            raise SetupError("never asks the network")
        return first[0]

    def _sample(self, out: Any, z: torch.Tensor) -> torch.Tensor:
        """The sample in what a sampler returns."""
        if isinstance(out, Iterator):  # of the states
            out = deque(out, maxlen=1).pop()
        self.subject.gives = foreign.kind_of(out) or self.subject.gives
        found = _last(out, tuple(z.shape))
        if found is None:
            what = f"shape {tuple(out.shape)}" if hasattr(out, "shape") else type(out).__name__
            raise SubjectError(f"returns {what}, and no sample of shape {tuple(z.shape)}")
        return found

    def _another(self, protocol: Protocol) -> None:
        """Another run in the middle of this one."""
        rng = torch.Generator().manual_seed(2)
        with aside():
            self.subject.session(self.n)(
                lambda z, call: torch.randn(z.shape, generator=rng, dtype=z.dtype),
                torch.randn(protocol.shape, generator=rng, dtype=torch.float64),
                generators(protocol),
            )

    def under(self, protocol: Protocol) -> LoopSession:
        if protocol.returns != PLAIN.returns or protocol.time != PLAIN.time:
            raise Unsupported("a loop knows no such way")
        if self.facts.dims not in (None, len(protocol.shape)):
            raise Unsupported(f"takes states of {self.facts.dims} dimensions")
        if protocol.generator != "one" and "generator" not in self.subject.entry.roles:
            raise Unsupported("takes no generator")
        if protocol.generator == "one a row":
            raise Unsupported("takes one generator")
        if protocol.meanwhile == ANOTHER:
            self._meanwhile = len(self.calls) // 2, protocol
        elif protocol.meanwhile != PLAIN.meanwhile:
            raise Unsupported("a loop has no copy")
        self._use(protocol)
        return self

    def _use(self, protocol: Protocol) -> None:
        """What the same object was used for before."""
        if protocol.before == "nothing":
            return
        more = {"a longer run": 3, "a shorter run": -3}.get(protocol.before, 0)
        stop = len(self.calls) // 2 if protocol.before == "an aborted run" else None
        n = max(self.facts.least, self.n + more)
        other = self.subject.session(n if self.subject.counted else self.n)
        other.code = self.code
        rng = torch.Generator().manual_seed(1)
        shown = 0

        def model(z: torch.Tensor, call: Call) -> torch.Tensor:
            nonlocal shown
            if shown == stop:
                raise Aborted
            shown += 1
            return torch.randn(z.shape, generator=rng, dtype=z.dtype)

        wider = protocol.before == "a run of another shape"
        shape = tuple(size + 1 for size in protocol.shape) if wider else protocol.shape
        z = torch.randn(shape, generator=rng, dtype=torch.float64)
        with contextlib.suppress(Aborted), aside():
            other(model, z, generators(replace(protocol, shape=shape)))

    def reference(self) -> Reference | None:
        named = self.subject.is_said_to_be(self)
        if named is None:
            return None
        name, options = named
        return Reference(METHODS[name], self.grid, self.prediction, None, options)


def _copied(z: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """The first element of every row, as often as a shape has elements."""
    first = z.reshape(len(z), -1)[:, :1]
    return first.reshape(len(z), *[1] * (len(shape) - 1)).expand(len(z), *shape[1:]).clone()


def _as_of(ask: Any, shape: tuple[int, ...]) -> Any:
    """A network of states of one shape, asked about states of another, whose elements are equal."""

    def asked(state: torch.Tensor, time: float) -> torch.Tensor:
        out = ask(_copied(state, shape), time)
        return _copied(out, tuple(state.shape))

    return asked


def _steps(levels: list[Level], n: int, given: Grid | None) -> list[int]:
    """The step of every evaluation."""
    count = len(levels)
    each = math.ceil(count / n)
    if given is None or n * each - (each - 1) <= count <= n * each:
        return [min(i // each, n - 1) for i in range(count)]
    starts = given.log_snr[:-1]
    found, last = [], 0
    for level in levels:
        at = int(np.searchsorted(starts, level.log_snr + 1e-9, side="right")) - 1
        last = min(max(last, at), n - 1)
        found.append(last)
    return found


def _last(out: Any, shape: tuple[int, ...]) -> torch.Tensor | None:
    """The sample: of this shape, or the last of several states, alone or in a list or a dict."""
    if foreign.kind_of(out) in ("numpy", "jax"):
        out = foreign.tensor(out)
    if isinstance(out, torch.Tensor):
        if tuple(out.shape) == shape:
            return out
        if out.ndim == len(shape) + 1 and tuple(out.shape[1:]) == shape:
            return out[-1]
        if out.ndim == len(shape) + 1 and (out.shape[0], *out.shape[2:]) == shape:
            return out[:, -1]
        return None
    if isinstance(out, list | tuple):
        alike = [found for each in out if (found := _last(each, shape)) is not None]
        if not alike:
            return None
        return alike[-1] if isinstance(out, list) or len(alike) == len(out) > 2 else alike[0]
    if isinstance(out, dict):
        return _last(list(out.values()), shape)
    named = getattr(out, "__dict__", None)
    return _last(dict(named), shape) if named else None


class _StartDrawn(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The first normal draw of the size of the state is the given start."""

    def __init__(self, start: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.start: torch.Tensor | None = start

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = WATCHED.get(func.overloadpacket)
        if self.start is not None and name in ("randn", "randn_like", "normal_"):
            size = args[0]
            shape = tuple(size.shape if isinstance(size, torch.Tensor) else size)
            if math.prod(shape) == self.start.numel():
                start, self.start = self.start.reshape(shape), None
                dtype = kwargs.get("dtype") or torch.get_default_dtype()
                if isinstance(size, torch.Tensor):
                    dtype = kwargs.get("dtype") or size.dtype
                if name == "normal_":
                    return size.copy_(start)
                # in float64, whatever is asked for: the read-out looks at every digit
                return start.clone() if start.dtype == torch.float64 else start.to(dtype)
        return func(*args, **kwargs)


@contextlib.contextmanager
def _silently() -> Iterator[None]:
    """Without the bars and the warnings that a sampler shows its user."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _eagerly() -> Iterator[None]:
    """What is compiled runs as it is written, so that draws are seen."""
    import sys

    if "torch._dynamo" not in sys.modules:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield
