"""A diffusers scheduler as a subject, wherever it is defined; a family is a subclass."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from inspect import signature
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from dfbench.clipping import Clipping
from dfbench.draws import preserved_random_state
from dfbench.errors import SubjectError, Unsupported, Unusable
from dfbench.levels import Array, Grid
from dfbench.outcome import Expected, Finding
from dfbench.readout import Reading
from dfbench.samplers import METHODS
from dfbench.samplers.method import Traits
from dfbench.subjects.alike import difference, duplicate
from dfbench.subjects.contract import Sampler
from dfbench.subjects.conventions import configuration
from dfbench.subjects.diffusers.scheduler_levels import SchedulerLevels, TrainingSteps
from dfbench.subjects.diffusers.session import SchedulerSession, quiet
from dfbench.subjects.protocols import previewed, stepped
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

#: Where a scheduler keeps what it says of its configuration, with what it was loaded with.
SAID = ("_internal_dict",)

#: Arguments of the calls that are not the user's to give.
OURS = {
    *("self", "model_output", "timestep", "sample", "kwargs"),
    *("num_inference_steps", "device", "generator", "return_dict"),
}


#: Arguments of `set_timesteps` that say the whole grid, in place of a number of steps.
GRIDS = ("timesteps", "sigmas")


class SchedulerSampler(Sampler):
    """A scheduler class with a configuration, or a scheduler, and options of the sampling call.

    A family overrides what it knows better; the defaults are those of most classes.

    Args:
        cls: the class; it is constructed anew for every run.
        name: what it is called in reports.
        config, call: arguments of the constructor and of the sampling call.
        version: of the library it comes from.
        instance: the scheduler itself, of this configuration: its copies are run in place of
            constructed ones, which stand in for it, where a run needs another configuration, only
            if constructing makes the same (`not_its_config`).

    Raises:
        Unusable: the constructor refuses, the calls have no such argument, nobody knows how its
            levels are kept, or no copy can be made of the instance.

    Attributes:
        level_class: how the family keeps its levels.
        published: the reference method that it says it is, where that does not hang on options.
        fixed: why it cannot be made to visit levels of one's own; empty if it can.
        two_scales: variance preserving, and flow under `use_flow_sigmas`.
        also: source of what is passed to its `step` besides, in the loop of a script; None: its
            loop is not that of most, so that there is no script.
        default_prediction: where there is no option `prediction_type`.
        settings: the whole configuration, defaults and all.
        begin: how runs start in the middle ("times" or "index"); empty: they do not.
        keeps_eps: as of a `Clipping`.
    """

    library = "diffusers"
    level_class: type[SchedulerLevels] = TrainingSteps
    published = ""
    fixed = ""
    two_scales = False
    also: str | None = ""
    default_prediction = "epsilon"
    begin = ""
    keeps_eps: bool | None = None

    def __init__(
        self,
        cls: type,
        name: str,
        config: dict[str, Any],
        call: dict[str, Any],
        version: str,
        instance: Any = None,
    ) -> None:
        super().__init__(config, call)
        self.cls, self.name, self.version = cls, name, version
        self._made: dict[str, Any] = {}
        self.instance = None if instance is None else _copied(instance, name)
        try:
            scheduler = self.made(config)
        except Exception as error:
            raise Unusable(f"{name}: the constructor refuses {config}: {error}") from error
        self.settings = configuration(scheduler)
        self.level_class = self.levels_of(scheduler)
        reason = self.unusable()
        if reason is not None:
            raise Unusable(f"{name}: {reason}")
        self._setter_arguments = _arguments(scheduler, "set_timesteps")
        self._step_arguments = _arguments(scheduler, "step")
        self.timestep_options, self.step_options = self._split()
        first = self.prediction()
        self.prediction_types = self.other_predictions()
        self.predictions = (first, *(k for k in self.prediction_types.values() if k != first))
        self.scale = self.level_class.scale
        self.takes_generator = "generator" in self._step_arguments
        self.most_steps = self.settings.get("num_train_timesteps")
        self.traits = self._traits()
        self.expected = self.by_design()
        if self.gives_grid:
            self.steps = (self._count(),)

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

    def is_said_to_be(
        self, settings: dict[str, Any], session: SchedulerSession | None
    ) -> Published | None:
        """`method`, or the one that its owner declares."""
        if self.declared and self.declared.reference:
            return self.declared.reference, self.declared.options
        return self.method(settings, session)

    def asked(self, settings: dict[str, Any], n: int) -> Array | None:
        """What the options ask for, as `Session.asked`: a formula of `asked`."""
        return None

    def order(self, traits: Traits) -> float | None:
        """The order that the class declares, where it is not that of the method."""
        return traits.order

    def unknown_traits(self) -> Traits:
        """What is held against a class whose method is not known."""
        return Traits(order=None, scale_invariant=False)

    def unusable(self) -> str | None:
        """Why a configuration cannot be certified; None if it can."""
        return None

    def clipping(self, settings: dict[str, Any]) -> Clipping | None:
        """How x̂ is clipped under these settings."""
        keeps = self.keeps_eps
        if settings.get("thresholding"):
            ratio = float(settings.get("dynamic_thresholding_ratio", 0.995))
            return Clipping(None, ratio, float(settings.get("sample_max_value", 1.0)), keeps)
        if settings.get("clip_sample"):
            return Clipping(float(settings.get("clip_sample_range", 1.0)), keeps_eps=keeps)
        return Clipping(keeps_eps=keeps) if settings.get("clip_denoised") else None

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
        """Make a scheduler ready for n steps, or for those that the options say."""
        given = (n,) if self._counted(scheduler) else ()
        scheduler.set_timesteps(*given, **self.timestep_options)

    def _counted(self, scheduler: Any) -> bool:
        """Whether the number of steps is told: not where the whole grid is, if that is enough."""
        needed = signature(scheduler.set_timesteps).parameters.get("num_inference_steps")
        return not self.gives_grid or (needed is not None and needed.default is needed.empty)

    def steps_said(self, n: int | str) -> str:
        """The arguments of `set_timesteps`, as source."""
        given = [str(n)] if self._counted(self.made(self.config)) else []
        return ", ".join(given + [f"{k}={v!r}" for k, v in self.timestep_options.items()])

    def asked_to(self, call: dict[str, Any]) -> SchedulerSampler:
        """The same with these options of the call."""
        return self._like(self.config, call)

    def times_given(self, session: SchedulerSession) -> list[float]:
        """The times of a run as a user would give them: each once, whole ones as such."""
        times = np.array([float(t) for t in session.scheduler.timesteps])
        once = times[np.append(True, np.diff(times) != 0)]
        whole = (once == np.round(once)).all()
        return [int(t) if whole else float(t) for t in once]

    def sigmas(self) -> list[float]:
        """An uneven grid of σ as a user would give it; empty: none is known."""
        return []

    @property
    def gives_grid(self) -> bool:
        """Whether the options of the call say the whole grid."""
        return any(self.timestep_options.get(name) is not None for name in GRIDS)

    @cached_property
    def evenly(self) -> SchedulerSampler:
        """The same on grids of its own."""
        return self._like(self.config, {k: v for k, v in self.call.items() if k not in GRIDS})

    def _count(self) -> int:
        """The number of steps of the grid that is given.

        Raises:
            Unusable: it is not taken.
        """
        values = next(v for k in GRIDS if (v := self.timestep_options.get(k)) is not None)
        try:
            return self._session(len(values)).grid.n_steps
        except (Unsupported, SubjectError) as reason:
            raise Unusable(f"{self.name}: the grid is not taken: {reason}") from reason

    def output(self, session: SchedulerSession, m: Tensor, i: int) -> Tensor:
        """What is handed to `step` for the network's output m at the i-th call."""
        if self.settings.get("variance_type") in ("learned", "learned_range"):
            return torch.cat([m, torch.zeros_like(m)], dim=1)
        return m

    def step(self, session: SchedulerSession, i: int, m: Tensor, x: Tensor) -> Tensor:
        """The state after the i-th call, with the generator where `step` takes one."""
        given = {"generator": session.generator} if self.takes_generator else {}
        out = session.scheduler.step(m, session.times[i], x, **self.step_options, **given)
        session.preview = previewed(out)
        return stepped(out)

    def by_design(self) -> dict[str, Expected]:
        """Failures that are by design: claim id → reason and size."""
        known = {}
        clips = ("clip_sample", "clip_denoised", "thresholding")
        clip = next((k for k in clips if self.settings.get(k)), None)
        if clip:
            known["affine"] = Expected(
                f"{clip}=True clips the predicted x₀, as documented: a trait, not a defect; "
                "the table is read inside the clipping range",
                # of the sum of the terms, all of which may be cut off; what goes from clean to
                # noise divides by the small levels at which it starts
                within=1300.0 if self.ascending and clip == "thresholding" else 2.1,
                unit="relative",
            )
        if self.settings.get("rescale_betas_zero_snr") and self.level_class is not TrainingSteps:
            known["told-level"] = Expected(
                "zero terminal SNR is approximated by ᾱ = 2⁻²⁴ (σ/α = 4096), as the code says, "
                "because σ = ∞ cannot be kept; the network is told the time of α = 0",
                within=7.5,
                unit="training steps",
            )
        return known

    # What all have -------------------------------------------------------------------------------

    def made(self, config: dict[str, Any]) -> Any:
        """A scheduler of a configuration, which nobody else has.

        Raises:
            Unsupported: the configuration is another than the subject's, and the constructor
                refuses it, or the subject is an object that constructing does not make.
        """
        if _key(config) == _key(self.config):
            made = self.instance
            return self._constructed(config) if made is None else duplicate(made)
        if self.not_its_config:
            raise Unsupported(self.not_its_config)
        try:
            return self._constructed(config)
        except Exception as error:
            raise Unsupported(f"the constructor refuses {config}: {error}") from error

    def unused(self) -> Any:
        """A scheduler whose steps were never set.

        Raises:
            Unsupported: those of the object were, and its configuration does not make it again.
        """
        if getattr(self.instance, "num_inference_steps", None) is None:
            return self.made(self.config)
        if self.not_its_config:
            raise Unsupported(self.not_its_config)
        return self._constructed(self.config)

    def _constructed(self, config: dict[str, Any]) -> Any:
        """Constructing some takes long, so that copies of one are handed out."""
        key = _key(config)
        if key not in self._made:
            with quiet():
                self._made[key] = self.cls(**config)
        return copy.deepcopy(self._made[key])

    @cached_property
    def not_its_config(self) -> str:
        """Why constructing the class anew is no way to have the object; empty if it is.

        What an earlier run left in the object is no difference.
        """
        if self.instance is None:
            return ""
        found = self._unlike_constructed()
        if found:
            found = f"the object is not what its config makes: {found}"
            self.notes.append(found)
        return found

    def _unlike_constructed(self) -> str:
        try:
            fresh = self._constructed(self.config)
        except Exception as error:
            return f"the constructor raises {type(error).__name__}: {error}"
        at = difference(self.instance, fresh, SAID)
        if at is not None:
            # where the object was used before: as both are after a run
            both = self._after_a_run(self.instance), self._after_a_run(fresh)
            at = difference(*both, SAID)
        return "" if at is None else f"{self.cls.__name__}(…){at} is another"

    def _after_a_run(self, scheduler: Any) -> Any:
        """A copy that was used, and whose steps were set once more."""
        used, n = duplicate(scheduler), 3
        x = torch.zeros((1, self.channels or 1, 1, 1), dtype=torch.float64)
        # a run that breaks is for the checks to tell
        with quiet(), torch.no_grad(), preserved_random_state(), contextlib.suppress(Exception):
            self.set_timesteps(used, n)
            for t in used.timesteps:
                scale = getattr(used, "scale_model_input", lambda x, t: x)
                x = stepped(used.step(scale(x, t), t, x))
            self.set_timesteps(used, n)
        return used

    def session(
        self, n: int, grid: Grid | None = None, prediction: str | None = None
    ) -> SchedulerSession:
        _ = self.not_its_config  # which is said
        if grid is not None and self.fixed:
            raise Unsupported(self.fixed)
        if self.gives_grid and grid is not None:
            return self.evenly.session(n, grid, prediction)
        return self._session(self.steps[0] if self.gives_grid else n, grid, prediction)

    def _session(
        self, n: int, grid: Grid | None = None, prediction: str | None = None
    ) -> SchedulerSession:
        return SchedulerSession(self, n, grid, prediction)

    @property
    def scales(self) -> dict[str, Sampler]:
        if not self.two_scales or self.settings.get("shift_terminal") or self.call.get("mu"):
            return {self.scale: self}
        if "use_flow_sigmas" not in _arguments(self.cls, "__init__"):
            return {self.scale: self}
        other = {scale: {"use_flow_sigmas": scale == "flow"} for scale in ("vp", "flow")}
        return {
            scale: self if scale == self.scale else self._like(self.config | option, self.call)
            for scale, option in other.items()
        }

    def begun(self, by: str) -> Sampler:
        if by == "index" and not hasattr(self.cls, "set_begin_index"):
            raise Unsupported("has no set_begin_index")
        made = self._like(self.config, self.call)
        made.begin = by
        return made

    def on_grids(self, kind: str) -> dict[str, Sampler | str]:
        from dfbench.subjects.diffusers.given import grids

        return grids(self, kind)

    def without_options(self) -> Sampler:
        return self._like(self.config, {})

    @property
    def of_its_class(self) -> bool:
        """Whether the name is that of the class, which makes the subject."""
        if self.instance is None:
            return True
        return not self.is_named and not self.not_its_config

    @property
    def made_anew(self) -> bool:
        """Whether its class or a function makes it as often as it is needed."""
        return self.of_its_class or self.maker is not None

    @property
    def is_named(self) -> bool:
        """Whether the name is that of the object: not where it is only that of its class."""
        return not self.name.endswith(f":{self.cls.__qualname__}")

    def snippet(self, claim: str) -> str:
        if self.of_its_class:
            return super().snippet(claim)
        from dfbench.subjects.diffusers import snippet

        subject = repr(self.name) if self.is_named else snippet.NAMELESS
        lead = "" if self.is_named else f"{snippet.OF_NO_NAME}\n"
        return (
            f"{lead}import dfbench\n"
            f"certificate = dfbench.certify({subject}, config={self.maker or {}}, "
            f"call={self.call!r}, "
            f"select=[{claim!r}]{self._asked})\n"
            "print(certificate)\n"
        )

    def coefficient_snippet(self, n: int, different: Difference, reading: Reading) -> str | None:
        from dfbench.subjects.diffusers import snippet

        return snippet.coefficient(self, n, reading, different)

    def reproducer(self, claim: str, finding: Finding) -> str | None:
        from dfbench.subjects.diffusers import snippet

        return snippet.reproducer(self, claim, finding)

    @property
    def sets_plainly(self) -> bool:
        """Whether `set_timesteps(n)`, from the first step on, is all there is to a run of n."""
        usual = type(self).set_timesteps is SchedulerSampler.set_timesteps
        return usual and not self.begin

    def sign(self, n: int) -> str | None:
        """What stands before the network's output in `step`; None: its loop is another."""
        usual = type(self).step is SchedulerSampler.step
        if self.also is None or not (usual or self.also):
            return None
        m = torch.ones((1, 1, 1, 1), dtype=torch.float64)
        handed = self.output(self.session(n), m, 0)
        if handed.shape != m.shape or abs(float(handed)) != 1:
            return None
        return "" if float(handed) > 0 else "-"

    def configured(self, config: dict[str, Any]) -> SchedulerSampler:
        """The same with other arguments of the constructor.

        Raises:
            Unsupported: the subject is an object that its configuration does not make.
        """
        return self._like(config, self.call)

    def _like(self, config: dict[str, Any], call: dict[str, Any]) -> SchedulerSampler:
        same = _key(config) == _key(self.config)
        if not same and self.not_its_config:
            raise Unsupported(self.not_its_config)
        instance = self.instance if same else None
        made = type(self)(self.cls, self.name, config, call, self.version, instance)
        made.steps = made.steps or (() if self.gives_grid else self.steps)
        made.maker = self.maker
        if self.declared:
            made.declare(self.declared.given)
        return made

    def _split(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Options of `set_timesteps` and of `step`, told apart by their signatures."""
        setter, stepper = self._setter_arguments, self._step_arguments
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


def _arguments(thing: Any, method: str) -> tuple[str, ...]:
    """Names of the arguments that a method takes."""
    return tuple(inspect.signature(getattr(thing, method)).parameters)


def _key(config: dict[str, Any]) -> str:
    """Equal for equal configurations."""
    return repr(sorted(config.items()))


def _copied(instance: Any, name: str) -> Any:
    """A copy, so that what its owner does with it later changes nothing."""
    try:
        made = duplicate(instance)
    except Exception as error:
        raise Unusable(
            f"{name}: no copy can be made of the object ({type(error).__name__}: {error}); give "
            "its class, or a function that makes it"
        ) from error
    at = difference(instance, made) if hasattr(type(instance), "__deepcopy__") else None
    if at is not None:
        raise Unusable(f"{name}: a copy of the object is another object: {at} differs")
    return made


REGISTERED: dict[str, type[SchedulerSampler]] = {}
Family = TypeVar("Family", bound=type[SchedulerSampler])


def register(*names: str) -> Callable[[Family], Family]:
    """Make a family known under the names of its classes."""

    def add(family: Family) -> Family:
        REGISTERED.update(dict.fromkeys(names, family))
        return family

    return add
