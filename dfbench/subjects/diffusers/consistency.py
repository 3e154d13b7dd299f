"""LCM, TCD, consistency models, sCM: samplers for networks that jump to the data."""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch

from dfbench.errors import Unsupported
from dfbench.levels import Grid, Level
from dfbench.samplers.ancestral import consistency_scalings, lcm_scalings
from dfbench.subjects.diffusers.catalogue import Entry, Named, Stepper, register
from dfbench.subjects.diffusers.discrete import DiscreteEntry
from dfbench.subjects.diffusers.forms import EDM, Discrete, Form
from dfbench.subjects.diffusers.solvers import Preconditioned


class Jumps(Discrete):
    """LCM lands on clean data whatever `final_alpha_cumprod` says."""

    @property
    def final(self) -> Level:
        return Level(1.0, 0.0)


@register("LCMScheduler")
class LCM(DiscreteEntry):
    form_class: type[Form] = Jumps
    imposable = False
    why_fixed = "its steps are a fixed subset of the training steps"

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        if session is None:
            return "lcm", {"c_skip": 0.1, "c_out": 0.9}
        scaling = float(settings["timestep_scaling"])
        pairs = [lcm_scalings(float(t), scaling) for t in session.form.times]
        return "lcm", {"c_skip": [p[0] for p in pairs], "c_out": [p[1] for p in pairs]}


class Trajectory(Discrete):
    """TCD lands at the first training step."""

    @property
    def final(self) -> Level:
        return self._trained_at(0.0)


@register("TCDScheduler")
class TCD(LCM):
    form_class = Trajectory

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        gamma = float(call.get("eta", 0.3))
        if session is None:
            return "tcd", {"gamma": gamma}
        ends = [*(int(t) for t in session.form.times[1:]), 0]
        below = [session.form._trained_at(float(math.floor((1 - gamma) * t))).ratio for t in ends]
        return "tcd", {"gamma": gamma, "down": below}


class ConsistencyLevels(EDM):
    """Consistency models: time 250 log σ, the last table entry is σ_min."""

    time_tolerance = 1e-4
    time_derivation = "250 log σ, where the table is in float32"

    def told(self, i: int) -> Level:
        return self.level(math.exp(float(self.times[i]) / 250))

    @property
    def final(self) -> Level:
        return Level(1.0, 0.0)


@register("CMStochasticIterativeScheduler")
class ConsistencyModels(Preconditioned):
    form_class = ConsistencyLevels
    imposable = False
    why_fixed = "its steps are a fixed subset of the training steps"

    def output(self, session: Any, m: torch.Tensor, i: int) -> torch.Tensor:
        return m

    def expected(self, settings: dict[str, Any], call: dict[str, Any]) -> dict[str, str]:
        known = super().expected(settings, call)
        if settings.get("s_noise", 1.0) != 1.0:
            reason = "s_noise ≠ 1 adds noise of another size than the level has, as documented"
            known |= dict.fromkeys(("bookkeeping", "identity"), reason)
        return known

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        low, data = float(settings["sigma_min"]), float(settings["sigma_data"])
        if session is None:
            return "lcm", {"c_skip": 0.1, "c_out": 0.9, "sigma_min": low}
        skip, out = [], []
        for i in range(session.calls):
            level = session.form.own(i)
            a, b = consistency_scalings(level.ratio, low, data)
            skip.append(a / level.alpha)  # the state of the table is the network's, c_in x
            out.append(b)
        return "lcm", {"c_skip": skip, "c_out": out, "sigma_min": low}


class Trigonometric(Form):
    """sCM: α = cos t, σ = sin t in units of σ_data."""

    cleanest = 0.0

    time_tolerance = 1e-6
    time_derivation = "the time is the angle itself"

    @property
    def times(self) -> list[Any]:
        return list(self.s.timesteps[:-1])

    def own(self, i: int) -> Level:
        t = float(self.times[i])
        return Level(max(0.0, math.cos(t)), math.sin(t))

    told = own

    @property
    def final(self) -> Level:
        t = float(self.s.timesteps[-1])
        return Level(math.cos(t), math.sin(t))

    def gap(self, told: Level, own: Level) -> float:
        return abs(math.atan2(told.sigma, told.alpha) - math.atan2(own.sigma, own.alpha))

    def impose(self, grid: Grid) -> None:
        raise Unsupported("does not converge by design")


@register("SCMScheduler")
class SCM(Entry):
    """The sample is in units of the data; the network sees it, and answers, in units of σ_data."""

    form_class = Trigonometric

    def expected(self, settings: dict[str, Any], call: dict[str, Any]) -> dict[str, str]:
        return {
            "bookkeeping": "max_timesteps is π/2 rounded up to 1.57080, where cos t = −3.7e-6: "
            "the start is a state with that much signal, of the wrong sign"
        }

    default_prediction = "v_prediction"
    special = True

    def set_timesteps(self, scheduler: Any, n: int, options: dict[str, Any]) -> None:
        default = {} if n == 2 else {"intermediate_timesteps": None}
        scheduler.set_timesteps(n, **{**default, **options})

    def predictions(self, settings: dict[str, Any]) -> dict[str, str]:
        return {}

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "scm", {}

    def stepper(self, session: Any, generator: torch.Generator | None) -> Stepper:
        unit = float(session.scheduler.config.sigma_data)
        takes = "generator" in inspect.signature(session.scheduler.step).parameters
        options = {"generator": generator} if takes else {}

        def step(i: int, m: torch.Tensor, t: Any, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = session.scheduler.step(unit * m, t, unit * x, **options).prev_sample
            return out / unit

        return step
