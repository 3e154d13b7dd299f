"""Distances that are U-statistics: the mean of a kernel h over pairs of samples.

    D^2 = E h(x, x'),   h symmetric, and E h(x, Y) = 0 for every x and Y of the exact law,

so that D^2 of exact samples has mean zero and n D^2 tends to `sum_i l_i (z_i^2 - 1)` with z_i
standard normal and l_i the eigenvalues of h (Serfling 1980, section 5.5.2). All pairs are taken
within blocks of samples, and the blocks averaged, so that memory is that of one block: unbiased
whatever the size of a block, and with the variance 2 E h^2/(n b) for n exact samples in blocks
of b.

The interval is a jackknife over groups of samples within each block, with no less than the
variance of exact samples, 2 E h^2/(n b). The floor follows from the
eigenvalues of h on exact samples; its diagonal is left out, so that the variance is right also
where h has more eigenvalues than there are samples.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import ArrayLike

from analytic import _checks
from analytic._checks import Array
from analytic.distances.estimate import (
    Distance,
    Estimate,
    Floor,
    Tally,
    jackknife,
    rooted,
    simulated,
)
from analytic.mixture import GaussianMixture

_GROUPS = 16
_NULL = 1024  # exact samples of which the eigenvalues are taken
_DRAWS = 4000
_NUMBERS = 1 << 22  # in a block of samples, at most


class PairDistance(Distance):
    """`sqrt(E h(x, x'))`, estimated from all pairs within blocks.

    Args:
        mixture: the exact law.
        block: samples in a block; by default 2048, less where 2048 d numbers are many.

    Attributes:
        block: samples in a block.
    """

    least = 2 * _GROUPS

    def __init__(self, mixture: GaussianMixture, block: int | None = None) -> None:
        super().__init__(mixture)
        default = min(2048, max(256, _NUMBERS // mixture.dim))
        self.block = max(_checks.count("block", default if block is None else block), self.least)

    @abstractmethod
    def pairs(self, x: Array) -> Array:
        """h between all samples x (m, d), shape (m, m); what is on the diagonal does not matter."""

    def tally(self) -> PairTally:
        return PairTally(self)

    def floor(self, n: int, rng: np.random.Generator) -> Floor:
        n = self.enough(_checks.count("n", n))
        h = self.pairs(self.mixture.sample(_NULL, rng))
        np.fill_diagonal(h, 0.0)
        eigenvalues = np.linalg.eigvalsh(h / _NULL)
        square = np.zeros(_DRAWS)
        whole, last = _blocks(n, self.block)
        for number, size in ((whole, self.block), (1, last)):
            if number:
                chi = rng.chisquare(number, (_DRAWS, _NULL)) - number
                square += chi @ eigenvalues * (size / n) / np.sqrt(size * (size - 1.0))
        return simulated(np.sqrt(np.maximum(square, 0.0)))


class PairTally(Tally):
    """One block of samples, and the sums over pairs of those before it."""

    def __init__(self, distance: PairDistance) -> None:
        self.distance, self.n, self.held = distance, 0, 0
        self.waiting: list[Array] = []
        self.square, self.variance, self.blocks = 0.0, 0.0, 0

    def add(self, x: ArrayLike) -> None:
        chunk, block = self.distance.samples(x), self.distance.block
        self.waiting.append(chunk)
        self.held += len(chunk)
        while self.held >= 2 * block:  # the last block is never smaller than the others
            samples = np.concatenate(self.waiting)
            self._take(samples[:block])
            self.waiting, self.held = [samples[block:]], self.held - block

    def estimate(self) -> Estimate:
        self.distance.enough(self.n + self.held)
        kept = self.square, self.variance, self.blocks, self.n
        self._take(np.concatenate(self.waiting))
        n, freedom = self.n, self.blocks * (_GROUPS - 1)
        found = rooted(self.square / n, self.variance / n**2, n, freedom)
        self.square, self.variance, self.blocks, self.n = kept
        return found

    def _take(self, x: Array) -> None:
        value, variance = _within(self.distance.pairs(x))
        self.square += len(x) * value
        self.variance += len(x) ** 2 * variance
        self.blocks += 1
        self.n += len(x)


def _within(h: Array) -> tuple[float, float]:
    """The U-statistic of one block and its variance, from the sums of h between groups."""
    m = len(h)
    member = np.zeros((_GROUPS, m))
    member[np.arange(m) % _GROUPS, np.arange(m)] = 1.0
    np.fill_diagonal(h, 0.0)
    sums, sizes = member @ h @ member.T, member.sum(1)
    total, across, rest = sums.sum(), sums.sum(0), m - sizes
    left_out = (total - 2 * across + np.diag(sums)) / (rest * (rest - 1))
    number = m * (m - 1.0)
    degenerate = 2 * float((h**2).sum()) / number**2
    return float(total / number), max(jackknife(left_out), degenerate)


def _blocks(n: int, block: int) -> tuple[int, int]:
    """How many blocks of the full size n samples fill, and the size of the last one."""
    whole = max(n // block - 1, 0)
    return whole, n - whole * block


def squared_distances(x: Array) -> Array:
    """|x_i - x_j|^2 for x (m, d), by one matrix product; centre x to keep digits."""
    size = (x**2).sum(1)
    square: Array = x @ x.T
    square *= -2
    square += size[:, None]
    square += size
    return np.maximum(square, 0.0, out=square)
