"""FlowMatch* and their kin: z = (1 − σ) x + σ ε, the model returns ε − x."""

from __future__ import annotations

from typing import Any

import torch

from dfbench.levels import Grid, Level
from dfbench.samplers.method import Traits
from dfbench.subjects.diffusers.catalogue import Entry, Named, register
from dfbench.subjects.diffusers.forms import FlowMatch, Form, TwoCallsFlow

CHURN = ("s_churn", "s_tmin", "s_tmax", "s_noise")


class Flow(Entry):
    form_class: type[Form] = FlowMatch
    default_prediction = "flow_prediction"

    def predictions(self, settings: dict[str, Any]) -> dict[str, str]:
        return {}

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "flow_matching", {"solver": "euler"}

    def output(self, session: Any, m: torch.Tensor, i: int) -> torch.Tensor:
        """With `invert_sigmas` the velocity points from noise to data."""
        return -m if session.scheduler.config.get("invert_sigmas") else m


@register("FlowMatchEulerDiscreteScheduler")
class FlowMatchEuler(Flow):
    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        if settings.get("stochastic_sampling"):
            return "lcm", {}
        return "flow_matching", {"solver": "euler"}


@register("FlowMapEulerDiscreteScheduler")
class FlowMapEuler(Flow):
    pass


@register("FlowMatchHeunDiscreteScheduler")
class FlowMatchHeun(Flow):
    form_class = TwoCallsFlow

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        churn: dict[str, Any] = {k: float(call[k]) for k in CHURN if k in call}
        if churn.get("s_churn"):
            return "edm", churn
        return "flow_matching", {"solver": "heun"}


@register("FlowMatchLCMScheduler")
class FlowMatchLCM(Flow):
    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "lcm", {}


@register("LTXEulerAncestralRFScheduler")
class LTXEulerAncestralRF(Flow):
    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "flow_ancestral", {
            "eta": float(settings.get("eta", 1.0)),
            "s_noise": float(settings.get("s_noise", 1.0)),
        }


@register("HeliosScheduler")
class Helios(Flow):
    """One stage; with more, σ are local to a stage, and the pipeline resamples in between."""

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        if settings["scheduler_type"] == "euler":
            return "flow_matching", {"solver": "euler"}
        return "unipc", {
            "order": settings["solver_order"],
            "variant": settings["solver_type"],
            "predict_x0": settings["predict_x0"],
            "disable_corrector": tuple(settings["disable_corrector"]),
            "lower_order_final": settings["lower_order_final"],
        }

    def order(self, settings: dict[str, Any], traits: Traits) -> float | None:
        return 1.0 if settings["scheduler_type"] == "euler" else float(settings["solver_order"])

    def unusable(self, settings: dict[str, Any]) -> str | None:
        if settings["stages"] == 1:
            return None
        return "certified with stages=1 only: with more, σ is local to a stage and not a level"


class DataTimes(FlowMatch):
    """MiniMax-H3: the time runs from 0 at noise to 1 at data."""

    time_derivation = "the time is 1 − σ in float32: 1e-3 of a training step"

    def told(self, i: int) -> Level:
        t = float(self.times[i])
        return Level(t, 1 - t)

    def gap(self, told: Level, own: Level) -> float:
        return abs(told.sigma - own.sigma) * 1000

    def impose(self, grid: Grid) -> None:
        super().impose(grid)
        self.s.timesteps = 1 - self.s.sigmas[:-1]


@register("MiniMaxH3Scheduler")
class MiniMaxH3(Flow):
    """Its n counts levels, not steps, and its velocity points from noise to data."""

    def set_timesteps(self, scheduler: Any, n: int, options: dict[str, Any]) -> None:
        scheduler.set_timesteps(n + 1, **options)

    form_class = DataTimes

    def output(self, session: Any, m: torch.Tensor, i: int) -> torch.Tensor:
        return -m
