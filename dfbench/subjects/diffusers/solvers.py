"""DPM-Solver, DEIS, UniPC, SA-Solver: a table of σ/α (or flow σ), variance-preserving state."""

from __future__ import annotations

from typing import Any

from dfbench.samplers.method import Traits
from dfbench.subjects.diffusers.catalogue import STANDARD, Entry, Named, register
from dfbench.subjects.diffusers.forms import EDM, Cosine, Form, SigmasFlow, SigmasVP


class Solver(Entry):
    """Ratios, or flow's σ under `use_flow_sigmas`."""

    form_class: type[Form] = SigmasVP
    two_scales = True

    def form(self, scheduler: Any, n: int) -> Form:
        flow = scheduler.config.get("use_flow_sigmas", False)
        return (SigmasFlow if flow else SigmasVP)(scheduler, n)

    def channels(self, settings: dict[str, Any]) -> int | None:
        """With a learned variance the first three channels of the output are the prediction."""
        learned = settings.get("variance_type") in ("learned", "learned_range")
        return 3 if learned and settings.get("prediction_type", "epsilon") == "epsilon" else None

    def predictions(self, settings: dict[str, Any]) -> dict[str, str]:
        if self.channels(settings):
            return {"epsilon": "eps"}
        noise = settings.get("algorithm_type") in ("dpmsolver", "sde-dpmsolver", "noise_prediction")
        if settings.get("use_flow_sigmas") and not noise:
            return {**STANDARD, "flow_prediction": "u"}
        return STANDARD

    def expected(self, settings: dict[str, Any], call: dict[str, Any]) -> dict[str, str]:
        known = super().expected(settings, call)
        spaced = [k for k in ("use_karras_sigmas", "use_lu_lambdas") if settings.get(k)]
        if spaced and not self.ascending and not _breaks_when_spaced(settings):
            known["counts"] = (
                f"{spaced[0]}=True rounds the times to whole training steps, as written: with many "
                "steps the last levels are closer than one, and two of them are told the same time"
            )
        return known


def _breaks_when_spaced(settings: dict[str, Any]) -> bool:
    """Options that do more harm than a repeated time, or that set the levels apart."""
    given = settings.get
    higher = given("solver_type") == "heun" or given("solver_order") == 3
    return (
        given("beta_schedule") == "squaredcos_cap_v2"  # the first times are equal too
        or (given("final_sigmas_type") == "sigma_min" and higher)  # the last step has no length
        or (given("algorithm_type") == "sde-dpmsolver" and given("solver_order") == 3)
        or given("solver_type") == "bh1"
        or given("predict_x0") is False
        or given("sigma_min") is not None
    )


def final_orders(settings: dict[str, Any], session: Any) -> dict[str, Any]:
    """How the last steps lower their order: below 15 steps, and always onto σ = 0."""
    n = 20 if session is None else session.n
    return {
        "lower_order_final": bool(settings.get("lower_order_final")) and n < 15,
        "euler_at_final": bool(settings.get("euler_at_final"))
        or settings.get("final_sigmas_type") == "zero",
    }


class MultistepOrder(Entry):
    """Declares the order of its option `solver_order`."""

    def order(self, settings: dict[str, Any], traits: Traits) -> float | None:
        if traits.stochastic:
            return traits.order
        return float(settings.get("solver_order", 2))


@register("DPMSolverMultistepScheduler")
class DPMSolverMultistep(MultistepOrder, Solver):
    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named | None:
        kind = settings.get("algorithm_type", "dpmsolver++")
        options = {
            "order": settings["solver_order"],
            "solver_type": settings.get("solver_type", "midpoint"),
            **final_orders(settings, session),
        }
        name = {
            "dpmsolver++": "dpm_solver_pp_multistep",
            "dpmsolver": "dpm_solver_multistep",
            "sde-dpmsolver++": "sde_dpm_solver_pp",
            "sde-dpmsolver": "sde_dpm_solver",
        }[kind]
        if options["order"] == 3:  # the paper prints no 3M: its authors' code is the method
            options["halved"] = True
        return name, options


@register("DPMSolverMultistepInverseScheduler")
class DPMSolverMultistepInverse(DPMSolverMultistep):
    ascending = True
    imposable = False
    why_fixed = "it goes from clean to noise; orders are judged from noise to clean"


@register("DPMSolverSinglestepScheduler")
class DPMSolverSinglestep(Solver):
    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named | None:
        kind = settings.get("algorithm_type", "dpmsolver++")
        if kind == "sde-dpmsolver++":
            return None  # no paper has a singlestep SDE solver
        heun = settings.get("solver_type") == "heun"
        options: dict[str, Any] = {"order": settings["solver_order"], "on_grid": True}
        if options["order"] == 3 and not heun:
            options["inner"] = "midpoint"
        if session is not None:
            options["orders"] = blocks(session.scheduler.order_list)
        if kind == "dpmsolver":
            return "dpm_solver", {**options, "solver_type": "taylor" if heun else "dpmsolver"}
        return "dpm_solver_pp", {**options, "solver_type": "heun" if heun else "midpoint"}

    def unknown_traits(self, settings: dict[str, Any]) -> Traits:
        return Traits(order=1, stochastic=True)

    def order(self, settings: dict[str, Any], traits: Traits) -> float | None:
        return float(settings["solver_order"])


def blocks(order_list: list[int]) -> list[int]:
    """[1, 2, 1, 2, 1] → [2, 2, 1]: the evaluations that each step of the method takes."""
    found: list[int] = []
    for k in order_list:
        if k == 1:
            found.append(1)
        else:
            found[-1] = k
    return found


@register("DEISMultistepScheduler")
class DEIS(MultistepOrder, Solver):
    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        options = final_orders(settings, session)
        return "deis", {
            "order": settings["solver_order"],
            "variable": "log_rho",
            "lower_order_final": options["lower_order_final"],
        }


@register("UniPCMultistepScheduler")
class UniPC(Solver):
    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        return "unipc", {
            "order": settings["solver_order"],
            "variant": settings.get("solver_type", "bh2"),
            "predict_x0": settings.get("predict_x0", True),
            "disable_corrector": tuple(settings.get("disable_corrector") or ()),
            "lower_order_final": settings.get("lower_order_final", True),
        }

    def order(self, settings: dict[str, Any], traits: Traits) -> float | None:
        return float(settings["solver_order"])


@register("SASolverScheduler")
class SASolver(Solver):
    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named:
        # the default τ is 1 between the training steps 200 and 800, and 0 elsewhere
        tau: Any = 1.0 if settings["num_train_timesteps"] > 200 else 0.0
        if session is not None:
            tau = [float(session.scheduler.tau_func(t)) for t in session.form.times]
        return "sa_solver", {
            "predictor_order": settings["predictor_order"],
            "corrector_order": settings["corrector_order"],
            "tau": tau,
            "few_steps": True,
            "predict_x0": settings["algorithm_type"] == "data_prediction",
            "lower_order_final": settings["lower_order_final"],
        }


class Preconditioned(Entry):
    """EDM*: the raw network output, preconditioned with σ_data; "v_prediction" is its negative."""

    form_class: type[Form] = EDM
    two_scales = False

    def kind(self, kind: str) -> str:
        return "edm"

    def predictions(self, settings: dict[str, Any]) -> dict[str, str]:
        return {}

    def output(self, session: Any, m: Any, i: int) -> Any:
        return -m if session.scheduler.config.prediction_type == "v_prediction" else m


@register("EDMDPMSolverMultistepScheduler")
class EDMDPMSolverMultistep(Preconditioned, DPMSolverMultistep):
    def form(self, scheduler: Any, n: int) -> Form:
        return EDM(scheduler, n)


@register("CosineDPMSolverMultistepScheduler")
class CosineDPMSolverMultistep(Preconditioned, DPMSolverMultistep):
    def form(self, scheduler: Any, n: int) -> Form:
        return Cosine(scheduler, n)

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named | None:
        return super().method({**settings, "algorithm_type": "sde-dpmsolver++"}, call, session)
