"""FlowMatch* and their kin: z = (1 − σ) x + σ ε, the model returns ε − x."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dfbench.levels import Array, Grid, Level
from dfbench.samplers.method import Traits
from dfbench.subjects.diffusers import asked
from dfbench.subjects.diffusers import scheduler_levels as levels
from dfbench.subjects.diffusers.exploding import churn
from dfbench.subjects.diffusers.sampler import Published, SchedulerSampler, register
from dfbench.subjects.diffusers.session import SchedulerSession
from dfbench.subjects.diffusers.solvers import unipc

EULER: Published = ("flow_matching", {"solver": "euler"})


class Flow(SchedulerSampler):
    level_class: type[levels.SchedulerLevels] = levels.FlowMatchSigmas
    default_prediction = "flow_prediction"

    def sigmas(self) -> list[float]:
        return [1.0, 0.9, 0.7, 0.4, 0.1]

    def other_predictions(self) -> dict[str, str]:
        return {}

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        return EULER

    def output(self, session: SchedulerSession, m: Tensor, i: int) -> Tensor:
        """With `invert_sigmas` the velocity points from noise to data."""
        return -m if session.settings.get("invert_sigmas") else m


@register("FlowMapEulerDiscreteScheduler")
class FlowMapEuler(Flow):
    pass


@register("FlowMatchEulerDiscreteScheduler")
class FlowMatchEuler(Flow):
    def asked(self, settings: dict[str, Any], n: int) -> Array | None:
        given = {name: self.call.get(name) for name in ("mu", "sigmas")}
        return asked.flow(settings, n, **given, given=self.call.get("timesteps"))

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        return ("lcm", {}) if settings.get("stochastic_sampling") else EULER


@register("FlowMatchHeunDiscreteScheduler")
class FlowMatchHeun(Flow):
    level_class = levels.TwoCallsFlow

    def asked(self, settings: dict[str, Any], n: int) -> Array | None:
        return asked.flow(settings, n)

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        churned = churn(self.call)
        return ("edm", churned) if churned.get("s_churn") else (EULER[0], {"solver": "heun"})


@register("FlowMatchLCMScheduler")
class FlowMatchLCM(Flow):
    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        return "lcm", {}


@register("LTXEulerAncestralRFScheduler")
class LTXEulerAncestralRF(Flow):
    def sigmas(self) -> list[float]:
        """With the last, at which the sample lands; `timesteps` is another name for them."""
        return [*super().sigmas(), 0.0]

    def times_given(self, session: SchedulerSession) -> list[float]:
        return []

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        return "flow_ancestral", {k: float(settings.get(k, 1.0)) for k in ("eta", "s_noise")}


@register("HeliosScheduler")
class Helios(Flow):
    """One stage; with more, σ are local to a stage, and the pipeline resamples in between."""

    def sigmas(self) -> list[float]:
        """The argument is declared a bool, and what its own pipeline passes is an array."""
        return []

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        return EULER if settings["scheduler_type"] == "euler" else unipc(settings)

    def order(self, traits: Traits) -> float | None:
        settings = self.settings
        return 1.0 if settings["scheduler_type"] == "euler" else float(settings["solver_order"])

    def unusable(self) -> str | None:
        if self.settings["stages"] == 1:
            return None
        return "certified with stages=1 only: with more, σ is local to a stage and not a level"


class DataTimes(levels.FlowMatchSigmas):
    """MiniMax-H3: the time runs from 0 at noise to 1 at data."""

    time_derivation = "the time is 1 − σ in float32: 1e-3 of a training step"

    def told(self, time: float) -> Level:
        return Level(time, 1 - time)

    def gap(self, told: Level, own: Level) -> float:
        return abs(told.sigma - own.sigma) * 1000

    def impose(self, grid: Grid) -> None:
        super().impose(grid)
        self.s.timesteps = 1 - self.s.sigmas[:-1]


@register("MiniMaxH3Scheduler")
class MiniMaxH3(Flow):
    """Its n counts levels, not steps, and its velocity points from noise to data."""

    level_class = DataTimes

    def set_timesteps(self, scheduler: Any, n: int) -> None:
        super().set_timesteps(scheduler, n + 1)

    def output(self, session: SchedulerSession, m: Tensor, i: int) -> Tensor:
        return -m
