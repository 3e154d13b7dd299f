"""What a reference sampler is, and how ordinary code over states becomes a table.

A reference method is a function `method(model, z, grid, noise, **options)` that reads like its
paper: `model(z, level)` gives the prediction at a level in whatever form the method needs
(`.x`, `.eps`), `noise()` a fresh standard normal. States only have to support `+`, `-` and
multiplication by numbers, so the same code runs on NumPy arrays, torch tensors, or on the unit
vectors from which the table is read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from dfbench.errors import expect, short
from dfbench.levels import Array, Grid, Level, grid_of
from dfbench.predictions import affine, known
from dfbench.samplers.options import check
from dfbench.table import Table

NOT_FINITE = "its coefficients are not finite on these levels"


class Output:
    """A model's output at one state and level, in the form that is asked for."""

    def __init__(
        self, m: Any, z: Any, level: Level, prediction: str, sigma_data: float | None = None
    ) -> None:
        self.m, self.z, self.level = m, z, level
        self.prediction, self.sigma_data = prediction, sigma_data

    def _as(self, target: str) -> Any:
        if target == self.prediction:
            return self.m
        alpha, sigma = self.level
        c_z, c_m = affine(self.prediction, target, alpha, sigma, sigma_data=self.sigma_data)
        return c_z * self.z + c_m * self.m

    @cached_property
    def x(self) -> Any:
        """Prediction of the data, x̂."""
        return self._as("x")

    @cached_property
    def eps(self) -> Any:
        """Prediction of the noise, ε̂ = (z − α x̂)/σ."""
        return self._as("eps")

    @cached_property
    def u(self) -> Any:
        """Flow-matching velocity, û = ε̂ − x̂."""
        return self._as("u")


Model = Callable[[Any, Level], Output]


class Noise(Protocol):
    """Standard normals: fresh for `noise()`; for `noise(s, t)` the increment of one Brownian
    path between the times s and t divided by √|t − s|."""

    def __call__(self, start: float | None = None, stop: float | None = None) -> Any: ...


@dataclass(frozen=True)
class Traits:
    """What a method claims of itself, and so what it is held to.

    Attributes:
        order: order of convergence of the deterministic part on the probability-flow ODE, or
            the weak order of a stochastic method.
        stochastic: draws noise.
        scale_invariant: levels c_t (α_t, σ_t) give the same sampler (CLAIMS 31).
        exact_on_points: keeps mean and variance exactly when all data sits at one point.
        evaluations: model evaluations per step (None: varies).
        biased: why it does not converge to the data's law by design; empty if it does.
    """

    order: float | None = None
    stochastic: bool = False
    scale_invariant: bool = True
    exact_on_points: bool = True
    evaluations: int | None = 1
    biased: str = ""


@dataclass(frozen=True)
class Method:
    """A reference sampler: the function, its source and its traits."""

    name: str
    function: Callable[..., Any]
    source: str
    traits: Callable[..., Traits]
    defaults: dict[str, Any] = field(default_factory=dict)

    def __call__(self, model: Model, z: Any, grid: Grid, noise: Noise, **options: Any) -> Any:
        """Run the method on states of any kind; see the module docstring."""
        return self.function(model, z, grid, noise, **self._checked(options))

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        unknown = set(options) - set(self.defaults)
        if unknown:
            raise ValueError(
                f"{self.name} has no option {', '.join(sorted(unknown))}; "
                f"it has {', '.join(self.defaults) or 'none'}"
            )
        check(self.name, self.function, options)
        return options

    def traits_of(self, **options: Any) -> Traits:
        """The traits under these options."""
        given = {**self.defaults, **self._checked(options)}
        try:
            return self.traits(**given)
        except ArithmeticError as error:  # an option beyond any number
            raise ValueError(f"{self.name}: an option is too large") from error

    def table(
        self,
        grid: Grid,
        prediction: str = "eps",
        *,
        sigma_data: float | None = None,
        **options: Any,
    ) -> Table:
        """The method's coefficients on a grid.

        Args:
            grid: N + 1 levels, noise first.
            prediction: what the model outputs, a kind of `dfbench.predictions`.
            sigma_data: for the "edm" prediction.
            options: the method's own.

        Raises:
            ValueError: unknown option, a level at which the method does not exist, or coefficients
                that are not finite on these levels.
        """
        with np.errstate(all="ignore"):
            count, _ = self._counted(grid, prediction, sigma_data, options)
            e, k = len(count.levels), len(count.spans)
            reader = _Reader(prediction, sigma_data, e, k)
            final = self.function(reader.model, reader.unit(0), grid, reader.noise, **options)
        rows = np.array([*reader.states, final])
        if not np.isfinite(rows).all():
            raise ValueError(NOT_FINITE)
        levels = [*reader.levels, grid[-1]]
        return Table(
            rows,
            grid_of(levels),
            prediction,
            brownian_covariance(reader.spans),
            sigma_data,
            grid[0] if reader.levels and reader.levels[0] != grid[0] else None,
        )

    def evaluations(self, grid: Grid, prediction: str = "eps", **options: Any) -> int:
        """Model evaluations that a run spends, counted on numbers: no table is read.

        Raises:
            ValueError: as `table`, or the coefficients are not finite on these levels.
        """
        with np.errstate(all="ignore"):
            count, sample = self._counted(grid, prediction, None, options)
        if not np.isfinite(sample):
            raise ValueError(NOT_FINITE)
        return len(count.levels)

    def _counted(
        self, grid: Grid, prediction: str, sigma_data: float | None, options: dict[str, Any]
    ) -> tuple[_Reader, Any]:
        expect("grid", grid, Grid)
        known(prediction)
        count = _Reader(prediction, sigma_data, 0, 0)
        try:
            return count, self(count.model, 1.0, grid, count.noise, **options)
        except ArithmeticError as error:  # an option, or a level, beyond any number
            raise ValueError(NOT_FINITE) from error


class _Reader:
    """Feeds unit vectors to a method and keeps what it asks for (plain zeros while counting)."""

    def __init__(self, prediction: str, sigma_data: float | None, e: int, k: int) -> None:
        self.prediction, self.sigma_data, self.e, self.width = prediction, sigma_data, e, 1 + e + k
        self.levels: list[Level] = []
        self.states: list[Any] = []
        self.spans: list[tuple[float, float] | None] = []

    def unit(self, column: int) -> Any:
        if self.width == 1:
            return 0.0
        vector = np.zeros(self.width)
        vector[column] = 1.0
        return vector

    def model(self, z: Any, level: Level) -> Output:
        self.levels.append(level)
        self.states.append(z)
        m = self.unit(len(self.levels))
        return Output(m, z, level, self.prediction, self.sigma_data)

    def noise(self, start: float | None = None, stop: float | None = None) -> Any:
        self.spans.append(None if start is None or stop is None else (start, stop))
        return self.unit(self.e + len(self.spans))


def brownian_covariance(spans: list[tuple[float, float] | None]) -> Array | None:
    """Covariance of draws of which some are normalised increments of one Brownian path.

    Increments over [s, t] and [u, v] have covariance |overlap| / √((t−s)(v−u)), with the sign
    of their directions; a draw without a span is independent of all others.
    """
    if all(span is None for span in spans):
        return None
    cov = np.eye(len(spans))
    for i, one in enumerate(spans):
        for j, two in enumerate(spans[:i]):
            if one is None or two is None:
                continue
            (a, b), (c, d) = sorted(one), sorted(two)
            overlap = max(0.0, min(b, d) - max(a, c))
            sign = np.sign(one[1] - one[0]) * np.sign(two[1] - two[0])
            cov[i, j] = cov[j, i] = sign * overlap / np.sqrt((b - a) * (d - c))
    return cov


METHODS: dict[str, Method] = {}
HasTable = str | Method | Table  # a method by its name, itself, or what was read out of any code


def named(method: str | Method) -> Method:
    """The reference method of a name; a method stands for itself.

    Raises:
        ValueError: there is none; the message says which there are.
    """
    if isinstance(method, Method):
        return method
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"no method {short(method)}; there are {', '.join(sorted(METHODS))}")
    return METHODS[method]


def method(source: str, traits: Traits | Callable[..., Traits]) -> Callable[..., Method]:
    """Register a function as the reference method of its name.

    Args:
        source: paper and equation.
        traits: fixed, or a function of the method's options.
    """

    def register(function: Callable[..., Any]) -> Method:
        parameters = inspect.signature(function).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        of = traits if callable(traits) else lambda **_: traits
        made = Method(function.__name__, function, source, of, defaults)
        METHODS[made.name] = made
        return made

    return register
