"""LCM, TCD, consistency models, sCM: samplers for networks that jump to the data."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from dfbench.levels import Level
from dfbench.outcome import Expected
from dfbench.samplers.ancestral import consistency_scalings, lcm_scalings
from dfbench.subjects.diffusers import scheduler_levels as levels
from dfbench.subjects.diffusers.discrete import Discrete
from dfbench.subjects.diffusers.sampler import Published, SchedulerSampler, register
from dfbench.subjects.diffusers.session import SchedulerSession
from dfbench.subjects.diffusers.solvers import Preconditioned

SUBSET = "its steps are a fixed subset of the training steps"


class StepsToData(levels.TrainingSteps):
    """LCM lands on clean data whatever `final_alpha_cumprod` says."""

    @property
    def final(self) -> Level:
        return Level(1.0, 0.0)


@register("LCMScheduler")
class LCM(Discrete):
    level_class: type[levels.SchedulerLevels] = StepsToData
    fixed = SUBSET

    def asked(self, settings: dict[str, Any], n: int) -> None:
        """Of a subset of a longer run's steps there is no formula but the code's own."""

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        if session is None:
            return "lcm", {"c_skip": 0.1, "c_out": 0.9}
        scaling = float(settings["timestep_scaling"])
        pairs = [lcm_scalings(call.time, scaling) for call in session.calls]
        return "lcm", {"c_skip": [p[0] for p in pairs], "c_out": [p[1] for p in pairs]}


class StepsToFirst(levels.TrainingSteps):
    """TCD lands at the first training step."""

    @property
    def final(self) -> Level:
        return self.told(0.0)


@register("TCDScheduler")
class TCD(LCM):
    level_class = StepsToFirst

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        gamma = float(self.call.get("eta", 0.3))
        if session is None:
            return "tcd", {"gamma": gamma}
        ends = [*(call.time for call in session.calls[1:]), 0.0]
        below = [session.levels.trained_at(float(math.floor((1 - gamma) * t))).ratio for t in ends]
        return "tcd", {"gamma": gamma, "down": below}


class ConsistencySigmas(levels.EDMSigmas):
    """Consistency models: time 250 log σ, the last table entry is σ_min."""

    time_tolerance = 1e-4
    time_derivation = "250 log σ, where the table is in float32"

    def told(self, time: float) -> Level:
        return self.level(math.exp(time / 250))

    @property
    def final(self) -> Level:
        return Level(1.0, 0.0)


@register("CMStochasticIterativeScheduler")
class ConsistencyModels(Preconditioned):
    level_class = ConsistencySigmas
    fixed = SUBSET

    def asked(self, settings: dict[str, Any], n: int) -> None:
        """Its times are given one by one."""

    def clipping(self, settings: dict[str, Any]) -> None:
        """What it clips is its own combination of state and output, which is no x̂."""

    def output(self, session: SchedulerSession, m: Tensor, i: int) -> Tensor:
        return m

    def by_design(self) -> dict[str, Expected]:
        known = super().by_design()
        off = abs(self.settings.get("s_noise", 1.0) - 1)
        if off:
            other_noise = Expected(
                "s_noise ≠ 1 adds noise of another size than the level has, as documented",
                within=2 * off,
                unit="of the state's size",
            )
            known |= dict.fromkeys(("bookkeeping", "identity"), other_noise)
        return known

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        low, data = float(settings["sigma_min"]), float(settings["sigma_data"])
        if session is None:
            return "lcm", {"c_skip": 0.1, "c_out": 0.9, "sigma_min": low}
        own = [call.own for call in session.calls]
        pairs = [consistency_scalings(level.ratio, low, data) for level in own]
        # the state of the table is the network's, c_in x
        skip = [a / level.alpha for (a, _), level in zip(pairs, own, strict=True)]
        return "lcm", {"c_skip": skip, "c_out": [b for _, b in pairs], "sigma_min": low}


class Angles(levels.ContinuousTimes):
    """sCM: α = cos t, σ = sin t in units of σ_data."""

    cleanest = 0.0
    time_derivation = "the time is the angle itself"

    def told(self, time: float) -> Level:
        return Level(max(0.0, math.cos(time)), math.sin(time))

    def gap(self, told: Level, own: Level) -> float:
        return levels.angle_gap(told, own)


@register("SCMScheduler")
class SCM(SchedulerSampler):
    """The sample is in units of the data; the network sees it, and answers, in units of σ_data."""

    level_class = Angles
    published = "scm"
    fixed = "does not converge by design"
    default_prediction = "v_prediction"
    also = None

    def by_design(self) -> dict[str, Expected]:
        beyond = Expected(
            "max_timesteps is π/2 rounded up to 1.57080, where cos t = −3.7e-6: "
            "the start is a state with that much signal, of the wrong sign",
            within=7.4e-6,
            unit="of the state's size",
        )
        return {"bookkeeping": beyond}

    def set_timesteps(self, scheduler: Any, n: int) -> None:
        default = {} if n == 2 else {"intermediate_timesteps": None}
        scheduler.set_timesteps(n, **{**default, **self.timestep_options})

    def other_predictions(self) -> dict[str, str]:
        return {}

    def step(self, session: SchedulerSession, i: int, m: Tensor, x: Tensor) -> Tensor:
        unit = float(session.scheduler.config.sigma_data)
        out = super().step(session, i, unit * m, unit * x) / unit
        session.preview = None if session.preview is None else session.preview / unit
        return out
