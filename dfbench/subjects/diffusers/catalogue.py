"""What is known of each scheduler class: its form, its published method, its peculiarities.

A class is found by its own name or that of a base, and if neither is known (a renamed copy) by
the arguments of its constructor and of `step`, which the families do not share.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from dfbench.samplers.method import Traits
from dfbench.subjects.diffusers.forms import (
    Discrete,
    FlowMatch,
    Form,
    SigmasFlow,
    SigmasVE,
    SigmasVP,
)

Named = tuple[str, dict[str, Any]]
Stepper = Callable[[int, torch.Tensor, Any, torch.Tensor], torch.Tensor]

STANDARD = {"epsilon": "eps", "v_prediction": "v", "sample": "x"}


class Entry:
    """The knowledge of one class, or of a family; the defaults are those of most classes."""

    form_class: type[Form] = Discrete
    imposable = True
    two_scales = False  # variance preserving, and flow under `use_flow_sigmas`
    why_fixed = ""
    ascending = False
    special = False
    default_prediction = "epsilon"
    published = ""

    def form(self, scheduler: Any, n: int) -> Form:
        return self.form_class(scheduler, n)

    def method(self, settings: dict[str, Any], call: dict[str, Any], session: Any) -> Named | None:
        """Name and options of the published method under these settings; None: none known.

        `session` is None while the traits are asked for.
        """
        return None

    def order(self, settings: dict[str, Any], traits: Traits) -> float | None:
        """The order that the class declares, where it is not that of the method."""
        return traits.order

    def unknown_traits(self, settings: dict[str, Any]) -> Traits:
        """What is held against a class whose method is not known."""
        return Traits(order=None, scale_invariant=False)

    def channels(self, settings: dict[str, Any]) -> int | None:
        """The number of channels that the class insists on; None: any."""
        return None

    def unusable(self, settings: dict[str, Any]) -> str | None:
        """Why a configuration cannot be certified; None if it can."""
        return None

    def kind(self, kind: str) -> str:
        return kind

    def predictions(self, settings: dict[str, Any]) -> dict[str, str]:
        """Prediction types that the class can be configured for: its name → ours."""
        return STANDARD if "prediction_type" in settings else {}

    def clean(self, n: int) -> dict[str, Any]:
        """Constructor arguments for a run on levels of one's own."""
        return {}

    def set_timesteps(self, scheduler: Any, n: int, options: dict[str, Any]) -> None:
        scheduler.set_timesteps(n, **options)

    def output(self, session: Any, m: torch.Tensor, i: int) -> torch.Tensor:
        """What is handed to `step` for the network's output m."""
        if session.scheduler.config.get("variance_type") in ("learned", "learned_range"):
            return torch.cat([m, torch.zeros_like(m)], dim=1)
        return m

    def stepper(self, session: Any, generator: torch.Generator | None) -> Stepper:
        """The call of `step`, with the generator where it takes one."""
        options = dict(session.subject.step_options)
        if "generator" in inspect.signature(session.scheduler.step).parameters:
            options["generator"] = generator

        def step(i: int, m: torch.Tensor, t: Any, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = session.scheduler.step(m, t, x, **options).prev_sample
            return out

        return step

    def expected(self, settings: dict[str, Any], call: dict[str, Any]) -> dict[str, str]:
        """Failures that are by design: claim id → reason."""
        known = {}
        clips = [k for k in ("clip_sample", "clip_denoised", "thresholding") if settings.get(k)]
        if clips:
            known["affine"] = (
                f"{clips[0]}=True clips the predicted x₀, as documented: a trait, not a defect; "
                "the table is read inside the clipping range"
            )
        if settings.get("rescale_betas_zero_snr") and self.form_class is not Discrete:
            known["told-level"] = (
                "zero terminal SNR is approximated by ᾱ = 2⁻²⁴ (σ/α = 4096), as the code says, "
                "because σ = ∞ cannot be kept; the network is told the time of α = 0"
            )
        return known

    def companions(self, session: Any) -> dict[str, Callable[..., Any]]:
        """`add_noise`, `get_velocity`, `scale_noise` of this run and of a fresh object."""
        s, form = session.scheduler, session.form
        found: dict[str, Callable[..., Any]] = {}

        def sample_level(i: int) -> tuple[float, float]:
            own = form.own(i)
            scale = 1 / own.alpha if session.form.landed_scale == "ve" else 1.0
            return own.alpha * scale, own.sigma * scale

        def first(step: int) -> int:
            """The call at which a step starts."""
            return next(i for i in range(session.calls) if form.step_of(i) == step)

        def noised(name: str) -> Callable[..., Any]:
            def add(x: torch.Tensor, eps: torch.Tensor, i: int) -> Any:
                i = first(i)
                alpha, sigma = sample_level(i)
                t = form.times[i].reshape(1)
                args = (x, t, eps) if name == "scale_noise" else (x, eps, t)
                return getattr(s, name)(*args), alpha * x + sigma * eps

            return add

        for name in ("add_noise", "scale_noise"):
            if hasattr(s, name):
                found[name] = noised(name)
        if hasattr(s, "get_velocity"):

            def velocity(x: torch.Tensor, eps: torch.Tensor, i: int) -> Any:
                alpha, sigma = form.own(first(i))  # v is defined on the scale of the network
                t = form.times[first(i)].reshape(1)
                return s.get_velocity(x, eps, t), alpha * eps - sigma * x

            found["get_velocity"] = velocity
        if "add_noise" in found and getattr(s, "alphas_cumprod", None) is not None:
            fresh = session.subject.made(session.subject.config)

            def training(x: torch.Tensor, eps: torch.Tensor, i: int) -> Any:
                """As a training loop calls it: random times, no steps set."""
                total = fresh.config.num_train_timesteps
                t = torch.tensor([(7 + 97 * i) % total])
                alpha, sigma = form._trained_at(float(t))
                scale = 1 / alpha if session.form.landed_scale == "ve" else 1.0
                return fresh.add_noise(x, eps, t), scale * (alpha * x + sigma * eps)

            found["add_noise before set_timesteps"] = training
        return found

    def adjust(self, traits: Traits, settings: dict[str, Any]) -> Traits:
        return replace(traits, order=self.order(settings, traits))


ENTRIES: dict[str, Entry] = {}


def register(*names: str) -> Callable[[type[Entry]], type[Entry]]:
    """Make an entry known under the names of its classes."""

    def add(entry: type[Entry]) -> type[Entry]:
        for name in names:
            ENTRIES[name] = entry()
        return entry

    return add


@dataclass(frozen=True)
class Shape:
    """What tells the families apart when the name does not."""

    constructor: frozenset[str]
    step: frozenset[str]

    @classmethod
    def of(cls, scheduler: type) -> Shape:
        return cls(
            frozenset(inspect.signature(scheduler.__init__).parameters),  # type: ignore[misc]
            frozenset(inspect.signature(scheduler.step).parameters),  # type: ignore[attr-defined]
        )


def entry_of(cls: type, scheduler: Any) -> Entry | None:
    """The knowledge that applies to a class: by name, by signature, or by how it keeps levels."""
    for base in cls.__mro__:
        if base.__name__ in ENTRIES:
            return ENTRIES[base.__name__]
    by_shape = _shapes().get(Shape.of(cls))
    if by_shape is not None:
        return ENTRIES[by_shape]
    form = _form_of(scheduler)
    if form is None:
        return None
    unknown = Entry()
    unknown.form_class = form
    return unknown


def _shapes() -> dict[Shape, str]:
    import diffusers

    found: dict[Shape, str] = {}
    for name in ENTRIES:
        known = getattr(diffusers, name, None)
        if isinstance(known, type):
            found.setdefault(Shape.of(known), name)
    return found


def _form_of(scheduler: Any) -> type[Form] | None:
    """The form of a scheduler that nobody knows, from the tables it keeps."""
    sigmas = getattr(scheduler, "sigmas", None)
    cumprod = getattr(scheduler, "alphas_cumprod", None)
    if isinstance(sigmas, torch.Tensor):
        if getattr(scheduler.config, "use_flow_sigmas", False):
            return SigmasFlow
        if cumprod is None:
            return FlowMatch if float(sigmas.max()) <= 1 else SigmasVE
        return SigmasVE if float(getattr(scheduler, "init_noise_sigma", 1.0)) > 1 else SigmasVP
    return Discrete if isinstance(cumprod, torch.Tensor) else None
