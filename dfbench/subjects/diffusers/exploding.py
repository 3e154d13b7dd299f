"""Euler, LMS, Heun, DPM2, DPM-Solver SDE: variance-exploding state, a table of σ."""

from __future__ import annotations

from typing import Any

from dfbench.subjects.diffusers.catalogue import STANDARD, Entry, Named, register
from dfbench.subjects.diffusers.forms import (
    EDM,
    AncestralMidpoints,
    Form,
    Midpoints,
    SDEMidpoints,
    SigmasVE,
    TwoCalls,
)
from dfbench.subjects.diffusers.solvers import Preconditioned

CHURN = ("s_churn", "s_tmin", "s_tmax", "s_noise")
SPACED = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")


class Exploding(Entry):
    form_class: type[Form] = SigmasVE


class OwnTimes(Exploding):
    """Makes a run of all training steps when constructed: `add_noise` knows its times."""

    def expected(self, settings: dict[str, Any], call: dict[str, Any]) -> dict[str, str]:
        known = super().expected(settings, call)
        spaced = [k for k in SPACED if settings.get(k)]
        if spaced:
            known["companions"] = (
                f"with {spaced[0]}=True the times of a run are not the training steps, and "
                "add_noise takes times of the run only: at any other it raises IndexError"
            )
        return known


class NoSample(Exploding):
    """Takes "epsilon" and "v_prediction" only."""

    def predictions(self, settings: dict[str, Any]) -> dict[str, str]:
        return {name: kind for name, kind in STANDARD.items() if name != "sample"}


@register("EulerDiscreteScheduler")
class Euler(Exploding):
    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        churn = {key: float(call[key]) for key in CHURN if key in call}
        if not churn.get("s_churn"):
            return "euler", {}
        return "edm", {**churn, "second_order": False}


@register("EDMEulerScheduler")
class EDMEuler(Preconditioned, Euler):
    form_class = EDM


@register("EulerAncestralDiscreteScheduler")
class EulerAncestral(NoSample):
    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "euler_ancestral", {}


@register("LMSDiscreteScheduler")
class LMS(OwnTimes):
    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "lms", {"order": int(call.get("order", 4))}


@register("HeunDiscreteScheduler")
class Heun(OwnTimes):
    form_class = TwoCalls

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "heun", {}


@register("KDPM2DiscreteScheduler")
class DPM2(NoSample, OwnTimes):
    form_class = Midpoints

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "dpm2", {}


@register("KDPM2AncestralDiscreteScheduler")
class DPM2Ancestral(NoSample, OwnTimes):
    form_class = AncestralMidpoints

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "dpm2_ancestral", {}


@register("DPMSolverSDEScheduler")
class DPMSolverSDE(NoSample, OwnTimes):
    form_class = SDEMidpoints

    def expected(self, settings: dict[str, Any], call: dict[str, Any]) -> dict[str, str]:
        known = super().expected(settings, call)
        if settings.get("noise_sampler_seed") is not None:
            known["noise"] = "noise_sampler_seed fixes the noise of every run, as documented"
        return known

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        options = {"s_noise": float(call["s_noise"])} if "s_noise" in call else {}
        return "dpmpp_sde", options
