"""A sampler on its levels, ready to be measured: reference methods and third parties alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from dfbench._version import __version__
from dfbench.levels import Array, Grid, Level
from dfbench.samplers import METHODS, Method
from dfbench.table import Table

Draws = Callable[[int], Array]
Code = Callable[[Callable[[Any, Level], Any], Array, Draws], Array]


@dataclass(frozen=True, eq=False)
class Run:
    """One sampler on the levels of one run.

    Attributes:
        label, method, version: as in the table of results.
        options: of the reference method; empty for a third party (they are in its table).
        grid: the levels that the run visits, noise first.
        prediction, sigma_data: what the model has to return.
        nfe: model evaluations that it spends, counted.
        sampler: what `dfbench.wasserstein` takes: the reference method, or the table read out of
            a third party; None where there is no table.
        stochastic: draws noise.
        start: variance of the initial state N(0, start) as the sampler's users draw it; None: 1
            on variance-preserving levels, σ_T² on others.
        code: runs a sampler that is not affine.
        clock: of a third party: (numbers in the state) → seconds that its own code takes.
    """

    label: str
    method: str
    version: str
    grid: Grid
    prediction: str
    nfe: int
    sampler: Method | Table | None
    stochastic: bool
    options: dict[str, Any] = field(default_factory=dict)
    sigma_data: float | None = None
    start: float | None = None
    code: Code | None = None
    clock: Callable[[int], float] | None = None

    @property
    def affine(self) -> bool:
        """Whether it has a table."""
        return self.sampler is not None

    @property
    def steps(self) -> int:
        """Steps taken."""
        return self.grid.n_steps

    @cached_property
    def table(self) -> Table:
        """Its coefficients.

        Raises:
            ValueError: it is not affine.
        """
        if isinstance(self.sampler, Table):
            return self.sampler
        if self.sampler is None:
            raise ValueError(f"{self.label} has no table")
        return self.sampler.table(
            self.grid, self.prediction, sigma_data=self.sigma_data, **self.options
        )

    def initial(self, normal: Array) -> Array:
        """Initial states from standard normals, (n, d)."""
        first = self.grid[0]
        start = self.start
        if start is None:
            start = 1.0 if np.isclose(np.hypot(*first), 1.0, rtol=1e-9) else first.sigma**2
        return np.asarray(np.sqrt(start) * normal)

    def execute(self, model: Callable[[Any, Level], Any], z: Array, draws: Draws) -> Array:
        """The samples from initial states z (n, d); `draws(k)` is the k-th standard normal (n, d).

        Where the draws of the table are correlated, their covariance is put on first.
        """
        if self.code is not None:
            return self.code(model, z, draws)
        table = self.table
        return np.asarray(table.run(model, z, table.drawn(draws)))


def chains() -> dict[str, Method]:
    """The reference methods by name, with the chains that PG's tables are made of."""
    from dfbench.wasserstein import SCHEMES

    extra = {m.name: m for m, _ in SCHEMES.values() if isinstance(m, Method)}
    return {**METHODS, **extra}


def reference(
    name: str, grid: Grid, options: dict[str, Any], prediction: str = "x", label: str | None = None
) -> Run:
    """A reference method on a grid.

    Raises:
        ValueError: it does not exist on these levels, with this prediction, or has no such option.
    """
    method = chains()[name]
    spent = method.evaluations(grid, prediction, **options)
    drawn = method.traits_of(**options).stochastic
    return Run(
        label or name,
        f"dfbench:{name}",
        __version__,
        grid,
        prediction,
        spent,
        method,
        drawn,
        options,
    )
