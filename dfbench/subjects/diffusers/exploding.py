"""Euler, LMS, Heun, DPM2, DPM-Solver SDE: variance-exploding state, a table of σ."""

from __future__ import annotations

from typing import Any

import numpy as np

from dfbench.levels import Array
from dfbench.outcome import Expected
from dfbench.subjects.diffusers import asked
from dfbench.subjects.diffusers import scheduler_levels as levels
from dfbench.subjects.diffusers.sampler import Published, SchedulerSampler, register
from dfbench.subjects.diffusers.session import SchedulerSession
from dfbench.subjects.diffusers.solvers import Preconditioned

SPACED = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")


def churn(call: dict[str, Any]) -> dict[str, float]:
    """The options of EDM's churn that are given."""
    return {k: float(call[k]) for k in ("s_churn", "s_tmin", "s_tmax", "s_noise") if k in call}


class Exploding(SchedulerSampler):
    level_class: type[levels.SchedulerLevels] = levels.VESigmas

    def asked(self, settings: dict[str, Any], n: int) -> Array | None:
        return asked.exploding(settings, n, self.call.get("timesteps"), self.call.get("sigmas"))

    def sigmas(self) -> list[float]:
        """Between those of a run of its own, and the last, at which the sample lands."""
        ratio = self.session(self.counts((10,))[0]).grid.ratio[:-1]
        if len(ratio) < 9:
            return []
        inner = np.sqrt(ratio[1:] * ratio[:-1])[[0, 1, 3, 4, 7]]
        return [*map(float, inner), 0.0]


class OwnTimes(Exploding):
    """Makes a run of all training steps when constructed: `add_noise` knows its times."""

    def by_design(self) -> dict[str, Expected]:
        known = super().by_design()
        spaced = next((k for k in SPACED if self.settings.get(k)), None)
        if spaced:
            known["companions"] = Expected(
                f"with {spaced}=True the times of a run are not the training steps, and "
                "add_noise takes times of the run only: at any other it raises IndexError",
                unit="errors raised",
            )
        return known


class NoSample(Exploding):
    """Takes "epsilon" and "v_prediction" only."""

    def other_predictions(self) -> dict[str, str]:
        known = super().other_predictions()
        return {name: kind for name, kind in known.items() if name != "sample"}


@register("EulerDiscreteScheduler")
class Euler(Exploding):
    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        churned = churn(self.call)
        if not churned.get("s_churn"):
            return "euler", {}
        return "edm", {**churned, "second_order": False}


@register("EDMEulerScheduler")
class EDMEuler(Preconditioned, Euler):
    pass


@register("EulerAncestralDiscreteScheduler")
class EulerAncestral(NoSample):
    published = "euler_ancestral"


@register("LMSDiscreteScheduler")
class LMS(OwnTimes):
    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        return "lms", {"order": int(self.call.get("order", 4))}


@register("HeunDiscreteScheduler")
class Heun(OwnTimes):
    level_class = levels.TwoCallsVE
    published = "heun"


@register("KDPM2DiscreteScheduler")
class DPM2(NoSample, OwnTimes):
    level_class = levels.Midpoints
    published = "dpm2"


@register("KDPM2AncestralDiscreteScheduler")
class DPM2Ancestral(NoSample, OwnTimes):
    level_class = levels.AncestralMidpoints
    published = "dpm2_ancestral"


@register("DPMSolverSDEScheduler")
class DPMSolverSDE(NoSample, OwnTimes):
    level_class = levels.SDEMidpoints

    def by_design(self) -> dict[str, Expected]:
        known = super().by_design()
        if self.settings.get("noise_sampler_seed") is not None:
            fixed = "noise_sampler_seed fixes the noise of every run, as documented"
            known["noise"] = Expected(fixed, within=1.0, unit="problems")
            known["fresh-noise"] = Expected(fixed, within=12.0, unit="problems")  # two a step
        return known

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        return "dpmpp_sde", {k: v for k, v in churn(self.call).items() if k == "s_noise"}
