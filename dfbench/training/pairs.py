"""Which noise goes with which data point, and what a step is given.

Everything random about a step is a function of (seed, step, process): a run that is interrupted
goes on with the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from dfbench.couplings import minibatch_pairs
from dfbench.levels import Array
from dfbench.training.data import DataPoints, Dataset
from dfbench.training.mixtures import ExactDraws


class Pairing(Protocol):
    """Rearranges data to go with noise: index into the batch, (n,), for flat (n, d) samples."""

    def __call__(self, noise: Array, data: Array, rng: np.random.Generator) -> Any: ...


def independent() -> Pairing | None:
    """As they were drawn."""
    return None


def minibatch_ot(*, size: int = 256) -> Pairing:
    """Optimal transport within groups of `size` rows of the batch, the last group with what is
    left. (TONG, section 3.2)"""
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")

    def couple(noise: Array, data: Array, rng: np.random.Generator) -> Any:
        whole = len(noise) - len(noise) % size
        rest = minibatch_pairs(noise[whole:], data[whole:], max(1, len(noise) - whole))
        return np.append(minibatch_pairs(noise[:whole], data[:whole], size), whole + rest)

    return couple


def entropic_ot(*, size: int = 256, regularisation: float = 0.05) -> Pairing:
    """Each noise with a data point drawn from its row of the entropic plan. (TONG, section 3.2)

    The noise of the batch is kept to the point, the law of the data in expectation.

    Args:
        size: rows of a group.
        regularisation: of Sinkhorn's algorithm, as a fraction of the mean squared distance.
    """
    if size < 1 or not regularisation > 0:
        raise ValueError(f"need size ≥ 1 and regularisation > 0, got {size} and {regularisation}")

    def couple(noise: Array, data: Array, rng: np.random.Generator) -> Any:
        found = np.arange(len(noise))
        for first in range(0, len(noise), size):
            rows = slice(first, first + size)
            plan = entropic_plan(noise[rows], data[rows], regularisation)
            reach = plan.cumsum(1)
            u = rng.random(len(plan))[:, None] * reach[:, -1:]
            found[rows] = first + np.minimum((reach < u).sum(1), len(plan) - 1)
        return found

    return couple


def entropic_plan(noise: Array, data: Array, regularisation: float) -> Array:
    """POT's entropic plan between two samples, masses 1/n, squared distances over their mean."""
    import ot

    cost = ot.dist(noise, data)
    mass = np.full(len(noise), 1 / len(noise))
    plan = ot.sinkhorn(
        mass,
        mass,
        cost / cost.mean(),
        regularisation,
        method="sinkhorn_log",
        numItermax=2000,
        stopThr=1e-6,
        warn=False,
    )
    return np.asarray(plan)


@dataclass(frozen=True)
class Reflow:
    """Noise with what a trained sampler makes of it: the pairs of rectified flow. (LIU)"""

    run: Path
    method: str
    steps: int
    count: int


def reflow(*, run: Path, method: str = "heun", steps: int = 50, count: int = 20000) -> Reflow:
    """Pairs from the network trained in the folder `run`.

    Args:
        run: a folder of `dfbench train`.
        method: a deterministic reference sampler.
        steps: of it, equally long in time.
        count: pairs.
    """
    if steps < 1 or count < 2:
        raise ValueError(f"need steps ≥ 1 and count ≥ 2, got {steps} and {count}")
    return Reflow(run, method, steps, count)


KINDS: dict[str, Callable[..., Any]] = {
    "independent": independent,
    "minibatch_ot": minibatch_ot,
    "entropic_ot": entropic_ot,
    "reflow": reflow,
}
"""Kind → function of its options."""


Stream = Literal["data", "noise", "levels", "couple", "model"]
_STREAMS: tuple[Stream, ...] = ("data", "noise", "levels", "couple", "model")


def key(seed: int, stream: Stream, *counters: int) -> int:
    """A 63-bit seed for one stream of one step of one process."""
    sequence = np.random.SeedSequence([seed, _STREAMS.index(stream), *counters])
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)


class Batches:
    """(x, ε) of every step, on a device.

    Args:
        data, source: what to draw x and ε from; ε is standard normal where source is None.
        coupling: rearranges x within the batch.
        pairs: (ε, x) of a reflow, instead.
        seed: of everything.
        device, dtype: of the batches.
    """

    def __init__(
        self,
        data: Dataset,
        source: Dataset | None,
        coupling: Pairing | None,
        seed: int,
        device: torch.device,
        dtype: torch.dtype,
        pairs: tuple[DataPoints, DataPoints] | None = None,
    ) -> None:
        self.seed, self.device, self.dtype = seed, device, dtype
        self.shape, self.coupling = data.shape, coupling
        self._orders: dict[int, tuple[int, Tensor]] = {}
        if pairs is not None:
            noise, points = (torch.as_tensor(each, device=device, dtype=dtype) for each in pairs)
            self._noise: Any = lambda n, *at: noise[self._rows(0, len(noise), n, *at)]
            self._data: Any = lambda n, *at: points[self._rows(0, len(points), n, *at)]
            return
        self._data = self._of(data, 0)
        self._noise = self._normal if source is None else self._of(source, 1)

    def at(self, n: int, step: int, rank: int = 0, world: int = 1) -> tuple[Tensor, Tensor]:
        """n rows of x and ε, each (n, *shape)."""
        x, eps = self._data(n, step, rank, world), self._noise(n, step, rank, world)
        if self.coupling is not None:
            rng = np.random.default_rng(key(self.seed, "couple", step, rank))
            noise, points = (part.flatten(1).double().cpu().numpy() for part in (eps, x))
            x = x[torch.as_tensor(self.coupling(noise, points, rng), device=self.device)]
        return x, eps

    def generator(self, stream: Stream, *counters: int) -> torch.Generator:
        """A torch generator for one stream of one step."""
        made = torch.Generator(self.device)
        made.manual_seed(key(self.seed, stream, *counters))
        return made

    def _of(self, data: Dataset, which: int) -> Any:
        if data.fresh:
            assert data.truth is not None
            draws = ExactDraws(data.truth, self.device, self.dtype)
            return lambda n, step, rank, world: draws(
                n, self.generator("data", which, step, rank)
            ).reshape(n, *self.shape)
        points = torch.as_tensor(data.train, device=self.device, dtype=self.dtype)
        return lambda n, *at: points[self._rows(which, len(points), n, *at)]

    def _normal(self, n: int, step: int, rank: int, world: int) -> Tensor:
        return torch.randn(
            (n, *self.shape),
            generator=self.generator("noise", step, rank),
            device=self.device,
            dtype=self.dtype,
        )

    def _rows(self, which: int, size: int, n: int, step: int, rank: int, world: int) -> Tensor:
        """The rows of this step: every point once an epoch, in an order of the epoch's own."""
        first = (step * world + rank) * n
        rows = []
        while n:
            epoch, at = divmod(first, size)
            took = min(n, size - at)
            rows.append(self._order(which, size, epoch)[at : at + took])
            first, n = first + took, n - took
        return torch.cat(rows)

    def _order(self, which: int, size: int, epoch: int) -> Tensor:
        known = self._orders.get(which)
        if known is None or known[0] != epoch:
            rng = np.random.default_rng(key(self.seed, "data", which, epoch))
            known = epoch, torch.as_tensor(rng.permutation(size), device=self.device)
            self._orders[which] = known
        return known[1]
