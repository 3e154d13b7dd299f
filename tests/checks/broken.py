"""Reference methods with one thing wrong in their table, as subjects of certification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from dfbench.levels import Grid
from dfbench.readout import Call, CalledModel
from dfbench.samplers import METHODS
from dfbench.subjects.reference import MethodSampler, MethodSession
from dfbench.table import Table

Edit = Callable[[Table], Table]


class EditedSession(MethodSession):
    """Runs a table row by row, on torch."""

    table: Table

    def __call__(
        self, model: CalledModel, z: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        inputs, e = [z], self.table.nfe
        drawn: list[torch.Tensor] = []
        starts = np.searchsorted(
            self.grid.log_snr[:-1], [x.log_snr + 1e-9 for x in self.table.evaluated], side="right"
        )
        for j, row in enumerate(self.table.rows):
            while len(drawn) < np.flatnonzero([0, *row[1 + e :]])[-1:].sum():
                drawn.append(torch.randn(z.shape, generator=generator, dtype=z.dtype))
            state = torch.zeros_like(z)
            for weight, one in zip(row[: 1 + e], inputs, strict=False):
                if weight:
                    state = state + float(weight) * one
            for weight, one in zip(row[1 + e :], drawn, strict=False):
                if weight:
                    state = state + float(weight) * one
            if j == e:
                return state
            level = self.table.levels[j]
            inputs.append(model(state, Call(level.ratio, level, level, max(int(starts[j]) - 1, 0))))
        raise AssertionError("a table has more rows than evaluations")


class Edited(MethodSampler):
    """A reference method whose table an edit has changed; held to the method unchanged.

    Args:
        edit: changes the table of a run.
        made: the method and options that it runs, where they are not those it claims.
    """

    def __init__(
        self,
        name: str,
        options: dict[str, Any] | None = None,
        *,
        edit: Edit = lambda table: table,
        made: tuple[str, dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(name, options)
        self.edit, self.made = edit, made or (name, options or {})

    def session(
        self, n: int, grid: Grid | None = None, prediction: str | None = None
    ) -> MethodSession:
        plain = super().session(n, grid, prediction)
        run = EditedSession(self.method, self.config, plain.grid, plain.prediction, self.defect)
        name, options = self.made
        run.table = self.edit(METHODS[name].table(run.grid, run.prediction, **options))
        return run


def with_rows(table: Table, change: Callable[[Any], Any]) -> Table:
    """The table with its rows changed in place."""
    rows = np.array(table.rows)
    change(rows)
    return replace(table, rows=rows)


def size_of(table: Table, row: int, column: int) -> float:
    """The change of a coefficient that counts as 1: the state's size, per z_T in the first."""
    size = np.hypot(table.levels.alpha, table.levels.sigma)
    return float(size[row] / (1.0 if column else size[0]))
