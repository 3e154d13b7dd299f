"""What a check may ask of a subject: a `Sampler`, and a `Session`, one run of it.

An adapter writes what differs: how a run goes, on which levels, and what it knows beyond that.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from dfbench import readout
from dfbench.clipping import Clipping
from dfbench.errors import NotAffine, Unsupported
from dfbench.levels import Array, Grid, Level
from dfbench.protocols import PLAIN, Protocol
from dfbench.readout import Call, CalledModel, Reading
from dfbench.samplers.method import Method, Traits
from dfbench.subjects.subject import DECLARED, Depth, Subject
from dfbench.table import Difference, Table

if TYPE_CHECKING:
    from dfbench.schedules import Scale

SAME = "its own times, given"  # of `Sampler.on_grids`: the run is the one without them
Companion = Callable[[torch.Tensor, torch.Tensor, int], tuple[torch.Tensor, torch.Tensor]]
"""(x, ε, i) for the i-th step of a run → (what it gives, what it should give)."""


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


class Session(ABC):
    """One run of a subject: fixed steps, fixed levels, fresh state.

    Attributes:
        n: steps.
        prediction: what the model must return, a kind of `dfbench.predictions`.
        sigma_data: σ_data of the "edm" prediction, else None.
        grid: the N + 1 levels of the steps, on the scale that the network sees; the last is the
            level that the sampler declares to land at, on the scale of the sample.
        clipping: how it clips the clean sample that is predicted; None: not, or nobody knows.
        times_known: whether it is known what the times mean to the network; else what a call is
            told stands for what nobody knows.
        keeps_levels: it keeps levels of its own, beside what the network is told.
        preview: what the last step said of the clean sample, if anything.
        cleanest, noisiest: σ/α of the ends of what the model is trained at; 0 is data without
            noise, ∞ noise without data.
        ends_given: where the run ends is handed over by its user.
        time_tolerance: how far `time_gap` may be from 0, with its `time_derivation`.
    """

    n: int
    prediction: str
    grid: Grid
    sigma_data: float | None = None
    clipping: Clipping | None = None
    times_known: bool = True
    keeps_levels: bool = True
    preview: torch.Tensor | None = None
    cleanest: float = 0.0
    noisiest: float = math.inf
    ends_given: bool = False
    time_tolerance: float = 1e-9
    time_derivation: str = "the model is told the level itself: λ to round-off"

    @abstractmethod
    def __call__(
        self, model: CalledModel, z: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """The sample, from a state z of shape (rows, …) at the level of the first evaluation."""

    @property
    def start(self) -> float | None:
        """Variance of the first state as users draw it, on the scale that the network sees.

        None: 1 on variance-preserving levels, σ_T² on others.
        """
        return None

    def time_gap(self, call: Call) -> float:
        """Distance between the time told and the time of the state's level."""
        told, own = call.told.log_snr, call.own.log_snr
        return 0.0 if told == own else abs(told - own)  # both may be infinite

    def precision(self, level: Level) -> tuple[float, float]:
        """Relative precision to which the subject's tables hold α and σ, in units of round-off."""
        return 1.0, 1.0

    def again(self) -> Session:
        """The same object made ready for another run, as a user would."""
        return self

    def under(self, protocol: Protocol) -> Session:
        """The same run, made as a user makes it under a protocol.

        Raises:
            Unsupported: it cannot be run this way.
        """
        only = replace(protocol, steps=PLAIN.steps, shape=PLAIN.shape)
        if only != PLAIN:
            raise Unsupported(f"a run knows no such way: {only}")
        return self

    def reference(self) -> Reference | None:
        """The published method on the levels of this run; None where none is known."""
        return None

    def asked(self) -> Array | None:
        """σ/α at the start of every step and at its end, (N + 1,), that the options ask for.

        From their formulas, and from no table of the subject's. None: there is no formula.
        """
        return None

    def companions(self) -> dict[str, Companion]:
        """Functions beside the sampler that must agree with its levels, by name."""
        return {}


class Sampler(Subject, ABC):
    """A sampler under certification.

    Attributes:
        traits: what it claims of itself.
        predictions: kinds of model output it can be configured for, its own first.
        scale: "vp", "ve" or "flow": of the levels it can be made to visit.
        takes_generator: accepts a generator; otherwise its noise follows the global seed.
        most_steps: that make sense, the number of training steps for instance.
        grids: what it may be given for a grid: "times", "sigmas", "mu".
        too_few: how it breaks in fewer steps than the checks ask; empty: it does not.
        ascending: visits the levels from clean to noise.
    """

    kind = "sampler"
    traits: Traits
    predictions: tuple[str, ...] = ("eps",)
    scale: Scale = "vp"
    takes_generator: bool = True
    most_steps: int | None = None
    grids: tuple[str, ...] = ("times", "sigmas", "mu")
    too_few: str = ""
    ascending: bool = False

    @property
    def channels(self) -> int | None:
        """The number of channels that it insists on; None: any."""
        return None

    @abstractmethod
    def session(self, n: int, grid: Grid | None = None, prediction: str | None = None) -> Session:
        """A fresh run of n steps.

        Args:
            grid: levels to impose (the *clean* view); None is the grid as released.
            prediction: one of `predictions`; None is the subject's own.

        Raises:
            Unsupported: it cannot be made to visit these levels, or use this prediction.
        """

    @property
    def scales(self) -> dict[str, Sampler]:
        """The same sampler on every scale of levels that it can visit, by name of the scale."""
        return {self.scale: self}

    def declare(self, claims: Mapping[str, Any]) -> None:
        super().declare(claims)
        assert self.declared is not None
        self.traits = Traits(**self.declared.traits(self.traits))

    @property
    def claimed(self) -> dict[str, Any]:
        return asdict(self.traits)

    def counts(self, usual: Sequence[int]) -> Sequence[int]:
        """The step counts that a check asks: those that the user runs, else the usual ones.

        Those that make sense, that is: no more than `most_steps`; that many if none does.
        """
        most = self.most_steps
        return self.steps or [n for n in usual if most is None or n <= most] or [most or 1]

    def begun(self, by: str) -> Sampler:
        """The same with runs that start in the middle, as image to image does.

        Args:
            by: "times": the later times are passed; "index": the first step is told besides.

        Raises:
            Unsupported: it cannot be run this way.
        """
        raise Unsupported("no run of it starts in the middle")

    def on_grids(self, kind: str) -> dict[str, Sampler | str]:
        """The same on grids that its user gives, by how; or why it breaks there.

        Args:
            kind: "times", "sigmas" or "mu". Times that are its own are under `SAME`.
        """
        return {}

    def without_options(self) -> Sampler:
        """The same without the options of the sampling call."""
        return self

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

        def read() -> Reading:
            seen = [each for each in self._kept.values() if isinstance(each, Reading)]
            quiet = any(len(r.calls) >= 8 for r in seen) and not any(
                r.draws or r.single or r.other_random for r in seen
            )
            return readout.read_out(
                lambda: self.session(n, grid, prediction),
                amplitude=amplitude,
                dtype=dtype,
                seed=self.seed,
                watch=not quiet,
            )

        return self.kept(("reading", n, grid, prediction, amplitude, dtype), read)

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


__all__ = ["DECLARED", "SAME", "Companion", "Depth", "Reference", "Sampler", "Session", "Subject"]
