"""A diffusers scheduler as a subject, wherever it is defined; a family is a subclass."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from dfbench.errors import Unsupported, Unusable
from dfbench.levels import Grid
from dfbench.readout import Reading
from dfbench.samplers import METHODS
from dfbench.samplers.method import Traits
from dfbench.subjects.contract import Sampler
from dfbench.subjects.diffusers.scheduler_levels import SchedulerLevels, TrainingSteps
from dfbench.subjects.diffusers.session import SchedulerSession, quiet
from dfbench.table import Difference

Published = tuple[str, dict[str, Any]]
"""A reference method and its options."""

#: What a scheduler calls the prediction of its network → a kind of `dfbench.predictions`.
STANDARD = {"epsilon": "eps", "v_prediction": "v", "sample": "x"}
KINDS = {**STANDARD, "flow_prediction": "u", "trigflow": "v"}

#: Options that a clean grid must not have: they change the levels, the last steps, or clip.
PLAIN = {
    "clip_sample": False,
    "thresholding": False,
    "lower_order_final": False,
    "euler_at_final": False,
    "final_sigmas_type": "sigma_min",
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "use_lu_lambdas": False,
    "rescale_betas_zero_snr": False,
    "steps_offset": 0,
    "clip_denoised": False,
    "use_dynamic_shifting": False,
    "invert_sigmas": False,
    "shift_terminal": None,
}

#: Arguments of the calls that are not the user's to give.
OURS = {
    *("self", "model_output", "timestep", "sample", "kwargs"),
    *("num_inference_steps", "device", "generator", "return_dict"),
}


class SchedulerSampler(Sampler):
    """A scheduler class with a configuration and options of the sampling call.

    A family overrides what it knows better; the defaults are those of most classes.

    Args:
        cls: the class; it is constructed anew for every run.
        name: what it is called in reports.
        config, call: arguments of the constructor and of the sampling call.
        version: of the library it comes from.

    Raises:
        Unusable: the constructor refuses, the calls have no such argument, or nobody knows how
            its levels are kept.

    Attributes:
        level_class: how the family keeps its levels.
        published: the reference method that it says it is, where that does not hang on options.
        fixed: why it cannot be made to visit levels of one's own; empty if it can.
        two_scales: variance preserving, and flow under `use_flow_sigmas`.
        own_loop: its `step` is not called as most are, so that no snippet is printed.
        default_prediction: where there is no option `prediction_type`.
        settings: the whole configuration, defaults and all.
    """

    library = "diffusers"
    level_class: type[SchedulerLevels] = TrainingSteps
    published = ""
    fixed = ""
    two_scales = False
    own_loop = False
    default_prediction = "epsilon"

    def __init__(
        self, cls: type, name: str, config: dict[str, Any], call: dict[str, Any], version: str
    ) -> None:
        super().__init__(config, call)
        self.cls, self.name, self.version = cls, name, version
        self._made: dict[str, Any] = {}
        try:
            scheduler = self.made(config)
        except Exception as error:
            raise Unusable(f"{name}: the constructor refuses {config}: {error}") from error
        self.settings: dict[str, Any] = dict(getattr(scheduler, "config", {}))
        self.level_class = self.levels_of(scheduler)
        reason = self.unusable()
        if reason is not None:
            raise Unusable(f"{name}: {reason}")
        self._step_arguments = _arguments(cls, "step")
        self.timestep_options, self.step_options = self._split()
        first = self.prediction()
        self.prediction_types = self.other_predictions()
        self.predictions = (first, *(k for k in self.prediction_types.values() if k != first))
        self.scale = self.level_class.scale
        self.takes_generator = "generator" in self._step_arguments
        self.most_steps = self.settings.get("num_train_timesteps")
        self.traits = self._traits()
        self.expected = self.by_design()

    # What a family may know better ---------------------------------------------------------------

    def levels_of(self, scheduler: Any) -> type[SchedulerLevels]:
        """How a scheduler, just constructed, keeps its levels."""
        return self.level_class

    def method(
        self, settings: dict[str, Any], session: SchedulerSession | None
    ) -> Published | None:
        """Name and options of the published method under these settings; None: none known.

        `session` is None while the traits are asked for.
        """
        return (self.published, {}) if self.published else None

    def order(self, traits: Traits) -> float | None:
        """The order that the class declares, where it is not that of the method."""
        return traits.order

    def unknown_traits(self) -> Traits:
        """What is held against a class whose method is not known."""
        return Traits(order=None, scale_invariant=False)

    def unusable(self) -> str | None:
        """Why a configuration cannot be certified; None if it can."""
        return None

    @property
    def channels(self) -> int | None:
        """The number of channels that the class insists on; None: any."""
        return None

    def prediction(self) -> str:
        """What the network returns."""
        given = self.settings.get("prediction_type", self.default_prediction)
        if given not in KINDS:
            raise Unusable(f"{self.name}: prediction_type {given!r} unknown")
        return KINDS[given]

    def other_predictions(self) -> dict[str, str]:
        """Prediction types that the class can be configured for: its name → ours."""
        return STANDARD if "prediction_type" in self.settings else {}

    def clean(self, n: int) -> dict[str, Any]:
        """Constructor arguments for a run on levels of one's own."""
        accepted = _arguments(self.cls, "__init__")
        return {k: v for k, v in PLAIN.items() if k in accepted}

    def set_timesteps(self, scheduler: Any, n: int) -> None:
        """Make a scheduler ready for n steps."""
        scheduler.set_timesteps(n, **self.timestep_options)

    def output(self, session: SchedulerSession, m: Tensor, i: int) -> Tensor:
        """What is handed to `step` for the network's output m at the i-th call."""
        if self.settings.get("variance_type") in ("learned", "learned_range"):
            return torch.cat([m, torch.zeros_like(m)], dim=1)
        return m

    def step(self, session: SchedulerSession, i: int, m: Tensor, x: Tensor) -> Tensor:
        """The state after the i-th call, with the generator where `step` takes one."""
        given = {"generator": session.generator} if self.takes_generator else {}
        step = session.scheduler.step(m, session.times[i], x, **self.step_options, **given)
        return step.prev_sample  # type: ignore[no-any-return]

    def by_design(self) -> dict[str, str]:
        """Failures that are by design: claim id → reason."""
        known = {}
        clips = ("clip_sample", "clip_denoised", "thresholding")
        clip = next((k for k in clips if self.settings.get(k)), None)
        if clip:
            known["affine"] = (
                f"{clip}=True clips the predicted x₀, as documented: a trait, not a defect; "
                "the table is read inside the clipping range"
            )
        if self.settings.get("rescale_betas_zero_snr") and self.level_class is not TrainingSteps:
            known["told-level"] = (
                "zero terminal SNR is approximated by ᾱ = 2⁻²⁴ (σ/α = 4096), as the code says, "
                "because σ = ∞ cannot be kept; the network is told the time of α = 0"
            )
        return known

    # What all have -------------------------------------------------------------------------------

    def made(self, config: dict[str, Any]) -> Any:
        """A fresh scheduler; constructing some takes long, so that copies of one are handed out."""
        key = repr(sorted(config.items()))
        if key not in self._made:
            with quiet():
                self._made[key] = self.cls(**config)
        return copy.deepcopy(self._made[key])

    def session(
        self, n: int, grid: Grid | None = None, prediction: str | None = None
    ) -> SchedulerSession:
        if grid is not None and self.fixed:
            raise Unsupported(self.fixed)
        return SchedulerSession(self, n, grid, prediction)

    @property
    def scales(self) -> dict[str, Sampler]:
        if not self.two_scales or self.settings.get("shift_terminal"):
            return {self.scale: self}
        other = {scale: {"use_flow_sigmas": scale == "flow"} for scale in ("vp", "flow")}
        return {
            scale: self if scale == self.scale else self._like(self.config | option, self.call)
            for scale, option in other.items()
        }

    def without_options(self) -> Sampler:
        return self._like(self.config, {})

    def coefficient_snippet(self, n: int, different: Difference, reading: Reading) -> str | None:
        from dfbench.subjects.diffusers import snippet

        if self.own_loop:
            return None
        options = self.config, self.timestep_options, self.step_options
        return snippet.coefficient(self.name, *options, n, reading, different)

    def _like(self, config: dict[str, Any], call: dict[str, Any]) -> Sampler:
        return type(self)(self.cls, self.name, config, call, self.version)

    def _split(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Options of `set_timesteps` and of `step`, told apart by their signatures."""
        setter, stepper = _arguments(self.cls, "set_timesteps"), self._step_arguments
        unknown = [k for k in self.call if k not in setter and k not in stepper]
        if unknown:
            known = [k for k in (*setter, *stepper) if k not in OURS]
            raise Unusable(
                f"{self.name}: its calls take no {', '.join(unknown)}; "
                f"they take {', '.join(known) or 'nothing more'}"
            )
        sides: tuple[dict[str, Any], dict[str, Any]] = {}, {}
        for key, value in self.call.items():
            sides[key not in setter][key] = value
        return sides

    def _traits(self) -> Traits:
        named = self.method(self.settings, None)
        if named is None:
            return self.unknown_traits()
        name, options = named
        traits = METHODS[name].traits_of(**options)
        return replace(traits, order=self.order(traits))


def _arguments(cls: type, method: str) -> tuple[str, ...]:
    """Names of the arguments that a method takes."""
    return tuple(inspect.signature(getattr(cls, method)).parameters)


REGISTERED: dict[str, type[SchedulerSampler]] = {}
Family = TypeVar("Family", bound=type[SchedulerSampler])


def register(*names: str) -> Callable[[Family], Family]:
    """Make a family known under the names of its classes."""

    def add(family: Family) -> Family:
        REGISTERED.update(dict.fromkeys(names, family))
        return family

    return add
