"""What can be certified, and what a check may ask of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import torch

from dfbench import readout
from dfbench.errors import NotAffine, SubjectError, Undefined, Unsupported, Unusable
from dfbench.levels import Grid, Level
from dfbench.readout import Call, Reading
from dfbench.samplers.method import Method, Traits
from dfbench.schedules import Scale
from dfbench.table import Difference, Table


class Session(readout.Session, Protocol):
    """One run of a subject, with what its adapter knows of it."""

    time_tolerance: float
    time_derivation: str

    @property
    def cleanest(self) -> float:
        """σ/α of the cleanest level that the model is trained at."""
        ...

    def precision(self, level: Level) -> tuple[float, float]:
        """Relative precision to which the subject's tables hold α and σ, in units of round-off."""
        ...

    def again(self) -> Session:
        """The same object made ready for another run, as a user would."""
        ...

    def time_gap(self, call: Call) -> float:
        """Distance between the time told and the time of the state's level, training steps."""
        ...


@dataclass(frozen=True)
class Reference:
    """The published method that a run is compared with.

    Attributes:
        method, options: what is expected.
        grid: the levels of the run.
        prediction, sigma_data: of the model.
    """

    method: Method
    grid: Grid
    prediction: str
    sigma_data: float | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, grid: Grid) -> Table:
        """The method's table on other levels."""
        return self.method.table(grid, self.prediction, sigma_data=self.sigma_data, **self.options)

    @cached_property
    def table(self) -> Table:
        """The method's table on the levels of the run."""
        return self.build(self.grid)

    @property
    def source(self) -> str:
        """Paper and equation."""
        return self.method.source

    @property
    def name(self) -> str:
        """The method as it would be called."""
        options = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
        return f"{self.method.name}({options})"


class Sampler(ABC):
    """A sampler under certification.

    An adapter has to provide `session`, and whatever it knows beyond that: the reference method,
    the predictions it can be configured for, companions, expected failures.

    Attributes:
        name, library, version: what it is and where it comes from.
        config, call: constructor arguments and arguments of the sampling call.
        traits: what it claims of itself.
        predictions: kinds of model output it can be configured for, its own first.
        seed: of the draws that checks make.
        scale: "vp", "ve" or "flow": of the levels it can be made to visit.
        takes_generator: accepts a generator; otherwise its noise follows the global seed.
        most_steps: that make sense, the number of training steps for instance.
        ascending: visits the levels from clean to noise.
        expected: claim id → reason, for failures that are by design.
    """

    kind = "sampler"
    name: str
    library: str
    version: str
    config: dict[str, Any]
    call: dict[str, Any]
    traits: Traits
    predictions: tuple[str, ...]
    expected: dict[str, str]
    scale: Scale = "vp"
    seed: int = 0
    takes_generator: bool = True
    most_steps: int | None = None
    ascending: bool = False

    @property
    def scales(self) -> dict[str, Sampler]:
        """The same sampler on every scale of levels that it can visit, by name of the scale."""
        return {self.scale: self}

    @abstractmethod
    def session(self, n: int, grid: Grid | None = None, prediction: str | None = None) -> Session:
        """A fresh run of n steps.

        Args:
            grid: levels to impose (the *clean* view); None is the grid as released.
            prediction: one of `predictions`; None is the subject's own.

        Raises:
            Unsupported: it cannot be made to visit these levels, or use this prediction.
        """

    def reference(self, session: Any) -> Reference | None:
        """The published method on the levels of this run; None where none is known."""
        return None

    def without_options(self) -> Sampler:
        """The same without the options of the sampling call."""
        return self

    def companions(self, session: Any) -> dict[str, Callable[..., Any]]:
        """Functions beside the sampler that must agree with its levels, by name.

        Each takes (x, eps, i) for the i-th time of the run and returns the pair
        (what it gives, what it should give).
        """
        return {}

    def snippet(self, claim: str) -> str:
        """Stand-alone Python that reproduces a finding."""
        return (
            "import dfbench\n"
            f"certificate = dfbench.certify({self.name!r}, config={self.config!r}, "
            f"call={self.call!r}, select=[{claim!r}])\n"
            "print(certificate)\n"
        )

    def coefficient_snippet(self, n: int, different: Difference, reading: Reading) -> str | None:
        """Stand-alone Python that prints one coefficient of an n-step run."""
        return None

    def reading(
        self,
        n: int,
        grid: Grid | None = None,
        prediction: str | None = None,
        amplitude: float = 1.0,
        dtype: torch.dtype = torch.float64,
    ) -> Reading:
        """The table read out of an n-step run, kept for the other checks."""
        kept: dict[Any, Reading] = self.__dict__.setdefault("_readings", {})
        key = (n, grid, prediction, amplitude, dtype)
        if key not in kept:
            seen = kept.values()
            quiet = any(len(r.calls) >= 8 for r in seen) and not any(
                r.draws or r.single or r.other_random for r in seen
            )
            kept[key] = readout.read_out(
                lambda: self.session(n, grid, prediction),
                amplitude=amplitude,
                dtype=dtype,
                seed=self.seed,
                watch=not quiet,
            )
        return kept[key]

    def forget(self) -> None:
        """Drop the readings that were kept."""
        self.__dict__.pop("_readings", None)

    def affine_reading(
        self, n: int, grid: Grid | None = None, prediction: str | None = None
    ) -> Reading:
        """`reading` at unit amplitude, or below the clipping range where the sampler clips.

        Raises:
            NotAffine: superposition fails at both.
        """
        for amplitude in (1.0, 1e-6):
            reading = self.reading(n, grid, prediction, amplitude)
            if reading.violated_at is None and reading.offset == 0:
                return reading
        raise NotAffine(
            f"superposition is off by {reading.superposition:.1e} at evaluation "
            f"{reading.violated_at} of {n} steps: no table"
        )


__all__ = [
    "NotAffine",
    "Reference",
    "Sampler",
    "Session",
    "SubjectError",
    "Undefined",
    "Unsupported",
    "Unusable",
]
