"""What an object remembers that it should forget, or shares that is its own."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import torch
from diffusers import (
    DDIMScheduler,
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    HeunDiscreteScheduler,
    IPNDMScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
    UniPCMultistepScheduler,
)

from tests.defects.catalogue import typo, wrong
from tests.defects.own import FlowEuler, FlowHeun, HandDPM
from tests.defects.plain import Run


@wrong(when=Run(before="same"), hidden=True, final_sigmas_type="sigma_min")
class OutputsKept(DPMSolverMultistepScheduler):
    """`set_timesteps` keeps the outputs of the run before."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        kept, count = self.model_outputs, self.lower_order_nums
        super().set_timesteps(*args, **kwargs)
        self.model_outputs, self.lower_order_nums = kept, count


@wrong(when=Run(before="aborted"), hidden=True)
class ClearedAtTheEnd(IPNDMScheduler):
    """The history is cleared by the last step, not by `set_timesteps`: an aborted run stays."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        kept = getattr(self, "ets", [])
        super().set_timesteps(*args, **kwargs)
        self.ets = kept

    def step(self, *args: Any, **kwargs: Any) -> Any:
        made = super().step(*args, **kwargs)
        if self.step_index == len(self.timesteps):
            self.ets = []
        return made


@wrong(when=Run(meanwhile="another"), hidden=True)
class SharedByTheClass(HandDPM):
    """The last prediction is an attribute of the class."""

    memory: ClassVar[dict[str, Any]] = {}

    @property
    def old(self) -> Any:
        return self.memory.get("old")

    @old.setter
    def old(self, value: Any) -> None:
        self.memory["old"] = value


@wrong(when=Run(meanwhile="copy"), hidden=True)
class SharedByCopies(LMSDiscreteScheduler):
    """A deep copy shares the list of derivatives with the original."""

    def __deepcopy__(self, memo: dict[int, Any]) -> SharedByCopies:
        new = copy.copy(self)
        new.__dict__.update(
            {
                k: v if k == "derivatives" else copy.deepcopy(v, memo)
                for k, v in self.__dict__.items()
            }
        )
        return new


@wrong(when=Run(meanwhile="another"), hidden=True)
class DefaultArgument(IPNDMScheduler):
    """The list of outputs is a mutable default: every object has the same."""

    shared: ClassVar[list[Any]] = []

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        self.shared.clear()
        self.ets = self.shared


@wrong(when=Run(before="longer"), hidden=True)
class IndexKept(FlowMatchEulerDiscreteScheduler):
    """`set_timesteps` does not put the index back; it starts anew only after a run of as many."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        kept = self._step_index
        super().set_timesteps(*args, **kwargs)
        if kept is not None and kept != len(self.timesteps):
            self._step_index = kept % len(self.timesteps)


@wrong(when=Run(before="aborted"), hidden=True)
class HeunHalfDone(HeunDiscreteScheduler):
    """An aborted run leaves the first half of a step behind."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        kept = getattr(self, "prev_derivative", None), getattr(self, "dt", None)
        super().set_timesteps(*args, **kwargs)
        self.prev_derivative, self.dt = kept


@wrong(when=Run(before="aborted"), hidden=True)
class FlowHeunHalfDone(FlowHeun):
    """Own Heun: `set_timesteps` keeps the first half of an aborted step."""

    first = None

    def set_timesteps(self, n: int) -> None:
        kept = self.first
        super().set_timesteps(n)
        self.first = kept


@wrong(when=Run(before="other shape", shape=(2, 3, 4, 5)), hidden=True)
class BufferOfTheFirstShape(EulerDiscreteScheduler):
    """A buffer is allocated for the first shape, and later states are cut to it."""

    def step(self, model_output, timestep, sample, *args, **kwargs):  # type: ignore[no-untyped-def]
        if not hasattr(self, "rows"):
            self.rows = sample.shape[1]
        made = super().step(model_output, timestep, sample, *args, **kwargs)
        made.prev_sample[:, min(self.rows, sample.shape[1]) - 1 :] *= 1 + 1e-2 * (
            self.rows != sample.shape[1]
        )
        return made


@wrong(when=Run(before="same"), hidden=True)
class SecondRunShifted(FlowMatchEulerDiscreteScheduler):
    """Every call of `set_timesteps` shifts the levels again."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        self.set_shift(self.shift * 1.5)


@wrong(when=Run(before="shorter"), hidden=True)
class CountOfTheFirstRun(DDIMScheduler):
    """The number of steps is remembered from the first run."""

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        super().set_timesteps(num_inference_steps, device)
        self.first = getattr(self, "first", num_inference_steps)
        self.num_inference_steps = self.first


@wrong(when=Run(before="same"), hidden=True)
class CorrectorKept(UniPCMultistepScheduler):
    """The sample for the corrector and the counter stay, so the first step is corrected."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        kept = [getattr(self, k, None) for k in ("last_sample", "model_outputs")]
        count = getattr(self, "lower_order_nums", 0)
        super().set_timesteps(*args, **kwargs)
        if count:
            self.last_sample, self.model_outputs = kept
            self.lower_order_nums = count


@wrong(when=Run(before="aborted"), hidden=True, skip_prk_steps=True)
class CounterKept(PNDMScheduler):
    """The counter of steps is put back by the last step only."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        kept = getattr(self, "counter", 0), getattr(self, "ets", [])
        super().set_timesteps(*args, **kwargs)
        if 0 < kept[0] < len(self.timesteps):
            self.counter, self.ets = kept


@wrong(when=Run(before="same"), hidden=True)
class LevelsScaledInPlace(FlowEuler):
    """The first level is changed in place in a table that all runs share."""

    table: torch.Tensor | None = None

    def set_timesteps(self, n: int) -> None:
        if self.table is None or len(self.table) != n + 1:
            self.table = torch.linspace(1, 0, n + 1, dtype=torch.float64)
        else:
            self.table *= 0.999
        super().set_timesteps(n)
        self.sigmas = self.table


@wrong(when=Run(before="longer"), hidden=True)
class OldTimesCached(DEISMultistepScheduler):
    """Levels are cached by the first number of steps and thinned for fewer."""

    def set_timesteps(self, num_inference_steps: int, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(num_inference_steps, *args, **kwargs)
        self.cache = getattr(self, "cache", self.sigmas)
        if len(self.cache) > len(self.sigmas):
            keep = torch.linspace(0, len(self.cache) - 1, len(self.sigmas)).round().long()
            self.sigmas = self.cache[keep]


@wrong(when=Run(meanwhile="another"), hidden=True)
class IndexOfTheClass(EulerDiscreteScheduler):
    """The step index is kept on the class."""

    where: ClassVar[dict[str, Any]] = {}

    @property
    def _step_index(self) -> Any:
        return self.where.get("i")

    @_step_index.setter
    def _step_index(self, value: Any) -> None:
        self.where["i"] = value


typo(
    "HeunNeverFrees",
    "The slope of the first half of an aborted step is kept.",
    FlowMatchHeunDiscreteScheduler,
    "set_timesteps",
    "self.prev_derivative = None",
    "self.prev_derivative = getattr(self, 'prev_derivative', None)",
    "self.dt = None",
    "self.dt = getattr(self, 'dt', None)",
    when=Run(before="aborted", steps=6),
    hidden=True,
)
