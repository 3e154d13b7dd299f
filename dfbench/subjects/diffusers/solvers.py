"""DPM-Solver, DEIS, UniPC, SA-Solver: a table of σ/α (or flow σ), variance-preserving state."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dfbench.levels import Array
from dfbench.outcome import Expected
from dfbench.samplers.method import Traits
from dfbench.subjects.diffusers import asked
from dfbench.subjects.diffusers import scheduler_levels as levels
from dfbench.subjects.diffusers.sampler import STANDARD, Published, SchedulerSampler, register
from dfbench.subjects.diffusers.session import SchedulerSession


class LogSNRSolver(SchedulerSampler):
    """Ratios, or flow's σ under `use_flow_sigmas`; declares the order of its `solver_order`."""

    level_class: type[levels.SchedulerLevels] = levels.VPSigmas
    two_scales = True
    ends_at = ""  # `final_sigmas_type`, where that is no option

    def levels_of(self, scheduler: Any) -> type[levels.SchedulerLevels]:
        return levels.FlowSigmas if self.settings.get("use_flow_sigmas", False) else levels.VPSigmas

    def asked(self, settings: dict[str, Any], n: int) -> Array | None:
        if self.ascending:
            return None
        given = self.call.get("timesteps")
        return asked.solver(settings, n, given=given, ends_at=self.ends_at)

    def order(self, traits: Traits) -> float | None:
        return traits.order if traits.stochastic else float(self.settings.get("solver_order", 2))

    @property
    def channels(self) -> int | None:
        """With a learned variance the first three channels of the output are the prediction."""
        learned = self.settings.get("variance_type") in ("learned", "learned_range")
        noise = self.settings.get("prediction_type", "epsilon") == "epsilon"
        return 3 if learned and noise else None

    def other_predictions(self) -> dict[str, str]:
        if self.channels:
            return {"epsilon": "eps"}
        kind = self.settings.get("algorithm_type")
        noise = kind in ("dpmsolver", "sde-dpmsolver", "noise_prediction")
        if self.settings.get("use_flow_sigmas") and not noise:
            return {**STANDARD, "flow_prediction": "u"}
        return STANDARD

    def by_design(self) -> dict[str, Expected]:
        known = super().by_design()
        spacings = ("use_karras_sigmas", "use_lu_lambdas")
        spaced = next((k for k in spacings if self.settings.get(k)), None)
        if spaced and not self.ascending and not _breaks_when_spaced(self.settings):
            known["counts"] = Expected(
                f"{spaced}=True rounds the times to whole training steps, as written: with many "
                "steps the last levels are closer than one, and two of them are told the same time",
                within=10.0,
                unit="step counts that go wrong",
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


def lowered(settings: dict[str, Any], session: SchedulerSession | None) -> bool:
    """Whether the last steps lower their order, which they do below 15 steps."""
    return bool(settings.get("lower_order_final")) and session is not None and session.n < 15


@register("DPMSolverMultistepScheduler")
class DPMSolverMultistep(LogSNRSolver):
    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        name = {
            "dpmsolver++": "dpm_solver_pp_multistep",
            "dpmsolver": "dpm_solver_multistep",
            "sde-dpmsolver++": "sde_dpm_solver_pp",
            "sde-dpmsolver": "sde_dpm_solver",
        }[settings.get("algorithm_type", "dpmsolver++")]
        onto_zero = settings.get("final_sigmas_type") == "zero"  # always by Euler's step
        options = {
            "order": settings["solver_order"],
            "solver_type": settings.get("solver_type", "midpoint"),
            "lower_order_final": lowered(settings, session),
            "euler_at_final": bool(settings.get("euler_at_final")) or onto_zero,
        }
        if options["order"] == 3:  # the paper prints no 3M: its authors' code is the method
            options["halved"] = True
        return name, options


@register("DPMSolverMultistepInverseScheduler")
class DPMSolverMultistepInverse(DPMSolverMultistep):
    ascending = True
    fixed = "it goes from clean to noise; orders are judged from noise to clean"


@register("DPMSolverSinglestepScheduler")
class DPMSolverSinglestep(LogSNRSolver):
    def asked(self, settings: dict[str, Any], n: int) -> Array | None:
        return asked.solver(settings, n, given=self.call.get("timesteps"), spaced=False)

    def method(
        self, settings: dict[str, Any], session: SchedulerSession | None
    ) -> Published | None:
        kind = settings.get("algorithm_type", "dpmsolver++")
        if kind == "sde-dpmsolver++":
            return None  # no paper has a singlestep SDE solver
        heun = settings.get("solver_type") == "heun"
        options: dict[str, Any] = {"order": settings["solver_order"], "on_grid": True}
        if options["order"] == 3 and not heun:
            options["inner"] = "midpoint"
        if session is not None:
            rest = session.scheduler.order_list[session.first :]
            options["orders"] = blocks([min(k, i + 1) for i, k in enumerate(rest)])
        if kind == "dpmsolver":
            return "dpm_solver", {**options, "solver_type": "taylor" if heun else "dpmsolver"}
        return "dpm_solver_pp", {**options, "solver_type": "heun" if heun else "midpoint"}

    def unknown_traits(self) -> Traits:
        return Traits(order=1, stochastic=True)


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
class DEIS(LogSNRSolver):
    ends_at = "sigma_min"

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        return "deis", {
            "order": settings["solver_order"],
            "variable": "log_rho",
            "lower_order_final": lowered(settings, session),
        }


def unipc(settings: dict[str, Any], first: int = 0) -> Published:
    """UniPC under the options of a scheduler, whose run begins at a step of the whole one."""
    disabled = [step - first for step in settings["disable_corrector"] or () if step >= first]
    return "unipc", {
        "order": settings["solver_order"],
        "variant": settings["solver_type"],
        "predict_x0": settings["predict_x0"],
        "disable_corrector": tuple(disabled),
        "lower_order_final": settings["lower_order_final"],
    }


@register("UniPCMultistepScheduler")
class UniPC(LogSNRSolver):
    def asked(self, settings: dict[str, Any], n: int) -> Array | None:
        return asked.solver(settings, n, noise=True)

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        return unipc(settings, session.first if session else 0)


@register("SASolverScheduler")
class SASolver(LogSNRSolver):
    ends_at = "sigma_min"

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        # the default τ is 1 between the training steps 200 and 800, and 0 elsewhere
        tau: Any = 1.0 if settings["num_train_timesteps"] > 200 else 0.0
        if session is not None:
            tau = [
                float(session.scheduler.tau_func(t)) for t in session.levels.times[session.first :]
            ]
        return "sa_solver", {
            "predictor_order": settings["predictor_order"],
            "corrector_order": settings["corrector_order"],
            "tau": tau,
            "few_steps": True,
            "predict_x0": settings["algorithm_type"] == "data_prediction",
            "lower_order_final": settings["lower_order_final"],
        }

    def order(self, traits: Traits) -> float | None:
        return traits.order


class Preconditioned(SchedulerSampler):
    """EDM*: the raw network output, preconditioned with σ_data; "v_prediction" is its negative."""

    level_class: type[levels.SchedulerLevels] = levels.EDMSigmas
    two_scales = False

    def levels_of(self, scheduler: Any) -> type[levels.SchedulerLevels]:
        return self.level_class

    def prediction(self) -> str:
        super().prediction()
        return "edm"

    def asked(self, settings: dict[str, Any], n: int) -> Array | None:
        if "sigma_max" not in settings:
            return None
        return asked.edm(settings, n, self.call.get("sigmas"))

    def sigmas(self) -> list[float]:
        """How far each is along the way from σ_max to σ_min."""
        return [0.0, 0.1, 0.35, 0.6, 1.0]

    def other_predictions(self) -> dict[str, str]:
        return {}

    def output(self, session: SchedulerSession, m: Tensor, i: int) -> Tensor:
        return -m if self.settings["prediction_type"] == "v_prediction" else m


@register("EDMDPMSolverMultistepScheduler")
class EDMDPMSolverMultistep(Preconditioned, DPMSolverMultistep):
    pass


@register("CosineDPMSolverMultistepScheduler")
class CosineDPMSolverMultistep(Preconditioned, DPMSolverMultistep):
    level_class = levels.ArctanSigmas

    def method(self, settings: dict[str, Any], session: SchedulerSession | None) -> Published:
        return super().method({**settings, "algorithm_type": "sde-dpmsolver++"}, session)
