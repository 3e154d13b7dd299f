"""A diffusers scheduler as a subject, wherever it is defined."""

from __future__ import annotations

import contextlib
import copy
import inspect
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from dfbench.errors import SetupError, SubjectError, Unsupported, Unusable
from dfbench.levels import Grid, Level, grid_of
from dfbench.readout import Call, CalledModel, Reading, TooManyInputs
from dfbench.samplers import METHODS
from dfbench.samplers.method import Traits
from dfbench.subjects.contract import Companion, Reference, Sampler, Session
from dfbench.subjects.diffusers import snippet
from dfbench.subjects.diffusers.catalogue import Entry, entry_of
from dfbench.subjects.diffusers.forms import Form
from dfbench.table import Difference

KINDS = {
    "epsilon": "eps",
    "sample": "x",
    "v_prediction": "v",
    "flow_prediction": "u",
    "trigflow": "v",
}

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
OURS = (
    "self",
    "model_output",
    "timestep",
    "sample",
    "kwargs",
    "num_inference_steps",
    "device",
    "generator",
    "return_dict",
)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the deprecation and usage warnings that constructors and steps print."""
    logger = logging.getLogger("diffusers")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


@contextlib.contextmanager
def blamed(what: str) -> Iterator[None]:
    """Turns what the subject's code raises into a finding about it."""
    try:
        yield
    except (TooManyInputs, SubjectError):
        raise
    except Exception as error:
        raise SubjectError(f"{what} raises {type(error).__name__}: {error}") from error


class SchedulerSession(Session):
    """One run of a scheduler, looped over as its documentation says."""

    def __init__(
        self, subject: SchedulerSampler, n: int, grid: Grid | None, prediction: str | None
    ) -> None:
        self.subject, self.n = subject, n
        entry = subject.entry
        config = dict(subject.config)
        if prediction is not None and prediction != subject.predictions[0]:
            name = next(k for k, v in subject.prediction_names.items() if v == prediction)
            config["prediction_type"] = name
        if grid is not None:
            config |= subject.plain | entry.clean(n)
        self.scheduler = subject.made(config)
        self.prediction = prediction or subject.predictions[0]
        self.form: Form = entry.form(self.scheduler, n)
        extra = int(grid is not None and self.form.extra_step)
        self.set_to = n + extra
        self._prepare()
        if grid is not None:
            self.form.impose(grid)
        self.calls = 2 * n if extra else len(self.form.times)
        self.sigma_data = (
            float(self.scheduler.config.sigma_data) if self.prediction == "edm" else None
        )
        self.cleanest = self.form.cleanest
        self.time_tolerance = self.form.time_tolerance
        self.time_derivation = self.form.time_derivation
        if self.calls == 0:
            raise Unsupported(f"makes no time steps for {n} steps")
        try:
            self._levels(extra, grid)
        except ValueError as error:
            raise SetupError(f"set_timesteps({n}) leaves unusable levels: {error}") from error

    def _levels(self, extra: int, grid: Grid | None) -> None:
        self.own = [self.form.own(i) for i in range(self.calls)]
        self.told = [self.form.told(i) for i in range(self.calls)]
        starts = [i for i in range(self.calls) if i == 0 or self._step(i) != self._step(i - 1)]
        final = self.form.final if not extra else self._landing(grid)
        self.grid = grid_of([*(self.own[i] for i in starts), final])

    def _landing(self, grid: Grid | None) -> Level:
        assert grid is not None
        level: Level = self.form.landed(float(self.form.entries(grid)[-1]))  # type: ignore[attr-defined]
        return level

    def _step(self, i: int) -> int:
        return self.form.step_of(i)

    def _prepare(self) -> None:
        with quiet():
            try:
                self.subject.entry.set_timesteps(
                    self.scheduler, self.set_to, self.subject.timestep_options
                )
            except ValueError as refusal:  # a count or a combination that it does not accept
                raise Unsupported(f"{self.set_to} steps: {refusal}") from refusal
            except Exception as error:
                raise SetupError(
                    f"set_timesteps({self.set_to}) raises {type(error).__name__}: {error}"
                ) from error

    def again(self) -> SchedulerSession:
        """The same scheduler, its steps set once more: what a pipeline does for each image."""
        self._prepare()
        return self

    def precision(self, level: Level) -> tuple[float, float]:
        return self.form.precision(level)

    def reference(self) -> Reference | None:
        entry, config = self.subject.entry, dict(self.scheduler.config)
        named = entry.method(config, self.subject.call, self)
        if named is None:
            return None
        name, options = named
        return Reference(METHODS[name], self.grid, self.prediction, self.sigma_data, options)

    def companions(self) -> dict[str, Companion]:
        return self.subject.entry.companions(self)

    def time_gap(self, call: Call) -> float:
        return self.form.gap(call.told, call.own)

    def _input(self, x: torch.Tensor, t: Any) -> torch.Tensor:
        scale = getattr(self.scheduler, "scale_model_input", None)
        out: torch.Tensor = x if scale is None else scale(x, t)
        return out

    def __call__(
        self, model: CalledModel, z: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        entry, times = self.subject.entry, self.form.times[: self.calls]
        own, told = self.own, self.told
        x = self._channels(z) * self._enter(times[0])
        start, step = x, entry.stepper(self, generator)
        with quiet():
            for i, t in enumerate(times):
                call = Call(float(t), told[i], own[i], self._step(i))
                with blamed(f"scale_model_input at time {i} of {self.calls}"):
                    seen = self._input(x, t)
                m = model(seen, call)
                with blamed(f"step {i} of {self.calls}"):
                    x = step(i, entry.output(self, m, i), t, x)
                if not isinstance(x, torch.Tensor):
                    raise SubjectError(f"step {i} returns {type(x).__name__}, not a tensor")
                if x.shape != start.shape:
                    raise SubjectError(
                        f"step {i} turns shape {tuple(start.shape)} into {tuple(x.shape)}"
                    )
        return x if x.shape == z.shape else x[:, :1].expand_as(z)

    def _channels(self, z: torch.Tensor) -> torch.Tensor:
        """As many channels as the scheduler insists on, copies of the first."""
        wanted = self.subject.entry.channels(self.subject.settings)
        return z if wanted is None else z[:, :1].repeat(1, wanted, 1, 1)

    def _enter(self, t: Any) -> float:
        """Scale of the sample over that of the network's input at the first time."""
        probe = copy.deepcopy(self.scheduler)
        ones = torch.ones((1, 1, 1, 1), dtype=torch.float64)
        scale = getattr(probe, "scale_model_input", None)
        with quiet(), blamed("scale_model_input at the first time"):
            return 1.0 if scale is None else 1 / float(scale(ones, t))


class SchedulerSampler(Sampler):
    """A scheduler class with a configuration and options of the sampling call."""

    def __init__(
        self, cls: Any, name: str, config: dict[str, Any], call: dict[str, Any], version: str
    ) -> None:
        super().__init__(config, call)
        self.cls, self.name = cls, name
        self.library, self.version = "diffusers", version
        with quiet():
            try:
                scheduler = cls(**config)
            except Exception as error:
                raise Unusable(f"{name}: the constructor refuses {config}: {error}") from error
        entry = entry_of(cls, scheduler)
        if entry is None:
            raise Unusable(f"{name}: no family of schedulers keeps its levels this way")
        self.entry: Entry = entry
        options = getattr(scheduler, "config", {})
        self.settings: dict[str, Any] = dict(options)
        accepted = inspect.signature(cls.__init__).parameters
        reason = entry.unusable(self.settings)
        if reason is not None:
            raise Unusable(f"{name}: {reason}")
        self.plain = {k: v for k, v in PLAIN.items() if k in accepted}
        self.timestep_options, self.step_options = self._split(call)
        kind = KINDS.get(self.settings.get("prediction_type", entry.default_prediction))
        if kind is None:
            raise Unusable(f"{name}: prediction_type {self.settings['prediction_type']!r} unknown")
        self.prediction_names = entry.predictions(self.settings)
        self.predictions = (entry.kind(kind), *self._others(entry.kind(kind)))
        self.scale = entry.form(scheduler, 1).scale
        self.takes_generator = "generator" in inspect.signature(cls.step).parameters
        self.ascending = entry.ascending
        self.most_steps = self.settings.get("num_train_timesteps")
        self.traits = self._traits()
        self.expected = entry.expected(self.settings, call)

    def made(self, config: dict[str, Any]) -> Any:
        """A fresh scheduler; constructing some takes long, so that copies of one are handed out."""
        kept: dict[str, Any] = self.__dict__.setdefault("_made", {})
        key = repr(sorted(config.items()))
        if key not in kept:
            with quiet():
                kept[key] = self.cls(**config)
        return copy.deepcopy(kept[key])

    def _others(self, first: str) -> tuple[str, ...]:
        return tuple(kind for kind in self.prediction_names.values() if kind != first)

    def _split(self, call: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Options of `set_timesteps` and of `step`, told apart by their signatures."""
        setter = inspect.signature(self.cls.set_timesteps).parameters
        stepper = inspect.signature(self.cls.step).parameters
        unknown = [k for k in call if k not in setter and k not in stepper]
        if unknown:
            known = [k for k in (*setter, *stepper) if k not in OURS]
            raise Unusable(
                f"{self.name}: its calls take no {', '.join(unknown)}; "
                f"they take {', '.join(known) or 'nothing more'}"
            )
        return (
            {k: v for k, v in call.items() if k in setter},
            {k: v for k, v in call.items() if k not in setter},
        )

    def _traits(self) -> Traits:
        named = self.entry.method(self.settings, self.call, None)
        if named is None:
            return self.entry.unknown_traits(self.settings)
        name, options = named
        traits: Traits = METHODS[name].traits_of(**options)
        return self.entry.adjust(traits, self.settings)

    def session(
        self, n: int, grid: Grid | None = None, prediction: str | None = None
    ) -> SchedulerSession:
        if grid is not None and not self.entry.imposable:
            raise Unsupported(self.entry.why_fixed)
        return SchedulerSession(self, n, grid, prediction)

    @property
    def scales(self) -> dict[str, Sampler]:
        if not self.entry.two_scales or self.settings.get("shift_terminal"):
            return {self.scale: self}
        return {
            scale: self
            if scale == self.scale
            else SchedulerSampler(
                self.cls,
                self.name,
                {**self.config, "use_flow_sigmas": flow},
                self.call,
                self.version,
            )
            for scale, flow in (("vp", False), ("flow", True))
        }

    def without_options(self) -> Sampler:
        return SchedulerSampler(self.cls, self.name, self.config, {}, self.version)

    def coefficient_snippet(self, n: int, different: Difference, reading: Reading) -> str | None:
        if self.entry.special:
            return None
        options = self.config, self.timestep_options, self.step_options
        return snippet.coefficient(self.name, *options, n, reading, different)
