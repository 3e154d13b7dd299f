"""Samples of a run, in chunks, from random numbers that all samplers share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dfbench.levels import Array
from dfbench.sweep.samplers import Run
from dfbench.sweep.targets import Target

CHUNK = 1 << 18  # numbers in a chunk's state: 2 MiB
KEPT = 1 << 25  # numbers that are kept between measures, 256 MiB; beyond, the run is repeated
START, DRAW, EXACT = 0, 1, 2  # streams


def chunks(n: int, dim: int) -> list[int]:
    """Rows of every chunk; they depend on n and the dimension alone."""
    rows = max(1, CHUNK // dim)
    return [min(rows, n - done) for done in range(0, n, rows)]


class Samples:
    """n samples of a run on a target; nothing is drawn before they are asked for.

    Common random numbers: the standard normals behind the initial states, and the k-th draw of a
    stochastic sampler, depend on the seed, n and the dimension alone, so that every sampler gets
    the same. Memory is bounded: one chunk at a time, and all of them only if they are small.

    Attributes:
        n, seed, dim: what they are called.
    """

    def __init__(self, target: Target, run: Run, seed: int, n: int) -> None:
        self.target, self.run, self.seed, self.n, self.dim = target, run, seed, n, target.dim
        self._kept: list[Array] | None = None

    def __iter__(self) -> Iterator[Array]:
        """The samples, chunk by chunk, each of shape (rows, d)."""
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[Array] | None = [] if self.n * self.dim <= KEPT else None
        for c, rows in enumerate(chunks(self.n, self.dim)):
            out = self._chunk(c, rows)
            if kept is not None:
                kept.append(out)
            yield out
        self._kept = kept

    def array(self) -> Array:
        """All of them, (n, d)."""
        return np.concatenate(list(self))

    def normals(self) -> Iterator[Array]:
        """The standard normals behind the initial states, chunk by chunk."""
        for c, rows in enumerate(chunks(self.n, self.dim)):
            yield self._normal(START, c, 0, rows)

    def starts(self) -> Iterator[Array]:
        """The initial states of the run, chunk by chunk."""
        for normal in self.normals():
            yield self.run.initial(normal)

    def exact(self, copies: int = 1) -> Iterator[Array]:
        """Exact samples of the target of the same size, `copies` sets of n, each whole (n, d)."""
        for copy in range(copies):
            yield self.target.law.sample(self.n, self.generator(EXACT, copy))

    def generator(self, *stream: int) -> np.random.Generator:
        """A generator of one's own, for directions say: the same for every sampler."""
        return np.random.default_rng([self.seed, *stream])

    def _normal(self, *place: int) -> Array:
        *stream, rows = place
        return self.generator(*stream).standard_normal((rows, self.dim))

    def _chunk(self, c: int, rows: int) -> Array:
        model = self.target.model(self.run.prediction, self.run.sigma_data)
        z = self.run.initial(self._normal(START, c, 0, rows))
        return self.run.execute(model, z, lambda k: self._normal(DRAW, c, k, rows))
