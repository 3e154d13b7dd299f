"""One run of a scheduler, looped over as its documentation says."""

from __future__ import annotations

import contextlib
import copy
import inspect
import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from dfbench.draws import aside
from dfbench.errors import SetupError, SubjectError, Unsupported
from dfbench.levels import Array, Grid, Level, grid_of
from dfbench.protocols import ANOTHER, COPY, ORIGINAL, Protocol
from dfbench.readout import Call, CalledModel
from dfbench.samplers import METHODS
from dfbench.subjects.alike import duplicate
from dfbench.subjects.blamed import Aborted, blamed
from dfbench.subjects.contract import Companion, Reference, Session
from dfbench.subjects.conventions import configuration
from dfbench.subjects.diffusers.driven import Driven
from dfbench.subjects.protocols import generators

if TYPE_CHECKING:
    from dfbench.subjects.diffusers.sampler import SchedulerSampler


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the deprecation and usage warnings that constructors and steps print."""
    logger = logging.getLogger("diffusers")
    # handlers, not the logger: its `setLevel` empties the caches of every logger there is
    levels, propagates = [(each, each.level) for each in logger.handlers], logger.propagate
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.propagate = False
        for handler, level in levels:
            handler.setLevel(max(level, logging.ERROR))
        try:
            yield
        finally:
            logger.propagate = propagates
            for handler, level in levels:
                handler.setLevel(level)


BEGIN = 0.4  # of the steps that a run which starts in the middle leaves out


class SchedulerSession(Session):
    """One run of a scheduler.

    Attributes:
        subject, scheduler: the scheduler is a fresh one, its steps set.
        settings: the configuration that the scheduler says it has.
        levels: where it keeps its levels.
        calls: the evaluations to come; `first` is the index of the first in a whole run.
        times, generator, previous: of the run that goes on, for `step`: the times it loops over,
            the caller's generator, and what an earlier step left for the next.
    """

    times: list[Any]
    generator: torch.Generator | None
    previous: Any

    def __init__(
        self, subject: SchedulerSampler, n: int, grid: Grid | None, prediction: str | None
    ) -> None:
        self.subject, self.n = subject, n
        self.prediction = prediction or subject.predictions[0]
        config = dict(subject.config)
        if self.prediction != subject.predictions[0]:
            types = subject.prediction_types.items()
            config["prediction_type"] = next(k for k, v in types if v == prediction)
        if grid is not None:
            config |= subject.clean(n)
        self.scheduler = subject.made(config)
        self.settings = configuration(self.scheduler)
        self.levels = subject.level_class(self.scheduler)
        self._steps = n if grid is None else n + self.levels.extra_steps
        self._prepare()
        if grid is not None:
            self.levels.impose(grid)
        self._key = n, grid, self.prediction
        self.first = self._begin()
        self.calls, self.grid = subject.kept(("levels", *self._key), self._visited)
        if self.prediction == "edm":
            self.sigma_data = float(self.settings["sigma_data"])
        self.clipping = subject.clipping(self.settings)
        self.cleanest, self.noisiest = self.levels.cleanest, self.levels.noisiest
        self.times_known = self.levels.times_known
        self.time_tolerance = self.levels.time_tolerance
        self.time_derivation = self.levels.time_derivation

    def _prepare(self) -> None:
        with quiet():
            try:
                self.subject.set_timesteps(self.scheduler, self._steps)
            except ValueError as refusal:  # a count or a combination that it does not accept
                raise Unsupported(f"{self._steps} steps: {refusal}") from refusal
            except Exception as error:
                raise SetupError(
                    f"set_timesteps({self._steps}) raises {type(error).__name__}: {error}"
                ) from error

    def _begin(self) -> int:
        """The first call of the run; where it starts in the middle, the steps are told so."""
        if not self.subject.begin:
            return 0
        step = round(BEGIN * self.n)
        try:
            calls = self.levels.calls()
        except (ValueError, IndexError) as error:
            raise SetupError(f"set_timesteps({self.n}) leaves unusable levels: {error}") from error
        first = next((i for i, call in enumerate(calls) if call.step >= step), 0)
        if self.subject.begin == "index":  # at the first step, too: pipelines say so in whole runs
            self.scheduler.set_begin_index(first)
        elif not first > 0:
            raise Unsupported("no step can be left out")
        return first

    def _visited(self) -> tuple[tuple[Call, ...], Grid]:
        """The evaluations of a run, and the levels of its steps."""
        if not self.levels.times:
            raise Unsupported(f"makes no time steps for {self.n} steps")
        try:
            calls = self.levels.calls()[self.first :]
            before = (None, *(call.step for call in calls))
            starts = [c.own for c, step in zip(calls, before, strict=False) if c.step != step]
            return calls, grid_of([*starts, self.levels.final])
        except (ValueError, IndexError) as error:
            raise SetupError(f"set_timesteps({self.n}) leaves unusable levels: {error}") from error

    def __call__(
        self, model: CalledModel, z: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        count = len(self.calls)
        self.times, self.generator = self.levels.times[self.first :], generator
        self.previous = None
        first = x = self._channels(z) * self._enter
        with quiet():
            for i, (t, call) in enumerate(zip(self.times, self.calls, strict=False)):
                with blamed(f"scale_model_input at time {i} of {count}"):
                    seen = self._input(self.scheduler, x, t)
                m = model(seen, call)
                with blamed(f"step {i} of {count}"):
                    x = self.subject.step(self, i, self.subject.output(self, m, i), x)
                if not isinstance(x, torch.Tensor):
                    raise SubjectError(f"step {i} returns {type(x).__name__}, not a tensor")
                if x.shape != first.shape:
                    raise SubjectError(
                        f"step {i} turns shape {tuple(first.shape)} into {tuple(x.shape)}"
                    )
        return x if x.shape == z.shape else x[:, :1].expand_as(z)

    def _channels(self, z: torch.Tensor) -> torch.Tensor:
        """As many channels as the scheduler insists on, copies of the first."""
        wanted = self.subject.channels
        return z if wanted is None else z[:, :1].repeat(1, wanted, 1, 1)

    @staticmethod
    def _input(scheduler: Any, x: torch.Tensor, t: Any) -> torch.Tensor:
        scale = getattr(scheduler, "scale_model_input", None)
        out: torch.Tensor = x if scale is None else scale(x, t)
        return out

    @property
    def _enter(self) -> float:
        """Scale of the sample over that of the network's input at the first time."""

        def probe() -> float:
            ones = torch.ones((1, 1, 1, 1), dtype=torch.float64)
            with quiet(), blamed("scale_model_input at the first time"):
                fresh = duplicate(self.scheduler)
                return 1 / float(self._input(fresh, ones, self.levels.times[self.first]))

        return self.subject.kept(("enter", *self._key), probe)

    @property
    def start(self) -> float | None:
        """As pipelines draw it: of standard deviation `init_noise_sigma`."""
        scale = getattr(self.scheduler, "init_noise_sigma", None)
        return None if scale is None else float(scale / self._enter) ** 2

    def again(self) -> SchedulerSession:
        """The same scheduler, its steps set once more: what a pipeline does for each image."""
        self._prepare()
        self._begin()
        return self

    def under(self, protocol: Protocol) -> SchedulerSession:
        accepted = inspect.signature(self.scheduler.step).parameters
        anything = any(p.kind is p.VAR_KEYWORD for p in accepted.values())
        if protocol.returns == "tuple" and not (anything or "return_dict" in accepted):
            raise Unsupported("step takes no return_dict")
        if protocol.generator != "one" and "generator" not in accepted:
            raise Unsupported("step takes no generator")
        self._use(protocol)
        _ = self._enter  # kept: it is measured on a copy
        middle = len(self.calls) // 2
        meanwhile = partial(self._meanwhile, protocol, middle)
        self.scheduler = Driven(self.scheduler, protocol, middle, meanwhile)
        return self

    def _meanwhile(self, protocol: Protocol, middle: int, scheduler: Any) -> Any:
        """What a protocol has happen in the middle of a run → the scheduler that goes on."""
        if protocol.meanwhile == COPY:
            return copy.deepcopy(scheduler)
        rng = torch.Generator().manual_seed(2)
        if protocol.meanwhile == ANOTHER:
            with aside():
                self.subject.session(self.n)(
                    lambda z, call: torch.randn(z.shape, generator=rng, dtype=z.dtype),
                    torch.randn(protocol.shape, generator=rng, dtype=torch.float64),
                    generators(protocol),
                )
        if protocol.meanwhile == ORIGINAL:
            copied = copy.deepcopy(scheduler)
            with aside():
                other = copy.copy(self)
                other.scheduler, other.generator = copied, generators(protocol)
                x = torch.randn(protocol.shape, generator=rng, dtype=torch.float64)
                for i in range(middle, len(self.calls)):
                    self._input(copied, x, self.times[i])
                    m = torch.randn(x.shape, generator=rng, dtype=x.dtype)
                    x = self.subject.step(other, i, self.subject.output(other, m, i), x)
        return scheduler

    def _use(self, protocol: Protocol) -> None:
        """What the same object was first used for, fresh; then its steps are set."""
        if protocol.before == "nothing":
            return
        more = {"a longer run": 3, "a shorter run": -3}.get(protocol.before, 0)
        stop = len(self.calls) // 2 if protocol.before == "an aborted run" else None
        rng = torch.Generator().manual_seed(1)
        shown = 0

        def model(z: torch.Tensor, call: Call) -> torch.Tensor:
            nonlocal shown
            if shown == stop:
                raise Aborted
            shown += 1
            return torch.randn(z.shape, generator=rng, dtype=z.dtype)

        other = self.subject.session(max(1, self.n + more))
        wider = protocol.before == "a run of another shape"
        shape = [size + 1 for size in protocol.shape] if wider else protocol.shape
        z = torch.randn(tuple(shape), generator=rng, dtype=torch.float64)
        with contextlib.suppress(Aborted):
            other(model, z, generators(replace(protocol, shape=tuple(shape))))
        self.scheduler, self.levels = other.scheduler, other.levels
        self.again()

    def precision(self, level: Level) -> tuple[float, float]:
        return self.levels.precision(level)

    def time_gap(self, call: Call) -> float:
        return self.levels.gap(call.told, call.own)

    def reference(self) -> Reference | None:
        named = self.subject.is_said_to_be(self.settings, self)
        if named is None:
            return None
        name, options = named
        return Reference(METHODS[name], self.grid, self.prediction, self.sigma_data, options)

    def asked(self) -> Array | None:
        if self._key[1] is not None or self.first:
            return None
        return self.subject.asked(self.settings, self.n)

    def companions(self) -> dict[str, Companion]:
        from dfbench.subjects.diffusers.companions import companions

        return companions(self)
