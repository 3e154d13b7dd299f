"""Runs a scheduler as a user's own loop does, on prescribed outputs. Nothing of dfbench is used.

What a user can see of a run is kept, in order: the start, the times told to the network, the inputs
shown to it, the samples, the previews of the clean sample, and the caller's tensors afterwards.
Two schedulers differ by the largest deviation of any of these.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

SEED = 7
Trace = list[tuple[str, torch.Tensor]]


@dataclass(frozen=True)
class Run:
    """How a user runs a scheduler; the defaults are the plain run.

    Attributes:
        steps: for `set_timesteps`; None if `grid` says it all.
        shape, dtype: of the state and of the network's outputs.
        grid: further arguments of `set_timesteps`: timesteps, sigmas, mu.
        call: further arguments of `step`.
        amplitude: of the outputs; what leaves [-1, 1] is clipped or thresholded.
        begin: the step at which the run starts, as in image-to-image, said "by" the "times" alone
            or by set_begin_index and the "index".
        time: "own" (as in `timesteps`), "int", "float", "row" (one for each row of the state).
        generator: "one", "none" (the global one), "rows" (a list, one for each row).
        before: what the object did before: "nothing", "same", "longer", "shorter", "aborted" or
            "other shape".
        meanwhile: between two steps "another" object of the class runs, or a deep "copy" that was
            made in the middle goes on after the original has ended.
        tuples: return_dict=False.
        kept: the caller keeps the states and looks at them at the end.
    """

    steps: int | None = 10
    shape: tuple[int, ...] = (2, 3, 4, 5)
    dtype: torch.dtype = torch.float64
    grid: dict[str, Any] = field(default_factory=dict)
    call: dict[str, Any] = field(default_factory=dict)
    amplitude: float = 0.1
    begin: int = 0
    by: str = "times"
    time: str = "own"
    generator: str = "one"
    before: str = "nothing"
    meanwhile: str = "nothing"
    tuples: bool = False

    def __str__(self) -> str:
        """What differs from the plain run."""
        said = [f"{k}={v}" for k, v in vars(self).items() if v != getattr(PLAIN, k)]
        return ", ".join(said).replace("torch.", "") or "the plain run"

    def trace(self, make: Callable[[], Any]) -> Trace:
        """Raises whatever the scheduler raises."""
        with alone():
            scheduler = make()
            self._before(scheduler)
            return self._play(scheduler, make)

    def _before(self, scheduler: Any) -> None:
        """Use the object for another run."""
        steps, shape, most = self.steps, self.shape, None
        if self.before == "nothing":
            return
        if self.before == "longer":
            steps = 2 * (self.steps or 10) + 1
        elif self.before == "shorter":
            steps = max(1, (self.steps or 10) // 2)
        elif self.before == "aborted":
            most = max(1, (self.steps or 10) // 2)
        elif self.before == "other shape":
            shape = (3, *(size + 1 for size in self.shape[1:]))
        start, outputs = inputs(shape, self.dtype, 4 * (steps or 10) + 16, self.amplitude, SEED + 1)
        scheduler.set_timesteps(steps, **self.grid)
        self._loop(scheduler, start, outputs, [], range(len(scheduler.timesteps))[:most])

    def _play(self, scheduler: Any, make: Callable[[], Any]) -> Trace:
        count = 4 * (self.steps or 20) + 16
        start, outputs = inputs(self.shape, self.dtype, count, self.amplitude, SEED)
        scheduler.set_timesteps(self.steps, **self.grid)
        if self.by == "index":
            scheduler.set_begin_index(self.begin)
        trace: Trace = [("start", start * float(getattr(scheduler, "init_noise_sigma", 1.0)))]
        indices = range(self.begin, len(scheduler.timesteps))
        generator = self._generator()
        torch.manual_seed(SEED)
        if self.meanwhile == "nothing":
            self._loop(scheduler, trace[0][1], outputs, trace, indices, generator)
            return trace
        half = len(indices) // 2
        z = self._loop(scheduler, trace[0][1], outputs, trace, indices[:half], generator)
        if self.meanwhile == "copy":
            other, scheduler = scheduler, copy.deepcopy(scheduler)
        else:
            other = make()
            other.set_timesteps(self.steps, **self.grid)
        elsewhere = inputs(self.shape, self.dtype, count, self.amplitude, SEED + 2)
        rest = indices[half:] if self.meanwhile == "copy" else indices
        with torch.random.fork_rng(devices=[]):
            self._loop(other, elsewhere[0], elsewhere[1], [], rest)
        self._loop(scheduler, z, outputs, trace, indices[half:], generator)
        return trace

    def _generator(self) -> Any:
        if self.generator == "rows":
            return [torch.Generator().manual_seed(SEED + 10 + row) for row in range(self.shape[0])]
        return torch.Generator().manual_seed(SEED + 10) if self.generator == "one" else None

    def _time(self, time: torch.Tensor) -> Any:
        if self.time == "row":
            return time.reshape(1).expand(self.shape[0])
        kinds: dict[str, Callable[[torch.Tensor], Any]] = {"int": int, "float": float}
        return kinds[self.time](time) if self.time in kinds else time

    def _loop(
        self,
        scheduler: Any,
        sample: torch.Tensor,
        outputs: list[torch.Tensor],
        trace: Trace,
        indices: range,
        generator: Any = None,
    ) -> torch.Tensor:
        """Step through some of the times; what there is to see is added to the trace."""
        extra = dict(self.call)
        if "generator" in parameters(scheduler.step):
            extra["generator"] = generator
        for i in indices:
            time = self._time(scheduler.timesteps[i])
            seen = sample
            if hasattr(scheduler, "scale_model_input"):
                seen = scheduler.scale_model_input(sample, time)
            output, given = outputs[i].clone(), sample.clone()
            trace.append((f"time {i}", torch.as_tensor(scheduler.timesteps[i]).double().clone()))
            trace.append((f"input {i}", seen.clone()))
            if self.tuples:
                found = scheduler.step(output, time, sample, **extra, return_dict=False)
                new, preview = found[0], (found[1] if len(found) > 1 else None)
            else:
                found = scheduler.step(output, time, sample, **extra)
                new = found.prev_sample
                preview = getattr(found, "pred_original_sample", None)
            trace.append((f"output {i} afterwards", output - outputs[i]))
            trace.append((f"state {i} afterwards", sample - given))
            if preview is not None:
                trace.append((f"preview {i}", preview.clone()))
            sample = new
            trace.append((f"sample {i}", sample.clone()))
        return sample


PLAIN = Run()


@dataclass(frozen=True)
class Noised:
    """A call of a companion: `add_noise`, `scale_noise` or `get_velocity`.

    Attributes:
        name: of the companion.
        steps: set before the call; None: none are set, as in training.
        at: which of the scheduler's own times, one for each row; training steps if none are set.
        dtype: of the data; time: of the times, None as the scheduler has them.
        begin: of set_begin_index; done: steps made before the call, as in inpainting.
    """

    name: str = "add_noise"
    steps: int | None = 10
    at: tuple[int, ...] = (1, 4)
    shape: tuple[int, ...] = (2, 3, 4, 5)
    dtype: torch.dtype = torch.float64
    time: torch.dtype | None = None
    begin: int | None = None
    done: int = 0

    def __str__(self) -> str:
        """The call, and what differs from the plain one."""
        said = [f"{k}={v}" for k, v in vars(self).items() if v != getattr(NOISED, k)]
        return ", ".join([self.name, *(s for s in said if not s.startswith("name"))])

    def trace(self, make: Callable[[], Any]) -> Trace:
        """Raises whatever the scheduler raises."""
        with alone():
            scheduler = make()
            x, (noise, *outputs) = inputs(self.shape, self.dtype, 40, 1.0, SEED)
            times = torch.tensor(self.at)
            if self.steps is not None:
                scheduler.set_timesteps(self.steps)
                times = scheduler.timesteps[times]
            times = times.to(self.time or times.dtype)
            if self.begin is not None:
                scheduler.set_begin_index(self.begin)
            sample = x
            for i in range(self.begin or 0, (self.begin or 0) + self.done):
                if hasattr(scheduler, "scale_model_input"):
                    scheduler.scale_model_input(sample, scheduler.timesteps[i])
                sample = scheduler.step(outputs[i], scheduler.timesteps[i], sample).prev_sample
            given = x.clone(), noise.clone()
            order = (x, times, noise) if self.name == "scale_noise" else (x, noise, times)
            made = getattr(scheduler, self.name)(*order)
            return [
                ("noised", made.clone()),
                ("data afterwards", x - given[0]),
                ("noise afterwards", noise - given[1]),
            ]


NOISED = Noised()


def inputs(
    shape: tuple[int, ...], dtype: torch.dtype, count: int, amplitude: float, seed: int
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """A start of unit variance and `count` outputs."""
    source = torch.Generator().manual_seed(seed)
    drawn = torch.randn((count + 1, *shape), generator=source, dtype=torch.float64)
    start, *outputs = drawn
    return start.to(dtype), [(amplitude * output).to(dtype) for output in outputs]


def parameters(function: Any) -> set[str]:
    """Names of a function's parameters."""
    import inspect

    return set(inspect.signature(function).parameters)


@contextmanager
def alone() -> Iterator[None]:
    """No gradients, no warnings, the global random state as it was."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(SEED)
        yield


def gap(mine: Trace, other: Trace) -> tuple[float, str]:
    """The largest deviation, of the size of what deviates (its round-off is of that), and where.

    Infinite for another number of steps, another shape or dtype, or what is not finite.
    """
    if [name for name, _ in mine] != [name for name, _ in other]:
        return float("inf"), f"{len(mine)} things to see, not {len(other)}"
    worst, where = 0.0, ""
    for (name, a), (_, b) in zip(mine, other, strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            return float(
                "inf"
            ), f"{name}: {tuple(a.shape)} {a.dtype}, not {tuple(b.shape)} {b.dtype}"
        a, b = a.double(), b.double()
        if not bool((a.isfinite() == b.isfinite()).all()):
            return float("inf"), f"{name}: not finite"
        apart = torch.where(b.isfinite(), a - b, 0.0).abs().max()
        size = torch.where(b.isfinite(), b, 0.0).abs().max()
        off = float(apart / size) if size > 0 else float(apart)
        if off > worst:
            worst, where = off, name
    return worst, where


def rounding(run: Run | Noised) -> float:
    """The deviation that arithmetic explains: schedulers keep their tables in float32."""
    return max(4 * torch.finfo(torch.float32).eps, torch.finfo(run.dtype).eps)


def effect(
    wrong: Callable[[], Any], right: Callable[[], Any], run: Run | Noised
) -> tuple[float, str]:
    """By how much a scheduler deviates from the right one in a run; infinite if it raises."""
    other = run.trace(right)
    try:
        mine = run.trace(wrong)
    except Exception as error:
        return float("inf"), f"raises {type(error).__name__}: {str(error)[:80]}"
    return gap(mine, other)
