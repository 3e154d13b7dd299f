"""The law of a sampler's output on the line, by quadrature of its transitions: no Monte Carlo.

A deterministic sampler is a map from z_T to the sample; a stochastic one is a chain of such maps,
each followed by Gaussian noise. The distribution function of the state is carried through: by a
map, along its monotone branches; by the noise, through one convolution (FFT) on a uniform grid.
It works for data that is not Gaussian, and for any table whose states form a Markov chain on the
line, several evaluations between two draws included (churn with Heun's method):

    from analytic import GaussianMixture
    from dfbench.exact import exact_model
    from dfbench.line import output_law, transitions

    target = GaussianMixture.isotropic([0.3, 0.7], [[-1.0], [1.0]], 0.04)
    table = METHODS["ddim"].table(grid, "x", eta=1.0)
    law = output_law(transitions(table, exact_model(target, "x")), start=1.0)
    law.wasserstein(target), law.total_variation(target)

A method that keeps outputs from before its last draw (stochastic multistep) has a state of more
than one dimension, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.interpolate import CubicHermiteSpline
from scipy.special import ndtr

from analytic import GaussianMixture
from dfbench.levels import Array, Network
from dfbench.steps import Step, executed
from dfbench.table import Table

NODES = 1 << 13
REACH = 8.2  # standard deviations: what lies beyond weighs 2e-16
NEGLIGIBLE = 1e-12  # weight of an output or a draw: rounding of what cancels between rows
TAIL = 1e-11  # probability beyond which rounding moves quantiles
FINEST = 24  # times that an interval of the start may be halved


@dataclass(frozen=True)
class Transition:
    """state → map(state) + noise · ξ, on arrays (n,)."""

    map: Callable[[Array], Array]
    noise: float


@dataclass(frozen=True, eq=False)
class LineLaw:
    """A law on the line: nodes x that do not fall, and the distribution function there."""

    x: Array
    cdf: Array

    def wasserstein(self, target: GaussianMixture) -> float:
        """W₂ to a mixture on the line: the root of ∫ (x(u) − F⁻¹(u))² du.

        Exact quantiles of the mixture at the nodes, the difference linear between them; where the
        mixture has a gap within a cell, its own nodes are put in.

        Raises:
            ValueError: the mixture is not on the line, or has an atom.
        """
        _refuse_atoms(target)
        inside = (self.cdf > TAIL) & (self.cdf < 1 - TAIL)
        u, x = self.cdf[inside], self.x[inside]
        q = target.quantile(u)
        step = (x[-1] - x[0]) / len(x)
        steep = np.diff(q) > 4 * (np.diff(x) + step)
        if steep.any():
            i = np.flatnonzero(steep)
            y = np.linspace(q[i], q[i + 1], 65)[1:-1].T.reshape(-1)
            v = target.cdf(y)
            order = np.argsort(np.concatenate([u, v]), kind="stable")
            x = np.concatenate([x, np.interp(v, u, x)])[order]
            q, u = np.concatenate([q, y])[order], np.concatenate([u, v])[order]
        d = x - q
        cell = (d[:-1] ** 2 + d[:-1] * d[1:] + d[1:] ** 2) / 3
        return float(np.sqrt((np.diff(u) * cell).sum()))

    def total_variation(self, target: GaussianMixture) -> float:
        """½ ∫ |p − p_target|, from the increments over the cells: a lower bound that is tight
        but for the cells in which the densities cross.

        Raises:
            ValueError: the mixture is not on the line, or has an atom.
        """
        _refuse_atoms(target)
        own = np.diff(np.concatenate([[0.0], self.cdf, [1.0]]))
        truth = np.diff(np.concatenate([[0.0], target.cdf(self.x), [1.0]]))
        return float(0.5 * np.abs(own - truth).sum())


def _refuse_atoms(target: GaussianMixture) -> None:
    if target.dim != 1 or target.singular:
        raise ValueError("needs a mixture on the line in which every component has variance")


def transitions(table: Table, model: Network) -> list[Transition]:
    """A table as a chain of maps and noise; `model(z, level)` takes z of shape (n, 1).

    Raises:
        ValueError: the states are no Markov chain on the line; the message says why.
    """
    _check_noise(table)
    steps, chain, begin = table.steps(NEGLIGIBLE), [], -1
    for j, step in enumerate(steps):
        if begin >= 0 and (step.start or any(i < begin for i in step.outputs)):
            raise ValueError(
                "it keeps outputs from before its last draw: its state has more than one dimension"
            )
        if step.draws or j == table.nfe:
            cov = table.covariance
            noise = sum(w**2 * cov[k, k] for k, w in step.draws.items()) ** 0.5
            chain.append(Transition(_between(table, steps[: j + 1], begin, model), float(noise)))
            begin = j
    return chain


def _check_noise(table: Table) -> None:
    uses = [k for step in table.steps(NEGLIGIBLE) for k in step.draws]
    if len(set(uses)) < len(uses):
        raise ValueError("a draw is used in several steps: the states are no Markov chain")
    cov = table.covariance
    if (np.abs(cov - np.diag(np.diag(cov))) > 1e-12).any():
        raise ValueError("its draws are correlated: the states are no Markov chain")


def _between(
    table: Table, steps: Sequence[Step], begin: int, model: Network
) -> Callable[[Array], Array]:
    """The last state without its own noise as a function of state `begin` (−1: z_T)."""

    def on_line(state: Array, j: int) -> Array:
        return model(state[:, None], table.levels[j])[:, 0]

    def through(z: Array) -> Array:
        *_, last = executed(steps, on_line, z, begin=begin)
        return np.asarray(last)

    return through


def output_law(
    chain: Sequence[Transition], start: float, nodes: int = NODES, mean: float = 0.0
) -> LineLaw:
    """The law of the last state, z_T ~ N(mean, start).

    Args:
        chain: of `transitions`, or one deterministic map.
        start: variance of z_T.
        nodes: cells of the quadrature; the error falls like its square or faster.
    """
    v, y = _refined(chain[0].map, mean, start**0.5, nodes)
    bell = np.exp(-0.5 * v**2) / np.sqrt(2 * np.pi)
    law = _moved(y, ndtr(v), _over(bell, np.gradient(y, v)), chain[0].noise, nodes)
    for transition in chain[1:]:
        y, h = transition.map(law.x), law.x[1] - law.x[0]
        slope = _over(_derivative(law.cdf, h), _derivative(y, h))
        law = _moved(y, law.cdf, slope, transition.noise, nodes)
    return law


def _moved(y: Array, cdf: Array, slope: Array, noise: float, nodes: int) -> LineLaw:
    """The law of mapped nodes y, whose density (on one rising branch) is `slope`, plus noise."""
    law = _rearranged(y, cdf)
    return _spread(_interpolant(y, cdf, slope), law, noise, nodes) if noise else law


def _over(density: Array, stretch: Array) -> Array:
    """The density of a mapped state, where its map rises."""
    return np.divide(density, stretch, out=np.zeros_like(density), where=stretch > 0)


def _refined(
    through: Callable[[Array], Array], mean: float, scale: float, nodes: int
) -> tuple[Array, Array]:
    """Standard normal nodes v and the states they are mapped to, none far from its neighbours."""
    v = np.linspace(-REACH, REACH, nodes + 1)
    y = through(mean + scale * v)
    for _ in range(FINEST):
        longest = 4 * (np.quantile(y, 0.99) - np.quantile(y, 0.01)) / nodes
        wide = np.flatnonzero(np.abs(np.diff(y)) > longest)
        if not wide.size or len(v) > 4 * nodes:
            break
        new = 0.5 * (v[wide] + v[wide + 1])
        y = np.insert(y, wide + 1, through(mean + scale * new))
        v = np.insert(v, wide + 1, new)
    return v, y


def _interpolant(y: Array, cdf: Array, slope: Array | None) -> Callable[[Array], Array]:
    """The distribution function of a mapped state at any points, branch by branch.

    On one rising branch with known slopes, cubic; else linear between the nodes.
    """
    if slope is not None and (np.diff(y) > 0).all():
        spline = CubicHermiteSpline(y, cdf, slope)

        def cubic(x: Array) -> Array:
            inside = np.clip(x, y[0], y[-1])
            return np.asarray(np.where(x < y[0], 0.0, np.where(x > y[-1], 1.0, spline(inside))))

        return cubic
    turns = np.flatnonzero(np.diff(np.sign(np.diff(y))) != 0) + 1
    edges = [0, *turns.tolist(), len(y) - 1]

    def linear(x: Array) -> Array:
        total = np.full(len(x), cdf[0])
        for a, b in pairwise(edges):
            piece, mass = y[a : b + 1], cdf[a : b + 1]
            if piece[-1] >= piece[0]:
                total += np.interp(x, piece, mass - mass[0])
            else:
                total += np.interp(x, piece[::-1], mass[-1] - mass[::-1])
        return total

    return linear


def _rearranged(y: Array, cdf: Array) -> LineLaw:
    """The law of mapped nodes, in order."""
    if (np.diff(y) >= 0).all():
        return LineLaw(y, cdf)
    x = np.sort(y)
    return LineLaw(x, np.clip(np.maximum.accumulate(_interpolant(y, cdf, None)(x)), 0.0, 1.0))


def _spread(cdf: Callable[[Array], Array], law: LineLaw, noise: float, nodes: int) -> LineLaw:
    """The law plus N(0, noise²), on a uniform grid."""
    some = (law.cdf > 1e-16) & (law.cdf < 1 - 1e-16)
    low, high = law.x[some][0] - REACH * noise, law.x[some][-1] + REACH * noise
    x = np.linspace(low, high, 2 * nodes + 1)
    mass = np.diff(cdf(x))
    size = 4 * nodes  # the rest is room for what would come round
    k = 2 * np.pi * np.fft.rfftfreq(size, x[1] - x[0])
    spread = np.fft.irfft(np.fft.rfft(mass, size) * np.exp(-0.5 * (noise * k) ** 2), size)
    total = np.concatenate([[0.0], np.cumsum(spread[: len(mass)])])
    return LineLaw(x, np.clip(np.maximum.accumulate(total), 0.0, 1.0))


def _derivative(f: Array, h: float) -> Array:
    """Fourth-order differences on a uniform grid, second-order at its ends."""
    slope = np.gradient(f, h)
    slope[2:-2] = (f[:-4] - 8 * f[1:-3] + 8 * f[3:-1] - f[4:]) / (12 * h)
    return np.asarray(slope)
